//! Which tokens of a document can repeat? All but the running heads and feet of a paged text, which are set aside.

use super::{Options, page};
use crate::span::{ByteSpan, Span, TokenSpan};
use crate::text::{Tokens, tokenize};

/// One document, tokenised; buffers are reused from document to document.
#[derive(Debug, Default)]
pub struct Reading {
    /// All tokens.
    pub all: Tokens,
    /// The tokens between the running lines, which is what repeats are looked for in.
    pub body: Tokens,
    /// For each token of the body its place among all; empty if the two are the same.
    places: Vec<u32>,
    /// The running lines, as spans of all tokens.
    pub running: Vec<TokenSpan>,
    /// Whether running lines are looked for at all: a run that takes every repeat knows only tokens.
    has_lines: bool,
}

impl Reading {
    /// Buffers for reading as the options ask.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self { has_lines: !options.exact, ..Self::default() }
    }

    /// Reads a text for the first time. `O(bytes)`.
    pub fn read(&mut self, text: &str) {
        self.read_paged(text, true);
    }

    /// Reads a text; `paged` is false where it is known to have no running lines.
    pub fn read_paged(&mut self, text: &str, paged: bool) {
        tokenize(text, &mut self.all);
        let lines = if self.has_lines && paged { page::running_lines(text) } else { Vec::new() };
        self.running.clear();
        self.places.clear();
        self.body.hashes.clear();
        self.body.spans.clear();
        if lines.is_empty() {
            std::mem::swap(&mut self.all, &mut self.body);
            return;
        }
        self.running.extend(lines.iter().map(|line| tokens_of(&self.all.spans, *line)).filter(|s| !s.is_empty()));
        let mut running = self.running.iter().peekable();
        for (i, (&hash, &span)) in (0u32..).zip(self.all.hashes.iter().zip(&self.all.spans)) {
            while running.next_if(|r| r.end <= i).is_some() {}
            if running.peek().is_none_or(|r| i < r.start) {
                self.places.push(i);
                self.body.hashes.push(hash);
                self.body.spans.push(span);
            }
        }
    }

    /// Spans of all tokens, whichever buffer holds them.
    #[must_use]
    pub fn spans(&self) -> &[ByteSpan] {
        if self.places.is_empty() && self.running.is_empty() { &self.body.spans } else { &self.all.spans }
    }

    /// A span of the body's tokens as a span of all tokens.
    #[must_use]
    pub fn among_all(&self, body: TokenSpan) -> TokenSpan {
        if self.running.is_empty() || body.is_empty() {
            return body;
        }
        Span::new(self.places[body.start as usize], self.places[body.end as usize - 1] + 1)
    }
}

/// The tokens that lie in a range of bytes.
fn tokens_of(tokens: &[ByteSpan], bytes: ByteSpan) -> TokenSpan {
    let narrow = |n: usize| u32::try_from(n).expect("fewer tokens than bytes");
    let start = tokens.partition_point(|t| t.end <= bytes.start);
    let end = tokens.partition_point(|t| t.start < bytes.end);
    Span::new(narrow(start), narrow(end))
}
