//! Does a step take more instructions than it did? Counts, not times: the same on a busy machine as on an idle one.
//!
//! `cargo bench --bench instructions` runs itself and the command under valgrind on small generated texts, with the AVX2
//! and the portable kernels (valgrind knows no AVX-512), and compares with `instructions.tsv`: more than 3 % over a
//! count there fails. `-- --accept` writes the counts of today there instead; the commit says why they rose.
//!
//! The counts depend on the compiler, so the table names the one it was made with. Another one is held to a quarter.
//! A process that counts a whole pass has one worker; what its threads spend waiting for each other is nothing.

#[path = "shared/sample.rs"]
mod sample;
#[path = "shared/steps.rs"]
mod steps;

use sample::Sample;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

type Result<T> = std::result::Result<T, Box<dyn Error>>;
/// Kernel and step, instructions.
type Counts = BTreeMap<(String, String), u64>;

/// Bytes of text of each script: enough that a step's start does not count, and a run takes seconds.
const SAMPLE_BYTES: usize = 200_000;
const KERNELS: [&str; 2] = ["avx2", "portable"];
const PASSES: [&str; 3] = ["dedup", "strip", "clean"];
/// Percent that a count may rise, and may where another compiler made the table.
const MARGIN: [u64; 2] = [3, 25];
/// Set in the process that valgrind runs.
const INSIDE: &str = "DESCALE_COUNTED";

fn main() -> ExitCode {
    let asked = |name: &str| std::env::args().any(|argument| argument == name);
    let outcome =
        if std::env::var_os(INSIDE).is_some() || asked("--test") { inside() } else { guard(asked("--accept")) };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One sample for each script, small.
fn samples() -> Vec<Sample> {
    sample::generated(SAMPLE_BYTES)
}

/// Runs every step once, in the order of [`names`]; valgrind counts what happens in [`counted`].
fn inside() -> Result<ExitCode> {
    let scratch = tempfile::tempdir()?;
    for sample in samples() {
        for (_, mut step) in steps::steps(&sample, scratch.path()) {
            step();
            counted(&mut || ());
            counted(&mut step);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is counted: valgrind knows it by its name, and writes down what was counted whenever it ends. So it is called
/// once more before a step, for what led there. It is not left by a jump.
#[inline(never)]
fn counted(step: &mut dyn FnMut()) -> bool {
    step();
    std::hint::black_box(true)
}

/// The names of what [`inside`] runs.
fn names(scratch: &Path) -> Vec<String> {
    let of = |sample: &Sample| -> Vec<String> {
        steps::steps(sample, scratch).iter().map(|(step, _)| format!("{step}, {}", sample.name)).collect()
    };
    samples().iter().flat_map(of).collect()
}

fn guard(accept: bool) -> Result<ExitCode> {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.tsv");
    let compiler = compiler()?;
    let scratch = tempfile::tempdir()?;
    let mut counts = Counts::new();
    for kernel in KERNELS {
        count_steps(kernel, scratch.path(), &mut counts)?;
        count_passes(kernel, scratch.path(), &mut counts)?;
    }
    if accept {
        std::fs::write(&table, written(&counts, &compiler))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (made_with, baseline) = read(&std::fs::read_to_string(&table)?)?;
    let margin = MARGIN[usize::from(made_with != compiler)];
    compare(&baseline, &counts, margin)
}

/// A valgrind that counts, for a program that may use the kernel.
fn valgrind(kernel: &str) -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--error-exitcode=0"]).env("DESCALE_KERNEL", kernel);
    command
}

fn run(command: &mut Command) -> Result<String> {
    let output =
        command.output().map_err(|e| format!("cannot run valgrind ({e}); install it: apt-get install valgrind"))?;
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(messages) } else { Err(messages.into()) }
}

/// One process for all steps, which leaves a file for each.
fn count_steps(kernel: &str, scratch: &Path, counts: &mut Counts) -> Result<()> {
    let folder = scratch.join(kernel);
    std::fs::create_dir(&folder)?;
    let base = folder.join("counts");
    let mut command = valgrind(kernel);
    command.arg(format!("--callgrind-out-file={}", base.display()));
    command.arg("--dump-after=instructions::counted*");
    run(command.arg(std::env::current_exe()?).env(INSIDE, "1"))?;
    for (i, name) in (1..).zip(names(scratch)) {
        let file = PathBuf::from(format!("{}.{}", base.display(), 2 * i));
        let text = std::fs::read_to_string(&file).map_err(|e| format!("{name} was not counted: {e}"))?;
        let total = text.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
        let total = total.ok_or_else(|| format!("{name}: no total in {}", file.display()))?;
        counts.insert((kernel.into(), name), total.trim().parse()?);
    }
    Ok(())
}

/// A process for each whole pass over all samples.
fn count_passes(kernel: &str, scratch: &Path, counts: &mut Counts) -> Result<()> {
    let input = scratch.join("all.jsonl");
    let texts = samples().into_iter().flat_map(|sample| sample.documents);
    let line = |text: String| serde_json::json!({ "text": text }).to_string() + "\n";
    std::fs::write(&input, texts.map(line).collect::<String>())?;
    for pass in PASSES {
        let mut command = valgrind(kernel);
        command.args(["--callgrind-out-file=/dev/null", env!("CARGO_BIN_EXE_descale"), pass]).arg(&input);
        command.args(["--threads", "1", "--overwrite", "--json", "--out"]).arg(scratch.join("out"));
        let messages = run(&mut command)?;
        let total =
            messages.lines().find_map(|line| line.split_once("Collected : ")).ok_or("valgrind gave no count")?;
        counts.insert((kernel.into(), format!("{pass}, whole pass")), total.1.trim().parse()?);
    }
    Ok(())
}

fn compiler() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Ok(String::from_utf8(Command::new(rustc).arg("--version").output()?.stdout)?.trim().into())
}

fn written(counts: &Counts, compiler: &str) -> String {
    let mut out = format!("# {compiler}\nkernel\tstep\tinstructions\n");
    for ((kernel, step), count) in counts {
        let _ = writeln!(out, "{kernel}\t{step}\t{count}");
    }
    out
}

fn read(table: &str) -> Result<(String, Counts)> {
    let mut lines = table.lines();
    let compiler = lines.next().and_then(|line| line.strip_prefix("# ")).ok_or("the table names no compiler")?;
    let mut counts = Counts::new();
    for line in lines.skip(1) {
        let [kernel, step, count] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("not a row of the table: {line}").into());
        };
        counts.insert((kernel.into(), step.into()), count.parse()?);
    }
    Ok((compiler.into(), counts))
}

/// Prints what moved; failure where something rose by more than the margin, or is not in the table.
fn compare(baseline: &Counts, counts: &Counts, margin: u64) -> Result<ExitCode> {
    let (mut failed, mut out) = (false, std::io::stdout().lock());
    for ((kernel, step), &count) in counts {
        let Some(&before) = baseline.get(&(kernel.clone(), step.clone())) else {
            failed = true;
            writeln!(out, "NEW   {kernel:<9}{step:<32}{count:>14}")?;
            continue;
        };
        let share = 100.0 * count as f64 / before.max(1) as f64 - 100.0;
        let rose = count * 100 > before * (100 + margin);
        failed |= rose;
        let word = if rose { "MORE" } else { "" };
        writeln!(out, "{word:<6}{kernel:<9}{step:<32}{before:>14}{count:>14}{share:>+8.1} %")?;
    }
    if failed {
        writeln!(
            out,
            "\nmore than {margin} % over benches/instructions.tsv, or not in it. If that is the price of something, say so \
             in the commit and\naccept it: cargo bench --no-default-features --features cli --bench instructions -- --accept"
        )?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
