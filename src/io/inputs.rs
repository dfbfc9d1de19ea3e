//! Which files are read, in which order, and what they are called on the way out.
//!
//! Patterns are taken in the order given; what a folder or a glob holds is sorted by path, so the document numbers
//! never depend on the file system. Folders are walked through links (a loop is cut), hidden names are left out, and
//! so is what has no known extension: counted, never silently read. A file reached twice is read once. Where the user
//! says what nameless files hold, those that were named, or matched by a glob, are read as that.
//!
//! Output names are the names the files came with: below the folder given, or the plain file name. If two would be
//! the same, all files take their path below the folder that holds them all; copies of what lies elsewhere count as
//! lying where they came from (`/s3/bucket/key`, `/-/stdin.jsonl`).

use super::chunk::{Chunks, ReadOptions, Source};
use super::cloud;
use super::compress::Compression;
use super::rows::{Rows, Table, TableSource};
use super::search::Search;
use super::spool::{self, Nameless};
use crate::error::{Error, Result};
use crate::lease::Lease;
use serde::{Deserialize, Serialize};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// The names that are read, for messages.
pub(super) const KNOWN: &str =
    "*.jsonl *.ndjson *.json and text files *.txt *.md (all also .gz, .zst), *.parquet, *.warc *.wet (also .gz)";

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A JSON object a line.
    #[serde(rename = "jsonl")]
    JsonLines,
    /// The whole file is one document.
    Text,
    /// Apache Parquet: rows of columns, read as JSON lines; a row whose text is null counts as blank.
    Parquet,
    /// Web archives and the texts taken from them: WARC, WET. Records that are no text count as blank rows.
    #[serde(alias = "wet")]
    Warc,
}

impl Format {
    /// What users call the formats.
    pub const NAMES: [&str; 5] = ["jsonl", "text", "parquet", "warc", "wet"];

    /// The format that a user calls so, one of [`Format::NAMES`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "jsonl" => Some(Self::JsonLines),
            "text" => Some(Self::Text),
            "parquet" => Some(Self::Parquet),
            "warc" | "wet" => Some(Self::Warc),
            _ => None,
        }
    }

    /// The extension of a file name that stands for it.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Text => "txt",
            Self::Parquet => "parquet",
            Self::Warc => "warc",
        }
    }

    /// The format and compression a file name stands for.
    #[must_use]
    pub fn of(name: &str) -> Option<(Self, Compression)> {
        let lower = name.to_ascii_lowercase();
        let (stem, compression) = Compression::split(&lower);
        let format = match stem.rsplit_once('.')?.1 {
            "jsonl" | "ndjson" | "json" => Self::JsonLines,
            "txt" | "md" => Self::Text,
            "warc" | "wet" if compression != Compression::Zstd => Self::Warc,
            "parquet" if compression == Compression::None => Self::Parquet,
            _ => return None,
        };
        Some((format, compression))
    }

    /// The format and compression of a file of this format whose name does not say it.
    ///
    /// # Errors
    /// `Resource` where it cannot be read.
    pub(super) fn of_nameless(self, path: &Path) -> Result<(Self, Compression)> {
        Ok(match (self, spool::compression(path)?) {
            (Self::Parquet, _) | (Self::Warc, Compression::Zstd) => (self, Compression::None),
            stored => stored,
        })
    }
}

/// One file to read.
#[derive(Clone, Debug)]
pub struct InputFile {
    /// Its place in the list, from 0.
    pub index: u32,
    /// Where it lies.
    pub path: PathBuf,
    /// Its output name: relative, parts joined by `/`, unique in the list.
    pub name: String,
    /// What its rows are.
    pub format: Format,
    /// How it is compressed.
    pub compression: Compression,
    /// Its size on disk.
    pub bytes: u64,
    pub(crate) modified: Option<SystemTime>,
    /// The rows, where the input is a table in memory and no file.
    pub(crate) table: Option<Table>,
    /// Where the copy is kept that this file is; it lies there as long as anybody has the file.
    pub(crate) copy: Option<Arc<Lease>>,
}

impl InputFile {
    /// Whether a user who says `source` means this file or a folder that holds it, by its path or its output name.
    #[must_use]
    pub fn is_from(&self, source: &str) -> bool {
        let parts = |path: &Path| path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>();
        let source = parts(Path::new(source));
        let is_below = |path: &Path| source.as_os_str().is_empty() || parts(path).starts_with(&source);
        is_below(&self.path) || is_below(Path::new(&self.name))
    }

    /// Checks that the file is still the one that was listed; a run reads it twice and must see the same rows.
    ///
    /// # Errors
    /// `Resource` where it changed or is gone.
    pub fn check_unchanged(&self) -> Result<()> {
        let meta = self.path.metadata().map_err(|e| Error::io("read", &self.path, e))?;
        if meta.len() == self.bytes && meta.modified().ok() == self.modified {
            return Ok(());
        }
        Err(Error::resource("the file changed while it was read")
            .at(&self.path)
            .cure("run again when nobody writes it"))
    }
}

/// The resolved list of input files.
#[derive(Clone, Debug)]
pub struct Inputs {
    pub(super) files: Vec<Arc<InputFile>>,
    pub(super) folders: Vec<PathBuf>,
    pub(super) skipped_files: u64,
    pub(super) repeated_files: u64,
}

impl Inputs {
    /// Resolves files, folders and globs (`*`, `?`, `[a-z]`, `{a,b}`, `**`). A pattern that names an existing path is
    /// taken literally.
    ///
    /// # Errors
    /// `Usage` where a pattern matches nothing readable, an explicit file has no known extension, or output names
    /// collide; `Resource` where a folder cannot be read.
    pub fn resolve(patterns: &[String]) -> Result<Self> {
        Self::resolve_with(patterns, &Nameless::default())
    }

    /// [`resolve`](Self::resolve) where `-` is standard input and files may have names that say nothing. Standard input
    /// and what lies in an object store is copied to temporary files.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), and `Resource` where a copy fails.
    pub fn resolve_with(patterns: &[String], nameless: &Nameless<'_>) -> Result<Self> {
        if patterns.is_empty() {
            return Err(Error::usage("no input given").cure(format!("name files, folders or globs of {KNOWN}")));
        }
        let mut search = Search::new(*nameless);
        for pattern in patterns {
            match pattern.as_str() {
                "-" => search.standard()?,
                url if cloud::is_url(url) => search.remote(url)?,
                pattern => search.pattern(pattern)?,
            }
        }
        search.finish()
    }

    /// A table in memory as the one input; `name` is what the plan calls it.
    #[must_use]
    pub fn of_table(name: &str, rows: Arc<dyn Rows>) -> Self {
        let bytes = (0..rows.count()).map(|row| rows.text_bytes(row) as u64).sum();
        let file = InputFile {
            index: 0,
            path: name.into(),
            name: name.into(),
            format: Format::JsonLines,
            compression: Compression::None,
            bytes,
            modified: None,
            copy: None,
            table: Some(Table(rows)),
        };
        Self { files: vec![Arc::new(file)], folders: Vec::new(), skipped_files: 0, repeated_files: 0 }
    }

    /// Reads the input from its start, whatever it is.
    #[must_use]
    pub fn source(&self, options: ReadOptions) -> Box<dyn Source> {
        let table = self.files.first().and_then(|file| file.table.as_ref().map(|table| (file, table)));
        match table {
            Some((file, table)) => Box::new(TableSource::new(file, table, options)),
            None => Box::new(Chunks::new(self, options)),
        }
    }

    /// The files, in reading order.
    #[must_use]
    pub fn files(&self) -> &[Arc<InputFile>] {
        &self.files
    }

    /// Their size on disk, all together.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }

    /// Files in folders that were left out because their extension is unknown.
    #[must_use]
    pub fn skipped_files(&self) -> u64 {
        self.skipped_files
    }

    /// Files that were reached more than once (through patterns that overlap, or links) and are read once.
    #[must_use]
    pub fn repeated_files(&self) -> u64 {
        self.repeated_files
    }

    /// The folders given, resolved: no output may lie in them.
    pub(crate) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A folder with these files, empty.
    fn tree(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    fn resolve(root: &tempfile::TempDir, patterns: &[&str]) -> Result<Inputs> {
        let patterns: Vec<String> = patterns.iter().map(|p| root.path().join(p).to_str().unwrap().to_owned()).collect();
        Inputs::resolve(&patterns)
    }

    fn names(inputs: &Inputs) -> Vec<&str> {
        inputs.files().iter().map(|f| f.name.as_str()).collect()
    }

    #[test]
    fn formats_are_told_by_name() {
        use Compression::{Gzip, None as Plain, Zstd};
        assert_eq!(Format::of("a.jsonl"), Some((Format::JsonLines, Plain)));
        assert_eq!(Format::of("a.NDJSON.GZ"), Some((Format::JsonLines, Gzip)));
        assert_eq!(Format::of("b/a.md.zst"), Some((Format::Text, Zstd)));
        for name in ["a.csv", "a", "a.gz", "jsonl", "a.jsonl.bz2", ""] {
            assert_eq!(Format::of(name), Option::None, "{name}");
        }
    }

    #[test]
    fn folders_are_walked_in_path_order_without_hidden_names() {
        let root = tree(&["d/b.jsonl", "d/a/z.txt", "d/a.txt", "d/.git/x.txt", "d/.y.txt", "d/c.csv", "d/a/README"]);
        let inputs = resolve(&root, &["d"]).unwrap();
        assert_eq!(names(&inputs), ["a/z.txt", "a.txt", "b.jsonl"]);
        assert_eq!(inputs.skipped_files(), 2);
    }

    #[test]
    fn patterns_keep_their_order_and_a_file_is_read_once() {
        let root = tree(&["d/a.txt", "d/b.txt", "d/c.txt"]);
        let inputs = resolve(&root, &["d/b.txt", "d/*.txt", "d"]).unwrap();
        assert_eq!((names(&inputs), inputs.repeated_files()), (vec!["b.txt", "a.txt", "c.txt"], 4));
        assert!(inputs.files().iter().zip(0..).all(|(f, i)| f.index == i));
    }

    #[test]
    fn globs_match_files_and_folders() {
        let root = tree(&["d/x1/a.txt", "d/x2/b.txt", "d/y/c.txt", "d/y/deep/d.jsonl", "d/y/e.csv"]);
        assert_eq!(names(&resolve(&root, &["d/x*"]).unwrap()), ["a.txt", "b.txt"]);
        assert_eq!(names(&resolve(&root, &["d/**/*.{txt,jsonl}"]).unwrap()), ["a.txt", "b.txt", "c.txt", "d.jsonl"]);
        assert_eq!(names(&resolve(&root, &["d/y/*"]).unwrap()), ["c.txt", "d.jsonl"]);
        for nothing in ["d/*.txt", "none/*.txt", "d/y/*.csv", "d/[.txt"] {
            assert_eq!(resolve(&root, &[nothing]).unwrap_err().kind(), crate::ErrorKind::Usage, "{nothing}");
        }
    }

    #[test]
    fn equal_names_are_told_apart_by_their_folders() {
        let root = tree(&["p/2024/a.txt", "p/2025/a.txt", "p/b.txt"]);
        let inputs = resolve(&root, &["p/*/a.txt", "p/b.txt"]).unwrap();
        assert_eq!(names(&inputs), ["2024/a.txt", "2025/a.txt", "b.txt"]);
        let root = tree(&["one/x.txt", "two/x.txt/y.txt"]);
        assert_eq!(names(&resolve(&root, &["one", "two"]).unwrap()), ["one/x.txt", "two/x.txt/y.txt"]);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let root = tree(&["a.csv", "empty/.hidden.txt", "d[1].txt"]);
        for (pattern, says) in [
            ("a.csv", "unknown file extension"),
            ("empty", "nothing to read"),
            ("none.txt", "no such file"),
            ("-", "--format"),
        ] {
            let error = if pattern == "-" { Inputs::resolve(&["-".into()]) } else { resolve(&root, &[pattern]) };
            let error = error.unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Usage);
            assert!(error.to_string().contains(says), "{error}");
        }
        assert!(Inputs::resolve(&[]).is_err());
        assert_eq!(names(&resolve(&root, &["d[1].txt"]).unwrap()), ["d[1].txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_loops_are_cut() {
        use std::os::unix::fs::symlink;
        let root = tree(&["d/a.txt", "blobs/0f3a"]);
        symlink(root.path().join("d"), root.path().join("d/loop")).unwrap();
        symlink(root.path().join("blobs/0f3a"), root.path().join("d/b.jsonl")).unwrap();
        assert_eq!(names(&resolve(&root, &["d"]).unwrap()), ["a.txt", "b.jsonl"]);
        symlink(root.path().join("gone"), root.path().join("d/c.txt")).unwrap();
        assert_eq!(resolve(&root, &["d"]).unwrap_err().kind(), crate::ErrorKind::Resource);
    }
}
