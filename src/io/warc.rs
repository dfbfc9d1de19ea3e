//! WARC files, and the WET files of crawls: a row is a record with its header and the line ends that follow it.
//!
//! Documents are the `conversion` and `resource` records whose content is text (ISO 28500, 6.3 and 6.7): the block is
//! the text, the target URI the id, its host the site, any numeric header the rank. All other records (requests,
//! responses, metadata) count as blank rows and pass as they are.
//! An edited record gets the Content-Length of what is left and loses its digests, which are optional and would be
//! wrong; record ids stay. In a `.gz` every record is a gzip member of its own, as readers that seek expect.
//!
//! Records are found by their Content-Length, so a file whose lengths are wrong cannot be read on: that is an error
//! of the file, not of a record. Line feeds alone are taken for line ends too. Headers take 64 KiB at most.

use super::chunk::Row;
use super::parse::Buffers;
use super::site::site;
use crate::record::{Fields, RecordView};
use memchr::{memchr, memmem};
use std::io::{self, BufRead, Read as _};
use std::ops::Range;

/// Bytes of a record's header at most.
const HEAD_BYTES_MAX: usize = 64 << 10;
const MAGIC: &[u8] = b"WARC/";

/// Length of the record that `bytes` begin with, line ends after it included; `None` where that takes more bytes,
/// which never is when they are `ended`.
///
/// # Errors
/// Why no record is here.
pub(super) fn record_len(bytes: &[u8], ended: bool) -> Result<Option<usize>, &'static str> {
    let cut_short = || if ended { Err("the last record is cut short") } else { Ok(None) };
    if !bytes.starts_with(&MAGIC[..bytes.len().min(MAGIC.len())]) {
        return Err("no record begins where the one before ends: its Content-Length is wrong, or this is no WARC file");
    }
    let Some(head) = head_len(bytes) else {
        return if bytes.len() > HEAD_BYTES_MAX { Err("a header is longer than 64 KiB") } else { cut_short() };
    };
    let Some(end) = head.checked_add(content_length(&bytes[..head])?).filter(|end| *end <= bytes.len()) else {
        return cut_short();
    };
    match bytes[end..].iter().position(|b| !matches!(b, b'\r' | b'\n')) {
        Some(after) => Ok(Some(end + after)),
        None if ended => Ok(Some(bytes.len())),
        None => Ok(None),
    }
}

/// Length of the records that are whole at the start of `bytes`, and how many they are.
///
/// # Errors
/// As [`record_len`], with the number of the record from 0.
pub(super) fn whole_records(bytes: &[u8], ended: bool) -> Result<(usize, u64), (u64, &'static str)> {
    let (mut end, mut records) = (0, 0);
    while end < bytes.len() {
        match record_len(&bytes[end..], ended).map_err(|what| (records, what))? {
            Some(len) => end += len,
            None => break,
        }
        records += 1;
    }
    Ok((end, records))
}

/// Reads one record; 0 at the end.
pub(super) fn read_record(from: &mut dyn BufRead, into: &mut Vec<u8>) -> io::Result<usize> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    while head_len(into).is_none() {
        if into.len() > HEAD_BYTES_MAX {
            return Err(invalid("a header is longer than 64 KiB"));
        }
        if (&mut *from).take(HEAD_BYTES_MAX as u64).read_until(b'\n', into)? == 0 {
            return if into.is_empty() { Ok(0) } else { Err(invalid("a record is cut short")) };
        }
    }
    let length = content_length(into).map_err(invalid)?;
    if (&mut *from).take(length as u64).read_to_end(into)? < length {
        return Err(invalid("a record is cut short"));
    }
    loop {
        let ahead = from.fill_buf()?;
        let ends = ahead.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let more = ends > 0 && ends == ahead.len();
        into.extend_from_slice(&ahead[..ends]);
        from.consume(ends);
        if !more {
            return Ok(into.len());
        }
    }
}

/// Length of a header with the blank line after it.
fn head_len(bytes: &[u8]) -> Option<usize> {
    let bytes = &bytes[..bytes.len().min(HEAD_BYTES_MAX + 4)];
    memmem::find_iter(bytes, b"\n").find_map(|at| match &bytes[at + 1..] {
        [b'\r', b'\n', ..] => Some(at + 3),
        [b'\n', ..] => Some(at + 2),
        _ => None,
    })
}

fn content_length(head: &[u8]) -> Result<usize, &'static str> {
    let mut lengths = lines(head).filter(|line| line.is("Content-Length"));
    match (lengths.next(), lengths.next()) {
        (Some(line), None) => std::str::from_utf8(&head[line.value])
            .ok()
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .ok_or("a Content-Length is no number"),
        (None, _) => Err("a record has no Content-Length"),
        (Some(_), Some(_)) => Err("a record has two Content-Lengths"),
    }
}

/// One `Name: value` line of a header.
struct Line<'a> {
    name: &'a [u8],
    value: Range<usize>,
    /// With its line end.
    range: Range<usize>,
}

impl Line<'_> {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The lines of a header that have a name.
fn lines(head: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    let ranges = std::iter::from_fn(move || {
        let end = start + memchr(b'\n', &head[start..])? + 1;
        Some(std::mem::replace(&mut start, end)..end)
    });
    ranges.filter_map(|range| {
        let line = &head[range.clone()];
        let colon = memchr(b':', line)?;
        let value = line[colon + 1..].trim_ascii();
        let skipped = line[colon + 1..].len() - line[colon + 1..].trim_ascii_start().len();
        let from = range.start + colon + 1 + skipped;
        Some(Line { name: line[..colon].trim_ascii(), value: from..from + value.len(), range })
    })
}

/// The first value of a header line of this name.
fn value<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    lines(head).find(|line| line.is(name)).map(|line| &head[line.value])
}

/// Where the text of a record lies; `None` where it is no document.
pub(super) fn text(raw: &[u8]) -> Option<Range<usize>> {
    let head = head_len(raw)?;
    let is_text = |kind: &[u8]| kind.len() >= 5 && kind[..5].eq_ignore_ascii_case(b"text/");
    let content = value(&raw[..head], "Content-Type");
    let document = match value(&raw[..head], "WARC-Type")? {
        b"conversion" => content.is_none_or(is_text),
        b"resource" => content.is_some_and(is_text),
        _ => false,
    };
    let end = head + content_length(&raw[..head]).ok()?;
    (document && end <= raw.len()).then_some(head..end)
}

/// The record of a row whose text lies in `value`.
pub(super) fn record<'a>(
    row: &Row<'a>,
    line: &'a str,
    text: Range<usize>,
    fields: &Fields,
    buffers: &'a mut Buffers,
) -> RecordView<'a> {
    let named = |name: &str| {
        let found = lines(&line.as_bytes()[..text.start]).find(|line| line.is(name))?;
        Some(&line[found.value])
    };
    let uri = named("WARC-Target-URI").map(|uri| uri.trim_matches(['<', '>']));
    RecordView {
        file: row.input.index,
        row: row.number,
        doc: row.doc,
        id: uri.or_else(|| named("WARC-Record-ID")),
        site: fields.site.as_ref().and(uri).map(|uri| site(uri, &mut buffers.host)),
        rank: fields.rank.as_deref().and_then(named).and_then(|n| n.parse().ok()).filter(|n: &f64| n.is_finite()),
        text: &line[text.clone()],
        raw: row.raw,
        value: text,
    }
}

/// What must change in the header of a record whose text loses `removed` bytes: ranges, and what takes their place.
pub(super) fn head_edits(raw: &[u8], removed: usize) -> Vec<(Range<usize>, Vec<u8>)> {
    let Some(text) = text(raw) else { return Vec::new() };
    lines(&raw[..text.start])
        .filter_map(|line| {
            if line.is("Content-Length") {
                return Some((line.value, (text.len() - removed).to_string().into_bytes()));
            }
            let digest = line.is("WARC-Block-Digest") || line.is("WARC-Payload-Digest");
            digest.then(|| (line.range, Vec::new()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn conversion(uri: &str, text: &str) -> String {
        format!(
            "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: {uri}\r\nContent-Type: text/plain\r\n\
             Content-Length: {}\r\n\r\n{text}\r\n\r\n",
            text.len()
        )
    }

    #[test]
    fn only_text_is_a_document() {
        let head = |kind: &str, content: &str| {
            format!("WARC/1.1\nwarc-type:{kind}\n{content}content-length: 1\n\nx\n\n").into_bytes()
        };
        for (kind, content, expected) in [
            ("conversion", "", true),
            ("conversion", "Content-Type: TEXT/plain; charset=UTF-8\n", true),
            ("conversion", "Content-Type: image/png\n", false),
            ("resource", "Content-Type: text/html\n", true),
            ("resource", "", false),
            ("response", "Content-Type: text/plain\n", false),
        ] {
            assert_eq!(text(&head(kind, content)).is_some(), expected, "{kind} {content}");
        }
    }

    #[test]
    fn what_is_no_record_is_told() {
        for (bytes, says) in [
            ("{}", "no record begins"),
            ("WARC/1.0\r\n\r\n", "no Content-Length"),
            ("WARC/1.0\r\nContent-Length: -1\r\n\r\n", "no number"),
            ("WARC/1.0\r\nContent-Length: 99999999999999999999\r\n\r\n", "no number"),
            ("WARC/1.0\r\nContent-Length: 18446744073709551615\r\n\r\n", "cut short"),
            ("WARC/1.0\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", "two"),
            ("WARC/1.0\r\nContent-Length: 2\r\n\r\nx", "cut short"),
            ("WARC/1.0\r\nContent-Length: 2\r\n", "cut short"),
        ] {
            assert!(record_len(bytes.as_bytes(), true).unwrap_err().contains(says), "{bytes}");
        }
        let long = format!("WARC/1.0\r\n{}", "a".repeat(HEAD_BYTES_MAX));
        assert!(record_len(long.as_bytes(), false).unwrap_err().contains("64 KiB"));
    }

    proptest! {
        #[test]
        fn records_are_found_in_any_cut(texts in proptest::collection::vec("[a\r\n:W]{0,9}", 1..5), at in any::<proptest::sample::Index>()) {
            let records: Vec<String> = texts.iter().map(|text| conversion("http://h/", text)).collect();
            let bytes = records.concat().into_bytes();
            prop_assert_eq!(whole_records(&bytes, true), Ok((bytes.len(), records.len() as u64)));
            let at = at.index(bytes.len());
            // What is whole before a cut is a prefix of the records.
            let (end, found) = whole_records(&bytes[..at], false).unwrap();
            prop_assert_eq!(end, records[..usize::try_from(found).unwrap()].concat().len());
            let (mut reader, mut seen) = (&bytes[..], Vec::new());
            loop {
                let mut record = Vec::new();
                if read_record(&mut reader, &mut record).unwrap() == 0 {
                    break;
                }
                seen.push(String::from_utf8(record).unwrap());
            }
            prop_assert_eq!(seen, records);
        }
    }
}
