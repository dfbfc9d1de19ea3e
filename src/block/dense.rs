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

/// So many grams are sifted together: they stay in the first-level cache.
const AT_ONCE: usize = 512;

/// Room for the grams of one document; reused from document to document.
#[derive(Debug, Default)]
pub struct Dense {
    hashes: Vec<u64>,
    grams: Vec<(u64, u32)>,
    layout: Vec<Marks>,
    vocabulary: Vocabulary,
}

impl Dense {
    /// Calls `each` with the hashes of [`Options::hash_bits`] of all grams of each region, whether they count or not.
    pub fn hashes(
        &mut self,
        options: &Options,
        reading: &Reading,
        regions: impl IntoIterator<Item = TokenSpan>,
        mut each: impl FnMut(&[u64]),
    ) {
        for region in regions {
            self.read(options, &reading.body.hashes, region);
            each(&self.hashes);
        }
    }

    /// Calls `each` with the hash of [`Options::hash_bits`], the position and the marks of every gram of `regions` that counts,
    /// ascending where the regions do; `sift` takes out of hashes and positions what is not wanted.
    ///
    /// # Errors
    /// What `each` fails with.
    pub fn grams(
        &mut self,
        options: &Options,
        (text, reading): (&str, &Reading),
        regions: impl IntoIterator<Item = TokenSpan>,
        sift: impl Fn(&mut Vec<(u64, u32)>),
        mut each: impl FnMut(u64, u32, GramMarks) -> Result<()>,
    ) -> Result<()> {
        let k = options.counted_tokens();
        let tokens = &reading.body.hashes;
        marks(text, &reading.body.spans, &mut self.layout);
        self.vocabulary.mark(tokens, &mut self.layout);
        for region in regions {
            self.read(options, tokens, region);
            for (hashes, start) in self.hashes.chunks(AT_ONCE).zip((region.start..).step_by(AT_ONCE)) {
                self.grams.clear();
                self.grams.extend(hashes.iter().copied().zip(start..));
                sift(&mut self.grams);
                for &(hash, position) in &self.grams {
                    let (first, end) = (position as usize, position as usize + k);
                    let layout = &self.layout[first..end];
                    if options.exact || !winnow::is_low_complexity(&tokens[first..end], layout) {
                        each(hash, position, GramMarks::of(layout[0], layout[k - 1]))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The hashes of the grams that begin in a region.
    fn read(&mut self, options: &Options, tokens: &[u64], region: TokenSpan) {
        let k = options.counted_tokens();
        let end = (region.end as usize + k - 1).min(tokens.len());
        winnow::grams(&tokens[region.start as usize..end], k, &mut self.hashes);
        let spare = u64::BITS - options.hash_bits();
        self.hashes.iter_mut().for_each(|hash| *hash >>= spare);
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
        Dense::default().grams(&options, (text, &reading), regions, |_| {}, each).unwrap();
        let gram = |at: usize| crate::hash::tokens(&reading.body.hashes[at..at + 5]) >> (64 - options.hash_bits());
        // What begins with ten ten says too little.
        assert_eq!(found, [(1, gram(1)), (2, gram(2))]);

        let mut all = Vec::new();
        Dense::default().hashes(&options, &reading, regions, |hashes| all.push(hashes.to_vec()));
        assert_eq!(all, [vec![gram(1), gram(2)], (8..=11).map(gram).collect()]);
    }

    #[test]
    fn only_what_is_left_after_sifting_is_handed_on() {
        let options = Options { exact: true, ..Options::default() };
        let mut reading = Reading::new(&options);
        let text = "a ".repeat(3 * AT_ONCE);
        reading.read(&text);
        let mut found = Vec::new();
        let sift = |grams: &mut Vec<(u64, u32)>| grams.retain(|gram| gram.1 % 100 == 7);
        let each = |_, position, _| {
            found.push(position);
            Ok(())
        };
        Dense::default().grams(&options, (&text, &reading), [Span::new(3, 1400)], sift, each).unwrap();
        assert_eq!(found, (0..14).map(|i| 100 * i + 7).collect::<Vec<u32>>());
    }
}
