//! The command: hands the arguments to [`descale::cli`], which the Python package's command does too.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(descale::cli::main(std::env::args_os()))
}
