//! Same input and options, same bytes: whatever the threads, the memory, how the input is split into files, how often.
//!
//! Every file of the output folder is compared byte for byte. Of `summary.json` the part `resources` is left out, and
//! of its options those that say how the run was to be done (threads, memory, places). Where the input is split, data
//! files are compared joined, and lines that name a file and a row by the record they mean.

use crate::corpus::{Recipe, stream};
use descale::engine::{self, Mode, Options, Progress, Silent};
use proptest::prelude::*;
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Below this a run is refused.
const LEAST_MEMORY: u64 = 16 << 20;
const AMPLE_MEMORY: u64 = 1 << 30;

/// The modes that write records, and the one that takes every repeat.
fn modes() -> Vec<Options> {
    let of = |mode| Options { mode, ..Options::default() };
    let mut exact = of(Mode::Strip);
    exact.block.exact = true;
    vec![of(Mode::Clean), of(Mode::Dedup), of(Mode::Strip), exact]
}

/// A corpus on disk, in some files.
struct Input {
    folder: tempfile::TempDir,
    /// Rows of each file.
    rows: Vec<usize>,
    /// Bytes the last run spilled.
    spilled: Cell<u64>,
}

impl Input {
    fn new(lines: &[String], files: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut rows = Vec::new();
        for (at, part) in lines.chunks(lines.len().div_ceil(files).max(1)).enumerate() {
            fs::write(folder.path().join(format!("{at:02}.jsonl")), part.concat()).unwrap();
            rows.push(part.len());
        }
        Self { folder, rows, spilled: Cell::default() }
    }

    /// The number over the whole input of a row counted from 0 in a file.
    fn number(&self, file: &str, row: u64) -> u64 {
        let file: usize = file.trim_end_matches(".jsonl").parse().unwrap();
        self.rows[..file].iter().sum::<usize>() as u64 + row
    }

    /// What a run leaves behind, by file name, freed of what may differ.
    fn run(&self, options: &Options, threads: usize, memory_bytes: u64) -> BTreeMap<String, Vec<u8>> {
        self.run_with(options, threads, memory_bytes, &Silent)
    }

    fn run_with(
        &self,
        options: &Options,
        threads: usize,
        memory_bytes: u64,
        progress: &dyn Progress,
    ) -> BTreeMap<String, Vec<u8>> {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        let inputs = vec![self.folder.path().to_string_lossy().into_owned()];
        let options = Options { inputs, out: Some(out.clone()), threads, memory_bytes, ..options.clone() };
        engine::run(&options, progress).unwrap();
        let mut left: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for path in files_below(&out) {
            let name = path.strip_prefix(&out).unwrap().to_string_lossy().into_owned();
            let bytes = fs::read(&path).unwrap();
            match name.as_str() {
                "summary.json" => {
                    self.spilled.set(summary_number(&bytes, "spill_bytes"));
                    left.insert(name, summary(&bytes));
                }
                "plan.jsonl" => drop(left.insert(name, self.renumbered(&bytes, 1))),
                "removed.jsonl" => drop(left.insert(name, self.renumbered(&bytes, 0))),
                // Its numbers are those of the summary, its clock the machine's.
                "report.html" => {}
                _ if name.starts_with("data/") => left.entry("data".into()).or_default().extend(bytes),
                _ => drop(left.insert(name, bytes)),
            }
        }
        left
    }

    /// Lines of JSON whose file and row became the number of the record.
    fn renumbered(&self, bytes: &[u8], first_row: u64) -> Vec<u8> {
        let line = |line: &str| {
            let mut value: Value = serde_json::from_str(line).unwrap();
            let (file, row) = (value["file"].take(), value["row"].as_u64().unwrap());
            value["row"] = self.number(file.as_str().unwrap(), row - first_row).into();
            value.to_string() + "\n"
        };
        str::from_utf8(bytes).unwrap().lines().map(line).collect::<String>().into_bytes()
    }
}

fn summary_number(bytes: &[u8], name: &str) -> u64 {
    let value: Value = serde_json::from_slice(bytes).unwrap();
    value["resources"][name].as_u64().unwrap()
}

/// The summary without what may differ.
fn summary(bytes: &[u8]) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(bytes).unwrap();
    value["resources"].take();
    value["inputs"]["files"].take();
    value["outputs"]["bytes"].take();
    for name in ["threads", "memory", "inputs", "out", "temp-dir"] {
        value["options"][name].take();
    }
    value.to_string().into_bytes()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// The first file that differs.
fn difference(expected: &BTreeMap<String, Vec<u8>>, got: &BTreeMap<String, Vec<u8>>) -> Option<String> {
    let names = expected.keys().chain(got.keys());
    names.into_iter().find(|name| expected.get(*name) != got.get(*name)).map(|name| {
        let text = |side: &BTreeMap<String, Vec<u8>>| {
            side.get(name).map_or_else(String::new, |bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let (expected, got) = (text(expected), text(got));
        let line = expected.lines().zip(got.lines()).find(|(a, b)| a != b);
        format!("{name} differs ({} and {} bytes): {line:?}", expected.len(), got.len())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_same_bytes_come_out(seed in any::<u64>(), documents in 1usize..160, words in 10u64..120) {
        let recipe = Recipe { seed, words, vocabulary: 900, blocks: 12, planted: 50, copies: 25, paged: 15, foreign: 40 };
        let lines: Vec<String> = stream(recipe).take(documents).map(|made| made.line()).collect();
        let (whole, split) = (Input::new(&lines, 1), Input::new(&lines, 7));
        for options in modes() {
            let expected = whole.run(&options, 1, AMPLE_MEMORY);
            for (input, threads, memory) in [
                (&whole, 2, LEAST_MEMORY),
                (&whole, 8, AMPLE_MEMORY),
                (&whole, 16, AMPLE_MEMORY),
                (&split, 1, LEAST_MEMORY),
                (&split, 16, LEAST_MEMORY),
            ] {
                let got = input.run(&options, threads, memory);
                prop_assert_eq!(difference(&expected, &got), None, "{} threads, {} bytes, {:?}", threads, memory, options.mode);
            }
        }
    }
}

#[test]
fn spilling_changes_nothing() {
    for options in modes() {
        // Band keys are per document: many short ones are what makes them spill.
        let (words, documents) = if options.mode == Mode::Dedup { (14, 20_000) } else { (250, 2000) };
        let recipe = Recipe { seed: 7, words, vocabulary: 4000, blocks: 40, ..Recipe::default() };
        let lines: Vec<String> = stream(recipe).take(documents).map(|made| made.line()).collect();
        let (whole, split) = (Input::new(&lines, 1), Input::new(&lines, 7));
        let expected = whole.run(&options, 2, AMPLE_MEMORY);
        let got = split.run(&options, 8, LEAST_MEMORY);
        assert_eq!(difference(&expected, &got), None, "{:?}", options.mode);
        assert!(whole.spilled.get() == 0 && split.spilled.get() > 0, "{:?}", options.mode);
        assert!(expected["plan.jsonl"].len() > 10_000, "the corpus gives something to do");
    }
}

/// Keeps the stages.
#[derive(Default)]
struct Stages(Mutex<Vec<&'static str>>);

impl Progress for Stages {
    fn stage(&self, name: &'static str, _: u64) {
        self.0.lock().unwrap().push(name);
    }
    fn advance(&self, _: u64) {}
    fn warn(&self, _: &str) {}
    fn finish(&self) {}
}

/// Documents of which each has three of many blocks; in every fifth copy letters are misread.
fn of_many_blocks(blocks: u64) -> Vec<String> {
    let recipe = Recipe { words: 60, planted: 0, copies: 0, paged: 0, foreign: 0, ..Recipe::default() };
    let document = |number: u64| {
        let mut made = recipe.make(number);
        for which in 0..3 {
            let copy = 3 * number + which;
            let block = recipe.block(copy % blocks);
            made.text += "\n\n";
            made.text += &if copy / blocks == 4 { block.replacen('e', "c", 3) } else { block };
        }
        made.line()
    };
    (0..blocks * 5 / 3).map(document).collect()
}

#[test]
fn a_bank_in_parts_finds_the_same() {
    let input = Input::new(&of_many_blocks(2400), 1);
    let left = |memory| {
        let stages = Stages::default();
        let options = Options { mode: Mode::Strip, ..Options::default() };
        (input.run_with(&options, 2, memory, &stages), stages.0.into_inner().unwrap())
    };
    let (expected, stages) = left(AMPLE_MEMORY);
    assert!(!stages.contains(&"search"), "{stages:?}");
    let (got, stages) = left(LEAST_MEMORY);
    assert!(stages.iter().filter(|stage| **stage == "search").count() > 0, "{stages:?}");
    assert_eq!(difference(&expected, &got), None);
}
