//! What is left of a text when recognition errors have broken its words? Its letters, in order.
//!
//! The letters of a document's tokens, one byte each, without anything between them: spaces put in or lost, broken
//! hyphens and case make no difference, and a wrong letter spoils eight 8-grams instead of five words. A byte stands
//! for a folded character; outside ASCII it is a hash of it, which is enough to align by.

use crate::span::{ByteSpan, Span, TokenSpan};
use crate::text::fold;
use std::sync::LazyLock;

/// The letters of a stretch of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letters {
    /// One byte per letter or digit.
    pub codes: Vec<u8>,
    /// How many letters there are up to the end of each token.
    ends: Vec<u32>,
}

impl Letters {
    /// Replaces the content by the letters of `tokens`. `O(bytes)`.
    pub fn read(&mut self, text: &str, tokens: &[ByteSpan]) {
        let Self { codes, ends } = self;
        ends.clear();
        ends.reserve(tokens.len());
        // A letter takes a byte at least. Every byte is written and only a letter counted, for no branch could be foretold.
        codes.clear();
        codes.resize(tokens.iter().map(|span| span.len() as usize).sum(), 0);
        let (letters, known) = (codes.as_mut_slice(), CODES.as_slice());
        let mut len = 0;
        for span in tokens {
            let word = &text[span.range()];
            if word.is_ascii() {
                for byte in word.bytes() {
                    letters[len] = byte | 0x20;
                    len += usize::from(byte.is_ascii_alphanumeric());
                }
            } else {
                for c in word.chars() {
                    let code = known.get(c as usize).copied().unwrap_or_else(|| code(c).unwrap_or(0));
                    letters[len] = code;
                    len += usize::from(code != 0);
                }
            }
            ends.push(u32::try_from(len).expect("a document has fewer than 2^32 letters"));
        }
        codes.truncate(len);
    }

    /// The tokens of which a stretch of letters, which is not empty, holds at least half.
    #[must_use]
    pub fn whole_tokens(&self, stretch: Span) -> Option<TokenSpan> {
        let token = |letter: u32| self.ends.partition_point(|&end| end <= letter);
        let start_of = |token: usize| token.checked_sub(1).map_or(0, |before| self.ends[before]);
        let inside = |token: usize| {
            let (from, to) = (start_of(token), self.ends[token]);
            2 * (to.min(stretch.end) - from.max(stretch.start)) >= to - from
        };
        let (first, last) = (token(stretch.start), token(stretch.end - 1));
        let [first, end] = [first + usize::from(!inside(first)), last + usize::from(inside(last))];
        let narrow = |token: usize| u32::try_from(token).expect("a document has fewer than 2^32 tokens");
        (first < end).then(|| Span::new(narrow(first), narrow(end)))
    }

    /// How many letters there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }
}

/// What [`code`] says of the characters of the first plane; 0 for none.
static CODES: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..=0xFFFF).map(|c| char::from_u32(c).and_then(code).unwrap_or(0)).collect());

/// The byte that stands for a character that is a letter or digit, never 0.
fn code(c: char) -> Option<u8> {
    let folded = latin(fold(c)?);
    if folded.is_ascii() {
        return u8::try_from(folded).ok();
    }
    let spread = u32::from(folded).wrapping_mul(0x9E37_79B1) >> 25;
    u8::try_from(spread | 0x80).ok()
}

/// The Latin letter that a Cyrillic or Greek one looks like: such letters are put into Latin words to hide them, and
/// recognition takes one for the other. In Cyrillic and Greek texts the exchange is the same for every copy.
fn latin(c: char) -> char {
    const ALIKE: &str = "аaвbеeкkмmнhоoрpсcтtуyхxіiѕsјjαaβbεeιiκkμmνvοoρpτtυuχx";
    if !matches!(c, '\u{370}'..='\u{45f}') {
        return c;
    }
    let mut pairs = ALIKE.chars();
    while let (Some(other), Some(letter)) = (pairs.next(), pairs.next()) {
        if other == c {
            return letter;
        }
    }
    c
}

/// How far two sequences of letters run along each other from their starts, errors allowed: the letters used of each
/// where the alignment score (match 1, edit -2) is highest, given up once it falls 10 below that.
///
/// Banded: insertions and deletions may add up to [`BAND`]. `O(length x BAND)`.
pub fn extend(template: impl Iterator<Item = u8>, text: impl Iterator<Item = u8> + Clone) -> (usize, usize) {
    const WIDTH: usize = 2 * BAND + 1;
    const WORST: i32 = i32::MIN / 2;
    let text: Vec<u8> = text.collect();
    let mut row = [WORST; WIDTH];
    for (i, score) in row[BAND..].iter_mut().enumerate() {
        *score = -EDIT * i32::try_from(i).expect("a small band");
    }
    let (mut best, mut at) = (0, (0, 0));
    for (t, wanted) in template.enumerate() {
        let mut next = [WORST; WIDTH];
        let mut top = WORST;
        for d in 0..WIDTH {
            // Column d of row t stands for `t + d - BAND` letters of the text used.
            let Some(used) = (t + 1 + d).checked_sub(BAND) else { continue };
            let equal = used.checked_sub(1).and_then(|i| text.get(i)).map(|&letter| letter == wanted);
            let diagonal = equal.map_or(WORST, |equal| row[d] + if equal { 1 } else { -EDIT });
            let skip_template = row.get(d + 1).map_or(WORST, |s| s - EDIT);
            let skip_text = if d > 0 && used <= text.len() { next[d - 1] - EDIT } else { WORST };
            next[d] = diagonal.max(skip_template).max(skip_text);
            top = top.max(next[d]);
            if next[d] > best {
                best = next[d];
                at = (t + 1, used);
            }
        }
        if top < best - DROP {
            break;
        }
        row = next;
    }
    at
}

/// How far two sequences of letters run along each other, as [`extend`], but over what differs where both go on alike
/// behind it: the number that an address has, the line that one copy lacks. `O(length x BAND + leaps x LEAP^2)`.
#[must_use]
pub fn follow(template: &[u8], text: &[u8]) -> (usize, usize) {
    let (mut t, mut x) = (0, 0);
    loop {
        let (along, used) = extend(template[t..].iter().copied(), text[x..].iter().copied());
        (t, x) = (t + along, x + used);
        let Some((over, beside)) = leap(&template[t..], &text[x..]) else { return (t, x) };
        (t, x) = (t + over, x + beside);
    }
}

/// The nearest place at which both go on with the same [`LANDING`] letters, at most [`LEAP`] letters on in either.
fn leap(template: &[u8], text: &[u8]) -> Option<(usize, usize)> {
    let places = |letters: &[u8]| (letters.len() + 1).saturating_sub(LANDING).min(LEAP + 1);
    let [over, beside] = [template, text].map(places);
    let lands = |&(i, j): &(usize, usize)| template[i..i + LANDING] == text[j..j + LANDING];
    (0..over).flat_map(|i| (0..beside).map(move |j| (i, j))).filter(lands).min_by_key(|&(i, j)| (i + j, i))
}

/// How far a representative copy is to be extended, from how far it runs along the same side of a few other copies: as
/// far as two of them agree. One more letters-only neighbour may be a relative that carries on alike by chance.
#[must_use]
pub fn agreed(mut lengths: Vec<usize>) -> usize {
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    lengths.get(1).or(lengths.first()).copied().unwrap_or(0)
}

/// What a wrong, missing or surplus letter costs. At 1, unrelated texts of one language drift along each other for
/// hundreds of letters; at 2, a copy with a third of its letters wrong is still followed.
const EDIT: i32 = 2;
/// How far the score may fall: five wrong letters in a row, a broken word.
const DROP: i32 = 10;

/// Most letters that differ between two stretches of an alignment: a line of an address.
const LEAP: usize = 40;
/// Fewest letters alike behind them: two or three words, too many for chance.
const LANDING: usize = 16;

/// Most letters by which the two sides of an alignment may drift apart.
pub const BAND: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Tokens, tokenize};
    use proptest::prelude::*;

    fn letters(text: &str) -> Letters {
        let (mut tokens, mut letters) = (Tokens::default(), Letters::default());
        tokenize(text, &mut tokens);
        letters.read(text, &tokens.spans);
        letters
    }

    #[test]
    fn what_goes_on_alike_behind_a_number_or_a_lost_line_is_followed() {
        let follow = |a: &str, b: &str| follow(a.as_bytes(), b.as_bytes());
        assert_eq!(follow("phone8417721044mailcontactnewsagency", "phone8419519966mailcontactnewsagency"), (36, 36));
        assert_eq!(follow("phone8417721044mailcontactnewsagency", "phone84mailcontactnewsagency"), (36, 28));
        assert_eq!(follow("phone8417721044mailcontact", "phone8419519966mailcontact"), (8, 8));
    }

    proptest! {
        #[test]
        fn following_goes_on_where_extension_ends(
            head in "[a-d]{0,40}", a in "[a-d]{0,60}", b in "[a-d]{0,60}", tail in "[a-d]{0,30}",
        ) {
            let [a, b] = [&a, &b].map(|middle| [&head, middle, &tail].map(|s| s.as_bytes().to_vec()).concat());
            let (t, x) = follow(&a, &b);
            let (first, used) = extend(a.iter().copied(), b.iter().copied());
            prop_assert!(first <= t && t <= a.len() && used <= x && x <= b.len());
            // Nothing alike is within reach behind the end.
            for i in t..(t + LEAP + 1).min((a.len() + 1).saturating_sub(LANDING)) {
                for j in x..(x + LEAP + 1).min((b.len() + 1).saturating_sub(LANDING)) {
                    prop_assert_ne!(&a[i..i + LANDING], &b[j..j + LANDING]);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn letters_are_the_codes_of_all_characters(text in "([a-zA-Z0-9'_ ]|[a-z]{9,24} |[éßЖж漢ｆ①\u{1D400}\u{301}]){0,40}") {
            let mut tokens = Tokens::default();
            tokenize(&text, &mut tokens);
            let letters = letters(&text);
            let of = |(i, span): (usize, &ByteSpan)| text[span.range()].chars().filter_map(code).map(|code| (code, i)).collect::<Vec<_>>();
            let expected: Vec<(u8, usize)> = tokens.spans.iter().enumerate().flat_map(of).collect();
            prop_assert_eq!(&letters.codes, &expected.iter().map(|&(code, _)| code).collect::<Vec<_>>());
            for (at, &(_, token)) in (0u32..).zip(&expected) {
                let alone = expected.iter().filter(|&&(_, other)| other == token).count() <= 2;
                let token = u32::try_from(token).expect("few");
                prop_assert_eq!(letters.whole_tokens(Span::new(at, at + 1)), alone.then(|| Span::new(token, token + 1)));
            }
            if let (Some(&(_, first)), Some(&(_, last))) = (expected.first(), expected.last()) {
                let all = letters.whole_tokens(Span::new(0, u32::try_from(expected.len()).expect("few")));
                let [first, last] = [first, last].map(|token| u32::try_from(token).expect("few"));
                prop_assert_eq!(all, Some(Span::new(first, last + 1)));
            }
        }
    }

    #[test]
    fn spacing_case_and_form_leave_no_trace() {
        assert_eq!(letters("Neti quette, Für").codes, letters("NETIQUETTE ｆüｒ").codes.as_slice());
        assert_eq!(letters("Kоmmеntаrе").codes, letters("Kommentare").codes);
        assert_eq!(letters("ab c").ends, [2, 3]);
    }

    fn extended(a: &str, b: &str) -> (usize, usize) {
        extend(a.bytes(), b.bytes())
    }

    #[test]
    fn extension_crosses_errors_and_stops_where_likeness_ends() {
        assert_eq!(extended("abcdefghij", "abcdefghij"), (10, 10));
        assert_eq!(extended("abcdefghijklmnop", "abcdXefghijklmnop"), (16, 17));
        assert_eq!(extended("abcdefghijklmnop", "abcefghijkZmnop"), (16, 15));
        assert_eq!(extended("abcdefghijklmnopqrstuvw", "abcdefgh0123456789012345"), (8, 8));
        assert_eq!((agreed(vec![3, 90, 12]), agreed(vec![7]), agreed(vec![])), (12, 7, 0));
        assert_eq!(extended("", "abc"), (0, 0));
        assert_eq!(follow(b"", b"abc"), (0, 0));
        assert_eq!(extended("abc", ""), (0, 0));
    }
}
