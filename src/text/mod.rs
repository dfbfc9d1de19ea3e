//! What does a text say, whatever its markup, spacing, case and Unicode form? Its tokens.
//!
//! A token is a maximal run of letters, marks and digits of the normalised view (NFKC, lower case, zero-width
//! characters and soft hyphens dropped, a word hyphenated at a line break joined); in scripts written without
//! spaces (Han, Kana, Thai, Lao, Khmer, Burmese) every character with its marks is one. Punctuation, HTML tags and
//! entities make none. A token is kept as the hash of its normalised bytes and its byte span in the original text,
//! so spans of tokens never split a character or a word.
//!
//! ```
//! use descale::text::{Tokens, tokenize};
//! let mut plain = Tokens::default();
//! let mut dressed = Tokens::default();
//! tokenize("Press contact: press@fernbridge.example", &mut plain);
//! tokenize("<p><b>PRESS</b> con-\ntact</p> * press @ fernbridge . example", &mut dressed);
//! assert_eq!(plain.hashes, dressed.hashes);
//! ```
//!
//! `kernel` finds runs of word bytes in blocks of 64 and hashes the plain ones; `scan` handles markup, hyphens and,
//! through `unicode`, the characters that cannot be folded one by one.

mod kernel;
mod scan;
mod unicode;

#[cfg(fuzzing)]
pub use scan::probe_kernels;
pub use scan::{tokenize, tokenize_words};
pub use unicode::{fold, is_word};

use crate::span::{ByteSpan, Span};

/// Version of the tokeniser: what outlives a run and was computed from tokens carries it.
pub const VERSION: u32 = 1;

/// The tokens of one document, in text order: parallel arrays, reused from document to document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// One hash per token, see [`crate::hash::word`].
    pub hashes: Vec<u64>,
    /// Where each token stands: UTF-8 bytes of the original text, disjoint and ascending.
    pub spans: Vec<ByteSpan>,
}

impl Tokens {
    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether the text says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    fn clear(&mut self) {
        self.hashes.clear();
        self.spans.clear();
    }

    fn push(&mut self, hash: u64, start: usize, end: usize) {
        let narrow = |x: usize| u32::try_from(x).expect("a document is shorter than 4 GiB");
        self.hashes.push(hash);
        self.spans.push(Span::new(narrow(start), narrow(end)));
    }
}
