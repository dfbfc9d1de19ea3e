//! Verification: how alike two documents really are.
//!
//! Candidates are only likely pairs. Here the exact Jaccard similarity and containment of two shingle sets are counted,
//! by merging the two sorted lists, and given up as soon as the answer cannot reach what is asked for any more.
//!
//! The rounding rule: a similarity is `shared as f64 / union as f64`, one correctly rounded division of two integers
//! below 2^53, and is compared with the threshold as it is. Rounding is monotone, so for given sizes there is one
//! least number of shared shingles that suffices ([`shared_for_jaccard`]), and every early way out asks for that integer:
//! no path of the code can disagree with another about a pair at the border.

use crate::cpu::Kernel;

/// The Jaccard similarity of two sets of sizes `a` and `b` that share so many: 0 if both are empty.
#[must_use]
pub fn jaccard_of(shared: usize, a: usize, b: usize) -> f64 {
    ratio(shared, a + b - shared)
}

/// `part / whole`, 0 of nothing.
#[must_use]
pub fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The fewest shared shingles with which sets of sizes `a` and `b` reach the similarity `at_least`, above 0; possibly
/// more than either has.
#[must_use]
pub fn shared_for_jaccard(a: usize, b: usize, at_least: f64) -> usize {
    let guess = at_least * (a + b) as f64 / (1.0 + at_least);
    least(guess, a.min(b), |shared| jaccard_of(shared, a, b) >= at_least)
}

/// The fewest shingles shared with another set that make the share `at_least` of a set of size `a`, above 0.
#[must_use]
pub fn shared_for_containment(a: usize, at_least: f64) -> usize {
    least(at_least * a as f64, a, |shared| ratio(shared, a) >= at_least)
}

/// The least integer in `1..=most` that is enough, near a guess that may be off by rounding; `most + 1` if none is.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number clamped to `most`")]
fn least(guess: f64, most: usize, enough: impl Fn(usize) -> bool) -> usize {
    let mut shared = (guess as usize).clamp(1, most + 1);
    while shared > 1 && enough(shared - 1) {
        shared -= 1;
    }
    while shared <= most && !enough(shared) {
        shared += 1;
    }
    shared
}

/// How many elements two sorted sets share, if at least `needed`; else nothing, and usually long before the end.
///
/// `O(|a| + |b|)`; with one set over sixteen times the other, `O(small * log(large / small))`.
#[must_use]
pub fn shared_at_least(a: &[u64], b: &[u64], needed: usize) -> Option<usize> {
    let (small, large) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if small.len() < needed {
        return None;
    }
    if small.len() * 16 < large.len() {
        gallop(small, large, needed)
    } else {
        merge(Kernel::chosen(), small, large, needed)
    }
}

/// Steps of the merge between two looks at whether it can still succeed.
const STRIDE: usize = 64;

/// How far two sorted sets are merged: places in both, and how many elements before them are shared.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Merged {
    pub(super) i: usize,
    pub(super) j: usize,
    pub(super) shared: usize,
}

fn merge(kernel: Kernel, a: &[u64], b: &[u64], needed: usize) -> Option<usize> {
    let Merged { mut i, mut j, mut shared } = match kernel {
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512 => super::kernel::merge_blocks(a, b, needed)?,
        _ => Merged::default(),
    };
    while i < a.len() && j < b.len() {
        if shared + (a.len() - i).min(b.len() - j) < needed {
            return None;
        }
        // Every step moves at least one of the two, at most each by one.
        for _ in 0..STRIDE.min(a.len() - i).min(b.len() - j) {
            let (x, y) = (a[i], b[j]);
            shared += usize::from(x == y);
            i += usize::from(x <= y);
            j += usize::from(y <= x);
        }
    }
    (shared >= needed).then_some(shared)
}

fn gallop(small: &[u64], large: &[u64], needed: usize) -> Option<usize> {
    let (mut rest, mut shared) = (large, 0);
    for (i, &x) in small.iter().enumerate() {
        if shared + small.len() - i < needed {
            return None;
        }
        rest = &rest[lower_bound(rest, x)..];
        shared += usize::from(rest.first() == Some(&x));
    }
    (shared >= needed).then_some(shared)
}

/// The first place in a sorted list not below `x`, by doubling steps from the front.
fn lower_bound(list: &[u64], x: u64) -> usize {
    let mut reach = 1;
    while reach < list.len() && list[reach] < x {
        reach *= 2;
    }
    let from = reach / 2;
    from + list[from..list.len().min(reach + 1)].partition_point(|&y| y < x)
}

/// The exact Jaccard similarity of two sorted sets, if it is at least `threshold`.
#[must_use]
pub fn jaccard_at_least(a: &[u64], b: &[u64], threshold: f64) -> Option<f64> {
    let shared = shared_at_least(a, b, shared_for_jaccard(a.len(), b.len(), threshold))?;
    Some(jaccard_of(shared, a.len(), b.len()))
}

/// The exact Jaccard similarity of two sorted sets.
#[must_use]
pub fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    jaccard_of(shared_at_least(a, b, 0).unwrap_or(0), a.len(), b.len())
}

/// The share of the sorted set `a` that lies inside `b`.
#[must_use]
pub fn containment(a: &[u64], b: &[u64]) -> f64 {
    ratio(shared_at_least(a, b, 0).unwrap_or(0), a.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeSet, HashSet};

    fn sorted(raw: &[u64]) -> Vec<u64> {
        raw.iter().copied().collect::<BTreeSet<_>>().into_iter().collect()
    }

    proptest! {
        #[test]
        fn counts_are_those_of_hash_sets(
            a in proptest::collection::vec(0u64..300, 0..250),
            b in proptest::collection::vec(0u64..300, 0..250),
            few in proptest::collection::vec(0u64..300, 0..6),
            threshold in 0.01f64..=1.0,
        ) {
            for (a, b) in [(&a, &b), (&a, &few), (&few, &b)] {
                let (set_a, set_b): (HashSet<u64>, HashSet<u64>) = (a.iter().copied().collect(), b.iter().copied().collect());
                let (shared, union) = (set_a.intersection(&set_b).count(), set_a.union(&set_b).count());
                let (a, b) = (sorted(a), sorted(b));
                let want = ratio(shared, union);
                prop_assert_eq!(jaccard(&a, &b), want);
                prop_assert_eq!(containment(&a, &b), ratio(shared, a.len()));
                prop_assert_eq!(jaccard_at_least(&a, &b, threshold), (want >= threshold).then_some(want));
                prop_assert_eq!(shared_at_least(&a, &b, shared), Some(shared));
                prop_assert_eq!(shared_at_least(&a, &b, shared + 1), None);
                for kernel in Kernel::available() {
                    prop_assert_eq!(merge(kernel, &a, &b, shared), Some(shared));
                    prop_assert_eq!(merge(kernel, &a, &b, shared + 1), None);
                }
            }
        }

        #[test]
        fn the_least_shared_is_least(a in 1usize..500, b in 1usize..500, threshold in 0.001f64..=1.0) {
            let need = shared_for_jaccard(a, b, threshold);
            prop_assert!(need > a.min(b) || jaccard_of(need, a, b) >= threshold);
            prop_assert!(need == 1 || jaccard_of(need - 1, a, b) < threshold);
            let need = shared_for_containment(a, threshold);
            prop_assert!(ratio(need, a) >= threshold && (need == 1 || ratio(need - 1, a) < threshold));
        }
    }

    #[test]
    fn a_pair_exactly_at_the_threshold_is_in() {
        // 4 of 5 is .8 to the last bit; 12 of 15 and 400 of 500 round to the same number.
        for n in [1u64, 3, 100] {
            let (a, b): (Vec<u64>, Vec<u64>) = ((0..5 * n).collect(), (0..4 * n).collect());
            assert_eq!(jaccard_at_least(&a, &b, 0.8), Some(0.8));
        }
    }
}
