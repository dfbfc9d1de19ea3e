//! Near-duplicate documents: which documents say almost the same, and which of them stay.
//!
//! The way of a document, a file per step:
//!
//! 1. [`shingle`]: its token hashes become a set of shingles, the hashes of every run of `w` tokens;
//! 2. [`minhash`]: the set becomes a sketch, `K` minima that agree between two documents in about the share of
//!    their Jaccard similarity;
//! 3. [`lsh`]: the sketch becomes band keys; two documents that share one are *candidates*;
//! 4. [`verify`]: the exact similarity of two shingle sets, with an early way out; [`outline`]: the most it can be, at a
//!    glance;
//! 5. [`cluster`]: union-find, for components of candidates and of verified edges;
//! 6. [`decide`]: the greedy pass over one component of candidates, in keep order.
//!
//! [`options`] holds every number a user may set; [`Near`] is what they become once checked. Everything here is pure:
//! token hashes in, keys or verdicts out. No files, threads, clocks or printing, so the same functions run in one
//! process and in a cluster's shuffle.
//!
//! What is promised: a document is dropped only if a *kept* document has an exact Jaccard similarity of at least the
//! threshold with it (or, where asked for, holds it almost whole). What is not: that every such pair is found; a pair
//! at the threshold is a candidate with the probability [`Options::recall`], one above it with a higher one.
//!
//! ```
//! use descale::near::{Decider, Member, Near, Options};
//!
//! let near = Near::new(&Options::default())?;
//! let texts: [&[u64]; 3] = [&[1, 2, 3, 4, 5, 6, 7, 8, 9], &[21, 22, 23, 24, 25, 26], &[1, 2, 3, 4, 5, 6, 7, 8, 9]];
//! let (mut scratch, mut keys) = (Vec::new(), Vec::new());
//! near.keys(texts[0], &mut scratch, &mut keys); // what is shuffled: one key a band
//! assert_eq!(keys.len(), near.bands().bands());
//!
//! let mut decider = Decider::new(&near); // one per component of candidates
//! for (doc, tokens) in (0..).zip(texts) {
//!     decider.push(Member::new(doc, tokens, &near));
//! }
//! let verdicts = decider.finish();
//! assert_eq!(verdicts[2].of, Some(0));
//! assert!(verdicts[0].kept && verdicts[1].kept && !verdicts[2].kept);
//! # Ok::<(), descale::Error>(())
//! ```

pub mod cluster;
pub mod decide;
#[cfg(target_arch = "x86_64")]
mod kernel;
pub mod lsh;
pub mod minhash;
pub mod options;
pub mod outline;
pub mod shingle;
pub mod verify;

pub use cluster::Components;
pub use decide::{Decider, Foreseen, Member, Reason, Verdict, clustered};
pub use lsh::Bands;
pub use minhash::Sketcher;
pub use options::{Keep, Options, Rank, Unit};
pub use outline::Outline;

use crate::error::Result;
use crate::hash;
use crate::span::ByteSpan;
use crate::text::{Tokens, fold, is_word};

/// Options checked once and made ready: the entry to everything in this module.
#[derive(Clone, Debug)]
pub struct Near {
    options: Options,
    bands: Bands,
    sketcher: Sketcher,
}

impl Near {
    /// Checks the options and picks bands and rows for them.
    ///
    /// # Errors
    /// Usage, if an option is out of its range or threshold and recall together ask for too many minima.
    pub fn new(options: &Options) -> Result<Self> {
        options.check()?;
        let bands = Bands::for_recall(options.threshold, options.recall)?;
        let sketcher = Sketcher::new(bands.minima(), options.seed);
        Ok(Self { options: options.clone(), bands, sketcher })
    }

    /// The options it was made from.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The bands and rows picked for threshold and recall.
    #[must_use]
    pub fn bands(&self) -> Bands {
        self.bands
    }

    /// The sketcher, with as many minima as bands times rows.
    #[must_use]
    pub fn sketcher(&self) -> &Sketcher {
        &self.sketcher
    }

    /// What the shingles of a document are made of: the hashes of the tokens that no span of `hidden` touches, or of
    /// their letters. The spans ascend and are disjoint. `buffer` is overwritten where the tokens' own hashes will not do.
    pub fn units<'t>(
        &self,
        text: &str,
        tokens: &'t Tokens,
        hidden: impl IntoIterator<Item = ByteSpan>,
        buffer: &'t mut Vec<u64>,
    ) -> &'t [u64] {
        let letters = self.options.shingle_unit == Unit::Letters;
        let mut hidden = hidden.into_iter().peekable();
        if !letters && hidden.peek().is_none() {
            return &tokens.hashes;
        }
        buffer.clear();
        for (&hash, &span) in tokens.hashes.iter().zip(&tokens.spans) {
            while hidden.next_if(|h| h.end <= span.start).is_some() {}
            if hidden.peek().is_some_and(|h| h.start < span.end) {
                continue;
            }
            if letters {
                let folded = text[span.range()].chars().filter(|&c| is_word(c)).filter_map(fold);
                buffer.extend(folded.map(|c| hash::mix(u64::from(c))));
            } else {
                buffer.push(hash);
            }
        }
        buffer
    }

    /// The sorted shingle set of a document, from its token hashes. `O(n log n)`.
    pub fn shingle_set(&self, tokens: &[u64], out: &mut Vec<u64>) {
        shingle::shingle_set(tokens, self.options.shingle_tokens, out);
    }

    /// The sketch of a document, from its token hashes: [`Bands::minima`] words, or none for an empty document.
    /// `scratch` is overwritten. About 3 ns a token.
    pub fn sketch(&self, tokens: &[u64], scratch: &mut Vec<u64>, out: &mut Vec<u64>) {
        shingle::shingles(tokens, self.options.shingle_tokens, scratch);
        self.sketcher.sketch(scratch, out);
    }

    /// All keys of a document, from its token hashes: what is shuffled to find candidates.
    ///
    /// One even key a band; with [`Options::contain`] also odd ones ([`lsh::is_containment_key`]), one for every
    /// sixteenth shingle. None for an empty document, which is nobody's duplicate. `scratch` is overwritten.
    pub fn keys(&self, tokens: &[u64], scratch: &mut Vec<u64>, out: &mut Vec<u64>) {
        shingle::shingles(tokens, self.options.shingle_tokens, scratch);
        self.keys_of_shingles(scratch, out);
    }

    /// [`Near::keys`] from shingles, with or without repeats, in any order.
    pub fn keys_of_shingles(&self, shingles: &[u64], out: &mut Vec<u64>) {
        let mut sketch = Vec::with_capacity(self.bands.minima());
        self.sketcher.sketch(shingles, &mut sketch);
        out.clear();
        self.bands.append_keys(&sketch, out);
        if self.options.contain.is_some() {
            lsh::append_containment_keys(shingles, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_out_of_range_name_the_option_and_the_cure() {
        let cases = [
            Options { threshold: 0.0, ..Options::default() },
            Options { threshold: f64::NAN, ..Options::default() },
            Options { threshold: 1.01, ..Options::default() },
            Options { recall: 1.0, ..Options::default() },
            Options { recall: 0.0, ..Options::default() },
            Options { shingle_tokens: 0, ..Options::default() },
            Options { contain: Some(0.0), ..Options::default() },
            Options { threshold: 0.0001, recall: 0.999, ..Options::default() },
        ];
        for options in cases {
            let error = Near::new(&options).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Usage);
            assert!(error.to_string().contains("help:"), "{error}");
        }
    }

    #[test]
    fn an_empty_document_has_no_keys_and_a_short_one_has() {
        let near = Near::new(&Options { contain: Some(0.9), ..Options::default() }).unwrap();
        let (mut scratch, mut keys) = (Vec::new(), vec![1]);
        near.keys(&[], &mut scratch, &mut keys);
        assert!(keys.is_empty());
        near.keys(&[7], &mut scratch, &mut keys);
        assert!(keys.len() >= near.bands().bands());
    }

    #[test]
    fn a_list_and_its_set_have_the_same_keys() {
        let near = Near::new(&Options { contain: Some(0.9), ..Options::default() }).unwrap();
        let tokens: Vec<u64> = (0..400u64).map(|i| crate::hash::mix(i % 90)).collect();
        let (mut scratch, mut of_list, mut set, mut of_set) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        near.keys(&tokens, &mut scratch, &mut of_list);
        near.shingle_set(&tokens, &mut set);
        near.keys_of_shingles(&set, &mut of_set);
        assert_eq!(of_list, of_set);
    }

    #[test]
    fn units_are_tokens_or_letters_in_sight() {
        let text = "one two, three";
        let mut tokens = Tokens::default();
        crate::text::tokenize(text, &mut tokens);
        let count = |unit, hidden: &[ByteSpan]| {
            let near = Near::new(&Options { shingle_unit: unit, ..Options::default() }).unwrap();
            near.units(text, &tokens, hidden.iter().copied(), &mut Vec::new()).len()
        };
        let middle = [ByteSpan::new(5, 6)];
        assert_eq!([count(Unit::Words, &[]), count(Unit::Words, &middle)], [3, 2]);
        assert_eq!([count(Unit::Letters, &[]), count(Unit::Letters, &middle)], [11, 8]);
    }
}
