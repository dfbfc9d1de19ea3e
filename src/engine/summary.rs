//! What a run did, in numbers: the whole of `summary.json`.
//!
//! The names are stable: a release may add a field, [`SUMMARY_VERSION`] rises when one changes its meaning or goes.
//! Sizes are in bytes, shares lie in `0..=1`, and "text" counts the UTF-8 bytes of the text field after decoding.
//! Times and other things that differ from run to run live in [`Resources`] and nowhere else in the output, so
//! everything but that part is the same for the same input and options.

use super::options::{Mode, Options};
use crate::plan::lines::{BlockDecision, BlockLine, ClusterLine, beginning};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// Version of the layout of `summary.json`.
pub const SUMMARY_VERSION: u32 = 1;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// The release of descale that ran, as in `0.1.0`.
    pub version: String,
    /// Version of this layout: [`SUMMARY_VERSION`].
    pub summary_version: u32,
    /// What was asked for.
    pub mode: Mode,
    /// Every option as it took effect.
    pub options: Options,
    /// What was read.
    pub inputs: Inputs,
    /// What the near-duplicate way found; `null` when it did not run.
    pub near: Option<NearSummary>,
    /// What the block way found; `null` when it did not run.
    pub blocks: Option<BlockSummary>,
    /// What was written, or would have been without `scan` or `--dry-run`.
    pub outputs: Outputs,
    /// How what was found is spread.
    #[serde(default)]
    pub distributions: Distributions,
    /// What it cost.
    pub resources: Resources,
    /// The largest finds, for a screen. Not in `summary.json`: who reads that has the other files beside it.
    #[serde(skip)]
    pub highlights: Highlights,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Inputs {
    /// Files.
    pub files: u64,
    /// Records, the bad ones included.
    pub records: u64,
    /// Records that could not be read and were passed over (`--on-bad-record skip`).
    pub bad_records: u64,
    /// Bytes of the files as they lie on disk.
    pub bytes: u64,
    /// UTF-8 bytes of the texts.
    pub text_bytes: u64,
    /// Tokens of the texts.
    pub tokens: u64,
}

/// What the near-duplicate way found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NearSummary {
    /// Documents dropped because another has the same tokens in the same order.
    pub exact_duplicates: u64,
    /// Documents dropped because their Jaccard similarity to another reaches the threshold.
    pub near_duplicates: u64,
    /// Documents dropped because they lie inside a larger one.
    pub contained: u64,
    /// Clusters of two documents and more.
    pub clusters: u64,
    /// Bands of the sketch.
    pub bands: u32,
    /// Rows in a band.
    pub rows: u32,
    /// The chance of a pair to become a candidate, by similarity, ascending.
    pub s_curve: Vec<SCurvePoint>,
    /// The chance of a pair at the threshold to become a candidate.
    pub expected_recall: f64,
    /// Pairs of a document and its twin that are expected to have been missed: for each near-duplicate found,
    /// `(1 - p) / p`, with `p` the chance at its similarity.
    #[serde(default)]
    pub expected_misses: f64,
}

/// One row of the table that says what the banding finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SCurvePoint {
    /// Jaccard similarity of a pair.
    pub similarity: f64,
    /// Chance of that pair to become a candidate.
    pub probability: f64,
}

/// What the block way found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BlockSummary {
    /// Blocks found, whatever was decided about them; of those that stay `blocks.jsonl` lists the 10,000 with the most
    /// tokens in all their copies.
    pub found: u64,
    /// Blocks of which at least one copy goes.
    pub stripped: u64,
    /// Copies that go.
    pub occurrences: u64,
    /// UTF-8 bytes of text that go with them.
    pub removed_bytes: u64,
    /// Documents that lose text.
    pub edited_documents: u64,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Outputs {
    /// Records left.
    pub records: u64,
    /// Records dropped as duplicates.
    pub dropped: u64,
    /// Records left with less text.
    pub edited: u64,
    /// Bytes of the records written: of the files in `data/`, as they lie on disk, or of what went to standard output;
    /// 0 when none were.
    pub bytes: u64,
    /// UTF-8 bytes of text removed, by dropping and by stripping.
    pub removed_text_bytes: u64,
    /// Dropped records as a share of the records read.
    pub duplicate_share: f64,
    /// Removed text as a share of the text read.
    pub removed_bytes_share: f64,
}

/// What a run cost. Differs from run to run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resources {
    /// Seconds on the clock.
    pub wall_seconds: f64,
    /// Seconds of all cores together; 0 where the system does not tell.
    pub cpu_seconds: f64,
    /// The most memory the process held, in bytes; 0 where the system does not tell.
    pub peak_memory_bytes: u64,
    /// Bytes written to temporary files.
    pub spill_bytes: u64,
    /// Text read per second and core: millions of bytes of text by `cpu_seconds`.
    pub mb_per_cpu_second: f64,
}

/// How what was found is spread. Bins without a count are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Distributions {
    /// Dropped documents by similarity to the kept one.
    pub similarity: Vec<Bin>,
    /// Blocks by tokens of the template; a bin is twice as wide as the one before.
    pub block_tokens: Vec<Bin>,
    /// Edited documents by the share of their text that was cut out.
    pub removed_share: Vec<Bin>,
}

/// A bar of a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bin {
    /// Least value inside.
    pub from: f64,
    /// First value after; a share of 1 lies in the last bin.
    pub to: f64,
    /// How many.
    pub count: u64,
}

/// Bins of a share.
const SHARE_BINS: u32 = 50;

impl Distributions {
    /// Counts a dropped document.
    pub fn add_similarity(&mut self, similarity: f64) {
        count(&mut self.similarity, share_bin(similarity));
    }

    /// Counts a block.
    pub fn add_block(&mut self, tokens: u64) {
        let from = 1u64 << tokens.max(1).ilog2();
        #[expect(clippy::cast_precision_loss, reason = "a power of two")]
        count(&mut self.block_tokens, Bin { from: from as f64, to: from as f64 * 2.0, count: 1 });
    }

    /// Counts an edited document that lost `removed` of its `whole` bytes.
    pub fn add_document(&mut self, removed: u64, whole: u64) {
        count(&mut self.removed_share, share_bin(share(removed, whole)));
    }

    /// Adds what another part of the run counted. The order of parts does not matter.
    pub fn merge(&mut self, other: &Self) {
        let pairs = [
            (&mut self.similarity, &other.similarity),
            (&mut self.block_tokens, &other.block_tokens),
            (&mut self.removed_share, &other.removed_share),
        ];
        for (into, from) in pairs {
            from.iter().for_each(|&bin| count(into, bin));
        }
    }
}

/// The bin of a share. What lies a rounding error below a border counts as on it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..SHARE_BINS")]
fn share_bin(share: f64) -> Bin {
    let bins = f64::from(SHARE_BINS);
    let at = ((share.clamp(0.0, 1.0) * bins + 1e-9) as u32).min(SHARE_BINS - 1);
    Bin { from: f64::from(at) / bins, to: f64::from(at + 1) / bins, count: 1 }
}

fn count(bins: &mut Vec<Bin>, bin: Bin) {
    let at = bins.partition_point(|other| other.from < bin.from);
    match bins.get_mut(at).filter(|other| other.from <= bin.from) {
        Some(same) => same.count += bin.count,
        None => bins.insert(at, bin),
    }
}

/// The largest finds of a run, for a screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Highlights {
    /// The weightiest blocks ([`BlockLine::rank`]), at most [`Highlights::BLOCKS`].
    pub blocks: Vec<TopBlock>,
    /// The largest clusters, at most [`Highlights::CLUSTERS`].
    pub clusters: Vec<TopCluster>,
}

/// A block that is worth a line on the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct TopBlock {
    /// [`BlockLine::id`].
    pub id: u64,
    /// The beginning of the template.
    pub template: String,
    /// Occurrences.
    pub copies: u64,
    /// Documents it occurs in.
    pub documents: u64,
    /// What was decided.
    pub decision: BlockDecision,
    /// The rule that decided.
    pub why: String,
    rank: (Reverse<u64>, Reverse<u64>, u64),
}

/// A cluster that is worth a line on the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct TopCluster {
    /// [`ClusterLine::id`].
    pub id: u64,
    /// The document that stays.
    pub kept: String,
    /// Members, the kept one included.
    pub members: u64,
    /// The least similarity of a member to the kept one.
    pub least_similarity: f64,
}

impl Highlights {
    /// Most blocks that are kept.
    pub const BLOCKS: usize = 10;
    /// Most clusters that are kept.
    pub const CLUSTERS: usize = 5;
    /// Bytes of a template that are kept: several lines of a terminal.
    const TEMPLATE_BYTES: usize = 600;

    /// Keeps the block if it is among the weightiest so far. The order of calls does not matter.
    pub fn see_block(&mut self, block: &BlockLine) {
        let rank = block.rank();
        let at = self.blocks.partition_point(|other| other.rank < rank);
        if at < Self::BLOCKS {
            let template = beginning(&block.template, Self::TEMPLATE_BYTES).into();
            let &BlockLine { id, copies, documents, decision, .. } = block;
            let why = block.why.clone();
            self.blocks.truncate(Self::BLOCKS - 1);
            self.blocks.insert(at, TopBlock { id, template, copies, documents, decision, why, rank });
        }
    }

    /// Keeps the cluster if it is among the largest so far. The order of calls does not matter.
    pub fn see_cluster(&mut self, cluster: &ClusterLine) {
        let (id, members) = (cluster.id, cluster.members.len() as u64);
        let at = self.clusters.partition_point(|other| (Reverse(other.members), other.id) < (Reverse(members), id));
        if at < Self::CLUSTERS {
            let (kept, least_similarity) = (cluster.kept.clone(), cluster.least_similarity());
            self.clusters.truncate(Self::CLUSTERS - 1);
            self.clusters.insert(at, TopCluster { id, kept, members, least_similarity });
        }
    }
}

/// `part / whole`, and 0 of nothing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a share is read to a few digits")]
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// CPU seconds and the most memory of this process; zeros where the system does not tell.
#[must_use]
pub fn process_usage() -> (f64, u64) {
    let peak = status_bytes("VmHWM:");
    // Fields 14 and 15 of stat, in hundredths of a second; the command in field 2 may hold spaces, so count from its end.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: u32 = after.split(' ').skip(11).take(2).filter_map(|t| t.parse::<u32>().ok()).sum();
    (f64::from(ticks) / 100.0, peak)
}

/// Bytes of memory that this process holds now; 0 where the system does not tell.
pub(super) fn resident_bytes() -> u64 {
    status_bytes("VmRSS:")
}

/// A field of the process's status that counts kilobytes.
fn status_bytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = field.and_then(|field| field.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_survives_json() {
        let summary = Summary { near: Some(NearSummary::default()), ..Summary::default() };
        let text = serde_json::to_string(&summary).unwrap();
        assert!(text.contains(r#""blocks":null"#), "{text}");
        assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
    }

    #[test]
    fn bins_are_half_open_and_merge_in_any_order() {
        let (mut left, mut right) = (Distributions::default(), Distributions::default());
        [1.0, 0.82, 0.999].into_iter().for_each(|s| left.add_similarity(s));
        [0.82, 0.8].into_iter().for_each(|s| right.add_similarity(s));
        [8, 15, 16].into_iter().for_each(|n| right.add_block(n));
        right.add_document(1, 4);
        let (mut one, mut other) = (left.clone(), right.clone());
        one.merge(&right);
        other.merge(&left);
        assert_eq!(one, other);
        assert_eq!(
            one.similarity.iter().map(|b| (b.from, b.count)).collect::<Vec<_>>(),
            [(0.8, 1), (0.82, 2), (0.98, 2)]
        );
        assert_eq!(
            one.block_tokens.iter().map(|b| (b.from, b.to, b.count)).collect::<Vec<_>>(),
            [(8., 16., 2), (16., 32., 1)]
        );
        assert_eq!(one.removed_share, [Bin { from: 0.24, to: 0.26, count: 1 }]);
    }

    #[test]
    fn highlights_are_the_largest_in_any_order() {
        let cluster = |id: u64| ClusterLine {
            id,
            kept: format!("d{id}"),
            members: vec![crate::plan::lines::Member { id: String::new(), similarity: 0.9 }; 2 + (id % 4) as usize],
        };
        let seen = |ids: &mut dyn Iterator<Item = u64>| {
            let mut highlights = Highlights::default();
            ids.for_each(|id| highlights.see_cluster(&cluster(id)));
            highlights.clusters.iter().map(|c| c.id).collect::<Vec<_>>()
        };
        assert_eq!(seen(&mut (1..20)), [3, 7, 11, 15, 19]);
        assert_eq!(seen(&mut (1..20).rev()), [3, 7, 11, 15, 19]);
    }

    #[test]
    fn nothing_has_no_share() {
        assert_eq!([share(1, 4), share(0, 0)], [0.25, 0.0]);
    }
}
