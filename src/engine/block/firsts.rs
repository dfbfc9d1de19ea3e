//! Numbers the grams that repeat by the place where each occurs first.
//!
//! Any numbers would do to join grams into templates. These make neighbours of grams that stand side by side: along a copy
//! they mostly go up by one, so that what is shuffled by document and by link packs into a few bits, and the tables by gram
//! are read in order. A place counts tokens from the first region of its document to the last, documents one after the other.
//!
//! Memory: 8 bytes a document; a bit a token of those places, and an eighth of that to count them.

use super::find::too_many;
use super::postings::Region;
use crate::Result;
use crate::ranked::{Ranked, word};
use std::sync::atomic::{AtomicU64, Ordering};

/// Places at which some gram occurs first, while they are found.
pub(super) struct Firsts {
    /// What a position in a document is to be added to, modulo 2^64.
    base: Vec<u64>,
    marked: Vec<AtomicU64>,
}

impl Firsts {
    /// Of grams in these regions of `documents` documents, which ascend.
    pub(super) fn new(regions: impl Iterator<Item = Result<Region>>, documents: usize) -> Result<Self> {
        let mut base = vec![0; documents];
        let (mut places, mut open): (u64, Option<Region>) = (0, None);
        let length = |hull: Option<Region>| hull.map_or(0, |hull| u64::from(hull.end - hull.start));
        for region in regions {
            let region = region?;
            match &mut open {
                Some(hull) if hull.doc == region.doc => hull.end = region.end,
                _ => {
                    places += length(open);
                    base[region.doc as usize] = places.wrapping_sub(region.start.into());
                    open = Some(region);
                }
            }
        }
        places += length(open);
        let words = usize::try_from(places.div_ceil(64)).expect("a bit a token fits memory");
        Ok(Self { base, marked: std::iter::repeat_with(AtomicU64::default).take(words).collect() })
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.base) + size_of_val(&*self.marked)
    }

    /// Where a position of a document lies among the places of all.
    pub(super) fn place(&self, doc: u32, position: u32) -> u64 {
        self.base[doc as usize].wrapping_add(position.into())
    }

    /// Marks the place where a gram occurs first.
    pub(super) fn mark(&self, place: u64) {
        self.marked[word(place)].fetch_or(1 << (place % 64), Ordering::Relaxed);
    }

    /// Ends the marking.
    ///
    /// # Errors
    /// `Resource` for 2^32 grams and more.
    pub(super) fn numbered(self) -> Result<Numbers> {
        let marked = self.marked.into_iter().map(AtomicU64::into_inner).collect();
        let ranked = Ranked::new(marked).ok_or_else(too_many)?;
        Ok(Numbers { base: self.base, ranked })
    }
}

/// The grams in order of their first places.
pub(super) struct Numbers {
    base: Vec<u64>,
    ranked: Ranked,
}

impl Numbers {
    /// How many grams there are.
    pub(super) fn count(&self) -> u32 {
        self.ranked.count()
    }

    /// The number of the gram at a position of a document, which occurs first at the place that is so far back.
    pub(super) fn of(&self, doc: u32, position: u32, back: u64) -> u32 {
        self.ranked.below(self.base[doc as usize].wrapping_add(position.into()) - back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn grams_are_numbered_in_the_order_of_their_places(
            gaps in proptest::collection::vec((0u32..3, 0u32..300, 1u32..400), 1..30),
            picks in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..200),
        ) {
            let (mut doc, mut end, mut rows) = (0, 0, Vec::new());
            for (step, gap, len) in gaps {
                (doc, end) = if step > 0 { (doc + step, 0) } else { (doc, end) };
                rows.push(Region { doc, start: end + gap, end: end + gap + len });
                end += gap + len;
            }
            let firsts = Firsts::new(rows.iter().copied().map(Ok), doc as usize + 1).unwrap();
            let mut places = BTreeSet::new();
            for (row, at) in picks {
                let Region { doc, start, end } = rows[row.index(rows.len())];
                let position = start + u32::try_from(at.index((end - start) as usize)).expect("short");
                let place = firsts.place(doc, position);
                firsts.mark(place);
                places.insert((doc, position, place));
            }
            let numbers = firsts.numbered().unwrap();
            prop_assert_eq!(numbers.count() as usize, places.len());
            let start = places.first().map_or(0, |first| first.2);
            for (number, &(doc, position, place)) in (0..).zip(&places) {
                prop_assert_eq!(numbers.of(doc, position, 0), number);
                prop_assert_eq!(numbers.of(doc, position, place - start), 0);
            }
        }
    }
}
