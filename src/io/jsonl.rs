//! JSON Lines: one object a line, of which a few top-level fields matter.
//!
//! A blank line is no record. A line is broken where it is no JSON object, or where its text is missing, twice there
//! (which of the two would be edited?), null, no string, or holds a lone surrogate. An id or site that is neither
//! string nor number counts as missing, and so does a rank that is no finite number; of two the first counts.

use super::chunk::Row;
use super::inputs::Format;
use super::json_scan::{self, Key, Value};
use super::json_string::unescape;
use super::parse::Buffers;
use super::site::site;
use crate::error::{Error, Result};
use crate::record::{Fields, RecordView};
use std::ops::Range;

/// How many keys of a record an error names.
const KEYS_SHOWN: usize = 8;

/// Where the wanted values of a line lie.
#[derive(Default)]
struct Found {
    text: Option<Value>,
    text_twice: bool,
    id: Option<Value>,
    site: Option<Value>,
    rank: Option<Value>,
}

/// The text value of a line: the range between its quotes, and whether it holds escapes.
type Text = (Range<usize>, bool);

/// The record of a line; `None` where it is blank, or where a row of a table has no text.
///
/// # Errors
/// What is wrong with the line, without its place.
pub(super) fn record<'a>(
    row: &Row<'a>,
    line: &'a str,
    fields: &Fields,
    buffers: &'a mut Buffers,
) -> Result<Option<RecordView<'a>>> {
    if line.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
        return Ok(None);
    }
    let Some((found, (value, escaped))) = find(row, line, fields)? else { return Ok(None) };
    let text = decoded(line, value.clone(), escaped, &mut buffers.text).map_err(|at| lone_surrogate(at, fields))?;
    Ok(Some(RecordView {
        file: row.input.index,
        row: row.number,
        doc: row.doc,
        id: name(line, found.id, &mut buffers.id),
        site: name(line, found.site, &mut buffers.site).map(|value| site(value, &mut buffers.host)),
        rank: rank(line, found.rank),
        text,
        raw: row.raw,
        value,
    }))
}

/// Where the text value of a line lies, between its quotes.
///
/// # Errors
/// As [`record`]; a blank line has no text.
pub(super) fn text_value(row: &Row<'_>, line: &str, fields: &Fields) -> Result<Range<usize>> {
    let found = find(row, line, fields)?;
    found.map(|(_, (range, _))| range).ok_or_else(|| Error::resource("the row has lost its text since it was read"))
}

fn find(row: &Row<'_>, line: &str, fields: &Fields) -> Result<Option<(Found, Text)>> {
    let mut found = Found::default();
    let visit = |key: Key<'_>, value: Value| found.take(key, value, fields);
    json_scan::object(line.strip_suffix('\n').unwrap_or(line), row.mark_bytes(), visit).map_err(|error| {
        let cure = if error.what.contains("array") {
            "each line holds one object; `jq -c '.[]'` makes lines of an array"
        } else {
            "each line holds one object; `jq -c .` makes lines of a formatted file"
        };
        Error::input(format!("invalid JSON at column {}: {}", error.at + 1, error.what)).cure(cure)
    })?;
    let name = &fields.text;
    if found.text_twice {
        return Err(Error::input(format!("the field \"{name}\" is there twice")).cure("keep one of the two"));
    }
    let problem = match found.text.take() {
        Some(Value::String { range, escaped }) => return Ok(Some((found, (range, escaped)))),
        None => "is missing",
        // A line can leave a field out; a table cannot, so null is how it says that there is no text.
        Some(Value::Null) if row.input.format == Format::Parquet => return Ok(None),
        Some(Value::Null) => "is null",
        Some(Value::Number(_) | Value::Other) => "is not a string",
    };
    let cure = format!("name the field with the text (--text-field); this record has {}", keys(line, row.mark_bytes()));
    Err(Error::input(format!("the field \"{name}\" {problem}")).cure(cure))
}

/// The keys of a line, for a message.
fn keys(line: &str, start: usize) -> String {
    let mut keys = Vec::new();
    // The line has been scanned before: it holds an object.
    let _ = json_scan::object(line, start, |key, _| {
        if keys.len() < KEYS_SHOWN {
            keys.push(format!("\"{}\"", key.raw.chars().take(40).collect::<String>()));
        }
    });
    if keys.is_empty() { "no fields".into() } else { keys.join(", ") }
}

fn lone_surrogate(at: usize, fields: &Fields) -> Error {
    let what = format!("the field \"{}\" holds a lone surrogate at byte {} of its value", fields.text, at + 1);
    Error::input(what).cure("write the record again with an encoder that pairs surrogates, or as plain UTF-8")
}

impl Found {
    fn take(&mut self, key: Key<'_>, value: Value, fields: &Fields) {
        let is = |name: &str| if key.escaped { escaped_is(key.raw, name) } else { key.raw == name };
        let wants = |name: &Option<String>, slot: &Option<Value>| slot.is_none() && name.as_deref().is_some_and(is);
        if wants(&fields.id, &self.id) {
            self.id = Some(value.clone());
        }
        if wants(&fields.site, &self.site) {
            self.site = Some(value.clone());
        }
        if wants(&fields.rank, &self.rank) {
            self.rank = Some(value.clone());
        }
        if is(&fields.text) {
            self.text_twice = self.text.replace(value).is_some();
        }
    }
}

/// Whether a key written with escapes is this name.
fn escaped_is(raw: &str, name: &str) -> bool {
    let mut decoded = String::new();
    unescape(raw, &mut decoded).is_ok() && decoded == name
}

fn decoded<'a>(line: &'a str, range: Range<usize>, escaped: bool, buffer: &'a mut String) -> Result<&'a str, usize> {
    let raw = &line[range];
    if !escaped {
        return Ok(raw);
    }
    buffer.clear();
    unescape(raw, buffer)?;
    Ok(buffer)
}

/// A rank as a number.
fn rank(line: &str, value: Option<Value>) -> Option<f64> {
    let Some(Value::Number(range)) = value else { return None };
    line[range].parse().ok().filter(|rank: &f64| rank.is_finite())
}

/// An id or site as text; one that cannot be read counts as missing, for nothing is decided by it alone.
fn name<'a>(line: &'a str, value: Option<Value>, buffer: &'a mut String) -> Option<&'a str> {
    match value? {
        Value::String { range, escaped } => decoded(line, range, escaped, buffer).ok(),
        Value::Number(range) => Some(&line[range]),
        Value::Null | Value::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::io::tests::first_record;
    use crate::record::Fields;

    #[test]
    fn ranks_are_numbers() {
        let fields = Fields { rank: Some("q".into()), ..Fields::default() };
        for (value, expected) in [
            ("3", Some(3.0)),
            ("-1.5e-1", Some(-0.15)),
            ("18446744073709551616", Some(18_446_744_073_709_551_616.0)),
            ("1e999", None),
            ("\"3\"", None),
            ("null", None),
            ("[3]", None),
            ("2, \"q\": 3", Some(2.0)),
        ] {
            let line = format!("{{\"text\": \"a\", \"q\": {value}}}\n");
            first_record("a.jsonl", line.as_bytes(), &fields, |record| assert_eq!(record.rank, expected, "{value}"));
        }
        first_record("a.jsonl", b"{\"text\":\"a\"}", &fields, |record| assert_eq!(record.rank, None));
    }

    #[test]
    fn sites_are_hosts_or_values() {
        let fields = Fields { site: Some("url".into()), ..Fields::default() };
        for (value, expected) in
            [("\"HTTPS:\\/\\/A.example\\/x\"", "a.example"), ("\"Some Source\"", "Some Source"), ("17", "17")]
        {
            let line = format!("{{\"text\": \"a\", \"url\": {value}}}\n");
            first_record("a.jsonl", line.as_bytes(), &fields, |record| assert_eq!(record.site, Some(expected)));
        }
    }
}
