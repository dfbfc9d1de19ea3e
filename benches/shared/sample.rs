//! The texts the benchmarks run on: generated from a seed, or read from a file of real ones.
//!
//! Generated documents are drawn from a vocabulary with Zipf's distribution, in one of four kinds of writing, with
//! sentences, paragraphs and some markup. One in eight is a copy of an earlier one with every fiftieth word changed; one in
//! four carries one of thirty-two blocks of boilerplate. `DESCALE_BENCH_MB` sets the size of each kind (2 by default, so
//! that it stays in the cache as a chunk of a corpus does), `DESCALE_BENCH_INPUT` names a JSONL file whose field `text`
//! is used instead.

use std::fmt::Write;

/// Documents of one kind.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) documents: Vec<String>,
}

impl Sample {
    /// Bytes of text.
    #[allow(dead_code, reason = "the count of instructions knows no time")]
    pub(crate) fn bytes(&self) -> u64 {
        self.documents.iter().map(|text| text.len() as u64).sum()
    }
}

/// How words are written.
#[derive(Clone, Copy)]
struct Writing {
    name: &'static str,
    syllables: &'static [&'static str],
    /// What stands between words.
    space: &'static str,
    stop: &'static str,
}

const WRITINGS: [Writing; 4] = [
    Writing {
        name: "ascii",
        syllables: &["the", "an", "re", "in", "con", "ta", "ver", "si", "on", "me", "ly", "pro", "de", "s", "er", "a"],
        space: " ",
        stop: ". ",
    },
    Writing {
        name: "accented",
        syllables: &[
            "für", "un", "gen", "schä", "der", "é", "ción", "ver", "lich", "ü", "da", "ße", "ta", "in", "à", "e",
        ],
        space: " ",
        stop: ". ",
    },
    Writing {
        name: "cyrillic",
        syllables: &["по", "на", "ст", "ра", "ни", "ко", "то", "ль", "ова", "ет", "и", "пре", "вы", "ся", "ть", "Ме"],
        space: " ",
        stop: ". ",
    },
    Writing {
        name: "han",
        syllables: &["的", "一", "是", "不", "了", "人", "我", "在", "有", "他", "中", "文", "の", "は", "書", "国"],
        space: "",
        stop: "。",
    },
];

/// All samples of this run.
#[allow(dead_code, reason = "the count of instructions generates its own")]
pub(crate) fn samples() -> Vec<Sample> {
    if let Ok(path) = std::env::var("DESCALE_BENCH_INPUT") {
        return vec![read(&path)];
    }
    let megabytes = std::env::var("DESCALE_BENCH_MB").ok().and_then(|mb| mb.parse().ok()).unwrap_or(2);
    generated(megabytes * 1_000_000)
}

/// A sample of each kind of writing, of about so many bytes.
pub(crate) fn generated(bytes: usize) -> Vec<Sample> {
    WRITINGS.iter().map(|writing| generate(*writing, bytes)).collect()
}

fn read(path: &str) -> Sample {
    let lines = std::fs::read_to_string(path).expect("DESCALE_BENCH_INPUT can be read");
    let text = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        record["text"].as_str().expect("a field \"text\"").to_owned()
    };
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    Sample { name, documents: lines.lines().map(text).collect() }
}

fn generate(writing: Writing, bytes: usize) -> Sample {
    let mut draw = Draw(1);
    let vocabulary: Vec<String> = (0..20_000).map(|_| draw.word(writing)).collect();
    let blocks: Vec<String> = (0..32).map(|_| draw.paragraph(writing, &vocabulary, 60)).collect();
    let (mut documents, mut total) = (Vec::new(), 0);
    while total < bytes {
        let text = if draw.below(8) == 0 && !documents.is_empty() {
            let copied: &String = &documents[draw.below(documents.len())];
            draw.edited(copied, &vocabulary)
        } else {
            draw.document(writing, &vocabulary, &blocks)
        };
        total += text.len();
        documents.push(text);
    }
    Sample { name: writing.name.into(), documents }
}

/// A source of random choices: SplitMix64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        usize::try_from(descale::hash::mix(self.0) % n as u64).expect("below a usize")
    }

    /// A rank below `n` with a probability of about one over the rank.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and n")]
    fn zipf(&mut self, n: usize) -> usize {
        let share = self.below(1 << 30) as f64 / f64::from(1 << 30);
        (((n as f64).powf(share)) as usize).min(n) - 1
    }

    fn word(&mut self, writing: Writing) -> String {
        let length = 1 + self.below(4) * self.below(3) / 2;
        (0..length).map(|_| writing.syllables[self.zipf(writing.syllables.len())]).collect()
    }

    fn paragraph(&mut self, writing: Writing, vocabulary: &[String], words: usize) -> String {
        let mut text = String::new();
        for i in 0..words {
            text.push_str(&vocabulary[self.zipf(vocabulary.len())]);
            text.push_str(if i % 14 == 13 { writing.stop } else { writing.space });
        }
        text
    }

    fn document(&mut self, writing: Writing, vocabulary: &[String], blocks: &[String]) -> String {
        let mut text = String::new();
        for _ in 0..1 + self.below(12) {
            let words = 20 + self.below(100);
            let open = if self.below(20) == 0 { "<p class=\"lead\">" } else { "" };
            let _ = write!(text, "{open}{}\n\n", self.paragraph(writing, vocabulary, words));
        }
        if self.below(4) == 0 {
            text.push_str(&blocks[self.below(blocks.len())]);
        }
        text
    }

    /// A copy with every fiftieth word replaced.
    fn edited(&mut self, text: &str, vocabulary: &[String]) -> String {
        let mut copy = String::with_capacity(text.len());
        for (i, word) in text.split_inclusive(' ').enumerate() {
            if i % 50 == 49 {
                let _ = write!(copy, "{} ", vocabulary[self.zipf(vocabulary.len())]);
            } else {
                copy.push_str(word);
            }
        }
        copy
    }
}
