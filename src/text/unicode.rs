//! Which characters make words, and what is their normalised form?
//!
//! One table entry per character of the Basic Multilingual Plane, built once from the standard library and
//! `unicode-normalization`: its class and, where normalisation maps it to a single character whatever stands
//! beside it, that character. Words of such characters only are hashed straight from the table; a word with any
//! other character (a combining mark, a ligature, a character outside the plane) is normalised whole.

use crate::hash;
use std::sync::OnceLock;
use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// What a character does in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Ends a word.
    Break = 0,
    /// Belongs to a word.
    Word = 1,
    /// Is a word of its own (scripts without spaces).
    Single = 2,
    /// Clings to the character before it.
    Mark = 3,
    /// Invisible: neither ends a word nor belongs to it.
    Drop = 4,
}

const CLASS_BITS: u32 = 3;
/// In place of a folded character: the word has to be normalised as a whole.
const WHOLE_WORD: u32 = 0x1F_FFFF;

/// Whether a character can be part of a token.
#[must_use]
pub fn is_word(c: char) -> bool {
    matches!(class(c), Class::Word | Class::Single | Class::Mark)
}

fn is_single(c: char) -> bool {
    matches!(c,
        '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{A9E0}'..='\u{A9FF}' | '\u{AA60}'..='\u{AA7F}' | '\u{F900}'..='\u{FAFF}' | '\u{FF66}'..='\u{FF9D}'
        | '\u{1AFF0}'..='\u{1B16F}' | '\u{20000}'..='\u{3FFFF}')
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}')
}

fn classify(c: char) -> Class {
    if is_invisible(c) {
        Class::Drop
    } else if is_combining_mark(c) || matches!(c, '\u{FF9E}' | '\u{FF9F}') {
        Class::Mark
    } else if !c.is_alphanumeric() {
        Class::Break
    } else if is_single(c) {
        Class::Single
    } else {
        Class::Word
    }
}

/// The normalised form of a word: the reference that the table only shortens.
pub(super) fn normalize(word: &str) -> String {
    let visible: String = word.chars().filter(|&c| !is_invisible(c)).nfkc().collect();
    visible.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).nfkc().collect()
}

fn fold_alone(c: char) -> u32 {
    let stable = |c: char| is_nfkc_quick(std::iter::once(c)) != IsNormalized::Maybe && !is_combining_mark(c);
    let mut folded = [c; 2];
    let mut n = 0;
    for f in normalize(c.encode_utf8(&mut [0; 4])).chars() {
        folded[n.min(1)] = f;
        n += 1;
    }
    let alone = n == 1 && stable(c) && stable(folded[0]);
    if alone { u32::from(folded[0]) } else { WHOLE_WORD }
}

fn table() -> &'static [u32] {
    static TABLE: OnceLock<Vec<u32>> = OnceLock::new();
    TABLE.get_or_init(|| {
        (0..0x1_0000)
            .map(|code| match char::from_u32(code) {
                None => WHOLE_WORD << CLASS_BITS,
                Some(c) => fold_alone(c) << CLASS_BITS | classify(c) as u32,
            })
            .collect()
    })
}

/// The class of a character.
pub(super) fn class(c: char) -> Class {
    match table().get(c as usize) {
        None => classify(c),
        Some(entry) => class_of(*entry),
    }
}

fn class_of(entry: u32) -> Class {
    match entry & ((1 << CLASS_BITS) - 1) {
        1 => Class::Word,
        2 => Class::Single,
        3 => Class::Mark,
        4 => Class::Drop,
        _ => Class::Break,
    }
}

/// The character that stands for `c` in the normalised view; the first one where it becomes several, none where it
/// vanishes.
#[must_use]
pub fn fold(c: char) -> Option<char> {
    match table().get(c as usize).and_then(|entry| char::from_u32(entry >> CLASS_BITS)) {
        Some(folded) => Some(folded),
        None => normalize(c.encode_utf8(&mut [0; 4])).chars().next(),
    }
}

/// The hash of one word given in its original form. `scratch` is reused space.
pub(super) fn hash_word(word: &str, scratch: &mut Vec<u8>) -> u64 {
    let table = table();
    scratch.clear();
    for c in word.chars() {
        let entry = table.get(c as usize).copied().unwrap_or(WHOLE_WORD << CLASS_BITS);
        if class_of(entry) == Class::Drop {
            continue;
        }
        match char::from_u32(entry >> CLASS_BITS) {
            Some(folded) => scratch.extend_from_slice(folded.encode_utf8(&mut [0; 4]).as_bytes()),
            None => return hash::word(normalize(word).as_bytes()),
        }
    }
    hash::word(scratch)
}

#[cfg(test)]
pub(super) fn is_word_byte(byte: u8) -> bool {
    byte >= 0x80 || byte.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_whole_word_normalisation() {
        let mut scratch = Vec::new();
        for c in (0..0x1_1000u32).filter_map(char::from_u32).filter(|&c| class(c) == Class::Word) {
            let word = format!("a{c}b{c}");
            assert_eq!(hash_word(&word, &mut scratch), hash::word(normalize(&word).as_bytes()), "{c:?}");
        }
    }

    #[test]
    fn forms_of_one_word_are_equal() {
        let mut scratch = Vec::new();
        let mut h = |w| hash_word(w, &mut scratch);
        assert_eq!(h("für"), h("FU\u{308}R"));
        assert_eq!(h("ｐｒｅｓｓ"), h("press"));
        assert_eq!(h("oﬃce"), h("OFFICE"));
        assert_eq!(h("Imp\u{AD}res\u{200B}sum"), h("impressum"));
        assert_eq!(h("ΣΟΦΟΣ"), h("σοφος"));
        assert_ne!(h("für"), h("fur"));
    }
}
