//! The conductors: the only place where the core, the machinery, the borders and the threads meet.
//!
//! [`run`] does what [`Options`] ask for: the block way (`block`), the near-duplicate way (`near`), then the plan and
//! the records (`rewrite`). Each way is a series of passes over the input (`corpus`) and folds over shuffles; between
//! them stand lists by document, in memory or on disk ([`Ledger`](crate::shuffle::Ledger)). [`explain`] and [`restore`] work on
//! what a run left behind.

mod block;
mod census;
mod corpus;
mod cuts;
mod explain;
mod flow;
mod kernel;
mod landing;
mod names;
mod near;
pub mod options;
pub mod progress;
mod rewrite;
mod room;
mod sets;
mod stages;
pub mod summary;
mod verdicts;

pub use explain::explain;
pub use options::{Mode, OnBadRecord, Options};
pub use progress::{Progress, Silent};
pub use summary::Summary;

use crate::io::{Nameless, OutDir, Remote, Results, Rows, is_url, restore_folder};
use crate::near::Near;
use crate::report::Gallery;
use crate::{Error, Result};
use census::Census;
use corpus::Corpus;
use cuts::Cuts;
use landing::Landing;
use rewrite::{Decided, Totals};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use summary::{
    BlockSummary, Distributions, Highlights, Inputs, NearSummary, Outputs, Resources, SCurvePoint, SUMMARY_VERSION,
    share,
};

/// Does what `options` ask for and says what it did.
///
/// # Errors
/// Of every [`ErrorKind`](crate::ErrorKind); nothing half-written is left under a final name.
pub fn run(options: &Options, progress: &dyn Progress) -> Result<Summary> {
    execute(options, progress, None, options.writes_records())
}

/// Decides as [`run`] does and writes plan, blocks, clusters and summary, but no records: for callers who apply the
/// plan themselves, or only want to look. The input is `table` where one is given, which the plan calls by the first
/// of the options' inputs; else the files these name.
///
/// # Errors
/// As [`run`].
pub fn plan(options: &Options, table: Option<Arc<dyn Rows>>, progress: &dyn Progress) -> Result<Summary> {
    execute(options, progress, table, false)
}

fn execute(
    options: &Options,
    progress: &dyn Progress,
    table: Option<Arc<dyn Rows>>,
    writes_records: bool,
) -> Result<Summary> {
    options.check()?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(|e| Error::resource(format!("cannot start threads: {e}")).cure("ask for fewer with --threads"))?;
    pool.install(|| conduct(options, progress, table, writes_records))
}

fn conduct(
    options: &Options,
    progress: &dyn Progress,
    table: Option<Arc<dyn Rows>>,
    writes_records: bool,
) -> Result<Summary> {
    let began = Instant::now();
    let corpus = Corpus::open(options, progress, table)?;
    let near = options.finds_near().then(|| Near::new(&options.near)).transpose()?;
    let landing = Landing::open(&corpus)?;
    let out = landing.out();
    room::check(&corpus, out.map(OutDir::path), writes_records)?;
    let decided = decide(&corpus, near.as_ref(), out)?;
    let (mut spread, mut highlights) = (Distributions::default(), Highlights::default());
    let totals = rewrite::plan(&corpus, &decided, out, &mut spread)?;
    let (found, stripped) = rewrite::blocks(&corpus, &decided, out, (&mut spread, &mut highlights))?;
    let clusters = rewrite::clusters(&decided, out, &mut highlights)?;
    let mut gallery = Gallery::choose(decided.groups());
    let written = match out {
        Some(out) if writes_records => rewrite::records(&corpus, &decided, out, &mut gallery)?,
        Some(_) => rewrite::pictures(&corpus, &mut gallery).map(|()| 0)?,
        None if writes_records && options.streams() => rewrite::stream(&corpus, &decided, &mut std::io::stdout())?,
        None => 0,
    };
    let mut summary = Summary {
        version: env!("CARGO_PKG_VERSION").into(),
        summary_version: SUMMARY_VERSION,
        mode: options.mode,
        options: options.clone(),
        inputs: inputs(&corpus, decided.census()),
        near: near.as_ref().map(|near| near_summary(near, &decided, clusters)),
        blocks: decided.block.as_ref().map(|_| block_summary(&totals, found, stripped)),
        outputs: outputs(&totals, decided.census(), written),
        distributions: spread,
        resources: Resources::default(),
        highlights,
    };
    if let Some(out) = &out {
        rewrite::page(&corpus, &decided, &summary, &gallery, out)?;
    }
    summary.resources = resources(&corpus, began, decided.census().text_bytes);
    if let Some(out) = out {
        let mut file = out.file("summary.json")?;
        let json = serde_json::to_vec_pretty(&summary).map_err(|e| Error::resource(e.to_string()))?;
        file.write(&json)?;
        file.finish()?;
    }
    landing.commit(progress)?;
    Ok(summary)
}

/// Blocks first: what they take out counts in no similarity.
fn decide(corpus: &Corpus<'_>, near: Option<&Near>, out: Option<&OutDir>) -> Result<Decided> {
    let block = || stages::stage(corpus, out, "blocks", || block::run(corpus));
    let block = corpus.options.finds_blocks().then(block).transpose()?;
    // What the allocator keeps of its shuffles is in pieces too small for what follows: it counts twice.
    let _held = block.as_ref().map(|b| corpus.hold(b.bytes() + 2 * corpus.budget(block::HOARDED_PART)));
    let uncut = Cuts::new(corpus);
    let cuts = block.as_ref().map_or(&uncut, |b| &b.cuts);
    let near = near.map(|near| stages::stage(corpus, out, "near", || near::run(corpus, near, cuts))).transpose()?;
    Ok(Decided { near, block })
}

fn inputs(corpus: &Corpus<'_>, census: &Census) -> Inputs {
    Inputs {
        files: corpus.inputs.files().len() as u64,
        records: census.records,
        bad_records: census.bad,
        bytes: corpus.inputs.total_bytes(),
        text_bytes: census.text_bytes,
        tokens: census.tokens,
    }
}

fn near_summary(near: &Near, decided: &Decided, clusters: u64) -> NearSummary {
    use crate::near::Reason;
    let verdicts = || decided.near.iter().flat_map(|n| n.verdicts.iter());
    let count = |reason: Reason| verdicts().filter(|v| v.reason == Some(reason)).count() as u64;
    let bands = near.bands();
    let point = |(similarity, probability)| SCurvePoint { similarity, probability };
    NearSummary {
        exact_duplicates: count(Reason::Exact),
        near_duplicates: count(Reason::Near),
        contained: count(Reason::Contained),
        clusters,
        bands: u32::try_from(bands.bands()).unwrap_or(u32::MAX),
        rows: u32::try_from(bands.rows()).unwrap_or(u32::MAX),
        s_curve: bands.curve().into_iter().map(point).collect(),
        expected_recall: bands.probability(near.options().threshold),
        expected_misses: verdicts()
            .filter(|v| v.reason == Some(Reason::Near))
            .map(|v| bands.misses_per_find(v.similarity))
            .fold(0.0, |sum, misses| sum + misses),
    }
}

fn block_summary(totals: &Totals, found: u64, stripped: u64) -> BlockSummary {
    BlockSummary {
        found,
        stripped,
        occurrences: totals.occurrences,
        removed_bytes: totals.cut_bytes,
        edited_documents: totals.edited,
    }
}

fn outputs(totals: &Totals, census: &Census, bytes: u64) -> Outputs {
    Outputs {
        records: census.records - totals.dropped,
        dropped: totals.dropped,
        edited: totals.edited,
        bytes,
        removed_text_bytes: totals.removed_text_bytes,
        duplicate_share: share(totals.dropped, census.records),
        removed_bytes_share: share(totals.removed_text_bytes, census.text_bytes),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is read to a few digits")]
fn resources(corpus: &Corpus<'_>, began: Instant, text_bytes: u64) -> Resources {
    let (cpu_seconds, peak_memory_bytes) = summary::process_usage();
    Resources {
        wall_seconds: began.elapsed().as_secs_f64(),
        cpu_seconds,
        peak_memory_bytes,
        spill_bytes: corpus.area.bytes_written(),
        mb_per_cpu_second: if cpu_seconds > 0.0 { text_bytes as f64 / 1e6 / cpu_seconds } else { 0.0 },
    }
}

/// Rebuilds under `out` the input of the run that wrote `dir`, byte for byte; returns how many files that were. Both
/// may be URLs of places in object stores.
///
/// # Errors
/// When `dir` is incomplete or was changed, or `out` cannot be written.
pub fn restore(dir: &Path, out: &Path, progress: &dyn Progress) -> Result<u64> {
    let watch = |bytes| {
        progress.advance(bytes);
        if progress.cancelled() { Err(Error::interrupted()) } else { Ok(()) }
    };
    let remote = out.to_str().filter(|out| is_url(out));
    let remote = remote.map(|url| Remote::create(url, None, false)).transpose()?;
    let copy = remote.as_ref().map(Remote::folder);
    let to = copy.as_deref().unwrap_or(out);
    let beside = corpus::beside(to);
    if dir.to_str().is_some_and(is_url) {
        progress.stage("fetch", 0);
    }
    let nameless = Nameless { format: None, folder: beside.as_deref(), watch: Some(&watch) };
    let results = Results::open(dir, &["data", "removed.jsonl", "summary.json"], &nameless)?;
    let from = results.folder();
    progress.stage("restore", 0);
    let summary = from.join("summary.json").is_file().then(|| explain::summary(from)).transpose()?;
    let files = restore_folder(from, to, summary.and_then(|summary| summary.options.format))?;
    remote.map_or(Ok(()), |remote| landing::upload(remote, progress))?;
    Ok(files)
}
