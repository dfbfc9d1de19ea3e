//! The search for input files: what each pattern names, each file once, and what they are called on the way out.
//!
//! The rules are those of [`Inputs`]; here is how they are carried out.

use super::cloud::Place;
use super::compress::Compression;
use super::inputs::{Format, InputFile, Inputs, KNOWN};
use super::spool::{self, Nameless, Spooled};
use crate::error::{Error, Result};
use crate::lease::{Lease, stands_at};
use globset::{GlobBuilder, GlobMatcher};
use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use walkdir::{DirEntry, WalkDir};

/// A file on its way into the list.
struct Found {
    path: PathBuf,
    canonical: PathBuf,
    name: String,
    format: Format,
    compression: Compression,
    copy: Option<Arc<Lease>>,
}

impl Found {
    fn open(self, index: usize) -> Result<Arc<InputFile>> {
        let meta = self.path.metadata().map_err(|e| Error::io("read", &self.path, e))?;
        let index = u32::try_from(index).map_err(|_| Error::usage("more than 4 billion input files"))?;
        let Self { path, name, format, compression, copy, .. } = self;
        let (bytes, modified) = (meta.len(), meta.modified().ok());
        Ok(Arc::new(InputFile { index, path, name, format, compression, bytes, modified, copy, table: None }))
    }
}

pub(super) struct Search<'n> {
    nameless: Nameless<'n>,
    copies: Option<Arc<Lease>>,
    found: Vec<Found>,
    /// Where files lie, or came from: all differ.
    seen: HashSet<PathBuf>,
    folders: Vec<PathBuf>,
    skipped: u64,
    repeated: u64,
}

impl<'n> Search<'n> {
    pub(super) fn new(nameless: Nameless<'n>) -> Self {
        let (found, seen, folders) = (Vec::new(), HashSet::new(), Vec::new());
        Self { nameless, copies: None, found, seen, folders, skipped: 0, repeated: 0 }
    }

    pub(super) fn pattern(&mut self, pattern: &str) -> Result<()> {
        let path = Path::new(pattern);
        let before = (self.found.len(), self.repeated);
        let found = stands_at(path)?;
        if found.as_ref().is_some_and(Metadata::is_dir) {
            self.folder(path)?;
        } else if let Some(meta) = found {
            return self.file(path, &meta);
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
    pub(super) fn standard(&mut self) -> Result<()> {
        let stream = Path::new("/-");
        if self.seen.iter().any(|origin| origin.starts_with(stream)) {
            self.repeated += 1;
            return Ok(());
        }
        let copies = self.copies()?;
        let Spooled { path, name } = spool::spool(std::io::stdin().lock(), &self.nameless, &copies)?;
        let stored = Format::of(&name).expect("the name was made from a format");
        let canonical = stream.join(&name);
        self.push(Found { path, canonical, name, format: stored.0, compression: stored.1, copy: Some(copies) });
        Ok(())
    }

    /// What lies at a URL: a file, all below a folder, or what a glob matches.
    pub(super) fn remote(&mut self, url: &str) -> Result<()> {
        let place = Place::open(url)?;
        let before = (self.found.len(), self.repeated);
        let (mut objects, chosen) = place.objects()?;
        let assumed = self.nameless.format.filter(|_| chosen);
        let listed = objects.len();
        objects.retain(|object| Format::of(&object.name).is_some() || assumed.is_some());
        self.skipped += (listed - objects.len()) as u64;
        let (new, again): (Vec<_>, Vec<_>) = objects.into_iter().partition(|o| !self.seen.contains(&o.origin));
        self.repeated += again.len() as u64;
        let copies = self.copies()?;
        for (object, path) in place.fetch(new, copies.path(), &self.nameless)? {
            let told = Format::of(&object.name).map(Ok).or_else(|| assumed.map(|format| format.of_nameless(&path)));
            let (format, compression) = told.expect("the others were left out")?;
            let (canonical, name) = (object.origin, object.name);
            self.push(Found { path, canonical, name, format, compression, copy: Some(Arc::clone(&copies)) });
        }
        if (self.found.len(), self.repeated) == before {
            return Err(Error::usage("nothing to read here").at(url).cure(format!("looked for {KNOWN}")));
        }
        Ok(())
    }

    /// The folder for copies.
    fn copies(&mut self) -> Result<Arc<Lease>> {
        let copies = self.copies.take().map_or_else(|| spool::folder(&self.nameless), Ok)?;
        self.copies = Some(Arc::clone(&copies));
        Ok(copies)
    }

    /// A file named by the user.
    fn file(&mut self, path: &Path, meta: &Metadata) -> Result<()> {
        if !meta.is_file() {
            let error = Error::usage("this is no regular file, and the input is read twice").at(path);
            return Err(error.cure("save it to a file first"));
        }
        let name = Path::new(path.file_name().unwrap_or(OsStr::new("")));
        if self.add_chosen(path, name)? {
            return Ok(());
        }
        let cure = format!("known are {KNOWN}; say what the file holds with --format");
        Err(Error::usage("unknown file extension").at(path).cure(cure))
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
        if !stands_at(&base)?.is_some_and(|meta| meta.is_dir()) {
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
                self.skipped += u64::from(!self.add_chosen(entry.path(), Path::new(entry.file_name()))?);
            }
        }
        Ok(())
    }

    /// Adds a file of a folder under a name; false where its extension is unknown.
    fn add(&mut self, path: &Path, name: &Path) -> Result<bool> {
        let name = slashed(name, path)?;
        let Some((format, compression)) = Format::of(&name) else { return Ok(false) };
        let canonical = canonical(path)?;
        self.push(Found { path: path.to_path_buf(), canonical, name, format, compression, copy: None });
        Ok(true)
    }

    /// Adds a file that the user chose; false where its extension is unknown and nothing is assumed of such files.
    fn add_chosen(&mut self, path: &Path, name: &Path) -> Result<bool> {
        let (Some(assumed), None) = (self.nameless.format, Format::of(&slashed(name, path)?)) else {
            return self.add(path, name);
        };
        let (format, compression) = assumed.of_nameless(path)?;
        let (canonical, name) = (canonical(path)?, slashed(name, path)?);
        self.push(Found { path: path.to_path_buf(), canonical, name, format, compression, copy: None });
        Ok(true)
    }

    /// The list of what was found.
    pub(super) fn finish(self) -> Result<Inputs> {
        let Self { nameless, mut found, folders, skipped, repeated, .. } = self;
        name_apart(&mut found, nameless.format)?;
        let files = found.into_iter().enumerate().map(|(i, f)| f.open(i)).collect::<Result<_>>()?;
        Ok(Inputs { files, folders, skipped_files: skipped, repeated_files: repeated })
    }

    fn push(&mut self, file: Found) {
        if self.seen.insert(file.canonical.clone()) {
            self.found.push(file);
        } else {
            self.repeated += 1;
        }
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

pub(super) fn matcher(glob: &str) -> Result<GlobMatcher> {
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
fn name_apart(found: &mut [Found], assumed: Option<Format>) -> Result<()> {
    if collision(found).is_none() {
        return Ok(());
    }
    let mut common = found[0].canonical.parent().unwrap_or(Path::new("/")).to_path_buf();
    while !found.iter().all(|f| f.canonical.starts_with(&common)) && common.pop() {}
    for file in found.iter_mut() {
        let below = file.canonical.strip_prefix(&common).unwrap_or(&file.canonical);
        file.name = slashed(below, &file.path)?;
    }
    let told =
        |f: &Found| Format::of(&f.name).map_or(assumed == Some(f.format), |told| told == (f.format, f.compression));
    let clash = collision(found).or_else(|| found.iter().position(|f| f.name.is_empty() || !told(f)));
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
