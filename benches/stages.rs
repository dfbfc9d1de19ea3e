//! What every step of a pass costs per byte of text, as processor time.
//!
//! `cargo bench --bench stages`. The yardstick `xxh3` hashes the same bytes. `DESCALE_KERNEL` caps the instructions, see
//! `shared/sample.rs` for what chooses the texts.

#[path = "shared/clock.rs"]
mod clock;
#[path = "shared/sample.rs"]
mod sample;
#[path = "shared/steps.rs"]
mod steps;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn stages(c: &mut Criterion<clock::CpuTime>) {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    for sample in sample::samples() {
        let mut group = c.benchmark_group("stage");
        group.sample_size(10);
        group.throughput(Throughput::Bytes(sample.bytes()));
        for (name, mut step) in steps::steps(&sample, scratch.path()) {
            group.bench_function(BenchmarkId::new(name, &sample.name), |b| b.iter(&mut step));
        }
        group.finish();
    }
}

fn by_cpu_time() -> Criterion<clock::CpuTime> {
    Criterion::default().with_measurement(clock::CpuTime)
}

criterion_group!(name = benches; config = by_cpu_time(); targets = stages);
criterion_main!(benches);
