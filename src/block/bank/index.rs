//! Which templates hold a gram of letters, and where?
//!
//! A table of buckets by the grams' hash, so that a bucket holds a place or two; in front of it a bitmap with sixteen bits a
//! bucket. Both grow with the bank: whatever its size, about one lookup in ten of a gram that the bank does not hold goes
//! past the bitmap. A place is the number of the gram's first letter among all letters; what is left of its 32 bits is a
//! fingerprint of the gram, so that the letters themselves are seldom looked at in vain. Grams are looked up in batches, one
//! stage after the other, so that the processor waits for many lines of memory at once.
//!
//! Of a document only every [`STRIDE`]th gram is looked up: a stretch of [`STRIDE`] - 1 letters more than a gram that it
//! has in common with a template holds one of them, whichever its place, and from there the stretch is followed to its
//! ends.
//!
//! Memory: at most [`BYTES_A_LETTER`] bytes a letter. A lookup of a gram that is not there costs about a nanosecond.

use super::set::Set;
use super::{GRAM, narrow};
use crate::ranked::Ranked;

/// A gram that stands in more places than this says nothing.
const MAX_PLACES: usize = 16;
/// Bits of the bitmap for each bucket, as a power of two.
const FILTER_BITS: u32 = 4;
/// Fewest and most buckets, as powers of two.
const BUCKET_BITS: [u32; 2] = [10, 28];
/// Letters from one gram of a document that is looked up to the next.
pub(super) const STRIDE: usize = 4;
/// Grams that are looked up together.
const BATCH: usize = 64;
/// What a letter takes at most: a place, a bucket, its bits, and one that says whether an entry begins there.
pub(super) const BYTES_A_LETTER: usize = 11;
/// Letters that can be numbered.
pub(super) const MAX_LETTERS: usize = u32::MAX as usize;

/// The grams of some entries, whose letters lie one after the other.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// A fingerprint of the gram, below it the number of its first letter; ascending in each bucket.
    places: Vec<u32>,
    /// The bits of such a number.
    letter_bits: u32,
    /// Where the places of a bucket begin; one more than there are buckets.
    buckets: Vec<u32>,
    bucket_bits: u32,
    /// Bit set where some gram hashes to it.
    filter: Vec<u64>,
    /// The letters that an entry begins with.
    begins: Option<Ranked>,
}

/// The letters of a gram as a number, the first one lowest.
fn packed(codes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*codes[at..].first_chunk().expect("a gram begins there"))
}

/// Where the grams of entries begin, counted from the first letter; `starts` are those of the entries, and the end.
fn grams(starts: &[usize]) -> impl Iterator<Item = usize> {
    let of_entry = |entry: &[usize]| entry[0]..entry[0].max((entry[1] + 1).saturating_sub(GRAM));
    let first = starts.first().copied().unwrap_or(0);
    starts.windows(2).flat_map(of_entry).map(move |at| at - first)
}

/// The grams of entries that stand in too many places to say something. Holds `room_bytes` at a time, beside those.
/// `O(letters log letters)`, and once more for each time that the letters need the room.
pub(super) fn common_grams(letters: &[u8], starts: &[usize], room_bytes: usize) -> Set {
    let mut common = Set::new();
    let rounds = (letters.len() * size_of::<u64>()).div_ceil(room_bytes.max(1)).max(1) as u64;
    let mut of_round: Vec<u64> = Vec::new();
    for round in 0..rounds {
        of_round.clear();
        let all = grams(starts).map(|at| packed(letters, at));
        of_round.extend(all.filter(|&gram| (spread(gram) >> 32) % rounds == round));
        of_round.sort_unstable();
        let too_many = of_round.chunk_by(|a, b| a == b).filter(|same| same.len() > MAX_PLACES);
        too_many.for_each(|same| common.add(same[0]));
    }
    common
}

/// Fibonacci hashing: the high bits of the product depend on all letters.
fn spread(gram: u64) -> u64 {
    gram.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The first bits of what [`spread`] gave.
fn slot(spread: u64, bits: u32) -> usize {
    usize::try_from(spread >> (64 - bits)).expect("few bits")
}

impl Index {
    /// Indexes the grams of entries, without those that are known to be common. `O(letters)`, and `n log n` in a bucket.
    pub(super) fn new(letters: &[u8], starts: &[usize], common: &Set) -> Self {
        let places = || grams(starts).map(|at| (at, packed(letters, at))).filter(|&(_, gram)| !common.has(gram));
        let count = places().count();
        let bucket_bits = count.max(1).ilog2().clamp(BUCKET_BITS[0], BUCKET_BITS[1]);
        let letter_bits = u32::MAX.checked_shr(narrow(letters.len()).leading_zeros()).unwrap_or(0);
        let mut index = Self { letter_bits, bucket_bits, begins: begins(starts), ..Self::default() };
        // Where each bucket begins, one to the left of it while they are filled: each then ends where the next begins.
        index.buckets = vec![0u32; (1 << bucket_bits) + 2];
        places().for_each(|(_, gram)| index.buckets[slot(spread(gram), bucket_bits) + 2] += 1);
        for i in 1..index.buckets.len() {
            index.buckets[i] += index.buckets[i - 1];
        }
        index.places = vec![0; count];
        for (at, gram) in places() {
            let place = index.fingerprint(spread(gram)) | narrow(at);
            let free = &mut index.buckets[slot(spread(gram), bucket_bits) + 1];
            index.places[*free as usize] = place;
            *free += 1;
        }
        index.buckets.pop();
        index.finish(letters);
        index
    }

    /// Sorts the places in the buckets, drops those of grams that have too many, and fills the bitmap.
    fn finish(&mut self, letters: &[u8]) {
        self.filter = vec![0u64; 1 << (self.bucket_bits + FILTER_BITS - 6)];
        let (mut start, mut kept) = (0, 0);
        for i in 1..self.buckets.len() {
            let bucket = start..self.buckets[i] as usize;
            start = bucket.end;
            let mut len = bucket.len();
            if len > MAX_PLACES {
                len = self.drop_common(letters, bucket.clone());
            }
            self.places[bucket.start..bucket.start + len].sort_unstable();
            self.places.copy_within(bucket.start..bucket.start + len, kept);
            for &place in &self.places[kept..kept + len] {
                let bit = slot(spread(packed(letters, self.letter(place))), self.bucket_bits + FILTER_BITS);
                self.filter[bit / 64] |= 1u64 << (bit % 64);
            }
            kept += len;
            self.buckets[i] = narrow(kept);
        }
        self.places.truncate(kept);
        self.places.shrink_to_fit();
    }

    /// Moves what a bucket keeps to its front; how much that is.
    fn drop_common(&mut self, letters: &[u8], bucket: std::ops::Range<usize>) -> usize {
        let gram = |place: u32| packed(letters, self.letter(place));
        let mut places = self.places[bucket.clone()].to_vec();
        places.sort_unstable_by_key(|&place| gram(place));
        let same = places.chunk_by(|&a, &b| gram(a) == gram(b));
        let kept: Vec<u32> = same.filter(|same| same.len() <= MAX_PLACES).flatten().copied().collect();
        self.places[bucket][..kept.len()].copy_from_slice(&kept);
        kept.len()
    }

    /// What of a gram's hash a place has room for, in its high bits.
    fn fingerprint(&self, spread: u64) -> u32 {
        // The bits behind those that say the bucket.
        ((spread << self.bucket_bits) >> 32) as u32 & !self.letter_bits
    }

    /// The number of a place's first letter.
    fn letter(&self, place: u32) -> usize {
        (place & self.letter_bits) as usize
    }

    /// The entry that has this letter.
    pub(super) fn entry(&self, letter: u32) -> u32 {
        self.begins.as_ref().expect("there are entries").below(u64::from(letter) + 1) - 1
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let begins = self.begins.as_ref().map_or(0, Ranked::bytes);
        size_of_val(&*self.places) + size_of_val(&*self.buckets) + size_of_val(&*self.filter) + begins
    }

    /// Calls `each` with every place of the grams of `codes` that are looked up and the entries hold: the gram's first
    /// letter in `codes`, ascending, and in `letters`, which were indexed, ascending. `O(codes + places)`.
    pub(super) fn scan(&self, letters: &[u8], codes: &[u8], mut each: impl FnMut(u32, u32)) {
        if self.places.is_empty() {
            return;
        }
        let grams = (codes.len() + 1).saturating_sub(GRAM);
        let mut likely = [(0, 0); BATCH];
        let mut ranges = [(0, 0); BATCH];
        for from in (0..grams).step_by(BATCH * STRIDE) {
            let mut count = 0;
            for at in (from..grams.min(from + BATCH * STRIDE)).step_by(STRIDE) {
                let spread = spread(packed(codes, at));
                let bit = slot(spread, self.bucket_bits + FILTER_BITS);
                likely[count] = (at, spread);
                count += usize::from(self.filter[bit / 64] >> (bit % 64) & 1 == 1);
            }
            for (range, &(_, spread)) in ranges.iter_mut().zip(&likely[..count]) {
                let bucket = slot(spread, self.bucket_bits);
                *range = (self.buckets[bucket] as usize, self.buckets[bucket + 1] as usize);
            }
            // Those that the bitmap let through by chance go; the others have their places in the cache by then.
            let mut held = 0;
            for i in 0..count {
                let ((start, end), (at, spread)) = (ranges[i], likely[i]);
                let [first, last] = [start, end.max(1) - 1].map(|i| self.places.get(i).copied().unwrap_or(0));
                let low = self.fingerprint(spread);
                let high = low | self.letter_bits;
                (ranges[held], likely[held]) = ((start, end), (at, spread));
                held += usize::from(start < end && first <= high && low <= last);
            }
            for (&(start, end), &(at, spread)) in ranges.iter().zip(&likely[..held]) {
                let (wanted, gram) = (self.fingerprint(spread), packed(codes, at));
                for &place in &self.places[start..end] {
                    if place & !self.letter_bits == wanted && packed(letters, self.letter(place)) == gram {
                        each(narrow(at), place & self.letter_bits);
                    }
                }
            }
        }
    }
}

/// A bit for each letter, set where an entry begins.
fn begins(starts: &[usize]) -> Option<Ranked> {
    let (&first, rest) = starts.split_first()?;
    let mut words = vec![0u64; (rest.last()? - first) / 64 + 1];
    starts.iter().for_each(|start| words[(start - first) / 64] |= 1 << ((start - first) % 64));
    Ranked::new(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(entries: &[Vec<u8>], codes: &[u8]) -> Vec<(u32, u32, u32)> {
        let mut found = Vec::new();
        for (at, wanted) in codes.windows(GRAM).enumerate().step_by(STRIDE) {
            let places: Vec<_> = entries
                .iter()
                .enumerate()
                .flat_map(|(e, entry)| {
                    let equal = entry.windows(GRAM).enumerate().filter(|(_, gram)| *gram == wanted);
                    equal.map(move |(place, _)| (narrow(at), narrow(e), narrow(place)))
                })
                .collect();
            found.extend(places.iter().filter(|_| places.len() <= MAX_PLACES));
        }
        found
    }

    /// Where entries begin, if the first one does at `first`, and the end.
    fn starts(first: usize, entries: &[Vec<u8>]) -> Vec<usize> {
        let ends = entries.iter().scan(first, |end, entry| {
            *end += entry.len();
            Some(*end)
        });
        std::iter::once(first).chain(ends).collect()
    }

    proptest! {
        #[test]
        fn finds_what_a_search_through_all_entries_finds(
            entries in proptest::collection::vec(proptest::collection::vec(97u8..100, 1..60), 1..9),
            codes in proptest::collection::vec(97u8..100, 0..200),
            first in 0usize..99,
            (parted, room) in (any::<bool>(), 0usize..4000),
        ) {
            let (letters, starts) = (entries.concat(), starts(first, &entries));
            // Of parts the common grams are known before.
            let common = if parted { common_grams(&letters, &starts, room) } else { Set::new() };
            let index = Index::new(&letters, &starts, &common);
            let mut found = Vec::new();
            index.scan(&letters, &codes, |at, letter| {
                let entry = index.entry(letter);
                found.push((at, entry, narrow(letter as usize + first - starts[entry as usize])));
            });
            prop_assert_eq!(found, naive(&entries, &codes));
            prop_assert!(index.bytes() <= letters.len() * BYTES_A_LETTER + (9 << BUCKET_BITS[0]));
        }
    }
}
