//! What goes and what stays: one TOML file a case in `fixtures/cases`, no Rust needed for a new one.
//!
//! ```toml
//! name = "a notice on every page"
//! why = "what this case guards"
//! [options]                 # optional; the command's flags, as in mode = "strip" or near.threshold = 0.9
//! [[document]]
//! id = "a"
//! text = "Stays. ⟦Goes.⟧ Stays."     # or file = "fixtures/..."; other keys (site, score) become fields
//! [expect]
//! dropped = ["b"]           # whole documents that go
//! unchanged = ["c"]         # documents that come out byte for byte
//! text.d = "..."            # the text after the run, when marks cannot say it
//! loses.e = ["..."]         # strings that are gone
//! keeps.e = ["..."]         # strings that are still there
//! ```
//!
//! A marked piece and the white space around it must become one paragraph break. White space at the two ends of a
//! document does not count. Every document needs an expectation. Each case also restores the input, byte for byte.

use descale::engine::{self, Mode, Options, Silent};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const OPEN: char = '⟦';
const CLOSE: char = '⟧';

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    why: String,
    #[serde(default)]
    options: Options,
    document: Vec<Document>,
    #[serde(default)]
    expect: Expect,
}

#[derive(Deserialize)]
struct Document {
    id: String,
    text: Option<String>,
    file: Option<String>,
    #[serde(flatten)]
    fields: BTreeMap<String, serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expect {
    dropped: Vec<String>,
    unchanged: Vec<String>,
    text: BTreeMap<String, String>,
    loses: BTreeMap<String, Vec<String>>,
    keeps: BTreeMap<String, Vec<String>>,
}

#[test]
fn every_case_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 6, "the cases are gone");
    let failures: Vec<String> = paths.iter().flat_map(|path| failures(path)).collect();
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n"));
}

#[test]
fn marks_become_one_paragraph_break() {
    assert_eq!(expected("⟦Head.⟧\n\nStays.\n ⟦Goes.⟧\nStays. ⟦Foot.⟧"), "Stays.\n\nStays.");
    assert_eq!(plain("a ⟦b⟧ c"), "a b c");
}

/// What is wrong with a case, a line each.
fn failures(path: &Path) -> Vec<String> {
    let file = path.file_name().unwrap().to_string_lossy().into_owned();
    let case: Case = match toml::from_str(&fs::read_to_string(path).unwrap()) {
        Ok(case) => case,
        Err(error) => return vec![format!("{file}: {error}")],
    };
    let complaints = case.run().unwrap_or_else(|error| vec![format!("the run failed: {error}")]);
    complaints.iter().map(|what| format!("{file} ({}): {what}\n  why it matters: {}", case.name, case.why)).collect()
}

impl Case {
    fn run(&self) -> descale::Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let (input, out, back) =
            (folder.path().join("input.jsonl"), folder.path().join("out"), folder.path().join("back"));
        let before: String = self.document.iter().map(|document| document.line() + "\n").collect();
        fs::write(&input, &before).unwrap();
        let options = Options {
            inputs: vec![input.to_string_lossy().into_owned()],
            out: Some(out.clone()),
            memory_bytes: 64 << 20,
            ..self.options.clone()
        };
        engine::run(&options, &Silent)?;
        if options.mode == Mode::Scan {
            return Ok(vec!["a scan writes no records to compare".into()]);
        }
        let mut complaints = self.compare(&texts(&fs::read_to_string(out.join("data/input.jsonl")).unwrap()));
        engine::restore(&out, &back, &Silent)?;
        if fs::read_to_string(back.join("input.jsonl")).ok() != Some(before) {
            complaints.push("restore did not give back the input".into());
        }
        Ok(complaints)
    }

    fn compare(&self, after: &BTreeMap<String, String>) -> Vec<String> {
        self.document.iter().filter_map(|document| self.complaint(document, after.get(&document.id))).collect()
    }

    /// What is wrong with one document; `None` when it came out as expected.
    fn complaint(&self, document: &Document, after: Option<&String>) -> Option<String> {
        let (id, expect, source) = (&document.id, &self.expect, document.source());
        let marked = source.contains(OPEN);
        if expect.dropped.contains(id) {
            return after.map(|_| format!("{id} should have been dropped"));
        }
        let Some(after) = after else { return Some(format!("{id} was dropped")) };
        if expect.unchanged.contains(id) {
            return (*after != source).then(|| format!("{id} was changed:\n{after}"));
        }
        let pieces = expect.loses.contains_key(id) || expect.keeps.contains_key(id);
        let wanted = expect.text.get(id).cloned().or_else(|| marked.then(|| expected(&source)));
        match wanted {
            Some(text) if text.trim() != after.trim() => {
                Some(format!("{id} reads\n----\n{after}\n---- instead of\n{text}\n----"))
            }
            None if !pieces => Some(format!("nothing is expected of {id}: mark it, or list it as unchanged")),
            _ => self.piece_complaint(id, after),
        }
    }

    fn piece_complaint(&self, id: &str, after: &str) -> Option<String> {
        let listed = |lists: &BTreeMap<String, Vec<String>>| lists.get(id).cloned().unwrap_or_default().into_iter();
        let left = listed(&self.expect.loses).find(|piece| after.contains(piece.as_str()));
        let gone = listed(&self.expect.keeps).find(|piece| !after.contains(piece.as_str()));
        left.map(|piece| format!("{id} still has {piece:?}")).or(gone.map(|piece| format!("{id} lost {piece:?}")))
    }
}

impl Document {
    /// The text with its marks.
    fn source(&self) -> String {
        match (&self.text, &self.file) {
            (Some(text), None) => text.clone(),
            (None, Some(file)) => fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap(),
            _ => panic!("{}: a document has either text or file", self.id),
        }
    }

    /// The record as a line of JSON.
    fn line(&self) -> String {
        let mut record = serde_json::to_value(&self.fields).unwrap();
        record["id"] = self.id.clone().into();
        record["text"] = plain(&self.source()).into();
        record.to_string()
    }
}

/// Text by id.
fn texts(jsonl: &str) -> BTreeMap<String, String> {
    let read = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        (record["id"].as_str().unwrap().to_string(), record["text"].as_str().unwrap().to_string())
    };
    jsonl.lines().map(read).collect()
}

/// The text without the marks.
fn plain(marked: &str) -> String {
    marked.replace([OPEN, CLOSE], "")
}

/// The text without the marked pieces.
fn expected(marked: &str) -> String {
    let kept = marked.split(OPEN).enumerate().map(|(at, part)| match (at, part.split_once(CLOSE)) {
        (0, _) => part,
        (_, Some((_, rest))) => rest,
        (_, None) => panic!("a mark is not closed: {part:?}"),
    });
    kept.map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}
