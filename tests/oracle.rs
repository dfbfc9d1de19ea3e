//! What the fast way finds is what the definition says, through the public engine.
//!
//! - Every repeat: with `--exact` a token goes if, and only if, it lies in a run of `--min-tokens` tokens that occurs
//!   again. Held against all runs in a map.
//! - Duplicates: every dropped document has the similarity the plan says with a document that stays, and reaches the
//!   threshold; a cluster is held together by pairs that reach it, and pairs well above it are in one cluster.
//! - Nothing is lost: the records left and the records removed are the input, and `restore` gives it back.

use crate::corpus::{Random, Recipe, stream};
use descale::block::KeepCopies;
use descale::engine::{self, Mode, Options, Silent};
use descale::text::{Tokens, tokenize};
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

#[derive(Debug, Deserialize)]
struct PlanLine {
    id: String,
    action: String,
    of: Option<String>,
    similarity: Option<f64>,
    #[serde(default)]
    spans: Vec<PlanSpan>,
}

#[derive(Debug, Deserialize)]
struct PlanSpan {
    start: usize,
    end: usize,
}

#[derive(Debug, Deserialize)]
struct ClusterLine {
    kept: String,
    members: Vec<Member>,
}

#[derive(Debug, Deserialize)]
struct Member {
    id: String,
}

/// What a run left.
struct Left {
    plan: Vec<PlanLine>,
    clusters: Vec<ClusterLine>,
}

/// Runs over the texts, checks that nothing is lost, and reads what is left.
fn run(texts: &[String], options: &Options) -> Left {
    let folder = tempfile::tempdir().unwrap();
    let [input, out, back] = ["in.jsonl", "out", "back"].map(|name| folder.path().join(name));
    let line = |(i, text)| serde_json::json!({"id": format!("d{i}"), "text": text}).to_string() + "\n";
    let before: String = texts.iter().enumerate().map(line).collect();
    fs::write(&input, &before).unwrap();
    let inputs = vec![input.to_string_lossy().into_owned()];
    let options = Options { inputs, out: Some(out.clone()), threads: 2, memory_bytes: 64 << 20, ..options.clone() };
    engine::run(&options, &Silent).unwrap();
    assert_nothing_is_lost(&before, &out);
    engine::restore(&out, &back, &Silent).unwrap();
    assert!(fs::read_to_string(back.join("in.jsonl")).unwrap() == before, "restore gives back the input");
    Left { plan: lines(&out.join("plan.jsonl")), clusters: lines(&out.join("clusters.jsonl")) }
}

/// Rows that left whole, rows that were dropped, and rows put together again from what was cut, are the input's rows.
fn assert_nothing_is_lost(before: &str, out: &Path) {
    #[derive(Deserialize)]
    struct Removed {
        row: usize,
        dropped: Option<String>,
    }
    let removed: BTreeMap<usize, Removed> =
        lines::<Removed>(&out.join("removed.jsonl")).into_iter().map(|r| (r.row, r)).collect();
    let data = fs::read_to_string(out.join("data/in.jsonl")).unwrap();
    let mut left = data.split_inclusive('\n');
    for (number, row) in before.split_inclusive('\n').enumerate() {
        match removed.get(&number) {
            Some(Removed { dropped: Some(dropped), .. }) => assert_eq!(dropped, row),
            Some(_) => assert!(left.next().is_some_and(|edited| edited.len() < row.len()), "row {number} lost text"),
            None => assert_eq!(left.next(), Some(row)),
        }
    }
    assert_eq!(left.next(), None, "no row is made up");
}

fn lines<T: for<'a> Deserialize<'a>>(path: &Path) -> Vec<T> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn tokens(text: &str) -> Tokens {
    let mut tokens = Tokens::default();
    tokenize(text, &mut tokens);
    tokens
}

/// For every text, which of its tokens lie in a run of `length` tokens that occurs twice or more; of each run the first
/// `kept` occurrences do not count.
fn repeated(texts: &[Tokens], length: usize, kept: usize) -> Vec<Vec<bool>> {
    let mut places: HashMap<&[u64], Vec<(usize, usize)>> = HashMap::new();
    for (doc, text) in texts.iter().enumerate() {
        for (at, run) in text.hashes.windows(length).enumerate() {
            places.entry(run).or_default().push((doc, at));
        }
    }
    let mut marks: Vec<Vec<bool>> = texts.iter().map(|text| vec![false; text.hashes.len()]).collect();
    for places in places.values().filter(|places| places.len() > 1) {
        places.iter().skip(kept).for_each(|&(doc, at)| marks[doc][at..at + length].fill(true));
    }
    marks
}

/// Words with repeats of all lengths planted in them, in lines and sentences.
fn patchwork(seed: u64, documents: u64) -> Vec<String> {
    let mut random = Random::new(seed, 0);
    let words = |random: &mut Random, count: u64| -> Vec<String> {
        (0..count).map(|_| format!("w{}", random.below(5000))).collect()
    };
    let patches: Vec<Vec<String>> = (0..6)
        .map(|_| {
            let n = 2 + random.below(40);
            words(&mut random, n)
        })
        .collect();
    let text = |_| {
        let mut all = Vec::new();
        for _ in 0..random.below(8) {
            let count = random.below(12);
            all.extend(words(&mut random, count));
            let patch = &patches[random.at(6)];
            let from = random.at(patch.len());
            let to = from + random.at(patch.len() - from + 1);
            all.extend_from_slice(&patch[from..to]);
        }
        let gaps = [" ", " ", " ", ", ", ". ", "\n", "\n\n", " <b>", "\n* ", "…\r\n"];
        all.iter().map(|word| word.clone() + gaps[random.at(10)]).collect()
    };
    (0..documents).map(text).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_repeat_goes_and_nothing_else(seed in any::<u64>(), documents in 1u64..25, length in 3u32..30, none in any::<bool>()) {
        let texts = patchwork(seed, documents);
        let mut options = Options { mode: Mode::Strip, ..Options::default() };
        options.block.exact = true;
        options.block.min_tokens = length;
        options.block.keep_copies = if none { KeepCopies::None } else { KeepCopies::Auto };
        let left = run(&texts, &options);
        let read: Vec<Tokens> = texts.iter().map(|text| tokens(text)).collect();
        let expected = repeated(&read, length as usize, usize::from(!none));
        for (doc, text) in read.iter().enumerate() {
            let line = left.plan.iter().find(|line| line.id == format!("d{doc}"));
            let spans = line.map_or(&[][..], |line| &line.spans);
            let is_cut = |t: &descale::span::Span| {
                spans.iter().any(|s| s.start <= t.start as usize && t.end as usize <= s.end)
            };
            let touched = |t: &descale::span::Span| {
                spans.iter().any(|s| s.start < t.end as usize && (t.start as usize) < s.end)
            };
            for (i, token) in text.spans.iter().enumerate() {
                prop_assert_eq!(is_cut(token), expected[doc][i], "token {} of document {}", i, doc);
                prop_assert_eq!(touched(token), expected[doc][i]);
            }
        }
    }

    #[test]
    fn a_dropped_document_has_a_twin_that_stays(seed in any::<u64>(), documents in 2usize..60, threshold in 0.55f64..1.0) {
        let recipe = Recipe { seed, words: 60, vocabulary: 300, blocks: 5, planted: 50, copies: 60, paged: 10, foreign: 40 };
        let texts: Vec<String> = stream(recipe).take(documents).map(|made| made.text).collect();
        let mut options = Options { mode: Mode::Dedup, ..Options::default() };
        options.near.threshold = threshold;
        let left = run(&texts, &options);
        let sets: BTreeMap<String, BTreeSet<Vec<u64>>> =
            texts.iter().enumerate().map(|(i, text)| (format!("d{i}"), shingles(text, 5))).collect();
        let dropped: BTreeSet<&str> = left.plan.iter().map(|line| line.id.as_str()).collect();
        for line in &left.plan {
            prop_assert_eq!(&line.action, "drop");
            let of = line.of.as_ref().expect("a dropped document names its twin");
            let similarity = jaccard(&sets[&line.id], &sets[of]);
            prop_assert!(!dropped.contains(of.as_str()), "{} goes because of {}, which goes too", line.id, of);
            // A number read from JSON may be off in its last bit.
            let said = line.similarity.expect("a dropped document has a similarity");
            prop_assert!(similarity >= threshold && (said - similarity).abs() < 1e-12, "{line:?} {similarity}");
        }
        check_clusters(&left, &sets, threshold, &dropped)?;
    }

    #[test]
    fn every_mode_gives_back_its_input(seed in any::<u64>(), documents in 1usize..50) {
        let recipe = Recipe { seed, words: 80, vocabulary: 500, blocks: 6, planted: 60, copies: 30, paged: 20, foreign: 40 };
        let texts: Vec<String> = stream(recipe).take(documents).map(|made| made.text).collect();
        for mode in [Mode::Clean, Mode::Dedup, Mode::Strip] {
            for keep_copies in [KeepCopies::Auto, KeepCopies::None, KeepCopies::First] {
                let mut options = Options { mode, ..Options::default() };
                options.block.keep_copies = keep_copies;
                run(&texts, &options);
            }
        }
    }
}

/// Every cluster is tied by verified pairs; of every cluster one stays; pairs that no sketch can miss are together.
fn check_clusters(
    left: &Left,
    sets: &BTreeMap<String, BTreeSet<Vec<u64>>>,
    threshold: f64,
    dropped: &BTreeSet<&str>,
) -> Result<(), TestCaseError> {
    let mut cluster_of: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, cluster) in left.clusters.iter().enumerate() {
        prop_assert!(!dropped.contains(cluster.kept.as_str()));
        for member in &cluster.members {
            prop_assert!(cluster_of.insert(&member.id, number).is_none(), "{} is in two clusters", member.id);
        }
        let ids: Vec<&str> = cluster.members.iter().map(|member| member.id.as_str()).collect();
        prop_assert_eq!(reached(&ids, sets, threshold), ids.len(), "{:?} falls apart", &ids);
    }
    for id in dropped {
        prop_assert!(cluster_of.contains_key(id), "{} is in no cluster", id);
    }
    for (a, of_a) in sets {
        for (b, of_b) in sets.range::<str, _>((std::ops::Bound::Excluded(a.as_str()), std::ops::Bound::Unbounded)) {
            if jaccard(of_a, of_b) >= threshold.max(0.97) {
                prop_assert_eq!(cluster_of.get(a.as_str()), cluster_of.get(b.as_str()), "{} and {}", a, b);
            }
        }
    }
    Ok(())
}

/// How many of the documents are tied to the first by pairs at the threshold.
fn reached(ids: &[&str], sets: &BTreeMap<String, BTreeSet<Vec<u64>>>, threshold: f64) -> usize {
    let (mut seen, mut open) = (BTreeSet::from([ids[0]]), vec![ids[0]]);
    while let Some(id) = open.pop() {
        for other in ids {
            if jaccard(&sets[id], &sets[*other]) >= threshold && seen.insert(other) {
                open.push(other);
            }
        }
    }
    seen.len()
}

/// The runs of `width` tokens of a text, or all its tokens if it has fewer.
fn shingles(text: &str, width: usize) -> BTreeSet<Vec<u64>> {
    let hashes = tokens(text).hashes;
    if hashes.len() < width {
        return [hashes].into_iter().filter(|all| !all.is_empty()).collect();
    }
    hashes.windows(width).map(<[u64]>::to_vec).collect()
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn jaccard(a: &BTreeSet<Vec<u64>>, b: &BTreeSet<Vec<u64>>) -> f64 {
    let shared = a.intersection(b).count();
    if shared == 0 { 0.0 } else { shared as f64 / (a.len() + b.len() - shared) as f64 }
}
