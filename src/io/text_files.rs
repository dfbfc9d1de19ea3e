//! Text files: the whole file is one document, named by its output name; its site is the folder it lies in.
//!
//! A byte order mark stays in the file and is no part of the text. Line endings are part of the text, as they are.

use super::chunk::Row;
use crate::record::{Fields, RecordView};
use crate::span::ByteSpan;
use std::ops::Range;

/// The record of a text file.
pub(super) fn record<'a>(row: &Row<'a>, content: &'a str, fields: &Fields) -> RecordView<'a> {
    let name = row.input.name.as_str();
    let value = row.mark_bytes()..content.len();
    RecordView {
        file: row.input.index,
        row: row.number,
        doc: row.doc,
        id: Some(name),
        site: fields.site.as_ref().and_then(|_| name.rsplit_once('/')).map(|(folder, _)| folder),
        rank: None,
        text: &content[value.clone()],
        raw: row.raw,
        value,
    }
}

/// Spans of the text as ranges of the text: as they are, after the check that they fit and split no character.
/// A border inside a character is a mistake of the caller; the range shrinks to whole characters.
///
/// # Errors
/// `Err` where a span ends after the text.
pub(super) fn ranges(text: &str, spans: &[ByteSpan]) -> Result<Vec<Range<usize>>, ()> {
    let mut ranges = Vec::with_capacity(spans.len());
    for span in spans {
        let Range { mut start, mut end } = span.range();
        if end > text.len() {
            return Err(());
        }
        debug_assert!(text.is_char_boundary(start) && text.is_char_boundary(end), "a span border splits a character");
        while !text.is_char_boundary(start) {
            start += 1;
        }
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        if start < end {
            ranges.push(start..end);
        }
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use crate::io::{Chunks, Inputs, Parser, ReadOptions, Source as _};
    use crate::record::{Fields, Visit};

    #[test]
    fn a_folder_is_a_site() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("a.example/news")).unwrap();
        for name in ["a.example/news/1.txt", "a.example/2.txt", "3.txt"] {
            std::fs::write(root.path().join(name), "text").unwrap();
        }
        let inputs = Inputs::resolve(&[root.path().to_str().unwrap().into()]).unwrap();
        let sites = |fields: &Fields| {
            let chunk = Chunks::new(&inputs, ReadOptions::default()).next_chunk(Vec::new()).unwrap().unwrap();
            let mut sites = Vec::new();
            let visit = |visit: Visit<'_>| {
                let Visit::Record(record) = visit else { panic!("{visit:?}") };
                sites.push(record.site.map(str::to_owned));
                Ok(())
            };
            Parser::new(fields).visit(&chunk, visit).unwrap();
            sites
        };
        let site = |name: &str| Some(name.to_owned());
        assert_eq!(sites(&Fields::default()), [None, site("a.example"), site("a.example/news")]);
        assert_eq!(sites(&Fields { site: None, ..Fields::default() }), [None, None, None]);
    }
}
