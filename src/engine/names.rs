//! What the plan calls the documents it speaks of, and how long they are.

use super::corpus::Corpus;
use crate::shuffle::{Stash, Ticket};
use crate::{Error, Result};
use std::borrow::Cow;

/// Names by document, in document order: two bytes each in memory, the rest in a stash.
pub(super) struct Names {
    stash: Stash,
    /// Of each [`PAGE`] of them the first document, and where they lie.
    pages: Vec<(u32, Ticket)>,
    /// Those after the last page: how many, the first document, and what they are.
    open: (usize, u32, Vec<u8>),
}

/// Names that are put away together: there may be as many as documents, and a ticket takes more room than a name.
const PAGE: usize = 16;
/// What stands before a name: its length, its document, and the bytes of its document's text.
const HEAD_BYTES: usize = 12;

impl Names {
    /// With a sixteenth of the memory.
    pub(super) fn new(corpus: &Corpus<'_>) -> Self {
        Self::within(Stash::new(&corpus.area, corpus.budget(16)))
    }

    fn within(stash: Stash) -> Self {
        Self { stash, pages: Vec::new(), open: Default::default() }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.stash.bytes() + size_of_val(&*self.pages)
    }

    /// Adds a document by its name and the bytes of its text; documents ascend.
    pub(super) fn push(&mut self, doc: u32, name: &str, text_bytes: u32) -> Result<()> {
        let length = u32::try_from(name.len()).map_err(|_| Error::input("an id is too long"))?;
        let (count, first, bytes) = &mut self.open;
        if *count == PAGE {
            self.pages.push((*first, self.stash.put(bytes)?));
            *count = 0;
            bytes.clear();
        }
        if *count == 0 {
            *first = doc;
        }
        *count += 1;
        bytes.extend([length, doc, text_bytes].into_iter().flat_map(u32::to_le_bytes));
        bytes.extend_from_slice(name.as_bytes());
        Ok(())
    }

    /// All documents with their names and the bytes of their texts; an error stands for those of a page.
    pub(super) fn iter(&self) -> impl Iterator<Item = Result<(u32, String, u32)>> + '_ {
        (0..=self.pages.len()).flat_map(|number| {
            let mut names = Vec::with_capacity(PAGE);
            let note = |doc, name: &[u8], text_bytes| {
                names.push(Ok((doc, String::from_utf8_lossy(name).into_owned(), text_bytes)));
                false
            };
            let read = self.page(number).and_then(|page| find(&page, note).map(|_| ()));
            read.map_or_else(|error| vec![Err(error)], |()| names)
        })
    }

    /// The name of a document and the bytes of its text; empty if it was never added.
    pub(super) fn get(&self, doc: u32) -> Result<(String, u32)> {
        let is_open = self.open.0 > 0 && self.open.1 <= doc;
        let closed = || self.pages.partition_point(|page| page.0 <= doc).checked_sub(1);
        let number = if is_open { Some(self.pages.len()) } else { closed() };
        let page = number.map_or(Ok(Cow::Borrowed(&[][..])), |number| self.page(number))?;
        let found = find(&page, |of, _, _| of == doc)?;
        Ok(found.map(|(name, bytes)| (String::from_utf8_lossy(name).into_owned(), bytes)).unwrap_or_default())
    }

    /// A page; the open one comes after the last.
    fn page(&self, number: usize) -> Result<Cow<'_, [u8]>> {
        let Some(&(_, ticket)) = self.pages.get(number) else { return Ok(Cow::Borrowed(&self.open.2)) };
        let mut bytes = Vec::new();
        self.stash.get(ticket, &mut bytes)?;
        Ok(Cow::Owned(bytes))
    }
}

/// The first of a page's names, with the bytes of its document's text, that `is_it` by document, name and bytes.
fn find(page: &[u8], mut is_it: impl FnMut(u32, &[u8], u32) -> bool) -> Result<Option<(&[u8], u32)>> {
    let mut rest = page;
    while !rest.is_empty() {
        let next = rest.split_at_checked(HEAD_BYTES).and_then(|(head, rest)| {
            let [length, doc, text_bytes] = [0, 4, 8].map(|at| number(head, at));
            Some((doc, text_bytes, rest.split_at_checked(length as usize)?))
        });
        let (doc, text_bytes, (name, after)) = next.ok_or_else(|| Error::resource("what was spilled has changed"))?;
        if is_it(doc, name, text_bytes) {
            return Ok(Some((name, text_bytes)));
        }
        rest = after;
    }
    Ok(None)
}

fn number(head: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([at, at + 1, at + 2, at + 3].map(|at| head[at]))
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
            let mut names = Names::within(Stash::new(&area, budget));
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
