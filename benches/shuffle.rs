//! What grouping costs: the shuffle in memory and spilling, beside `sort_unstable` of the same postings.
//!
//! `SHUFFLE_POSTINGS` sets how many (default 2^20, 16 MiB). One thread throughout; seeded hashes as keys.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use descale::hash;
use descale::shuffle::{Options, Posting, Shuffle, SpillArea};
use std::hint::black_box;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seed {
    hash: u64,
    document: u32,
    position: u32,
}

impl Posting for Seed {
    const FIELDS: usize = 3;

    fn key(&self) -> u64 {
        self.hash
    }

    fn split(&self, fields: &mut [u64]) {
        fields.copy_from_slice(&[self.hash, self.document.into(), self.position.into()]);
    }

    #[expect(clippy::cast_possible_truncation, reason = "as split gave them")]
    fn join(fields: &[u64]) -> Self {
        Self { hash: fields[0], document: fields[1] as u32, position: fields[2] as u32 }
    }
}

/// Every hash occurs twice on average.
fn seeds(n: u32) -> Vec<Seed> {
    let hash = |i: u32| hash::mix(hash::mix(u64::from(i) + 1) % u64::from(n / 2));
    (0..n).map(|i| Seed { hash: hash(i), document: i / 100, position: i % 100 }).collect()
}

/// Counts the groups.
fn shuffled(area: &Arc<SpillArea>, seeds: &[Seed], push_bytes: usize, open_bytes: usize) -> descale::Result<u64> {
    let shuffle = Shuffle::new(area, Options { budget_bytes: push_bytes, key_bits: 64 })?;
    let mut scatter = shuffle.scatter();
    seeds.iter().try_for_each(|&seed| scatter.push(seed))?;
    drop(scatter);
    let mut count = 0;
    for mut partition in shuffle.finish()? {
        let mut groups = partition.open(open_bytes)?;
        while let Some(group) = groups.next_group()? {
            count += u64::from(group.len() > 0);
        }
    }
    Ok(count)
}

fn bench(c: &mut Criterion) {
    let n = std::env::var("SHUFFLE_POSTINGS").ok().and_then(|n| n.parse().ok()).unwrap_or(1 << 20);
    let seeds = seeds(n);
    let bytes = size_of_val(&seeds[..]);
    let area = Arc::new(SpillArea::new(None).expect("the temporary folder is writable"));
    let mut group = c.benchmark_group("shuffle");
    group.throughput(Throughput::Bytes(bytes as u64)).sample_size(10);
    group.bench_function(BenchmarkId::new("sort_unstable", n), |b| {
        b.iter(|| {
            let mut sorted = seeds.clone();
            sorted.sort_unstable();
            black_box(sorted.chunk_by(|a, b| a.hash == b.hash).count())
        });
    });
    // Budgets: ample; a quarter to push but room to sort a partition; and so little that every partition is merged.
    for (name, push_bytes, open_bytes) in
        [("memory", 4 * bytes, bytes), ("spilled", bytes / 4, bytes), ("merged", bytes / 4, bytes / 1024)]
    {
        group.bench_function(BenchmarkId::new(name, n), |b| {
            b.iter(|| shuffled(&area, black_box(&seeds), push_bytes, open_bytes).expect("the disk has room"));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
