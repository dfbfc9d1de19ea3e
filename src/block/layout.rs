//! How does a token stand on the page? At the edge of a line, a paragraph, a sentence; in quotation marks; in code.
//!
//! Tokens say what a text says; whether a repeated passage is boilerplate also depends on how it is set. The marks
//! are read off the characters between the tokens, in one pass, and travel with the token's grams.

use super::marks::{Border, Marks};
use crate::span::{ByteSpan, Span};

/// Replaces `out` by the marks of every token. `O(bytes)`.
pub fn marks(text: &str, tokens: &[ByteSpan], out: &mut Vec<Marks>) {
    out.clear();
    out.resize(tokens.len(), Marks::default());
    let (mut breaks, mut weights) = (Vec::with_capacity(tokens.len() + 1), Vec::with_capacity(tokens.len()));
    let (mut quotes, mut line, mut entry) = (Quotes::default(), Line::default(), Entry::default());
    let mut line_from = 0;
    for i in 0..=tokens.len() {
        let start = if i == 0 { 0 } else { tokens[i - 1].end as usize };
        let end = tokens.get(i).map_or(text.len(), |t| t.start as usize);
        let gap = Gap::read(&text[start..end], i == 0, i == tokens.len(), &mut quotes, &mut line);
        breaks.push(gap.strength);
        if gap.strength >= 2 {
            line.close(&mut out[line_from..i]);
            line_from = i;
            line.open(gap.after_break);
        }
        if let Some(before) = i.checked_sub(1).filter(|_| gap.contact) {
            out[before].add(Marks::CONTACT);
        }
        if let Some(after) = out.get_mut(i) {
            let token = &text[tokens[i].range()];
            gap.mark_after(after, token, &quotes);
            entry.step(&gap, after);
            line.word(tokens[i].len());
            quotes.word();
            weights.push(if !token.is_ascii() && token.chars().nth(1).is_none() { 1 } else { 2 });
        }
    }
    measure(&breaks, &weights, out);
}

/// Whether all of these tokens are on lines of program code, `within` what is to be seen of the text: as [`marks`] of that
/// stretch says, but decided at the first line that is not. `O(bytes)`.
#[must_use]
pub fn is_code(text: &str, within: ByteSpan, tokens: &[ByteSpan]) -> bool {
    let (mut quotes, mut line) = (Quotes::default(), Line::default());
    let mut line_from = 0;
    for i in 0..=tokens.len() {
        let start = if i == 0 { within.start } else { tokens[i - 1].end };
        let end = tokens.get(i).map_or(within.end, |t| t.start);
        let gap = Gap::read(&text[Span::new(start, end).range()], i == 0, i == tokens.len(), &mut quotes, &mut line);
        if gap.strength >= 2 {
            if line_from < i && !line.is_code() {
                return false;
            }
            line_from = i;
            line.open(gap.after_break);
        }
        line.word(tokens.get(i).map_or(0, |t| t.len()));
    }
    true
}

/// Writes every token's distance from the borders of its sentence, line and paragraph. `breaks[i]` is the strongest
/// border between tokens `i - 1` and `i`: none, sentence, line, paragraph; `weights` are 2 for words.
fn measure(breaks: &[u8], weights: &[u8], out: &mut [Marks]) {
    use Border::{LineEnd, LineStart, ParagraphEnd, ParagraphStart, SentenceEnd, SentenceStart};
    let borders = [(1, SentenceStart, SentenceEnd), (2, LineStart, LineEnd), (3, ParagraphStart, ParagraphEnd)];
    let step = |distances: &mut [u32; 3], strength: u8, weight: u8| {
        for (distance, (least, ..)) in distances.iter_mut().zip(borders) {
            *distance = if strength >= least { 0 } else { Marks::FAR.min(*distance + u32::from(weight)) };
        }
    };
    let mut distances = [0; 3];
    let mut weight = 0;
    for (i, marks) in out.iter_mut().enumerate() {
        step(&mut distances, breaks[i], weight);
        weight = weights[i];
        marks.0 |=
            distances.iter().zip(borders).fold(0, |all, (distance, (_, start, _))| all | distance << start as u32);
    }
    distances = [0; 3];
    for (i, marks) in out.iter_mut().enumerate().rev() {
        step(&mut distances, breaks[i + 1], weight);
        weight = weights[i];
        marks.0 |= distances.iter().zip(borders).fold(0, |all, (distance, (.., end))| all | distance << end as u32);
    }
}

/// What stands between two tokens.
#[derive(Debug, Default, PartialEq)]
struct Gap<'a> {
    /// The strongest border: 0 none, 1 sentence, 2 line, 3 paragraph.
    strength: u8,
    contact: bool,
    /// From the last line break on.
    after_break: &'a str,
}

impl<'a> Gap<'a> {
    fn read(gap: &'a str, first: bool, last: bool, quotes: &mut Quotes, line: &mut Line) -> Self {
        if let Some(usual) = (!first && !last).then(|| Self::usual(gap, quotes, line)).flatten() {
            return usual;
        }
        Self::any(gap, first, last, quotes, line)
    }

    /// Most gaps, at a glance: what [`Gap::any`] says of them as well.
    fn usual(gap: &'a str, quotes: &mut Quotes, line: &mut Line) -> Option<Self> {
        let (strength, after_break) = match *gap.as_bytes() {
            [b' '] => (0, gap),
            [b'\n'] => (2, ""),
            [b'-' | b'\''] => {
                line.see(char::from(gap.as_bytes()[0]));
                (0, gap)
            }
            [sign @ (b',' | b'.'), b' '] => {
                line.see(char::from(sign));
                (u8::from(sign == b'.'), gap)
            }
            _ => return None,
        };
        quotes.word();
        Some(Self { strength, contact: false, after_break })
    }

    /// Any gap. Signs that only count, most of what is in tags and code, go by in runs; the others one by one.
    fn any(gap: &'a str, first: bool, last: bool, quotes: &mut Quotes, line: &mut Line) -> Self {
        let (mut breaks, mut sentence, mut newline) = (0, false, false);
        // An address has its sign between two words; before one it names a decorator or a person.
        let mut contact = gap == "@";
        let (mut dots, mut leader) = (0, false);
        if gap.starts_with('(') && !first {
            line.operators += 2;
        }
        let mut rest = gap;
        while let Some(&byte) = rest.as_bytes().first() {
            let run = Run::of(rest.as_bytes());
            if run.bytes > 0 {
                dots = 0;
                quotes.word();
                if breaks == 0 {
                    line.run(&run);
                }
                rest = &rest[run.bytes as usize..];
                continue;
            }
            if byte == b' ' {
                quotes.word();
                rest = &rest[1..];
                continue;
            }
            let c = rest.chars().next().unwrap_or_default();
            match c {
                '\n' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                    newline |= c == '\n';
                    breaks += 1 + u32::from(c == '\u{C}');
                    if breaks > 1 {
                        // What the next paragraph begins with opens it anew.
                        quotes.reset();
                    }
                }
                '.' | '!' | '?' | '。' | '！' | '？' | '…' | '।' => sentence = true,
                '©' | '®' | '™' | '§' => contact = true,
                '/' => contact |= gap[..gap.len() - rest.len()].ends_with(":/"),
                _ => {}
            }
            // Four dots in a row on one line, spaces between them or not, lead from a title to a page.
            dots = if c == '.' { dots + 1 } else { 0 };
            leader |= dots >= 4;
            quotes.see(c);
            if breaks == 0 {
                line.see(c);
            }
            rest = &rest[c.len_utf8()..];
        }
        contact |= gap.ends_with(" +");
        line.leader |= leader && !newline;
        let opens = |c: char| c.is_whitespace() || matches!(c, '"' | '“' | '«' | '„' | '(');
        let strength = if breaks > 1 || first || last {
            3
        } else if breaks > 0 {
            2
        } else {
            u8::from(sentence && (gap.ends_with(opens) || !gap.is_ascii()))
        };
        let after_break = if newline { gap.rfind('\n').map_or(gap, |at| &gap[at + 1..]) } else { gap };
        Self { strength, contact, after_break }
    }

    fn mark_after(&self, marks: &mut Marks, token: &str, quotes: &Quotes) {
        if self.contact {
            marks.add(Marks::CONTACT);
        }
        if quotes.open() || self.after_break.starts_with('>') {
            marks.add(Marks::QUOTED);
        }
        if token.len() == 1 || token.bytes().all(|b| b.is_ascii_digit()) {
            marks.add(Marks::NUMBER);
        }
    }
}

/// Whether an entry of a list of sources is open: `[key] Author, "Title"` at the start of a line, to the paragraph's end.
#[derive(Default)]
struct Entry {
    open: bool,
}

impl Entry {
    fn step(&mut self, gap: &Gap, marks: &mut Marks) {
        self.open &= gap.strength < 3;
        self.open |= gap.strength >= 2 && gap.after_break.trim_start() == "[";
        if self.open {
            marks.add(Marks::CITED);
        }
    }
}

/// Whether a quotation is open. Closed at the end of a paragraph, so that one stray mark does not quote a document.
#[derive(Clone, Debug, Default, PartialEq)]
struct Quotes {
    straight: bool,
    /// The last character was a straight mark: a second one beside it says the same.
    doubled: bool,
    depth: u32,
}

impl Quotes {
    fn see(&mut self, c: char) {
        let again = c == '"' && self.doubled;
        self.doubled = c == '"' && !again;
        match c {
            '"' => self.straight ^= !again,
            '„' | '«' | '「' | '『' | '‹' => self.depth += 1,
            // Closes in German what it opens in English.
            '“' => self.depth = if self.depth > 0 { self.depth - 1 } else { 1 },
            '”' | '»' | '」' | '』' | '›' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    /// A word parts one mark from the next.
    fn word(&mut self) {
        self.doubled = false;
    }

    fn open(&self) -> bool {
        self.straight || self.depth > 0
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Signs in a row that only count: ASCII without white space, the end of a sentence, a straight quotation mark or a slash.
#[derive(Debug)]
struct Run {
    bytes: u32,
    operators: u32,
    last: u8,
}

impl Run {
    /// What a byte is: 0 a sign that only counts, 1 an operator, [`OTHER`](Self::OTHER) what has a meaning of its own.
    const KINDS: [u8; 256] = {
        let mut kinds = [Self::OTHER; 256];
        let mut byte = 0x21;
        while byte < 0x7F {
            kinds[byte as usize] = match byte {
                b'.' | b'!' | b'?' | b'"' | b'/' => Self::OTHER,
                byte if is_operator(byte as char) => 1,
                _ => 0,
            };
            byte += 1;
        }
        kinds
    };
    const OTHER: u8 = 2;

    /// The run that a text begins with.
    fn of(text: &[u8]) -> Self {
        let mut run = Self { bytes: 0, operators: 0, last: 0 };
        for &byte in text {
            let kind = Self::KINDS[usize::from(byte)];
            if kind == Self::OTHER {
                break;
            }
            run.bytes += 1;
            run.operators += u32::from(kind);
            run.last = byte;
        }
        run
    }
}

/// What prose seldom has and code often.
const fn is_operator(c: char) -> bool {
    matches!(c, '{' | '}' | ';' | '=' | '[' | ']' | '<' | '>' | '_' | '$' | '\\' | '`')
}

/// Evidence for code on the current line.
#[derive(Clone, Debug, Default, PartialEq)]
struct Line {
    characters: u32,
    operators: u32,
    url: bool,
    comment: bool,
    leader: bool,
    last: Option<char>,
}

impl Line {
    fn open(&mut self, indent: &str) {
        let indent = indent.trim_start();
        let comment =
            ["//", "# ", "##", "* ", "/*", "--", ";;"].iter().any(|mark| indent.starts_with(mark)) || indent == "*";
        // Attributes and directives: `#[derive`, `#include`.
        let operators = 2 * u32::from(indent == "#[" || indent == "#");
        *self = Self { comment, operators, ..Self::default() };
    }

    fn word(&mut self, bytes: u32) {
        self.characters += bytes;
        self.last = None;
    }

    fn see(&mut self, c: char) {
        if c.is_whitespace() {
            return;
        }
        self.characters += 1;
        self.url |= self.last == Some('/') && c == '/';
        self.operators += u32::from(is_operator(c));
        self.last = Some(c);
    }

    /// The same for all signs of a run.
    fn run(&mut self, run: &Run) {
        self.characters += run.bytes;
        self.operators += run.operators;
        self.last = Some(char::from(run.last));
    }

    /// Code has an operator for every dozen characters, or ends in one that prose does not end in.
    fn is_code(&self) -> bool {
        let dense = self.operators * 12 >= self.characters && self.operators >= 2;
        let ends = matches!(self.last, Some('{' | '}' | ';')) && self.operators >= 1;
        (dense || ends) && !self.url && !self.comment
    }

    fn close(&self, tokens: &mut [Marks]) {
        let code = self.is_code();
        for marks in tokens {
            if code {
                marks.add(Marks::CODE);
            }
            if self.leader {
                marks.add(Marks::LEADER);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Tokens, tokenize};
    use proptest::prelude::*;

    fn chosen(text: &str, fits: impl Fn(Marks) -> bool) -> Vec<&str> {
        let (mut tokens, mut out) = (Tokens::default(), Vec::new());
        tokenize(text, &mut tokens);
        marks(text, &tokens.spans, &mut out);
        tokens.spans.iter().zip(&out).filter(|(_, m)| fits(**m)).map(|(s, _)| &text[s.range()]).collect()
    }

    fn with(text: &str, mark: Marks) -> Vec<&str> {
        chosen(text, |m| m.has(mark))
    }

    fn at(text: &str, border: Border, distance: u32) -> Vec<&str> {
        chosen(text, |m| m.distance(border) == distance)
    }

    #[test]
    fn usual_gaps_are_read_as_any_other() {
        let mut read = 0;
        for gap in [" ", "\n", "-", "'", ", ", ". ", "; ", "@", "(", "-\n", "\r\n", ""] {
            for (straight, doubled, depth) in [(false, false, 0), (true, true, 0), (true, false, 2)] {
                for last in [None, Some('/'), Some('{')] {
                    let (quotes, line) = (Quotes { straight, doubled, depth }, Line { last, ..Line::default() });
                    let (mut quotes_of, mut line_of) = ([quotes.clone(), quotes], [line.clone(), line]);
                    let Some(usual) = Gap::usual(gap, &mut quotes_of[0], &mut line_of[0]) else { continue };
                    assert_eq!(usual, Gap::any(gap, false, false, &mut quotes_of[1], &mut line_of[1]), "{gap:?}");
                    assert_eq!((&quotes_of[0], &line_of[0]), (&quotes_of[1], &line_of[1]), "{gap:?}");
                    read += 1;
                }
            }
        }
        assert_eq!(read, 6 * 9);
    }

    /// [`Gap::any`], a character at a time.
    fn plainly<'a>(gap: &'a str, (first, last): (bool, bool), quotes: &mut Quotes, line: &mut Line) -> Gap<'a> {
        let is_break = |c: char| "\n\u{B}\u{C}\u{85}\u{2028}\u{2029}".contains(c);
        let (mut breaks, mut dots) = (0, 0);
        line.operators += 2 * u32::from(gap.starts_with('(') && !first);
        let mut leader = false;
        for c in gap.chars() {
            breaks += u32::from(is_break(c)) + u32::from(c == '\u{C}');
            if is_break(c) && breaks > 1 {
                quotes.reset();
            }
            dots = if c == '.' { dots + 1 } else { dots * u32::from(c == ' ') };
            leader |= dots >= 4;
            quotes.see(c);
            if breaks == 0 {
                line.see(c);
            }
        }
        line.leader |= leader && !gap.contains('\n');
        let contact = gap == "@" || gap.contains("://") || gap.contains(['©', '®', '™', '§']) || gap.ends_with(" +");
        let ends = gap.ends_with(|c: char| c.is_whitespace() || "\"“«„(".contains(c)) || !gap.is_ascii();
        let sentence = gap.contains(['.', '!', '?', '。', '！', '？', '…', '।']) && ends;
        let strength = match breaks {
            _ if first || last => 3,
            0 => u8::from(sentence),
            1 => 2,
            _ => 3,
        };
        Gap { strength, contact, after_break: gap.rsplit('\n').next().unwrap_or_default() }
    }

    proptest! {
        #[test]
        fn runs_of_signs_count_as_each_of_them(gap in "([ -/:-@\\[-`{-~]|[a-c]|[ .\n\r\t\"/+]|://|[\u{B}\u{C}\u{2028}。©„“«»\u{7F}é]){0,14}", first: bool, last: bool, straight: bool, depth in 0u32..3) {
            let (mut quotes, mut line) = (Quotes { straight, doubled: straight, depth }, Line::default());
            let (mut quotes_plainly, mut line_plainly) = (quotes.clone(), line.clone());
            let found = Gap::any(&gap, first, last, &mut quotes, &mut line);
            let plain = plainly(&gap, (first, last), &mut quotes_plainly, &mut line_plainly);
            prop_assert_eq!((found, quotes, line), (plain, quotes_plainly, line_plainly));
        }
    }

    #[test]
    fn distances_from_lines_paragraphs_and_sentences() {
        let text = "One two. Three\nfour five\n\n* six";
        assert_eq!(at(text, Border::LineStart, 0), ["One", "four", "six"]);
        assert_eq!(at(text, Border::LineEnd, 0), ["Three", "five", "six"]);
        assert_eq!(at(text, Border::ParagraphStart, 0), ["One", "six"]);
        assert_eq!(at(text, Border::ParagraphEnd, 0), ["five", "six"]);
        assert_eq!(at(text, Border::SentenceStart, 0), ["One", "Three", "four", "six"]);
        assert_eq!(at(text, Border::LineStart, 2), ["two", "five"]);
        assert_eq!(at(text, Border::ParagraphEnd, 4), ["Three"]);
        assert_eq!(at("日本語 ab", Border::LineEnd, 2), ["語"]);
        assert_eq!(at("日本語", Border::LineStart, 1), ["本"]);
    }

    #[test]
    fn lists_of_contents_and_sources_and_numbers_are_marked() {
        assert_eq!(with("1. Intro .... 3\nText... more", Marks::LEADER), ["1", "Intro", "3"]);
        assert_eq!(with("See [1].\n\n   [1]  A. B,\n  title\n\nEnd", Marks::CITED), ["1", "A", "B", "title"]);
        assert_eq!(with("a 12 b2 word", Marks::NUMBER), ["a", "12"]);
    }

    #[test]
    fn quotations_end_with_their_marks_or_their_paragraph() {
        assert_eq!(with("He said \"yes no\" and „ja“ left", Marks::QUOTED), ["yes", "no", "ja"]);
        assert_eq!(with("a \"b c\n\nd", Marks::QUOTED), ["b", "c"]);
        assert_eq!(with("“a b” c\n\n“d e” f\u{C}\"g\" h", Marks::QUOTED), ["a", "b", "d", "e", "g"]);
        assert_eq!(with("He said: \"\"Yes\" and no", Marks::QUOTED), ["Yes"]);
        assert_eq!(with("> quoted\nnot", Marks::QUOTED), ["quoted"]);
    }

    proptest! {
        #[test]
        fn code_is_code_whoever_asks(text in "(a b|let x = y\\(1\\);|#if X_Y|// c|[{};]|\n|\r\n|\u{2028}| |\\(|\"|/){0,12}", cut in 0usize..8) {
            let (mut tokens, mut out) = (Tokens::default(), Vec::new());
            tokenize(&text, &mut tokens);
            marks(&text, &tokens.spans, &mut out);
            let bytes = u32::try_from(text.len()).expect("short");
            prop_assert_eq!(is_code(&text, Span::new(0, bytes), &tokens.spans), out.iter().all(|m| m.has(Marks::CODE)));
            // Seen from the end of a token on, as if the text began there.
            if let Some(&Span { end, .. }) = tokens.spans.get(cut) {
                let rest: Vec<ByteSpan> = tokens.spans[cut + 1..].iter().map(|t| Span::new(t.start - end, t.end - end)).collect();
                marks(&text[end as usize..], &rest, &mut out);
                let seen = is_code(&text, Span::new(end, bytes), &tokens.spans[cut + 1..]);
                prop_assert_eq!(seen, out.iter().all(|m| m.has(Marks::CODE)));
            }
        }
    }

    #[test]
    fn code_is_told_from_prose() {
        let text = "fn main() {\n    let x = f(1);\n}\nPlain (prose) here, see http://a.example/?x=1&y=2;\n";
        assert_eq!(with(text, Marks::CODE), ["fn", "main", "let", "x", "f", "1"]);
    }
}
