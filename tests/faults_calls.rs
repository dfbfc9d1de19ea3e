//! Every call of the system may fail: the n-th of a kind does, for one n after the other, and each time the run ends well
//! or with one error, and never with half of the results.
//!
//! The calls are made to fail by `strace`, so that nothing in the program knows of the test; without it the test passes
//! unrun. The short form takes a few of each kind. All of them, some thousands, and those of a run that spills:
//!
//! ```text
//! DESCALE_CALLS=all cargo test --release --test main faults_calls
//! DESCALE_CALLS=write,rename cargo test --release --test main faults_calls    these kinds only
//! ```

use crate::faults::{Place, command, expected};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// What a run asks of the system about files.
const CALLS: [&str; 11] = [
    "openat",
    "read",
    "pread64",
    "write",
    "mkdir",
    "rename",
    "fsync",
    "getdents64",
    "copy_file_range",
    "statx",
    "newfstatat",
];

/// Runs the command while the n-th call of a kind fails; whether there was one.
fn fails(place: &Place, call: &str, n: usize, expected: &BTreeMap<String, Vec<u8>>) -> bool {
    let trace = place.path("trace");
    let plain = command(place);
    let output = Command::new("strace")
        .args(["-f", "-qq", "-e", &format!("trace={call}"), "-e", &format!("inject={call}:error=EIO:when={n}"), "-o"])
        .arg(&trace)
        .arg(plain.get_program())
        .args(plain.get_args())
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    // Before the program begins it is not the program that fails.
    let is_loader = message.contains("shared librar");
    match output.status.code() {
        Some(0) => assert!(place.results() == *expected, "{call} {n}: other results"),
        code if !is_loader => {
            // Where writing fails so may the message: each thread's n-th call does.
            let told = message.matches("error:").count() == 1 || call == "write";
            assert!(code == Some(3) && told, "{call} {n}: {code:?} {message}");
            // What fails after the last file is in place is told, and the results stand.
            assert!(place.results().is_empty() || place.results() == *expected, "{call} {n}: half of the results");
        }
        _ => {}
    }
    let _ = fs::remove_dir_all(place.path("out"));
    fs::read_to_string(trace).unwrap().contains("INJECTED")
}

#[cfg(target_os = "linux")]
#[test]
fn every_call_may_fail() {
    let can_trace = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !can_trace.is_ok_and(|status| status.success()) {
        return;
    }
    let asked = std::env::var("DESCALE_CALLS").ok();
    let all = asked.is_some();
    let is_asked =
        |call: &str| asked.as_ref().is_none_or(|kinds| kinds == "all" || kinds.split(',').any(|k| k == call));
    for documents in if all { vec![60, 4000] } else { vec![60] } {
        let place = Place::new(documents);
        let expected = expected(&place);
        for call in CALLS.into_iter().filter(|call| is_asked(call)) {
            let mut n = if all { 1 } else { 7 };
            while fails(&place, call, n, &expected) {
                n += if all { n / 200 + 1 } else { 2 * n };
            }
        }
    }
}
