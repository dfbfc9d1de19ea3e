//! Blocks that a person decided about, and what stripping leaves alone: end to end.

use descale::engine::{self, Mode, Options, Silent};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/demo");

fn strip(input: &Path, out: &Path, reviewed: Option<PathBuf>) -> descale::Result<engine::Summary> {
    let inputs = vec![input.to_string_lossy().into_owned()];
    let options = Options { mode: Mode::Strip, inputs, out: Some(out.into()), reviewed, ..Options::default() };
    engine::run(&options, &Silent)
}

fn blocks(out: &Path) -> Vec<Value> {
    let lines = fs::read_to_string(out.join("blocks.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn pages(out: &Path) -> String {
    fs::read_to_string(out.join("data/pages.jsonl")).unwrap()
}

/// Writes a list, runs over the demo with it.
fn reviewed(folder: &Path, name: &str, lines: &[Value]) -> descale::Result<PathBuf> {
    let list = folder.join(format!("{name}.jsonl"));
    fs::write(&list, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let out = folder.join(name);
    strip(Path::new(DEMO), &out, Some(list)).map(|_| out)
}

#[test]
fn a_list_turns_decisions_round() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    strip(Path::new(DEMO), &plain, None).unwrap();
    let mut lines = blocks(&plain);
    for line in &mut lines {
        let text = line["template"].as_str().unwrap();
        let (german, french) = (text.contains("Wir verwenden Cookies"), text.contains("Nous utilisons des cookies"));
        assert_eq!(line["decision"], if french { "keep" } else { "strip" }, "{text}");
        if german || french {
            line["decision"] = Value::from(if german { "keep" } else { "strip" });
        }
    }
    let out = reviewed(folder.path(), "turned", &lines).unwrap();
    assert!(pages(&plain).contains("Nous utilisons") && !pages(&plain).contains("Wir verwenden Cookies"));
    assert!(!pages(&out).contains("Nous utilisons") && pages(&out).contains("Wir verwenden Cookies"));
    let whys: Vec<Value> = blocks(&out).iter().map(|line| line["why"].clone()).collect();
    assert!(whys.contains(&"listed".into()) && whys.contains(&"reprieved".into()), "{whys:?}");
}

#[test]
fn what_repeats_nowhere_goes_when_listed() {
    let folder = tempfile::tempdir().unwrap();
    let template =
        "The work was planned for ⟨…⟩, but the contractor found a brick culvert that is on no map, and it took";
    let out =
        reviewed(folder.path(), "once", &[serde_json::json!({"template": template, "decision": "strip"})]).unwrap();
    assert!(!pages(&out).contains("brick culvert"));
    let listed = blocks(&out).into_iter().find(|line| line["why"] == "listed").unwrap();
    assert_eq!((&listed["template"], &listed["documents"]), (&template.into(), &2.into()));
}

#[test]
fn a_list_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = reviewed(folder.path(), "bad", &[serde_json::json!({"template": 3})]).err().unwrap();
    assert!(error.to_string().contains("bad.jsonl:1: this is no block"), "{error}");
}

#[test]
fn stripping_twice_changes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let [once, twice] = ["once", "twice"].map(|name| folder.path().join(name));
    strip(Path::new(DEMO), &once, None).unwrap();
    let summary = strip(&once.join("data"), &twice, None).unwrap();
    assert_eq!(summary.outputs.edited, 0);
    assert_eq!(pages(&once), pages(&twice));
}
