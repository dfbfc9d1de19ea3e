//! Where the results go: a folder, a place in an object store, standard output, or nowhere.
//!
//! A folder and a store hold everything a run leaves. Standard output takes the records alone, one after another and
//! decompressed, once the plan stands; nothing is kept that `restore` or `explain` could read. So that what comes out
//! can be told apart again, it is all JSON lines, all WARC, or one text file.

use super::corpus::Corpus;
use super::options::Options;
use super::progress::Progress;
use super::stages;
use crate::io::{Format, Inputs, OutDir, OutPart, Remote};
use crate::{Error, Result};
use std::io::Write;
use std::path::Path;

/// A byte order mark: it may begin a file, and must not stand within one.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Where the results go.
pub(super) struct Landing {
    out: Option<OutDir>,
    remote: Option<Remote>,
}

impl Landing {
    /// Opens what the options ask for, before anything is read.
    ///
    /// # Errors
    /// As [`OutDir::create`] and [`Remote::create`]; `Usage` where standard output cannot take these inputs.
    pub(super) fn open(corpus: &Corpus<'_>) -> Result<Self> {
        let options: &Options = corpus.options;
        if options.streams() && options.writes_records() {
            check_stream(&corpus.inputs)?;
        }
        let remote = options.remote().filter(|_| !options.dry_run);
        let temp_dir = options.temp_dir.as_deref();
        let remote = remote.map(|url| Remote::create(url, temp_dir, options.overwrite)).transpose()?;
        let copy = remote.as_ref().map(Remote::folder);
        let folder = copy.as_deref().or(options.folder()).filter(|_| !options.dry_run);
        if options.resume && remote.is_some() {
            let error = Error::usage("a run into an object store cannot be resumed");
            return Err(error.cure("name a folder with --out and copy it, or go without --resume"));
        }
        Ok(Self { out: folder.map(|folder| open_folder(corpus, folder)).transpose()?, remote })
    }

    /// The folder that is written, if any.
    pub(super) fn out(&self) -> Option<&OutDir> {
        self.out.as_ref()
    }

    /// Gives everything its final name.
    ///
    /// # Errors
    /// `Resource`; nothing half-written bears a final name even then.
    pub(super) fn commit(self, progress: &dyn Progress) -> Result<()> {
        self.out.map_or(Ok(()), OutDir::commit)?;
        self.remote.map_or(Ok(()), |remote| upload(remote, progress))
    }
}

/// Uploads what was written for a store.
///
/// # Errors
/// As [`Remote::commit`]; `Interrupted` where that is asked for.
pub(super) fn upload(remote: Remote, progress: &dyn Progress) -> Result<()> {
    progress.stage("upload", remote.bytes()?);
    remote.commit(&|bytes| {
        progress.advance(bytes);
        if progress.cancelled() { Err(Error::interrupted()) } else { Ok(()) }
    })
}

/// The output folder; with the finished stages of a run that was broken off where that is asked for.
fn open_folder(corpus: &Corpus<'_>, folder: &Path) -> Result<OutDir> {
    let options = corpus.options;
    let manifest = stages::manifest(corpus)?;
    let out = match &manifest {
        Some(manifest) if options.resume => {
            let differs = |old: &str| stages::difference(old, manifest);
            OutDir::resume(folder, &corpus.inputs, options.overwrite, manifest, &differs)?
        }
        None if options.resume => {
            let error = Error::usage("a run that reads standard input or a table in memory cannot be resumed");
            return Err(error.cure("put the input into a file, or go without --resume"));
        }
        _ => OutDir::create(folder, &corpus.inputs, options.overwrite)?,
    };
    manifest.map_or(Ok(()), |manifest| out.note(&manifest))?;
    Ok(out)
}

fn check_stream(inputs: &Inputs) -> Result<()> {
    let all = |format: Format| inputs.files().iter().all(|file| file.format == format);
    let one_text = all(Format::Text) && inputs.files().len() == 1;
    if all(Format::JsonLines) || all(Format::Warc) || one_text {
        return Ok(());
    }
    let error = Error::usage("standard output takes JSON lines alone, WARC records alone, or one text");
    Err(error.cure("name a folder with --out"))
}

/// Records on their way to a stream.
pub(super) struct Stream<'w> {
    to: &'w mut (dyn Write + Send),
    /// The last byte that went, once there is one.
    last: Option<u8>,
    bytes: u64,
}

impl<'w> Stream<'w> {
    pub(super) fn new(to: &'w mut (dyn Write + Send)) -> Self {
        Self { to, last: None, bytes: 0 }
    }

    /// Writes the parts of one chunk; where a file begins, so does a line.
    pub(super) fn write(&mut self, parts: &[OutPart], bytes: &[u8]) -> Result<()> {
        for part in parts {
            let mut content = &bytes[part.range.clone()];
            if part.begins && self.last.is_some() {
                content = content.strip_prefix(MARK).unwrap_or(content);
                if part.input.format == Format::JsonLines && self.last != Some(b'\n') && !content.is_empty() {
                    self.put(b"\n")?;
                }
            }
            self.put(content)?;
        }
        Ok(())
    }

    /// Ends the stream; how many bytes went.
    pub(super) fn finish(self) -> Result<u64> {
        self.to.flush().map_err(failed)?;
        Ok(self.bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.last = bytes.last().copied().or(self.last);
        self.bytes += bytes.len() as u64;
        self.to.write_all(bytes).map_err(failed)
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::io("write the records", "standard output", error)
}
