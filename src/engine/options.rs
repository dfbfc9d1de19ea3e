//! What a run may be told, in one place: every number a user can turn has its home and its default here.
//!
//! [`Options`] is a plain struct: fill in what you care about, take the rest from [`Default`]. The names it has as
//! JSON or TOML are those of the command's flags, a name it does not know is refused, and the summary of a run
//! carries it back with everything filled in, so that a run can be repeated from its own summary.
//! [`Options::check`] is called once by [`run`](super::run), before anything is read.

use crate::error::{Error, Result};
use crate::io::{Format, Parser, ReadOptions, is_url};
use crate::record::Fields;
use crate::{block, near};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;
use std::path::{Path, PathBuf};

/// The least memory a run can be given, in bytes: below it the merge of spilled runs would crawl.
pub const MIN_MEMORY_BYTES: u64 = 16 << 20;
/// The least memory a run takes when the user names none, in bytes.
const MIN_DEFAULT_MEMORY_BYTES: u64 = 256 << 20;
/// The longest record that chunks can hold, in bytes.
const MAX_RECORD_BYTES: u64 = 3 << 30;
/// Standard input among the inputs, standard output as the output.
pub const STANDARD_STREAM: &str = "-";

/// Everything a run needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Options {
    /// What to do with the input.
    pub mode: Mode,
    /// Files, folders, globs or URLs, `-` for standard input; read in this order.
    pub inputs: Vec<String>,
    /// What standard input holds, and files that are named one by one or by a glob and whose names do not say it.
    pub format: Option<Format>,
    /// The folder for the results, which may be the URL of a place in an object store. `-` writes the records to standard
    /// output and keeps nothing else. Only [`Mode::Scan`] and a dry run can go without.
    pub out: Option<PathBuf>,
    /// The field that holds the text of a record.
    pub text_field: String,
    /// The field that names a record; a record without it is called `file:row`.
    pub id_field: String,
    /// The field that says which site a record is from: of a URL the host counts, else the value as it is. A record
    /// may lack it. Archives have the host of the target URI instead, text files their folder. Where records have sites,
    /// blocks are judged by how they lie on them. `None` or empty: no sites.
    pub site_field: Option<String>,
    /// Worker threads; 0 = one per core. Does not change the result.
    pub threads: usize,
    /// Bytes of memory to stay within; the rest is spilled. Does not change the result.
    #[serde(rename = "memory", deserialize_with = "memory")]
    pub memory_bytes: u64,
    /// Blocks with decisions made by a person, in the form of `blocks.jsonl`: they go before every rule.
    pub reviewed: Option<PathBuf>,
    /// Where to spill; without it, beside the output folder (or in the system's temporary folder when there is none).
    pub temp_dir: Option<PathBuf>,
    /// What to do with a record that cannot be read.
    pub on_bad_record: OnBadRecord,
    /// Bytes of a record, decompressed, from which on the run stops rather than read it.
    #[serde(rename = "max-record", deserialize_with = "memory")]
    pub max_record_bytes: u64,
    /// How many times its size on disk a file may be when decompressed; looked at after 64 MiB.
    pub max_expansion: u32,
    /// Whether an output folder that already holds results may be replaced.
    pub overwrite: bool,
    /// Go on where a run into the same folder was broken off, and leave what is finished for the next one to go on with
    /// should this one fail. Does not change the result.
    pub resume: bool,
    /// Decide everything and write nothing but the summary that is returned.
    pub dry_run: bool,
    /// How near-duplicate documents are found and which of them stay.
    pub near: near::Options,
    /// How repeated blocks are found and which of them go.
    pub block: block::Options,
}

impl Default for Options {
    fn default() -> Self {
        let limits = ReadOptions::default();
        Self {
            mode: Mode::Clean,
            inputs: Vec::new(),
            format: None,
            out: None,
            text_field: "text".into(),
            id_field: "id".into(),
            site_field: Some("url".into()),
            threads: 0,
            memory_bytes: default_memory_bytes(),
            reviewed: None,
            temp_dir: None,
            on_bad_record: OnBadRecord::Stop,
            max_record_bytes: limits.max_record_bytes as u64,
            max_expansion: limits.max_expansion,
            overwrite: false,
            resume: false,
            dry_run: false,
            near: near::Options::default(),
            block: block::Options::default(),
        }
    }
}

impl Options {
    /// Whether these options make sense together.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage), naming the option and a value that would do.
    pub fn check(&self) -> Result<()> {
        if self.inputs.is_empty() {
            return Err(Error::usage("there is no input").cure("name files, folders, globs, URLs, or - with --format"));
        }
        if self.out.is_none() && self.mode != Mode::Scan && !self.dry_run {
            return Err(Error::usage("there is no output folder").cure("name one with --out, or ask for --dry-run"));
        }
        if self.mode == Mode::Scan && self.streams() {
            return Err(Error::usage("a scan writes no records").cure("name a folder with --out, or none"));
        }
        if self.reviewed.is_some() && self.block.exact {
            let error = Error::usage("--exact takes every repeat, --reviewed decides about some");
            return Err(error.cure("leave one of them out"));
        }
        if self.text_field.is_empty() || self.id_field.is_empty() {
            return Err(Error::usage("a field name is empty").cure("check --text-field and --id-field"));
        }
        if self.memory_bytes < MIN_MEMORY_BYTES {
            let message = format!("--memory {} is too little to work in", self.memory_bytes);
            return Err(Error::usage(message).cure(format!("give at least {}M", MIN_MEMORY_BYTES >> 20)));
        }
        if !(1..=MAX_RECORD_BYTES).contains(&self.max_record_bytes) || self.max_expansion == 0 {
            return Err(Error::usage("--max-record lies in 1..=3G, --max-expansion is 1 or more"));
        }
        self.near.check()?;
        self.block.check()
    }

    /// Whether the records go to standard output.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.out.as_deref() == Some(Path::new(STANDARD_STREAM))
    }

    /// The folder for the results, where they go into one.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.out.as_deref().filter(|_| !self.streams() && self.remote().is_none())
    }

    /// The URL of the place for the results, where they go into an object store.
    #[must_use]
    pub fn remote(&self) -> Option<&str> {
        self.out.as_deref().and_then(Path::to_str).filter(|out| is_url(out))
    }

    /// How far input is read.
    pub(super) fn limits(&self) -> ReadOptions {
        let max_record_bytes = usize::try_from(self.max_record_bytes).unwrap_or(usize::MAX);
        ReadOptions { max_record_bytes, max_expansion: self.max_expansion, ..ReadOptions::default() }
    }

    /// What visits the records, one for each worker.
    pub(super) fn parser(&self, fields: &Fields) -> Parser {
        let parser = Parser::new(fields);
        if self.on_bad_record == OnBadRecord::Replace { parser.replacing_broken_utf8() } else { parser }
    }

    /// Whether the near-duplicate way runs.
    #[must_use]
    pub fn finds_near(&self) -> bool {
        self.mode != Mode::Strip
    }

    /// Whether the block way runs.
    #[must_use]
    pub fn finds_blocks(&self) -> bool {
        self.mode != Mode::Dedup
    }

    /// Whether cleaned records are written.
    #[must_use]
    pub fn writes_records(&self) -> bool {
        self.mode != Mode::Scan && !self.dry_run
    }
}

/// What a run does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Drops near-duplicates, then strips blocks from what is left.
    #[default]
    Clean,
    /// Drops near-duplicate documents only.
    Dedup,
    /// Strips repeated blocks only.
    Strip,
    /// Finds both and changes nothing.
    Scan,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clean => "clean",
            Self::Dedup => "dedup",
            Self::Strip => "strip",
            Self::Scan => "scan",
        })
    }
}

/// What happens at a record that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OnBadRecord {
    /// The run stops with an error that names file and line.
    #[default]
    Stop,
    /// The record passes through untouched, is counted and warned about.
    Skip,
    /// Broken UTF-8 is read as U+FFFD and stays in the file as it is; any other broken record is skipped.
    Replace,
}

impl fmt::Display for OnBadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop",
            Self::Skip => "skip",
            Self::Replace => "replace",
        })
    }
}

/// Reads a number of bytes: `512M`, `2G`, `64GiB`, `1.5g`, `4096`. Units are powers of 1024.
///
/// # Errors
/// [`ErrorKind::Usage`](crate::ErrorKind::Usage) when it is no size.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie in 0..2^63")]
pub fn parse_size(text: &str) -> Result<u64> {
    let wrong = || Error::usage(format!("{text:?} is no size")).cure("write 512M, 2G or 64GiB");
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(wrong()),
    };
    let bytes = number.parse::<f64>().map_err(|_| wrong())? * f64::from(1u32 << (shift / 2)).powi(2);
    if bytes < 9e18 { Ok(bytes as u64) } else { Err(wrong()) }
}

/// A quarter of the machine's memory, at least 256 MiB.
fn default_memory_bytes() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|table| total_bytes(&table));
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    let whole = machine.into_iter().chain(limit).min().unwrap_or(0);
    (whole / 4).max(MIN_DEFAULT_MEMORY_BYTES)
}

/// The line `MemTotal: 123 kB` of Linux's table.
fn total_bytes(table: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn memory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Bytes(u64),
        Text(String),
    }
    match Size::deserialize(deserializer)? {
        Size::Bytes(bytes) => Ok(bytes),
        Size::Text(text) => parse_size(&text).map_err(de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        let read = |text| parse_size(text).unwrap();
        assert_eq!([read("4096"), read("512M"), read("2G"), read("64GiB")], [4096, 512 << 20, 2 << 30, 64 << 30]);
        assert_eq!([read("1.5g"), read(" 3 TB ")], [3 << 29, 3 << 40]);
        for wrong in ["", "G", "-1G", "1X", "1e30T", "99999999T", "nan", "1.2.3M"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_survive_json() {
        let mut options = Options { mode: Mode::Strip, inputs: vec!["a".into()], ..Options::default() };
        options.near.keep = near::Keep::Highest("score".into());
        let text = serde_json::to_string(&options).unwrap();
        assert!(text.contains(r#""keep":"field:score""#) && text.contains(r#""text-field":"text""#), "{text}");
        assert_eq!(serde_json::from_str::<Options>(&text).unwrap(), options);
    }

    #[test]
    fn unknown_names_are_refused() {
        for wrong in [r#"{"treshold":0.8}"#, r#"{"near":{"treshold":0.8}}"#, r#"{"block":{"keep-copies":"some"}}"#] {
            assert!(serde_json::from_str::<Options>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn memory_may_be_text() {
        let options: Options = serde_json::from_str(r#"{"memory":"64M"}"#).unwrap();
        assert_eq!(options.memory_bytes, 64 << 20);
    }

    #[test]
    fn nonsense_is_named() {
        let good = Options { inputs: vec!["a".into()], dry_run: true, ..Options::default() };
        good.check().unwrap();
        let complaint = |change: fn(&mut Options)| {
            let mut options = good.clone();
            change(&mut options);
            options.check().unwrap_err().to_string()
        };
        assert!(complaint(|o| o.inputs.clear()).contains("no input"));
        assert!(complaint(|o| o.dry_run = false).contains("--out"));
        assert!(complaint(|o| o.near.threshold = f64::NAN).contains("--threshold"));
        assert!(complaint(|o| o.near.recall = 1.0).contains("--recall"));
        assert!(complaint(|o| o.near.contain = Some(0.0)).contains("--contain"));
        assert!(complaint(|o| o.block.min_copies = 1).contains("--min-copies"));
        assert!(complaint(|o| o.memory_bytes = 1).contains("--memory"));
    }

    #[test]
    fn the_memory_table_is_read() {
        assert_eq!(total_bytes("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2 << 20));
        assert_eq!(total_bytes("MemTotal: what"), None);
        assert!(Options::default().memory_bytes >= MIN_DEFAULT_MEMORY_BYTES);
    }
}
