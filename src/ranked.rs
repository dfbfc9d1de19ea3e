//! Bits by place, and how many are set below each: numbers for what was marked.
//!
//! An eighth more memory than the bits alone: counted are those before each [`COUNTED_WORDS`] words, the rest is added up.

/// Words of 64 places that are counted together.
const COUNTED_WORDS: usize = 4;

/// Marked places, numbered in their order.
#[derive(Debug)]
pub(crate) struct Ranked {
    words: Vec<u64>,
    /// Marks before each [`COUNTED_WORDS`].
    before: Vec<u32>,
    count: u32,
}

impl Ranked {
    /// Of places by their bits; none where 2^32 are marked, or more.
    pub(crate) fn new(words: Vec<u64>) -> Option<Self> {
        let mut before = Vec::with_capacity(words.len().div_ceil(COUNTED_WORDS));
        let mut count = 0u32;
        for counted in words.chunks(COUNTED_WORDS) {
            before.push(count);
            let ones: u32 = counted.iter().map(|word| word.count_ones()).sum();
            count = count.checked_add(ones)?;
        }
        Some(Self { words, before, count })
    }

    /// How many are marked.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.words) + size_of_val(&*self.before)
    }

    /// How many marked places lie below `place`: the number of the one there, or of the next.
    pub(crate) fn below(&self, place: u64) -> u32 {
        let word = word(place);
        let start = word / COUNTED_WORDS * COUNTED_WORDS;
        let whole: u32 = self.words[start..word].iter().map(|word| word.count_ones()).sum();
        let below = self.words[word] & ((1 << (place % 64)) - 1);
        self.before[word / COUNTED_WORDS] + whole + below.count_ones()
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
        fn marks_below_a_place_are_counted(words in proptest::collection::vec(any::<u64>(), 1..20), at in any::<prop::sample::Index>()) {
            let place = at.index(64 * words.len());
            let expected = (0..place).filter(|p| words[p / 64] >> (p % 64) & 1 == 1).count();
            let all: u32 = words.iter().map(|w| w.count_ones()).sum();
            let ranked = Ranked::new(words).unwrap();
            prop_assert_eq!(ranked.below(place as u64) as usize, expected);
            prop_assert_eq!(ranked.count(), all);
        }
    }
}
