//! Sketches: minima computed in one pass by Fast Similarity Sketching.
//!
//! The question: `K` numbers per document so that two documents agree in a slot with a probability equal to the Jaccard
//! similarity of their shingle sets, at a cost far below the `K` hashes per shingle of textbook MinHash.
//!
//! The idea (Dahlgaard, Knudsen, Thorup, *Fast Similarity Sketching*, FOCS 2017): throw the shingles into `K` bins, again
//! and again, each time with fresh randomness, until no bin is empty. Every throw carries a value that grows with the
//! round, and a bin keeps its smallest. A long document fills all bins in the first round or two, one throw per shingle;
//! a short one needs `K ln K` throws in all, whatever its length. After `K` rounds the rest is filled for certain: in
//! round `K + j` every shingle goes to bin `j`.
//!
//! The bound: expected `O(n + K log K)` for `n` shingles. The estimate is unbiased, the slots of a sketch are
//! negatively correlated: its variance is below `J(1-J)/K` everywhere and half of it for documents of under sixty
//! shingles (tested below). One-permutation hashing with densification and C-MinHash with additions only, which are
//! as fast, have two to seven times the variance there.
//!
//! What the small variance costs: slots of one round hold different shingles, so bands of a short document are a little
//! less alike than independent ones, and the S-curve of [`super::lsh`] is a little steeper than its formula: with 12 to
//! 16 bands of 5 rows by -1.3 points in its lower and +1.7 in its upper part (20 to 60 shingles), by .9 at 200, .5 at 500; at the
//! threshold a recall of .99 was asked for, by +.3 and never below. Variance and steepness are one and the same
//! dependence, so no fill of the slots left by the first round has both the variance of .6 and one point everywhere.
//! Tried, as least and greatest points off and variance over the ideal, with 14 bands of 5 rows at 400,000 trials:
//!
//! | later rounds throw into | 20 shingles | 40 | 60 | 100 |
//! |---|---|---|---|---|
//! | all slots (chosen) | -1.3 +1.7 .50 | -1.2 +1.6 .52 | -1.3 +1.5 .53 | -1.0 +1.4 .57 |
//! | each row by itself | -.4 +2.1 .55 | -.8 +1.7 .57 | -1.0 +1.6 .58 | -1.1 +1.4 .59 |
//! | each of 8 stretches by itself | -5.8 +.1 .59 | -2.5 +.7 .61 | -1.5 +1.1 .59 | -1.2 +1.3 .59 |
//! | each band by itself | -9.4 +.0 .67 | -3.1 +.4 .64 | -1.7 +1.0 .60 | -1.3 +1.2 .60 |
//! | each slot by itself | -.6 +.8 .78 | -.9 +1.0 .67 | -.9 +1.3 .61 | -1.1 +1.3 .60 |
//!
//! Choices beyond the paper: the first round uses the shingle hash as it is (it is mixed already); bin and value are the
//! high and the low word of one product; a slot is 16 bits of round above 48 bits of value, so that a later round
//! never beats an earlier one and two different shingles meet in a slot by accident once in 2^48.

use crate::cpu::Kernel;
use crate::hash::{fold, mix};

/// Version of the sketch: part of everything stored that holds sketches or band keys.
pub const VERSION: u32 = 1;

/// Most minima a sketch may have: the round number, up to twice this, must fit its 16 bits.
pub const MAX_MINIMA: usize = 1 << 12;

pub(super) const VALUE_BITS: u32 = 48;
const EMPTY: u64 = u64::MAX;
// Odd, half of its bits set: the multiplier of the Weyl sequence in SplitMix64, and a prime of XXH64.
const WEYL: u64 = 0x9E37_79B9_7F4A_7C15;
const SPREAD: u64 = 0xC2B2_AE3D_27D4_EB4F;

/// Makes sketches of one length and seed.
#[derive(Clone, Debug)]
pub struct Sketcher {
    /// One a round: `minima` random rounds, then one a bin.
    salts: Vec<u64>,
    minima: usize,
}

impl Sketcher {
    /// A sketcher for `minima` slots, clamped to `1..=MAX_MINIMA`. Holds 16 bytes a slot.
    #[must_use]
    pub fn new(minima: usize, seed: u64) -> Self {
        let minima = minima.clamp(1, MAX_MINIMA);
        let salts = (1..=2 * minima as u64).map(|i| mix(seed.wrapping_add(i.wrapping_mul(WEYL)))).collect();
        Self { salts, minima }
    }

    /// How many slots a sketch has.
    #[must_use]
    pub fn minima(&self) -> usize {
        self.minima
    }

    /// The sketch of a set of shingles (repeats and order do not matter). Overwrites `out` with [`Sketcher::minima`]
    /// slots; with none if there are no shingles.
    pub fn sketch(&self, shingles: &[u64], out: &mut Vec<u64>) {
        out.clear();
        if shingles.is_empty() {
            return;
        }
        out.resize(self.minima, EMPTY);
        first_round(Kernel::chosen(), self.salts[0], shingles, out);
        let mut empty = out.iter().filter(|&&slot| slot == EMPTY).count();
        for round in 1..self.minima {
            if empty == 0 {
                return;
            }
            empty -= next_round(self.salts[round], round as u64, shingles, out);
        }
        self.fill_for_certain(shingles, out);
    }

    fn fill_for_certain(&self, shingles: &[u64], slots: &mut [u64]) {
        for (bin, slot) in slots.iter_mut().enumerate().filter(|(_, slot)| **slot == EMPTY) {
            let round = self.minima + bin;
            let value = shingles.iter().map(|&x| fold(x ^ self.salts[round], SPREAD)).min();
            *slot = slot_value(round as u64, value.unwrap_or(EMPTY));
        }
    }
}

#[inline]
fn slot_value(round: u64, value: u64) -> u64 {
    (round << VALUE_BITS) | (value >> (u64::BITS - VALUE_BITS))
}

/// The bin of a uniform word, and where in the bin's share of all words it lies: independent of each other.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the two halves of the product are what is wanted")]
fn bin_and_value(word: u64, bins: u64) -> (usize, u64) {
    let product = u128::from(word) * u128::from(bins);
    ((product >> 64) as usize, product as u64)
}

/// All bins are open, the minimum is taken without a branch.
fn first_round(kernel: Kernel, salt: u64, shingles: &[u64], slots: &mut [u64]) {
    let bins = slots.len() as u64;
    let done = match kernel {
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512 => super::kernel::first_round(salt, shingles, slots),
        _ => 0,
    };
    for &x in &shingles[done..] {
        let (bin, value) = bin_and_value(x ^ salt, bins);
        slots[bin] = slots[bin].min(slot_value(0, value));
    }
}

/// Only bins still empty before this round can change. Returns how many were filled.
fn next_round(salt: u64, round: u64, shingles: &[u64], slots: &mut [u64]) -> usize {
    let bins = slots.len() as u64;
    let mut filled = 0;
    for &x in shingles {
        let (bin, value) = bin_and_value(fold(x ^ salt, SPREAD), bins);
        let before = slots[bin];
        filled += usize::from(before == EMPTY);
        slots[bin] = before.min(slot_value(round, value));
    }
    filled
}

/// The Jaccard similarity two sketches of one sketcher suggest: the share of equal slots; 0 if one is empty.
#[must_use]
pub fn estimate(a: &[u64], b: &[u64]) -> f64 {
    if a.is_empty() || a.len() != b.len() {
        return 0.0;
    }
    let equal = a.iter().zip(b).filter(|(a, b)| a == b).count();
    equal as f64 / a.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::near::lsh::Bands;
    use proptest::prelude::*;

    /// The paper's definition word for word: all 2K rounds in turn, stop after the round that fills the last bin.
    fn by_definition(sketcher: &Sketcher, shingles: &[u64]) -> Vec<u64> {
        let k = sketcher.minima;
        let mut slots = vec![EMPTY; if shingles.is_empty() { 0 } else { k }];
        for round in 0..2 * k {
            if !slots.contains(&EMPTY) {
                break;
            }
            for &x in shingles {
                let word = x ^ sketcher.salts[round];
                let word = if round == 0 { word } else { fold(word, SPREAD) };
                let (bin, value) = if round < k { bin_and_value(word, k as u64) } else { (round - k, word) };
                slots[bin] = slots[bin].min(slot_value(round as u64, value));
            }
        }
        slots
    }

    /// Textbook MinHash: one seeded hash per slot.
    fn textbook(minima: usize, shingles: &[u64]) -> Vec<u64> {
        (1..=minima as u64).map(|i| shingles.iter().map(|&x| mix(x ^ mix(i))).min().unwrap()).collect()
    }

    /// Two random sets with a union of `union` and `shared` in both, the rest dealt out evenly; new ones every trial.
    fn pair(trial: u64, union: usize, shared: usize, a: &mut Vec<u64>, b: &mut Vec<u64>) {
        a.clear();
        b.clear();
        for i in 0..union {
            let x = mix(trial.wrapping_mul(WEYL).wrapping_add(i as u64).wrapping_mul(SPREAD));
            if i < shared || i % 2 == 0 {
                a.push(x);
            }
            if i < shared || i % 2 == 1 {
                b.push(x);
            }
        }
    }

    type SketchOf<'a> = &'a dyn Fn(&[u64], &mut Vec<u64>);

    /// Mean squared error of the estimate over that of independent minima, and the mean error.
    fn error_ratio(sketch: SketchOf, minima: usize, union: usize, shared: usize, trials: u64) -> (f64, f64) {
        let (mut a, mut b, mut sa, mut sb) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let j = shared as f64 / union as f64;
        let (mut squares, mut sum) = (0.0, 0.0);
        for trial in 0..trials {
            pair(trial, union, shared, &mut a, &mut b);
            sketch(&a, &mut sa);
            sketch(&b, &mut sb);
            let error = estimate(&sa, &sb) - j;
            squares += error * error;
            sum += error;
        }
        let n = trials as f64;
        (squares / n / (j * (1.0 - j) / minima as f64), sum / n)
    }

    proptest! {
        #[test]
        fn the_sketch_is_the_papers(raw in proptest::collection::vec(any::<u64>(), 0..60), minima in 1usize..80, seed: u64) {
            let sketcher = Sketcher::new(minima, seed);
            let mut out = vec![3];
            sketcher.sketch(&raw, &mut out);
            prop_assert_eq!(&out, &by_definition(&sketcher, &raw));
            prop_assert!(!out.contains(&EMPTY));
            let mut again = raw.clone();
            again.reverse();
            again.extend_from_slice(&raw);
            let mut shuffled = Vec::new();
            sketcher.sketch(&again, &mut shuffled);
            prop_assert_eq!(out, shuffled);
        }
    }

    proptest! {
        #[test]
        fn every_kernel_fills_the_same_slots(raw in proptest::collection::vec(any::<u64>(), 0..500), minima in 1usize..MAX_MINIMA, salt: u64) {
            let mut expected = vec![EMPTY; minima];
            first_round(Kernel::Portable, salt, &raw, &mut expected);
            for kernel in Kernel::available() {
                let mut slots = vec![EMPTY; minima];
                first_round(kernel, salt, &raw, &mut slots);
                prop_assert_eq!(&slots, &expected, "{:?}", kernel);
            }
        }
    }

    #[test]
    fn error_is_within_that_of_ideal_minhash() {
        let sketcher = Sketcher::new(112, 1);
        let fss: SketchOf = &|shingles, out| sketcher.sketch(shingles, out);
        for union in [20, 40, 60, 80, 200, 500, 2000] {
            let (ratio, bias) = error_ratio(fss, 112, union, union * 4 / 5, 4_000);
            let bound = if union <= 60 { 0.6 } else { 1.0 };
            assert!(ratio <= bound, "union {union}: {ratio:.3} > {bound}");
            assert!(bias.abs() < 0.002, "union {union}: bias {bias:.4}");
        }
    }

    #[test]
    fn the_textbook_oracle_has_the_textbook_error() {
        let oracle: SketchOf = &|shingles, out| *out = textbook(112, shingles);
        let (ratio, bias) = error_ratio(oracle, 112, 60, 48, 2_000);
        assert!((0.85..1.15).contains(&ratio), "{ratio:.3}");
        assert!(bias.abs() < 0.004, "{bias:.4}");
    }

    /// The share of pairs that share a band.
    fn recall(bands: Bands, union: usize, shared: usize, trials: u64) -> f64 {
        let sketcher = Sketcher::new(bands.minima(), 7);
        let (mut a, mut b, mut sa, mut sb) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut found = 0u32;
        for trial in 0..trials {
            pair(trial, union, shared, &mut a, &mut b);
            sketcher.sketch(&a, &mut sa);
            sketcher.sketch(&b, &mut sb);
            let mut rows = sa.chunks(bands.rows()).zip(sb.chunks(bands.rows()));
            found += u32::from(rows.any(|(a, b)| a == b));
        }
        f64::from(found) / trials as f64
    }

    #[test]
    fn recall_follows_the_s_curve() {
        for bands in [Bands::new(14, 8), Bands::for_recall(0.8, 0.99).unwrap()] {
            for (union, shared) in [(40, 20), (40, 28), (40, 32), (40, 36), (200, 160)] {
                let j = shared as f64 / union as f64;
                let over = recall(bands, union, shared, 40_000) - bands.probability(j);
                // Slots that are negatively correlated make the curve of short documents a little steeper: fewer pairs
                // are found below its middle, more above it, by up to 1.7 points (see the head of this file).
                let (least, most) = if bands.probability(j) < 0.5 { (-0.02, 0.01) } else { (-0.01, 0.02) };
                assert!((least..most).contains(&over), "{bands:?} n {union} J {j}: {over:+.4}");
            }
        }
    }

    #[test]
    fn recall_is_within_a_point_from_the_threshold_on() {
        let bands = Bands::for_recall(0.8, 0.99).unwrap();
        for union in [20, 40, 60, 100, 200, 500] {
            for shared in [union * 4 / 5, union * 9 / 10, union * 19 / 20] {
                let expected = bands.probability(shared as f64 / union as f64);
                let over = recall(bands, union, shared, 40_000) - expected;
                assert!((-0.002..0.01).contains(&over), "n {union} shared {shared}: {over:+.4}");
            }
        }
    }

    #[test]
    fn a_pair_at_the_threshold_is_found_as_surely_as_asked() {
        for (threshold, union, shared) in [(0.5, 40, 20), (0.8, 30, 24), (0.8, 300, 240), (0.95, 100, 95)] {
            let bands = Bands::for_recall(threshold, 0.99).unwrap();
            let got = recall(bands, union, shared, 20_000);
            assert!(got > 0.987, "{threshold} n {union}: {got:.4}");
        }
    }

    #[test]
    fn test_vectors_are_pinned() {
        // A change here breaks stored sketches: bump VERSION.
        assert_eq!(VERSION, 1);
        let mut out = Vec::new();
        Sketcher::new(4, 1).sketch(&[mix(1), mix(2), mix(3), mix(4), mix(5), mix(6)], &mut out);
        assert_eq!(out, [58_436_491_450_634, 77_712_926_922_736, 151_419_360_716_603, 137_489_018_130_657]);
        Sketcher::new(4, 1).sketch(&[mix(1)], &mut out);
        assert_eq!(out, [293_302_662_882_125, 77_712_926_922_736, 1_962_665_351_395_932, 851_675_596_263_532]);
    }
}
