//! The second read: from a chunk and what was decided about its documents to the bytes that leave.
//!
//! Law: a kept row leaves byte for byte, whatever it holds (it is not even parsed); an edited one loses the raw bytes
//! of its spans and nothing else changes (an archive record's header must follow), so escapes, key order, spacing and line endings stay. A dropped row goes
//! with its line ending; a text file that is dropped is not written. `O(bytes)`.

use super::Compression;
use super::chunk::{Chunk, Part, Row, rows};
use super::gzip::{deflate, members};
use super::inputs::{Format, InputFile};
use super::json_string::{escape_text, raw_ranges};
use super::lossy::{Line, Lossy};
use super::{jsonl, text_files, warc};
use crate::error::{Error, Result};
use crate::record::{Action, Change, Fields, Piece, Removed};
use crate::span::ByteSpan;
use flate2::Crc;
use std::ops::Range;
use std::sync::Arc;

/// What a [`Part`] of a chunk became.
#[derive(Debug)]
pub struct OutPart {
    /// The file it is from; the output has its name.
    pub input: Arc<InputFile>,
    /// Where its bytes lie in the output buffer.
    pub range: Range<usize>,
    /// Whether the file begins here.
    pub begins: bool,
    /// Whether the file ends here.
    pub ends: bool,
    /// Whether the file is not written at all: a text file that was dropped.
    pub absent: bool,
    /// Set once the bytes are compressed.
    pub(super) packed: Option<Packed>,
}

/// What became of content that goes into a gzip file.
#[derive(Debug)]
pub(super) enum Packed {
    /// Blocks of the member that the file is, and the checksum of what they hold.
    Blocks(Crc),
    /// Members of their own.
    Members,
}

/// Rewrites a chunk. `action` is asked for every row in order, blank and broken ones too; `out` is cleared and
/// receives the rows that leave; `removed` is told of every row that differs, in order.
///
/// # Errors
/// What `removed` returns. `Input` or `Resource` where an edited row cannot be read or its spans do not fit: then
/// the file is not the one the plan was made from.
pub fn rewrite<'p>(
    chunk: &Chunk,
    fields: &Fields,
    mut action: impl FnMut(u32) -> Action<'p>,
    out: &mut Vec<u8>,
    removed: &mut dyn FnMut(Removed<'_>) -> Result<()>,
) -> Result<Vec<OutPart>> {
    out.clear();
    let mut parts = Vec::with_capacity(chunk.parts.len());
    for part in &chunk.parts {
        let start = out.len();
        let absent = rewrite_part(part, &chunk.bytes[part.range.clone()], fields, &mut action, out, removed)?;
        let (input, begins) = (Arc::clone(&part.input), part.first_row == 0);
        parts.push(OutPart { input, range: start..out.len(), begins, ends: part.ends, absent, packed: None });
    }
    Ok(parts)
}

/// Appends the line of `removed.jsonl` that says how a row differs.
///
/// # Errors
/// `Resource` where it cannot be written as JSON.
pub fn removed_line(removed: &Removed<'_>, out: &mut Vec<u8>) -> Result<()> {
    let mut json = |removed: &Removed<'_>| serde_json::to_writer(&mut *out, removed);
    let row = match &removed.change {
        Change::Dropped(raw) => simdutf8::basic::from_utf8(&raw.0).ok(),
        Change::Cut(_) => None,
    };
    let written = match row {
        // The line of an empty row, and the row put between its last quotes: nearly all there is to write, and written faster.
        Some(_) => json(&Removed {
            file: removed.file.as_ref().into(),
            row: removed.row,
            change: Change::Dropped(b""[..].into()),
        }),
        None => json(removed),
    };
    written.map_err(|e| Error::resource(e.to_string()))?;
    if let Some(row) = row {
        out.truncate(out.len() - END_OF_EMPTY.len());
        escape_text(row, out);
        out.extend_from_slice(END_OF_EMPTY);
    }
    out.push(b'\n');
    Ok(())
}

/// What the line of an empty row ends with.
const END_OF_EMPTY: &[u8] = b"\"}";

/// Compresses the parts that go into gzip files, in place: the costly step of writing them, which a worker can take
/// from the thread that writes. The parts are written alike with it or without it, only the archive's bytes differ.
pub fn pack(parts: &mut [OutPart], bytes: &mut Vec<u8>) {
    if !parts.iter().any(|part| part.input.compression == Compression::Gzip) {
        return;
    }
    let mut packed = Vec::with_capacity(bytes.len() / 2);
    for part in parts {
        let (start, content) = (packed.len(), &bytes[part.range.clone()]);
        if part.input.compression == Compression::Gzip && part.packed.is_none() {
            part.packed = Some(match part.input.format {
                Format::Warc => {
                    members(content, &mut packed);
                    Packed::Members
                }
                _ => Packed::Blocks(deflate(content, &mut packed)),
            });
        } else {
            packed.extend_from_slice(content);
        }
        part.range = start..packed.len();
    }
    *bytes = packed;
}

/// Rewrites a part; true where it is a text file that was dropped.
fn rewrite_part<'p>(
    part: &Part,
    bytes: &[u8],
    fields: &Fields,
    action: &mut impl FnMut(u32) -> Action<'p>,
    out: &mut Vec<u8>,
    removed: &mut dyn FnMut(Removed<'_>) -> Result<()>,
) -> Result<bool> {
    let mut absent = false;
    for row in rows(part, bytes) {
        let change = match action(row.doc) {
            Action::Keep => None,
            Action::Drop => {
                absent = part.input.format == Format::Text;
                Some(Change::Dropped(row.raw.into()))
            }
            Action::Cut(spans) => cut(&row, spans, fields, out)?.map(Change::Cut),
        };
        match change {
            None => out.extend_from_slice(row.raw),
            Some(change) => removed(Removed { file: part.input.name.as_str().into(), row: row.number, change })?,
        }
    }
    Ok(absent)
}

/// Writes the row without the spans and returns what was cut; `None`, and nothing written, where that is nothing.
fn cut<'a>(row: &Row<'a>, spans: &[ByteSpan], fields: &Fields, out: &mut Vec<u8>) -> Result<Option<Vec<Piece<'a>>>> {
    let mut lossy = Lossy::default();
    let whole = Line::lossy(row, &mut lossy).map_err(|e| row.locate(e))?;
    let line = whole.text;
    let (value, ranges) = match row.input.format {
        Format::JsonLines | Format::Parquet => {
            let value = jsonl::text_value(row, line, fields).map_err(|e| row.locate(e))?;
            let ranges = raw_ranges(&line[value.clone()], spans);
            (value, ranges)
        }
        Format::Text => (row.mark_bytes()..line.len(), text_files::ranges(&line[row.mark_bytes()..], spans)),
        Format::Warc => {
            let text = warc::text(row.raw).unwrap_or(0..0);
            let value = whole.shown(text.start)..whole.shown(text.end);
            (value.clone(), text_files::ranges(&line[value], spans))
        }
    };
    let ranges = ranges.map_err(|()| {
        let error = Error::resource("a span ends after the text: the file is not the one the plan was made from");
        row.locate(error).cure("run again when nobody writes the file")
    })?;
    if ranges.is_empty() {
        return Ok(None);
    }
    let raw = |at: usize| whole.raw(value.start + at);
    let ranges: Vec<Range<usize>> = ranges.into_iter().map(|range| raw(range.start)..raw(range.end)).collect();
    let head = match row.input.format {
        Format::Warc => warc::head_edits(row.raw, ranges.iter().map(Range::len).sum()),
        Format::JsonLines | Format::Parquet | Format::Text => Vec::new(),
    };
    let cuts = ranges.into_iter().map(|range| (range, Vec::new()));
    Ok(Some(apply(row.raw, head.into_iter().chain(cuts), out)))
}

/// Writes the row with its edits, ranges in order and what takes their place; returns how to undo them.
fn apply<'a>(raw: &'a [u8], edits: impl Iterator<Item = (Range<usize>, Vec<u8>)>, out: &mut Vec<u8>) -> Vec<Piece<'a>> {
    let (start, mut rest) = (out.len(), 0);
    let mut pieces = Vec::new();
    for (range, instead) in edits {
        out.extend_from_slice(&raw[rest..range.start]);
        let at = (out.len() - start) as u64;
        rest = range.end;
        pieces.push(Piece { at, raw: raw[range].into(), instead: instead.len() as u64 });
        out.extend_from_slice(&instead);
    }
    out.extend_from_slice(&raw[rest..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn removed_lines_are_those_of_serde_json(
            file in "[a-z\"\\\\/é]{0,9}",
            row in any::<u64>(),
            text in "[a-z\"\\\\\\x00-\\x1fé]{0,200}",
            bytes in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let piece = Piece { at: row, raw: text.as_bytes().into(), instead: 0 };
            let [dropped, broken] = [text.as_bytes(), &bytes].map(|bytes| Change::Dropped(bytes.into()));
            for change in [dropped, broken, Change::Cut(vec![piece])] {
                let removed = Removed { file: file.as_str().into(), row, change };
                let mut line = b"x".to_vec();
                removed_line(&removed, &mut line).unwrap();
                let expected = format!("x{}\n", serde_json::to_string(&removed).unwrap());
                prop_assert_eq!(String::from_utf8(line).unwrap(), expected);
            }
        }
    }
}
