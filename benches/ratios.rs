//! How many times the yardstick does a step take? One table a sample: least processor time of five runs, in one process.
//!
//! `cargo bench --bench ratios`, with `DESCALE_KERNEL=portable|avx2|avx512` for the lesser kernels. Throughput and
//! nanoseconds count bytes of text; the ratio is that of the step's time to that of XXH3 over the same bytes.

#[path = "shared/clock.rs"]
#[allow(dead_code, reason = "the measurement for criterion is not used here")]
mod clock;
#[path = "shared/sample.rs"]
mod sample;
#[path = "shared/steps.rs"]
mod steps;

use std::io::Write;
use std::time::Duration;

const RUNS: usize = 5;

fn least(step: &mut dyn FnMut()) -> Duration {
    // A run long enough for the clock, however small the sample.
    let mut repeats = 1;
    loop {
        let start = clock::now();
        (0..repeats).for_each(|_| step());
        if clock::now() - start > Duration::from_millis(20) || repeats > 1 << 16 {
            break;
        }
        repeats *= 2;
    }
    let run = || {
        let start = clock::now();
        (0..repeats).for_each(|_| step());
        (clock::now() - start) / repeats
    };
    std::iter::repeat_with(run).take(RUNS).min().expect("some runs")
}

fn main() -> std::io::Result<()> {
    let quick = std::env::args().any(|argument| argument == "--test");
    // `-- --only STEP` runs one step beside the yardstick, for a profiler.
    let only = std::env::args().skip_while(|argument| argument != "--only").nth(1);
    let (scratch, mut out) = (tempfile::tempdir()?, std::io::stdout().lock());
    for sample in sample::samples() {
        let bytes = sample.bytes() as f64;
        writeln!(
            out,
            "\n{} ({:.1} MB, {} documents, {:?})",
            sample.name,
            bytes / 1e6,
            sample.documents.len(),
            descale::cpu::Kernel::chosen()
        )?;
        writeln!(out, "{:<16}{:>9}{:>9}{:>9}", "step", "MB/s", "ns/B", "x xxh3")?;
        let mut yardstick = None;
        for (name, mut step) in steps::steps(&sample, scratch.path()) {
            if quick {
                step();
            }
            if quick || only.as_ref().is_some_and(|only| *only != name && name != "xxh3") {
                continue;
            }
            let nanoseconds = least(&mut step).as_nanos() as f64 / bytes;
            let ratio = nanoseconds / *yardstick.get_or_insert(nanoseconds);
            writeln!(out, "{name:<16}{:>9.0}{nanoseconds:>9.3}{ratio:>9.2}", 1e3 / nanoseconds)?;
        }
    }
    Ok(())
}
