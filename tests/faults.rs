//! Whatever happens at whatever moment: no half-written file under a final name, nothing left behind that the next run
//! does not clear away, and the next run writes the same bytes as if nothing had happened.
//!
//! A process is killed at random moments, and at every border of a stage; stopped by signals; the disk is full, the
//! temporary folder gone, the input changed. `DESCALE_KILLS=200` kills that often at random moments; the short form does so
//! a dozen times.

use crate::corpus::{Random, Recipe, stream};
use descale::ErrorKind;
use descale::engine::{self, Mode, Options, Progress, Silent};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A place with an input, a folder for the spill and a folder for the results.
pub(crate) struct Place {
    root: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new(documents: usize) -> Self {
        let place = Self { root: tempfile::tempdir().unwrap() };
        let recipe = Recipe { seed: 11, words: 150, vocabulary: 3000, blocks: 20, ..Recipe::default() };
        for folder in ["in", "spill"] {
            fs::create_dir(place.path(folder)).unwrap();
        }
        let lines: Vec<String> = stream(recipe).take(documents).map(|made| made.line()).collect();
        for (at, part) in lines.chunks(documents.div_ceil(3)).enumerate() {
            fs::write(place.path(&format!("in/{at}.jsonl")), part.concat()).unwrap();
        }
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn options(&self) -> Options {
        options(self.root.path())
    }

    /// What lies under a folder: contents by name. Partial folders, a live run's own, count as nothing.
    fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut open = vec![self.path(folder)];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.root.path()).unwrap().to_string_lossy().into_owned();
                if name.contains(".descale-partial-") {
                    continue;
                }
                if path.is_dir() {
                    open.push(path);
                } else {
                    files.insert(name, fs::read(path).unwrap());
                }
            }
        }
        files
    }

    /// The results, freed of what differs from run to run.
    pub(crate) fn results(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.files("out");
        for name in ["out/summary.json", "out/report.html"] {
            if let Some(bytes) = files.get_mut(name) {
                *bytes = Vec::new();
            }
        }
        files
    }

    fn assert_nothing_left(&self) {
        assert_eq!(self.files("out").into_keys().collect::<Vec<_>>(), [""; 0], "half-made results");
        assert_eq!(self.files("spill").into_keys().collect::<Vec<_>>(), [""; 0], "spill is left");
        assert!(!self.path("out").exists(), "the folder made for the run goes with it");
    }

    /// After a kill: all results or none, and the next run does not notice.
    fn assert_survived(&self, expected: &BTreeMap<String, Vec<u8>>, resume: bool) {
        let left = self.results();
        if left.contains_key("out/summary.json") {
            assert!(left == *expected, "summary.json stands, so all the rest must");
            fs::remove_dir_all(self.path("out")).unwrap();
        }
        engine::run(&Options { resume, ..self.options() }, &Silent).unwrap();
        assert!(self.results() == *expected, "the run after a kill writes other bytes");
        assert_eq!(self.files("spill").into_keys().collect::<Vec<_>>(), [""; 0], "spill is left");
        let partial = fs::read_dir(self.path("out"))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
        assert_eq!(partial.count(), 0, "a partial folder is left");
        fs::remove_dir_all(self.path("out")).unwrap();
    }
}

fn options(root: &Path) -> Options {
    Options {
        mode: Mode::Clean,
        inputs: vec![root.join("in").to_string_lossy().into_owned()],
        out: Some(root.join("out")),
        temp_dir: Some(root.join("spill")),
        threads: 2,
        memory_bytes: 16 << 20,
        ..Options::default()
    }
}

/// Does something at the n-th event of a run: a stage begins, or a chunk is done.
struct At<F> {
    events: AtomicUsize,
    n: usize,
    act: F,
    stages: Mutex<Vec<&'static str>>,
}

impl<F: Fn() + Sync> At<F> {
    fn new(n: usize, act: F) -> Self {
        Self { events: AtomicUsize::new(0), n, act, stages: Mutex::default() }
    }

    fn event(&self) {
        if self.events.fetch_add(1, Ordering::SeqCst) + 1 == self.n {
            (self.act)();
        }
    }
}

impl<F: Fn() + Sync> Progress for At<F> {
    fn stage(&self, name: &'static str, _: u64) {
        self.stages.lock().unwrap().push(name);
        self.event();
    }
    fn advance(&self, _: u64) {
        self.event();
    }
    fn warn(&self, _: &str) {}
    fn finish(&self) {}
}

/// How many events a run over a place has.
fn events(place: &Place) -> usize {
    let count = At::new(0, || ());
    engine::run(&place.options(), &count).unwrap();
    assert!(count.stages.lock().unwrap().contains(&"write"));
    fs::remove_dir_all(place.path("out")).unwrap();
    count.events.load(Ordering::SeqCst)
}

pub(crate) fn expected(place: &Place) -> BTreeMap<String, Vec<u8>> {
    engine::run(&place.options(), &Silent).unwrap();
    let results = place.results();
    assert!(results["out/removed.jsonl"].len() > 1000, "the corpus gives something to do");
    fs::remove_dir_all(place.path("out")).unwrap();
    results
}

/// Not a test of its own: what `killed_at_every_stage_and_chunk` runs in the processes that it kills.
#[test]
#[ignore = "run by killed_at_every_stage_and_chunk, once for every event"]
fn child() {
    let root = PathBuf::from(std::env::var("DESCALE_CHILD_PLACE").unwrap());
    let n: usize = std::env::var("DESCALE_CHILD_EVENT").unwrap().parse().unwrap();
    // Nothing unwinds, no file is flushed: the process is gone, as by kill -9.
    let _ = engine::run(&options(&root), &At::new(n, || std::process::abort()));
}

#[test]
fn killed_at_every_stage_and_chunk() {
    let place = Place::new(300);
    let expected = expected(&place);
    for n in 1..=events(&place) {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["faults::child", "--exact", "--ignored"])
            .env("DESCALE_CHILD_PLACE", place.root.path())
            .env("DESCALE_CHILD_EVENT", n.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(!status.success(), "event {n} did not kill");
        place.assert_survived(&expected, n % 2 == 0);
    }
}

/// The command over a place, as a process.
pub(crate) fn command(place: &Place) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_descale"));
    command.args(["clean", "--quiet", "--memory", "16M", "-j", "2"]).arg(place.path("in"));
    command.arg("--out").arg(place.path("out")).arg("--temp-dir").arg(place.path("spill"));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

#[test]
fn killed_at_random_moments() {
    let kills: u64 = std::env::var("DESCALE_KILLS").map_or(12, |n| n.parse().unwrap());
    let place = Place::new(400);
    let began = std::time::Instant::now();
    let expected = expected(&place);
    let whole = u64::try_from(began.elapsed().as_micros()).unwrap();
    let mut random = Random::new(5, kills);
    for kill in 0..kills {
        let mut child = command(&place).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(random.below(whole * 5 / 4)));
        let _ = child.kill();
        child.wait().unwrap();
        place.assert_survived(&expected, kill % 2 == 0);
    }
}

/// Does something at the first event of a stage, and keeps the stages.
struct AtStage<F>(&'static str, F, Mutex<Vec<&'static str>>);

impl<F: Fn() + Sync> Progress for AtStage<F> {
    fn stage(&self, name: &'static str, _: u64) {
        self.2.lock().unwrap().push(name);
        if name == self.0 {
            (self.1)();
        }
    }
    fn advance(&self, _: u64) {}
    fn warn(&self, _: &str) {}
    fn finish(&self) {}
}

/// Leaves a run that was broken off when a stage began.
fn broken_off(place: &Place, stage: &'static str) {
    let breaks = AtStage(stage, || panic!("the run ends here, as this test wants it to"), Mutex::default());
    let options = Options { resume: true, ..place.options() };
    let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| engine::run(&options, &breaks)));
    assert!(run.is_err(), "{stage} never began");
    assert_eq!(place.files("out").into_keys().collect::<Vec<_>>(), [""; 0], "half-made results");
}

#[test]
fn finished_stages_are_not_done_again() {
    let place = Place::new(300);
    let expected = expected(&place);
    let left: [(&str, &[&str]); 3] = [
        ("match", &["seeds", "grams", "templates", "match"]),
        ("sketch", &["resume", "sketch", "verify", "write"]),
        ("write", &["resume", "resume", "write"]),
    ];
    for (stage, stages) in left {
        broken_off(&place, stage);
        let watch = AtStage("", || (), Mutex::default());
        engine::run(&Options { resume: true, ..place.options() }, &watch).unwrap();
        assert_eq!(watch.2.into_inner().unwrap()[..stages.len()], *stages, "broken off at {stage}");
        assert!(place.results() == expected, "broken off at {stage}");
        fs::remove_dir_all(place.path("out")).unwrap();
    }
}

#[test]
fn another_run_is_not_gone_on_with() {
    let place = Place::new(60);
    broken_off(&place, "write");
    let resumed = |options: Options| engine::run(&Options { resume: true, ..options }, &Silent).unwrap_err();
    let error = resumed(Options { mode: Mode::Dedup, ..place.options() });
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("other options") && error.to_string().contains("--resume"), "{error}");
    let threads = Options { threads: 1, memory_bytes: 64 << 20, resume: true, ..place.options() };
    File::options().append(true).open(place.path("in/1.jsonl")).unwrap().write_all(b"{\"text\":\"\"}\n").unwrap();
    let error = resumed(threads.clone());
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("1.jsonl has changed"), "{error}");
    engine::run(&Options { resume: false, ..threads }, &Silent).unwrap();
    let hidden = fs::read_dir(place.path("out"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0, "a run that begins anew clears");
}

#[cfg(unix)]
#[test]
fn a_signal_stops_cleanly() {
    let place = Place::new(4000);
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut child = command(&place).spawn().unwrap();
        // The spill folder is made after the signals are listened to, and long before the end.
        while fs::read_dir(place.path("spill")).unwrap().next().is_none() {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before it was stopped");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        place.assert_nothing_left();
    }
}

#[test]
fn a_wish_to_stop_is_heard_in_every_stage() {
    struct Stop(At<fn()>);
    impl Progress for Stop {
        fn stage(&self, name: &'static str, bytes: u64) {
            self.0.stage(name, bytes);
        }
        fn advance(&self, bytes: u64) {
            self.0.advance(bytes);
        }
        fn warn(&self, _: &str) {}
        fn finish(&self) {}
        fn cancelled(&self) -> bool {
            self.0.events.load(Ordering::SeqCst) >= self.0.n
        }
    }
    let place = Place::new(300);
    // The last event is the last chunk of the last stage: the run is over then.
    for n in 1..events(&place) {
        let error = engine::run(&place.options(), &Stop(At::new(n, || ()))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted, "event {n}: {error}");
        place.assert_nothing_left();
    }
}

#[test]
fn a_panic_in_a_worker_leaves_nothing() {
    let place = Place::new(300);
    for n in 1..=events(&place) {
        let panics = At::new(n, || panic!("a worker fails, as this test wants it to"));
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| engine::run(&place.options(), &panics)));
        assert!(run.is_err(), "event {n}");
        place.assert_nothing_left();
    }
}

#[test]
fn a_changed_input_is_an_error() {
    type Change = fn(&Path);
    let grow: Change = |path| File::options().append(true).open(path).unwrap().write_all(b"{\"text\":\"\"}\n").unwrap();
    let cut: Change = |path| File::options().write(true).open(path).unwrap().set_len(900).unwrap();
    let remove: Change = |path| fs::remove_file(path).unwrap();
    let count = events(&Place::new(300));
    for change in [grow, cut, remove] {
        // In the last read the first file may be through already.
        for n in 1..count - 4 {
            let place = Place::new(300);
            let path = place.path("in/0.jsonl");
            let result = engine::run(&place.options(), &At::new(n, || change(&path)));
            let Err(error) = result else { panic!("event {n}: nobody noticed") };
            assert_eq!(error.kind(), ErrorKind::Resource, "event {n}: {error}");
            place.assert_nothing_left();
        }
    }
}

#[test]
fn a_lost_spill_folder_is_an_error_or_no_matter() {
    let place = Place::new(4000);
    let expected = expected(&place);
    let mut failed = 0;
    for n in [1, 3, 6, 9, 12, 15, 18] {
        let lose = At::new(n, || fs::remove_dir_all(place.path("spill")).unwrap());
        match engine::run(&place.options(), &lose) {
            Ok(_) => {
                assert!(place.results() == expected, "event {n}");
                fs::remove_dir_all(place.path("out")).unwrap();
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Resource, "event {n}: {error}");
                assert!(!place.path("out").exists(), "event {n}");
                failed += 1;
            }
        }
        fs::create_dir_all(place.path("spill")).unwrap();
    }
    assert!(failed > 0, "some of these needed the folder");
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_one_error() {
    let place = Place::new(4000);
    // No file may grow beyond so many blocks of 512 bytes, as if the disk were full then: spill first, results later.
    for blocks in [0, 1, 8, 100, 1000, 3000] {
        let run = command(&place);
        let words: Vec<String> = std::iter::once(run.get_program())
            .chain(run.get_args())
            .map(|word| format!("'{}'", word.to_string_lossy()))
            .collect();
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec {}", words.join(" "));
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{blocks}: {message}");
        assert_eq!(message.matches("error:").count(), 1, "{message}");
        place.assert_nothing_left();
    }
}

/// A file system in memory of so many bytes, mounted on a folder until dropped.
#[cfg(target_os = "linux")]
struct SmallDisk(PathBuf);

#[cfg(target_os = "linux")]
impl SmallDisk {
    /// None where mounting is not allowed.
    fn new(folder: PathBuf, bytes: usize) -> Option<Self> {
        fs::create_dir_all(&folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"]).arg(&folder);
        mount.output().is_ok_and(|done| done.status.success()).then(|| Self(folder))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// As [`a_full_disk_is_one_error`], on disks that are small in earnest: too small from the start, or full on the way.
#[cfg(target_os = "linux")]
#[test]
#[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
fn a_small_disk_is_one_error() {
    let place = Place::new(4000);
    let expected = expected(&place);
    for folder in ["spill", "out"] {
        let (mut refused, mut full) = (0, 0);
        for kilobytes in [32, 300, 600, 900, 1200, 2000, 3000, 4000] {
            let Some(disk) = SmallDisk::new(place.path(folder), kilobytes << 10) else {
                eprintln!("passed over: mounting is not allowed here");
                return;
            };
            let output = command(&place).output().unwrap();
            let message = String::from_utf8(output.stderr).unwrap();
            if output.status.success() {
                assert!(place.results() == expected, "{folder} {kilobytes}");
                let _ = fs::remove_dir_all(place.path("out"));
            } else {
                assert_eq!(output.status.code(), Some(3), "{folder} {kilobytes}: {message}");
                assert_eq!(message.matches("error:").count(), 1, "{message}");
                assert!(message.contains(folder), "{folder} {kilobytes}: {message}");
                refused += usize::from(message.contains("will be written to the disk"));
                full += usize::from(message.contains("No space left"));
            }
            for left in ["out", "spill"] {
                assert_eq!(place.files(left).into_keys().collect::<Vec<_>>(), [""; 0], "{folder} {kilobytes}: {left}");
            }
            drop(disk);
            let _ = fs::remove_dir(place.path("out"));
        }
        assert!(full > 0 && (refused > 0 || folder == "spill"), "{folder}: {refused} refused, {full} full on the way");
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_one_error() {
    let place = Place::new(30);
    for (option, folder) in [("--out", "/proc/descale"), ("--temp-dir", "/proc"), ("--temp-dir", "/no/such/folder")] {
        let mut run = Command::new(env!("CARGO_BIN_EXE_descale"));
        run.args(["clean", "--quiet"]).arg(place.path("in")).args([option, folder]);
        if option != "--out" {
            run.arg("--out").arg(place.path("out"));
        }
        let output = run.output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{message}");
        assert_eq!(message.matches("error:").count(), 1, "{message}");
        place.assert_nothing_left();
    }
}
