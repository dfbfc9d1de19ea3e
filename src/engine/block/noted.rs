//! What the letters of documents said, put aside for a later read.
//!
//! Memory: a byte or two a document with a match; the matches lie in a stash.

use crate::block::bank::Match;
use crate::shuffle::{Stash, Ticket};
use crate::span::Span;
use crate::{Error, Result};

/// Matches by document, put in in document order.
pub(super) struct Noted {
    stash: Stash,
    /// The first document of each page, and where it lies.
    pages: Vec<(u32, Ticket)>,
    /// The page that is not full.
    open: Vec<u8>,
    /// Its documents.
    docs: Vec<u32>,
}

/// Documents that are put away together.
const PAGE: usize = 16;
/// What a match takes, and what stands before those of a document: its number and how many they are.
const MATCH_BYTES: usize = 18;

impl Noted {
    pub(super) fn new(stash: Stash) -> Self {
        Self { stash, pages: Vec::new(), open: Vec::new(), docs: Vec::new() }
    }

    /// Puts the matches of a document aside; documents ascend.
    pub(super) fn push(&mut self, doc: u32, matches: &[Match]) -> Result<()> {
        let count = u32::try_from(matches.len()).map_err(|_| Error::input("a document has too many matches"))?;
        if self.docs.len() == PAGE {
            self.pages.push((self.docs[0], self.stash.put(&self.open)?));
            self.open.clear();
            self.docs.clear();
        }
        self.docs.push(doc);
        self.open.extend([doc, count].into_iter().flat_map(u32::to_le_bytes));
        for Match { span, template, letters, of_template, anchored } in matches {
            let numbers = [span.start, span.end, *template, *letters];
            self.open.extend(numbers.into_iter().flat_map(u32::to_le_bytes).chain([*of_template, *anchored]));
        }
        Ok(())
    }

    /// Adds the matches of a document to `out`.
    pub(super) fn read(&self, doc: u32, out: &mut Vec<Match>) -> Result<()> {
        let mut page = Vec::new();
        if self.docs.first().is_none_or(|&first| doc < first) {
            let Some(before) = self.pages.partition_point(|&(first, _)| first <= doc).checked_sub(1) else {
                return Ok(());
            };
            self.stash.get(self.pages[before].1, &mut page)?;
        } else {
            page.extend_from_slice(&self.open);
        }
        let mut rest = page.as_slice();
        while !rest.is_empty() {
            let of_doc = next(&mut rest).ok_or_else(|| Error::resource("what was spilled has changed"))?;
            if of_doc.0 == doc {
                let numbers = |bytes: &[u8; MATCH_BYTES]| [0, 4, 8, 12].map(|at| number(bytes, at));
                out.extend(of_doc.1.iter().map(|bytes| {
                    let [start, end, template, letters] = numbers(bytes);
                    Match {
                        span: Span::new(start, end),
                        template,
                        letters,
                        of_template: bytes[16],
                        anchored: bytes[17],
                    }
                }));
            }
        }
        Ok(())
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([at, at + 1, at + 2, at + 3].map(|at| bytes[at]))
}

/// Takes a document with its matches from the front of a page.
fn next<'a>(page: &mut &'a [u8]) -> Option<(u32, &'a [[u8; MATCH_BYTES]])> {
    let (head, rest) = page.split_at_checked(8)?;
    let (matches, rest) = rest.split_at_checked(number(head, 4) as usize * MATCH_BYTES)?;
    *page = rest;
    Some((number(head, 0), matches.as_chunks().0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shuffle::SpillArea;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn matches_come_back(
            documents in vec((1u32..9, vec((any::<u32>(), 0u32..99, any::<[u32; 2]>(), any::<[u8; 2]>()), 0..4)), 0..90),
            budget in 0usize..2000,
        ) {
            let area = Arc::new(SpillArea::new(None).unwrap());
            let mut noted = Noted::new(Stash::new(&area, budget));
            let (mut doc, mut expected) = (0, std::collections::BTreeMap::new());
            for (step, matches) in documents {
                doc += step;
                let matches: Vec<Match> = matches
                    .into_iter()
                    .map(|(start, len, [template, letters], [of_template, anchored])| {
                        let span = Span::new(start, start.saturating_add(len));
                        Match { span, template, letters, of_template, anchored }
                    })
                    .collect();
                noted.push(doc, &matches).unwrap();
                expected.insert(doc, matches);
            }
            for doc in 0..doc + 2 {
                let mut out = Vec::new();
                noted.read(doc, &mut out).unwrap();
                prop_assert_eq!(&out, expected.get(&doc).map_or(&[][..], |matches| matches.as_slice()));
            }
        }
    }
}
