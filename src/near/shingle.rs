//! Shingles: what two documents are compared by.
//!
//! A shingle is the hash of `w` consecutive tokens, taken from the tokens' hashes ([`crate::hash::tokens`]): joining
//! the words in a buffer and hashing the bytes costs fifteen times as much (Broder 1997 for the idea). The sums of the
//! `w` windows a token belongs to are carried along in registers, each a step further per token: 1.2 ns a shingle at
//! w = 5, against 2.0 for hashing every window from memory, which the compiler vectorises badly.
//!
//! A document of one to `w - 1` tokens has one shingle, the hash of all its tokens, so that copies of short documents
//! are found too; an empty one has none and is nobody's duplicate.

use crate::hash;

/// The shingles of a document in text order, with repeats. Overwrites `out`. `O(n * width)`, 1.2 ns a token at 5.
pub fn shingles(tokens: &[u64], width: usize, out: &mut Vec<u64>) {
    out.clear();
    if tokens.is_empty() {
        return;
    }
    if tokens.len() <= width {
        out.push(hash::tokens(tokens));
        return;
    }
    hash::windows(tokens, width.max(1), out);
}

/// The shingles of a document as a set: sorted, without repeats. Overwrites `out`. `O(n log n)`.
pub fn shingle_set(tokens: &[u64], width: usize, out: &mut Vec<u64>) {
    shingles(tokens, width, out);
    sort_set(out);
}

/// Shorter lists are sorted by comparing.
const FEW: usize = 32;
/// Buckets at most: their counts fit the nearest cache.
const MAX_BUCKETS: usize = 1 << 11;
/// Numbers in a bucket up to which it is sorted by insertion.
const MAX_IN_BUCKET: u32 = 32;

/// Sorts hashes and leaves one of each. They spread evenly, so their upper bits say nearly where each belongs: a third of
/// the time of a sort that compares.
fn sort_set(hashes: &mut Vec<u64>) {
    let len = hashes.len();
    if len < FEW {
        hashes.sort_unstable();
        return hashes.dedup();
    }
    let buckets = len.next_power_of_two().min(MAX_BUCKETS);
    let shift = u64::BITS - buckets.ilog2();
    let bucket = |hash: u64| usize::try_from(hash >> shift).expect("few buckets");
    let mut ends = [0u32; MAX_BUCKETS];
    let ends = &mut ends[..buckets];
    hashes.iter().for_each(|&hash| ends[bucket(hash)] += 1);
    let (mut at, mut fullest) = (0, 0);
    for end in &mut *ends {
        fullest = fullest.max(*end);
        at += std::mem::replace(end, at);
    }
    hashes.resize(2 * len, 0);
    let (from, to) = hashes.split_at_mut(len);
    for &hash in &*from {
        let place = &mut ends[bucket(hash)];
        to[*place as usize] = hash;
        *place += 1;
    }
    if fullest > MAX_IN_BUCKET {
        // A very long list, or one with many repeats, which do not spread.
        sort_full(to, ends);
    }
    let len = insert_each(to, from);
    hashes.truncate(len);
}

/// Sorts the full ones of the buckets that end there.
fn sort_full(hashes: &mut [u64], ends: &[u32]) {
    let mut start = 0;
    for &end in ends {
        if end - start > MAX_IN_BUCKET {
            hashes[start as usize..end as usize].sort_unstable();
        }
        start = end;
    }
}

/// Writes one of each hash in order and gives how many; each is out of place by less than a bucket.
fn insert_each(hashes: &[u64], into: &mut [u64]) -> usize {
    let mut len = 0;
    for &hash in hashes {
        let mut at = len;
        while at > 0 && into[at - 1] > hash {
            at -= 1;
        }
        if at > 0 && into[at - 1] == hash {
            continue;
        }
        if at < len {
            into.copy_within(at..len, at + 1);
        }
        into[at] = hash;
        len += 1;
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn naive(tokens: &[u64], width: usize) -> Vec<u64> {
        let width = width.min(tokens.len());
        if width == 0 {
            return Vec::new();
        }
        (0..=tokens.len() - width).map(|i| hash::tokens(&tokens[i..i + width])).collect()
    }

    proptest! {
        #[test]
        fn shingles_are_the_hashes_of_all_windows(tokens in proptest::collection::vec(0u64..6, 0..40), width in 1usize..12) {
            let mut out = vec![9];
            shingles(&tokens, width, &mut out);
            prop_assert_eq!(&out, &naive(&tokens, width));
            shingle_set(&tokens, width, &mut out);
            prop_assert_eq!(out, naive(&tokens, width).into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn sets_are_sorted_however_they_lie(
            spread in proptest::collection::vec(any::<u64>(), 0..3000),
            heap in proptest::collection::vec(0u64..100, 0..200),
            from in any::<u64>(),
            repeats in 1usize..60,
        ) {
            let close = heap.iter().map(|n| from.saturating_add(*n));
            let repeated = spread.iter().flat_map(|&n| std::iter::repeat_n(n, 1 + (n % 7 == 0) as usize * repeats));
            let repeated = repeated.collect::<Vec<u64>>();
            for numbers in [spread.clone(), heap.clone(), repeated, spread.iter().copied().chain(close).collect()] {
                let (mut sorted, mut wanted) = (numbers.clone(), numbers);
                sort_set(&mut sorted);
                wanted.sort_unstable();
                wanted.dedup();
                prop_assert_eq!(sorted, wanted);
            }
        }
    }
}
