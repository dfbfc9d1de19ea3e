//! How are tokens found at memory speed?
//!
//! [`super::kernel`] finds the runs of word bytes of a chunk and hashes those that are plain. The others are handled here,
//! one by one: names of tags and entities are skipped, halves of a hyphenated word joined, and a run with a character
//! that does not stand for itself is cut into words character by character ([`super::unicode`]). So one accent apart
//! from its letter costs one word, not one document.

use super::Tokens;
use super::kernel::{CHUNK, Runs, append_plain};
use super::unicode::{Class, Entry, Folding, Table, class, hash_word};
use crate::cpu::Kernel;
use crate::hash;

/// A tag longer than this is taken for text: `<` also means "less than".
const MAX_TAG_BYTES: usize = 512;
/// `&thetasym;` is the longest named entity in use; numeric ones are shorter.
const MAX_ENTITY_BYTES: usize = 10;

/// Replaces `out` by the tokens of `text`. `O(bytes)`, no allocation but the growth of `out`.
pub fn tokenize(text: &str, out: &mut Tokens) {
    tokenize_with(Kernel::chosen(), View::Content, text, out);
}

/// [`tokenize`] without a thought for markup: the names of tags and entities are words, and so are the two halves of a
/// hyphenated one. What two documents are compared by, so that their similarity is the one that the literature
/// defines and anyone can compute again.
pub fn tokenize_words(text: &str, out: &mut Tokens) {
    tokenize_with(Kernel::chosen(), View::Words, text, out);
}

/// What counts as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// What a reader sees.
    Content,
    /// Every run of word characters.
    Words,
}

fn tokenize_with(kernel: Kernel, view: View, text: &str, out: &mut Tokens) {
    out.clear();
    let mut runs = Runs::new();
    let mut scanner = Scanner::new(kernel, view, text, out);
    let mut at = 0;
    while at < text.len() {
        runs.find(kernel, scanner.table, text.as_bytes(), at);
        scanner.chunk(&runs, at);
        at = scanner.cut_run(&runs, at);
    }
}

/// For the fuzzer: every kernel makes the same tokens, with spans that ascend and hold whole characters.
#[cfg(fuzzing)]
pub fn probe_kernels(text: &str) {
    for view in [View::Content, View::Words] {
        let mut portable = Tokens::default();
        tokenize_with(Kernel::Portable, view, text, &mut portable);
        assert_eq!(portable.hashes.len(), portable.spans.len());
        assert!(portable.spans.windows(2).all(|pair| pair[0].end <= pair[1].start));
        assert!(portable.spans.iter().all(|span| !text[span.range()].is_empty()));
        for kernel in Kernel::available() {
            let mut tokens = Tokens::default();
            tokenize_with(kernel, view, text, &mut tokens);
            assert!(tokens.hashes == portable.hashes && tokens.spans == portable.spans, "{kernel:?} {view:?}");
        }
    }
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    out: &'a mut Tokens,
    kernel: Kernel,
    view: View,
    table: &'static Table,
    /// Runs that start before this byte lie inside a tag.
    skip_to: usize,
    /// The last token ended in a line-break hyphen; if the next one starts here it is its second half.
    join: Option<Join>,
    folding: Folding,
    scratch: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Join {
    first_start: usize,
    first_end: usize,
    second_start: usize,
}

impl<'a> Scanner<'a> {
    fn new(kernel: Kernel, view: View, text: &'a str, out: &'a mut Tokens) -> Self {
        let bytes = text.as_bytes();
        Self {
            text,
            bytes,
            out,
            kernel,
            view,
            table: Table::get(),
            skip_to: 0,
            join: None,
            folding: Folding::default(),
            scratch: Vec::new(),
        }
    }

    /// Handles the complete runs of the chunk at byte `at`.
    fn chunk(&mut self, runs: &Runs, at: usize) {
        let mut next = 0;
        while next < runs.len() {
            if self.join.is_none() && at + runs.get(next).0 >= self.skip_to && !runs.is_special(next) {
                next = append_plain(self.kernel, runs, next, at, self.out);
                if next == runs.len() {
                    return;
                }
            }
            let (start, end) = runs.get(next);
            self.run(at + start, at + end);
            next += 1;
        }
    }

    /// Where the next chunk begins: at the run that this one's end cuts, if any. One that fills the chunk, or ends
    /// the text, is handled.
    fn cut_run(&mut self, runs: &Runs, at: usize) -> usize {
        let chunk_end = (at + CHUNK).min(self.bytes.len());
        let Some(start) = runs.open() else {
            // A character that ends words may be cut by the end of the chunk.
            let rest = &self.bytes[chunk_end..];
            return chunk_end + rest.iter().take_while(|&&b| b & 0xC0 == 0x80).count();
        };
        if start > 0 && chunk_end < self.bytes.len() {
            return at + start;
        }
        let rest = &self.bytes[chunk_end..];
        let end = chunk_end + rest.iter().position(|&b| !is_word_byte(b)).unwrap_or(rest.len());
        self.run(at + start, end);
        end
    }

    /// A maximal run of word bytes.
    fn run(&mut self, start: usize, end: usize) {
        if start < self.skip_to || (self.view == View::Content && self.is_markup(start, end)) {
            return;
        }
        if self.bytes[start..end].is_ascii() {
            let hash = self.ascii_hash(start, end);
            self.word(start, end, hash);
        } else {
            self.unicode_run(start, end);
        }
    }

    /// A run that holds characters outside ASCII: splits it by their classes.
    fn unicode_run(&mut self, start: usize, end: usize) {
        let mut at = start;
        while at < end {
            at = self.unicode_token(at, end);
        }
    }

    /// Handles what begins at `at`: a token, or a character that begins none. Gives where it ends.
    fn unicode_token(&mut self, at: usize, end: usize) -> usize {
        let mut chars = self.text[at..end].chars();
        let Some(c) = chars.next() else { return end };
        let entry = self.table.entry(c);
        let inside = match entry.class() {
            Class::Word => Entry::IN_WORD,
            Class::Single => Entry::IN_SINGLE,
            _ => return at + c.len_utf8(),
        };
        let mut word = self.folding.restart(entry);
        let mut rest = chars.as_str().len();
        for c in chars.by_ref() {
            let entry = self.table.entry(c);
            if !entry.is_one_of(inside) {
                break;
            }
            word.push(entry);
            rest -= c.len_utf8();
        }
        let hash = word.hash();
        let stop = end - rest;
        let hash = hash.unwrap_or_else(|| hash_word(&self.text[at..stop], &mut self.scratch));
        self.word(at, stop, hash);
        stop
    }

    fn word(&mut self, start: usize, end: usize, hash: u64) {
        if let Some(join) = self.join.take()
            && join.second_start == start
        {
            return self.joined(join, end);
        }
        self.out.push(hash, start, end);
        if self.view == View::Content
            && let Some(second_start) = self.continues_after(end)
        {
            self.join = Some(Join { first_start: start, first_end: end, second_start });
        }
    }

    /// The hash of ASCII letters and digits, however many.
    fn ascii_hash(&mut self, start: usize, end: usize) -> u64 {
        self.scratch.clear();
        self.scratch.extend(self.bytes[start..end].iter().map(u8::to_ascii_lowercase));
        hash::word(&self.scratch)
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

fn is_word_byte(byte: u8) -> bool {
    byte >= 0x80 || byte.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::super::unicode::normalize;
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
        let slow: Vec<_> = naive(text).into_iter().map(|(w, s, e)| (hash::word(w.as_bytes()), s, e)).collect();
        for kernel in Kernel::available() {
            let mut tokens = Tokens::default();
            tokenize_with(kernel, View::Content, text, &mut tokens);
            let fast: Vec<_> =
                tokens.hashes.iter().zip(&tokens.spans).map(|(&h, s)| (h, s.start as usize, s.end as usize)).collect();
            prop_assert_eq!(&fast, &slow, "{:?} {:?}", kernel, text);
        }
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

    /// All characters of the plane, beside a letter, a character that is a token of its own, and themselves.
    #[test]
    fn every_character_in_company() {
        let characters: Vec<char> = ('\u{80}'..='\u{FFFF}').collect();
        for some in characters.chunks(40) {
            let all = |f: &dyn Fn(&char) -> String| some.iter().map(f).collect::<Vec<_>>().join(" ");
            check(&all(&|c| format!("{c} a{c}b"))).expect("equal");
            check(&all(&|c| format!("中{c}か{c}{c}"))).expect("equal");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        /// Long enough for several blocks and chunks.
        #[test]
        fn long_texts_are_tokenised(
            words in proptest::collection::vec("[a-z]{1,20}|[а-яЁ]{1,12}|[中文字的々]{1,9}|[かタ・ー]{1,5}|[한국어]{1,4}|[ąŁżñßéÅ]{1,5}|&中文;|<[a中]{2}>|e\u{301}|中\u{3099}|ﬁ|-\n|, |ا|[a中ж“]{0,2}[“”’—、。（，×\u{a0}\u{ad}‐\u{200b}─][a中ж]{0,2}|‐\n|&“a;|<a“ b>|𝒜", 0..1500),
            lead in 0usize..70,
        ) {
            check(&(" ".repeat(lead) + &words.join(" ")))?;
            check(&words.concat())?;
        }
    }

    #[test]
    fn tokens_of_their_own_end_at_block_borders() {
        for lead in 0..70 {
            for text in [
                "中abc",
                "中1 abc",
                "a中é",
                "é中a",
                "中\u{3099}a",
                "が中ab",
                "a“b",
                "“a",
                "中、a",
                "&a“;",
                "\u{a0}a",
                "a×",
                "a’\u{301}b",
                "中 a",
                "ж中ж",
                "&中a;",
            ] {
                check(&format!("{}{text}{}", " ".repeat(lead), "a".repeat(140))).expect("equal");
                check(&format!("{}{text}{}", "b".repeat(lead), " b".repeat(70))).expect("equal");
            }
        }
    }

    fn words(text: &str) -> Vec<&str> {
        let mut tokens = Tokens::default();
        tokenize(text, &mut tokens);
        tokens.spans.iter().map(|s| &text[s.range()]).collect()
    }

    #[test]
    fn words_alone_know_no_markup() {
        let text = "a <b>c</b> &amp; cross-\nword <A𝔇𛲐𞹙;>";
        let mut tokens = Tokens::default();
        tokenize_words(text, &mut tokens);
        let words: Vec<&str> = tokens.spans.iter().map(|s| &text[s.range()]).collect();
        assert_eq!(words, ["a", "b", "c", "b", "amp", "cross", "word", "A𝔇𛲐𞹙"]);
        check(text).expect("the two agree on it as content");
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
