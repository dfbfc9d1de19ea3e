//! Input made to hurt: no panic, no hang, nothing lost. Short forms of loads that grow linearly (the README has
//! the long ones), and random bytes through the whole of every mode.
//!
//! `DESCALE_FUZZ_SECONDS=3600 cargo test --release --test main hostile` goes on with random inputs for an hour.

use crate::corpus::{Random, Recipe, stream};
use descale::engine::{self, Mode, OnBadRecord, Options, Silent};
use std::fs;
use std::time::{Duration, Instant};

/// All ways through the engine.
fn ways() -> Vec<Options> {
    let of = |mode| Options { mode, threads: 2, memory_bytes: 16 << 20, ..Options::default() };
    let mut exact = of(Mode::Strip);
    exact.block.exact = true;
    let mut contained = of(Mode::Dedup);
    contained.near.contain = Some(0.9);
    vec![of(Mode::Clean), contained, exact]
}

/// Runs every way over a file and checks that `restore` gives it back; an input error is an answer too.
fn survives(name: &str, bytes: &[u8]) {
    for options in ways() {
        let folder = tempfile::tempdir().unwrap();
        let [input, out, back] = [name, "out", "back"].map(|name| folder.path().join(name));
        fs::write(&input, bytes).unwrap();
        let on_bad_record = OnBadRecord::Skip;
        let inputs = vec![input.to_string_lossy().into_owned()];
        let options = Options { inputs, out: Some(out.clone()), on_bad_record, ..options };
        match engine::run(&options, &Silent) {
            Ok(_) => {
                engine::restore(&out, &back, &Silent).unwrap();
                // An empty archive comes back as one that holds nothing: of archives the content is promised.
                let same = bytes.is_empty() || fs::read(back.join(name)).unwrap() == bytes;
                assert!(same, "{:?} of {name} lost bytes", options.mode);
            }
            Err(error) => assert!(!out.exists() && !error.to_string().is_empty(), "{error}"),
        }
    }
}

fn records<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Vec<u8> {
    let line = |text: T| serde_json::json!({ "text": text.as_ref() }).to_string() + "\n";
    texts.into_iter().map(line).collect::<String>().into_bytes()
}

#[test]
fn loads_that_repeat_without_end() {
    let recipe = Recipe { planted: 0, copies: 0, foreign: 0, paged: 0, ..Recipe::default() };
    let text = |number: u64, words: u64| Recipe { words, ..recipe }.make(number).text;
    let block = recipe.block(3);
    let base = text(1, 100);
    let near = (0..2000).map(|i| format!("{base} {i}"));
    for load in [
        records(["a ".repeat(300_000)]),
        records((0..2000).map(|i| format!("{}\n\n{block}\n\n{}", text(i, 20), text(i + 5000, 20)))),
        records([format!("{}\n\n", text(1, 50)).repeat(2000)]),
        records([text(1, 100_000), text(1, 100_000)]),
        records((0..30_000).map(|i| text(i, 2))),
        records(near),
        records(vec!["one two three four five six seven eight nine ten ".repeat(5000); 3]),
        records([(0..30_000).map(|i| format!("Page {i}\n")).collect::<String>()]),
        records((0..30_000).map(|_| "")),
        records(["x".repeat(500_000), "y".repeat(500_000), "x".repeat(500_000)]),
        records([format!("a{}", "\u{301}".repeat(100_000)), "-\n".repeat(100_000), "x-\n".repeat(100_000)]),
        records(["<".repeat(100_000), "&".repeat(100_000), "<a ".repeat(100_000), "&#".repeat(100_000)]),
    ] {
        survives("load.jsonl", &load);
    }
}

#[test]
fn random_inputs() {
    let seconds = std::env::var("DESCALE_FUZZ_SECONDS").ok().map(|n| Duration::from_secs(n.parse().unwrap()));
    let began = Instant::now();
    let mut seed = seconds.map_or(0, |_| u64::from(std::process::id()) << 32);
    let first = seed;
    while seed - first < 60 || seconds.is_some_and(|limit| began.elapsed() < limit) {
        let (name, bytes) = input(seed);
        let run = std::panic::catch_unwind(|| survives(name, &bytes));
        assert!(run.is_ok(), "seed {seed} ({name}) fails: `input({seed})` makes it again");
        seed += 1;
    }
    if seconds.is_some() {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{} inputs\n", seed - first).as_bytes());
    }
}

/// A random file: records with much in common, then damaged.
fn input(seed: u64) -> (&'static str, Vec<u8>) {
    let mut random = Random::new(seed, 77);
    let documents = random.at(40);
    let recipe = Recipe {
        seed,
        words: 1 + random.below(80),
        vocabulary: 2 + random.below(300),
        blocks: 1 + random.below(5),
        planted: random.below(100),
        copies: random.below(100),
        paged: random.below(60),
        foreign: random.below(100),
    };
    let name = ["a.jsonl", "a.jsonl", "a.jsonl", "a.txt", "a.jsonl.gz", "a.jsonl.zst"][random.at(6)];
    let mut bytes: Vec<u8> = stream(recipe).take(documents).flat_map(|made| made.line().into_bytes()).collect();
    for _ in 0..random.at(30) {
        damage(&mut bytes, &mut random);
    }
    (name, bytes)
}

/// What people and machines do to files.
const BITS: [&[u8]; 24] = [
    b"\\u0000",
    b"\\ud800",
    b"\\udc00",
    b"\\ud83d\\ude00",
    b"\\\"",
    b"\\n",
    b"\\u00e9",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\n",
    b"\"",
    b"}",
    b"{\"text\":\"x\"}",
    b"\"text\":",
    b"[[[[",
    b" ",
    b"\\u00ad",
    "e\u{301}".as_bytes(),
    "\u{200b}".as_bytes(),
    "ﬁ".as_bytes(),
    "\u{202e}".as_bytes(),
];

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.at(bytes.len() + 1);
    let to = (at + random.at(200)).min(bytes.len());
    match random.at(5) {
        0 => drop(bytes.splice(at..at, BITS[random.at(BITS.len())].iter().copied())),
        1 => drop(bytes.splice(at..to, BITS[random.at(BITS.len())].iter().copied())),
        2 => {
            let piece = bytes[at..to].to_vec();
            let there = random.at(bytes.len() + 1);
            bytes.splice(there..there, piece);
        }
        3 => drop(bytes.splice(at..at, BITS[random.at(BITS.len())].repeat(random.at(50)))),
        _ if at < bytes.len() => bytes[at] ^= 1 << random.at(8),
        _ => {}
    }
}
