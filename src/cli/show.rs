//! What the user sees: a bar while it works, a table and the largest finds when it is done, an error when it is not.
//!
//! All of it goes to standard error, the bar only when that is a terminal, and colours only when that is one that wants
//! them ([`Screen`]). Texts of the corpus come without control characters, so that none can command the terminal.

use super::stop::Stop;
use crate::engine::summary::{Bin, BlockSummary, Highlights, NearSummary, TopBlock, TopCluster};
use crate::engine::{Progress, Summary};
use crate::plan::lines::BlockDecision;
use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::time::Duration;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const BAR: &str = "{msg:>12} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";
const SPINNER: &str = "{msg:>12} {spinner} {bytes} {bytes_per_sec}, {elapsed}";

/// A bar on standard error, one stage after the other; it passes a wish to stop on.
pub(super) struct Bar {
    bar: ProgressBar,
    stop: Stop,
}

impl Bar {
    /// A bar; invisible when `quiet` or when standard error is no terminal.
    pub(super) fn new(quiet: bool, stop: Stop) -> Self {
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

    fn note(&self, message: &str) {
        if !self.bar.is_hidden() {
            self.bar.suspend(|| note("note", &message));
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn cancelled(&self) -> bool {
        self.stop.asked()
    }
}

/// One message on standard error. A closed standard error is nobody's loss.
pub(super) fn note(kind: &str, message: &dyn Display) {
    let _ = writeln!(std::io::stderr(), "{kind}: {message}");
}

/// Text on standard error as it is.
pub(super) fn text(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Where the story is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    /// Columns.
    width: usize,
    colours: bool,
}

/// Columns where nobody says how many there are.
const DEFAULT_WIDTH: usize = 100;
/// Least and most columns that lines are made for.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=140;
/// Columns of standard output.
pub(super) fn columns() -> usize {
    console::Term::stdout().size_checked().map_or(DEFAULT_WIDTH, |(_, columns)| columns.into())
}

/// Columns of a template below which the reason makes way.
const LEAST_TEMPLATE_WIDTH: usize = 16;
/// Most columns of a template.
const TEMPLATE_WIDTH: usize = 60;

impl Screen {
    /// Standard error. Colours need a terminal, and no `NO_COLOR` in the environment (<https://no-color.org>).
    pub(super) fn stderr() -> Self {
        let terminal = console::Term::stderr();
        let width = terminal.size_checked().map_or(DEFAULT_WIDTH, |(_, columns)| columns.into());
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            width: width.clamp(*WIDTHS.start(), *WIDTHS.end()),
            colours: wanted && terminal.features().colors_supported(),
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
}

/// The story of a run: the table, the largest finds, where the results lie. At most 40 lines.
pub(super) fn story(summary: &Summary, screen: Screen, verbose: bool) -> String {
    let mut story = table(summary, verbose);
    let Highlights { blocks, clusters } = &summary.highlights;
    if !blocks.is_empty() {
        let _ = writeln!(
            story,
            "\n{}  {}",
            screen.bold("Blocks"),
            screen.dim("copies × documents, decision, beginning, reason")
        );
        blocks.iter().for_each(|block| story.push_str(&block_line(block, screen)));
    }
    if !clusters.is_empty() {
        let _ = writeln!(
            story,
            "\n{}  {}",
            screen.bold("Clusters"),
            screen.dim("documents, least similarity, the one that stays")
        );
        clusters.iter().for_each(|cluster| story.push_str(&cluster_line(cluster, screen)));
    }
    let options = &summary.options;
    if let Some(out) = options.out.as_ref().filter(|_| !options.dry_run && !options.streams()) {
        let gap = if blocks.is_empty() && clusters.is_empty() { "" } else { "\n" };
        let _ = writeln!(story, "{gap}{:>12}  {}", "results", out.display());
    }
    story
}

fn block_line(block: &TopBlock, screen: Screen) -> String {
    let (decision, colour) = match block.decision {
        BlockDecision::Strip => ("goes", "31"),
        BlockDecision::KeepFirst => ("first", "33"),
        BlockDecision::Keep => ("stays", "32"),
    };
    let counts = format!("{:>7} × {:<6}", short(block.copies), short(block.documents));
    let room = screen.width.saturating_sub(counts.width() + decision.len().max(5) + 4);
    let why = one_line(&block.why.replace('-', " "), 24);
    // A narrow screen shows the text rather than the reason.
    let why = if room >= why.width() + 2 + LEAST_TEMPLATE_WIDTH { why } else { String::new() };
    let gap = if why.is_empty() { 0 } else { 2 + why.width() };
    let template = one_line(&block.template, (room - gap).min(TEMPLATE_WIDTH));
    let decision = screen.paint(colour, &format!("{decision:<5}"));
    let why = if why.is_empty() { why } else { format!("  {}", screen.dim(&why)) };
    format!("{counts}  {decision}  {template}{why}\n")
}

fn cluster_line(cluster: &TopCluster, screen: Screen) -> String {
    let alike = format!("{:.0} %", (cluster.least_similarity * 100.0).floor());
    let counts = format!("{:>7}  {alike:>6}", short(cluster.members));
    let kept = one_line(&cluster.kept, screen.width.saturating_sub(counts.width() + 4).min(TEMPLATE_WIDTH));
    format!("{counts}  {kept}\n")
}

/// A count in at most six columns.
fn short(count: u64) -> String {
    match count {
        0..=999_999 => count.to_string(),
        1_000_000..=999_999_999 => format!("{}M", count / 1_000_000),
        _ => format!("{}G", count / 1_000_000_000),
    }
}

/// The beginning of a text on one line of at most `columns`, without anything that commands a terminal or turns the
/// direction of what follows. One pass over what is shown.
fn one_line(text: &str, columns: usize) -> String {
    let mut line = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let gap = usize::from(!line.is_empty());
        for (i, c) in word.chars().filter(|&c| shows(c)).enumerate() {
            let space = if i == 0 { gap } else { 0 };
            let wide = c.width().unwrap_or(0);
            if width + space + wide + 1 > columns {
                line.push('…');
                return line;
            }
            line.extend(std::iter::repeat_n(' ', space));
            line.push(c);
            width += space + wide;
        }
    }
    line
}

/// Whether a character is there to be seen, and not to command. Marks without a base are few enough to let pass.
fn shows(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Bars of a histogram in one row of characters, with the first and the last border.
fn spark(bins: &[Bin], scale: f64) -> Option<String> {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = bins.iter().map(|bin| bin.count).max()?.max(1);
    let bar = |bin: &Bin| BARS[usize::try_from(bin.count.saturating_mul(7) / most).unwrap_or(7)];
    let bars: String = bins.iter().map(bar).collect();
    Some(format!("{:.0} {bars} {:.0}", bins.first()?.from * scale, bins.last()?.to * scale))
}

/// The summary for people, a fact a line.
fn table(summary: &Summary, verbose: bool) -> String {
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
        row("recall", recall(near, summary.options.near.threshold));
        if verbose {
            row("banding", banding(near));
        }
    }
    if let Some(blocks) = &summary.blocks {
        row("blocks", found(blocks));
    }
    row("left", left(summary));
    row("cost", cost(summary));
    if verbose {
        let spread = &summary.distributions;
        let bins = [
            ("similarity", &spread.similarity, 100.0, "%"),
            ("block size", &spread.block_tokens, 1.0, "tokens"),
            ("share cut", &spread.removed_share, 100.0, "%"),
        ];
        for (name, bins, scale, unit) in bins {
            spark(bins, scale).into_iter().for_each(|bars| row(name, format!("{bars} {unit}")));
        }
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

/// What the bands may have missed.
fn recall(near: &NearSummary, threshold: f64) -> String {
    let chance = near.expected_recall * 100.0;
    format!("{chance:.1} % of pairs alike by {threshold}, more above; about {:.1} missed", near.expected_misses)
}

/// Bands and rows, and the S-curve where it rises.
fn banding(near: &NearSummary) -> String {
    let mut line = format!("{} bands of {} rows; found by similarity:", near.bands, near.rows);
    let rising = near.s_curve.iter().filter(|point| (0.001..0.9995).contains(&point.probability));
    for point in rising {
        let _ = write!(line, " {:.2} {:.1} %", point.similarity, point.probability * 100.0);
    }
    line
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

pub(super) fn many(count: u64, noun: &str) -> String {
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
    use crate::engine::summary::SCurvePoint;
    use crate::engine::{Options, summary};
    use crate::plan::lines::{BlockLine, ClusterLine};

    #[test]
    fn the_table_reads() {
        let summary = Summary {
            options: Options { out: Some("cleaned".into()), ..Options::default() },
            inputs: summary::Inputs { files: 1, records: 1234, bytes: 2048, bad_records: 1, ..Default::default() },
            near: Some(NearSummary {
                near_duplicates: 2,
                clusters: 1,
                bands: 20,
                rows: 6,
                s_curve: [(0.0, 0.0), (0.75, 0.931), (1.0, 1.0)]
                    .map(|(similarity, probability)| SCurvePoint { similarity, probability })
                    .into(),
                expected_recall: 0.99,
                expected_misses: 0.26,
                ..Default::default()
            }),
            blocks: Some(BlockSummary { found: 3, stripped: 1, occurrences: 1, ..Default::default() }),
            outputs: summary::Outputs { records: 1232, dropped: 2, removed_bytes_share: 0.125, ..Default::default() },
            ..Summary::default()
        };
        let expected = [
            "        read  1 file, 1,234 records, 2.00 KiB",
            "         bad  1 record passed over",
            "  duplicates  0 exact, 2 near, in 1 cluster",
            "      recall  99.0 % of pairs alike by 0.8, more above; about 0.3 missed",
            "      blocks  1 of 3 stripped, 1 copy, 0 B out of 0 documents",
            "        left  1,232 records (2 dropped, 0 edited), 12.5 % of the text removed",
            "        cost  0.0 s, 0 B of memory, 0 MB/s a core",
            "     results  cleaned",
        ];
        assert_eq!(story(&summary, PLAIN, false).lines().collect::<Vec<_>>(), expected);
        assert!(
            story(&summary, PLAIN, true)
                .contains("     banding  20 bands of 6 rows; found by similarity: 0.75 93.1 %\n")
        );
    }

    const PLAIN: Screen = Screen { width: 80, colours: false };

    fn block(id: u64, template: &str) -> BlockLine {
        let mut line: BlockLine = serde_json::from_str(
            r#"{"id":0,"template":"","tokens":9,"copies":12345,"documents":5,"sites":0,"decision":"strip","why":"many-documents","examples":[]}"#,
        )
        .unwrap();
        (line.id, line.template) = (id, template.into());
        line
    }

    #[test]
    fn the_story_fits_the_screen() {
        let mut summary =
            Summary { options: Options { out: Some("o".into()), ..Options::default() }, ..Summary::default() };
        for id in 1..30 {
            let template = format!(
                "{} {}\x1b[31m\u{202e}\n\n{}",
                "词".repeat(usize::try_from(id).unwrap()),
                "e\u{301}".repeat(20),
                "long ".repeat(40)
            );
            summary.highlights.see_block(&block(id, &template));
            let member = crate::plan::lines::Member { id: String::new(), similarity: 0.899 };
            let line = ClusterLine { id, kept: "host/".repeat(30), members: vec![member; 2] };
            summary.highlights.see_cluster(&line);
        }
        for width in [40, 80, 140] {
            let story = story(&summary, Screen { width, colours: false }, true);
            assert!(story.lines().count() <= 40);
            let finds = story.lines().skip_while(|line| !line.starts_with("Blocks")).filter(|line| !line.contains(','));
            assert!(finds.clone().count() >= 15 && finds.clone().all(|line| line.width() <= width), "{story}");
            assert!(!story.contains(['\x1b', '\u{202e}']));
        }
        let painted = story(&summary, Screen { width: 80, colours: true }, false);
        assert_eq!(console::strip_ansi_codes(&painted), story(&summary, PLAIN, false));
    }

    #[test]
    fn a_find_is_a_line() {
        let screen = Screen { width: 60, ..PLAIN };
        let mut highlights = Highlights::default();
        highlights.see_block(&block(1, "We  use\ncookies and similar technologies"));
        assert_eq!(
            block_line(&highlights.blocks[0], screen),
            "  12345 × 5       goes   We use cookies and…  many documents\n"
        );
        assert_eq!([one_line("汉字汉字", 6), one_line("a\0b c", 9), one_line("", 5)], ["汉字…", "ab c", ""]);
    }

    #[test]
    fn bars_are_as_high_as_counts() {
        let bin = |from: f64, count| Bin { from, to: from + 0.1, count };
        assert_eq!(spark(&[bin(0.8, 1), bin(0.9, 8)], 100.0).unwrap(), "80 ▁█ 100");
        assert_eq!(spark(&[], 1.0), None);
    }
}
