//! Memory, spill and speed of whole runs on a made-up corpus of any size.
//!
//! ```text
//! cargo bench --bench scale                      0.02 GB, every mode
//! cargo bench --bench scale -- 0.2 256M          gigabytes of text, memory
//! cargo bench --bench scale -- 2 1G dedup,strip  some modes only
//! cargo bench --bench scale -- .5 256M dedup,strip tiny   documents of a line, 10^7 of them
//! cargo bench --bench scale -- 20 256M dedup,strip zst    packed, in and out: a third of the disk
//! ```
//!
//! The corpus is written to a temporary folder (`TMPDIR`) and read by the command in a process of its own, so that the
//! peak of its memory is that run's alone. A row of the table: memory allowed and held, spill by text, seconds by GB.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops where it cannot go on")]

mod corpus;

use corpus::Recipe;
use std::fs::File;
use std::path::Path;
use std::process::Command;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let argument = |at: usize, default: &str| arguments.get(at).cloned().unwrap_or_else(|| default.into());
    let gigabytes: f64 = argument(0, "0.02").parse().expect("gigabytes of text");
    let folder = tempfile::tempdir().unwrap();
    let asked = |what: &str| arguments.iter().skip(3).any(|a| a == what);
    let input = folder.path().join(if asked("zst") { "in.jsonl.zst" } else { "in.jsonl" });
    let recipe = if asked("tiny") { Recipe::tiny() } else { Recipe::default() };
    let documents = corpus::write(recipe, gigabytes * 1e9, &input);
    let packed = input.metadata().unwrap().len();
    println!(
        "{gigabytes} GB, {documents} documents, {} MB on disk, memory {}",
        packed / 1_000_000,
        argument(1, "256M")
    );
    println!("mode       peak MiB  spill/text   wall s  cpu s/GB  removed");
    for mode in argument(2, "clean,dedup,strip,exact").split(',') {
        run(&input, folder.path(), mode, &argument(1, "256M"));
    }
}

fn run(input: &Path, folder: &Path, mode: &str, memory: &str) {
    let out = folder.join(mode);
    let mut command = Command::new(env!("CARGO_BIN_EXE_descale"));
    command.arg(if mode == "exact" { "strip" } else { mode }).arg(input).arg("--out").arg(&out);
    command.args(["--memory", memory, "--quiet"]).args((mode == "exact").then_some("--exact"));
    assert!(command.status().unwrap().success(), "{mode} failed");
    let summary: serde_json::Value = serde_json::from_reader(File::open(out.join("summary.json")).unwrap()).unwrap();
    let number = |part: &str, name: &str| summary[part][name].as_f64().unwrap();
    let text = number("inputs", "text_bytes");
    println!(
        "{mode:8} {:10.0} {:11.3} {:8.1} {:9.1} {:8.3}",
        number("resources", "peak_memory_bytes") / f64::from(1 << 20),
        number("resources", "spill_bytes") / text,
        number("resources", "wall_seconds"),
        number("resources", "cpu_seconds") / (text / 1e9),
        number("outputs", "removed_bytes_share"),
    );
    std::fs::remove_dir_all(out).unwrap();
}
