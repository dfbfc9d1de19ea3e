//! How postings are sorted in memory: by the next bits of the key into small buckets, then by comparison.
//!
//! Keys are hashes or dense numbers, so their next bits cut postings into even buckets. [`gather`] counts and then
//! moves every posting of a partition once, from the chunks to its bucket in the sorted slice; the stores do not wait
//! for one another. Buckets hold about eight postings then, which `sort_unstable` finishes by insertion. A bucket that
//! stays big (skew, or a huge partition) is cut again by the bits below in place, with American flag steps (McIlroy,
//! Bostic, McIlroy, *Engineering Radix Sort*, 1993), as is a chunk on its way to disk ([`sort`]).
//!
//! Cost: at most one pass for every eleven bits of the key, then `n log n` inside one key. Memory: two tables of at
//! most 2048 counters, and for [`gather`] the slice it returns. Measured on 32 Ki postings of 16 bytes, on a busy
//! machine: 14 ns a posting; 23 in place only, for the swaps form one chain of dependent loads; 35 by `sort_unstable`
//! alone. Bucket sizes of 4 to 16 and digits of 11 to 14 bits were alike within the noise.

use super::Posting;

/// Up to this length a comparison sort is faster than setting up the tables.
const SMALL: usize = 128;
/// Buckets of about `2^3` postings.
const BUCKET_BITS: u32 = 3;
/// Up to 14 bits were no faster, and their tables are bigger.
const MAX_DIGIT_BITS: u32 = 11;

/// Sorts the postings of all `pieces`, whose keys agree above their lowest `bits` bits, into one slice.
///
/// Needs room for the result beside the pieces.
pub(super) fn gather<P: Posting>(pieces: &[&[P]], bits: u32) -> Vec<P> {
    let Some(&any) = pieces.iter().copied().flatten().next() else { return Vec::new() };
    let len = pieces.iter().map(|piece| piece.len()).sum();
    let digits = Digits::new(len, bits);
    let mut next = vec![0; digits.count()];
    pieces.iter().copied().flatten().for_each(|posting| next[digits.of(posting)] += 1);
    let mut start = 0;
    for count in &mut next {
        start += std::mem::replace(count, start);
    }
    let mut sorted = vec![any; len];
    for posting in pieces.iter().copied().flatten() {
        let place = &mut next[digits.of(posting)];
        sorted[*place] = *posting;
        *place += 1;
    }
    sort_each(&mut sorted, &next, digits.shift);
    sorted
}

/// Sorts postings whose keys agree above their lowest `bits` bits, in place.
pub(super) fn sort<P: Posting>(postings: &mut [P], bits: u32) {
    if postings.len() <= SMALL || bits == 0 {
        postings.sort_unstable();
        return;
    }
    let digits = Digits::new(postings.len(), bits);
    let ends = distribute(postings, digits);
    sort_each(postings, &ends, digits.shift);
}

fn sort_each<P: Posting>(postings: &mut [P], ends: &[usize], bits: u32) {
    let mut start = 0;
    for &end in ends {
        sort(&mut postings[start..end], bits);
        start = end;
    }
}

/// Which bits of the key are looked at next.
#[derive(Clone, Copy, Debug)]
struct Digits {
    shift: u32,
    mask: u64,
}

impl Digits {
    /// So many of the top bits that a bucket gets about eight of `len` postings.
    fn new(len: usize, bits: u32) -> Self {
        let width = len.max(8).ilog2().saturating_sub(BUCKET_BITS).min(MAX_DIGIT_BITS).min(bits);
        Self { shift: bits - width, mask: (1 << width) - 1 }
    }

    #[expect(clippy::cast_possible_truncation, reason = "masked to a few bits")]
    fn count(self) -> usize {
        self.mask as usize + 1
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "masked to a few bits")]
    fn of<P: Posting>(self, posting: &P) -> usize {
        (posting.key().checked_shr(self.shift).unwrap_or(0) & self.mask) as usize
    }
}

/// Moves postings into the order of their digits and returns where each digit ends: an American flag step.
fn distribute<P: Posting>(postings: &mut [P], digits: Digits) -> Vec<usize> {
    let mut ends = vec![0usize; digits.count()];
    postings.iter().for_each(|posting| ends[digits.of(posting)] += 1);
    let mut next = Vec::with_capacity(ends.len());
    let mut sum = 0;
    for end in &mut ends {
        next.push(sum);
        sum += *end;
        *end = sum;
    }
    for home in 0..ends.len() {
        while next[home] < ends[home] {
            let mut posting = postings[next[home]];
            loop {
                let to = digits.of(&posting);
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
        fn both_ways_sort_like_the_standard_library(
            raw in proptest::collection::vec((any::<u64>(), 0u32..9), 0..3000),
            width in 0u32..=64,
            piece in 1usize..4000,
        ) {
            let mask = 1u64.checked_shl(width).map_or(u64::MAX, |top| top - 1);
            let postings: Vec<Pair> = raw.iter().map(|&(key, value)| Pair { key: key & mask, value }).collect();
            let mut expected = postings.clone();
            expected.sort_unstable();
            let mut in_place = postings.clone();
            sort(&mut in_place, width);
            prop_assert_eq!(&in_place, &expected);
            prop_assert_eq!(gather(&postings.chunks(piece).collect::<Vec<_>>(), width), expected);
        }
    }

    #[test]
    fn a_single_key_in_a_wide_range_is_sorted_by_the_rest() {
        let mut postings: Vec<Pair> = (0..5000).rev().map(|value| Pair { key: 7, value }).collect();
        assert!(gather(&[postings.as_slice()], 64).is_sorted());
        sort(&mut postings, 64);
        assert!(postings.is_sorted());
    }
}
