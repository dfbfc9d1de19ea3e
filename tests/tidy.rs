//! The architecture as a test: `src/README.md` says it in prose, [`LAYERS`] says it so that a build fails.
//!
//! Rust does not guard layers inside a crate, so this reads the sources: every `crate::x` must be in the row of the
//! module that says it. Comments are skipped; so is nothing else, tests included.

use std::fs;
use std::path::{Path, PathBuf};

/// Who may name whom: module, and what it may name besides itself. `a::b` allows only that part of `a`.
const LAYERS: &[(&str, &[&str])] = &[
    // Words.
    ("error", &[]),
    ("span", &["error"]),
    ("cpu", &[]),
    ("hash", &["cpu"]),
    ("ranked", &[]),
    ("lease", &["error"]),
    ("record", &["error", "span"]),
    // The core.
    ("text", &["error", "span", "hash", "cpu", "record"]),
    ("near", &["error", "span", "hash", "cpu", "record", "text"]),
    ("block", &["error", "span", "hash", "ranked", "cpu", "record", "text"]),
    ("plan", &["error", "span", "hash", "record", "text", "near", "block"]),
    // Machinery.
    ("shuffle", &["error", "hash", "lease"]),
    // Borders.
    ("io", &["error", "span", "hash", "cpu", "lease", "record"]),
    ("index", &["error", "span", "hash", "record", "near", "block", "shuffle"]),
    ("report", &["error", "span", "record", "hash", "plan", "engine::summary", "engine::options"]),
    // Conductors.
    (
        "engine",
        &[
            "error", "span", "hash", "ranked", "record", "text", "near", "block", "plan", "shuffle", "io", "index",
            "report",
        ],
    ),
];

/// The modules that take slices and return values: no files, threads, clocks, locks, environment.
const CORE: &[&str] = &["error", "span", "hash", "ranked", "record", "text", "near", "block", "plan"];

/// What the core must not touch.
const IMPURE: &[&str] =
    &["std::fs", "std::env", "std::thread", "std::time", "std::process", "rayon", "Mutex", "RwLock", "sync::atomic"];

/// Crates for the command alone.
const FACE_CRATES: &[&str] = &["clap", "indicatif", "anyhow"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "types", "prelude", "helpers", "misc"];

#[test]
fn every_module_names_only_what_its_layer_allows() {
    complain(sources().iter().flat_map(|source| source.trespasses()).collect());
}

#[test]
fn every_module_has_a_layer() {
    let unknown = sources().into_iter().filter(|s| !s.is_face() && s.module != "lib").filter_map(|source| {
        let known = LAYERS.iter().any(|(module, _)| *module == source.module);
        (!known).then(|| format!("{}: the module {:?} has no row in LAYERS", source.path, source.module))
    });
    complain(unknown.collect());
}

#[test]
fn the_core_is_pure() {
    complain(sources().iter().filter(|s| CORE.contains(&s.module.as_str())).flat_map(|s| s.mentions(IMPURE)).collect());
}

#[test]
fn only_the_command_knows_its_crates() {
    complain(sources().iter().filter(|s| !s.is_face()).flat_map(|s| s.mentions(FACE_CRATES)).collect());
}

#[test]
fn unsafe_lives_in_kernels() {
    let outside = sources().into_iter().filter(|source| !source.path.contains("/kernel"));
    complain(outside.flat_map(|source| source.mentions(&["unsafe"])).collect());
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    complain(silent.map(|source| format!("{}: the first line is no //! comment", source.path)).collect());
}

#[test]
fn no_file_has_an_empty_name() {
    let empty = sources().into_iter().filter(|source| {
        Path::new(&source.path).with_extension("").iter().any(|part| EMPTY_NAMES.iter().any(|name| part == *name))
    });
    complain(empty.map(|source| format!("{}: name it after what it does", source.path)).collect());
}

#[test]
fn the_readme_and_ci_run_the_same_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["README.md", ".ci/run"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        assert!(text.contains("cargo test --workspace\n"), "{file}: no line runs `cargo test --workspace`");
    }
}

#[test]
fn a_trespass_is_named_with_its_place() {
    let source = Source {
        path: "src/near/x.rs".into(),
        module: "near".into(),
        text: "//! crate::io is fine here\nuse crate::{\n    error::Error, hash::{self, mix},\n    block::Seed,\n};\n\
               fn f() { crate::Result::Ok(crate::engine::run()) }\n"
            .into(),
    };
    let found = source.trespasses();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("src/near/x.rs:4: near may not name block;"), "{found:?}");
    assert!(found[1].starts_with("src/near/x.rs:6: near may not name engine::run;"), "{found:?}");
}

struct Source {
    /// Relative to the crate, with forward slashes.
    path: String,
    /// The first part of the path under `src`.
    module: String,
    text: String,
}

impl Source {
    fn is_face(&self) -> bool {
        self.module == "bin" || self.module == "cli"
    }

    fn trespasses(&self) -> Vec<String> {
        let Some((_, allowed)) = LAYERS.iter().find(|(module, _)| *module == self.module) else { return Vec::new() };
        let named = named_paths(&self.text).into_iter().filter(|(_, path)| {
            let head = path.split("::").next().unwrap_or_default();
            head != self.module && !allowed.iter().any(|may| *may == head || path.starts_with(*may))
        });
        named
            .map(|(line, path)| {
                format!("{}:{line}: {} may not name {path}; it may name {allowed:?}", self.path, self.module)
            })
            .collect()
    }

    /// The lines of code that contain one of `words` as a whole word.
    fn mentions(&self, words: &[&str]) -> Vec<String> {
        let lines = self.text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        lines
            .flat_map(|(at, line)| {
                let found = words.iter().filter(move |word| contains_word(line, word));
                found.map(move |word| format!("{}:{}: must not use {word}", self.path, at + 1))
            })
            .collect()
    }
}

/// Every path after `crate::`, as `module` or `module::item`, with its line; groups in braces are opened.
fn named_paths(text: &str) -> Vec<(usize, String)> {
    let code: String = text
        .lines()
        .map(|line| if line.trim_start().starts_with("//") { "\n".into() } else { format!("{line}\n") })
        .collect();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let start = at + "crate::".len();
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let items = match code[start..].strip_prefix('{') {
            Some(_) => group(&code, start + 1),
            None => vec![start],
        };
        found.extend(items.into_iter().map(|item| (code[..item].matches('\n').count() + 1, path_at(&code[item..]))));
    }
    found
}

/// Where the items of a group begin whose first byte is `start`.
fn group(code: &str, start: usize) -> Vec<usize> {
    let (mut items, mut depth, mut fresh) = (Vec::new(), 0, true);
    for (offset, c) in code[start..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                items.push(start + offset);
                fresh = false;
            }
            _ => {}
        }
    }
    items
}

/// The first two parts of a path; what the crate re-exports counts as where it lives.
fn path_at(code: &str) -> String {
    let end = code.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(code.len());
    let parts: Vec<&str> = code[..end].split("::").filter(|part| !part.is_empty()).take(2).collect();
    match parts.first() {
        Some(&("Error" | "ErrorKind" | "Result")) => "error".into(),
        Some(&module) if parts.get(1).is_some_and(|item| item.starts_with(char::is_lowercase)) => {
            format!("{module}::{}", parts[1])
        }
        Some(&module) => module.into(),
        None => String::new(),
    }
}

fn contains_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(is_name) && !line[at + word.len()..].starts_with(is_name))
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    rust_files(&root.join("src"), &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "no sources found");
    let read = |path: PathBuf| {
        let relative = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        let module = relative.split('/').nth(1).unwrap().trim_end_matches(".rs").to_string();
        Source { path: relative, module, text: fs::read_to_string(path).unwrap() }
    };
    paths.into_iter().map(read).collect()
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn complain(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
