//! Which templates hold a gram of letters, and where?
//!
//! A table of buckets by the grams' hash, as many as there are places, so that a bucket holds about one; in front of it
//! a bitmap with eight bits a bucket. Both grow with the bank: whatever its size, about one lookup in ten of a gram that
//! the bank does not hold goes past the bitmap. Grams are looked up in batches, one stage after the other, so that the
//! processor waits for many lines of memory at once.
//!
//! Of a document only every [`STRIDE`]th gram is looked up: a stretch of [`STRIDE`] - 1 letters more than a gram that it
//! has in common with a template holds one of them, whichever its place, and from there the stretch is followed to its
//! ends.
//!
//! Memory: 21 bytes a letter of the bank. A lookup of a gram that is not there costs about a nanosecond.

use super::{Entry, GRAM, narrow};

/// A gram that stands in more templates than this says nothing.
const MAX_PLACES: usize = 16;
/// Bits of the bitmap for each bucket, as a power of two.
const FILTER_BITS: u32 = 3;
/// Fewest and most buckets, as powers of two.
const BUCKET_BITS: [u32; 2] = [10, 26];
/// Letters from one gram of a document that is looked up to the next.
pub(super) const STRIDE: usize = 4;
/// Grams that are looked up together.
const BATCH: usize = 64;

/// One place of a gram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    gram: u64,
    /// The number of the entry.
    pub(super) entry: u32,
    /// The gram's first letter in it.
    pub(super) at: u32,
}

/// The grams of all entries.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Ascending by bucket, then gram, entry, position.
    places: Vec<Place>,
    /// Where the places of a bucket begin; one more than there are buckets.
    buckets: Vec<u32>,
    bucket_bits: u32,
    /// Bit set where some gram hashes to it.
    filter: Vec<u64>,
}

fn slot(gram: u64, bits: u32) -> usize {
    // Fibonacci hashing: the high bits of the product depend on all letters.
    usize::try_from(gram.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - bits)).expect("few bits")
}

/// The letters of a gram as a number, the first one lowest.
fn packed(codes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*codes[at..].first_chunk().expect("a gram begins there"))
}

impl Index {
    /// Indexes all grams of the entries. `O(letters)`, and `n log n` in a bucket.
    pub(super) fn new(entries: &[Entry]) -> Self {
        let places = || {
            (0u32..).zip(entries).flat_map(|(entry, of)| {
                let grams = (of.letters.len() + 1).saturating_sub(GRAM);
                (0..grams).map(move |at| Place { gram: packed(&of.letters, at), entry, at: narrow(at) })
            })
        };
        let count = entries.iter().map(|of| (of.letters.len() + 1).saturating_sub(GRAM)).sum::<usize>();
        let bucket_bits = count.next_power_of_two().ilog2().clamp(BUCKET_BITS[0], BUCKET_BITS[1]);
        let bucket = |place: &Place| slot(place.gram, bucket_bits);
        // Where each bucket begins, one to the left of it while they are filled: each then ends where the next begins.
        let mut buckets = vec![0u32; (1 << bucket_bits) + 2];
        places().for_each(|place| buckets[bucket(&place) + 2] += 1);
        for i in 1..buckets.len() {
            buckets[i] += buckets[i - 1];
        }
        let mut sorted = vec![Place { gram: 0, entry: 0, at: 0 }; count];
        for place in places() {
            let at = &mut buckets[bucket(&place) + 1];
            sorted[*at as usize] = place;
            *at += 1;
        }
        buckets.pop();
        let mut filter = vec![0u64; 1 << (bucket_bits + FILTER_BITS - 6)];
        let (mut start, mut kept) = (0, 0);
        for end in &mut buckets[1..] {
            let bucket = start..*end as usize;
            start = bucket.end;
            sorted[bucket.clone()].sort_unstable();
            let mut from = bucket.start;
            while from < bucket.end {
                let gram = sorted[from].gram;
                let to = from + sorted[from..bucket.end].iter().take_while(|place| place.gram == gram).count();
                if to - from <= MAX_PLACES {
                    sorted.copy_within(from..to, kept);
                    kept += to - from;
                    let bit = slot(gram, bucket_bits + FILTER_BITS);
                    filter[bit / 64] |= 1u64 << (bit % 64);
                }
                from = to;
            }
            *end = narrow(kept);
        }
        sorted.truncate(kept);
        Self { places: sorted, buckets, bucket_bits, filter }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.places) + size_of_val(&*self.buckets) + size_of_val(&*self.filter)
    }

    /// Calls `each` with every place of the grams of `codes` that are looked up and the entries hold: the gram's first
    /// letter in `codes`, ascending, and the places, ascending by entry and position. `O(codes + places)`.
    pub(super) fn scan(&self, codes: &[u8], mut each: impl FnMut(u32, &Place)) {
        let grams = (codes.len() + 1).saturating_sub(GRAM);
        let mut likely = [(0, 0); BATCH];
        let mut ranges = [(0, 0); BATCH];
        for from in (0..grams).step_by(BATCH * STRIDE) {
            let mut count = 0;
            for at in (from..grams.min(from + BATCH * STRIDE)).step_by(STRIDE) {
                let gram = packed(codes, at);
                let bit = slot(gram, self.bucket_bits + FILTER_BITS);
                likely[count] = (at, gram);
                count += usize::from(self.filter[bit / 64] >> (bit % 64) & 1 == 1);
            }
            for (range, &(_, gram)) in ranges.iter_mut().zip(&likely[..count]) {
                let bucket = slot(gram, self.bucket_bits);
                *range = (self.buckets[bucket] as usize, self.buckets[bucket + 1] as usize);
            }
            // Those that the bitmap let through by chance go; the others have their places in the cache by then.
            let mut held = 0;
            for i in 0..count {
                let ((start, end), (at, gram)) = (ranges[i], likely[i]);
                let ends = [start, end.max(start + 1) - 1].map(|place| self.places.get(place).map_or(0, |p| p.gram));
                (ranges[held], likely[held]) = ((start, end), (at, gram));
                held += usize::from(start < end && ends[0] <= gram && gram <= ends[1]);
            }
            for (&(start, end), &(at, gram)) in ranges.iter().zip(&likely[..held]) {
                let places = self.places[start..end].iter().filter(|p| p.gram == gram);
                places.for_each(|place| each(narrow(at), place));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(entries: &[Entry], codes: &[u8]) -> Vec<(u32, u32, u32)> {
        let mut found = Vec::new();
        for (at, wanted) in codes.windows(GRAM).enumerate().step_by(STRIDE) {
            let places: Vec<_> = entries
                .iter()
                .enumerate()
                .flat_map(|(e, entry)| {
                    let equal = entry.letters.windows(GRAM).enumerate().filter(|(_, gram)| *gram == wanted);
                    equal.map(move |(place, _)| (narrow(at), narrow(e), narrow(place)))
                })
                .collect();
            found.extend(places.iter().filter(|_| places.len() <= MAX_PLACES));
        }
        found
    }

    proptest! {
        #[test]
        fn finds_what_a_search_through_all_entries_finds(
            entries in proptest::collection::vec(proptest::collection::vec(97u8..100, 0..60), 0..9),
            codes in proptest::collection::vec(97u8..100, 0..200),
        ) {
            let entries: Vec<Entry> = (0u32..).zip(entries).map(|(template, letters)| Entry { template, letters }).collect();
            let mut found = Vec::new();
            Index::new(&entries).scan(&codes, |at, place| found.push((at, place.entry, place.at)));
            prop_assert_eq!(found, naive(&entries, &codes));
        }
    }
}
