//! The output folder: `data/` with the records under the names they came with, and the files beside it.
//!
//! Nothing bears a final name before [`OutDir::commit`]; without it, dropping the folder removes all that was
//! written. A data file has the compression of its input, and the same bytes for the same content. A file of which
//! nothing changed is best copied ([`OutDir::copy`]): it then leaves byte for byte even if compressed, while
//! rewritten archives are compressed anew (content the same, archive bytes not).

use super::compress::{Compression, Writer};
use super::inputs::{Format, InputFile, Inputs};
use super::rewrite::{OutPart, Packed};
use super::staging::{Staging, recover, visible_names};
use crate::error::{Error, Result};
use crate::lease::stands_at;
use serde::Serialize;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Everything a run may leave at the top of its output folder.
pub(super) const OURS: [&str; 7] =
    ["data", "plan.jsonl", "blocks.jsonl", "clusters.jsonl", "removed.jsonl", "report.html", "summary.json"];
/// Moved into place last: where it is, the rest is complete.
pub(super) const LAST: &str = "summary.json";

/// An output folder that is being written.
#[derive(Debug)]
pub struct OutDir {
    staging: Staging,
    overwrite: bool,
}

impl OutDir {
    /// Opens the folder for writing, making it where it is missing. With `overwrite` the commit replaces what an
    /// earlier run left there, and only that.
    ///
    /// # Errors
    /// `Usage` where the folder lies in an input folder, an input file lies in it, or it holds something and
    /// `overwrite` is not set; `Resource` where it cannot be made.
    pub fn create(folder: &Path, inputs: &Inputs, overwrite: bool) -> Result<Self> {
        check_apart(folder, inputs)?;
        if is_folder(folder)? {
            recover(folder)?;
        }
        check_empty(folder, overwrite)?;
        Ok(Self { staging: Staging::open(folder)?, overwrite })
    }

    /// The same, with the finished stages of a run that was broken off, if it left some and its manifest is `manifest`.
    /// What this run finishes stays for the next one even if it fails. `differs` says how another manifest is another.
    ///
    /// # Errors
    /// As [`create`](Self::create); `Usage` where the run that was broken off had another manifest.
    pub fn resume(
        folder: &Path,
        inputs: &Inputs,
        overwrite: bool,
        manifest: &str,
        differs: &dyn Fn(&str) -> String,
    ) -> Result<Self> {
        check_apart(folder, inputs)?;
        is_folder(folder)?;
        let staging = Staging::resume(folder, manifest, differs)?;
        check_empty(folder, overwrite)?;
        Ok(Self { staging, overwrite })
    }

    /// Writes down what the stages of this run are made from; from here on they are kept for a run that goes on.
    ///
    /// # Errors
    /// `Resource` where it cannot be written.
    pub fn note(&self, manifest: &str) -> Result<()> {
        self.staging.note(manifest)
    }

    /// The file of a stage that an earlier run finished.
    ///
    /// # Errors
    /// `Resource` where it cannot be read.
    pub fn stage(&self, name: &str) -> Result<Option<File>> {
        self.staging.stage(name)
    }

    /// Writes the file of a finished stage, where stages are kept.
    ///
    /// # Errors
    /// What `write` returns; `Resource` where it cannot be written.
    pub fn finish_stage(&self, name: &str, write: impl FnOnce(&File) -> Result<()>) -> Result<()> {
        self.staging.finish_stage(name, write)
    }

    /// The folder, as it was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.staging.target()
    }

    /// A writer for all data files, fed in input order.
    ///
    /// # Errors
    /// `Resource` where `data/` cannot be made.
    pub fn data_writer(&self) -> Result<DataWriter<'_>> {
        self.staging.create_folder("data")?;
        Ok(DataWriter { folder: self, sink: None })
    }

    /// A data file with the name and compression of an input file.
    ///
    /// # Errors
    /// `Resource` where it cannot be created.
    pub fn sink(&self, input: &InputFile) -> Result<FileSink> {
        let name = format!("data/{}", input.name);
        FileSink::data(&self.staging, &name, (input.format, input.compression), &input.path)
    }

    /// Copies an input file as it is.
    ///
    /// # Errors
    /// `Resource` where the copy fails or the file changed since it was listed.
    pub fn copy(&self, input: &InputFile) -> Result<()> {
        let mut to = self.staging.create(&format!("data/{}", input.name))?;
        let mut from = File::open(&input.path).map_err(|e| Error::io("read", &input.path, e))?;
        io::copy(&mut from, &mut to).map_err(|e| Error::io("copy", &input.path, e))?;
        input.check_unchanged()
    }

    /// Bytes of the finished data files, as they lie on disk.
    ///
    /// # Errors
    /// `Resource` where they cannot be listed.
    pub fn data_bytes(&self) -> Result<u64> {
        self.staging.bytes_below("data")
    }

    /// A file at the top of the folder, such as `report.html`, uncompressed.
    ///
    /// # Errors
    /// `Resource` where it cannot be created.
    pub fn file(&self, name: &str) -> Result<FileSink> {
        debug_assert!(OURS.contains(&name), "an overwriting run must know all names");
        self.open(name, Compression::None)
    }

    /// A file of JSON lines at the top of the folder, such as `plan.jsonl`.
    ///
    /// # Errors
    /// `Resource` where it cannot be created.
    pub fn json_lines(&self, name: &str) -> Result<JsonLines> {
        Ok(JsonLines { sink: self.file(name)?, line: Vec::new() })
    }

    fn open(&self, name: &str, compression: Compression) -> Result<FileSink> {
        let path = self.path().join(name);
        FileSink::new(self.staging.create(name)?, path, compression)
    }

    /// Syncs everything and moves it to its final names, `summary.json` last. Every sink must be finished.
    ///
    /// # Errors
    /// `Resource`: nothing half-written bears a final name even then.
    pub fn commit(self) -> Result<()> {
        let replaced: &[&str] = if self.overwrite { &OURS } else { &[] };
        self.staging.commit(replaced, LAST)
    }
}

/// Whether the output folder is there; refuses a file in its place.
fn is_folder(folder: &Path) -> Result<bool> {
    match stands_at(folder)? {
        Some(meta) if !meta.is_dir() => Err(Error::usage("the output folder is a file").at(folder)),
        found => Ok(found.is_some()),
    }
}

/// Refuses a folder with something in it, unless it may be replaced.
fn check_empty(folder: &Path, overwrite: bool) -> Result<()> {
    if !overwrite && is_folder(folder)? && !visible_names(folder)?.is_empty() {
        let error = Error::usage("the output folder is not empty").at(folder);
        return Err(error.cure("name another, or replace what an earlier run left in it with --overwrite"));
    }
    Ok(())
}

/// Refuses an output folder and inputs of which one lies in the other.
fn check_apart(folder: &Path, inputs: &Inputs) -> Result<()> {
    let out = resolve(folder)?;
    if let Some(around) = inputs.folders().iter().find(|around| out.starts_with(around)) {
        let error = Error::usage(format!("the output folder lies in the input folder {}", around.display())).at(folder);
        return Err(error.cure("name a folder outside: the next run would read what this one wrote"));
    }
    for file in inputs.files().iter().filter(|file| file.copy.is_none() && file.table.is_none()) {
        let path = file.path.canonicalize().map_err(|e| Error::io("read", &file.path, e))?;
        if path.starts_with(&out) {
            let error = Error::usage("this input file lies in the output folder").at(&file.path);
            return Err(error.cure("name another output folder"));
        }
    }
    Ok(())
}

/// The path without links and dots; its end need not exist.
fn resolve(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).map_err(|e| Error::io("find", path, e))?;
    let mut resolved = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            part => resolved.push(part),
        }
        if let Ok(real) = resolved.canonicalize() {
            resolved = real;
        }
    }
    Ok(resolved)
}

fn write_error(path: &Path, error: io::Error) -> Error {
    error.downcast::<Error>().map_or_else(|error| Error::io("write", path, error), |ours| ours.at(path))
}

/// One output file.
pub struct FileSink {
    writer: Writer,
    path: PathBuf,
}

impl FileSink {
    pub(super) fn new(file: File, path: PathBuf, compression: Compression) -> Result<Self> {
        let writer = Writer::new(file, compression).map_err(|e| Error::io("write", &path, e))?;
        Ok(Self { writer, path })
    }

    /// A data file in the making, stored as `like` is.
    pub(super) fn data(staging: &Staging, name: &str, stored: (Format, Compression), like: &Path) -> Result<Self> {
        let (file, path) = (staging.create(name)?, staging.target().join(name));
        if stored.0 == Format::Parquet {
            let writer = Writer::parquet(file, like, staging.scratch())?;
            return Ok(Self { writer, path });
        }
        if stored == (Format::Warc, Compression::Gzip) {
            return Ok(Self { writer: Writer::members(file), path });
        }
        Self::new(file, path, stored.1)
    }

    /// Appends content.
    ///
    /// # Errors
    /// `Resource`, as when the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write(bytes).map_err(|e| write_error(&self.path, e))
    }

    /// Appends content, or what it was compressed to.
    fn append(&mut self, bytes: &[u8], packed: Option<&Packed>) -> Result<()> {
        let Some(packed) = packed else { return self.write(bytes) };
        self.writer.write_packed(bytes, packed).map_err(|e| write_error(&self.path, e))
    }

    /// Ends the file; without it the file is not complete.
    ///
    /// # Errors
    /// `Resource`, as when the disk is full.
    pub fn finish(self) -> Result<()> {
        self.writer.finish().map_err(|e| write_error(&self.path, e))
    }
}

/// For what writes itself, as the report does.
impl io::Write for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what [`rewrite`](super::rewrite()) returns, chunk by chunk in input order, to the data files.
pub struct DataWriter<'o> {
    folder: &'o OutDir,
    sink: Option<FileSink>,
}

impl DataWriter<'_> {
    /// Writes the parts of one chunk; a file is opened where it begins and finished where it ends.
    ///
    /// # Errors
    /// `Resource`, as when the disk is full.
    pub fn write(&mut self, parts: &[OutPart], bytes: &[u8]) -> Result<()> {
        for part in parts.iter().filter(|part| !part.absent) {
            let mut sink = match self.sink.take() {
                Some(sink) if !part.begins => sink,
                _ => self.folder.sink(&part.input)?,
            };
            sink.append(&bytes[part.range.clone()], part.packed.as_ref())?;
            if part.ends {
                sink.finish()?;
            } else {
                self.sink = Some(sink);
            }
        }
        Ok(())
    }
}

/// A file of JSON lines.
pub struct JsonLines {
    sink: FileSink,
    line: Vec<u8>,
}

impl JsonLines {
    /// Appends a value as one line.
    ///
    /// # Errors
    /// `Resource`, as when the disk is full.
    pub fn write(&mut self, value: &impl Serialize) -> Result<()> {
        self.line.clear();
        json_line(value, &mut self.line)?;
        self.sink.write(&self.line)
    }

    /// Appends lines that are JSON already, line endings included (made by a worker).
    ///
    /// # Errors
    /// `Resource`, as when the disk is full.
    pub fn write_lines(&mut self, lines: &[u8]) -> Result<()> {
        self.sink.write(lines)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// `Resource`, as when the disk is full.
    pub fn finish(self) -> Result<()> {
        self.sink.finish()
    }
}

/// Appends a value as one line.
///
/// # Errors
/// `Resource` where it cannot be written as JSON.
pub fn json_line(value: &impl Serialize, out: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(&mut *out, value).map_err(|e| Error::resource(e.to_string()))?;
    out.push(b'\n');
    Ok(())
}
