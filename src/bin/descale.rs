//! The command: hands the arguments to [`descale::cli`], which the Python package's command does too.

use std::process::ExitCode;

/// The system's hoards what shuffles give back: where a budget is small, half as much again as they hold.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ExitCode::from(descale::cli::main(std::env::args_os()))
}
