//! Bands: which documents are looked at as a pair.
//!
//! The question: of `n^2` pairs, find those with a Jaccard similarity of at least `t`, without looking at the others.
//!
//! The idea (Indyk, Motwani 1998; Broder et al. 1998): cut a sketch into `b` bands of `r` slots. Two documents of
//! similarity `j` agree in one band with probability `j^r`, in at least one with `1 - (1 - j^r)^b`: an S-shaped curve.
//! Each band becomes one key, and the pairs that share a key are the candidates.
//!
//! Users say what they want, threshold and recall, not `b` and `r`. For every `r` the fewest bands that reach the recall
//! at the threshold are `b = ceil(ln(1 - recall) / ln(1 - t^r))`; a larger `r` needs more minima and more postings but lets
//! fewer pairs below the threshold in. [`Bands::for_recall`] takes the `r` with the lowest cost of both, from measured
//! times. The familiar 14 x 8 is no answer to a threshold of .8: it finds 92 % of the pairs there.

use crate::error::{Error, Result};
use crate::hash::fold;
use crate::near::minhash::MAX_MINIMA;

/// Of so many shingles one makes a containment key.
///
/// A document of `n` shingles, the share `c` of which lies inside another, shares a key with it with probability
/// `1 - (1 - c/16)^n`: at c = .9, .82 for 30 shingles, .97 for 60, .997 for 100.
pub const CONTAINMENT_SAMPLE: u64 = 16;

/// A containment key carried by more documents than this says only that they share a common phrase. Whoever groups
/// keys should pass over such groups, else boilerplate ties a whole site into one component.
pub const CONTAINMENT_KEY_MAX_DOCS: usize = 64;

// Cost of a choice in ns a document, on a 3 GHz core: what a minimum adds to the sketch of a document of a few hundred
// shingles; a posting written, spilled and grouped; a false candidate, whose text is read again, tokenised and compared.
// One neighbour per document, anywhere below the threshold, is what real corpora come near to; it is a guess for any one.
const MINIMUM_NS: f64 = 8.0;
const POSTING_NS: f64 = 25.0;
const FALSE_CANDIDATE_NS: f64 = 10_000.0;
/// More rows than this make no difference below a threshold of .99.
const MAX_ROWS: usize = 64;
const LANE_BIT: u64 = 1;
// The first 64 fractional bits of pi: odd, nothing up the sleeve.
const SPREAD: u64 = 0x243F_6A88_85A3_08D3;

/// How a sketch is cut: `bands` times `rows` minima.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bands {
    bands: usize,
    rows: usize,
}

impl Bands {
    /// So many bands of so many rows, each at least one.
    #[must_use]
    pub fn new(bands: usize, rows: usize) -> Self {
        Self { bands: bands.max(1), rows: rows.max(1) }
    }

    /// The cheapest bands that find a pair of similarity `threshold` with probability `recall` or more.
    ///
    /// # Errors
    /// Usage, if no choice within [`MAX_MINIMA`] minima reaches the recall.
    pub fn for_recall(threshold: f64, recall: f64) -> Result<Self> {
        (1..=MAX_ROWS)
            .filter_map(|rows| fewest_bands(threshold, recall, rows).map(|bands| Self::new(bands, rows)))
            .map(|bands| (bands.cost_ns(threshold), bands))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, bands)| bands)
            .ok_or_else(|| {
                Error::usage(format!(
                    "a recall of {recall} at a threshold of {threshold} needs more than {MAX_MINIMA} minima"
                ))
                .cure("raise the threshold or lower the recall")
            })
    }

    /// The number of bands, and so of keys a document.
    #[must_use]
    pub fn bands(self) -> usize {
        self.bands
    }

    /// The slots a band.
    #[must_use]
    pub fn rows(self) -> usize {
        self.rows
    }

    /// The length of the sketch.
    #[must_use]
    pub fn minima(self) -> usize {
        self.bands * self.rows
    }

    /// The probability that a pair of similarity `j` becomes a candidate: the S-curve.
    #[must_use]
    pub fn probability(self, j: f64) -> f64 {
        // ln_1p and exp_m1 keep the digits at both ends, where 1 - (1 - x)^b loses them.
        -(self.bands as f64 * (-j.clamp(0.0, 1.0).powf(self.rows as f64)).ln_1p()).exp_m1()
    }

    /// The S-curve in steps of .05 from 0 to 1, as (similarity, probability): what a summary prints.
    #[must_use]
    pub fn curve(self) -> Vec<(f64, f64)> {
        (0..=20).map(|step| f64::from(step) / 20.0).map(|j| (j, self.probability(j))).collect()
    }

    /// How many pairs of similarity `j` are missed for each that is found, as far as can be expected: `(1 - p) / p`.
    #[must_use]
    pub fn misses_per_find(self, j: f64) -> f64 {
        let found = self.probability(j);
        (1.0 - found) / found.max(f64::MIN_POSITIVE)
    }

    /// What a document costs with these bands at this threshold, in ns.
    fn cost_ns(self, threshold: f64) -> f64 {
        let false_candidates = threshold * mean(0.0, threshold, |j| self.probability(j));
        self.minima() as f64 * MINIMUM_NS + self.bands as f64 * POSTING_NS + false_candidates * FALSE_CANDIDATE_NS
    }

    /// Appends one even key a band; the band's number is part of it, so that equal keys mean the same band.
    /// Appends none for the empty sketch. Two different bands have the same key by accident once in 2^47 or less.
    pub fn append_keys(self, sketch: &[u64], out: &mut Vec<u64>) {
        let bands = sketch.chunks_exact(self.rows).take(self.bands);
        out.extend((1u64..).zip(bands).map(|(band, rows)| {
            let start = fold(band ^ SPREAD, SPREAD);
            rows.iter().fold(start, |key, &slot| fold(key ^ slot, SPREAD).wrapping_add(slot)) & !LANE_BIT
        }));
    }

    /// [`Bands::append_keys`] into an emptied `out`.
    pub fn band_keys(self, sketch: &[u64], out: &mut Vec<u64>) {
        out.clear();
        self.append_keys(sketch, out);
    }
}

/// The fewest bands of `rows` rows that reach the recall, if a sketch can have so many minima.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be small and positive")]
fn fewest_bands(threshold: f64, recall: f64, rows: usize) -> Option<usize> {
    let needed = (-recall).ln_1p() / (-threshold.powf(rows as f64)).ln_1p();
    // A threshold of 1 divides by minus infinity: one band will do.
    let needed = needed.ceil().max(1.0);
    (needed * rows as f64 <= MAX_MINIMA as f64).then_some(needed as usize)
}

/// The mean of a smooth function on an interval, by the midpoint rule; 200 steps are exact to three digits here.
fn mean(from: f64, to: f64, f: impl Fn(f64) -> f64) -> f64 {
    (0..200).map(|i| f(from + (to - from) * (f64::from(i) + 0.5) / 200.0)).sum::<f64>() / 200.0
}

/// Appends the odd keys by which a document and one that contains it meet: the shingles sampled by their low bits,
/// the same in every document (FracMinHash; Irber et al. 2022). Sorted, without repeats.
///
/// Bands do not find containment: a page inside one ten times as long has a similarity of at most .1.
pub fn append_containment_keys(shingles: &[u64], out: &mut Vec<u64>) {
    let mut keys: Vec<u64> = shingles.iter().filter(|&&x| x % CONTAINMENT_SAMPLE == 0).map(|x| x | LANE_BIT).collect();
    keys.sort_unstable();
    keys.dedup();
    out.extend_from_slice(&keys);
}

/// Bits of a key that was shortened.
pub const SHORT_KEY_BITS: u32 = 48;

/// A key with fewer bits, which takes less room where it waits on disk. Among 10^10 keys some hundred thousand pairs that have
/// nothing in common meet by accident: that makes candidates, and comparing them tells. A containment key stays one.
#[must_use]
pub fn shortened(key: u64) -> u64 {
    (key >> (u64::BITS - SHORT_KEY_BITS)) & !LANE_BIT | key & LANE_BIT
}

/// Whether a key of [`crate::near::Near::keys`] stands for containment rather than a band.
#[must_use]
pub fn is_containment_key(key: u64) -> bool {
    key & LANE_BIT != 0
}

/// Whether a group of `docs` documents under one key says nothing: too many share a containment key, or only one has it.
#[must_use]
pub fn is_idle(key: u64, docs: u64) -> bool {
    docs < 2 || is_containment_key(key) && docs > CONTAINMENT_KEY_MAX_DOCS as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix;
    use crate::near::minhash::Sketcher;

    #[test]
    fn a_shortened_key_has_fewer_bits_and_stays_of_its_kind() {
        for key in (0..1000).map(mix) {
            assert_eq!(shortened(key) >> SHORT_KEY_BITS, 0);
            assert_eq!(is_containment_key(shortened(key)), is_containment_key(key));
            assert_eq!(shortened(key) >> 1, key >> 17, "all but the lowest bit are the key's upper ones");
        }
    }

    #[test]
    fn groups_of_one_and_common_phrases_are_idle() {
        assert!(is_idle(2, 1) && is_idle(3, 1) && is_idle(3, 65));
        assert!(!is_idle(2, 2) && !is_idle(2, 1_000_000) && !is_idle(3, 64));
    }

    #[test]
    fn bands_follow_from_threshold_and_recall() {
        for (threshold, rows, bands) in [(0.5, 2..=3, 16..=40), (0.8, 5..=6, 12..=16), (0.95, 8..=20, 4..=12)] {
            let got = Bands::for_recall(threshold, 0.99).unwrap();
            assert!(rows.contains(&got.rows) && bands.contains(&got.bands), "{threshold}: {got:?}");
        }
        assert_eq!(Bands::for_recall(1.0, 0.99).unwrap().bands(), 1);
    }

    #[test]
    fn the_recall_asked_for_is_reached_everywhere() {
        for t in 1..=20 {
            for recall in [0.5, 0.9, 0.99, 0.9999] {
                let threshold = f64::from(t) / 20.0;
                let bands = Bands::for_recall(threshold, recall).unwrap();
                assert!(bands.probability(threshold) >= recall - 1e-12, "{threshold} {recall} {bands:?}");
                assert!(bands.misses_per_find(threshold) <= (1.0 - recall) / recall + 1e-12);
            }
        }
    }

    #[test]
    fn the_curve_rises_from_nought_to_one() {
        let curve = Bands::new(14, 8).curve();
        assert_eq!((curve[0], curve[20]), ((0.0, 0.0), (1.0, 1.0)));
        assert!(curve.windows(2).all(|w| w[0].1 <= w[1].1));
        assert!((Bands::new(14, 8).probability(0.8) - 0.923_5).abs() < 0.001);
    }

    #[test]
    fn a_key_depends_on_its_band_and_all_its_rows() {
        let bands = Bands::new(3, 2);
        let keys = |sketch: &[u64]| {
            let mut out = Vec::new();
            bands.band_keys(sketch, &mut out);
            out
        };
        let same = keys(&[5, 6, 5, 6, 5, 6]);
        assert!(same[0] != same[1] && same[1] != same[2] && same[0] != same[2]);
        let other = keys(&[5, 6, 6, 5, 5, 7]);
        assert_eq!(same[0], other[0]);
        assert!(same[1] != other[1] && same[2] != other[2]);
        assert!(same.iter().all(|&key| !is_containment_key(key)));
        assert!(keys(&[]).is_empty());
    }

    #[test]
    fn test_vectors_are_pinned() {
        // A change here breaks stored keys: bump minhash::VERSION.
        let (mut sketch, mut keys) = (Vec::new(), Vec::new());
        Sketcher::new(4, 1).sketch(&[mix(1), mix(2), mix(3)], &mut sketch);
        Bands::new(2, 2).band_keys(&sketch, &mut keys);
        assert_eq!(keys, [9_905_089_879_870_803_564, 3_874_745_888_828_262_914]);
    }

    #[test]
    fn containment_keys_of_a_part_are_among_those_of_the_whole() {
        let whole: Vec<u64> = (0..2000).map(mix).collect();
        let (mut of_whole, mut of_part) = (Vec::new(), Vec::new());
        append_containment_keys(&whole, &mut of_whole);
        append_containment_keys(&whole[500..700], &mut of_part);
        assert!(of_part.len() > 4 && of_part.iter().all(|key| of_whole.contains(key) && is_containment_key(*key)));
    }
}
