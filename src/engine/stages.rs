//! Stages that are finished stay finished: a run that was broken off goes on after the last of them.
//!
//! What costs time is to decide; both ways leave what they decided as lines of JSON beside the results in the making
//! (`io`), and a run that goes on reads them in place of the input. They hold what the plan and the records are written from and
//! nothing else, so the bytes that follow are the same. What they were made from stands in a manifest: the version, the options
//! that bear on the result, name, size and time of every file. A run with another manifest does not go on.

use super::Options;
use super::corpus::Corpus;
use super::flow::{ahead, in_order};
use super::names::Names;
use super::near::Outcome as NearOutcome;
use crate::io::{OutDir, json_line};
use crate::near::Verdict;
use crate::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::PathBuf;
use std::time::SystemTime;

/// What a run's stages are made from.
#[derive(PartialEq, Serialize, Deserialize)]
struct Manifest {
    version: String,
    options: Options,
    files: Vec<(String, PathBuf, u64, Option<SystemTime>)>,
}

/// The manifest of a run as JSON; none where the input cannot be told again: standard input, a table in memory.
pub(super) fn manifest(corpus: &Corpus<'_>) -> Result<Option<String>> {
    let files = corpus.inputs.files();
    if files.iter().any(|file| file.is_passing()) {
        return Ok(None);
    }
    let mut files: Vec<_> = files.iter().map(|f| (f.name.clone(), f.path.clone(), f.bytes, f.modified())).collect();
    if let Some((path, meta)) = corpus.options.reviewed.as_ref().and_then(|path| Some((path, path.metadata().ok()?))) {
        files.push(("reviewed".into(), path.clone(), meta.len(), meta.modified().ok()));
    }
    // What does not change the result is as it is by default.
    let default = Options { memory_bytes: 0, ..Options::default() };
    let Options {
        mode, inputs, format, text_field, id_field, site_field, on_bad_record, reviewed, near, block, ..
    } = corpus.options.clone();
    let options = Options {
        mode,
        inputs,
        format,
        text_field,
        id_field,
        site_field,
        on_bad_record,
        reviewed,
        near,
        block,
        ..default
    };
    let manifest = Manifest { version: env!("CARGO_PKG_VERSION").into(), options, files };
    serde_json::to_string(&manifest).map(Some).map_err(|e| Error::resource(e.to_string()))
}

/// What tells two manifests apart, in words.
pub(super) fn difference(old: &str, new: &str) -> String {
    let [old, new] = [old, new].map(serde_json::from_str::<Manifest>);
    let (Ok(old), Ok(new)) = (old, new) else { return "it was one of another version".into() };
    if old.version != new.version {
        return format!("it was one of version {}", old.version);
    }
    if old.options != new.options {
        return "it had other options".into();
    }
    let changed = old.files.iter().zip(&new.files).find(|(old, new)| old != new).map(|(_, new)| &new.1);
    changed.map_or_else(|| "it had other input files".into(), |path| format!("{} has changed since", path.display()))
}

/// What a stage leaves.
pub(super) trait Kept: Sized {
    fn save(&self, to: &mut Lines<'_>) -> Result<()>;
    fn load(corpus: &Corpus<'_>, from: &mut Reader<'_>) -> Result<Self>;
}

/// Does a stage, or reads what it left.
pub(super) fn stage<T: Kept>(
    corpus: &Corpus<'_>,
    out: Option<&OutDir>,
    name: &'static str,
    make: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let Some(out) = out else { return make() };
    if let Some(file) = out.stage(name)? {
        corpus.progress.stage("resume", 0);
        return T::load(corpus, &mut Reader { lines: BufReader::new(file), line: String::new(), name });
    }
    let made = make()?;
    out.finish_stage(name, |file| {
        let mut lines = Lines { to: BufWriter::new(file), name };
        made.save(&mut lines)?;
        lines.to.flush().map_err(|e| failed("write", name, &e))
    })?;
    Ok(made)
}

fn failed(doing: &str, name: &str, error: &dyn std::fmt::Display) -> Error {
    Error::resource(format!("cannot {doing} the finished stage {name:?}: {error}")).cure("begin anew without --resume")
}

/// Where a stage is written: values, a line each; a section of many ends with an empty line.
pub(super) struct Lines<'f> {
    to: BufWriter<&'f File>,
    name: &'static str,
}

impl Lines<'_> {
    pub(super) fn one(&mut self, value: &impl Serialize) -> Result<()> {
        let written = serde_json::to_writer(&mut self.to, value).map_err(std::io::Error::from);
        written.and_then(|()| self.to.write_all(b"\n")).map_err(|e| failed("write", self.name, &e))
    }

    pub(super) fn many<T: Serialize>(&mut self, values: impl Iterator<Item = Result<T>>) -> Result<()> {
        for value in values {
            self.one(&value?)?;
        }
        self.end()
    }

    /// As [`many`](Self::many), of values that take time: they are made by all threads.
    pub(super) fn many_made<T, V: Serialize>(
        &mut self,
        from: impl Iterator<Item = T> + Send,
        make: impl Fn(T) -> Result<V> + Sync,
    ) -> Result<()> {
        let line = |thing| {
            let mut line = Vec::new();
            json_line(&make(thing)?, &mut line).map(|()| line)
        };
        let write = |line: Vec<u8>| self.to.write_all(&line).map_err(|e| failed("write", self.name, &e));
        in_order(ahead(), from, line, write)?;
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        self.to.write_all(b"\n").map_err(|e| failed("write", self.name, &e))
    }

    pub(super) fn names(&mut self, names: &Names) -> Result<()> {
        self.many(names.iter())
    }
}

/// Where a stage is read from.
pub(super) struct Reader<'a> {
    lines: BufReader<File>,
    line: String,
    name: &'a str,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<&str> {
        self.line.clear();
        match self.lines.read_line(&mut self.line) {
            Ok(0) => Err(failed("read", self.name, &"it ends too early")),
            Ok(_) => Ok(self.line.trim_end()),
            Err(e) => Err(failed("read", self.name, &e)),
        }
    }

    pub(super) fn one<T: DeserializeOwned>(&mut self) -> Result<T> {
        let name = self.name.to_owned();
        serde_json::from_str(self.next()?).map_err(|e| failed("read", &name, &e))
    }

    pub(super) fn many<T: DeserializeOwned>(&mut self, mut each: impl FnMut(T) -> Result<()>) -> Result<()> {
        let name = self.name.to_owned();
        loop {
            let line = self.next()?;
            if line.is_empty() {
                return Ok(());
            }
            each(serde_json::from_str(line).map_err(|e| failed("read", &name, &e))?)?;
        }
    }

    pub(super) fn all<T: DeserializeOwned>(&mut self) -> Result<Vec<T>> {
        let mut all = Vec::new();
        self.many(|value| {
            all.push(value);
            Ok(())
        })?;
        Ok(all)
    }

    pub(super) fn names(&mut self, corpus: &Corpus<'_>) -> Result<Names> {
        let mut names = Names::new(corpus);
        self.many(|(doc, name, bytes): (u32, String, u32)| names.push(doc, &name, bytes))?;
        Ok(names)
    }
}

impl Kept for NearOutcome {
    fn save(&self, to: &mut Lines<'_>) -> Result<()> {
        to.one(&self.census)?;
        to.many(self.verdicts.iter().map(Ok))?;
        to.names(&self.names)
    }

    fn load(corpus: &Corpus<'_>, from: &mut Reader<'_>) -> Result<Self> {
        let census = from.one()?;
        let verdicts = from.all::<Verdict>()?.into_iter().collect();
        let names = from.names(corpus)?;
        Ok(Self { verdicts, names, census })
    }
}
