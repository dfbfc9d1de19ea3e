//! Outlines: the most that two shingle sets can share, told from a few bits of each.
//!
//! An outline is a row of `2^level` bits; a bit is set if the set has a shingle whose upper `level` bits are the bit's
//! number. Where `a` has a bit that `b` lacks, at least one shingle of `a` is not in `b`. So
//! `shared <= |a| - (bits of a that b lacks)`, and the same the other way round: a bound, not an estimate. With four to
//! eight bits a shingle a lone shingle shows in four of five cases, which tells pairs of a similarity of .75 and less
//! from those of .8 at a hundredth of what a merge of the two sets costs.

use crate::cpu::Kernel;

/// One set, as a row of bits.
#[derive(Clone, Debug)]
pub struct Outline {
    level: u32,
    /// Bits that are set.
    bits: usize,
    words: Box<[u64]>,
}

/// The fewest bits are one word.
const MIN_LEVEL: u32 = u64::BITS.ilog2();
/// The most bits: 2 MiB, for sets of millions.
const MAX_LEVEL: u32 = 24;

impl Outline {
    /// The level for a set of this size.
    #[must_use]
    pub fn level_for(len: usize) -> u32 {
        (4 * len.max(1)).next_power_of_two().ilog2().clamp(MIN_LEVEL, MAX_LEVEL)
    }

    /// The outline of a set, its numbers spread evenly as hashes are. `O(len + 2^level)`.
    ///
    /// # Panics
    /// On a level that [`Outline::level_for`] never gives.
    #[must_use]
    pub fn new(set: &[u64], level: u32) -> Self {
        assert!((MIN_LEVEL..=MAX_LEVEL).contains(&level), "level {level}");
        let mut words = vec![0u64; 1 << (level - MIN_LEVEL)].into_boxed_slice();
        for number in set {
            let bit = number >> (u64::BITS - level);
            let word = usize::try_from(bit / u64::from(u64::BITS)).expect("below 2^24");
            words[word] |= 1 << (bit % u64::from(u64::BITS));
        }
        Self { level, bits: count(words.iter().copied()), words }
    }

    /// Its level.
    #[must_use]
    pub fn level(&self) -> u32 {
        self.level
    }

    /// The most that a set of `len` numbers can share with one of `other_len`, by their outlines of one level.
    ///
    /// # Panics
    /// If the levels differ.
    #[must_use]
    pub fn shared_at_most(&self, len: usize, other: &Self, other_len: usize) -> usize {
        assert_eq!(self.level, other.level, "outlines of one level");
        let common = common(Kernel::chosen(), &self.words, &other.words);
        let (lacks, adds) = (self.bits - common, other.bits - common);
        len.saturating_sub(lacks).min(other_len.saturating_sub(adds))
    }
}

/// How many bits two rows have in common.
fn common(kernel: Kernel, a: &[u64], b: &[u64]) -> usize {
    match kernel {
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2 | Kernel::Avx512 => super::kernel::common(kernel, a, b),
        _ => count_common(a, b),
    }
}

#[inline(always)]
pub(super) fn count_common(a: &[u64], b: &[u64]) -> usize {
    count(a.iter().zip(b).map(|(a, b)| a & b))
}

#[inline(always)]
fn count(words: impl Iterator<Item = u64>) -> usize {
    let bits: u64 = words.map(|word| u64::from(word.count_ones())).sum();
    usize::try_from(bits).expect("bits in memory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix;
    use crate::near::verify;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_pair_shares_more_than_its_outlines_say(
            a in proptest::collection::btree_set(0u64..400, 0..300),
            b in proptest::collection::btree_set(0u64..400, 0..300),
            spread in any::<bool>(),
            level in MIN_LEVEL..14,
        ) {
            // Even where all numbers fall on one bit.
            let set = |of: &std::collections::BTreeSet<u64>| {
                let mut set: Vec<u64> = of.iter().map(|&n| if spread { mix(n) } else { n }).collect();
                set.sort_unstable();
                set
            };
            let (a, b) = (set(&a), set(&b));
            let most = Outline::new(&a, level).shared_at_most(a.len(), &Outline::new(&b, level), b.len());
            let shared = verify::shared_at_least(&a, &b, 0).unwrap();
            prop_assert!(shared <= most && most <= a.len().min(b.len()));
        }

        #[test]
        fn every_kernel_counts_the_same_bits(rows in proptest::collection::vec(any::<(u64, u64)>(), 0..70)) {
            let (a, b): (Vec<u64>, Vec<u64>) = rows.into_iter().unzip();
            for kernel in Kernel::available() {
                prop_assert_eq!(common(kernel, &a, &b), count_common(&a, &b));
            }
        }
    }

    #[test]
    fn strangers_and_half_twins_are_told_at_once() {
        let set = |from: u64| {
            let mut set: Vec<u64> = (from..from + 1000).map(mix).collect();
            set.sort_unstable();
            set
        };
        let (a, level) = (set(0), Outline::level_for(1000));
        for (from, most) in [(0, 1000), (100, 940), (500, 660), (1000, 330)] {
            let b = set(from);
            let told = Outline::new(&a, level).shared_at_most(1000, &Outline::new(&b, level), 1000);
            assert!(told <= most, "{from}: {told}");
        }
    }

    #[test]
    fn levels_are_bounded() {
        assert_eq!([0, 1, 16, 17, 300, 1 << 30].map(Outline::level_for), [6, 6, 6, 7, 11, 24]);
    }
}
