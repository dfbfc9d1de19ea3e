//! The verdicts of the near-duplicate way, by document and by cluster, in few bytes: where all documents are somebody's
//! copy there is one for each. 32 bytes a verdict, and 4 while clusters are told of.
//!
//! They are found component by component, while the shingles of the candidates are at hand, and wait in a small shuffle until
//! those are gone.

use super::corpus::Corpus;
use super::near::narrow;
use crate::Result;
use crate::near::{Reason, Verdict};
use crate::shuffle::{Posting, Shuffle};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Verdicts in the order of their documents.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    rows: Vec<Row>,
}

/// A verdict without what the rest says, and with its shares as the bits they consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    doc: u32,
    /// The document itself if it stays.
    of: u32,
    root: u32,
    /// Place in [`REASONS`].
    reason: u8,
    similarity: u64,
    contained: u64,
}

const REASONS: [Option<Reason>; 4] = [None, Some(Reason::Exact), Some(Reason::Near), Some(Reason::Contained)];

impl From<Verdict> for Row {
    fn from(v: Verdict) -> Self {
        let [similarity, contained] = [v.similarity, v.contained].map(f64::to_bits);
        let reason = (0u8..).zip(REASONS).find(|(_, reason)| *reason == v.reason).map_or(0, |found| found.0);
        Self { doc: v.doc, of: v.of.unwrap_or(v.doc), root: v.cluster_root, reason, similarity, contained }
    }
}

impl Row {
    fn verdict(&self) -> Verdict {
        let &Self { doc, of, root, reason, similarity, contained } = self;
        let kept = of == doc;
        let [similarity, contained] = [similarity, contained].map(f64::from_bits);
        let reason = REASONS[usize::from(reason)];
        Verdict { doc, of: (!kept).then_some(of), reason, kept, similarity, contained, cluster_root: root }
    }
}

impl Posting for Row {
    const FIELDS: usize = 6;
    fn key(&self) -> u64 {
        self.doc.into()
    }
    fn split(&self, fields: &mut [u64]) {
        let [doc, of, root] = [self.doc, self.of, self.root].map(u64::from);
        fields.copy_from_slice(&[doc, of, root, self.reason.into(), self.similarity, self.contained]);
    }
    #[expect(clippy::cast_possible_truncation, reason = "as it was split")]
    fn join(fields: &[u64]) -> Self {
        let [doc, of, root] = [0, 1, 2].map(|at| narrow(fields[at]));
        Self { doc, of, root, reason: fields[3] as u8, similarity: fields[4], contained: fields[5] }
    }
}

impl FromIterator<Verdict> for Verdicts {
    /// From verdicts in any order.
    fn from_iter<I: IntoIterator<Item = Verdict>>(verdicts: I) -> Self {
        Self::sorted(verdicts.into_iter().map(Row::from).collect())
    }
}

impl Verdicts {
    /// All that were shuffled.
    pub(super) fn gather(corpus: &Corpus<'_>, shuffled: Shuffle<Row>) -> Result<Self> {
        let rows: Mutex<Vec<Row>> = Mutex::default();
        corpus.fold(shuffled, |_, mut groups| {
            let mut part = Vec::new();
            while let Some(mut group) = groups.next_group()? {
                group.for_each(|row| {
                    part.push(*row);
                    Ok(())
                })?;
            }
            rows.lock().unwrap_or_else(PoisonError::into_inner).append(&mut part);
            Ok(())
        })?;
        Ok(Self::sorted(rows.into_inner().unwrap_or_else(PoisonError::into_inner)))
    }

    fn sorted(mut rows: Vec<Row>) -> Self {
        rows.sort_unstable();
        rows.shrink_to_fit();
        Self { rows }
    }

    /// The verdict on a document.
    pub(super) fn get(&self, doc: u32) -> Option<Verdict> {
        self.rows.binary_search_by_key(&doc, |row| row.doc).ok().map(|at| self.rows[at].verdict())
    }

    /// The verdicts on some documents.
    pub(super) fn within(&self, docs: Range<u32>) -> impl Iterator<Item = Verdict> + '_ {
        let [start, end] = [docs.start, docs.end].map(|doc| self.rows.partition_point(|row| row.doc < doc));
        self.rows[start..end].iter().map(Row::verdict)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = Verdict> + '_ {
        self.rows.iter().map(Row::verdict)
    }

    /// The clusters in the order of their first members, each with its members in input order.
    pub(super) fn clusters(&self) -> Clusters<'_> {
        let mut order: Vec<u32> = (0u32..).zip(&self.rows).map(|(at, _)| at).collect();
        order.sort_unstable_by_key(|&at| (self.rows[at as usize].root, at));
        Clusters { verdicts: self, order }
    }

    /// The numbers of the clusters.
    pub(super) fn numbers(&self) -> Numbers {
        // A cluster is called by its first member.
        Numbers { roots: self.rows.iter().filter(|row| row.root == row.doc).map(|row| row.doc).collect() }
    }
}

/// The verdicts cluster by cluster.
pub(super) struct Clusters<'a> {
    verdicts: &'a Verdicts,
    order: Vec<u32>,
}

impl Clusters<'_> {
    /// The members of the cluster that begins at `from`, and where the next one begins; `None` after the last.
    pub(super) fn next(&self, from: usize) -> Option<(Vec<Verdict>, usize)> {
        let rows = &self.verdicts.rows;
        let rest = &self.order[from..];
        let root = rows[*rest.first()? as usize].root;
        let members = rest.iter().map(|&at| &rows[at as usize]).take_while(|row| row.root == root);
        let members: Vec<Verdict> = members.map(Row::verdict).collect();
        let next = from + members.len();
        Some((members, next))
    }

    /// All clusters, numbered from 1.
    pub(super) fn into_iter(self) -> impl Iterator<Item = (u64, Vec<Verdict>)> {
        let (mut from, mut number) = (0, 0);
        std::iter::from_fn(move || {
            let (members, next) = self.next(from)?;
            (from, number) = (next, number + 1);
            Some((number, members))
        })
    }
}

/// Which number a cluster has.
pub(super) struct Numbers {
    /// The first members of the clusters, ascending.
    roots: Vec<u32>,
}

impl Numbers {
    /// The number of the cluster of this root, from 1.
    pub(super) fn of(&self, root: u32) -> Option<u64> {
        self.roots.binary_search(&root).ok().map(|at| at as u64 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Options, Silent};
    use crate::io::Format;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Documents in clusters of their smallest member, some of which stay.
    fn verdict(doc: u32, root: u32, similarity: f64) -> Verdict {
        let kept = doc == root || doc.is_multiple_of(3);
        let reason = [Reason::Exact, Reason::Near, Reason::Contained][doc as usize % 3];
        let (of, reason) = if kept { (None, None) } else { (Some(root), Some(reason)) };
        Verdict { doc, of, reason, kept, similarity, contained: similarity / 3.0, cluster_root: root }
    }

    proptest! {
        #[test]
        fn verdicts_and_clusters_are_those_of_a_map(
            shuffled in Just((0u32..60).collect::<Vec<_>>()).prop_shuffle(),
            clusters in proptest::collection::vec(0usize..9, 60),
            similarity in 0.0f64..1.0,
        ) {
            let mut roots = [u32::MAX; 9];
            for (doc, &cluster) in (0u32..).zip(&clusters) {
                roots[cluster] = roots[cluster].min(doc);
            }
            let all: Vec<Verdict> =
                shuffled.iter().map(|&doc| verdict(doc, roots[clusters[doc as usize]], similarity)).collect();
            let options = Options { inputs: vec!["Cargo.toml".into()], format: Some(Format::Text), dry_run: true, ..Options::default() };
            let corpus = Corpus::open(&options, &Silent, None).unwrap();
            let shuffled = corpus.shuffle::<Row>(6).unwrap();
            all.iter().try_for_each(|&v| shuffled.scatter().push(v.into())).unwrap();
            let verdicts = Verdicts::gather(&corpus, shuffled).unwrap();
            prop_assert_eq!(&verdicts.rows, &all.iter().copied().collect::<Verdicts>().rows);
            let mut sorted = all.clone();
            sorted.sort_by_key(|v| v.doc);
            prop_assert_eq!(verdicts.iter().collect::<Vec<_>>(), sorted.clone());
            prop_assert_eq!(verdicts.get(17), Some(sorted[17]));
            prop_assert_eq!(verdicts.get(60), None);
            prop_assert_eq!(verdicts.within(7..19).collect::<Vec<_>>(), sorted[7..19].to_vec());
            let mut expected: BTreeMap<u32, Vec<Verdict>> = BTreeMap::new();
            sorted.into_iter().for_each(|v| expected.entry(v.cluster_root).or_default().push(v));
            let numbers = verdicts.numbers();
            let found: Vec<(u64, Vec<Verdict>)> = verdicts.clusters().into_iter().collect();
            prop_assert!(found.iter().all(|(number, members)| numbers.of(members[0].cluster_root) == Some(*number)));
            prop_assert_eq!(found, (1..).zip(expected.into_values()).collect::<Vec<_>>());
            prop_assert_eq!(numbers.of(61), None);
        }
    }

    #[test]
    fn a_verdict_takes_32_bytes() {
        assert_eq!(size_of::<Row>(), 32);
    }
}
