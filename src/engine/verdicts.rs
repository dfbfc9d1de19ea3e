//! The verdicts of the near-duplicate way, by document and by cluster, in few bytes: where all documents are somebody's
//! copy there is one for each. 32 bytes a verdict, and 4 while clusters are told of.

use crate::near::{Reason, Verdict};

/// Verdicts in the order of their documents.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    rows: Vec<Row>,
}

/// A verdict, with numbers of 8 bytes as two of 4: so they need no room between them.
#[derive(Clone, Copy, Debug)]
struct Row {
    doc: u32,
    /// The document itself if it stays.
    of: u32,
    root: u32,
    reason: Option<Reason>,
    similarity: [u32; 2],
    contained: [u32; 2],
}

#[expect(clippy::cast_possible_truncation, reason = "halves")]
fn halves(number: f64) -> [u32; 2] {
    [number.to_bits() as u32, (number.to_bits() >> 32) as u32]
}

fn whole([low, high]: [u32; 2]) -> f64 {
    f64::from_bits(u64::from(high) << 32 | u64::from(low))
}

impl From<Verdict> for Row {
    fn from(v: Verdict) -> Self {
        let [similarity, contained] = [v.similarity, v.contained].map(halves);
        Self { doc: v.doc, of: v.of.unwrap_or(v.doc), root: v.cluster_root, reason: v.reason, similarity, contained }
    }
}

impl Row {
    fn verdict(&self) -> Verdict {
        let &Self { doc, of, root, reason, similarity, contained } = self;
        let kept = of == doc;
        let [similarity, contained] = [similarity, contained].map(whole);
        Verdict { doc, of: (!kept).then_some(of), reason, kept, similarity, contained, cluster_root: root }
    }
}

impl Verdicts {
    /// Adds some, whatever their order; [`Self::sorted`] ends the filling.
    pub(super) fn extend(&mut self, verdicts: impl IntoIterator<Item = Verdict>) {
        self.rows.extend(verdicts.into_iter().map(Row::from));
    }

    /// Adds all of another.
    pub(super) fn append(&mut self, mut other: Self) {
        self.rows.append(&mut other.rows);
    }

    /// Puts them in the order of their documents.
    pub(super) fn sorted(mut self) -> Self {
        self.rows.sort_unstable_by_key(|row| row.doc);
        self.rows.shrink_to_fit();
        self
    }

    /// The verdict on a document.
    pub(super) fn get(&self, doc: u32) -> Option<Verdict> {
        self.rows.binary_search_by_key(&doc, |row| row.doc).ok().map(|at| self.rows[at].verdict())
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
            let mut verdicts = Verdicts::default();
            for part in all.chunks(7) {
                let mut of_part = Verdicts::default();
                of_part.extend(part.iter().copied());
                verdicts.append(of_part);
            }
            let verdicts = verdicts.sorted();
            let mut sorted = all.clone();
            sorted.sort_by_key(|v| v.doc);
            prop_assert_eq!(verdicts.iter().collect::<Vec<_>>(), sorted.clone());
            prop_assert_eq!(verdicts.get(17), Some(sorted[17]));
            prop_assert_eq!(verdicts.get(60), None);
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
