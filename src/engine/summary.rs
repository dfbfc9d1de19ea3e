//! What a run did, in numbers: the whole of `summary.json`.
//!
//! The names are stable: a release may add a field, [`SUMMARY_VERSION`] rises when one changes its meaning or goes.
//! Sizes are in bytes, shares lie in `0..=1`, and "text" counts the UTF-8 bytes of the text field after decoding.
//! Times and other things that differ from run to run live in [`Resources`] and nowhere else in the output, so
//! everything but that part is the same for the same input and options.

use super::options::{Mode, Options};
use serde::{Deserialize, Serialize};

/// Version of the layout of `summary.json`.
pub const SUMMARY_VERSION: u32 = 1;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// What it cost.
    pub resources: Resources,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// One row of the table that says what the banding finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SCurvePoint {
    /// Jaccard similarity of a pair.
    pub similarity: f64,
    /// Chance of that pair to become a candidate.
    pub probability: f64,
}

/// What the block way found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockSummary {
    /// Blocks found, whatever was decided about them.
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
pub struct Outputs {
    /// Records left.
    pub records: u64,
    /// Records dropped as duplicates.
    pub dropped: u64,
    /// Records left with less text.
    pub edited: u64,
    /// Bytes of the files written, as they lie on disk; 0 when nothing was.
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

/// `part / whole`, and 0 of nothing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a share is read to a few digits")]
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// CPU seconds and the most memory of this process; zeros where the system does not tell.
#[must_use]
pub fn process_usage() -> (f64, u64) {
    let field = |table: &str, name: &str| {
        let line = table.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = field(&status, "VmHWM:").unwrap_or(0) * 1024;
    // Fields 14 and 15 of stat, in hundredths of a second; the command in field 2 may hold spaces, so count from its end.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: u32 = after.split(' ').skip(11).take(2).filter_map(|t| t.parse::<u32>().ok()).sum();
    (f64::from(ticks) / 100.0, peak)
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
    fn nothing_has_no_share() {
        assert_eq!([share(1, 4), share(0, 0)], [0.25, 0.0]);
    }
}
