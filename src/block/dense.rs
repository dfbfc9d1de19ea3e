//! Which grams of a document are counted?
//!
//! Every gram in the regions around seeds that repeat, but those that say too little
//! ([`winnow::is_low_complexity`]); each with what its decision needs to know of its place on the page. `O(tokens)`.

use super::layout::marks;
use super::marks::{GramMarks, Marks};
use super::reading::Reading;
use super::strange::Vocabulary;
use super::{Options, winnow};
use crate::Result;
use crate::span::TokenSpan;

/// Room for the grams of one document; reused from document to document.
#[derive(Debug, Default)]
pub struct Dense {
    grams: Vec<u64>,
    layout: Vec<Marks>,
    vocabulary: Vocabulary,
}

impl Dense {
    /// Calls `each` with the hash of [`Options::gram_bits`], the position and the marks of every gram of `regions` that counts, ascending where
    /// the regions do.
    ///
    /// # Errors
    /// What `each` fails with.
    pub fn grams(
        &mut self,
        options: &Options,
        (text, reading): (&str, &Reading),
        regions: impl IntoIterator<Item = TokenSpan>,
        mut each: impl FnMut(u64, u32, GramMarks) -> Result<()>,
    ) -> Result<()> {
        let Self { grams, layout, vocabulary } = self;
        let k = options.counted_tokens();
        let spare = u64::BITS - options.gram_bits();
        let tokens = &reading.body.hashes;
        marks(text, &reading.body.spans, layout);
        vocabulary.mark(tokens, layout);
        for region in regions {
            let end = (region.end as usize + k - 1).min(tokens.len());
            let start = region.start as usize;
            winnow::grams(&tokens[start..end], k, grams);
            for (position, (&hash, gram)) in (region.start..).zip(grams.iter().zip(tokens[start..end].windows(k))) {
                let at = position as usize;
                if options.exact || !winnow::is_low_complexity(gram, &layout[at..at + k]) {
                    each(hash >> spare, position, GramMarks::of(layout[at], layout[at + k - 1]))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Span;

    #[test]
    fn a_region_has_the_grams_that_begin_in_it() {
        let options = Options::default();
        let mut reading = Reading::new(&options);
        let text = "one two three four five six seven eight nine ten, ten ten ten ten ten ten";
        reading.read(text);
        let mut found = Vec::new();
        let regions = [Span::new(1, 3), Span::new(8, 99)];
        let each = |hash, position, _| {
            found.push((position, hash));
            Ok(())
        };
        Dense::default().grams(&options, (text, &reading), regions, each).unwrap();
        let gram = |at: usize| crate::hash::tokens(&reading.body.hashes[at..at + 5]) >> (64 - options.gram_bits());
        // What begins with ten ten says too little.
        assert_eq!(found, [(1, gram(1)), (2, gram(2))]);
    }
}
