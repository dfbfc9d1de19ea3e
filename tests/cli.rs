//! The command from outside: every command of the README, and the literate sessions in `tests/cmd`.
//!
//! The README is run in a folder of its own, in order, with the fixtures beside it; `cargo run --release --` stands for
//! the binary this test was built with, so that the first thing a reader types is tested too.

use crate::binary;
use std::fs;
use std::path::Path;

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
