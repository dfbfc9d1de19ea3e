//! What does a template look like when its copies differ?
//!
//! The representative copy is shown; where most of the copies it is compared with have other words, a slot stands
//! instead: a name, a date, a number. Words are aligned as in [`super::diff`], but compared without case and
//! punctuation, so that a copy in other dress does not tear slots. A single misread copy opens none.

use super::diff::{shared, words};
use crate::hash;
use crate::plan::lines::SLOT;

/// Fewest tenths of the words that a copy shares with the representative one to say anything about it.
const MIN_SHARED_TENTHS: usize = 4;

/// The representative copy with [`SLOT`]s where at least half of the other copies differ. A run of differing words is
/// one slot. `O(words x edits)` a copy; see [`super::diff`] for the bound.
#[must_use]
pub fn template(representative: &str, others: &[&str]) -> String {
    if others.iter().all(|other| *other == representative) {
        return representative.to_owned();
    }
    let all = words(representative);
    let keys = plain(&all);
    let mut missing = vec![0usize; all.len()];
    let mut voices = 0;
    for other in others {
        let found = shared(&keys, &plain(&words(other)));
        if found.len() * 10 < all.len() * MIN_SHARED_TENTHS {
            continue;
        }
        voices += 1;
        missing.iter_mut().for_each(|count| *count += 1);
        found.into_iter().for_each(|word| missing[word] -= 1);
    }
    if voices == 0 {
        return representative.to_owned();
    }
    let is_slot: Vec<bool> = missing.iter().map(|count| count * 2 >= voices).collect();
    slotted(representative, &all, &is_slot)
}

/// Words without case and punctuation, by their hashes; punctuation alone stays as it is.
fn plain(words: &[&str]) -> Vec<u64> {
    let mut letters = String::new();
    let plain = |word: &&str| {
        letters.clear();
        if word.is_ascii() {
            letters.extend(word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()));
        } else {
            letters.extend(word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase));
        }
        hash::bytes(if letters.is_empty() { word.as_bytes() } else { letters.as_bytes() }, 0)
    };
    words.iter().map(plain).collect()
}

/// The text with every run of slot words replaced; what stands between words stays.
fn slotted(text: &str, words: &[&str], is_slot: &[bool]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut open = false;
    for (word, &slot) in words.iter().zip(is_slot) {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        if !(slot && open) {
            out.push_str(&text[at..start]);
            out.push_str(if slot { SLOT } else { word });
        }
        open = slot;
        at = start + word.len();
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_numbers_become_slots() {
        let copies = [
            "**Published by** Example Press, Berlin. Call 030 1234.",
            "Published by Other House, Berlin. Call 040 99.",
            "published by Third Verlag, berlin! call 089 7.",
        ];
        let [first, others @ ..] = copies;
        assert_eq!(template(first, &others), format!("**Published by** {SLOT} Berlin. Call {SLOT}"));
    }

    #[test]
    fn one_misread_copy_opens_no_slot() {
        let others = ["all rights rescrved by us", "all rights reserved by us", "all rights reserved by us"];
        assert_eq!(template("All rights reserved by us", &others), "All rights reserved by us");
    }

    #[test]
    fn what_shares_little_has_no_voice() {
        assert_eq!(template("All rights reserved by us", &["We sell shoes", ""]), "All rights reserved by us");
        assert_eq!(template("", &["a b"]), "");
    }

    proptest! {
        #[test]
        fn only_words_are_replaced(text in "[a-cé。 \n]{0,40}", other in "[a-cé。 \n]{0,40}") {
            let shown = template(&text, &[&other]);
            // Taking the slots out leaves a subsequence of the text.
            let mut rest = text.chars();
            for c in shown.replace(SLOT, "").chars() {
                prop_assert!(rest.any(|r| r == c), "{shown:?} of {text:?}");
            }
            prop_assert_eq!(template(&text, &[&text]), text);
        }
    }
}
