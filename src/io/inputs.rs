//! Which files are read, in which order, and what they are called on the way out.
//!
//! Patterns are taken in the order given; what a folder or a glob holds is sorted by path, so the document numbers
//! never depend on the file system. Folders are walked through links (a loop is cut), hidden names are left out, and
//! so is what has no known extension: counted, never silently read. A file reached twice is read once.
//!
//! Output names are the names the files came with: below the folder given, or the plain file name. If two would be
//! the same, all files take their path below the folder that holds them all.

use super::chunk::{Chunks, ReadOptions, Source};
use super::compress::Compression;
use super::rows::{Rows, Table, TableSource};
use super::stdin::{Spooled, StandardInput, spool};
use crate::error::{Error, Result};
use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tempfile::TempDir;
use walkdir::{DirEntry, WalkDir};

/// The names that are read, for messages.
const KNOWN: &str =
    "*.jsonl *.ndjson *.json and text files *.txt *.md (all also .gz, .zst), *.parquet, *.warc *.wet (also .gz)";

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    Warc,
}

impl Format {
    /// The format that a user calls so: `jsonl`, `text`, `parquet` or `warc`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "jsonl" => Some(Self::JsonLines),
            "text" => Some(Self::Text),
            "parquet" => Some(Self::Parquet),
            "warc" => Some(Self::Warc),
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
    /// Where standard input is kept; it lies there as long as anybody has the file.
    pub(crate) spool: Option<Arc<TempDir>>,
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
    files: Vec<Arc<InputFile>>,
    folders: Vec<PathBuf>,
    skipped_files: u64,
    repeated_files: u64,
}

impl Inputs {
    /// Resolves files, folders and globs (`*`, `?`, `[a-z]`, `{a,b}`, `**`). A pattern that names an existing path is
    /// taken literally.
    ///
    /// # Errors
    /// `Usage` where a pattern matches nothing readable, an explicit file has no known extension, or output names
    /// collide; `Resource` where a folder cannot be read.
    pub fn resolve(patterns: &[String]) -> Result<Self> {
        Self::resolve_with(patterns, &StandardInput::default())
    }

    /// [`resolve`](Self::resolve) where `-` is standard input, which is copied to a temporary file.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), and `Resource` where the copy fails.
    pub fn resolve_with(patterns: &[String], standard: &StandardInput<'_>) -> Result<Self> {
        if patterns.is_empty() {
            return Err(Error::usage("no input given").cure(format!("name files, folders or globs of {KNOWN}")));
        }
        let mut search = Search::default();
        for pattern in patterns {
            match pattern.as_str() {
                "-" => search.standard(standard)?,
                pattern => search.pattern(pattern)?,
            }
        }
        let Search { mut found, folders, skipped, repeated, .. } = search;
        name_apart(&mut found)?;
        let files = found.into_iter().enumerate().map(|(i, f)| f.open(i)).collect::<Result<_>>()?;
        Ok(Self { files, folders, skipped_files: skipped, repeated_files: repeated })
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
            spool: None,
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

/// A file on its way into the list.
struct Found {
    path: PathBuf,
    canonical: PathBuf,
    name: String,
    format: Format,
    compression: Compression,
    spool: Option<Arc<TempDir>>,
}

impl Found {
    fn open(self, index: usize) -> Result<Arc<InputFile>> {
        let meta = self.path.metadata().map_err(|e| Error::io("read", &self.path, e))?;
        let index = u32::try_from(index).map_err(|_| Error::usage("more than 4 billion input files"))?;
        let Self { path, name, format, compression, spool, .. } = self;
        let (bytes, modified) = (meta.len(), meta.modified().ok());
        Ok(Arc::new(InputFile { index, path, name, format, compression, bytes, modified, spool, table: None }))
    }
}

#[derive(Default)]
struct Search {
    found: Vec<Found>,
    seen: HashSet<PathBuf>,
    folders: Vec<PathBuf>,
    skipped: u64,
    repeated: u64,
}

impl Search {
    fn pattern(&mut self, pattern: &str) -> Result<()> {
        let path = Path::new(pattern);
        let before = (self.found.len(), self.repeated);
        if path.is_dir() {
            self.folder(path)?;
        } else if path.exists() {
            return self.file(path);
        } else if pattern.contains(['*', '?', '[', '{']) {
            self.glob(pattern)?;
        } else {
            return Err(Error::usage("no such file or folder").at(path));
        }
        if (self.found.len(), self.repeated) == before {
            let message = format!("nothing to read in \"{pattern}\" (hidden names are left out)");
            return Err(Error::usage(message).cure(format!("looked for {KNOWN}")));
        }
        Ok(())
    }

    /// Standard input; a second `-` is the same again.
    fn standard(&mut self, standard: &StandardInput<'_>) -> Result<()> {
        if self.found.iter().any(|file| file.spool.is_some()) {
            self.repeated += 1;
            return Ok(());
        }
        let Spooled { path, name, folder } = spool(std::io::stdin().lock(), standard)?;
        self.add(&path, Path::new(&name))?;
        if let Some(file) = self.found.last_mut() {
            file.spool = Some(folder);
        }
        Ok(())
    }

    /// A file named by the user.
    fn file(&mut self, path: &Path) -> Result<()> {
        if !path.is_file() {
            let error = Error::usage("this is no regular file, and the input is read twice").at(path);
            return Err(error.cure("save it to a file first"));
        }
        let name = Path::new(path.file_name().unwrap_or(OsStr::new("")));
        if self.add(path, name)? {
            return Ok(());
        }
        Err(Error::usage("unknown file extension").at(path).cure(format!("known are {KNOWN}")))
    }

    /// A folder, with all that lies in it.
    fn folder(&mut self, root: &Path) -> Result<()> {
        self.folders.push(canonical(root)?);
        for entry in walk(root, usize::MAX) {
            let Some(entry) = entry_of(entry)? else { continue };
            if entry.file_type().is_file() {
                let name = entry.path().strip_prefix(root).unwrap_or(entry.path()).to_path_buf();
                self.skipped += u64::from(!self.add(entry.path(), &name)?);
            }
        }
        Ok(())
    }

    /// A glob: what it matches may be files or folders.
    fn glob(&mut self, pattern: &str) -> Result<()> {
        let (base, rest) = split_glob(pattern);
        let matcher = matcher(&rest)?;
        let depth = if rest.contains("**") { usize::MAX } else { rest.split('/').count() };
        if !base.is_dir() {
            return Ok(());
        }
        let mut entries = walk(&base, depth);
        while let Some(entry) = entries.next() {
            let Some(entry) = entry_of(entry)? else { continue };
            let below = entry.path().strip_prefix(&base).unwrap_or(entry.path());
            if entry.depth() == 0 || !matcher.is_match(below) {
                continue;
            }
            if entry.file_type().is_dir() {
                self.folder(entry.path())?;
                entries.skip_current_dir();
            } else if entry.file_type().is_file() {
                self.skipped += u64::from(!self.add(entry.path(), Path::new(entry.file_name()))?);
            }
        }
        Ok(())
    }

    /// Adds a file under a name; false where its extension is unknown.
    fn add(&mut self, path: &Path, name: &Path) -> Result<bool> {
        let name = slashed(name, path)?;
        let Some((format, compression)) = Format::of(&name) else { return Ok(false) };
        let canonical = canonical(path)?;
        if self.seen.insert(canonical.clone()) {
            self.found.push(Found { path: path.to_path_buf(), canonical, name, format, compression, spool: None });
        } else {
            self.repeated += 1;
        }
        Ok(true)
    }
}

fn canonical(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(|e| Error::io("read", path, e))
}

fn walk(root: &Path, depth: usize) -> walkdir::FilterEntry<walkdir::IntoIter, fn(&DirEntry) -> bool> {
    let visible: fn(&DirEntry) -> bool = |e| e.depth() == 0 || !e.file_name().as_encoded_bytes().starts_with(b".");
    WalkDir::new(root).follow_links(true).max_depth(depth).sort_by_file_name().into_iter().filter_entry(visible)
}

/// An entry of a walk; `None` where a link leads back to a folder above it.
fn entry_of(entry: walkdir::Result<DirEntry>) -> Result<Option<DirEntry>> {
    match entry {
        Ok(entry) => Ok(Some(entry)),
        Err(error) if error.loop_ancestor().is_some() => Ok(None),
        Err(error) => {
            let path = error.path().unwrap_or(Path::new("")).to_path_buf();
            Err(Error::io("read", path, error.into()))
        }
    }
}

/// The folder before the first wildcard, and the rest.
fn split_glob(pattern: &str) -> (PathBuf, String) {
    let wild = pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len());
    match pattern[..wild].rfind('/') {
        Some(0) => ("/".into(), pattern[1..].into()),
        Some(at) => (pattern[..at].into(), pattern[at + 1..].into()),
        None => (".".into(), pattern.into()),
    }
}

fn matcher(glob: &str) -> Result<GlobMatcher> {
    let built = GlobBuilder::new(glob.trim_end_matches('/')).literal_separator(true).build();
    built.map(|g| g.compile_matcher()).map_err(|e| Error::usage(format!("cannot read the glob: {e}")))
}

/// A relative path with `/` between its parts.
fn slashed(name: &Path, path: &Path) -> Result<String> {
    let mut parts = Vec::new();
    for part in name.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str().ok_or_else(|| {
                Error::usage("the file name is not UTF-8 and could not be written into the plan").at(path)
            })?),
            Component::CurDir => {}
            _ => return Err(Error::usage("the output name would leave the output folder").at(path)),
        }
    }
    Ok(parts.join("/"))
}

/// Gives all files their path below the folder that holds them all, if any two names collide.
fn name_apart(found: &mut [Found]) -> Result<()> {
    if collision(found).is_none() {
        return Ok(());
    }
    let mut common = found[0].canonical.parent().unwrap_or(Path::new("/")).to_path_buf();
    while !found.iter().all(|f| f.canonical.starts_with(&common)) && common.pop() {}
    for file in found.iter_mut() {
        let below = file.canonical.strip_prefix(&common).unwrap_or(&file.canonical);
        file.name = slashed(below, &file.path)?;
    }
    let known = |f: &Found| Format::of(&f.name) == Some((f.format, f.compression));
    let clash = collision(found).or_else(|| found.iter().position(|f| !known(f)));
    clash.map_or(Ok(()), |i| {
        let error = Error::usage("two input files would have the same output name").at(&found[i].path);
        Err(error.cure("give their common folder as the input, or run once for each"))
    })
}

/// A file whose name another has too, or uses as a folder.
fn collision(found: &[Found]) -> Option<usize> {
    let mut names = BTreeSet::new();
    if let Some(twice) = found.iter().position(|f| !names.insert(f.name.as_str())) {
        return Some(twice);
    }
    let above = |name: &str| name.match_indices('/').any(|(at, _)| names.contains(&name[..at]));
    found.iter().position(|f| above(&f.name))
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
