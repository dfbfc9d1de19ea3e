//! Writes the page: `page.html` with its gaps filled, rows streamed into it.
//!
//! A gap is `<!--@name-->`. The script and the style sheet are constant, so the policy can name them by hash; a test
//! holds the hashes to the files.

use super::best::Best;
use super::chart::{Axis, Chart, grouped};
use super::escape::{Escaped, script_json};
use super::gallery::Cluster;
use super::rows::{BlockRow, ClusterRow};
use super::{MAX_FULL_ROWS, MAX_ROWS};
use crate::engine::summary::{BlockSummary, NearSummary, Summary, share};
use crate::error::{Error, Result};
use crate::plan::lines::BlockLine;
use serde::Serialize;
use std::cmp::Reverse;
use std::fmt::Write as _;
use std::io::Write;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const STYLE_HASH: &str = "sha256-fiot9LUXoqtS+CEmEQakvyzNPgR3nNriBoV3BHfvM2U=";
const SCRIPT_HASH: &str = "sha256-6MEizEuBl4EyPGnTat4/UydoBPLu06nPQ5r9ZZpAhOo=";

/// Writes `report.html`: what `summary` counts, and the weightiest of `blocks` and `clusters`.
///
/// `O(lines)` time; memory does not depend on their number. Plain lines do as clusters ([`Cluster::from`]); those a
/// [`Gallery`](super::Gallery) has texts for are shown side by side. Where a way did not run, its lines are not read.
///
/// # Errors
/// Those of the lines, and [`ErrorKind::Resource`](crate::ErrorKind::Resource) when `out` fails.
pub fn html(
    summary: &Summary,
    blocks: impl IntoIterator<Item = Result<BlockLine>>,
    clusters: impl IntoIterator<Item = Result<Cluster>>,
    out: &mut impl Write,
) -> Result<()> {
    let (before, after) = PAGE.split_once("<!--@rows-->").expect("the page has a place for rows");
    put(out, &filled(before, summary))?;
    put(out, "{\"blocks\":")?;
    let ran = summary.blocks.is_some();
    write_rows(best_blocks(blocks.into_iter().take_while(|_| ran))?, out)?;
    put(out, ",\"clusters\":")?;
    let ran = summary.near.is_some();
    write_rows(best_clusters(clusters.into_iter().take_while(|_| ran))?, out)?;
    put(out, "}")?;
    put(out, &filled(after, summary))
}

fn put(out: &mut impl Write, text: &str) -> Result<()> {
    out.write_all(text.as_bytes()).map_err(|e| Error::io("write the report", "report.html", e))
}

/// What goes first: by the text it takes out.
fn best_blocks(lines: impl Iterator<Item = Result<BlockLine>>) -> Result<Best<impl Ord, BlockRow>> {
    let mut best = Best::lightened(MAX_ROWS, MAX_FULL_ROWS, BlockRow::lighten);
    for line in lines {
        let line = line?;
        best.offer(line.rank(), || BlockRow::from(&line));
    }
    Ok(best)
}

/// What goes first: clusters with texts, then the largest.
fn best_clusters(lines: impl Iterator<Item = Result<Cluster>>) -> Result<Best<impl Ord, ClusterRow>> {
    let mut best = Best::lightened(MAX_ROWS, MAX_FULL_ROWS, ClusterRow::lighten);
    for cluster in lines {
        let cluster = cluster?;
        let rank = (cluster.kept.is_none(), Reverse(cluster.line.members.len()), cluster.line.id);
        best.offer(rank, || ClusterRow::from(cluster));
    }
    Ok(best)
}

/// `{"all": how many there were, "rows": [...]}`, a row a line.
fn write_rows<R: Ord, T: Serialize>(best: Best<R, T>, out: &mut impl Write) -> Result<()> {
    put(out, &format!("{{\"all\":{},\"rows\":[", best.seen()))?;
    for (i, row) in best.finish().iter().enumerate() {
        let json = script_json(row).map_err(|e| Error::resource(format!("cannot write the report: {e}")))?;
        put(out, if i == 0 { "\n" } else { ",\n" })?;
        put(out, &json)?;
    }
    put(out, "]}")
}

/// A piece of the page with its gaps filled.
fn filled(piece: &str, summary: &Summary) -> String {
    let mut parts = piece.split("<!--@");
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let (gap, rest) = part.split_once("-->").expect("a gap of the page ends");
        out.push_str(&fill(gap, summary));
        out.push_str(rest);
    }
    out
}

fn fill(gap: &str, summary: &Summary) -> String {
    let hidden = |ran: bool| if ran { String::new() } else { " hidden".into() };
    match gap {
        "policy" => policy(),
        "style" => STYLE.into(),
        "script" => SCRIPT.into(),
        "version" => Escaped(&summary.version).to_string(),
        "over" => over(summary),
        "title" => title(summary),
        "story" => story(summary),
        "bar" => bar(summary),
        "figures" => figures(summary),
        "charts" => charts(summary),
        "options" => options(summary),
        "hide-blocks" => hidden(summary.blocks.is_some()),
        "hide-clusters" => hidden(summary.near.is_some()),
        _ => unreachable!("page.html has a gap that is not filled: {gap}"),
    }
}

/// Nothing from anywhere but this script and this style sheet; no text is ever parsed as markup.
fn policy() -> String {
    format!(
        "default-src 'none'; script-src '{SCRIPT_HASH}'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// Whether the records were written, and not only looked at.
fn done(summary: &Summary) -> bool {
    summary.options.writes_records()
}

fn over(summary: &Summary) -> String {
    let inputs = &summary.options.inputs;
    let named =
        inputs.iter().take(3).map(|name| format!("<bdi>{}</bdi>", Escaped(name))).collect::<Vec<_>>().join(", ");
    let rest = if inputs.len() > 3 { format!(" and {} more", grouped(inputs.len() as u64 - 3)) } else { String::new() };
    format!(" · {} · {named}{rest}", summary.mode)
}

fn title(summary: &Summary) -> String {
    let removed = summary.outputs.removed_text_bytes;
    match (removed, done(summary)) {
        (0, true) => "No text was removed".into(),
        (0, false) => "Nothing here would be removed".into(),
        (_, true) => format!("{} of the text was removed", per_cent(summary.outputs.removed_bytes_share)),
        (_, false) => format!("{} of the text would be removed", per_cent(summary.outputs.removed_bytes_share)),
    }
}

fn story(summary: &Summary) -> String {
    let (dropped, edited) = (summary.outputs.dropped, summary.outputs.edited);
    let mut parts = Vec::new();
    if summary.near.is_some() {
        let verb = if dropped == 1 { "duplicates another" } else { "duplicate others" };
        let fate = match (done(summary), dropped == 1) {
            (false, _) => "would be dropped",
            (true, true) => "was dropped",
            (true, false) => "were dropped",
        };
        parts.push(format!("<b>{}</b> {verb} and {fate}", grouped(dropped)));
    }
    if summary.blocks.is_some() {
        let verb = if done(summary) { "lost" } else { "would lose" };
        parts.push(format!("<b>{}</b> {verb} repeated blocks", grouped(edited)));
    }
    format!("Of <b>{}</b>, {}.", many(summary.inputs.records, "document"), parts.join(" and "))
}

/// The text of the input as one bar: what stays, what goes with documents, what goes with blocks.
fn bar(summary: &Summary) -> String {
    let whole = summary.inputs.text_bytes;
    let cut = summary.blocks.as_ref().map_or(0, |b| b.removed_bytes).min(whole);
    let twin = summary.outputs.removed_text_bytes.saturating_sub(cut).min(whole - cut);
    let left = whole - cut - twin;
    if whole == 0 {
        return String::new();
    }
    let (mut svg, mut legend, mut x) = (String::new(), String::new(), 0.0);
    for (class, name, bytes) in [("left", "stays", left), ("twin", "in duplicates", twin), ("cut", "in blocks", cut)] {
        let part = share(bytes, whole);
        // Whatever goes at all can be seen.
        let width = if bytes == 0 { 0.0 } else { (part * 100.0).max(0.4) };
        let _ = write!(svg, "<rect class=\"{class}\" x=\"{x:.2}%\" y=\"0\" width=\"{width:.2}%\" height=\"14\"/>");
        let _ = write!(legend, "<li><span class=\"key {class}\"></span>{} {name}</li>", per_cent(part));
        x += width;
    }
    format!(
        "<svg class=\"bar\" role=\"img\" aria-label=\"Share of the text, as listed below\">{svg}</svg>\
         <ul class=\"legend\" aria-label=\"Share of the text\">{legend}</ul>"
    )
}

fn figures(summary: &Summary) -> String {
    let (inputs, outputs) = (&summary.inputs, &summary.outputs);
    let mut out = String::new();
    let mut figure = |name: &str, value: String, detail: String| {
        let _ = write!(out, "\n<div><dt>{name}</dt><dd>{value}</dd><dd>{detail}</dd></div>");
    };
    let bad =
        if inputs.bad_records > 0 { format!(", {} unreadable", grouped(inputs.bad_records)) } else { String::new() };
    let read = format!("of {} in {}{bad}", grouped(inputs.records), many(inputs.files, "file"));
    figure("Documents left", grouped(outputs.records), read);
    let left = inputs.text_bytes.saturating_sub(outputs.removed_text_bytes);
    figure("Text left", size(left), format!("of {}", size(inputs.text_bytes)));
    if let Some(near) = &summary.near {
        figure("Duplicates", grouped(outputs.dropped), duplicates(near));
    }
    if let Some(blocks) = &summary.blocks {
        figure(
            if done(summary) { "Blocks cut out" } else { "Blocks to cut out" },
            grouped(blocks.stripped),
            found(blocks),
        );
    }
    out
}

fn duplicates(near: &NearSummary) -> String {
    let contained = if near.contained > 0 { format!(", {} contained", grouped(near.contained)) } else { String::new() };
    let (exact, similar) = (grouped(near.exact_duplicates), grouped(near.near_duplicates));
    format!("{exact} exact, {similar} near{contained}, in {}", many(near.clusters, "cluster"))
}

fn found(blocks: &BlockSummary) -> String {
    let copies = if blocks.occurrences == 1 { "copy" } else { "copies" };
    let documents = many(blocks.edited_documents, "document");
    format!("of {} found; {} {copies} in {documents}", grouped(blocks.found), grouped(blocks.occurrences))
}

fn charts(summary: &Summary) -> String {
    let spread = &summary.distributions;
    let similarity = Chart {
        title: "Similarity to the kept document",
        noun: "dropped documents",
        nothing: "No document is dropped.",
        bins: &spread.similarity,
        axis: Axis::Share,
    };
    let tokens = Chart {
        title: "Tokens of a block",
        noun: "blocks",
        nothing: "No passage repeats.",
        bins: &spread.block_tokens,
        axis: Axis::Doubling,
    };
    let removed = Chart {
        title: "Share of a document cut out",
        noun: "edited documents",
        nothing: "No document loses text.",
        bins: &spread.removed_share,
        axis: Axis::Share,
    };
    let mut out = String::new();
    if summary.near.is_some() {
        let _ = write!(out, "{similarity}");
    }
    if summary.blocks.is_some() {
        let _ = write!(out, "{tokens}{removed}");
    }
    out
}

/// The options that bear on the result; those of the machine do not.
fn options(summary: &Summary) -> String {
    let options = &summary.options;
    let mut records =
        vec![("text-field".into(), options.text_field.clone()), ("id-field".into(), options.id_field.clone())];
    records.extend(options.site_field.iter().map(|name| ("site-field".to_string(), name.clone())));
    let mut out = table("Records", records);
    if let Some(near) = &summary.near {
        let mut rows = settings(&options.near);
        rows.push(("bands × rows".into(), format!("{} × {}", near.bands, near.rows)));
        rows.push(("recall at the threshold".into(), per_cent(near.expected_recall)));
        out += &table("Near-duplicates", rows);
    }
    if summary.blocks.is_some() {
        out += &table("Blocks", settings(&options.block));
    }
    out
}

/// Options as names and values; what is not set is left out.
fn settings(options: &impl Serialize) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(all)) = serde_json::to_value(options) else { return Vec::new() };
    let shown = all.into_iter().filter(|(_, value)| !value.is_null());
    shown.map(|(name, value)| (name, plain(&value))).collect()
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Bool(on) => if *on { "on" } else { "off" }.into(),
        serde_json::Value::Array(all) if all.is_empty() => "none".into(),
        serde_json::Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn table(title: &str, rows: Vec<(String, String)>) -> String {
    let mut out = format!("<div>\n<h3>{title}</h3>\n<dl class=\"pairs\">\n");
    for (name, value) in rows {
        let _ = writeln!(out, "<div><dt>{}</dt><dd><bdi>{}</bdi></dd></div>", Escaped(&name), Escaped(&value));
    }
    out + "</dl>\n</div>\n"
}

fn many(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A share; neither nothing nor everything unless it is.
fn per_cent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    match text.as_str() {
        "0.0" if share > 0.0 => "under 0.1 %".into(),
        "100.0" if share < 1.0 => "over 99.9 %".into(),
        _ => format!("{} %", text.trim_end_matches(".0")),
    }
}

/// Bytes in units of 1024.
#[expect(clippy::cast_precision_loss, reason = "read to three digits")]
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut value, mut unit) = (bytes as f64, "B");
    for next in UNITS {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    let digits = if unit == "B" || value >= 100.0 { 0 } else { 1 };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_what_the_page_holds() {
        use sha2::{Digest, Sha256};
        for (file, text, named) in [("page.css", STYLE, STYLE_HASH), ("page.js", SCRIPT, SCRIPT_HASH)] {
            let hash = format!("sha256-{}", base64(&Sha256::digest(text)));
            assert_eq!(named, hash, "{file} changed: put its hash into the constant in this file");
            assert!(!text.contains("</") && !text.contains("<!--"), "{file} must not end its element");
        }
    }

    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let group = |chunk: &[u8]| {
            let bits = chunk.iter().chain(&[0, 0]).take(3).fold(0usize, |bits, &b| bits << 8 | usize::from(b));
            let digit = |i: usize| if i <= chunk.len() { DIGITS[bits >> (18 - 6 * i) & 63].into() } else { '=' };
            (0..4).map(digit).collect::<String>()
        };
        bytes.chunks(3).map(group).collect()
    }

    #[test]
    fn every_gap_is_filled() {
        let mut page = Vec::new();
        html(&Summary::default(), Vec::new(), Vec::new(), &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(!page.contains("<!--@"), "a gap is left");
        assert!(page.contains("{\"blocks\":{\"all\":0,\"rows\":[]},\"clusters\":{\"all\":0,\"rows\":[]}}"));
    }

    #[test]
    fn figures_read() {
        assert_eq!(
            [per_cent(0.0), per_cent(0.0001), per_cent(0.125), per_cent(1.0)],
            ["0 %", "under 0.1 %", "12.5 %", "100 %"]
        );
        assert_eq!(per_cent(0.99999), "over 99.9 %");
        assert_eq!([size(7), size(2048), size(999 << 20), size(5 << 40)], ["7 B", "2.0 KiB", "999 MiB", "5.0 TiB"]);
    }
}
