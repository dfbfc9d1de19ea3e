//! Text files: the whole file is one document, named by its output name; its group is the folder it lies in.
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
        site: fields.site.as_ref().map(|_| name.rsplit_once('/').map_or("", |(folder, _)| folder)),
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
