//! A corpus of any size from a seed: a stream of records, the same ones on every machine, none of them kept.
//!
//! Document `i` is a function of `(seed, i)`, so a near-copy of an earlier document is made by making that document
//! again: memory stays at one document however long the stream is. Words follow Zipf's law over a vocabulary of made-up
//! words; documents are of four scripts, some paged, and carry planted blocks at a paragraph of their own.
//!
//! What a run must find is known: [`Made::of`] names the document a near-copy was made from, [`Made::blocks`] counts the
//! planted blocks.

#![expect(
    dead_code,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "it makes up text; every bench, and the tests, use a part of it, and stop where it cannot be written"
)]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// What the stream is made of. Shares are in percent of the documents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    pub(crate) seed: u64,
    /// Mean length of a document, in words.
    pub(crate) words: u64,
    /// Different words of a script.
    pub(crate) vocabulary: u64,
    /// Different planted blocks; the first ones are the most frequent.
    pub(crate) blocks: u64,
    /// Documents with planted blocks.
    pub(crate) planted: u64,
    /// Documents that are a near-copy of an earlier one.
    pub(crate) copies: u64,
    /// Documents with page heads and feet.
    pub(crate) paged: u64,
    /// Documents not in Latin script.
    pub(crate) foreign: u64,
}

impl Default for Recipe {
    fn default() -> Self {
        let seed = 1;
        Self { seed, words: 350, vocabulary: 60_000, blocks: 400, planted: 40, copies: 15, paged: 3, foreign: 20 }
    }
}

impl Recipe {
    /// Documents of a line: messages, captions, queries.
    pub(crate) fn tiny() -> Self {
        Self { words: 8, planted: 0, paged: 0, ..Self::default() }
    }
}

/// One document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    pub(crate) number: u64,
    pub(crate) text: String,
    /// The document it is a near-copy of.
    pub(crate) of: Option<u64>,
    /// Planted blocks in it.
    pub(crate) blocks: u64,
}

impl Made {
    /// As a line of JSON.
    pub(crate) fn line(&self) -> String {
        let text = serde_json::to_string(&self.text).expect("a string is JSON");
        format!("{{\"id\":\"d{}\",\"site\":\"s{}\",\"text\":{text}}}\n", self.number, self.number % 97)
    }
}

/// The random numbers of splitmix64 (Steele, Lea, Flood, 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed ^ stream.wrapping_mul(0xD134_2543_DE82_EF95));
        random.next();
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// An index of so many.
    pub(crate) fn at(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    pub(crate) fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    /// A rank below `limit` whose chance falls as `1 / rank`.
    fn zipf(&mut self, limit: u64) -> u64 {
        let uniform = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        ((limit as f64).powf(uniform) as u64).clamp(1, limit) - 1
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Latin,
    Cyrillic,
    Han,
    Arabic,
}

/// The documents from number 0 on, without end.
pub(crate) fn stream(recipe: Recipe) -> impl Iterator<Item = Made> {
    (0..).map(move |number| recipe.make(number))
}

/// Writes documents as lines of JSON until they hold so many bytes of text, packed if the name ends in `.zst`; how many
/// documents.
pub(crate) fn write(recipe: Recipe, bytes: f64, path: &Path) -> u64 {
    let file = BufWriter::new(File::create(path).unwrap());
    if path.extension().is_some_and(|extension| extension == "zst") {
        let mut packed = zstd::Encoder::new(file, 1).unwrap();
        let documents = write_to(recipe, bytes, &mut packed);
        packed.finish().unwrap().flush().unwrap();
        return documents;
    }
    let mut file = file;
    let documents = write_to(recipe, bytes, &mut file);
    file.flush().unwrap();
    documents
}

fn write_to(recipe: Recipe, bytes: f64, out: &mut impl std::io::Write) -> u64 {
    let (mut written, mut documents) = (0, 0);
    for made in stream(recipe) {
        if written as f64 >= bytes {
            break;
        }
        written += made.text.len();
        documents += 1;
        out.write_all(made.line().as_bytes()).unwrap();
    }
    documents
}

impl Recipe {
    /// Document `number`.
    pub(crate) fn make(&self, number: u64) -> Made {
        let mut random = Random::new(self.seed, number);
        if number > 0 && random.percent(self.copies) {
            let of = random.below(number);
            let first = self.make(of);
            let text = altered(&first.text, &mut random);
            return Made { number, text, of: Some(first.of.unwrap_or(of)), blocks: first.blocks };
        }
        let script = match random.below(100) {
            n if n >= self.foreign => Script::Latin,
            n => [Script::Cyrillic, Script::Han, Script::Arabic][(n % 3) as usize],
        };
        let words = self.words / 4 + random.below(self.words * 3 / 2 + 1);
        let mut paragraphs = self.paragraphs(script, words, &mut random);
        let mut blocks = 0;
        if random.percent(self.planted) {
            blocks = 1 + random.below(3);
            for _ in 0..blocks {
                let at = random.below(paragraphs.len() as u64 + 1) as usize;
                paragraphs.insert(at, self.block(random.zipf(self.blocks)));
            }
        }
        let text = if random.percent(self.paged) { paged(&paragraphs, number) } else { paragraphs.join("\n\n") };
        Made { number, text, of: None, blocks }
    }

    /// A planted block: the same wherever it is planted.
    pub(crate) fn block(&self, rank: u64) -> String {
        let mut random = Random::new(self.seed ^ 0xB10C, rank);
        let words = 20 + random.below(60);
        self.paragraphs(Script::Latin, words, &mut random).join("\n")
    }

    fn paragraphs(&self, script: Script, words: u64, random: &mut Random) -> Vec<String> {
        let mut paragraphs = vec![String::new()];
        let (mut left, mut sentence) = (words, 0);
        for _ in 0..words {
            let open = paragraphs.last_mut().expect("there is one");
            if !open.is_empty() && script != Script::Han {
                open.push(' ');
            }
            word(open, script, random.zipf(self.vocabulary));
            sentence += 1;
            left -= 1;
            if sentence >= 6 && random.percent(12) {
                open.push(if script == Script::Han { '。' } else { '.' });
                sentence = 0;
                if left > 0 && random.percent(25) {
                    paragraphs.push(String::new());
                }
            }
        }
        paragraphs
    }
}

/// Word `rank` of a script: short ones are frequent.
fn word(out: &mut String, script: Script, rank: u64) {
    let mut letters = Random::new(0x57_0D, rank.wrapping_mul(4) + script as u64);
    let length = 2 + rank.checked_ilog2().unwrap_or(0) / 3 + (letters.below(3) as u32);
    let push = |out: &mut String, first: u32, count: u64, letters: &mut Random| {
        out.push(char::from_u32(first + letters.below(count) as u32).expect("a letter"));
    };
    match script {
        Script::Han => push(out, 0x4E00, 4000, &mut letters),
        Script::Cyrillic => (0..length).for_each(|_| push(out, 0x430, 32, &mut letters)),
        Script::Arabic => (0..length).for_each(|_| push(out, 0x628, 19, &mut letters)),
        Script::Latin => (0..length).for_each(|i| match letters.below(60) {
            0 => out.push('é'),
            1 => out.push('ü'),
            _ if i % 2 == 1 => out.push(char::from(b"aeiou"[letters.below(5) as usize])),
            _ => push(out, u32::from(b'a'), 26, &mut letters),
        }),
    }
}

/// A near-copy: one word in fifty is another.
fn altered(text: &str, random: &mut Random) -> String {
    let other =
        |word: &str, random: &mut Random| if random.percent(2) { "x".to_owned() + word } else { word.to_owned() };
    text.split(' ').map(|word| other(word, random)).collect::<Vec<_>>().join(" ")
}

fn paged(paragraphs: &[String], number: u64) -> String {
    let lines: Vec<&str> =
        paragraphs.iter().flat_map(|p| p.as_bytes().chunks(60).filter_map(|c| str::from_utf8(c).ok())).collect();
    let page = |(at, lines): (usize, &[&str])| {
        format!("Report {number}        Draft\n\n{}\n\nOffice        [Page {}]\n\u{C}\n", lines.join("\n"), at + 1)
    };
    lines.chunks(20).enumerate().map(page).collect()
}
