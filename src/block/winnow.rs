//! Which few token grams of a document are enough to find every repeat?
//!
//! Winnowing (Schleimer, Wilkerson, Aiken, SIGMOD 2003): of every `w` consecutive gram hashes the smallest is kept,
//! the rightmost where several are equal ("robust" winnowing only changes ties). Two documents that share `k + w - 1`
//! tokens share a whole window, so they keep the same gram. The density is `2 / (w + 1)`.
//!
//! Departure from the paper: a document shorter than a window counts as one window, so that short equal documents
//! meet too.

use super::Options;
#[cfg(target_arch = "x86_64")]
use super::kernel;
use super::marks::Marks;
use crate::cpu::Kernel;
use crate::hash;

/// Replaces `out` by the hash of every run of `k` tokens, in order: `tokens.len() - k + 1` of them, none if shorter.
pub fn grams(tokens: &[u64], k: usize, out: &mut Vec<u64>) {
    hash::windows(tokens, k, out);
}

/// Calls `keep` with the position of every kept gram, ascending. `O(grams)` on all but contrived input, where a
/// minimum that runs out of the window costs a rescan of `w` grams.
pub fn winnow(grams: &[u64], w: usize, keep: impl FnMut(usize)) {
    winnow_with(Kernel::chosen(), grams, w, keep);
}

fn winnow_with(kernel: Kernel, grams: &[u64], w: usize, keep: impl FnMut(usize)) {
    match kernel {
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512 if (2..=kernel::MAX_WINDOW).contains(&w) && grams.len() >= w => kernel::winnow(grams, w, keep),
        _ => winnow_portable(grams, w, keep),
    }
}

/// Looks for a new minimum only when the last one has left the window.
fn winnow_portable(grams: &[u64], w: usize, mut keep: impl FnMut(usize)) {
    let rightmost = |from: usize, to: usize| (from..to).rev().min_by_key(|&i| grams[i]).expect("a window is not empty");
    if grams.is_empty() {
        return;
    }
    let mut best = rightmost(0, w.min(grams.len()));
    keep(best);
    for end in w..grams.len() {
        let start = end + 1 - w;
        let next = if best < start {
            rightmost(start, end + 1)
        } else if grams[end] <= grams[best] {
            end
        } else {
            best
        };
        if next != best {
            best = next;
            keep(best);
        }
    }
}

/// Whether a gram says too little to count as a repeat: fewer than three distinct tokens (`a a a`), only numbers and
/// single letters (rulers, tables; a telephone number between words stays), or reaching into a list of contents.
#[must_use]
pub fn is_low_complexity(tokens: &[u64], marks: &[Marks]) -> bool {
    let marked = |mark| marks.iter().filter(|m| m.has(mark)).count();
    let numbers = !marks.is_empty() && marked(Marks::NUMBER) == marks.len();
    few_words(tokens) || numbers || marked(Marks::LEADER) > 0
}

fn few_words(tokens: &[u64]) -> bool {
    let Some(&first) = tokens.first() else { return true };
    let Some(&second) = tokens.iter().find(|&&t| t != first) else { return true };
    !tokens.iter().any(|&t| t != first && t != second)
}

/// Calls `each` with the hash and the position of every seed of a document, ascending: its winnowed grams, those that
/// say too little left out unless every repeat is asked for. `out` is overwritten with all grams. `O(tokens)`.
pub fn seeds(options: &Options, tokens: &[u64], out: &mut Vec<u64>, mut each: impl FnMut(u64, usize)) {
    grams(tokens, options.seed_tokens(), out);
    winnow(out, options.seed_window(), |i| {
        if options.exact || !is_low_complexity(&tokens[i..i + options.gram_tokens], &[]) {
            each(out[i], i);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(grams: &[u64], w: usize) -> Vec<usize> {
        let mut kept = Vec::new();
        for start in 0..grams.len().saturating_sub(w.min(grams.len()) - 1) {
            let window = &grams[start..(start + w).min(grams.len())];
            let low = window.iter().min().expect("not empty");
            let at = start + window.iter().rposition(|g| g == low).expect("it is there");
            if kept.last() != Some(&at) {
                kept.push(at);
            }
        }
        kept
    }

    proptest! {
        #[test]
        fn keeps_the_rightmost_minimum_of_every_window(grams in proptest::collection::vec(0u64..12, 1..80), w in 1usize..12) {
            for kernel in Kernel::available() {
                let mut kept = Vec::new();
                winnow_with(kernel, &grams, w, |i| kept.push(i));
                prop_assert_eq!(kept, naive(&grams, w), "{:?}", kernel);
            }
        }

        #[test]
        fn long_documents_are_winnowed(grams in proptest::collection::vec(0u64..90, 500..1700), w in 1usize..70) {
            for kernel in Kernel::available() {
                let mut kept = Vec::new();
                winnow_with(kernel, &grams, w, |i| kept.push(i));
                prop_assert_eq!(kept, naive(&grams, w), "{:?}", kernel);
            }
        }

        #[test]
        fn a_shared_run_shares_a_gram(shared in proptest::collection::vec(any::<u64>(), 12), before in proptest::collection::vec(any::<u64>(), 0..20), after in proptest::collection::vec(any::<u64>(), 0..20)) {
            let (k, w) = (5, 8);
            let kept = |tokens: &[u64]| {
                let (mut all, mut kept) = (Vec::new(), Vec::new());
                grams(tokens, k, &mut all);
                winnow(&all, w, |i| kept.push(all[i]));
                kept
            };
            let one = kept(&[&before[..], &shared, &after].concat());
            let other = kept(&[&after[..], &shared, &before].concat());
            prop_assert!(one.iter().any(|g| other.contains(g)));
        }
    }

    #[test]
    fn low_complexity_means_fewer_than_three_words() {
        assert!(
            is_low_complexity(&[1, 2, 1, 2, 1], &[]) && is_low_complexity(&[7, 7], &[]) && is_low_complexity(&[], &[])
        );
        assert!(!is_low_complexity(&[1, 2, 1, 2, 3], &[]));
        assert!(is_low_complexity(&[1, 2, 3], &[Marks::NUMBER; 3]));
    }

    #[test]
    fn seeds_that_say_too_little_count_only_when_exact() {
        let count = |exact| {
            let (mut n, mut grams) = (0, Vec::new());
            seeds(&Options { exact, ..Options::default() }, &[7; 40], &mut grams, |_, _| n += 1);
            n
        };
        assert!(count(false) == 0 && count(true) > 0);
    }
}
