//! The command: reads the arguments, calls the library, shows what came of it.
//!
//! Exit codes: 0 done, 1 a `--fail-if` condition held, 2 wrong usage or bad input, 3 the machine failed, 130 or 143 stopped
//! by SIGINT or SIGTERM. A reader that closes the pipe early, as `head` does, is no failure.

mod args;
mod config;
mod fail_if;
mod show;
mod stop;

use crate::ErrorKind;
use crate::engine::{self, Options, Progress as _, Summary};
use anyhow::{Context as _, Result, anyhow};
use args::{Cli, Command, Common};
use clap::{CommandFactory as _, FromArgMatches as _, Parser as _};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;

const DONE: u8 = 0;
const CONDITION_HELD: u8 = 1;
const WRONG_INPUT: u8 = 2;
const MACHINE_FAILED: u8 = 3;

/// Does what the arguments ask for, the first of them being the command's own name, and gives the exit code.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match understand(&arguments).and_then(|cli| obey(&cli.command)) {
        Ok(code) => code,
        Err(error) => match error.downcast_ref::<clap::Error>() {
            Some(error) => {
                // Help and usage that nobody reads any more are nobody's loss.
                let _ = error.print();
                u8::try_from(error.exit_code()).unwrap_or(WRONG_INPUT)
            }
            None => blame(&error),
        },
    }
}

/// The arguments, with what a `--config` file adds to them.
fn understand(arguments: &[OsString]) -> Result<Cli> {
    let matches = Cli::command().try_get_matches_from(arguments)?;
    let (command, given) = matches.subcommand().context("a command is required")?;
    let Some(file) = given.try_get_one::<PathBuf>("config").ok().flatten() else {
        return Ok(Cli::from_arg_matches(&matches)?);
    };
    let expanded = config::expand(arguments, file, command, given)?;
    // What the user typed was understood before: it is the file that is wrong.
    Cli::try_parse_from(expanded).map_err(|error| {
        let message = error.to_string();
        anyhow!("{}: {}", file.display(), message.trim_start_matches("error: ").trim_end())
    })
}

fn obey(command: &Command) -> Result<u8> {
    if let Some((options, common)) = command.run() {
        return run(&options, common);
    }
    match command {
        Command::Explain(args) => print(engine::explain(&args.dir, &args.ids, show::columns())?.as_bytes())?,
        Command::Restore(args) => restore(args)?,
        Command::Completions { shell } => completions(*shell)?,
        Command::Man { command } => manual(command.as_deref())?,
        Command::Schema { name } => print(schema(name.as_deref()).as_bytes())?,
        Command::Clean(_) | Command::Dedup(_) | Command::Strip(_) | Command::Scan(_) => {}
    }
    Ok(DONE)
}

fn run(options: &Options, common: &Common) -> Result<u8> {
    if options.streams() && common.json {
        return Err(anyhow!("--json and --out - both want standard output\n  help: name a folder with --out"));
    }
    let stop = stop::Stop::listen();
    let bar = show::Bar::new(common.quiet, stop.clone());
    let result = engine::run(options, &bar);
    bar.finish();
    let summary = match (result, stop.code()) {
        (Err(error), Some(code)) if error.kind() == ErrorKind::Interrupted => {
            show::note("stopped", &error);
            return Ok(code);
        }
        // As `head` does when it has seen enough.
        (Err(error), None) if options.streams() && is_broken_pipe(&error) => return Ok(DONE),
        (result, _) => result?,
    };
    if common.json {
        let mut json = serde_json::to_vec_pretty(&summary)?;
        json.push(b'\n');
        print(&json)?;
    } else if !common.quiet {
        show::text(&show::story(&summary, show::Screen::stderr(), common.verbose));
    }
    Ok(gate(&summary, common))
}

fn is_broken_pipe(error: &crate::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    source.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Looks at the conditions; every one that holds is named.
fn gate(summary: &Summary, common: &Common) -> u8 {
    let mut code = DONE;
    for condition in &common.fail_if {
        if let Some(reason) = condition.verdict(summary) {
            show::note("failed", &reason);
            code = CONDITION_HELD;
        }
    }
    code
}

fn restore(args: &args::Restore) -> Result<()> {
    let bar = show::Bar::new(args.quiet, stop::Stop::default());
    let result = engine::restore(&args.dir, &args.to, &bar);
    bar.finish();
    let files = result?;
    if !args.quiet {
        show::text(&format!("{} restored to {}\n", show::many(files, "file"), args.to.display()));
    }
    Ok(())
}

fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "descale", &mut script);
    print(&script)
}

/// One schema, or the names of all.
fn schema(name: Option<&str>) -> String {
    let schemas = crate::report::schema::SCHEMAS.iter();
    match name {
        Some(name) => schemas.filter(|(known, _)| *known == name).map(|(_, text)| *text).collect(),
        None => schemas.map(|(name, _)| format!("{name}\n")).collect(),
    }
}

fn manual(name: Option<&str>) -> Result<()> {
    let mut command = Cli::command();
    command.build();
    if let Some(name) = name {
        let known = command.find_subcommand(name).cloned();
        command = known.ok_or_else(|| anyhow!("there is no command {name:?}\n  help: descale --help lists them"))?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    print(&page)
}

fn print(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Shows the error and picks the exit code.
fn blame(error: &anyhow::Error) -> u8 {
    let io_kind = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let kind = error.downcast_ref::<crate::Error>().map(crate::Error::kind);
    if kind.is_none() && io_kind == Some(io::ErrorKind::BrokenPipe) {
        return DONE;
    }
    show::note("error", &format!("{error:#}"));
    match (kind, io_kind) {
        (Some(ErrorKind::Usage | ErrorKind::Input), _) | (None, None) => WRONG_INPUT,
        _ => MACHINE_FAILED,
    }
}
