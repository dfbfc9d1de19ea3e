//! Bits by place, and how many are set below each: numbers for what was marked.
//!
//! An eighth more memory than the bits alone: counted are those before each [`COUNTED_WORDS`] words, and of these the ones
//! before each two, so that no more than two words are added up, whichever. (Processors that are not asked for the
//! instruction that does it take a dozen for each.)

/// Words of 64 places that are counted together: three numbers up to 384 fit half a word.
const COUNTED_WORDS: usize = 8;
/// Bits of such a number.
const COUNT_BITS: usize = 10;

/// Marked places, numbered in their order.
#[derive(Debug)]
pub(crate) struct Ranked {
    words: Vec<u64>,
    counts: Vec<Counts>,
    count: u32,
}

/// Marks before [`COUNTED_WORDS`] words in the low half, above it those of them before the second two, the third, the last.
#[derive(Clone, Copy, Debug)]
struct Counts(u64);

impl Counts {
    fn new(before: u32, counted: &[u64]) -> Self {
        let mut counts = u64::from(before);
        let mut ones = 0;
        for (i, two) in counted.chunks(2).enumerate() {
            if i > 0 {
                counts |= u64::from(ones) << (32 + COUNT_BITS * (i - 1));
            }
            ones += two.iter().map(|word| word.count_ones()).sum::<u32>();
        }
        Self(counts)
    }

    /// Marks before the two words of which this is one.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    fn before(self, word: usize) -> u32 {
        let two = word % COUNTED_WORDS / 2;
        let of_these = (self.0 >> 32 << COUNT_BITS) >> (COUNT_BITS * two) & ((1 << COUNT_BITS) - 1);
        self.0 as u32 + of_these as u32
    }
}

impl Ranked {
    /// Of places by their bits; none where 2^32 are marked, or more.
    pub(crate) fn new(words: Vec<u64>) -> Option<Self> {
        let mut counts = Vec::with_capacity(words.len().div_ceil(COUNTED_WORDS));
        let mut count = 0u32;
        for counted in words.chunks(COUNTED_WORDS) {
            counts.push(Counts::new(count, counted));
            count = count.checked_add(counted.iter().map(|word| word.count_ones()).sum())?;
        }
        Some(Self { words, counts, count })
    }

    /// How many are marked.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.words) + size_of_val(&*self.counts)
    }

    /// How many marked places lie below `place`: the number of the one there, or of the next.
    #[inline]
    pub(crate) fn below(&self, place: u64) -> u32 {
        let word = word(place);
        let below = self.words[word] & ((1 << (place % 64)) - 1);
        let first_of_two = self.words[word & !1] & (word as u64 & 1).wrapping_neg();
        self.counts[word / COUNTED_WORDS].before(word) + first_of_two.count_ones() + below.count_ones()
    }
}

/// The word of a place's bit.
pub(crate) fn word(place: u64) -> usize {
    usize::try_from(place / 64).expect("a bit a place fits memory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn marks_below_a_place_are_counted(words in proptest::collection::vec(prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)], 1..40), at in any::<prop::sample::Index>()) {
            let place = at.index(64 * words.len());
            let expected = (0..place).filter(|p| words[p / 64] >> (p % 64) & 1 == 1).count();
            let all: u32 = words.iter().map(|w| w.count_ones()).sum();
            let ranked = Ranked::new(words).unwrap();
            prop_assert_eq!(ranked.below(place as u64) as usize, expected);
            prop_assert_eq!(ranked.count(), all);
        }
    }
}
