//! The way back: what was written, and what was taken out, make the input again, byte for byte.
//!
//! A row is known by its number in the input file. The rows between two changed ones are the next rows of the
//! output, in order; a dropped row is put where its number stands; a cut one gets its pieces back. One pass over
//! both sides, `O(bytes)`, memory for one row. Of a compressed file the content comes back; the archive around it is
//! made anew.

use super::compress::{Compression, Reader, read_error};
use super::inputs::Format;
use super::output::FileSink;
use super::staging::{Staging, recover, visible_names};
use super::warc;
use crate::error::{Error, Result, json_complaint};
use crate::record::{Change, Piece, Removed};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Lines};
use std::iter::Enumerate;
use std::path::{Component, Path};
use walkdir::WalkDir;

/// Rebuilds one input file from the output file and what was taken out of it, in row order.
///
/// `output` is `None` where the file was not written (a text file that was dropped).
///
/// # Errors
/// `Input` where the two do not belong together; what `write` and `removed` return.
pub fn restore<'a>(
    format: Format,
    output: Option<&mut dyn BufRead>,
    removed: impl Iterator<Item = Result<Removed<'a>>>,
    write: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut rows = Rows { format, output, row: 0, buffer: Vec::new() };
    for removed in removed {
        let removed = removed?;
        while rows.row < removed.row {
            write(rows.next()?.ok_or_else(mismatch)?)?;
        }
        if rows.row > removed.row {
            return Err(mismatch());
        }
        match removed.change {
            Change::Dropped(raw) => {
                write(&raw.0)?;
                rows.row += 1;
            }
            Change::Cut(pieces) => put_back(rows.next()?.ok_or_else(mismatch)?, &pieces, write)?,
        }
    }
    while let Some(row) = rows.next()? {
        write(row)?;
    }
    Ok(())
}

fn mismatch() -> Error {
    Error::input("what was written and what was removed do not belong together")
        .cure("restore from the folder as the run left it, all its files unchanged")
}

/// The rows of the output, numbered as in the input.
struct Rows<'o> {
    format: Format,
    output: Option<&'o mut dyn BufRead>,
    row: u64,
    buffer: Vec<u8>,
}

impl Rows<'_> {
    fn next(&mut self) -> Result<Option<&[u8]>> {
        let Some(output) = &mut self.output else { return Ok(None) };
        self.buffer.clear();
        let whole = self.format == Format::Text;
        if whole && self.row > 0 {
            return Err(mismatch());
        }
        let read = match self.format {
            Format::Text => output.read_to_end(&mut self.buffer),
            Format::Warc => warc::read_record(*output, &mut self.buffer),
            Format::JsonLines | Format::Parquet => output.read_until(b'\n', &mut self.buffer),
        };
        let read = read.map_err(|e| read_error(Path::new("data"), e))?;
        if whole {
            // An empty text file is a row all the same, but only one.
            self.output = None;
        } else if read == 0 {
            return Ok(None);
        }
        self.row += 1;
        Ok(Some(&self.buffer))
    }
}

fn put_back(row: &[u8], pieces: &[Piece<'_>], write: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut rest = 0;
    for piece in pieces {
        let at = usize::try_from(piece.at).map_err(|_| mismatch())?;
        write(row.get(rest..at).ok_or_else(mismatch)?)?;
        write(&piece.raw.0)?;
        let after = usize::try_from(piece.instead).ok().and_then(|instead| at.checked_add(instead));
        rest = after.filter(|after| *after <= row.len()).ok_or_else(mismatch)?;
    }
    write(&row[rest..])
}

/// Rebuilds the input files of a run from its output folder (`data/`, `removed.jsonl`) in the new folder `to`.
/// Returns how many files there are. `nameless` is what files hold whose names do not say it.
///
/// # Errors
/// `Usage` where `from` is no output folder or `to` is not empty; `Input` where its files do not belong together;
/// `Resource` where the system fails. Nothing half-written is left.
pub fn restore_folder(from: &Path, to: &Path, nameless: Option<Format>) -> Result<u64> {
    let (data, sidecar) = (from.join("data"), from.join("removed.jsonl"));
    if !data.is_dir() || !sidecar.is_file() {
        let error = Error::usage("no data/ and removed.jsonl here").at(from);
        return Err(error.cure("name the --out folder of a finished run"));
    }
    if to.is_dir() {
        recover(to)?;
    }
    if to.exists() && (!to.is_dir() || !visible_names(to)?.is_empty()) {
        return Err(Error::usage("the folder to restore into is not empty").at(to).cure("name a new one"));
    }
    let staging = Staging::open(to)?;
    let changed = restore_changed(&data, &sidecar, nameless, &staging)?;
    let unchanged = copy_unchanged(&data, &changed, &staging)?;
    staging.commit(&[], "")?;
    Ok(changed.len() as u64 + unchanged)
}

/// The lines of a sidecar, parsed.
struct Sidecar<'p> {
    path: &'p Path,
    lines: Enumerate<Lines<BufReader<File>>>,
    /// Read, but of the next file.
    held: Option<Removed<'static>>,
}

impl Sidecar<'_> {
    fn next(&mut self) -> Option<Result<Removed<'static>>> {
        if let Some(held) = self.held.take() {
            return Some(Ok(held));
        }
        let (number, line) = self.lines.next()?;
        let line = match line {
            Ok(line) => line,
            Err(error) => return Some(Err(Error::io("read", self.path, error))),
        };
        Some(serde_json::from_str(&line).map_err(|e| {
            Error::input(format!("not a line of a sidecar: {}", json_complaint(&e)))
                .at(self.path)
                .line(number as u64 + 1)
        }))
    }

    /// The next line if it is of this file.
    fn next_of(&mut self, file: &str) -> Option<Result<Removed<'static>>> {
        match self.next()? {
            Ok(removed) if removed.file != file => {
                self.held = Some(removed);
                None
            }
            other => Some(other),
        }
    }
}

/// Rebuilds the files the sidecar names; returns their names.
fn restore_changed(
    data: &Path,
    sidecar: &Path,
    nameless: Option<Format>,
    staging: &Staging,
) -> Result<HashSet<String>> {
    let file = File::open(sidecar).map_err(|e| Error::io("read", sidecar, e))?;
    let lines = BufReader::new(file).lines().enumerate();
    let mut sidecar = Sidecar { path: sidecar, lines, held: None };
    let mut done = HashSet::new();
    while let Some(first) = sidecar.next() {
        let first = first?;
        let name = first.file.clone().into_owned();
        sidecar.held = Some(first);
        if !done.insert(name.clone()) {
            return Err(Error::input(format!("the lines of \"{name}\" are not together")).at(sidecar.path));
        }
        let stored = stored(&data.join(&name), &name, nameless)?;
        restore_file(data, (&name, stored), std::iter::from_fn(|| sidecar.next_of(&name)), staging)?;
    }
    Ok(done)
}

fn restore_file<'a>(
    data: &Path,
    (name, (format, compression)): (&str, (Format, Compression)),
    removed: impl Iterator<Item = Result<Removed<'a>>>,
    staging: &Staging,
) -> Result<()> {
    let path = data.join(name);
    let mut reader = match path.exists() {
        true => Some(BufReader::with_capacity(128 << 10, Reader::open(&path, format, compression)?)),
        false => None,
    };
    let mut sink = FileSink::data(staging, name, (format, compression), &path)?;
    let output = reader.as_mut().map(|r| r as &mut dyn BufRead);
    restore(format, output, removed, &mut |bytes| sink.write(bytes)).map_err(|e| e.at(&path))?;
    sink.finish()
}

/// How the file of a name from a sidecar is stored; a name that leads out of the folder is refused.
fn stored(path: &Path, name: &str, nameless: Option<Format>) -> Result<(Format, Compression)> {
    let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    match (Format::of(name), nameless) {
        (Some(told), _) if inside => Ok(told),
        (None, Some(format)) if inside && path.is_file() => format.of_nameless(path),
        // A text file that was dropped: of how it was stored only its name is left.
        (None, Some(format)) if inside => Ok((format, Compression::split(&name.to_ascii_lowercase()).1)),
        _ => Err(Error::input(format!("\"{name}\" is no name of a data file"))),
    }
}

fn copy_unchanged(data: &Path, changed: &HashSet<String>, staging: &Staging) -> Result<u64> {
    let mut copied = 0;
    for entry in WalkDir::new(data).sort_by_file_name() {
        let entry = entry.map_err(|e| Error::io("read", data, e.into()))?;
        let below = entry.path().strip_prefix(data).unwrap_or(entry.path());
        let name = below.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        if !entry.file_type().is_file() || changed.contains(&name) {
            continue;
        }
        let mut from = File::open(entry.path()).map_err(|e| Error::io("read", entry.path(), e))?;
        io::copy(&mut from, &mut staging.create(&name)?).map_err(|e| Error::io("copy", entry.path(), e))?;
        copied += 1;
    }
    Ok(copied)
}
