//! Rows that are broken UTF-8, read all the same: what is broken is shown as U+FFFD, one for each maximal broken
//! sequence (as Unicode and WHATWG recommend), and positions in what is shown are known in the raw bytes.
//!
//! Nothing broken is ever repaired in the file: a cut removes the raw bytes its text stands for, all else stays.

use super::chunk::Row;
use super::parse::utf8;
use crate::error::Result;

/// A row as text that stands in for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Lossy {
    text: String,
    /// Where broken sequences end: in the text and in the row, both ascending.
    breaks: Vec<(usize, usize)>,
}

impl Lossy {
    /// Reads a row. `O(bytes)`.
    fn read(&mut self, raw: &[u8]) {
        self.text.clear();
        self.breaks.clear();
        let mut at = 0;
        for chunk in raw.utf8_chunks() {
            self.text.push_str(chunk.valid());
            at += chunk.valid().len() + chunk.invalid().len();
            if !chunk.invalid().is_empty() {
                self.text.push(char::REPLACEMENT_CHARACTER);
                self.breaks.push((self.text.len(), at));
            }
        }
    }
}

/// A row as text, and how positions in the two belong together.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    breaks: &'a [(usize, usize)],
}

impl<'a> Line<'a> {
    /// A row that is UTF-8.
    pub(super) fn whole(text: &'a str) -> Self {
        Self { text, breaks: &[] }
    }

    /// A row that may be broken.
    ///
    /// # Errors
    /// `Input` where it is UTF-16, which would leave nothing to read.
    pub(super) fn lossy(row: &Row<'a>, room: &'a mut Lossy) -> Result<Self> {
        match utf8(row) {
            Ok(text) => Ok(Self::whole(text)),
            Err(error) if row.is_utf16() => Err(error),
            Err(_) => {
                room.read(row.raw);
                Ok(Self { text: &room.text, breaks: &room.breaks })
            }
        }
    }

    /// The position in the row of a position in the text, a border between characters.
    pub(super) fn raw(&self, at: usize) -> usize {
        let (text, raw) = self.last_break(|&(text, _)| text <= at);
        raw + at - text
    }

    /// The position in the text of a position in the row that lies in no broken sequence.
    pub(super) fn shown(&self, at: usize) -> usize {
        let (text, raw) = self.last_break(|&(_, raw)| raw <= at);
        text + at - raw
    }

    fn last_break(&self, before: impl Fn(&(usize, usize)) -> bool) -> (usize, usize) {
        let after = self.breaks.partition_point(before);
        after.checked_sub(1).map_or((0, 0), |last| self.breaks[last])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    proptest! {
        #[test]
        fn positions_belong_together(
            units in proptest::collection::vec(select(vec![&b"a"[..], "é".as_bytes(), "😀".as_bytes(), b"\xff", b"\xe2\x82", b"\xf0\x9f", b"\xc0\x80"]), 0..9),
        ) {
            let raw = units.concat();
            let mut lossy = Lossy::default();
            lossy.read(&raw);
            let line = Line { text: &lossy.text, breaks: &lossy.breaks };
            prop_assert_eq!(line.text, String::from_utf8_lossy(&raw));
            for at in (0..=line.text.len()).filter(|at| line.text.is_char_boundary(*at)) {
                let in_row = line.raw(at);
                prop_assert_eq!(&line.text[..at], String::from_utf8_lossy(&raw[..in_row]));
                prop_assert_eq!(line.shown(in_row), at);
            }
        }
    }
}
