//! What one row holds in one column, as JSON.
//!
//! A value:
//! - booleans and integers as they are stored (a date is its days), unsigned ones as such;
//! - finite floats by the shortest digits that give them back, others by their bits: `"7ff8000000000000"`;
//! - strings as strings, with their bytes as they are, broken UTF-8 too: the reader of lines deals with that;
//! - bytes that are not declared a string: as a string where they are UTF-8, else `{"hex": "..."}`;
//! - INT96 and bytes of fixed length: hexadecimal digits in a string.
//!
//! A cell: the value, or `null`. Where that does not say all (a column in a list, or null at one of several levels):
//! a flat array of repetition level, definition level and value or `null`, three for every entry.

use super::Leaf;
use crate::io::json_string::unescape_bytes;
use ::parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use memchr::{memchr, memchr2};
use std::io::Write as _;

/// A value of a column.
pub(super) trait Value: Clone + Send + 'static {
    /// Appends it as JSON.
    fn write(&self, leaf: &Leaf, out: &mut Vec<u8>);
    /// Reads what [`write`](Self::write) wrote.
    fn parse(json: &[u8], leaf: &Leaf) -> Option<Self>;
}

/// The values and levels of some rows of a column, in order.
pub(super) struct Cells<V> {
    pub(super) defs: Vec<i16>,
    pub(super) reps: Vec<i16>,
    /// Those that are there.
    pub(super) values: Vec<V>,
    /// How far they have been taken: entry and value.
    entry: usize,
    value: usize,
}

impl<V: Value> Cells<V> {
    pub(super) fn new() -> Self {
        Self { defs: Vec::new(), reps: Vec::new(), values: Vec::new(), entry: 0, value: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.defs.clear();
        self.reps.clear();
        self.values.clear();
        (self.entry, self.value) = (0, 0);
    }

    /// Appends the next cell as JSON; false where there is none, or the levels contradict each other.
    pub(super) fn write_next(&mut self, leaf: &Leaf, out: &mut Vec<u8>) -> bool {
        if leaf.defined() == 0 {
            return self.write_value(leaf, true, out);
        }
        let Some(&def) = self.defs.get(self.entry) else { return false };
        if leaf.repeated() || (def < leaf.defined() && leaf.defined() > 1) {
            return self.write_entries(leaf, out);
        }
        self.entry += 1;
        self.write_value(leaf, def == leaf.defined(), out)
    }

    fn write_entries(&mut self, leaf: &Leaf, out: &mut Vec<u8>) -> bool {
        out.push(b'[');
        let mut first = true;
        while let Some(&def) = self.defs.get(self.entry) {
            let rep = self.reps.get(self.entry).copied().unwrap_or(0);
            if rep == 0 && !first {
                break;
            }
            let comma = if first { "" } else { "," };
            write!(out, "{comma}{rep},{def},").expect("writing into memory does not fail");
            self.entry += 1;
            first = false;
            if !self.write_value(leaf, def == leaf.defined(), out) {
                return false;
            }
        }
        out.push(b']');
        !first
    }

    fn write_value(&mut self, leaf: &Leaf, there: bool, out: &mut Vec<u8>) -> bool {
        if !there {
            out.extend_from_slice(b"null");
            return true;
        }
        let Some(value) = self.values.get(self.value) else { return false };
        value.write(leaf, out);
        self.value += 1;
        true
    }

    /// Takes a cell off the front of `json`.
    pub(super) fn parse_next(&mut self, leaf: &Leaf, json: &mut &[u8]) -> Option<()> {
        let Some(mut rest) = json.strip_prefix(b"[") else {
            let there = self.parse_value(leaf, json)?;
            self.push_levels(leaf, 0, leaf.defined() - i16::from(!there));
            // A bare null says enough only where there is one level it can mean.
            return (there || (leaf.defined() == 1 && !leaf.repeated())).then_some(());
        };
        loop {
            let rep = level(&mut rest, leaf.column.max_rep_level())?;
            let def = level(&mut rest, leaf.defined())?;
            if self.parse_value(leaf, &mut rest)? != (def == leaf.defined()) {
                return None;
            }
            self.push_levels(leaf, rep, def);
            let (&next, after) = rest.split_first()?;
            rest = after;
            match next {
                b',' => {}
                b']' => break,
                _ => return None,
            }
        }
        *json = rest;
        Some(())
    }

    fn push_levels(&mut self, leaf: &Leaf, rep: i16, def: i16) {
        if leaf.defined() > 0 {
            self.defs.push(def);
        }
        if leaf.repeated() {
            self.reps.push(rep);
        }
    }

    /// Takes a value or null off the front; whether it was a value.
    fn parse_value(&mut self, leaf: &Leaf, json: &mut &[u8]) -> Option<bool> {
        let (value, rest) = json.split_at(scalar_len(json)?);
        *json = rest;
        if value == b"null" {
            return Some(false);
        }
        self.values.push(V::parse(value, leaf)?);
        Some(true)
    }
}

/// A level and its comma.
fn level(json: &mut &[u8], max: i16) -> Option<i16> {
    let at = memchr(b',', json)?;
    let level = number::<i16>(&json[..at]).filter(|level| (0..=max).contains(level));
    *json = &json[at + 1..];
    level
}

/// How many bytes the scalar takes that `json` begins with.
fn scalar_len(json: &[u8]) -> Option<usize> {
    match json.first()? {
        b'"' => {
            let mut at = 1;
            loop {
                at += memchr2(b'"', b'\\', json.get(at..)?)?;
                if json[at] == b'"' {
                    return Some(at + 1);
                }
                at += 2;
            }
        }
        b'{' => Some(memchr(b'}', json)? + 1),
        _ => json.iter().position(|b| matches!(b, b',' | b']' | b'}')),
    }
}

/// Appends bytes as a JSON string; nothing but quotes, backslashes and control characters is changed.
pub(super) fn quote(bytes: &[u8], out: &mut Vec<u8>) {
    let special = |b: &u8| *b < b' ' || *b == b'"' || *b == b'\\';
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(special) {
        out.extend_from_slice(&rest[..at]);
        let short = match rest[at] {
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            mark @ (b'"' | b'\\') => mark,
            control => {
                write!(out, "\\u{control:04x}").expect("writing into memory does not fail");
                rest = &rest[at + 1..];
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn unquote(json: &[u8]) -> Option<Vec<u8>> {
    let inside = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut bytes = Vec::with_capacity(inside.len());
    unescape_bytes(inside, &mut bytes).ok().map(|()| bytes)
}

fn write_hex(bytes: impl IntoIterator<Item = u8>, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in bytes {
        write!(out, "{byte:02x}").expect("writing into memory does not fail");
    }
    out.push(b'"');
}

fn parse_hex(json: &[u8]) -> Option<Vec<u8>> {
    let digits = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    crate::record::unhex(digits)
}

fn number<N: std::str::FromStr>(json: &[u8]) -> Option<N> {
    std::str::from_utf8(json).ok()?.parse().ok()
}

fn print(value: impl std::fmt::Debug, out: &mut Vec<u8>) {
    write!(out, "{value:?}").expect("writing into memory does not fail");
}

impl Value for bool {
    fn write(&self, _: &Leaf, out: &mut Vec<u8>) {
        print(self, out);
    }

    fn parse(json: &[u8], _: &Leaf) -> Option<Self> {
        number(json)
    }
}

macro_rules! integers {
    ($($signed:ty, $unsigned:ty;)*) => {$(
        impl Value for $signed {
            fn write(&self, leaf: &Leaf, out: &mut Vec<u8>) {
                if leaf.unsigned { print(self.cast_unsigned(), out) } else { print(self, out) }
            }

            fn parse(json: &[u8], leaf: &Leaf) -> Option<Self> {
                if leaf.unsigned { number::<$unsigned>(json).map(<$unsigned>::cast_signed) } else { number(json) }
            }
        }
    )*};
}
integers! { i32, u32; i64, u64; }

macro_rules! floats {
    ($($float:ty, $bits:ty;)*) => {$(
        impl Value for $float {
            fn write(&self, _: &Leaf, out: &mut Vec<u8>) {
                if self.is_finite() { print(self, out) } else { write_hex(self.to_bits().to_be_bytes(), out) }
            }

            fn parse(json: &[u8], _: &Leaf) -> Option<Self> {
                if !json.starts_with(b"\"") {
                    return number(json).filter(|float: &$float| float.is_finite());
                }
                let bytes = parse_hex(json)?.try_into().ok()?;
                Some(Self::from_bits(<$bits>::from_be_bytes(bytes)))
            }
        }
    )*};
}
floats! { f32, u32; f64, u64; }

impl Value for Int96 {
    fn write(&self, _: &Leaf, out: &mut Vec<u8>) {
        write_hex(self.data().iter().flat_map(|word| word.to_be_bytes()), out);
    }

    fn parse(json: &[u8], _: &Leaf) -> Option<Self> {
        let bytes: [u8; 12] = parse_hex(json)?.try_into().ok()?;
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let mut value = Self::new();
        value.set_data(word(0), word(4), word(8));
        Some(value)
    }
}

impl Value for ByteArray {
    fn write(&self, leaf: &Leaf, out: &mut Vec<u8>) {
        if leaf.text || simdutf8::basic::from_utf8(self.data()).is_ok() {
            return quote(self.data(), out);
        }
        out.extend_from_slice(b"{\"hex\":");
        write_hex(self.data().iter().copied(), out);
        out.push(b'}');
    }

    fn parse(json: &[u8], _: &Leaf) -> Option<Self> {
        match json.strip_prefix(b"{\"hex\":") {
            Some(hex) => parse_hex(hex.strip_suffix(b"}")?),
            None => unquote(json),
        }
        .map(Self::from)
    }
}

impl Value for FixedLenByteArray {
    fn write(&self, _: &Leaf, out: &mut Vec<u8>) {
        write_hex(self.data().iter().copied(), out);
    }

    fn parse(json: &[u8], leaf: &Leaf) -> Option<Self> {
        let length = usize::try_from(leaf.column.type_length()).ok()?;
        parse_hex(json).filter(|bytes| bytes.len() == length).map(Self::from)
    }
}
