//! Which hashes may repeat? Those that surely do not need not be shuffled.
//!
//! Most seeds of a corpus occur once, and a fifth of the grams around those that repeat. Where all of them together would not
//! fit memory, one more read puts every hash down in a table of two bits a cell: met once, met again. The read after it leaves
//! out what was met once. Two hashes that share a cell count as met again: too much comes through, never too little, and what
//! repeats is settled by the fold that follows, so the sieve changes no result. Of hashes that occur once a share of
//! `1 - exp(-hashes / cells)` comes through.

use crate::hash;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds of a byte of text. Measured: `benches/scale.rs`.
pub(super) const SEEDS_BY_BYTE: f64 = 0.032;
/// More cells for each hash leave out next to no more.
const MOST_CELLS: f64 = 16.0;
/// With fewer cells a hash most of what occurs once comes through, and the read is not worth it.
const FEWEST_CELLS: f64 = 1.0;
/// Nearly every look at the table waits for memory. So many are under way together, in loops that take no branch on what
/// they find; an atomic step would make each wait for the one before.
const BATCH: usize = 64;

/// The bits of the hashes met so far.
pub(super) struct Sieve {
    /// 32 cells a word: the lower bit for met, the upper one for met again.
    words: Vec<AtomicU64>,
}

impl Sieve {
    /// A sieve within `budget_bytes` for about so many hashes; none where not more than `fit` of them are expected, which
    /// memory holds, or where the sieve would let most of them through.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    pub(super) fn for_hashes(hashes: f64, fit: usize, budget_bytes: usize) -> Option<Self> {
        let cells = (hashes * MOST_CELLS).min(budget_bytes as f64 * 4.0);
        let is_worth_it = hashes > fit as f64 && cells >= hashes * FEWEST_CELLS;
        is_worth_it.then(|| Self::new((cells / 32.0) as usize + 1))
    }

    fn new(words: usize) -> Self {
        Self { words: std::iter::repeat_with(AtomicU64::default).take(words).collect() }
    }

    /// The word of a hash and its lower bit there. Winnowed hashes are small ones, so they are mixed again.
    #[expect(clippy::cast_possible_truncation, reason = "below the number of words")]
    fn cell(&self, hash: u64) -> (&AtomicU64, u64) {
        let mixed = hash::mix(hash);
        let word = (u128::from(mixed) * self.words.len() as u128) >> 64;
        (&self.words[word as usize], 1 << (2 * (mixed % 32)))
    }

    /// Puts hashes down.
    pub(super) fn meet(&self, hashes: &[u64]) {
        for hashes in hashes.chunks(BATCH) {
            let (mut few, mut count) = ([0; BATCH], 0);
            for &hash in hashes {
                few[count] = hash;
                count += usize::from(!self.may_repeat(hash));
            }
            few[..count].iter().for_each(|&hash| self.meet_one(hash));
        }
    }

    fn meet_one(&self, hash: u64) {
        let (word, met) = self.cell(hash);
        if word.fetch_or(met, Ordering::Relaxed) & met != 0 {
            word.fetch_or(met << 1, Ordering::Relaxed);
        }
    }

    /// Whether a hash may have been met twice; of one that was it is true.
    fn may_repeat(&self, hash: u64) -> bool {
        let (word, met) = self.cell(hash);
        word.load(Ordering::Relaxed) & met << 1 != 0
    }

    /// Leaves what may repeat by its hash.
    pub(super) fn sift<T: Copy>(&self, items: &mut Vec<T>, hash: impl Fn(&T) -> u64) {
        let mut kept = 0;
        for at in 0..items.len() {
            let item = items[at];
            items[kept] = item;
            kept += usize::from(self.may_repeat(hash(&item)));
        }
        items.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_repeats_comes_through_whatever_the_size(
            seeds in proptest::collection::vec(0u64..500, 0..300),
            words in 1usize..40,
        ) {
            let sieve = Sieve::new(words);
            let (some, others) = seeds.split_at(seeds.len() / 3);
            sieve.meet(some);
            sieve.meet(others);
            let mut left: Vec<(u64, usize)> = (0..500).map(|seed| (seed, seeds.iter().filter(|&&s| s == seed).count())).collect();
            let all = left.clone();
            sieve.sift(&mut left, |seed| seed.0);
            prop_assert!(left.is_sorted() && all.iter().all(|seed| seed.1 < 2 || left.contains(seed)));
        }
    }

    #[test]
    fn little_of_the_rest_comes_through() {
        let sieve = Sieve::for_hashes(32e3, 100, 1 << 20).unwrap();
        // Small hashes, as winnowing keeps them.
        let mut hashes: Vec<u64> = (0..32_000).map(|i| hash::mix(i) >> 4).collect();
        sieve.meet(&hashes);
        sieve.sift(&mut hashes, |&hash| hash);
        assert!(hashes.len() < 32_000 / 12, "{}", hashes.len());
    }

    #[test]
    fn it_is_made_where_it_helps() {
        assert!(Sieve::for_hashes(1e4, 10_000, 1 << 20).is_none(), "everything fits");
        assert!(Sieve::for_hashes(5e6, 10_000, 1 << 20).is_none(), "everything would come through");
        assert!(Sieve::for_hashes(4e6, 10_000, 1 << 20).is_some());
    }
}
