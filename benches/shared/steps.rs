//! The steps of a pass, each as a closure over a whole sample, after the yardstick every one is measured against.

use super::sample::Sample;
use descale::block::bank::{Bank, Entry, Search};
use descale::block::layout::marks;
use descale::block::letters::Letters;
use descale::block::page::running_lines;
use descale::block::winnow::{grams, winnow};
use descale::io::{Chunk, Chunks, Inputs, Parser, Source};
use descale::near::{Bands, Sketcher, shingle::shingles};
use descale::record::{Fields, Visit};
use descale::text::{Tokens, tokenize};
use std::hint::black_box;

/// Tokens in a gram, grams in a window, tokens in a shingle, bands, rows: what a corpus job uses.
const GRAM: usize = 8;
const WINDOW: usize = 16;
const SHINGLE: usize = 5;
const BANDS: usize = 14;
const ROWS: usize = 8;

/// A step: its name and one run of it.
pub(crate) type Step<'a> = (&'static str, Box<dyn FnMut() + 'a>);

/// The yardstick first, then every step. What a step needs of the steps before is made here, once.
pub(crate) fn steps<'a>(sample: &'a Sample, scratch: &std::path::Path) -> Vec<Step<'a>> {
    let mut all: Vec<Step<'a>> = vec![(
        "xxh3",
        Box::new(move || {
            for text in &sample.documents {
                black_box(descale::hash::bytes(text.as_bytes(), 1));
            }
        }),
    )];
    all.extend(text_steps(sample));
    all.extend(token_steps(sample));
    all.extend(page_steps(sample));
    let chunks = chunks(sample, scratch);
    let mut parser = Parser::new(&Fields::default());
    all.push((
        "json",
        Box::new(move || {
            for chunk in &chunks {
                parser.visit(chunk, count).expect("the records are sound");
            }
        }),
    ));
    all
}

fn count(visit: Visit<'_>) -> descale::Result<()> {
    match visit {
        Visit::Record(record) => {
            black_box(record.text.len());
            Ok(())
        }
        Visit::Blank { .. } => Ok(()),
        Visit::Bad { error, .. } => Err(error),
    }
}

fn text_steps<'a>(sample: &'a Sample) -> Vec<Step<'a>> {
    let (mut tokens, mut more, mut last) = (Tokens::default(), Tokens::default(), Tokens::default());
    let (mut hashes, mut out, mut sketch) = (Vec::new(), Vec::new(), Vec::new());
    let sketcher = Sketcher::new(BANDS * ROWS, 1);
    vec![
        (
            "text to words",
            Box::new(move || {
                for text in &sample.documents {
                    tokenize(text, &mut tokens);
                    black_box(&tokens);
                }
            }),
        ),
        (
            "text to sketch",
            Box::new(move || {
                for text in &sample.documents {
                    tokenize(text, &mut more);
                    shingles(&more.hashes, SHINGLE, &mut hashes);
                    sketcher.sketch(&hashes, &mut sketch);
                    black_box(&sketch);
                }
            }),
        ),
        (
            "text to seeds",
            Box::new(move || {
                for text in &sample.documents {
                    tokenize(text, &mut last);
                    grams(&last.hashes, GRAM, &mut out);
                    winnow(&out, WINDOW, |at| {
                        black_box(at);
                    });
                }
            }),
        ),
    ]
}

/// What the block way reads off a text besides its words. The bank holds the ends of every eighth document: the blocks
/// that they carry among them.
fn page_steps<'a>(sample: &'a Sample) -> Vec<Step<'a>> {
    let read = |text: &String| {
        let (mut tokens, mut letters) = (Tokens::default(), Letters::default());
        tokenize(text, &mut tokens);
        letters.read(text, &tokens.spans);
        (tokens, letters)
    };
    let documents: Vec<(Tokens, Letters)> = sample.documents.iter().map(read).collect();
    let end = |(_, letters): &(Tokens, Letters)| letters.codes[letters.len().saturating_sub(300)..].to_vec();
    let entries = (0u32..).zip(documents.iter().step_by(8).map(end));
    let bank = Bank::new(entries.map(|(template, letters)| Entry { template, letters }).collect());
    let (tokens, letters): (Vec<Tokens>, Vec<Letters>) = documents.into_iter().unzip();
    let spelt = tokens.clone();
    let (mut of_tokens, mut spelling) = (Vec::new(), Letters::default());
    let (mut search, mut matches) = (Search::default(), Vec::new());
    vec![
        (
            "running lines",
            Box::new(move || {
                for text in &sample.documents {
                    black_box(running_lines(text));
                }
            }),
        ),
        (
            "marks",
            Box::new(move || {
                for (text, tokens) in sample.documents.iter().zip(&tokens) {
                    marks(text, &tokens.spans, &mut of_tokens);
                    black_box(&of_tokens);
                }
            }),
        ),
        (
            "letters",
            Box::new(move || {
                for (text, tokens) in sample.documents.iter().zip(&spelt) {
                    spelling.read(text, &tokens.spans);
                    black_box(&spelling);
                }
            }),
        ),
        (
            "bank",
            Box::new(move || {
                for document in &letters {
                    bank.find(document, &mut search, &mut matches);
                    black_box(&matches);
                }
            }),
        ),
    ]
}

fn token_steps<'a>(sample: &'a Sample) -> Vec<Step<'a>> {
    let each = |f: &dyn Fn(&[u64]) -> Vec<u64>| -> Vec<Vec<u64>> {
        let mut tokens = Tokens::default();
        let one = |text: &String| {
            tokenize(text, &mut tokens);
            f(&tokens.hashes)
        };
        sample.documents.iter().map(one).collect()
    };
    let made = |step: &dyn Fn(&[u64], &mut Vec<u64>)| {
        each(&|tokens| {
            let mut out = Vec::new();
            step(tokens, &mut out);
            out
        })
    };
    let words = each(&<[u64]>::to_vec);
    let of_grams = made(&|tokens, out| grams(tokens, GRAM, out));
    let of_shingles = made(&|tokens, out| shingles(tokens, SHINGLE, out));
    let sketcher = Sketcher::new(BANDS * ROWS, 1);
    let sketches: Vec<Vec<u64>> = of_shingles
        .iter()
        .map(|set| {
            let mut out = Vec::new();
            sketcher.sketch(set, &mut out);
            out
        })
        .collect();
    vec![
        over(words.clone(), "shingles", |tokens, out| shingles(tokens, SHINGLE, out)),
        over(of_shingles, "sketch", move |set, out| sketcher.sketch(set, out)),
        over(sketches, "band keys", |sketch, out| Bands::new(BANDS, ROWS).band_keys(sketch, out)),
        over(words, "grams", |tokens, out| grams(tokens, GRAM, out)),
        over(of_grams, "winnow", |grams, _| {
            winnow(grams, WINDOW, |at| {
                black_box(at);
            })
        }),
    ]
}

fn over<'a>(input: Vec<Vec<u64>>, name: &'static str, step: impl Fn(&[u64], &mut Vec<u64>) + 'a) -> Step<'a> {
    let mut out = Vec::new();
    (
        name,
        Box::new(move || {
            for one in &input {
                step(one, &mut out);
                black_box(&out);
            }
        }),
    )
}

/// The sample as chunks of JSON Lines.
fn chunks(sample: &Sample, scratch: &std::path::Path) -> Vec<Chunk> {
    let path = scratch.join("sample.jsonl");
    let lines = sample.documents.iter().map(|text| serde_json::json!({ "id": 1, "text": text }).to_string() + "\n");
    std::fs::write(&path, lines.collect::<String>()).expect("the sample can be written");
    let inputs = Inputs::resolve(&[path.to_string_lossy().into_owned()]).expect("the sample is there");
    let mut source = Chunks::new(&inputs, Default::default());
    std::iter::from_fn(|| source.next_chunk(Vec::new()).expect("the sample can be read")).collect()
}
