//! What do whole passes cost beside yardsticks? Processor seconds of each as a process of its own, all in one run.
//!
//! ```text
//! cargo bench --profile release --bench passes                  40 MB of made-up text
//! cargo bench --profile release --bench passes -- 200 5         megabytes of text, runs (the least counts)
//! cargo bench --profile release --bench passes -- a.jsonl 5     real texts
//! cargo bench --bench passes -- check                           fails where a pass costs far more than it should
//! ```
//!
//! Yardsticks: `wc` is `LC_ALL=C wc -w`; `xxh3` hashes the bytes; `sonic` parses each line with `sonic-rs` and writes it as it
//! was read; `serde` parses it into a `serde_json::Value` and writes that; `zstd` unpacks the packed file and packs it
//! again. All but `wc` are this program, started anew. Linux only: it reads what its children took from `/proc`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops where it cannot go on")]

#[path = "corpus/mod.rs"]
mod corpus;

use std::fs::File;
use std::hash::Hasher;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// Most yardsticks (`serde`) a pass may take on the made-up corpus: three times what it takes, so that no machine and no
/// hour fails it, and a pass that became quadratic does.
const MOST: [(&str, f64); 3] = [("dedup", 8.0), ("strip", 45.0), ("clean", 50.0)];

const YARDSTICKS: [&str; 5] = ["wc", "xxh3", "sonic", "serde", "zstd"];
const PASSES: [&str; 3] = ["dedup", "strip", "clean"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    if let [word, name, input, output] = arguments.as_slice()
        && word == "yardstick"
    {
        yardstick(name, Path::new(input), Path::new(output));
        return ExitCode::SUCCESS;
    }
    let tests = std::env::args().any(|argument| argument == "--test");
    let checks = arguments.first().is_some_and(|argument| argument == "check");
    let megabytes = if tests { "1" } else { "40" };
    let given = arguments.first().filter(|_| !checks).map_or(megabytes, String::as_str);
    let runs = if tests { 1 } else { arguments.get(1).map_or(3, |runs| runs.parse().expect("a number of runs")) };
    let folder = tempfile::tempdir().unwrap();
    let mut input: std::path::PathBuf = given.into();
    if let Ok(megabytes) = given.parse::<f64>() {
        input = folder.path().join("made-up.jsonl");
        corpus::write(corpus::Recipe::default(), megabytes * 1e6, &input);
    }
    Bench { folder: folder.path(), input: &input, runs }.all(checks)
}

struct Bench<'a> {
    folder: &'a Path,
    input: &'a Path,
    runs: usize,
}

/// What a process took.
#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    wall: f64,
}

impl Bench<'_> {
    fn all(&self, checks: bool) -> ExitCode {
        let megabytes = self.input.metadata().unwrap().len() as f64 / 1e6;
        println!("{} ({megabytes:.1} MB), least of {} runs", self.input.display(), self.runs);
        println!(
            "| pass | threads | processor s | elapsed s | times `wc` | times `sonic` | times `serde` | peak MiB |"
        );
        println!("|---|---:|---:|---:|---:|---:|---:|---:|");
        let packed = self.folder.join("packed.jsonl.zst");
        let mut pack = zstd::Encoder::new(File::create(&packed).unwrap(), 3).unwrap();
        std::io::copy(&mut File::open(self.input).unwrap(), &mut pack).unwrap();
        pack.finish().unwrap();
        let costs = YARDSTICKS.map(|name| self.yardstick(name, if name == "zstd" { &packed } else { self.input }));
        let [wc, _, sonic, serde, zstd] = costs;
        let row = |name: &str, threads: usize, cost: Cost, peak: String| {
            let times = |of: Cost| cost.cpu / of.cpu.max(1e-2);
            let [a, b, c] = [wc, sonic, serde].map(times);
            println!("| {name} | {threads} | {:.2} | {:.2} | {a:.2} | {b:.2} | {c:.2} | {peak} |", cost.cpu, cost.wall);
        };
        YARDSTICKS.iter().zip(costs).for_each(|(name, cost)| row(name, 1, cost, String::new()));
        let mut failed = false;
        let mut gains = Vec::new();
        for pass in PASSES {
            let mut elapsed = [0.0; 2];
            for (threads, elapsed) in (1..).zip(&mut elapsed) {
                let (cost, peak) = self.pass(pass, threads, self.input);
                row(pass, threads, cost, format!("{peak:.0}"));
                *elapsed = cost.wall;
                let most = MOST.iter().find(|(name, _)| *name == pass).expect("each has its most").1;
                failed |= checks && cost.cpu > most * serde.cpu.max(1e-2);
            }
            gains.push(format!("{pass} {:.2}", elapsed[0] / elapsed[1]));
        }
        let (cost, peak) = self.pass("dedup", 1, &packed);
        row("dedup, Zstandard", 1, cost, format!("{peak:.0}"));
        println!(
            "\nelapsed, one thread over two: {}; two of `wc` at once gain {:.2}",
            gains.join(", "),
            self.ceiling(wc)
        );
        println!("dedup of Zstandard takes {:.2} times unpacking and packing alone", cost.cpu / zstd.cpu.max(1e-2));
        if failed {
            println!("error: a pass takes more than {MOST:?} times `serde`");
            return ExitCode::FAILURE;
        }
        ExitCode::SUCCESS
    }

    /// What two processors do more than one where nothing is shared: more is not to be had on the machine as it is.
    fn ceiling(&self, wc: Cost) -> f64 {
        let both = (0..self.runs).map(|_| {
            let began = Instant::now();
            let both = [(), ()].map(|()| count_words(self.input).spawn().unwrap());
            both.into_iter().for_each(|mut child| assert!(child.wait().unwrap().success(), "`wc` failed"));
            began.elapsed().as_secs_f64()
        });
        2.0 * wc.wall / both.fold(f64::INFINITY, f64::min)
    }

    fn yardstick(&self, name: &str, input: &Path) -> Cost {
        if name == "wc" {
            return self.least(|| count_words(input));
        }
        self.least(|| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["yardstick", name]).arg(input).arg(self.folder.join("copy"));
            command
        })
    }

    fn pass(&self, name: &str, threads: usize, input: &Path) -> (Cost, f64) {
        let out = self.folder.join("out");
        let cost = self.least(|| {
            let _ = std::fs::remove_dir_all(&out);
            let mut command = Command::new(env!("CARGO_BIN_EXE_descale"));
            command
                .arg(name)
                .arg(input)
                .arg("--out")
                .arg(&out)
                .arg("--threads")
                .arg(threads.to_string())
                .arg("--quiet");
            command
        });
        let summary = File::open(out.join("summary.json")).unwrap();
        let summary: serde_json::Value = serde_json::from_reader(summary).unwrap();
        (cost, summary["resources"]["peak_memory_bytes"].as_f64().unwrap() / f64::from(1 << 20))
    }

    /// The least of several runs, of both by itself.
    fn least(&self, command: impl Fn() -> Command) -> Cost {
        let run = || {
            let mut command = command();
            let (before, began) = (children_seconds(), Instant::now());
            assert!(command.status().unwrap().success(), "{command:?} failed");
            Cost { cpu: children_seconds() - before, wall: began.elapsed().as_secs_f64() }
        };
        let least = |a: Cost, b: Cost| Cost { cpu: a.cpu.min(b.cpu), wall: a.wall.min(b.wall) };
        (0..self.runs).map(|_| run()).reduce(least).expect("some runs")
    }
}

fn count_words(input: &Path) -> Command {
    let mut command = Command::new("wc");
    command.arg("-w").arg(input).env("LC_ALL", "C").stdout(Stdio::null());
    command
}

/// User and system time of all children that have ended, to a hundredth.
fn children_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, fields) = stat.rsplit_once(')').expect("the name is in brackets");
    let ticks: u64 = fields.split_ascii_whitespace().skip(13).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    ticks as f64 / 100.0
}

/// A line with what a job on texts has to read of it.
#[derive(serde::Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    text: std::borrow::Cow<'a, str>,
}

fn yardstick(name: &str, input: &Path, output: &Path) {
    const BUFFER: usize = 1 << 20;
    let mut input = BufReader::with_capacity(BUFFER, File::open(input).unwrap());
    let writer = || BufWriter::with_capacity(BUFFER, File::create(output).unwrap());
    let mut lines = |each: &mut dyn FnMut(&[u8])| {
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).unwrap() > 0 {
            each(&line);
            line.clear();
        }
    };
    match name {
        "xxh3" => {
            let (mut hasher, mut buffer) = (xxhash_rust::xxh3::Xxh3::new(), vec![0; BUFFER]);
            loop {
                let read = input.get_mut().read(&mut buffer).unwrap();
                if read == 0 {
                    break;
                }
                hasher.write(&buffer[..read]);
            }
            std::hint::black_box(hasher.digest());
        }
        "sonic" => {
            let mut out = writer();
            lines(&mut |line| {
                let record: Line<'_> = sonic_rs::from_slice(line).unwrap();
                std::hint::black_box(record.text.len());
                out.write_all(line).unwrap();
            });
        }
        "serde" => {
            let mut out = writer();
            lines(&mut |line| {
                let record: serde_json::Value = serde_json::from_slice(line).unwrap();
                serde_json::to_writer(&mut out, &record).unwrap();
                out.write_all(b"\n").unwrap();
            });
        }
        "zstd" => {
            let mut unpacked = zstd::Decoder::new(input).unwrap();
            let mut packed = zstd::Encoder::new(writer(), 3).unwrap();
            std::io::copy(&mut unpacked, &mut packed).unwrap();
            packed.finish().unwrap().flush().unwrap();
        }
        other => unreachable!("no yardstick {other}"),
    }
}
