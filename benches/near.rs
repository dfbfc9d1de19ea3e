//! What a document costs on the near-duplicate way, step by step.
//!
//! `cargo bench --bench near`. Throughput counts shingles (or members), so that the time per element can be read off.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use descale::hash::mix;
use descale::near::{Bands, Decider, Member, Near, Options, Sketcher, shingle, verify};
use std::hint::black_box;

const SIZES: [u64; 4] = [30, 200, 1_000, 10_000];
const MINIMA: usize = 112;

fn words(n: u64) -> Vec<u64> {
    (0..n).map(mix).collect()
}

/// Textbook MinHash: a multiplication and an addition modulo 2^61 - 1 per shingle and slot.
fn textbook(shingles: &[u64], out: &mut Vec<u64>) {
    const PRIME: u64 = (1 << 61) - 1;
    let residue = |x: u128| u64::try_from(x % u128::from(PRIME)).unwrap_or(0);
    out.clear();
    out.extend((1..=MINIMA as u64).map(|slot| {
        let (a, b) = (mix(slot) % PRIME, mix(!slot) % PRIME);
        let hash = |&x: &u64| residue(u128::from(x) * u128::from(a) + u128::from(b));
        shingles.iter().map(hash).min().unwrap_or(u64::MAX)
    }));
}

fn sketches(c: &mut Criterion) {
    let mut group = c.benchmark_group("sketch");
    let (fast, default) = (Sketcher::new(MINIMA, 1), Near::new(&Options::default()).expect("defaults are valid"));
    let mut out = Vec::new();
    for size in SIZES {
        let shingles = words(size);
        group.throughput(Throughput::Elements(size));
        group.bench_with_input(BenchmarkId::new("fss112", size), &shingles, |b, s| b.iter(|| fast.sketch(s, &mut out)));
        group.bench_with_input(BenchmarkId::new("fss_default", size), &shingles, |b, s| {
            b.iter(|| default.sketcher().sketch(s, &mut out));
        });
        if size <= 1_000 {
            group.bench_with_input(BenchmarkId::new("textbook112", size), &shingles, |b, s| {
                b.iter(|| textbook(s, &mut out));
            });
        }
    }
    group.finish();
}

fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("step");
    let (tokens, mut out) = (words(1_000), Vec::new());
    group.throughput(Throughput::Elements(tokens.len() as u64));
    group.bench_function("shingles", |b| b.iter(|| shingle::shingles(black_box(&tokens), 5, &mut out)));
    group.bench_function("shingle_set", |b| b.iter(|| shingle::shingle_set(black_box(&tokens), 5, &mut out)));
    let near = Near::new(&Options::default()).expect("defaults are valid");
    let mut scratch = Vec::new();
    group.bench_function("keys", |b| b.iter(|| near.keys(black_box(&tokens), &mut scratch, &mut out)));

    let (mut a, mut b_set) = (words(1_050), words(1_100).split_off(50));
    a.sort_unstable();
    b_set.sort_unstable();
    group.bench_function("verify_twins", |b| b.iter(|| verify::jaccard_at_least(black_box(&a), &b_set, 0.8)));
    let mut other = words(2_000).split_off(1_000);
    other.sort_unstable();
    group.bench_function("verify_strangers", |b| b.iter(|| verify::jaccard_at_least(black_box(&a), &other, 0.8)));

    let mut sketch = Vec::new();
    Sketcher::new(MINIMA, 1).sketch(&tokens, &mut sketch);
    group.throughput(Throughput::Elements(1));
    group.bench_function("band_keys_14x8", |b| b.iter(|| Bands::new(14, 8).band_keys(black_box(&sketch), &mut out)));
    group.finish();
}

/// Ten thousand texts of 300 tokens: one family with a few words changed, or a hundred families around the threshold.
fn family(members: u32, families: u64, most_edits: u64, near: &Near) -> Vec<Member> {
    let text = |i: u64| {
        let mut tokens: Vec<u64> = (0..300).map(|t| mix(((i % families) << 32) | t)).collect();
        for edit in 0..mix(i) % (most_edits + 1) {
            let at = mix(i * 100 + edit);
            tokens[usize::try_from(at % 300).unwrap_or(0)] = mix(at);
        }
        tokens
    };
    (0..members).map(|doc| Member::new(doc, &text(u64::from(doc)), near)).collect()
}

fn decisions(c: &mut Criterion) {
    let near = Near::new(&Options::default()).expect("defaults are valid");
    let mut group = c.benchmark_group("decide");
    group.sample_size(10);
    for (name, families, edits) in
        [("near_identical", 1, 2), ("around_threshold", 100, 10), ("one_at_threshold", 1, 16)]
    {
        let members = family(10_000, families, edits, &near);
        group.throughput(Throughput::Elements(members.len() as u64));
        group.bench_function(name, |b| {
            b.iter_batched(
                || members.clone(),
                |members| {
                    let mut decider = Decider::new(&near);
                    members.into_iter().for_each(|member| decider.push(member));
                    decider.finish()
                },
                criterion::BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, sketches, steps, decisions);
criterion_main!(benches);
