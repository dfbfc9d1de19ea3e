//! Which site is a document from, and how many documents has a site?
//!
//! A site's chrome stands on a good part of its pages, what its pages say on few: so a template's [`Spread`] over the
//! sites is evidence, where documents have sites. Sites are known by a hash of 32 bits: two of a million share one by a
//! chance of one in ten thousand, which costs a count. 4 bytes a document, 8 a site.

use super::template::Copy;
use crate::hash;
use std::collections::BTreeMap;

/// Documents of a site from which on the share of them that carry a block says something.
const MIN_SITE_DOCUMENTS: u32 = 3;

/// The sites of a corpus.
#[derive(Clone, Debug, Default)]
pub struct Sites {
    /// The site of each document, 0 where it has none; it may end early.
    of_doc: Vec<u32>,
    /// The documents of each site, ascending by site.
    documents: Vec<(u32, u32)>,
    /// Whether there is more than one.
    are_several: bool,
}

/// A site as a number other than 0.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "32 bits of a hash")]
pub fn code(site: &str) -> u32 {
    (hash::bytes(site.as_bytes(), 0) as u32).max(1)
}

/// How the documents of a template lie on sites.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Sites with one.
    pub sites: u32,
    /// Of the documents of a site, those with one; the largest such share. None where a document with one has no site,
    /// or a site of too few documents to tell, and where all documents are of one site.
    pub of_site: Option<f32>,
}

impl Sites {
    /// From the site of each document, 0 where it has none; documents after the last have none. `O(n log sites)`.
    #[must_use]
    pub fn new(of_doc: Vec<u32>) -> Self {
        let mut documents: BTreeMap<u32, u32> = BTreeMap::new();
        of_doc.iter().filter(|&&site| site != 0).for_each(|&site| *documents.entry(site).or_default() += 1);
        Self { of_doc, are_several: documents.len() > 1, documents: documents.into_iter().collect() }
    }

    /// Of some documents of a corpus: the site of each, 0 where it has none, the documents that each of these sites has in
    /// the corpus, ascending by site, and whether the corpus has several sites.
    #[must_use]
    pub fn of_part(of_doc: Vec<u32>, documents: Vec<(u32, u32)>, are_several: bool) -> Self {
        Self { of_doc, documents, are_several }
    }

    /// How the copies of one template, sorted by document, are spread. `O(n log n)`.
    #[must_use]
    pub fn spread(&self, copies: &[Copy]) -> Spread {
        if self.documents.is_empty() {
            return Spread::default();
        }
        let site = |of_doc: &[Copy]| self.of_doc.get(of_doc[0].doc as usize).copied().unwrap_or(0);
        let mut with: Vec<u32> = copies.chunk_by(|a, b| a.doc == b.doc).map(site).collect();
        with.sort_unstable();
        let mut spread = Spread { sites: 0, of_site: self.are_several.then_some(0.0) };
        for of_site in with.chunk_by(|a, b| a == b) {
            spread.sites += u32::from(of_site[0] != 0);
            let all = self.documents(of_site[0]);
            let share = (all >= MIN_SITE_DOCUMENTS).then(|| share(of_site.len(), all));
            spread.of_site = spread.of_site.zip(share).map(|(most, share)| most.max(share));
        }
        spread
    }

    /// The documents of a site.
    fn documents(&self, site: u32) -> u32 {
        self.documents.binary_search_by_key(&site, |s| s.0).map_or(0, |at| self.documents[at].1)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share, read by people and compared with two digits")]
fn share(part: usize, whole: u32) -> f32 {
    part as f32 / whole as f32
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small numbers")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn copies(docs: &[u32]) -> Vec<Copy> {
        docs.iter().map(|&doc| Copy { doc, ..Copy::default() }).collect()
    }

    #[test]
    fn a_block_is_as_much_of_a_site_as_of_the_site_it_fills_most() {
        let sites = Sites::new(vec![5, 5, 5, 5, 6, 6, 6, 0, 7]);
        let spread = |docs: &[u32]| sites.spread(&copies(docs));
        assert_eq!(spread(&[0, 0, 1]), Spread { sites: 1, of_site: Some(0.5) });
        assert_eq!(spread(&[0, 1, 4, 5, 6]), Spread { sites: 2, of_site: Some(1.0) });
        // A document without a site, a site of one document.
        assert_eq!(spread(&[0, 1, 7]), Spread { sites: 1, of_site: None });
        assert_eq!(spread(&[0, 99]), Spread { sites: 1, of_site: None });
        assert_eq!(spread(&[0, 8]), Spread { sites: 2, of_site: None });
        // One site alone.
        assert_eq!(Sites::new(vec![5; 4]).spread(&copies(&[0, 1])), Spread { sites: 1, of_site: None });
        assert_eq!(Sites::new(vec![0, 0]).spread(&copies(&[0, 1])), Spread::default());
    }

    proptest! {
        #[test]
        fn spread_is_what_counting_gives(
            of_doc in prop::collection::vec(0u32..5, 0..40),
            mut docs in prop::collection::vec(0u32..50, 1..60),
        ) {
            docs.sort_unstable();
            let site = |doc: u32| of_doc.get(doc as usize).copied().unwrap_or(0);
            let with: BTreeSet<u32> = docs.iter().copied().collect();
            let on: BTreeSet<u32> = with.iter().map(|&doc| site(doc)).collect();
            let shares = on.iter().map(|&s| {
                let all = of_doc.iter().filter(|&&other| other == s).count();
                let carry = with.iter().filter(|&&doc| site(doc) == s).count();
                (s != 0 && all >= 3).then(|| carry as f32 / all as f32)
            });
            let shares: Option<Vec<f32>> = shares.collect();
            let all: BTreeSet<u32> = of_doc.iter().copied().filter(|&site| site != 0).collect();
            let expected = Spread {
                sites: on.iter().filter(|&&site| site != 0).count() as u32,
                of_site: shares.filter(|_| all.len() > 1).and_then(|shares| shares.into_iter().reduce(f32::max)),
            };
            let whole = Sites::new(of_doc.clone());
            prop_assert_eq!(whole.spread(&copies(&docs)), expected);
            // Of what is known of these documents alone.
            let carried: Vec<(u32, u32)> = whole.documents.iter().copied().filter(|s| on.contains(&s.0)).collect();
            let part = Sites::of_part(of_doc, carried, whole.are_several);
            prop_assert_eq!(part.spread(&copies(&docs)), expected);
        }
    }
}
