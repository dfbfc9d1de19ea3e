//! The hash of a short Western European word without a look at its characters one by one.
//!
//! Most words of most European languages hold letters of ASCII and of the Latin-1 block only, which UTF-8 writes as
//! `C3 80` to `C3 BF`. There a capital becomes a small letter by bit 5 of its second byte, as in ASCII of its only
//! one; the exceptions are the signs for multiplication and division and the sharp s. All sixteen bytes are judged and
//! folded at once, in two registers.

use crate::hash;

const ONES: u128 = u128::from_ne_bytes([1; 16]);
const TOPS: u128 = ONES << 7;
const LEAD: u8 = 0xC3;
const TIMES: u8 = 0x97;
const DIVIDED: u8 = 0xB7;
const SHARP_S: u8 = 0x9F;

/// The hash of the run `start..end` as one word, where it has at most sixteen bytes and only letters of Latin-1 and
/// digits.
pub(super) fn hash(bytes: &[u8], start: usize, end: usize) -> Option<u64> {
    let length = end - start;
    if length > 16 {
        return None;
    }
    let sixteen = bytes.get(start..start + 16)?;
    let raw = u128::from_le_bytes(sixteen.try_into().expect("sixteen bytes"));
    let word = raw & (u128::MAX >> (128 - 8 * length));
    let (lead, high) = (equal(word, LEAD), word & TOPS);
    let second = lead << 8;
    let signs = second & (equal(word, TIMES) | equal(word, DIVIDED));
    if high != (lead | second) || signs != 0 {
        return None;
    }
    // Bit 5 of all bytes but the leads and the sharp s; what is behind the word is cut off.
    let keep = lead | second & equal(word, SHARP_S);
    let lower = word | (TOPS & !keep) >> 2;
    Some(hash::word16(lower & (u128::MAX >> (128 - 8 * length)), length))
}

/// The highest bit of every byte of `word` that equals `byte`.
fn equal(word: u128, byte: u8) -> u128 {
    let different = word ^ (ONES * u128::from(byte));
    // A byte is zero where neither its low bits carry into the highest nor that is set.
    let low = (different & !TOPS) + !TOPS;
    !(low | different) & TOPS
}

#[cfg(test)]
mod tests {
    use super::super::unicode::{Class, class, normalize};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn folds_as_normalisation_does(word in "[a-zA-Z0-9À-ÿ\u{80}-\u{bf}Āς]{1,10}", tail in "[ aéß×]{16}") {
            let text = format!("{word}{tail}");
            let latin = |c| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | 'À'..='ÿ');
            let plain = word.len() <= 16 && word.chars().all(|c| latin(c) && class(c) == Class::Word);
            let expected = plain.then(|| hash::word(normalize(&word).as_bytes()));
            prop_assert_eq!(hash(text.as_bytes(), 0, word.len()), expected);
        }
    }
}
