//! Values by document, in document order: what one pass finds and the next one looks up.

use super::corpus::Corpus;
use crate::shuffle::{Stash, Ticket};
use crate::{Error, Result};

/// Rows sorted by document; a document may have several.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    rows: Vec<(u32, T)>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

impl<T> Table<T> {
    /// From rows that ascend by document.
    pub(super) fn from_sorted(rows: Vec<(u32, T)>) -> Self {
        debug_assert!(rows.is_sorted_by_key(|r| r.0), "rows ascend by document");
        Self { rows }
    }

    /// Appends a row; documents ascend.
    pub(super) fn push(&mut self, doc: u32, value: T) {
        debug_assert!(self.rows.last().is_none_or(|r| r.0 <= doc), "rows ascend by document");
        self.rows.push((doc, value));
    }

    /// Keeps the rows whose value `keep` asks for.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.rows.retain(|(_, value)| keep(value));
    }

    /// The rows of a document.
    pub(super) fn of(&self, doc: u32) -> &[(u32, T)] {
        let start = self.rows.partition_point(|r| r.0 < doc);
        let len = self.rows[start..].partition_point(|r| r.0 == doc);
        &self.rows[start..start + len]
    }

    /// Whether a document has a row.
    pub(super) fn has(&self, doc: u32) -> bool {
        let start = self.rows.partition_point(|r| r.0 < doc);
        self.rows.get(start).is_some_and(|r| r.0 == doc)
    }

    /// All rows in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.rows.iter().map(|(doc, value)| (*doc, value))
    }

    /// Bytes of memory, without what values hold elsewhere.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.rows)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// What the plan calls the documents it speaks of, and how long they are: 5 bytes each in memory, the rest in a stash.
pub(super) struct Names {
    stash: Stash,
    docs: Vec<u32>,
    /// Where each [`PAGE`] of them lies.
    pages: Vec<Ticket>,
    /// Those after the last page.
    open: Vec<u8>,
}

/// Names that are put away together: there may be as many as documents, and a ticket takes more room than a name.
const PAGE: usize = 16;
/// What stands before a name: its length, and the bytes of its document's text.
const HEAD_BYTES: usize = 8;

impl Names {
    /// With a sixteenth of the memory.
    pub(super) fn for_corpus(corpus: &Corpus<'_>) -> Self {
        Self::new(Stash::new(&corpus.area, corpus.budget(16)))
    }

    pub(super) fn new(stash: Stash) -> Self {
        Self { stash, docs: Vec::new(), pages: Vec::new(), open: Vec::new() }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.stash.bytes() + size_of_val(&*self.docs) + size_of_val(&*self.pages)
    }

    /// Adds a document by its name and the bytes of its text; documents ascend.
    pub(super) fn push(&mut self, doc: u32, name: &str, text_bytes: u32) -> Result<()> {
        let length = u32::try_from(name.len()).map_err(|_| Error::input("an id is too long"))?;
        self.docs.push(doc);
        self.open.extend(length.to_le_bytes().into_iter().chain(text_bytes.to_le_bytes()));
        self.open.extend_from_slice(name.as_bytes());
        if self.docs.len().is_multiple_of(PAGE) {
            self.pages.push(self.stash.put(&self.open)?);
            self.open.clear();
        }
        Ok(())
    }

    /// All documents with their names and the bytes of their texts.
    pub(super) fn iter(&self) -> impl Iterator<Item = Result<(u32, String, u32)>> + '_ {
        let docs = self.docs.iter().enumerate();
        docs.map(|(at, &doc)| self.read(at).map(|(name, bytes)| (doc, name, bytes)))
    }

    /// The name of a document and the bytes of its text; empty if it was never added.
    pub(super) fn get(&self, doc: u32) -> Result<(String, u32)> {
        self.docs.binary_search(&doc).map_or_else(|_| Ok(Default::default()), |at| self.read(at))
    }

    fn read(&self, at: usize) -> Result<(String, u32)> {
        let mut bytes = Vec::new();
        let page = match self.pages.get(at / PAGE) {
            Some(&ticket) => {
                self.stash.get(ticket, &mut bytes)?;
                &bytes
            }
            None => &self.open,
        };
        let mut rest = page.as_slice();
        let mut next = || -> Option<(&[u8], u32)> {
            let (head, after) = rest.split_at_checked(HEAD_BYTES)?;
            let [length, text_bytes] =
                [0, 4].map(|at| u32::from_le_bytes([at, at + 1, at + 2, at + 3].map(|at| head[at])));
            let (name, after) = after.split_at_checked(length as usize)?;
            rest = after;
            Some((name, text_bytes))
        };
        for _ in 0..at % PAGE {
            next();
        }
        let (name, text_bytes) = next().ok_or_else(|| Error::resource("what was spilled has changed"))?;
        Ok((String::from_utf8_lossy(name).into_owned(), text_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shuffle::SpillArea;
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn names_come_back(steps in proptest::collection::vec((1u32..9, ".{0,12}", any::<u32>()), 0..70), budget in 0usize..900) {
            let area = Arc::new(SpillArea::new(None).unwrap());
            let mut names = Names::new(Stash::new(&area, budget));
            let (mut doc, mut expected) = (0, Vec::new());
            for (step, name, bytes) in steps {
                doc += step;
                names.push(doc, &name, bytes).unwrap();
                expected.push((doc, name, bytes));
            }
            prop_assert_eq!(&names.iter().collect::<Result<Vec<_>>>().unwrap(), &expected);
            for (doc, name, bytes) in expected {
                prop_assert_eq!(names.get(doc).unwrap(), (name, bytes));
            }
            prop_assert_eq!(names.get(doc + 1).unwrap(), (String::new(), 0));
        }
    }
}
