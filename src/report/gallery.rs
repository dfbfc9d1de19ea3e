//! Which documents are shown side by side, and the beginnings of their texts.
//!
//! The page cannot hold every pair, and the texts are not at hand when clusters are decided. So a [`Gallery`] is told of
//! every cluster, picks some, and says while the input is read for the last time which documents it [wants](Gallery::wants).
//! It picks the largest clusters and those whose members are least alike: the first are what a user looks for, the
//! second where a wrong decision would show.

use super::best::Best;
use crate::plan::lines::{ClusterLine, beginning};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Clusters picked for their size, and as many again for their least similarity.
const CLUSTERS: usize = 32;
/// Dropped documents that are compared with the kept one.
const DROPPED: usize = 3;
/// Bytes of a text that are kept.
const EXCERPT_BYTES: usize = 16 << 10;

/// A cluster as it is decided, documents by number.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// [`ClusterLine::id`].
    pub cluster: u64,
    /// The document that stays.
    pub kept: u32,
    /// Those that go, with their similarity to the kept one.
    pub dropped: Vec<(u32, f64)>,
}

/// Chooses clusters and holds the texts of their documents: at most 4 MiB.
pub struct Gallery {
    groups: BTreeMap<u64, Group>,
    texts: BTreeMap<u32, Excerpt>,
}

/// A document that is shown, or its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The id of the document.
    pub id: String,
    /// The beginning of its text.
    pub text: String,
    /// Whether the text goes on.
    pub more: bool,
}

/// A line of `clusters.jsonl` with the texts the page compares.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// The line.
    pub line: ClusterLine,
    /// The kept document; `None` where none is shown.
    pub kept: Option<Excerpt>,
    /// Some of the dropped ones, least alike first.
    pub dropped: Vec<(Excerpt, f64)>,
}

impl From<ClusterLine> for Cluster {
    fn from(line: ClusterLine) -> Self {
        Self { line, kept: None, dropped: Vec::new() }
    }
}

impl Excerpt {
    /// The beginning of a text.
    #[must_use]
    pub fn new(id: String, text: &str) -> Self {
        let shown = beginning(text, EXCERPT_BYTES);
        Self { id, text: shown.into(), more: shown.len() < text.len() }
    }
}

impl Gallery {
    /// Picks among all clusters, whatever their order. `O(clusters)` time, constant memory.
    #[must_use]
    pub fn choose(groups: impl IntoIterator<Item = Group>) -> Self {
        let (mut largest, mut loosest) = (Best::new(CLUSTERS), Best::new(CLUSTERS));
        for mut group in groups {
            let id = group.cluster;
            let size = group.dropped.len();
            group.dropped.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
            let least = group.dropped.first().map_or(1.0, |d| d.1);
            group.dropped.truncate(DROPPED);
            largest.offer((Reverse(size), id), || group.clone());
            loosest.offer((Similarity(least), id), || group);
        }
        let chosen = largest.finish().into_iter().chain(loosest.finish());
        Self { groups: chosen.map(|group| (group.cluster, group)).collect(), texts: BTreeMap::new() }
    }

    /// The documents that are shown, ascending.
    #[must_use]
    pub fn wanted(&self) -> Vec<u32> {
        let docs =
            |group: &Group| std::iter::once(group.kept).chain(group.dropped.iter().map(|d| d.0)).collect::<Vec<_>>();
        let mut wanted: Vec<u32> = self.groups.values().flat_map(docs).collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// Takes the text of a wanted document.
    pub fn put(&mut self, doc: u32, excerpt: Excerpt) {
        self.texts.insert(doc, excerpt);
    }

    /// The line with the texts that were put.
    #[must_use]
    pub fn show(&self, line: ClusterLine) -> Cluster {
        let Some(group) = self.groups.get(&line.id) else { return line.into() };
        let text = |doc: u32| self.texts.get(&doc).cloned();
        let dropped = group.dropped.iter().filter_map(|&(doc, similarity)| Some((text(doc)?, similarity)));
        Cluster { line, kept: text(group.kept), dropped: dropped.collect() }
    }
}

/// A similarity that can be ordered.
#[derive(Clone, Copy, PartialEq)]
struct Similarity(f64);

impl Eq for Similarity {}

impl PartialOrd for Similarity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Similarity {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_and_loose_clusters_are_shown() {
        let group = |id: u32| {
            let size = if id == 500 { 9 } else { 1 };
            let similarity = if id == 700 { 0.5 } else { 0.9 };
            let dropped = (1..=size).map(|i| (id * 10 + i, similarity + f64::from(i) / 100.0)).collect();
            Group { cluster: id.into(), kept: id * 10, dropped }
        };
        let mut gallery = Gallery::choose((0..1000).map(group));
        let wanted = gallery.wanted();
        assert!([5000, 5001, 5003, 7000, 7001].iter().all(|doc| wanted.contains(doc)), "{wanted:?}");
        assert!(!wanted.contains(&5004) && wanted.len() <= 2 * CLUSTERS * (DROPPED + 1));
        gallery.put(7000, Excerpt::new("kept".into(), "text"));
        gallery.put(7001, Excerpt::new("gone".into(), &"é".repeat(EXCERPT_BYTES)));
        let line = |id| ClusterLine { id, kept: "kept".into(), members: Vec::new() };
        let shown = gallery.show(line(700));
        assert_eq!((shown.kept.unwrap().more, shown.dropped[0].0.more), (false, true));
        assert_eq!(gallery.show(line(999)), line(999).into());
    }
}
