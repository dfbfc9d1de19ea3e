//! What the command line may say, and how it becomes the library's options.
//!
//! Every default shown in the help comes from [`Options::default`]; nothing is decided twice. Checks that need more
//! than one option are the library's ([`Options::check`]).

use super::fail_if::Condition;
use crate::block::{KeepCopies, Options as BlockOptions, Protect};
use crate::engine::{Mode, OnBadRecord, Options};
use crate::io::Format;
use crate::near::{Keep, Options as NearOptions, Unit};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  descale clean corpus/ --out cleaned            near-duplicates go, then repeated blocks
  descale scan 'dump/*.jsonl.zst' --json         change nothing, say what would go
  descale dedup a.jsonl b.jsonl --out unique --threshold 0.7 --keep longest
  descale strip pages.jsonl --out stripped --keep-copies first
  descale explain cleaned doc-17                 why was it dropped or changed?
  descale restore cleaned --to corpus-again      the input, byte for byte

Exit codes: 0 done, 1 a --fail-if condition held, 2 wrong usage or bad input,
3 the machine failed (disk, memory, network), 130 and 143 stopped by SIGINT and SIGTERM.
Results go to standard output, progress and messages to standard error, in colours
when that is a terminal and NO_COLOR is not set.";

const CLEAN_EXAMPLES: &str = "\
Examples:
  descale clean corpus/ --out cleaned
  descale clean corpus/ --out cleaned --memory 8G --threads 4 --text-field body
  descale clean corpus/ --dry-run --fail-if 'duplicate_share > 5%'
  descale clean s3://bucket/crawl/ --out s3://bucket/clean/
  zcat pages.gz | descale clean - --format jsonl --out - | jq .url
  descale clean --config cleaned/summary.json --out cleaned-again";

const DEDUP_EXAMPLES: &str = "\
Examples:
  descale dedup corpus/ --out unique
  descale dedup corpus/ --out unique --threshold 0.7 --keep field:score
  descale dedup corpus/ --out unique --contain 0.9";

const STRIP_EXAMPLES: &str = "\
Examples:
  descale strip corpus/ --out stripped
  descale strip corpus/ --out stripped --min-tokens 30 --min-copies 3
  descale strip corpus/ --out stripped --exact --min-tokens 50";

const SCAN_EXAMPLES: &str = "\
Examples:
  descale scan corpus/
  descale scan corpus/ --out scanned             keep the plan, blocks and clusters
  descale scan corpus/ --json --fail-if 'dropped>0'";

/// Finds near-duplicate documents and repeated blocks of text in big corpora, and strips them.
#[derive(Debug, Parser)]
#[command(name = "descale", version, after_help = EXAMPLES, max_term_width = 110)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Drop near-duplicate documents, then strip repeated blocks from the rest
    #[command(after_help = CLEAN_EXAMPLES)]
    Clean(Both),
    /// Drop near-duplicate documents only
    #[command(after_help = DEDUP_EXAMPLES)]
    Dedup(Dedup),
    /// Strip repeated blocks only
    #[command(after_help = STRIP_EXAMPLES)]
    Strip(Strip),
    /// Change nothing: say what would go, and why
    #[command(after_help = SCAN_EXAMPLES)]
    Scan(Both),
    /// Say why documents were dropped or changed, and how alike two of them are
    Explain(Explain),
    /// Rebuild the input from a result folder, byte for byte
    Restore(Restore),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the JSON Schema of an output; without a name, the names
    Schema {
        /// plan, blocks, clusters, removed, summary or options
        #[arg(value_parser = PossibleValuesParser::new(crate::report::schema::SCHEMAS.map(|(name, _)| name)))]
        name: Option<String>,
    },
    /// Print a manual page
    Man {
        /// The command the page is about; without it, descale itself
        command: Option<String>,
    },
}

#[derive(Args, Debug)]
pub(super) struct Both {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    near: Near,
    #[command(flatten)]
    block: Block,
}

#[derive(Args, Debug)]
pub(super) struct Dedup {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    near: Near,
}

#[derive(Args, Debug)]
pub(super) struct Strip {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    block: Block,
}

#[derive(Args, Debug)]
pub(super) struct Explain {
    /// The folder a run wrote with --out, or its URL
    pub(super) dir: PathBuf,
    /// One document, or two to compare
    #[arg(required = true, num_args = 1..=2, value_name = "ID")]
    pub(super) ids: Vec<String>,
}

#[derive(Args, Debug)]
pub(super) struct Restore {
    /// The folder a run wrote with --out, or its URL
    pub(super) dir: PathBuf,
    /// The folder for the rebuilt input, or its URL; must not exist yet
    #[arg(long, value_name = "DIR")]
    pub(super) to: PathBuf,
    /// Show no progress
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Args, Debug)]
pub(super) struct Common {
    /// Files, folders, globs or URLs (s3, gs, az, http): .jsonl, .txt and .md, plain, .gz or .zst; .parquet; .warc and .wet,
    /// also .gz; - is standard input
    #[arg(required_unless_present = "config", value_name = "IN")]
    inputs: Vec<String>,
    /// What standard input holds, and files named one by one or by a glob whose names do not say it
    #[arg(long, value_name = "FORMAT", value_parser = format(), help_heading = "Records")]
    format: Option<Format>,

    /// Options from a file, TOML or a summary.json, under the names of the flags; flags given here win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The folder for the results, or the URL of a place in an object store; - writes the records to standard output,
    /// decompressed, and nothing else
    #[arg(long, short, value_name = "DIR", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Replace a result folder that is already there
    #[arg(long, help_heading = "Output")]
    overwrite: bool,
    /// Go on where a run into the same folder was broken off
    #[arg(long, help_heading = "Output")]
    resume: bool,
    /// Decide everything, write nothing
    #[arg(long, help_heading = "Output")]
    dry_run: bool,
    /// Print the summary as JSON to standard output
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
    /// Exit with 1 when this holds, as in 'dropped>0' or 'removed_share>=10% and mb_per_cpu_second<50'; any number in the
    /// summary counts; may be given more than once
    #[arg(long, value_name = "CONDITION", help_heading = "Output")]
    pub(super) fail_if: Vec<Condition>,
    /// Show no progress and no summary
    #[arg(long, short, help_heading = "Output")]
    pub(super) quiet: bool,
    /// Say more in the summary: how the sketch is banded, and how the figures are spread
    #[arg(long, short, conflicts_with = "quiet", help_heading = "Output")]
    pub(super) verbose: bool,

    /// The field that holds the text
    #[arg(long, value_name = "NAME", default_value_t = defaults().text_field, help_heading = "Records")]
    text_field: String,
    /// The field that names a record; a record without it is called FILE:ROW
    #[arg(long, value_name = "NAME", default_value_t = defaults().id_field, help_heading = "Records")]
    id_field: String,
    /// The field that says which site a record is from: of a URL the host counts; '' for no sites. Archives have the
    /// host of their target URI, text files their folder. Blocks are judged by how they lie on sites
    #[arg(long, value_name = "NAME", default_value_t = defaults().site_field.unwrap_or_default(), help_heading = "Records")]
    site_field: String,
    /// What to do with a record that cannot be read: stop, or leave it as it is and count it; replace reads broken UTF-8
    /// all the same, as U+FFFD, and leaves all else that is broken
    #[arg(long, value_name = "ACTION", value_parser = on_bad_record(), default_value_t = defaults().on_bad_record, help_heading = "Records")]
    on_bad_record: OnBadRecord,
    /// The longest record that is read, as in 256M; a longer one stops the run
    #[arg(long, value_name = "SIZE", value_parser = crate::engine::options::parse_size, default_value = size(defaults().max_record_bytes), help_heading = "Records")]
    max_record: u64,
    /// How many times its size a file may be when decompressed, looked at after 64 MiB: a bomb is more
    #[arg(long, value_name = "N", default_value_t = defaults().max_expansion, help_heading = "Records")]
    max_expansion: u32,

    /// Worker threads [default: one per core]
    #[arg(long, short = 'j', value_name = "N", help_heading = "Machine")]
    threads: Option<usize>,
    /// Memory to stay within, as in 512M or 64GiB [default: a quarter of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = crate::engine::options::parse_size, help_heading = "Machine")]
    memory: Option<u64>,
    /// Where to spill what does not fit into memory [default: the output folder]
    #[arg(long, value_name = "DIR", help_heading = "Machine")]
    temp_dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Near-duplicates")]
struct Near {
    /// Jaccard similarity of the shingles from which on two documents are near-duplicates
    #[arg(long, value_name = "SHARE", default_value_t = defaults().near.threshold)]
    threshold: f64,
    /// Share of the pairs at the threshold that must be found
    #[arg(long, value_name = "SHARE", default_value_t = defaults().near.recall)]
    recall: f64,
    /// What a shingle is made of: words, or letters for text from character recognition
    #[arg(long, value_name = "UNIT", value_parser = unit(), default_value_t = defaults().near.shingle_unit)]
    shingle_unit: Unit,
    /// Tokens in a shingle
    #[arg(long, value_name = "N", default_value_t = defaults().near.shingle_tokens)]
    shingle_tokens: usize,
    /// Seed of the sketches
    #[arg(long, value_name = "N", default_value_t = defaults().near.seed)]
    seed: u64,
    /// Which document of a cluster stays: first, longest, or field:NAME for the highest number in a field
    #[arg(long, value_name = "RULE", default_value_t = defaults().near.keep)]
    keep: Keep,
    /// Input files or folders whose documents stay rather than others', the most trusted first; --keep decides within one
    #[arg(long, value_name = "SOURCE", value_delimiter = ',')]
    prefer: Vec<String>,
    /// Also drop a document when this share of its shingles lies in a larger one
    #[arg(long, value_name = "SHARE")]
    contain: Option<f64>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Blocks")]
struct Block {
    /// Blocks you decided about: a blocks.jsonl in which you set decision to strip or keep
    #[arg(long, value_name = "FILE")]
    reviewed: Option<PathBuf>,
    /// Take out every repeated passage, boilerplate or not, and keep its first copy
    #[arg(long)]
    exact: bool,
    /// Fewest tokens of a block
    #[arg(long, value_name = "N", default_value_t = defaults().block.min_tokens)]
    min_tokens: u32,
    /// Fewest copies of a block that goes, within and across documents
    #[arg(long, value_name = "N", default_value_t = defaults().block.min_copies)]
    min_copies: u32,
    /// Fewest documents that carry a block that goes
    #[arg(long, value_name = "N", default_value_t = defaults().block.min_documents)]
    min_documents: u32,
    /// Which copies of a block that goes stay: auto keeps none, with --exact the first
    #[arg(long, value_name = "RULE", value_parser = keep_copies(), default_value_t = defaults().block.keep_copies)]
    keep_copies: KeepCopies,
    /// What stays although it repeats: quotes, code, relatives, refrains; none protects nothing
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = protect(), default_value = "quotes,code,relatives,refrains")]
    protect: Vec<Option<Protect>>,
    /// Tokens in a gram, the unit whose copies are counted
    #[arg(long, value_name = "N", default_value_t = defaults().block.gram_tokens)]
    gram_tokens: usize,
    /// Grams in a window: every repeat of gram-tokens + window - 1 tokens is found
    #[arg(long, value_name = "N", default_value_t = defaults().block.window)]
    window: usize,
}

impl Command {
    /// The run this asks for; `None` for the commands that do not read a corpus.
    pub(super) fn run(&self) -> Option<(Options, &Common)> {
        let (mode, common, near, block) = match self {
            Self::Clean(args) => (Mode::Clean, &args.common, Some(&args.near), Some(&args.block)),
            Self::Dedup(args) => (Mode::Dedup, &args.common, Some(&args.near), None),
            Self::Strip(args) => (Mode::Strip, &args.common, None, Some(&args.block)),
            Self::Scan(args) => (Mode::Scan, &args.common, Some(&args.near), Some(&args.block)),
            _ => return None,
        };
        let reviewed = block.and_then(|block| block.reviewed.clone());
        let near = near.map(Near::options).unwrap_or_default();
        let block = block.map(Block::options).unwrap_or_default();
        Some((Options { mode, near, block, reviewed, ..common.options() }, common))
    }
}

impl Common {
    fn options(&self) -> Options {
        let default = defaults();
        Options {
            inputs: self.inputs.clone(),
            format: self.format,
            out: self.out.clone(),
            text_field: self.text_field.clone(),
            id_field: self.id_field.clone(),
            site_field: Some(self.site_field.clone()),
            threads: self.threads.unwrap_or(default.threads),
            memory_bytes: self.memory.unwrap_or(default.memory_bytes),
            temp_dir: self.temp_dir.clone(),
            on_bad_record: self.on_bad_record,
            max_record_bytes: self.max_record,
            max_expansion: self.max_expansion,
            overwrite: self.overwrite,
            resume: self.resume,
            dry_run: self.dry_run,
            ..default
        }
    }
}

impl Near {
    fn options(&self) -> NearOptions {
        NearOptions {
            threshold: self.threshold,
            recall: self.recall,
            shingle_unit: self.shingle_unit,
            shingle_tokens: self.shingle_tokens,
            seed: self.seed,
            keep: self.keep.clone(),
            prefer: self.prefer.clone(),
            contain: self.contain,
        }
    }
}

impl Block {
    fn options(&self) -> BlockOptions {
        BlockOptions {
            exact: self.exact,
            min_tokens: self.min_tokens,
            min_copies: self.min_copies,
            min_documents: self.min_documents,
            keep_copies: self.keep_copies,
            protect: self.protect.iter().copied().flatten().collect(),
            gram_tokens: self.gram_tokens,
            window: self.window,
        }
    }
}

fn defaults() -> Options {
    Options::default()
}

/// A number of bytes in the largest unit that takes it whole, as in `256M`.
fn size(bytes: u64) -> String {
    let unit = [(30, "G"), (20, "M"), (10, "K")].into_iter().find(|(shift, _)| bytes.trailing_zeros() >= *shift);
    unit.map_or_else(|| bytes.to_string(), |(shift, unit)| format!("{}{unit}", bytes >> shift))
}

fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::NAMES).map(|name| Format::named(&name).expect("the parser takes no other names"))
}

fn on_bad_record() -> impl TypedValueParser<Value = OnBadRecord> {
    PossibleValuesParser::new(["stop", "skip", "replace"]).map(|name| match name.as_str() {
        "skip" => OnBadRecord::Skip,
        "replace" => OnBadRecord::Replace,
        _ => OnBadRecord::Stop,
    })
}

fn keep_copies() -> impl TypedValueParser<Value = KeepCopies> {
    PossibleValuesParser::new(["auto", "none", "first"]).map(|name| match name.as_str() {
        "none" => KeepCopies::None,
        "first" => KeepCopies::First,
        _ => KeepCopies::Auto,
    })
}

fn unit() -> impl TypedValueParser<Value = Unit> {
    PossibleValuesParser::new(["words", "letters"]).map(|name| match name.as_str() {
        "letters" => Unit::Letters,
        _ => Unit::Words,
    })
}

fn protect() -> impl TypedValueParser<Value = Option<Protect>> {
    PossibleValuesParser::new(["quotes", "code", "relatives", "refrains", "none"]).map(|name| match name.as_str() {
        "quotes" => Some(Protect::Quotes),
        "code" => Some(Protect::Code),
        "relatives" => Some(Protect::Relatives),
        "refrains" => Some(Protect::Refrains),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn options(line: &str) -> Options {
        Cli::try_parse_from(line.split(' ')).unwrap().command.run().unwrap().0
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_flags_the_library_decides() {
        let expected = Options { inputs: vec!["in".into()], out: Some("o".into()), ..Options::default() };
        assert_eq!(options("descale clean in --out o"), expected);
    }

    #[test]
    fn every_flag_reaches_the_library() {
        let line = "descale clean a b -o o --text-field t --id-field i --site-field s -j 3 --memory 64M --temp-dir d \
                    --on-bad-record skip --format warc --max-record 1M --max-expansion 9 --overwrite --resume --dry-run --threshold 0.7 --recall 0.9 --shingle-unit letters --shingle-tokens 3 --seed 7 \
                    --keep field:score --prefer a,b/c --contain 0.9 --exact --min-tokens 9 --min-copies 4 --min-documents 2 \
                    --keep-copies first --protect code,quotes --gram-tokens 6 --window 9 --reviewed r";
        let got = serde_json::to_value(options(&line.split_whitespace().collect::<Vec<_>>().join(" "))).unwrap();
        let expected = serde_json::json!({
            "mode": "clean", "inputs": ["a", "b"], "format": "warc", "out": "o", "max-record": 1 << 20, "max-expansion": 9, "text-field": "t", "id-field": "i", "site-field": "s",
            "threads": 3, "memory": 64 << 20, "temp-dir": "d", "on-bad-record": "skip", "overwrite": true,
            "resume": true, "dry-run": true, "reviewed": "r",
            "near": {"threshold": 0.7, "recall": 0.9, "shingle-unit": "letters", "shingle-tokens": 3, "seed": 7, "keep": "field:score", "prefer": ["a", "b/c"], "contain": 0.9},
            "block": {"exact": true, "min-tokens": 9, "min-copies": 4, "min-documents": 2, "keep-copies": "first",
                      "protect": ["code", "quotes"], "gram-tokens": 6, "window": 9},
        });
        assert_eq!(got, expected);
    }

    #[test]
    fn every_option_of_the_library_is_a_flag() {
        let flags: Vec<String> = Cli::command()
            .find_subcommand("clean")
            .unwrap()
            .get_arguments()
            .filter_map(|argument| argument.get_long().map(String::from))
            .collect();
        let serde_json::Value::Object(mut all) = serde_json::to_value(Options::default()).unwrap() else { panic!() };
        for way in ["near", "block"] {
            let inner = all.remove(way).unwrap();
            all.extend(inner.as_object().unwrap().clone());
        }
        for name in all.keys().filter(|name| *name != "mode" && *name != "inputs") {
            assert!(flags.contains(name), "--{name}");
        }
    }
}
