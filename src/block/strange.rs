//! Which words of a document does it use nowhere else?
//!
//! A paragraph of a text shares words with the rest of it: function words at least, mostly names and subjects too. A
//! notice that was set into the text talks of something else, often in another language. On the open sets two thirds
//! of the words of passages that two unrelated texts share by content stand elsewhere in them as well, of foreign
//! notices hardly any.
//!
//! `O(tokens)`; a table of the document's distinct tokens with the first and last place of each.

use super::marks::Marks;

/// A use this many tokens away is elsewhere: beyond the passage itself, for most.
const ELSEWHERE: usize = 80;
/// In a document with fewer tokens there is too little elsewhere to judge by.
const MIN_TOKENS: usize = 150;

/// First and last places of tokens: an open-addressed table, reused from document to document.
#[derive(Debug, Default)]
pub struct Vocabulary {
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    token: u64,
    first: u32,
    last: u32,
}

const EMPTY: Slot = Slot { token: 0, first: u32::MAX, last: 0 };

impl Vocabulary {
    /// Marks the tokens of a document that it uses nowhere else, none in a short one. `marks` has one entry per token.
    pub fn mark(&mut self, tokens: &[u64], marks: &mut [Marks]) {
        if tokens.len() < MIN_TOKENS {
            return;
        }
        self.slots.clear();
        self.slots.resize((tokens.len() * 2).next_power_of_two(), EMPTY);
        for (at, &token) in (0u32..).zip(tokens) {
            let slot = self.slot(token);
            slot.token = token;
            slot.first = slot.first.min(at);
            slot.last = at;
        }
        for (at, (&token, marks)) in tokens.iter().zip(marks).enumerate() {
            let Slot { first, last, .. } = *self.slot(token);
            if (first as usize + ELSEWHERE > at) && (last as usize) < at + ELSEWHERE {
                marks.add(Marks::STRANGE);
            }
        }
    }

    fn slot(&mut self, token: u64) -> &mut Slot {
        let mask = self.slots.len() - 1;
        let mut at = usize::try_from(token >> 16).expect("48 bits fit") & mask;
        while self.slots[at].first != u32::MAX && self.slots[at].token != token {
            at = (at + 1) & mask;
        }
        &mut self.slots[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(tokens: &[u64]) -> Vec<bool> {
        let elsewhere = |at: usize| (0..tokens.len()).any(|i| i.abs_diff(at) >= ELSEWHERE && tokens[i] == tokens[at]);
        (0..tokens.len()).map(|at| tokens.len() >= MIN_TOKENS && !elsewhere(at)).collect()
    }

    proptest! {
        #[test]
        fn words_used_far_away_are_at_home(tokens in proptest::collection::vec(0u64..200, 100..400), again in 0u64..3) {
            let tokens: Vec<u64> = tokens.iter().map(|t| t.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_mul(again + 1)).collect();
            let mut vocabulary = Vocabulary::default();
            let mut marks = vec![Marks::default(); tokens.len()];
            vocabulary.mark(&[1; 300], &mut vec![Marks::default(); 300]);
            vocabulary.mark(&tokens, &mut marks);
            let found: Vec<bool> = marks.iter().map(|m| m.has(Marks::STRANGE)).collect();
            prop_assert_eq!(found, naive(&tokens));
        }
    }
}
