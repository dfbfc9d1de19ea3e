//! Counts how often a gram stands right before the one that is numbered after it.
//!
//! That is what nearly all links along a copy say, for grams are numbered by their first places ([`Firsts`]). Counted in a
//! byte a gram they need not be shuffled; what is left for the shuffle are links between grams that come from two places,
//! and of grams with very many copies.
//!
//! [`Firsts`]: super::firsts::Firsts

use super::postings::Link;
use crate::block::chain::fewest_meetings;
use crate::ranked::Ranked;
use std::sync::atomic::{AtomicU8, Ordering};

/// Met as often as it takes.
const ENOUGH: u8 = u8::MAX;

/// For each gram, how often it stood before the next one.
pub(super) struct Meetings {
    counts: Vec<AtomicU8>,
}

impl Meetings {
    /// Of so many grams.
    pub(super) fn new(grams: u32) -> Self {
        Self { counts: std::iter::repeat_with(AtomicU8::default).take(grams as usize).collect() }
    }

    /// Counts a link; false where it has to be counted elsewhere. All links of two grams are counted in one place, for
    /// they tell of the same copies.
    pub(super) fn count(&self, link: &Link) -> bool {
        let (neighbours, needed) = (link.next == link.gram + 1, fewest_meetings(link.copies));
        let Some(needed) = u8::try_from(needed).ok().filter(|&needed| neighbours && needed < ENOUGH) else {
            return false;
        };
        let met = |count: u8| (count != ENOUGH).then(|| if count + 1 >= needed { ENOUGH } else { count + 1 });
        // Where it fails there was enough before.
        let _ = self.counts[link.gram as usize].fetch_update(Ordering::Relaxed, Ordering::Relaxed, met);
        true
    }

    /// The grams as strands: one joined to the next where they met often enough, or at all.
    pub(super) fn strands(self, once_is_enough: bool) -> Strands {
        let least = if once_is_enough { 1 } else { ENOUGH };
        let ends = |counts: &[AtomicU8]| {
            let bits = (0u32..).zip(counts).map(|(i, met)| u64::from(met.load(Ordering::Relaxed) < least) << i);
            bits.fold(0, |word, bit| word | bit)
        };
        let ends = Ranked::new(self.counts.chunks(64).map(ends).collect());
        Strands { ends: ends.expect("grams are numbered by u32") }
    }
}

/// Grams that are numbered one after the other and joined, as one: far fewer than grams (a fifth in documentation of programs,
/// a hundredth where long passages repeat), so that what else they are joined to is found in small tables.
pub(super) struct Strands {
    /// The last gram of each.
    ends: Ranked,
}

impl Strands {
    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        self.ends.count()
    }

    /// The number of a gram's strand.
    pub(super) fn of(&self, gram: u32) -> u32 {
        self.ends.below(gram.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::chain::is_linked;
    use crate::near::Components;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn grams_are_joined_by_the_links_that_hold(
            copies in proptest::collection::vec(prop_oneof![1u32..12, 200u32..700], 1..20),
            met in proptest::collection::vec((0u32..20, 1u32..3, 0u64..400), 0..20),
            exact in any::<bool>(),
        ) {
            let grams = u32::try_from(copies.len()).unwrap();
            let meetings = Meetings::new(grams);
            let mut expected = Components::new(grams);
            let mut elsewhere = Vec::new();
            let mut seen = std::collections::BTreeSet::new();
            for (gram, step, times) in met {
                let (gram, next) = (gram % grams, gram % grams + step);
                if next >= grams || !seen.insert((gram, next)) {
                    continue;
                }
                let copies = copies[gram as usize].max(copies[next as usize]);
                let told = (0..times).filter(|_| !meetings.count(&Link { gram, next, copies })).count() as u64;
                prop_assert!(told == 0 || told == times);
                if told == 0 && step == 1 {
                    if times > 0 && (exact || is_linked(times, copies, copies)) {
                        expected.union(gram, next);
                    }
                } else {
                    elsewhere.push((gram, next));
                }
            }
            prop_assert!(elsewhere.iter().all(|&(gram, next)| next > gram + 1 || copies[gram as usize].max(copies[next as usize]) > 508));
            let strands = meetings.strands(exact);
            let of: Vec<u32> = (0..grams).map(|gram| strands.of(gram)).collect();
            let expected = expected.into_roots();
            prop_assert!(of[0] == 0 && strands.count() == of[of.len() - 1] + 1);
            prop_assert!((1..of.len()).all(|i| of[i] - of[i - 1] == u32::from(expected[i] != expected[i - 1])));
        }
    }
}
