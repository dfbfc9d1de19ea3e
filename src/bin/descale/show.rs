//! What the user sees: a bar while it works, a table when it is done, an error when it is not.
//!
//! All of it goes to standard error, the bar only when that is a terminal. No colours of our own, so there is nothing
//! for `NO_COLOR` to switch off.

use crate::stop::Stop;
use descale::engine::summary::{BlockSummary, NearSummary};
use descale::engine::{Progress, Summary};
use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::time::Duration;

const BAR: &str = "{msg:>12} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";
const SPINNER: &str = "{msg:>12} {spinner} {bytes} {bytes_per_sec}, {elapsed}";

/// A bar on standard error, one stage after the other; it passes a wish to stop on.
pub(crate) struct Bar {
    bar: ProgressBar,
    stop: Stop,
}

impl Bar {
    /// A bar; invisible when `quiet` or when standard error is no terminal.
    pub(crate) fn new(quiet: bool, stop: Stop) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Self { bar: ProgressBar::with_draw_target(None, target), stop }
    }
}

impl Progress for Bar {
    fn stage(&self, name: &'static str, total_bytes: u64) {
        let template = if total_bytes == 0 { SPINNER } else { BAR };
        self.bar.set_style(ProgressStyle::with_template(template).expect("both templates are well-formed"));
        self.bar.reset();
        self.bar.set_message(name);
        if total_bytes == 0 {
            self.bar.unset_length();
        } else {
            self.bar.set_length(total_bytes);
        }
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }

    fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn warn(&self, message: &str) {
        self.bar.suspend(|| note("warning", &message));
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn cancelled(&self) -> bool {
        self.stop.asked()
    }
}

/// One message on standard error. A closed standard error is nobody's loss.
pub(crate) fn note(kind: &str, message: &dyn Display) {
    let _ = writeln!(std::io::stderr(), "{kind}: {message}");
}

/// Text on standard error as it is.
pub(crate) fn text(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The summary for people, a fact a line.
pub(crate) fn table(summary: &Summary) -> String {
    let mut table = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(table, "{name:>12}  {value}");
    };
    let inputs = &summary.inputs;
    row("read", format!("{}, {}, {}", many(inputs.files, "file"), many(inputs.records, "record"), size(inputs.bytes)));
    if inputs.bad_records > 0 {
        row("bad", format!("{} passed over", many(inputs.bad_records, "record")));
    }
    if let Some(near) = &summary.near {
        row("duplicates", duplicates(near));
        row("banding", banding(near));
    }
    if let Some(blocks) = &summary.blocks {
        row("blocks", found(blocks));
    }
    row("left", left(summary));
    row("cost", cost(summary));
    if let (Some(out), true) = (&summary.options.out, !summary.options.dry_run) {
        row("results", out.display().to_string());
    }
    table
}

fn duplicates(near: &NearSummary) -> String {
    let NearSummary { exact_duplicates, near_duplicates, contained, clusters, .. } = near;
    let mut line = format!("{} exact, {} near", HumanCount(*exact_duplicates), HumanCount(*near_duplicates));
    if *contained > 0 {
        let _ = write!(line, ", {} contained", HumanCount(*contained));
    }
    line + &format!(", in {}", many(*clusters, "cluster"))
}

fn banding(near: &NearSummary) -> String {
    format!("{} bands of {} rows, finds {:.1} % at the threshold", near.bands, near.rows, near.expected_recall * 100.0)
}

fn found(blocks: &BlockSummary) -> String {
    format!(
        "{} of {} stripped, {}, {} out of {}",
        HumanCount(blocks.stripped),
        HumanCount(blocks.found),
        plural(blocks.occurrences, "copy", "copies"),
        size(blocks.removed_bytes),
        many(blocks.edited_documents, "document"),
    )
}

fn left(summary: &Summary) -> String {
    let outputs = &summary.outputs;
    format!(
        "{} ({} dropped, {} edited), {:.1} % of the text removed",
        many(outputs.records, "record"),
        HumanCount(outputs.dropped),
        HumanCount(outputs.edited),
        outputs.removed_bytes_share * 100.0,
    )
}

fn cost(summary: &Summary) -> String {
    let resources = &summary.resources;
    let wall = Duration::try_from_secs_f64(resources.wall_seconds).unwrap_or_default();
    let wall =
        if wall.as_secs() < 60 { format!("{:.1} s", wall.as_secs_f64()) } else { HumanDuration(wall).to_string() };
    let mut line = format!("{wall}, {} of memory", size(resources.peak_memory_bytes));
    if resources.spill_bytes > 0 {
        let _ = write!(line, ", {} spilled", size(resources.spill_bytes));
    }
    line + &format!(", {:.0} MB/s a core", resources.mb_per_cpu_second)
}

fn many(count: u64, noun: &str) -> String {
    plural(count, noun, &format!("{noun}s"))
}

fn plural(count: u64, one: &str, several: &str) -> String {
    format!("{} {}", HumanCount(count), if count == 1 { one } else { several })
}

fn size(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use descale::engine::{Options, summary};

    #[test]
    fn the_table_reads() {
        let summary = Summary {
            options: Options { out: Some("cleaned".into()), ..Options::default() },
            inputs: summary::Inputs { files: 1, records: 1234, bytes: 2048, bad_records: 1, ..Default::default() },
            near: Some(NearSummary { near_duplicates: 2, clusters: 1, bands: 20, rows: 6, ..Default::default() }),
            blocks: Some(BlockSummary { found: 3, stripped: 1, occurrences: 1, ..Default::default() }),
            outputs: summary::Outputs { records: 1232, dropped: 2, removed_bytes_share: 0.125, ..Default::default() },
            ..Summary::default()
        };
        let expected = [
            "        read  1 file, 1,234 records, 2.00 KiB",
            "         bad  1 record passed over",
            "  duplicates  0 exact, 2 near, in 1 cluster",
            "     banding  20 bands of 6 rows, finds 0.0 % at the threshold",
            "      blocks  1 of 3 stripped, 1 copy, 0 B out of 0 documents",
            "        left  1,232 records (2 dropped, 0 edited), 12.5 % of the text removed",
            "        cost  0.0 s, 0 B of memory, 0 MB/s a core",
            "     results  cleaned",
        ];
        assert_eq!(table(&summary).lines().collect::<Vec<_>>(), expected);
    }
}
