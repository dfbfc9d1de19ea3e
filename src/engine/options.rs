//! What a run may be told, in one place: every number a user can turn has its home and its default here.
//!
//! [`Options`] is a plain struct: fill in what you care about, take the rest from [`Default`]. The names it has as
//! JSON or TOML are those of the command's flags, a name it does not know is refused, and the summary of a run
//! carries it back with everything filled in, so that a run can be repeated from its own summary.
//! [`Options::check`] is called once by [`run`](super::run), before anything is read.

use crate::error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The least memory a run can be given, in bytes: below it the merge of spilled runs would crawl.
pub const MIN_MEMORY_BYTES: u64 = 16 << 20;
/// The least memory a run takes when the user names none, in bytes.
const MIN_DEFAULT_MEMORY_BYTES: u64 = 256 << 20;

/// Everything a run needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Options {
    /// What to do with the input.
    pub mode: Mode,
    /// Files, folders or globs; read in this order.
    pub inputs: Vec<String>,
    /// The folder for the results. Only [`Mode::Scan`] and a dry run can go without.
    pub out: Option<PathBuf>,
    /// The field that holds the text of a record.
    pub text_field: String,
    /// The field that names a record; a record without it is called `file:row`.
    pub id_field: String,
    /// The field whose value groups records by site (a host, a source), where there is one.
    pub site_field: Option<String>,
    /// Worker threads; 0 = one per core. Does not change the result.
    pub threads: usize,
    /// Bytes of memory to stay within; the rest is spilled. Does not change the result.
    #[serde(rename = "memory", deserialize_with = "memory")]
    pub memory_bytes: u64,
    /// Where to spill; without it, inside the output folder (or the system's temporary folder when there is none).
    pub temp_dir: Option<PathBuf>,
    /// What to do with a record that cannot be read.
    pub on_bad_record: OnBadRecord,
    /// Whether an output folder that already holds results may be replaced.
    pub overwrite: bool,
    /// Decide everything and write nothing but the summary that is returned.
    pub dry_run: bool,
    /// How near-duplicate documents are found and which of them stay.
    pub near: NearOptions,
    /// How repeated blocks are found and which of them go.
    pub block: BlockOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Clean,
            inputs: Vec::new(),
            out: None,
            text_field: "text".into(),
            id_field: "id".into(),
            site_field: None,
            threads: 0,
            memory_bytes: default_memory_bytes(),
            temp_dir: None,
            on_bad_record: OnBadRecord::Stop,
            overwrite: false,
            dry_run: false,
            near: NearOptions::default(),
            block: BlockOptions::default(),
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
            return Err(Error::usage("there is no input").cure("name files, folders or globs"));
        }
        if self.out.is_none() && self.mode != Mode::Scan && !self.dry_run {
            return Err(Error::usage("there is no output folder").cure("name one with --out, or ask for --dry-run"));
        }
        if self.text_field.is_empty() || self.id_field.is_empty() {
            return Err(Error::usage("a field name is empty").cure("check --text-field and --id-field"));
        }
        if self.memory_bytes < MIN_MEMORY_BYTES {
            let message = format!("--memory {} is too little to work in", self.memory_bytes);
            return Err(Error::usage(message).cure(format!("give at least {}M", MIN_MEMORY_BYTES >> 20)));
        }
        self.near.check()?;
        self.block.check()
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
#[serde(rename_all = "kebab-case")]
pub enum OnBadRecord {
    /// The run stops with an error that names file and line.
    #[default]
    Stop,
    /// The record passes through untouched, is counted and warned about.
    Skip,
}

impl fmt::Display for OnBadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop",
            Self::Skip => "skip",
        })
    }
}

/// How near-duplicates are found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct NearOptions {
    /// The Jaccard similarity of the shingle sets from which on two documents are near-duplicates; in `(0, 1]`.
    pub threshold: f64,
    /// The share of the pairs at the threshold that must become candidates; in `(0, 1)`. Sets bands and rows.
    pub recall: f64,
    /// Tokens in a shingle.
    pub shingle_tokens: usize,
    /// Seed of the sketches; another one draws other candidates below and around the threshold.
    pub seed: u64,
    /// Which document of a cluster stays.
    pub keep: Keep,
    /// The share of a document's shingles that must lie in a larger document to drop it; `None` = not looked for.
    pub contain: Option<f64>,
}

impl Default for NearOptions {
    fn default() -> Self {
        Self { threshold: 0.8, recall: 0.99, shingle_tokens: 5, seed: 1, keep: Keep::First, contain: None }
    }
}

impl NearOptions {
    fn check(&self) -> Result<()> {
        share("--threshold", self.threshold)?;
        share("--recall", self.recall)?;
        if self.recall >= 1.0 {
            return Err(Error::usage("--recall 1 cannot be promised").cure("ask for .999 or less"));
        }
        if self.shingle_tokens == 0 {
            return Err(Error::usage("--shingle-tokens is 0").cure("5 suits most languages"));
        }
        self.contain.map_or(Ok(()), |value| share("--contain", value))
    }
}

/// How repeated blocks are found and judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct BlockOptions {
    /// Takes out every repeated passage, boilerplate or not, and keeps its first copy.
    pub exact: bool,
    /// The fewest tokens of a passage that is looked at.
    pub min_tokens: usize,
    /// The fewest copies, within and across documents, of a block that goes.
    pub min_copies: usize,
    /// The fewest documents that carry a block that goes; 1 lets repeats inside one document count.
    pub min_documents: usize,
    /// Which copies of a block stay.
    pub keep_copies: KeepCopies,
}

impl Default for BlockOptions {
    fn default() -> Self {
        Self { exact: false, min_tokens: 20, min_copies: 2, min_documents: 1, keep_copies: KeepCopies::Auto }
    }
}

impl BlockOptions {
    fn check(&self) -> Result<()> {
        if self.min_copies < 2 {
            return Err(Error::usage("--min-copies is below 2").cure("text that occurs once is no repeated block"));
        }
        if self.min_tokens == 0 {
            return Err(Error::usage("--min-tokens is 0").cure("20 suits most corpora"));
        }
        Ok(())
    }
}

/// Which copies of a block stay in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeepCopies {
    /// None of boilerplate; the first of a copied passage that is no boilerplate.
    #[default]
    Auto,
    /// None at all.
    None,
    /// The first of each block, in input order.
    First,
}

impl fmt::Display for KeepCopies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::First => "first",
        })
    }
}

/// Which document of a cluster stays; ties go to the first in input order.
///
/// Written `first`, `longest` or `field:NAME`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Keep {
    /// The first in input order.
    #[default]
    First,
    /// The one with the most tokens.
    Longest,
    /// The one with the highest number in this field; a record without it comes last.
    Highest(String),
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("first"),
            Self::Longest => f.write_str("longest"),
            Self::Highest(name) => write!(f, "field:{name}"),
        }
    }
}

impl FromStr for Keep {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "first" => Ok(Self::First),
            "longest" => Ok(Self::Longest),
            _ => match text.strip_prefix("field:") {
                Some(name) if !name.is_empty() => Ok(Self::Highest(name.into())),
                _ => Err(Error::usage(format!("cannot keep by {text:?}")).cure("say first, longest or field:NAME")),
            },
        }
    }
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
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

fn share(flag: &str, value: f64) -> Result<()> {
    if value > 0.0 && value <= 1.0 {
        return Ok(());
    }
    Err(Error::usage(format!("{flag} {value} is no share")).cure("give a number above 0 and at most 1, as in .8"))
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
        options.near.keep = Keep::Highest("score".into());
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
