//! How a partition is sorted in memory: one in-place radix step, then comparison sorts on what fits the first cache.
//!
//! Keys are hashes or dense numbers, so their next bits cut a slice into even buckets. An American flag step
//! (McIlroy, Bostic, McIlroy, *Engineering Radix Sort*, 1993) moves every posting once, in place, which leaves
//! buckets of some sixteen postings for `sort_unstable`; buckets that stay big (skew) are cut again by the bits below.
//! Cost: at most `64 / 11` passes whatever the keys, then `n log n` only inside one key. Memory: two tables
//! of at most 2048 counters.
//!
//! In place rather than from chunk to slice: the same code then serves chunks that are spilled, partitions that are
//! gathered, and postings that come from runs.

use super::Posting;

/// Up to this length a comparison sort is faster than setting up the tables.
const SMALL: usize = 128;
/// 2048 open cache lines are what the second-level cache and its address table stand without misses.
const MAX_DIGIT_BITS: u32 = 11;

/// Sorts postings whose keys agree above their lowest `bits` bits.
pub(super) fn sort<P: Posting>(postings: &mut [P], bits: u32) {
    if postings.len() <= SMALL || bits == 0 {
        postings.sort_unstable();
        return;
    }
    // About sixteen postings a bucket: log2(n) - 4 bits.
    let digit_bits = (postings.len().ilog2() - 4).min(MAX_DIGIT_BITS).min(bits);
    let shift = bits - digit_bits;
    let mask = (1u64 << digit_bits) - 1;
    #[expect(clippy::cast_possible_truncation, reason = "masked to eleven bits")]
    let digit = |posting: &P| ((posting.key() >> shift) & mask) as usize;
    let ends = distribute(postings, 1 << digit_bits, digit);
    let mut start = 0;
    for end in ends {
        sort(&mut postings[start..end], shift);
        start = end;
    }
}

/// Moves postings into the order of their digits and returns where each digit ends.
fn distribute<P: Posting>(postings: &mut [P], digits: usize, digit: impl Fn(&P) -> usize) -> Vec<usize> {
    let mut ends = vec![0usize; digits];
    for posting in &*postings {
        ends[digit(posting)] += 1;
    }
    let mut next = Vec::with_capacity(digits);
    let mut sum = 0;
    for end in &mut ends {
        next.push(sum);
        sum += *end;
        *end = sum;
    }
    for home in 0..digits {
        while next[home] < ends[home] {
            let mut posting = postings[next[home]];
            loop {
                let to = digit(&posting);
                if to == home {
                    break;
                }
                std::mem::swap(&mut posting, &mut postings[next[to]]);
                next[to] += 1;
            }
            postings[next[home]] = posting;
            next[home] += 1;
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::super::tests::Pair;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sorts_like_the_standard_library(
            raw in proptest::collection::vec((any::<u64>(), 0u32..9), 0..3000),
            width in 0u32..=64,
        ) {
            let mask = 1u64.checked_shl(width).map_or(u64::MAX, |top| top - 1);
            let mut sorted: Vec<Pair> = raw.iter().map(|&(key, value)| Pair { key: key & mask, value }).collect();
            let mut expected = sorted.clone();
            sort(&mut sorted, width);
            expected.sort_unstable();
            prop_assert_eq!(sorted, expected);
        }
    }

    #[test]
    fn a_single_key_in_a_wide_range_is_sorted_by_the_rest() {
        let mut postings: Vec<Pair> = (0..5000).rev().map(|value| Pair { key: 7, value }).collect();
        sort(&mut postings, 64);
        assert!(postings.is_sorted());
    }
}
