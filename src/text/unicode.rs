//! Which characters make words, and what is their normalised form?
//!
//! One table entry per character of the Basic Multilingual Plane, built once from the standard library and
//! `unicode-normalization`: its class and, where normalisation maps it to a single character whatever stands
//! beside it, that character as UTF-8. Words of such characters only are hashed straight from the table; a word with
//! any other character (an accent apart from its letter, a ligature, a character outside the plane) is normalised whole.

use crate::hash;
use std::sync::OnceLock;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};
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

/// What a character is and what it becomes: its class in the lowest bits, flags, the length of its normalised form
/// in bytes (none where it vanishes) and the form itself, UTF-8, in the upper three bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(u32);

impl Entry {
    const CLASS: u32 = 0b111;
    /// The form depends on its neighbours, or is more than one character: the word has to be normalised as a whole.
    const WHOLE_WORD: u32 = 1 << 3;
    const LENGTH_SHIFT: u32 = 4;
    /// A mark with a combining class: beside another such the order may have to change.
    const ORDERED: u32 = 1 << 6;
    const FORM_SHIFT: u32 = 8;

    fn new(c: char) -> Self {
        let class = classify(c);
        let entry = class as u32;
        if class == Class::Drop {
            return Self(entry);
        }
        match fold_alone(c) {
            Some(folded) => {
                let mut form = [0; 4];
                let length = folded.encode_utf8(&mut form).len() as u32;
                let ordered = if canonical_combining_class(c) == 0 { 0 } else { Self::ORDERED };
                let form = u32::from_le_bytes(form) << Self::FORM_SHIFT;
                Self(entry | ordered | length << Self::LENGTH_SHIFT | form)
            }
            None => Self(entry | Self::WHOLE_WORD),
        }
    }

    #[inline]
    pub(super) fn class(self) -> Class {
        match self.0 & Self::CLASS {
            1 => Class::Word,
            2 => Class::Single,
            3 => Class::Mark,
            4 => Class::Drop,
            _ => Class::Break,
        }
    }

    /// The classes that go on with a word, a bit each.
    pub(super) const IN_WORD: u32 = 1 << Class::Word as u32 | Self::IN_SINGLE;
    /// The classes that go on with a character of an unspaced script, a bit each.
    pub(super) const IN_SINGLE: u32 = 1 << Class::Mark as u32 | 1 << Class::Drop as u32;

    #[inline(always)]
    pub(super) fn is_one_of(self, classes: u32) -> bool {
        classes >> (self.0 & Self::CLASS) & 1 != 0
    }

    /// The normalised form as a little-endian number, and its length in bytes.
    #[inline]
    fn form(self) -> (u32, usize) {
        (self.0 >> Self::FORM_SHIFT, (self.0 >> Self::LENGTH_SHIFT & 0b11) as usize)
    }

    #[inline]
    fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }
}

/// The character that stands for `c` whatever its neighbours are, with one limit: of two marks that follow each other
/// only one may have a combining class. `None` where there is none, or it is not in the Basic Multilingual Plane.
///
/// Such a character, or what it becomes, is no second half of a composition (Unicode Standard Annex 15, quick check
/// "yes"), so a word of them is normalised character by character.
fn fold_alone(c: char) -> Option<char> {
    let stable = |c: char| is_nfkc_quick(std::iter::once(c)) != IsNormalized::Maybe;
    let normal = normalize(c.encode_utf8(&mut [0; 4]));
    let mut forms = normal.chars();
    let (Some(folded), None) = (forms.next(), forms.next()) else { return None };
    // A mark that changes might change its combining class.
    let moves = (is_combining_mark(c) || is_combining_mark(folded)) && c != folded;
    (stable(c) && stable(folded) && !moves && folded < '\u{10000}').then_some(folded)
}

/// The entries of the Basic Multilingual Plane: 256 KiB, of which a text uses the few lines of its scripts.
pub(super) struct Table {
    entries: Box<[Entry; 0x1_0000]>,
    pairs: Box<[Pair; 32]>,
}

/// What characters of two bytes with one first byte become, by the lowest six bits of the second: words' letters that
/// stay two bytes long and stand for themselves; zeros for others.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub(super) struct Pair {
    pub(super) first: [u8; 64],
    pub(super) second: [u8; 64],
}

impl Pair {
    /// The pair for the first byte with these lowest five bits.
    fn new(entries: &[Entry; 0x1_0000], first: usize) -> Self {
        let mut pair = Self { first: [0; 64], second: [0; 64] };
        // C0 and C1 begin no character.
        for second in (0..64).filter(|_| first >= 2) {
            let entry = entries[first << 6 | second];
            let (form, length) = entry.form();
            if entry.class() == Class::Word && !entry.has(Entry::WHOLE_WORD) && length == 2 {
                [pair.first[second], pair.second[second], ..] = form.to_le_bytes();
            }
        }
        pair
    }
}

impl Table {
    /// The one table there is, made when first asked for.
    pub(super) fn get() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| {
            let none = Entry(Entry::WHOLE_WORD);
            let entries = (0..0x1_0000).map(|code| char::from_u32(code).map_or(none, Entry::new)).collect::<Vec<_>>();
            let entries: Box<[Entry; 0x1_0000]> = entries.try_into().expect("an entry for every code");
            let pairs = Box::new(std::array::from_fn(|first| Pair::new(&entries, first)));
            Self { entries, pairs }
        })
    }

    /// By the lowest five bits of the first byte.
    pub(super) fn pairs(&self) -> &[Pair; 32] {
        &self.pairs
    }

    #[inline]
    pub(super) fn entry(&self, c: char) -> Entry {
        match self.entries.get(c as usize) {
            Some(&entry) => entry,
            None => Entry(classify(c) as u32 | Entry::WHOLE_WORD),
        }
    }
}

/// The class of a character.
pub(super) fn class(c: char) -> Class {
    Table::get().entry(c).class()
}

/// The character that stands for `c` in the normalised view; the first one where it becomes several, none where it
/// vanishes.
#[must_use]
pub fn fold(c: char) -> Option<char> {
    let entry = Table::get().entry(c);
    if entry.has(Entry::WHOLE_WORD) {
        return normalize(c.encode_utf8(&mut [0; 4])).chars().next();
    }
    let (form, length) = entry.form();
    std::str::from_utf8(&form.to_le_bytes()[..length]).ok().and_then(|form| form.chars().next())
}

/// The bytes of a word under way that can be folded in place.
const ROOM: usize = 64;

/// Where words are normalised while they are read, as long as their characters stand for themselves.
pub(super) struct Folding {
    bytes: [u8; ROOM],
}

impl Default for Folding {
    fn default() -> Self {
        Self { bytes: [0; ROOM] }
    }
}

impl Folding {
    /// Begins a word.
    #[inline(always)]
    pub(super) fn restart(&mut self, entry: Entry) -> Folded<'_> {
        let mut folded = Folded { bytes: &mut self.bytes, len: 0, first: entry, last: Entry(0), flags: 0 };
        folded.push(entry);
        folded
    }
}

/// A word as far as it was read.
pub(super) struct Folded<'a> {
    bytes: &'a mut [u8; ROOM],
    len: usize,
    /// The first character, for words that are no longer.
    first: Entry,
    last: Entry,
    /// Flags of all entries, with [`Entry::WHOLE_WORD`] also where marks would have to be put in order.
    flags: u32,
}

impl Folded<'_> {
    /// Adds a character.
    #[inline(always)]
    pub(super) fn push(&mut self, entry: Entry) {
        let (form, length) = entry.form();
        self.flags |= entry.0;
        match self.bytes.get_mut(self.len..self.len + 4) {
            Some(four) => four.copy_from_slice(&form.to_le_bytes()),
            None => self.flags |= Entry::WHOLE_WORD,
        }
        if entry.has(Entry::ORDERED) && self.last.has(Entry::ORDERED) {
            self.flags |= Entry::WHOLE_WORD;
        }
        self.len += length;
        // What vanishes does not part two marks.
        self.last = if length > 0 { entry } else { self.last };
    }

    /// The hash of the word; `None` where it has to be normalised as a whole.
    #[inline(always)]
    pub(super) fn hash(&self) -> Option<u64> {
        let (form, length) = self.first.form();
        if self.flags & Entry::WHOLE_WORD != 0 {
            None
        } else if self.len == length {
            Some(hash::word16(u128::from(form), length))
        } else if self.len <= 16 {
            let sixteen = u128::from_le_bytes(*self.bytes.first_chunk().expect("there is more room"));
            Some(hash::word16(sixteen & (u128::MAX >> (128 - 8 * self.len)), self.len))
        } else {
            Some(hash::word(&self.bytes[..self.len]))
        }
    }
}

/// The hash of one word given in its original form. `scratch` is reused space.
pub(super) fn hash_word(word: &str, scratch: &mut Vec<u8>) -> u64 {
    scratch.clear();
    let mut last = Entry(0);
    for entry in word.chars().map(|c| Table::get().entry(c)) {
        let (form, length) = entry.form();
        if entry.has(Entry::WHOLE_WORD) || entry.has(Entry::ORDERED) && last.has(Entry::ORDERED) {
            return hash::word(normalize(word).as_bytes());
        }
        scratch.extend_from_slice(&form.to_le_bytes()[..length]);
        if length > 0 {
            last = entry;
        }
    }
    hash::word(scratch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_table_agrees_with_whole_word_normalisation() {
        let mut scratch = Vec::new();
        for c in (0..0x1_1000u32).filter_map(char::from_u32).filter(|&c| class(c) == Class::Word) {
            let word = format!("a{c}b{c}");
            assert_eq!(hash_word(&word, &mut scratch), hash::word(normalize(&word).as_bytes()), "{c:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        /// Marks, with and without a combining class, composing and not; letters that change; what vanishes.
        #[test]
        fn words_with_marks_are_folded_as_whole_ones(
            word in "[aeéＡカｶゔ한가क़कनแกلاשÅﬁΣⅷ㎏][aé\u{301}\u{316}\u{323}\u{327}\u{345}\u{5b0}\u{5bc}\u{64b}-\u{655}\u{93c}\u{93e}\u{94d}\u{e31}-\u{e3a}\u{e48}\u{ad}\u{200d}\u{3099}ﾞ\u{1161}\u{11a8}\u{fb1e}\u{1d165}\u{20dd}]{0,5}"
        ) {
            let mut folding = Folding::default();
            let mut entries = word.chars().map(|c| Table::get().entry(c));
            let mut folded = folding.restart(entries.next().expect("not empty"));
            entries.for_each(|entry| folded.push(entry));
            let expected = hash::word(normalize(&word).as_bytes());
            prop_assert!(folded.hash().is_none_or(|hash| hash == expected), "{:?}", word);
            prop_assert_eq!(hash_word(&word, &mut Vec::new()), expected);
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
