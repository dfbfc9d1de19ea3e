//! How does a token stand on the page? At the edge of a line, a paragraph, a sentence; in quotation marks; in code.
//!
//! Tokens say what a text says; whether a repeated passage is boilerplate also depends on how it is set. The marks
//! are read off the characters between the tokens, in one pass, and travel with the token's grams.

use crate::span::ByteSpan;

/// The marks of one token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(pub u16);

impl Marks {
    /// First token of its line.
    pub const LINE_START: Self = Self(1);
    /// Last token of its line.
    pub const LINE_END: Self = Self(1 << 1);
    /// First token of its paragraph.
    pub const PARAGRAPH_START: Self = Self(1 << 2);
    /// Last token of its paragraph.
    pub const PARAGRAPH_END: Self = Self(1 << 3);
    /// First token of a sentence.
    pub const SENTENCE_START: Self = Self(1 << 4);
    /// Last token of a sentence.
    pub const SENTENCE_END: Self = Self(1 << 5);
    /// Between quotation marks, or on a line that quotes (`>`).
    pub const QUOTED: Self = Self(1 << 6);
    /// On a line of program code.
    pub const CODE: Self = Self(1 << 7);
    /// Beside a mark of contact details and legal notices: `@ © ® ™ §`, `://`, `www.`, `+49`.
    pub const CONTACT: Self = Self(1 << 8);

    /// Whether any of `other`'s marks is set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Replaces `out` by the marks of every token. `O(bytes)`.
pub fn marks(text: &str, tokens: &[ByteSpan], out: &mut Vec<Marks>) {
    out.clear();
    out.resize(tokens.len(), Marks::default());
    let mut quotes = Quotes::default();
    let mut line = Line::default();
    let mut line_from = 0;
    for i in 0..=tokens.len() {
        let start = if i == 0 { 0 } else { tokens[i - 1].end as usize };
        let end = tokens.get(i).map_or(text.len(), |t| t.start as usize);
        let gap = Gap::read(&text[start..end], i == 0, i == tokens.len(), &mut quotes, &mut line);
        if gap.line_break {
            line.close(&mut out[line_from..i]);
            line_from = i;
            line.open(gap.after_break);
        }
        if let Some(before) = i.checked_sub(1) {
            gap.mark_before(&mut out[before]);
        }
        if let Some(after) = out.get_mut(i) {
            gap.mark_after(after, &quotes);
            line.characters += tokens[i].len();
        }
    }
}

/// What stands between two tokens.
#[derive(Default)]
struct Gap<'a> {
    line_break: bool,
    paragraph_break: bool,
    sentence_break: bool,
    contact: bool,
    /// From the last line break on.
    after_break: &'a str,
}

impl<'a> Gap<'a> {
    fn read(gap: &'a str, first: bool, last: bool, quotes: &mut Quotes, line: &mut Line) -> Self {
        let mut breaks = 0;
        let mut sentence = false;
        for (i, c) in gap.char_indices() {
            match c {
                '\n' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => breaks += 1 + u32::from(c == '\u{C}'),
                '.' | '!' | '?' | '。' | '！' | '？' | '…' | '।' => sentence = true,
                _ => {}
            }
            quotes.see(c, &gap[..i], &gap[i + c.len_utf8()..]);
            if breaks == 0 {
                line.see(c);
            }
        }
        let paragraph = breaks > 1 || first || last;
        if paragraph {
            quotes.reset();
        }
        let spaced =
            gap.ends_with(|c: char| c.is_whitespace() || matches!(c, '"' | '“' | '«' | '„' | '(')) || !gap.is_ascii();
        Self {
            line_break: breaks > 0 || first || last,
            paragraph_break: paragraph,
            sentence_break: breaks > 0 || first || last || (sentence && spaced),
            contact: gap.contains(['@', '©', '®', '™', '§']) || gap.contains("://") || gap.ends_with(" +"),
            after_break: gap.rfind('\n').map_or(gap, |at| &gap[at + 1..]),
        }
    }

    fn mark_before(&self, marks: &mut Marks) {
        if self.line_break {
            marks.add(Marks::LINE_END);
        }
        if self.paragraph_break {
            marks.add(Marks::PARAGRAPH_END);
        }
        if self.sentence_break {
            marks.add(Marks::SENTENCE_END);
        }
        if self.contact {
            marks.add(Marks::CONTACT);
        }
    }

    fn mark_after(&self, marks: &mut Marks, quotes: &Quotes) {
        if self.line_break {
            marks.add(Marks::LINE_START);
        }
        if self.paragraph_break {
            marks.add(Marks::PARAGRAPH_START);
        }
        if self.sentence_break {
            marks.add(Marks::SENTENCE_START);
        }
        if self.contact {
            marks.add(Marks::CONTACT);
        }
        if quotes.open() || self.after_break.starts_with('>') {
            marks.add(Marks::QUOTED);
        }
    }
}

/// Whether a quotation is open. Closed at the end of a paragraph, so that one stray mark does not quote a document.
#[derive(Default)]
struct Quotes {
    straight: bool,
    depth: u32,
}

impl Quotes {
    fn see(&mut self, c: char, _before: &str, _after: &str) {
        match c {
            '"' => self.straight = !self.straight,
            '„' | '«' | '「' | '『' | '‹' => self.depth += 1,
            // Closes in German what it opens in English.
            '“' => self.depth = if self.depth > 0 { self.depth - 1 } else { 1 },
            '”' | '»' | '」' | '』' | '›' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn open(&self) -> bool {
        self.straight || self.depth > 0
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Evidence for code on the current line.
#[derive(Default)]
struct Line {
    characters: u32,
    operators: u32,
    url: bool,
    last: Option<char>,
}

impl Line {
    fn open(&mut self, _indent: &str) {
        *self = Self::default();
    }

    fn see(&mut self, c: char) {
        if c.is_whitespace() {
            return;
        }
        self.characters += 1;
        self.url |= self.last == Some('/') && c == '/';
        if matches!(c, '{' | '}' | ';' | '=' | '(' | ')' | '[' | ']' | '<' | '>' | '_' | '&' | '|' | '$' | '\\' | '`') {
            self.operators += 1;
        }
        self.last = Some(c);
    }

    /// Code has an operator for every dozen characters, or ends in one that prose does not end in.
    fn close(&self, tokens: &mut [Marks]) {
        let dense = self.operators * 12 >= self.characters && self.operators >= 2;
        let ends = matches!(self.last, Some('{' | '}' | ';')) && self.operators >= 1;
        if (dense || ends) && !self.url {
            for marks in tokens {
                marks.add(Marks::CODE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Tokens, tokenize};

    fn with(text: &str, mark: Marks) -> Vec<&str> {
        let (mut tokens, mut out) = (Tokens::default(), Vec::new());
        tokenize(text, &mut tokens);
        marks(text, &tokens.spans, &mut out);
        tokens.spans.iter().zip(&out).filter(|(_, m)| m.has(mark)).map(|(s, _)| &text[s.range()]).collect()
    }

    #[test]
    fn edges_of_lines_paragraphs_and_sentences() {
        let text = "One two. Three\nfour five\n\n* six";
        assert_eq!(with(text, Marks::LINE_START), ["One", "four", "six"]);
        assert_eq!(with(text, Marks::LINE_END), ["Three", "five", "six"]);
        assert_eq!(with(text, Marks::PARAGRAPH_START), ["One", "six"]);
        assert_eq!(with(text, Marks::PARAGRAPH_END), ["five", "six"]);
        assert_eq!(with(text, Marks::SENTENCE_START), ["One", "Three", "four", "six"]);
    }

    #[test]
    fn quotations_end_with_their_marks_or_their_paragraph() {
        assert_eq!(with("He said \"yes no\" and „ja“ left", Marks::QUOTED), ["yes", "no", "ja"]);
        assert_eq!(with("a \"b c\n\nd", Marks::QUOTED), ["b", "c"]);
        assert_eq!(with("> quoted\nnot", Marks::QUOTED), ["quoted"]);
    }

    #[test]
    fn code_is_told_from_prose() {
        let text = "fn main() {\n    let x = f(1);\n}\nPlain (prose) here, see http://a.example/?x=1&y=2;\n";
        assert_eq!(with(text, Marks::CODE), ["fn", "main", "let", "x", "f", "1"]);
    }
}
