//! What is told, end to end: a run, then its documents explained.

use crate::engine::{Mode, Options, Silent, explain, run};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Words that nobody else has.
fn words(from: usize, to: usize) -> String {
    (from..to).map(|i| format!("w{i} ")).collect()
}

/// A run over documents by id; the folder of its results.
fn outcome(mode: Mode, documents: &[(&str, String)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in.jsonl"), folder.path().join("out"));
    let mut lines = String::new();
    for (id, text) in documents {
        writeln!(lines, "{}", serde_json::json!({"id": id, "text": text})).unwrap();
    }
    std::fs::write(&input, lines).unwrap();
    let inputs = vec![input.to_string_lossy().into_owned()];
    let mut options = Options { mode, inputs, out: Some(out.clone()), ..Options::default() };
    options.block.exact = true;
    run(&options, &Silent).unwrap();
    (folder, out)
}

fn told(out: &std::path::Path, ids: &[&str]) -> String {
    explain(out, &ids.iter().map(|id| (*id).into()).collect::<Vec<_>>(), 80).unwrap()
}

#[test]
fn one_that_went_is_set_beside_the_one_that_stays() {
    let changed = format!("{}CHANGED {}", words(0, 100), words(101, 200));
    let documents = [("a", words(0, 200)), ("b", changed), ("c", words(500, 520))];
    let (_folder, out) = outcome(Mode::Dedup, &documents);
    let expected = "\
b: dropped, a near-duplicate of a; it stays (similarity 0.950, cluster 1)

b and a
  similarity 0.9502, at least the threshold of 0.8 (Jaccard: 191 of 201
      shingles of 5 words)
  97.4 % of the first lies in the second, 97.4 % of the second in the first
";
    let story = told(&out, &["b"]);
    assert!(story.starts_with(expected), "{story}");
    assert!(story.contains("\nShared: 2 passages, 199 words\n  = w0 w1 w2"), "{story}");
    let difference =
        "    [88 words alike]\n    w88 w89 w90 w91 w92 w93 w94 w95 w96 w97 w98 w99\n  - CHANGED\n  + w100\n    w101";
    assert!(story.contains(difference), "{story}");
    assert!(story.lines().all(|line| line.len() <= 80), "{story}");
}

#[test]
fn one_that_stays_says_for_whom_or_that_nobody_is_alike() {
    let (_folder, out) = outcome(Mode::Dedup, &[("a", words(0, 50)), ("b", words(0, 50)), ("c", words(90, 120))]);
    let kept = "a: kept, unchanged\n  it stays for 1 other of cluster 1, alike by 1.000 at least\n";
    assert_eq!(told(&out, &["a"]), kept);
    assert_eq!(told(&out, &["c"]), "c: kept, unchanged\n  no other document was found that is alike by 0.8\n");
    let story = told(&out, &["a", "b"]);
    assert!(
        story.contains("\nb: dropped, an exact duplicate of a; it stays (similarity 1.000, cluster 1)\n"),
        "{story}"
    );
    assert!(story.ends_with("\nWord by word the same\n"), "{story}");
    let error = explain(&out, &["z".into()], 80).unwrap_err().to_string();
    assert!(error.contains("no document is called \"z\""), "{error}");
}

#[test]
fn a_cut_is_shown_between_the_lines_around_it() {
    let notice =
        "Copyright by the Example Press Agency.\nAll rights reserved, no part may be reproduced without consent.";
    let text = |from| {
        format!(
            "{}\n\n{notice}\n\n{}\n\n{notice}\n\n{}",
            words(from, from + 40),
            words(from + 40, from + 80),
            words(from + 80, from + 120)
        )
    };
    let (_folder, out) = outcome(Mode::Strip, &[("a", text(0)), ("b", text(1000))]);
    let story = told(&out, &["b"]);
    assert!(story.starts_with("b: kept, "), "{story}");
    assert!(story.contains(" bytes cut in 2 places\n"), "{story}");
    let cut = "  - Copyright by the Example Press Agency.\n  - All rights reserved, no part may be reproduced without consent.\n    w1040 w1041";
    assert!(story.contains(cut), "{story}");
}
