//! Which hashes may repeat? Those that surely do not need not be shuffled.
//!
//! Most seeds of a corpus occur once, and a fifth of the grams around those that repeat. Where all of them together would not
//! fit memory, one more read puts every hash down in two Bloom filters: one of all that were met, and one of those that the
//! first had when they were met. The read after it leaves out what is not in the second. Too much comes through, never too
//! little, and what repeats is settled by the fold that follows, so the sieve changes no result.
//!
//! Both filters have half of each word, and a hash has two bits in either half of one word: one line of memory a look (a blocked
//! filter; Putze, Sanders, Singler, *Cache-, Hash- and Space-Efficient Bloom Filters*, 2007). Where a third of all hashes occur
//! once and the others three times, a share of .006 of the former comes through with 32 bits for each hash, .07 with 6, .35 with 2
//! (see the tests). A cell of two bits for each hash, met and met again, would let .03, .17 and .43 through.

use crate::hash;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds of a byte of text. Measured: `benches/scale.rs`.
pub(super) const SEEDS_BY_BYTE: f64 = 0.032;
/// More bits for each hash leave out next to no more.
const MOST_BITS: f64 = 32.0;
/// With fewer bits a hash most of what occurs once comes through, and the read is not worth it.
const FEWEST_BITS: f64 = 1.0;
/// Nearly every look at the table waits for memory. So many are under way together, in loops that take no branch on what
/// they find; an atomic step would make each wait for the one before.
const BATCH: usize = 64;

/// The bits of the hashes met so far.
pub(super) struct Sieve {
    /// The lower half for met, the upper one for met again.
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
        let bits = (hashes * MOST_BITS).min(budget_bytes as f64 * 8.0);
        let is_worth_it = hashes > fit as f64 && bits >= hashes * FEWEST_BITS;
        is_worth_it.then(|| Self::new((bits / 64.0) as usize + 1))
    }

    fn new(words: usize) -> Self {
        Self { words: std::iter::repeat_with(AtomicU64::default).take(words).collect() }
    }

    /// The word of a hash, and its bits for met and for met again. Winnowed hashes are small ones, so they are mixed again.
    #[expect(clippy::cast_possible_truncation, reason = "below the number of words")]
    fn bits(&self, hash: u64) -> (&AtomicU64, u64, u64) {
        let mixed = hash::mix(hash);
        let word = (u128::from(mixed) * self.words.len() as u128) >> 64;
        let [met, other, again, once_more] = [0, 5, 10, 15].map(|shift| 1 << (mixed >> shift & 31));
        (&self.words[word as usize], met | other, (again | once_more) << 32)
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
        let (word, met, again) = self.bits(hash);
        if word.fetch_or(met, Ordering::Relaxed) & met == met {
            word.fetch_or(again, Ordering::Relaxed);
        }
    }

    /// Whether a hash may have been met twice; of one that was it is true.
    fn may_repeat(&self, hash: u64) -> bool {
        let (word, _, again) = self.bits(hash);
        word.load(Ordering::Relaxed) & again == again
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

    /// Of hashes that occur once, among twice as many of others that occur three times, the share that comes through.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn share_of_the_rest(bits: u64) -> f64 {
        let hashes = 90_000;
        // Small hashes, as winnowing keeps them.
        let hash = |i: u64| hash::mix(i) >> 4;
        let others = (0..3).flat_map(|_| (hashes..hashes + 2 * hashes / 3).map(hash));
        let mut once: Vec<u64> = (0..hashes).map(hash).collect();
        let sieve = Sieve::new(usize::try_from(hashes * 3 * bits / 64).unwrap());
        // As they come: the others before, between and after.
        let mut all: Vec<u64> = others.chain(once.iter().copied()).collect();
        all.sort_by_key(|&hash| hash::mix(hash ^ 7));
        all.chunks(999).for_each(|chunk| sieve.meet(chunk));
        sieve.sift(&mut once, |&hash| hash);
        once.len() as f64 / hashes as f64
    }

    #[test]
    fn little_of_the_rest_comes_through() {
        let shares = [32, 6, 2].map(share_of_the_rest);
        assert!(shares[0] < 0.01 && shares[1] < 0.1 && shares[2] < 0.4, "{shares:?}");
    }

    #[test]
    fn it_is_made_where_it_helps() {
        assert!(Sieve::for_hashes(1e4, 10_000, 1 << 20).is_none(), "everything fits");
        assert!(Sieve::for_hashes(9e6, 10_000, 1 << 20).is_none(), "everything would come through");
        assert!(Sieve::for_hashes(8e6, 10_000, 1 << 20).is_some());
    }
}
