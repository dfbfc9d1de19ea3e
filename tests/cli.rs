//! The command from outside: every command of the README, and the literate sessions in `tests/cmd`.
//!
//! The README is run in a folder of its own, in order, with the fixtures beside it; `cargo run --release --` stands for
//! the binary this test was built with, so that the first thing a reader types is tested too.

use crate::binary;
use std::fs;
use std::path::Path;
use std::process::Command;
use unicode_width::UnicodeWidthStr as _;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn sessions_read_as_recorded() {
    trycmd::TestCases::new().register_bin("descale", binary()).case("tests/cmd/*.trycmd");
}

#[test]
fn every_command_of_the_readme_works() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    assert!(text.contains("$ cargo run --release -- "), "the README lost its first command");
    let copy = folder.path().join("README.md");
    fs::write(&copy, text.replace("$ cargo run --release -- ", "$ descale ")).unwrap();
    copy_folder(&Path::new(ROOT).join("fixtures"), &folder.path().join("README.in/fixtures"));
    let system = |name: &str| Path::new("/usr/bin").join(name);
    trycmd::TestCases::new()
        .register_bin("descale", binary())
        .register_bin("diff", system("diff"))
        .register_bin("ls", system("ls"))
        .case(copy);
}

fn said(arguments: &[&str]) -> (String, String) {
    let output = Command::new(binary()).current_dir(ROOT).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn help_manual_and_completions_name_what_there_is() {
    let (help, _) = said(&["--help"]);
    assert!(
        ["0 done", "1 a", "2 wrong", "3 the", "130 and 143", "NO_COLOR"].iter().all(|code| help.contains(code)),
        "{help}"
    );
    for command in ["clean", "dedup", "strip", "scan", "explain", "restore", "completions", "schema", "man"] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}");
        assert!(said(&["man", command]).0.contains(".SH OPTIONS"), "{command}");
        let (help, _) = said(&[command, "--help"]);
        assert!(help.lines().all(|line| line.chars().count() <= 110), "{help}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (script, _) = said(&["completions", shell]);
        assert!(["fail-if", "max-record", "config"].iter().all(|flag| script.contains(flag)), "{shell}");
    }
}

#[test]
fn results_and_messages_keep_their_streams() {
    let scan = |flags: &[&str]| said(&[&["scan", "fixtures/demo"], flags].concat());
    assert_eq!(scan(&["--quiet"]), Default::default());
    let ((out, story), (_, verbose)) = (scan(&[]), scan(&["-v"]));
    assert!(out.is_empty() && story.lines().count() < verbose.lines().count());
    assert!(!verbose.contains('\x1b'), "a file is no terminal");
    assert!(story.lines().count() <= 40);
    let (json, story) = scan(&["--json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok() && story.is_empty());
}

/// `script` (Debian package bsdutils) lends the command a terminal.
#[cfg(target_os = "linux")]
#[test]
fn colours_are_for_terminals_that_want_them() {
    let on_terminal = |environment: &[(&str, &str)]| {
        let line = format!("stty rows 24 cols 60; '{}' scan fixtures/demo", binary().display());
        let mut command = Command::new("script");
        command
            .current_dir(ROOT)
            .args(["-qec", &line, "/dev/null"])
            .env_remove("NO_COLOR")
            .env("TERM", "xterm-256color");
        String::from_utf8(command.envs(environment.iter().copied()).output().unwrap().stdout).unwrap()
    };
    let painted = |text: &str| ["\x1b[1m", "\x1b[2m", "\x1b[31m"].map(|code| text.contains(code));
    assert_eq!(painted(&on_terminal(&[])), [true; 3]);
    let plain = on_terminal(&[("NO_COLOR", "1")]);
    assert_eq!(painted(&plain), [false; 3]);
    let finds: Vec<&str> = plain.lines().filter(|line| line.contains(" × ") && !line.contains("copies")).collect();
    assert!(finds.len() > 3 && finds.iter().all(|line| line.trim_end().width() <= 60), "{plain}");
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
