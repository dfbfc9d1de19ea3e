//! Near-duplicates end to end, by what the command leaves behind: who goes because of whom.
//!
//! Texts are words apart by one space, so that a naive reader in this file has the same tokens as the product. Where a
//! property speaks of pairs, a recall of .9999 is asked for: what the bands miss is another promise's matter.

use descale::engine::{self, Mode, Options, Silent};
use descale::near::Keep;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::fs;

/// What a run left behind.
struct Outcome {
    plan: Vec<Value>,
    /// The members of each cluster, by id.
    clusters: BTreeSet<BTreeSet<String>>,
}

impl Outcome {
    /// The dropped documents: of, similarity, reason, by id.
    fn dropped(&self) -> BTreeMap<String, (String, f64, String)> {
        let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
        let lines = self.plan.iter().filter(|line| line["action"] == "drop");
        lines.map(|l| (text(l, "id"), (text(l, "of"), l["similarity"].as_f64().unwrap(), text(l, "reason")))).collect()
    }

    fn ids(&self) -> Vec<String> {
        self.dropped().into_keys().collect()
    }
}

fn dedup() -> Options {
    let mut options = Options { mode: Mode::Dedup, threads: 1, ..Options::default() };
    options.near.recall = 0.9999;
    options
}

/// Runs over files of documents, each an id and a text.
fn outcome(options: &Options, files: &[(&str, &[(String, String)])]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    for (name, documents) in files {
        let lines = documents.iter().fold(String::new(), |mut lines, (id, text)| {
            writeln!(lines, "{}", serde_json::json!({"id": id, "text": text, "score": text.len()})).unwrap();
            lines
        });
        fs::create_dir_all(folder.path().join("in").join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join("in").join(name), lines).unwrap();
    }
    let out = folder.path().join("out");
    let inputs = vec![folder.path().join("in").to_string_lossy().into_owned()];
    engine::run(&Options { inputs, out: Some(out.clone()), ..options.clone() }, &Silent).unwrap();
    let lines = |name: &str| -> Vec<Value> {
        fs::read_to_string(out.join(name)).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let members = |line: &Value| {
        line["members"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
    };
    Outcome { plan: lines("plan.jsonl"), clusters: lines("clusters.jsonl").iter().map(members).collect() }
}

fn one_file(options: &Options, documents: &[(String, String)]) -> Outcome {
    outcome(options, &[("a.jsonl", documents)])
}

fn numbered(texts: impl IntoIterator<Item = String>) -> Vec<(String, String)> {
    texts.into_iter().enumerate().map(|(i, text)| (format!("d{i}"), text)).collect()
}

/// Windows of five words; of a shorter text, all its words.
fn shingles(text: &str) -> HashSet<Vec<&str>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let width = words.len().min(5);
    if width == 0 { HashSet::new() } else { words.windows(width).map(<[&str]>::to_vec).collect() }
}

fn jaccard(a: &str, b: &str) -> f64 {
    let (a, b) = (shingles(a), shingles(b));
    a.intersection(&b).count() as f64 / a.union(&b).count() as f64
}

/// Cut and edited from a few common texts, some of them copies of each other.
fn related_texts() -> impl Strategy<Value = Vec<String>> {
    let text = (0u64..3, 0usize..12, 30usize..60, proptest::collection::vec((0usize..60, 0u64..5), 0..3));
    let text = text.prop_map(|(family, from, to, edits)| {
        let mut words: Vec<String> = (0..60).map(|i| format!("f{family}w{}", i % 57)).collect();
        edits.into_iter().for_each(|(place, new)| words[place] = format!("new{new}"));
        words[from..to].join(" ")
    });
    proptest::collection::vec(text, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_similarity_in_the_plan_is_the_naive_one(texts in related_texts(), threshold in 0.4f64..1.0) {
        let documents = numbered(texts);
        let mut options = dedup();
        options.near.threshold = threshold;
        let found = one_file(&options, &documents).dropped();
        let texts: BTreeMap<_, _> = documents.into_iter().collect();
        for (id, (of, similarity, reason)) in &found {
            prop_assert!(!found.contains_key(of), "{id} goes because of {of}, which goes");
            let naive = jaccard(&texts[id], &texts[of]);
            prop_assert!(naive >= threshold && (similarity - naive).abs() < 1e-15, "{similarity} {naive}");
            prop_assert_eq!(reason == "exact", texts[id] == texts[of]);
        }
        let kept: Vec<_> = texts.keys().filter(|id| !found.contains_key(*id)).collect();
        for (i, a) in kept.iter().enumerate() {
            for b in &kept[..i] {
                prop_assert!(jaccard(&texts[*a], &texts[*b]) < threshold, "{a} and {b} are twins and both stay");
            }
        }
    }

    #[test]
    fn a_further_document_changes_nothing_for_earlier_ones(texts in related_texts(), more in related_texts()) {
        let documents = numbered(texts.into_iter().chain(more));
        let whole = one_file(&dedup(), &documents).dropped();
        for count in [documents.len() / 2, documents.len().saturating_sub(1)] {
            let part = one_file(&dedup(), &documents[..count]).dropped();
            let earlier = |(id, _): &(&String, &_)| documents[..count].iter().any(|(earlier, _)| earlier == *id);
            prop_assert_eq!(part.iter().collect::<Vec<_>>(), whole.iter().filter(earlier).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_order_changes_who_is_kept_and_nothing_else(documents in related_texts().prop_map(numbered).prop_shuffle()) {
        let mut sorted = documents.clone();
        sorted.sort();
        prop_assert_eq!(one_file(&dedup(), &documents).clusters, one_file(&dedup(), &sorted).clusters);
    }

    #[test]
    fn a_higher_threshold_only_splits_clusters(texts in related_texts(), low in 0.4f64..0.7, high in 0.7f64..1.0) {
        let documents = numbered(texts);
        let clusters = |threshold| {
            let mut options = dedup();
            options.near.threshold = threshold;
            one_file(&options, &documents).clusters
        };
        let low = clusters(low);
        for cluster in clusters(high) {
            prop_assert!(low.iter().any(|larger| cluster.is_subset(larger)), "{cluster:?}");
        }
    }
}

#[test]
fn documents_of_a_preferred_source_stay() {
    let words = |n: usize| (0..n).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ");
    let file = |name: &str| {
        numbered([words(100), words(99), words(98)])
            .into_iter()
            .map(|(id, t)| (format!("{name}{id}"), t))
            .collect::<Vec<_>>()
    };
    let (crawl, wiki, books) = (file("crawl-"), file("wiki-"), file("books-"));
    let files: [(&str, &[_]); 3] = [("crawl.jsonl", &crawl), ("good/books.jsonl", &books), ("good/wiki.jsonl", &wiki)];
    let kept = |prefer: &[&str], keep: Keep| {
        let mut options = dedup();
        options.near.keep = keep;
        options.near.prefer = prefer.iter().map(|source| (*source).into()).collect();
        let dropped = outcome(&options, &files).ids();
        let all = files.iter().flat_map(|(_, documents)| documents.iter().map(|(id, _)| id.clone()));
        all.filter(|id| !dropped.contains(id)).collect::<Vec<_>>()
    };
    assert_eq!(kept(&[], Keep::First), ["crawl-d0"]);
    assert_eq!(kept(&["good"], Keep::First), ["books-d0"]);
    assert_eq!(kept(&["good/wiki.jsonl", "crawl.jsonl"], Keep::First), ["wiki-d0"]);
    assert_eq!(kept(&["./good/"], Keep::Highest("score".into())), ["books-d0"]);
    assert_eq!(kept(&["crawl.jsonl"], Keep::Longest), ["crawl-d0"]);
    let mut options = dedup();
    options.near.prefer = vec!["goo".into()];
    options.inputs = vec!["fixtures/demo".into()];
    options.dry_run = true;
    let error = engine::run(&options, &Silent).unwrap_err().to_string();
    assert!(error.contains("--prefer \"goo\" is none of the input files"), "{error}");
}

#[test]
fn short_empty_and_long_documents_and_scripts_without_spaces() {
    let long = |from: usize| (from..from + 200_000).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ");
    let thai = "สวัสดีครับผมชื่อสมชายและผมอาศัยอยู่ในกรุงเทพมหานครประเทศไทยมาหลายปีแล้ว";
    let chinese = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。";
    let texts = [
        ("", false),
        ("", false),
        ("...", false),
        ("two words", false),
        ("Two, words!", true),
        ("two other", false),
        ("one", false),
        ("ONE", true),
        (thai, false),
        (&thai.replacen('ส', "ศ", 1), true),
        (chinese, false),
        (&chinese.replacen('人', "情", 1), true),
        (&chinese.chars().rev().collect::<String>(), false),
        (&long(0), false),
        (&long(2_000), true),
        (&long(300_000), false),
    ];
    let documents = numbered(texts.iter().map(|(text, _)| (*text).to_owned()));
    let dropped = one_file(&dedup(), &documents).ids();
    let expected: BTreeSet<String> = (0..).zip(&texts).filter(|(_, t)| t.1).map(|(i, _)| format!("d{i}")).collect();
    assert_eq!(dropped.into_iter().collect::<BTreeSet<_>>(), expected);
}

/// Made-up sentences and the lines of a site's navigation and foot, from a seed.
struct Writer(u64);

impl Writer {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = descale::hash::mix(self.0.wrapping_add(1));
        self.0 % below
    }

    fn words(&mut self, count: usize) -> String {
        let word = |n: u64| -> String {
            let syllable = |i: u32| {
                let n = usize::try_from(n / 60u64.pow(i) % 60).unwrap();
                [&"bdfgklmnprst"[n / 5..=n / 5], &"aeiou"[n % 5..=n % 5]].concat()
            };
            (0..3).map(syllable).collect()
        };
        (0..count).map(|_| word(self.next(200_000))).collect::<Vec<_>>().join(" ")
    }

    fn paragraphs(&mut self, count: usize) -> String {
        (0..count).map(|_| self.words(12) + ". " + &self.words(13) + ". " + &self.words(11) + ".\n\n").collect()
    }

    fn lines(&mut self, count: usize, words: usize) -> String {
        (0..count).map(|_| self.words(words) + "\n").collect()
    }
}

#[test]
fn chrome_neither_makes_articles_equal_nor_hides_that_they_are() {
    let mut w = Writer(7);
    let mut documents = Vec::new();
    let (head, foot) = (w.lines(100, 3), w.lines(28, 14));
    documents.extend((0..20).map(|i| (format!("short-{i}"), format!("{head}\n{}{foot}", w.paragraphs(1)))));
    let sites = ["one", "two"].map(|name| (name, w.lines(40, 3), w.lines(11, 14)));
    for i in 0..20 {
        let carried = w.paragraphs(5);
        for (name, head, foot) in &sites {
            let article = if i < 6 { carried.clone() } else { w.paragraphs(5) };
            documents.push((format!("{name}-{i}"), format!("{head}\n{article}{foot}")));
        }
    }
    let count = |mode| {
        let mut options = Options { mode, ..Options::default() };
        options.block.protect.retain(|kind| *kind != descale::block::Protect::Relatives);
        let (wrong, right): (Vec<_>, Vec<_>) =
            one_file(&options, &documents).ids().into_iter().partition(|id| id.starts_with("short"));
        (wrong.len(), right.len())
    };
    assert_eq!(count(Mode::Dedup), (19, 0), "(dropped only for the chrome, found under other chrome)");
    assert_eq!(count(Mode::Clean), (0, 6), "(dropped only for the chrome, found under other chrome)");
}
