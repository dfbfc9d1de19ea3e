//! What verification costs: its share of the pass that drops near-duplicates, with few and with many of them.
//!
//! ```text
//! cargo bench --bench verification               0.05 GB a corpus
//! cargo bench --bench verification -- 0.5        gigabytes of text
//! cargo bench --bench verification -- a.jsonl    real texts
//! ```
//!
//! Verification is the whole second read: parse, tokenise and shingle the candidates again, decide each component. Its
//! processor time stands beside that of the rest, which is the pass without it: sketches, candidates, records written.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops where it cannot go on")]

mod corpus;

use corpus::Recipe;
use descale::engine::{self, Mode, Options, Progress};
use rustix::time::{ClockId, clock_gettime};
use std::path::Path;
use std::sync::Mutex;

fn main() {
    let argument = std::env::args().skip(1).find(|a| !a.starts_with("--")).unwrap_or_else(|| "0.05".into());
    println!("corpus                 documents  dropped  rest s  verify s  verify / rest");
    let Ok(gigabytes) = argument.parse::<f64>() else { return measure(&argument, Path::new(&argument)) };
    let folder = tempfile::tempdir().unwrap();
    for copies in [0, 2, 15, 60, 90] {
        let input = folder.path().join("in.jsonl");
        corpus::write(Recipe { copies, ..Recipe::default() }, gigabytes * 1e9, &input);
        measure(&format!("{copies} % near-copies"), &input);
    }
}

/// The least of three runs, each part by itself.
fn measure(name: &str, input: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let inputs = vec![input.to_string_lossy().into_owned()];
    let out = Some(folder.path().join("out"));
    let options = Options { mode: Mode::Dedup, inputs, out, overwrite: true, ..Options::default() };
    let (mut rest, mut verify) = (f64::INFINITY, f64::INFINITY);
    let mut counts = (0, 0);
    for _ in 0..3 {
        let stages = Stages::default();
        let began = processor_seconds();
        let summary = engine::run(&options, &stages).unwrap();
        let ended = processor_seconds();
        let marks = stages.0.into_inner().unwrap();
        let at = marks.iter().position(|(name, _)| *name == "verify").unwrap();
        let until = marks.get(at + 1).map_or(ended, |mark| mark.1);
        verify = verify.min(until - marks[at].1);
        rest = rest.min(ended - began - (until - marks[at].1));
        counts = (summary.inputs.records, summary.outputs.dropped);
    }
    println!("{name:22} {:9} {:8} {rest:7.2} {verify:9.2} {:14.2}", counts.0, counts.1, verify / rest);
}

/// Processor seconds of all threads of this process.
#[expect(clippy::cast_precision_loss, reason = "a time is read to a few digits")]
fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// When each stage began.
#[derive(Default)]
struct Stages(Mutex<Vec<(&'static str, f64)>>);

impl Progress for Stages {
    fn stage(&self, name: &'static str, _: u64) {
        self.0.lock().unwrap().push((name, processor_seconds()));
    }

    fn advance(&self, _: u64) {}

    fn warn(&self, _: &str) {}

    fn finish(&self) {}
}
