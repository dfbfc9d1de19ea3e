//! Postings in the order of their keys, put away a page at a time: what one pass finds about every document, and the next
//! one asks for, a range of documents after the other.
//!
//! Memory: 24 bytes for [`PAGE`] postings, and what the [`Stash`] holds of their packed form.

use super::pack::{pack, unpack};
use super::{Posting, Stash, Ticket};
use crate::{Error, Result};
use std::ops::Range;

/// Postings that are packed together.
const PAGE: usize = 128;

/// A list of postings that grows at its end. Filled from one thread, read from many.
#[derive(Debug)]
pub struct Ledger<P> {
    stash: Stash,
    /// Of each page the first key, and where it lies.
    pages: Vec<(u64, Ticket)>,
    /// The page that is not full.
    open: Vec<P>,
}

impl<P: Posting> Ledger<P> {
    /// An empty one whose pages go to `stash`.
    #[must_use]
    pub fn new(stash: Stash) -> Self {
        Self { stash, pages: Vec::new(), open: Vec::new() }
    }

    /// Bytes of memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.stash.bytes() + size_of_val(&*self.pages)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty() && self.open.is_empty()
    }

    /// Appends a posting; keys ascend, postings of one key need no order and keep theirs.
    ///
    /// # Errors
    /// `Resource` where the temporary file cannot be written.
    pub fn push(&mut self, posting: P) -> Result<()> {
        debug_assert!(self.open.last().is_none_or(|last| last.key() <= posting.key()), "keys ascend");
        if self.open.len() == PAGE {
            let mut packed = Vec::new();
            pack(&self.open, &mut packed);
            self.pages.push((self.open[0].key(), self.stash.put(&packed)?));
            self.open.clear();
        }
        self.open.push(posting);
        Ok(())
    }

    /// The postings with these keys, in order.
    ///
    /// # Errors
    /// `Resource` where the temporary file cannot be read.
    pub fn within(&self, keys: Range<u64>) -> Result<Vec<P>> {
        // The page before the first that begins with such a key may end with it.
        let first = self.pages.partition_point(|page| page.0 < keys.start).saturating_sub(1);
        let end = self.pages.partition_point(|page| page.0 < keys.end);
        let mut found = Vec::new();
        for page in first..end + usize::from(end == self.pages.len()) {
            found.extend(self.page(page)?.into_iter().filter(|posting| keys.contains(&posting.key())));
        }
        Ok(found)
    }

    /// All postings, in order; an error stands for those of a page.
    pub fn iter(&self) -> impl Iterator<Item = Result<P>> + '_ {
        (0..=self.pages.len()).flat_map(|page| match self.page(page) {
            Ok(postings) => postings.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    /// The postings of a page; those of the open one lie after the last.
    fn page(&self, page: usize) -> Result<Vec<P>> {
        let Some(&(_, ticket)) = self.pages.get(page) else { return Ok(self.open.clone()) };
        let (mut packed, mut postings) = (Vec::new(), Vec::with_capacity(PAGE));
        self.stash.get(ticket, &mut packed)?;
        let unpacked = unpack(&mut packed, PAGE, &mut postings);
        unpacked.map(|()| postings).ok_or_else(|| Error::resource("what was spilled has changed"))
    }
}

/// The postings of a key among some that ascend.
#[must_use]
pub fn of_key<P: Posting>(postings: &[P], key: u64) -> &[P] {
    let from = &postings[postings.partition_point(|posting| posting.key() < key)..];
    &from[..from.partition_point(|posting| posting.key() == key)]
}

#[cfg(test)]
mod tests {
    use super::super::tests::Pair;
    use super::*;
    use crate::shuffle::SpillArea;
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn what_was_noted_is_found_by_any_range(
            steps in proptest::collection::vec((prop_oneof![4 => 0u64..3, 1 => 0u64..90], any::<u32>()), 0..900),
            ranges in proptest::collection::vec((0u64..900, 0u64..60), 1..9),
            budget in 0usize..3000,
        ) {
            let area = Arc::new(SpillArea::new(None).unwrap());
            let mut ledger = Ledger::new(Stash::new(&area, budget));
            let (mut key, mut all) = (0, Vec::new());
            for (step, value) in steps {
                key += step;
                all.push(Pair { key, value });
                ledger.push(Pair { key, value }).unwrap();
            }
            prop_assert_eq!(ledger.is_empty(), all.is_empty());
            prop_assert_eq!(&ledger.iter().collect::<Result<Vec<_>>>().unwrap(), &all);
            for (start, length) in ranges {
                let expected: Vec<Pair> = all.iter().copied().filter(|p| (start..start + length).contains(&p.key)).collect();
                let found = ledger.within(start..start + length).unwrap();
                prop_assert_eq!(&found, &expected);
                let of_start: Vec<Pair> = expected.into_iter().filter(|p| p.key == start).collect();
                prop_assert_eq!(of_key(&found, start), &of_start[..]);
            }
        }
    }
}
