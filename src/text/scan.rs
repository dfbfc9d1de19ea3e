//! How are tokens found at memory speed?
//!
//! Blocks of 64 bytes become a 64-bit mask of word bytes (a loop the compiler turns into vector code); runs are read
//! off the mask with two `trailing_zeros` each. A run of ASCII letters and digits is one token: its bytes are
//! lower-cased by setting bit 5 of each and hashed from two registers. A run with a byte above 127 goes character by
//! character through [`super::unicode`].

use super::Tokens;
use super::unicode::{Class, class, hash_word};
use crate::hash;

/// A tag longer than this is taken for text: `<` also means "less than".
const MAX_TAG_BYTES: usize = 512;
/// `&thetasym;` is the longest named entity in use; numeric ones are shorter.
const MAX_ENTITY_BYTES: usize = 10;

/// Replaces `out` by the tokens of `text`. `O(bytes)`, no allocation but the growth of `out`.
pub fn tokenize(text: &str, out: &mut Tokens) {
    out.clear();
    let mut scanner = Scanner { text, bytes: text.as_bytes(), out, skip_to: 0, join: None, scratch: Vec::new() };
    let mut run_start = None;
    for (i, block) in text.as_bytes().chunks(64).enumerate() {
        run_start = scanner.block(i * 64, block, run_start);
    }
    if let Some(start) = run_start {
        scanner.run(start, text.len());
    }
}

/// Bit `i` is set where byte `i` of the block may belong to a token.
fn word_mask(block: &[u8]) -> u64 {
    let mut flags = [0u8; 64];
    for (flag, &byte) in flags.iter_mut().zip(block) {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let digit = byte.wrapping_sub(b'0') < 10;
        *flag = u8::from(letter | digit | (byte >= 0x80));
    }
    flags.chunks_exact(8).enumerate().fold(0, |mask, (i, eight)| {
        let word = u64::from_le_bytes(eight.try_into().expect("chunks of eight"));
        // Gathers the eight lowest bits into the top byte: the partial products do not overlap.
        mask | (word.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i)
    })
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    out: &'a mut Tokens,
    /// Runs that start before this byte lie inside a tag.
    skip_to: usize,
    /// The last token ended in a line-break hyphen; if the next one starts here it is its second half.
    join: Option<Join>,
    scratch: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Join {
    first_start: usize,
    first_end: usize,
    second_start: usize,
}

impl Scanner<'_> {
    /// Handles one block at byte `at`; takes and gives the start of a run that crosses its border.
    fn block(&mut self, at: usize, block: &[u8], mut run_start: Option<usize>) -> Option<usize> {
        let mut mask = word_mask(block);
        let mut done = 0usize;
        loop {
            if let Some(start) = run_start.take() {
                let length = (!mask).trailing_zeros() as usize;
                if done + length >= block.len() {
                    return Some(start);
                }
                self.run(start, at + done + length);
                mask = mask.checked_shr(u32::try_from(length).expect("at most 64")).unwrap_or(0);
                done += length;
            }
            let gap = mask.trailing_zeros() as usize;
            if gap == 64 {
                return None;
            }
            mask >>= gap;
            done += gap;
            run_start = Some(at + done);
        }
    }

    /// A maximal run of word bytes.
    fn run(&mut self, start: usize, end: usize) {
        if start < self.skip_to || self.is_markup(start, end) {
            return;
        }
        if self.bytes[start..end].is_ascii() {
            self.word(start, end, true);
        } else {
            self.unicode_run(start, end);
        }
    }

    /// A run that holds characters outside ASCII: splits it by their classes.
    fn unicode_run(&mut self, start: usize, end: usize) {
        let mut word: Option<(usize, Class)> = None;
        for (offset, c) in self.text[start..end].char_indices() {
            let at = start + offset;
            let class = class(c);
            let goes_on = match (word, class) {
                (Some(_), Class::Mark | Class::Drop) => true,
                (Some((_, open)), Class::Word) => open == Class::Word,
                _ => false,
            };
            if goes_on {
                continue;
            }
            if let Some((from, _)) = word.take() {
                self.word(from, at, false);
            }
            if matches!(class, Class::Word | Class::Single) {
                word = Some((at, class));
            }
        }
        if let Some((from, _)) = word {
            self.word(from, end, false);
        }
    }

    fn word(&mut self, start: usize, end: usize, ascii: bool) {
        if let Some(join) = self.join.take()
            && join.second_start == start
        {
            return self.joined(join, end);
        }
        let hash = if ascii { self.ascii_hash(start, end) } else { self.unicode_hash(start, end) };
        self.out.push(hash, start, end);
        if let Some(second_start) = self.continues_after(end) {
            let first_start = self.out.spans.last().expect("a token was just pushed").start as usize;
            self.join = Some(Join { first_start, first_end: end, second_start });
        }
    }

    fn ascii_hash(&mut self, start: usize, end: usize) -> u64 {
        let length = end - start;
        if length > 16 {
            self.scratch.clear();
            self.scratch.extend(self.bytes[start..end].iter().map(u8::to_ascii_lowercase));
            return hash::word(&self.scratch);
        }
        let block = match self.bytes.get(start..start + 16) {
            Some(sixteen) => u128::from_le_bytes(sixteen.try_into().expect("sixteen bytes")),
            None => {
                let mut tail = [0; 16];
                tail[..length].copy_from_slice(&self.bytes[start..end]);
                u128::from_le_bytes(tail)
            }
        };
        // Letters get bit 5 set, digits have it set already.
        let lower = block | 0x2020_2020_2020_2020_2020_2020_2020_2020;
        hash::word16(lower & (u128::MAX >> (128 - 8 * length)), length)
    }

    fn unicode_hash(&mut self, start: usize, end: usize) -> u64 {
        hash_word(&self.text[start..end], &mut self.scratch)
    }

    /// The second half of a hyphenated word: replaces the first half's token by the whole word's. Two halves at
    /// most: a text of a million `a-` lines would otherwise cost the square of its length.
    fn joined(&mut self, join: Join, end: usize) {
        let halves = [&self.text[join.first_start..join.first_end], &self.text[join.second_start..end]];
        let hash = hash_word(&halves.concat(), &mut self.scratch);
        self.out.hashes.pop();
        self.out.spans.pop();
        self.out.push(hash, join.first_start, end);
    }

    /// Where the word that ends at `end` goes on if a hyphen and a line break split it there.
    ///
    /// The second half must begin with a lower-case letter: `Smith-\nJones` stays two words.
    fn continues_after(&self, end: usize) -> Option<usize> {
        let rest = self.bytes.get(end..)?;
        let after_hyphen = match rest {
            [b'-', ..] => 1,
            [0xE2, 0x80, 0x90, ..] => 3,
            // A soft hyphen at the end of a line was swallowed into the word.
            [b'\n' | b'\r', ..] if self.bytes[..end].ends_with("\u{AD}".as_bytes()) => 0,
            _ => return None,
        };
        let rest = &rest[after_hyphen..];
        let after_break = match rest {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => return None,
        };
        let indent = rest[after_break..].iter().take_while(|&&b| b == b' ' || b == b'\t').count();
        let second = end + after_hyphen + after_break + indent;
        let before = self.text[..end].chars().rfind(|&c| !matches!(class(c), Class::Drop | Class::Mark))?;
        let first = self.text[second..].chars().next()?;
        (before.is_alphabetic() && first.is_lowercase()).then_some(second)
    }

    /// Whether the run is the name of an HTML tag or entity; a tag's remaining runs are skipped too.
    fn is_markup(&mut self, start: usize, end: usize) -> bool {
        let before = &self.bytes[..start];
        if self.bytes.get(end) == Some(&b';') && end - start <= MAX_ENTITY_BYTES {
            return before.ends_with(b"&") || before.ends_with(b"&#");
        }
        if !(before.ends_with(b"<") || before.ends_with(b"</")) || !self.bytes[start].is_ascii_alphabetic() {
            return false;
        }
        let window = &self.bytes[end..(end + MAX_TAG_BYTES).min(self.bytes.len())];
        match memchr::memchr2(b'>', b'<', window) {
            Some(at) if window[at] == b'>' => {
                self.skip_to = end + at;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::unicode::{is_word_byte, normalize};
    use super::*;
    use proptest::prelude::*;

    /// Character by character, straight from the definition.
    fn naive(text: &str) -> Vec<(String, usize, usize)> {
        let mut words: Vec<(String, usize, usize)> = Vec::new();
        let mut open: Option<Class> = None;
        for (at, c) in blank_markup(text).char_indices() {
            let (class, end) = (class(c), at + c.len_utf8());
            let goes_on = match class {
                Class::Mark | Class::Drop => open.is_some(),
                Class::Word => open == Some(Class::Word),
                _ => false,
            };
            if goes_on {
                let last = words.last_mut().expect("a word is open");
                last.0.push(c);
                last.2 = end;
            } else {
                open = matches!(class, Class::Word | Class::Single).then_some(class);
                if open.is_some() {
                    words.push((c.to_string(), at, end));
                }
            }
        }
        join_hyphenated(text, words).into_iter().map(|(w, s, e)| (normalize(&w), s, e)).collect()
    }

    fn join_hyphenated(text: &str, words: Vec<(String, usize, usize)>) -> Vec<(String, usize, usize)> {
        let mut out: Vec<(String, usize, usize)> = Vec::new();
        let mut was_joined = false;
        for (word, start, end) in words {
            let joins = out.last().is_some_and(|(last, _, last_end)| {
                let between = text[*last_end..start].trim_end_matches([' ', '\t']);
                let hyphen = matches!(between, "-\n" | "-\r\n" | "\u{2010}\n" | "\u{2010}\r\n")
                    || (last.ends_with('\u{AD}') && matches!(between, "\n" | "\r\n"));
                let letter = last.chars().rfind(|&c| !matches!(class(c), Class::Drop | Class::Mark));
                hyphen && letter.is_some_and(char::is_alphabetic) && word.chars().next().is_some_and(char::is_lowercase)
            });
            if joins && !was_joined {
                was_joined = true;
                let last = out.last_mut().expect("it joins the last word");
                last.0.push_str(&word);
                last.2 = end;
            } else {
                was_joined = false;
                out.push((word, start, end));
            }
        }
        out
    }

    /// Tags and entities overwritten by blanks of the same length.
    fn blank_markup(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let mut at = 0;
        while at < text.len() {
            let run = bytes[at..].iter().take_while(|&&b| is_word_byte(b)).count();
            let end = at + run;
            if run > 0 {
                let before = &text.as_bytes()[..at];
                let entity = text.as_bytes().get(end) == Some(&b';')
                    && run <= MAX_ENTITY_BYTES
                    && (before.ends_with(b"&") || before.ends_with(b"&#"));
                let tag = (before.ends_with(b"<") || before.ends_with(b"</")) && bytes[at].is_ascii_alphabetic();
                let close = text.as_bytes()[end..].iter().take(MAX_TAG_BYTES).position(|b| b"<>".contains(b));
                let close = close.filter(|&i| text.as_bytes()[end + i] == b'>').map_or(0, |i| end + i);
                let no_entity = !(text.as_bytes().get(end) == Some(&b';') && run <= MAX_ENTITY_BYTES);
                let blank_to = if entity {
                    end
                } else if tag && no_entity {
                    close
                } else {
                    0
                };
                for byte in &mut bytes[at..blank_to.max(at)] {
                    *byte = b' ';
                }
                at = end.max(blank_to);
            } else {
                at += 1;
            }
        }
        String::from_utf8(bytes).expect("whole runs were blanked")
    }

    fn check(text: &str) -> Result<(), TestCaseError> {
        let mut tokens = Tokens::default();
        tokenize(text, &mut tokens);
        let fast: Vec<_> =
            tokens.hashes.iter().zip(&tokens.spans).map(|(&h, s)| (h, s.start as usize, s.end as usize)).collect();
        let slow: Vec<_> = naive(text).into_iter().map(|(w, s, e)| (hash::word(w.as_bytes()), s, e)).collect();
        prop_assert_eq!(fast, slow, "{:?}", text);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn equals_the_naive_tokeniser(text in "([a-zA-Z0-9]{1,20}|[ .,;&#<>/=\"-]|-\n|[äÖßéñ\u{301}\u{ad}\u{200b}ς‐ﬁ½]|[а-яА-Я]{1,4}|[中文カな々ｶﾞ]|กำ|\r?\n ?|<b>|</p>|&amp;|😀|[ａ-ｄＡ-Ｄ１]){0,60}") {
            check(&text)?;
        }

        #[test]
        fn any_text_is_tokenised(text in "\\PC{0,200}") {
            check(&text)?;
        }
    }

    fn words(text: &str) -> Vec<&str> {
        let mut tokens = Tokens::default();
        tokenize(text, &mut tokens);
        tokens.spans.iter().map(|s| &text[s.range()]).collect()
    }

    #[test]
    fn words_are_what_a_reader_sees() {
        assert_eq!(words("D-85055  Ingolstadt\u{a0}(ENA)"), ["D", "85055", "Ingolstadt", "ENA"]);
        assert_eq!(words("a <a href=\"x.html\">link</a>&nbsp;b < c"), ["a", "link", "b", "c"]);
        assert_eq!(words("日本語の text"), ["日", "本", "語", "の", "text"]);
        assert_eq!(words("cross-\n  word and Smith-\nJones"), ["cross-\n  word", "and", "Smith", "Jones"]);
        assert_eq!(words(""), [""; 0]);
    }

    #[test]
    fn runs_may_cross_and_fill_blocks() {
        for length in [1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 300] {
            for lead in [0, 1, 62, 63, 64] {
                let text = format!("{}{} x", " ".repeat(lead), "Ab1".repeat(length));
                check(&text).expect("equal");
            }
        }
    }
}
