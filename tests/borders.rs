//! What comes in and goes out: formats mixed in one run, standard input and output, options from a file; and one walk of a
//! new user, from a Parquet file to a reviewed list of blocks to a clean file.

use crate::binary;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Runs the command in a folder, with these bytes as its standard input.
fn descale(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(binary());
    command.current_dir(folder).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that reads none of it closes the pipe.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn done(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let output = descale(folder, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What lies under a folder, without what may differ from run to run.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut files, mut open) = (BTreeMap::new(), vec![root.to_path_buf()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => drop(files.insert(path.strip_prefix(root).unwrap().to_path_buf(), fs::read(&path).unwrap())),
            }
        }
    }
    if let Some(summary) = files.get_mut(Path::new("summary.json")) {
        let mut parsed: Value = serde_json::from_slice(summary).unwrap();
        parsed.as_object_mut().unwrap().retain(|name, _| name != "resources");
        parsed["options"]["out"] = Value::Null;
        *summary = serde_json::to_vec(&parsed).unwrap();
    }
    files.remove(Path::new("report.html"));
    files
}

const NOTICE: &str = "We use cookies to keep this site running, and by staying here you agree that we count your visits and \
                      remember what you looked at for thirty days at most.";

/// A page of its own words, with the notice in the middle.
fn page(number: usize) -> String {
    let word = |at: usize| format!("{:x}", (number * 1000 + at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 36);
    let body = |from: usize| (from..from + 60).map(word).collect::<Vec<_>>().join(" ");
    format!("{}.\\n\\n{NOTICE}\\n\\n{}.", body(0), body(60))
}

fn lines(numbers: std::ops::Range<usize>) -> String {
    numbers
        .map(|i| {
            format!("{{\"id\":\"p{i}\",\"url\":\"https://host{}.example/{i}\",\"text\":\"{}\"}}\n", i % 3, page(i))
        })
        .collect()
}

fn warc(numbers: std::ops::Range<usize>) -> String {
    let record = |i: usize| {
        let text = page(i).replace("\\n", "\n");
        format!(
            "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://crawl.example/{i}\r\nContent-Type: text/plain\r\n\
             Content-Length: {}\r\n\r\n{text}\r\n\r\n",
            text.len()
        )
    };
    numbers.map(record).collect()
}

#[test]
fn formats_mix_in_one_run_and_come_back() {
    let root = tempfile::tempdir().unwrap();
    let input = root.path().join("in");
    fs::create_dir_all(input.join("texts")).unwrap();
    fs::write(input.join("a.jsonl"), lines(0..10)).unwrap();
    fs::write(input.join("crawl.wet"), warc(20..25)).unwrap();
    fs::write(input.join("part-00000"), lines(30..35)).unwrap();
    fs::write(input.join("part-00001"), zstd::encode_all(lines(35..40).as_bytes(), 3).unwrap()).unwrap();
    fs::write(input.join("texts/note.txt"), page(40).replace("\\n", "\n")).unwrap();
    fs::copy(fixture("formats/valid/types.parquet"), input.join("types.parquet")).unwrap();
    let arguments = ["clean", "in", "in/part-*", "-", "--format", "jsonl", "--out", "out", "--quiet"];
    let piped = lines(50..55);
    done(root.path(), &arguments, piped.as_bytes());
    let data = files(&root.path().join("out/data"));
    let summary: Value = serde_json::from_slice(&fs::read(root.path().join("out/summary.json")).unwrap()).unwrap();
    assert_eq!(summary["outputs"]["bytes"], data.values().map(Vec::len).sum::<usize>());
    for (name, bytes) in &data {
        let content = String::from_utf8_lossy(bytes);
        assert!(!content.contains("We use cookies") || name.ends_with("part-00001"), "{}", name.display());
    }
    assert!(data[Path::new("stdin.jsonl")].starts_with(b"{\"id\":\"p50\""));
    assert!(data[Path::new("part-00001")].starts_with(&[0x28, 0xB5, 0x2F, 0xFD]), "a nameless archive stays one");
    let plan = fs::read_to_string(root.path().join("out/plan.jsonl")).unwrap();
    assert!(
        ["stdin.jsonl", "part-00000", "crawl.wet", "http://crawl.example/21"].iter().all(|name| plan.contains(name))
    );

    done(root.path(), &["restore", "out", "--to", "back", "--quiet"], b"");
    let (back, before) = (files(&root.path().join("back")), files(&input));
    assert_eq!(back[Path::new("stdin.jsonl")], piped.as_bytes());
    for (name, bytes) in &before {
        let same = match name.to_str().unwrap() {
            "part-00001" => zstd::decode_all(&back[name][..]).unwrap() == zstd::decode_all(&bytes[..]).unwrap(),
            // Of a table the values come back, which `io` tests.
            "types.parquet" => true,
            _ => back[name] == *bytes,
        };
        assert!(same, "{}", name.display());
    }
    // What a pipe brought is gone.
    let explained = descale(root.path(), &["explain", "out", "p1"], b"");
    assert!(String::from_utf8_lossy(&explained.stderr).contains("standard input"));
    assert!(
        fs::read_dir(root.path()).unwrap().all(|e| !e.unwrap().file_name().to_string_lossy().starts_with(".descale"))
    );
}

#[test]
fn a_pipe_goes_through() {
    let root = tempfile::tempdir().unwrap();
    let through = |arguments: &[&str], input: &[u8]| done(root.path(), arguments, input).stdout;
    let clean = ["clean", "-", "--format", "jsonl", "--out", "-", "--quiet"];
    fs::write(root.path().join("a.jsonl"), lines(0..6)).unwrap();
    done(root.path(), &["clean", "a.jsonl", "--out", "out", "--quiet"], b"");
    let expected = fs::read(root.path().join("out/data/a.jsonl")).unwrap();
    assert_eq!(through(&clean, lines(0..6).as_bytes()), expected);
    // Packed or not, the records come out as lines; and a file that ends without a line's end is no trap.
    let packed = zstd::encode_all(lines(0..6).as_bytes(), 3).unwrap();
    assert_eq!(through(&clean, &packed), expected);
    fs::write(root.path().join("b.jsonl"), "\u{feff}{\"text\":\"another\"}").unwrap();
    fs::write(root.path().join("c.jsonl"), "\u{feff}{\"text\":\"and one more\"}").unwrap();
    let joined = through(&["dedup", "b.jsonl", "c.jsonl", "--out", "-", "--quiet"], b"");
    assert_eq!(joined, "\u{feff}{\"text\":\"another\"}\n{\"text\":\"and one more\"}".as_bytes());
    let archive = through(&["clean", "-", "--format", "wet", "--out", "-", "--quiet"], warc(0..4).as_bytes());
    assert_eq!(String::from_utf8(archive).unwrap().matches("WARC/1.0").count(), 4);
}

#[test]
fn what_cannot_go_through_a_pipe_is_said() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a.jsonl"), lines(0..3)).unwrap();
    fs::write(root.path().join("b.txt"), "text").unwrap();
    fs::write(root.path().join("nameless"), lines(0..3)).unwrap();
    fs::write(root.path().join("long.jsonl"), format!("{{\"text\":\"{}\"}}", "a ".repeat(2 << 20))).unwrap();
    for (arguments, says) in [
        (&["clean", "a.jsonl", "b.txt", "--out", "-"][..], "JSON lines alone"),
        (&["scan", "a.jsonl", "--out", "-"], "a scan writes no records"),
        (&["clean", "a.jsonl", "--out", "-", "--json"], "both want standard output"),
        (&["clean", "-", "--out", "-"], "--format"),
        (&["scan", "nameless"], "--format"),
        (&["scan", "a.jsonl", "--max-record", "0"], "--max-record"),
        (&["scan", "long.jsonl", "--max-record", "1M"], "longer than 1048576 bytes"),
    ] {
        let output = descale(root.path(), arguments, b"");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && message.contains(says), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn broken_letters_are_read_where_that_is_wanted() {
    let root = tempfile::tempdir().unwrap();
    let broken = [lines(0..3).as_bytes(), b"{\"text\":\"caf\xE9 and more\"}\n{\"text\":3}\n"].concat();
    fs::write(root.path().join("a.jsonl"), &broken).unwrap();
    assert_eq!(descale(root.path(), &["clean", "a.jsonl", "--out", "out"], b"").status.code(), Some(2));
    for (action, bad) in [("skip", 2), ("replace", 1)] {
        let arguments = ["clean", "a.jsonl", "--on-bad-record", action, "--dry-run", "--json", "--out", "x"];
        let summary: Value = serde_json::from_slice(&done(root.path(), &arguments, b"").stdout).unwrap();
        assert_eq!(summary["inputs"]["bad_records"], bad);
    }
    let out =
        done(root.path(), &["clean", "a.jsonl", "--on-bad-record", "replace", "--out", "-", "--quiet"], b"").stdout;
    assert!(out.ends_with(b"{\"text\":\"caf\xE9 and more\"}\n{\"text\":3}\n"), "what is broken stays as it is");
}

#[test]
fn a_run_is_repeated_from_its_own_summary() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a.jsonl"), lines(0..9)).unwrap();
    let toml = "inputs = ['a.jsonl']\nout = 'first'\nthreshold = 0.7\nprotect = ['code']\nquiet = true\n\n[block]\nmin-tokens = 10\n";
    fs::write(root.path().join("descale.toml"), toml).unwrap();
    done(root.path(), &["clean", "--config", "descale.toml"], b"");
    done(root.path(), &["clean", "--config", "first/summary.json", "--out", "second", "--quiet"], b"");
    assert_eq!(files(&root.path().join("first")), files(&root.path().join("second")));
    let summary = fs::read_to_string(root.path().join("second/summary.json")).unwrap();
    assert!(summary.contains("\"min-tokens\": 10") && summary.contains("\"threshold\": 0.7"));
    let none = descale(root.path(), &["scan", "a.jsonl", "--config", "none.toml"], b"");
    let message = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(none.status.code() == Some(2) && message.contains("none.toml: cannot read the options"), "{message}");
    assert!(message.contains("help: name a file"), "{message}");
    fs::write(root.path().join("wrong.toml"), "treshold = 0.7").unwrap();
    let wrong = descale(root.path(), &["scan", "a.jsonl", "--config", "wrong.toml"], b"");
    let message = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(
        wrong.status.code() == Some(2) && message.contains("wrong.toml") && message.contains("\"threshold\""),
        "{message}"
    );
}

/// The rows of a table as text, read without descale.
fn rows(table: &Path) -> Vec<String> {
    let reader = SerializedFileReader::new(fs::File::open(table).unwrap()).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect()
}

#[test]
fn a_new_user_cleans_a_table() {
    let root = tempfile::tempdir().unwrap();
    let table = root.path().join("hub.parquet");
    fs::copy(fixture("walk/hub.parquet"), &table).unwrap();
    // Look first: nothing is changed, the blocks can be reviewed.
    done(root.path(), &["scan", "hub.parquet", "--out", "look", "--quiet"], b"");
    let list = fs::read_to_string(root.path().join("look/blocks.jsonl")).unwrap();
    let blocks: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let block = |says: &str| blocks.iter().find(|block| block["template"].as_str().unwrap().contains(says)).unwrap();
    let told = |says: &str| (block(says)["decision"].as_str().unwrap(), block(says)["documents"].as_u64().unwrap());
    assert_eq!((told("We use cookies"), told("learn what a harbour")), (("strip", 23), ("keep", 6)));
    assert!(!root.path().join("look/data").exists());
    // Cleaned as it was looked at, the same goes.
    done(root.path(), &["clean", "--config", "look/summary.json", "--out", "seen", "--quiet"], b"");
    let look = |name: &str, folder: &str| fs::read(root.path().join(folder).join(name)).unwrap();
    assert!(["plan.jsonl", "blocks.jsonl"].iter().all(|name| look(name, "look") == look(name, "seen")));
    // A person knows better: this quotation is a banner of these sites.
    let turned = |line: &str| match line.contains("learn what a harbour") {
        true => line.replace("\"decision\":\"keep\"", "\"decision\":\"strip\"") + "\n",
        false => format!("{line}\n"),
    };
    fs::write(root.path().join("reviewed.jsonl"), list.lines().map(turned).collect::<String>()).unwrap();
    // Then clean, with the options of the look and the decisions of the person.
    let clean = ["clean", "--config", "look/summary.json", "--reviewed", "reviewed.jsonl", "--out", "clean", "--quiet"];
    done(root.path(), &clean, b"");
    let left = rows(&root.path().join("clean/data/hub.parquet"));
    assert!(
        left.len() == 29 && left.iter().all(|row| !row.contains("cookies") && !row.contains("learn what a harbour"))
    );
    let decided = fs::read_to_string(root.path().join("clean/blocks.jsonl")).unwrap();
    assert!(decided.contains("\"why\":\"listed\""), "{decided}");
    let explained = done(root.path(), &["explain", "clean", "hub.parquet:5"], b"").stdout;
    assert!(String::from_utf8_lossy(&explained).contains("learn what a harbour"));
    // And all of it can be taken back.
    let restored = done(root.path(), &["restore", "clean", "--to", "back"], b"").stderr;
    assert_eq!(String::from_utf8_lossy(&restored), "1 file restored to back\n");
    assert_eq!(rows(&root.path().join("back/hub.parquet")), rows(&table));
    let Some(python) = crate::stores::program("python") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/walk/check.py");
    let checked = Command::new(python).arg(script).arg(root.path()).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
