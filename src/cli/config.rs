//! `--config`: options from a file, under the names of the flags.
//!
//! The file is TOML, or JSON as `summary.json` has it: all of that file, or the `options` in it, so that a run can be
//! repeated from its own summary. Options of the two ways may stand in tables `near` and `block`. What it says becomes
//! flags before those the user gave, which win; so a value is read and refused as on the command line, and nothing is
//! decided twice. Options of the other way are passed over, and so is `mode`: the command says it.

use super::args::Cli;
use anyhow::{Context as _, Result, anyhow, bail};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory as _};
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::path::Path;

/// Flags that make no sense in a file.
const NOT_IN_A_FILE: [&str; 3] = ["config", "help", "version"];

/// The arguments with what the file says in front of what the user said; `given` is what the user's mean.
///
/// # Errors
/// When the file cannot be read, or holds a name that is no flag.
pub(super) fn expand(arguments: &[OsString], file: &Path, command: &str, given: &ArgMatches) -> Result<Vec<OsString>> {
    let mut expanded = arguments[..2].to_vec();
    let (mut flags, mut inputs) = (Vec::new(), Vec::new());
    for (name, value) in read(file)? {
        match name.as_str() {
            "mode" => {}
            "inputs" if given.contains_id("inputs") => {}
            "inputs" => inputs = list(&name, &value)?,
            _ => flags.extend(flag(&name, &value, command, given).with_context(|| file.display().to_string())?),
        }
    }
    expanded.extend(flags.into_iter().map(OsString::from));
    expanded.extend_from_slice(&arguments[2..]);
    if !inputs.is_empty() {
        expanded.push("--".into());
        expanded.extend(inputs.into_iter().map(OsString::from));
    }
    Ok(expanded)
}

/// The options of a file by name, those of the two ways among them.
fn read(file: &Path) -> Result<Map<String, Value>> {
    let place = || file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|e| {
        crate::Error::usage(format!("cannot read the options: {e}"))
            .at(file)
            .cure("name a file of options with --config")
    })?;
    let json = text.trim_start().starts_with('{');
    let mut options: Map<String, Value> = match json {
        true => serde_json::from_str(&text).with_context(place)?,
        false => toml::from_str(&text).with_context(place)?,
    };
    if options.contains_key("summary_version")
        && let Some(Value::Object(inner)) = options.remove("options")
    {
        options = inner;
    }
    for way in ["near", "block"] {
        if let Some(inner) = options.remove(way) {
            let Value::Object(inner) = inner else { bail!("{}: {way:?} is no table of options", file.display()) };
            options.extend(inner);
        }
    }
    Ok(options)
}

/// What a name and its value are on the command line.
fn flag(name: &str, value: &Value, command: &str, given: &ArgMatches) -> Result<Vec<String>> {
    let Some(arg) = argument(command, name) else {
        // An option of the other way: it does nothing here.
        return if argument("clean", name).is_some() { Ok(Vec::new()) } else { Err(unknown(name)) };
    };
    if given.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine) {
        return Ok(Vec::new());
    }
    let switch = !arg.get_action().takes_values();
    Ok(match value {
        Value::Null | Value::Bool(false) if switch || value.is_null() => Vec::new(),
        Value::Bool(true) if switch => vec![format!("--{name}")],
        _ if switch => bail!("{name:?} is true or false"),
        Value::Array(_) => match (name, list(name, value)?) {
            ("fail-if", conditions) => conditions.into_iter().map(|one| format!("--{name}={one}")).collect(),
            ("protect", kinds) if kinds.is_empty() => vec!["--protect=none".into()],
            (_, values) if values.is_empty() => Vec::new(),
            (_, values) => vec![format!("--{name}={}", values.join(","))],
        },
        value => vec![format!("--{name}={}", one(name, value)?)],
    })
}

fn list(name: &str, value: &Value) -> Result<Vec<String>> {
    match value {
        Value::Array(values) => values.iter().map(|value| one(name, value)).collect(),
        value => Ok(vec![one(name, value)?]),
    }
}

fn one(name: &str, value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => bail!("{name:?} wants a text, a number, or a list of these"),
    }
}

/// A flag of a command.
fn argument(command: &str, name: &str) -> Option<Arg> {
    let known = |arg: &&Arg| arg.get_long() == Some(name) && !NOT_IN_A_FILE.contains(&name);
    Cli::command().find_subcommand(command)?.get_arguments().find(known).cloned()
}

fn unknown(name: &str) -> anyhow::Error {
    let command = Cli::command();
    let flags = command.find_subcommand("clean").into_iter().flat_map(clap::Command::get_arguments);
    let names = flags.filter_map(Arg::get_long).filter(|known| !NOT_IN_A_FILE.contains(known));
    let nearest = names.min_by_key(|known| strsim::damerau_levenshtein(known, name)).unwrap_or_default();
    anyhow!("there is no option {name:?}\n  help: the nearest is {nearest:?}; the names are those of the flags")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Mode, OnBadRecord, Options};
    use clap::FromArgMatches as _;

    fn options(line: &str, file: &str) -> Result<Options> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("descale.toml");
        std::fs::write(&path, file).unwrap();
        let line = line.replace("FILE", path.to_str().unwrap());
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let matches = Cli::command().try_get_matches_from(&arguments)?;
        let (name, given) = matches.subcommand().unwrap();
        let arguments = expand(&arguments, &path, name, given)?;
        let matches = Cli::command().try_get_matches_from(arguments)?;
        Ok(Cli::from_arg_matches(&matches)?.command.run().unwrap().0)
    }

    #[test]
    fn a_file_says_what_flags_say_and_flags_win() {
        let file = "inputs = ['a', 'b']\nout = 'o'\nthreshold = 0.7\nmemory = '64M'\nexact = true\noverwrite = false\n\
                    protect = ['code', 'quotes']\n[near]\nkeep = 'field:score'\n[block]\nmin-tokens = 9\n";
        let got = options("descale clean --config FILE --threshold 0.9", file).unwrap();
        let expected = options(
            "descale clean -o o --threshold 0.9 --memory 64M --exact --protect code,quotes --keep field:score \
             --min-tokens 9 --config FILE a b",
            "",
        );
        assert_eq!(got, expected.unwrap());
        assert_eq!(options("descale clean c --config FILE", file).unwrap().inputs, ["c"]);
        // The command says what is done; what it does not use is passed over.
        let dedup = options("descale dedup --config FILE", file).unwrap();
        assert_eq!((dedup.mode, dedup.near.threshold, dedup.block.min_tokens), (Mode::Dedup, 0.7, 8));
    }

    #[test]
    fn options_come_back_from_a_summary() {
        let mut first = Options { inputs: vec!["in".into()], out: Some("o".into()), ..Options::default() };
        (first.on_bad_record, first.near.contain, first.near.seed) = (OnBadRecord::Replace, Some(0.9), u64::MAX);
        first.block.protect.clear();
        let alone = serde_json::to_string(&first).unwrap();
        let summary = crate::engine::Summary { options: first.clone(), ..Default::default() };
        for file in [alone, serde_json::to_string_pretty(&summary).unwrap()] {
            assert_eq!(options("descale clean --config FILE", &file).unwrap(), first);
        }
    }

    #[test]
    fn what_is_no_option_is_named() {
        for (file, says) in [
            ("treshold = 0.7", "threshold"),
            ("text_field = 'a'", "text-field"),
            ("exact = 'yes'", "true or false"),
            ("threshold = 'high'", "invalid"),
            ("near = 3", "no table"),
            ("config = 'x'", "no option"),
            ("threshold = [[1]]", "wants a text"),
            ("a =", "a ="),
            ("{\"a\":", "EOF"),
        ] {
            let error = format!("{:#}", options("descale clean in --config FILE", file).unwrap_err());
            assert!(error.contains(says), "{file}: {error}");
        }
    }
}
