//! What a record is to the rest of the house: the fields that matter, a view of one row, what happens to it, and
//! what was taken out of it.
//!
//! A record is one row of an input file; the text in it is a document, numbered over the whole input. A row that is
//! blank or broken takes a number too, so that `(file, row)` and the document number stay in step whatever is
//! skipped. Offsets are UTF-8 bytes, half-open.

use crate::error::Error;
use crate::span::ByteSpan;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::ops::Range;

/// The names of the top-level fields that are read; everything else in a record passes unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// The field with the text: a string.
    pub text: String,
    /// The field that names the record in the plan: a string or a number; a record may lack it.
    pub id: Option<String>,
    /// The field that says which site a record is from (host, source): a string or a number; a record may lack it. Of a
    /// value that is an absolute URL the host is taken. Archives have the host of the target URI instead, text files
    /// their folder. `None`: no record has a site, and nothing is looked for.
    pub site: Option<String>,
    /// The field whose number says which of several records is worth most; a record may lack it.
    pub rank: Option<String>,
}

impl Default for Fields {
    fn default() -> Self {
        Self { text: "text".into(), id: Some("id".into()), site: Some("url".into()), rank: None }
    }
}

/// One record as it is read. All of it lives until the visit ends: copy what must stay.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordView<'a> {
    /// Number of its file.
    pub file: u32,
    /// Row in the file, counted from 0; the line is `row + 1`.
    pub row: u64,
    /// Number of the document over the whole input.
    pub doc: u32,
    /// Its name, where it has one; a text file is named by its output name.
    pub id: Option<&'a str>,
    /// The site it is from, where it has one.
    pub site: Option<&'a str>,
    /// Its rank: a finite number, where it has one.
    pub rank: Option<f64>,
    /// The decoded text.
    pub text: &'a str,
    /// The row as it lies in the file, with its line ending.
    pub raw: &'a [u8],
    /// Where the text value lies in `raw`, without the quotes and with its escapes.
    pub value: Range<usize>,
}

/// What a visit finds in a row.
#[derive(Debug)]
pub enum Visit<'a> {
    /// A record.
    Record(RecordView<'a>),
    /// A row of nothing but white space.
    Blank {
        /// The document number the row takes.
        doc: u32,
    },
    /// A broken row; the caller stops, or skips and counts it.
    Bad {
        /// The document number the row takes.
        doc: u32,
        /// What is wrong with it, with file, line and cure.
        error: Error,
    },
}

/// What happens to a document in the rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// It leaves byte for byte.
    Keep,
    /// The whole row goes.
    Drop,
    /// These spans of the decoded text go: sorted, disjoint, on character borders. Nothing is put in their place.
    Cut(&'a [ByteSpan]),
}

/// What the rewrite took out of one row: enough to put it back byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Removed<'a> {
    /// The file's output name, as under `data/`.
    pub file: Cow<'a, str>,
    /// Row in the input file, counted from 0.
    pub row: u64,
    /// What was done to it.
    #[serde(flatten)]
    pub change: Change<'a>,
}

/// How a row differs between input and output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Change<'a> {
    /// The row is gone: all its bytes, with the line ending.
    Dropped(Raw<'a>),
    /// Pieces are gone from the row, in order; in the header of an archive record others may stand for them.
    Cut(Vec<Piece<'a>>),
}

/// One piece cut out of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Piece<'a> {
    /// Where it goes back: byte offset in the row as it was written, pieces before it not counted.
    pub at: u64,
    /// Its bytes as they lay in the file (a JSON string's escapes are kept as they were).
    pub raw: Raw<'a>,
    /// How many bytes of the row as it was written go when it is put back: what stood in for it. Mostly none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub instead: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Bytes of a file. In JSON a string where they are UTF-8, else `{"hex": "..."}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw<'a>(pub Cow<'a, [u8]>);

impl<'a> From<&'a [u8]> for Raw<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RawForm<'a> {
    Text(Cow<'a, str>),
    Hex { hex: String },
}

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match simdutf8::basic::from_utf8(&self.0) {
            Ok(text) => RawForm::Text(text.into()),
            Err(_) => RawForm::Hex { hex: self.0.iter().map(|b| format!("{b:02x}")).collect() },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Raw<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match RawForm::deserialize(deserializer)? {
            RawForm::Text(text) => Ok(Self(Cow::Owned(text.into_owned().into_bytes()))),
            RawForm::Hex { hex } => {
                let bytes = unhex(hex.as_bytes()).ok_or_else(|| D::Error::custom("not a hexadecimal string"))?;
                Ok(Self(Cow::Owned(bytes)))
            }
        }
    }
}

/// The bytes that hexadecimal digits stand for.
pub(crate) fn unhex(hex: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    if !hex.len().is_multiple_of(2) {
        return None;
    }
    hex.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn raw_bytes_survive_json(bytes in proptest::collection::vec(any::<u8>(), 0..40), text in ".{0,20}") {
            for bytes in [bytes, text.into_bytes()] {
                let change = Change::Cut(vec![Piece { at: 3, raw: bytes.as_slice().into(), instead: bytes.len() as u64 % 3 }]);
                let removed = Removed { file: "a/b.jsonl".into(), row: 7, change };
                let json = serde_json::to_string(&removed).unwrap();
                let back: Removed<'_> = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(back, removed);
            }
        }
    }

    #[test]
    fn a_sidecar_line_is_legible() {
        let removed = Removed { file: "a.jsonl".into(), row: 1, change: Change::Dropped(b"{}\n"[..].into()) };
        assert_eq!(serde_json::to_string(&removed).unwrap(), r#"{"file":"a.jsonl","row":1,"dropped":"{}\n"}"#);
    }

    #[test]
    fn broken_hex_is_refused() {
        for hex in ["0", "zz", "+1", "é1"] {
            assert!(serde_json::from_str::<Raw<'_>>(&format!("{{\"hex\":\"{hex}\"}}")).is_err());
        }
    }
}
