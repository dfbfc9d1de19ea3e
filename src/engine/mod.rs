//! The conductors: the only place where the core, the machinery, the borders and the threads meet.

pub mod options;
pub mod progress;
pub mod summary;

pub use options::{Mode, OnBadRecord, Options};
pub use progress::{Progress, Silent};
pub use summary::Summary;

use crate::error::{Error, Result};
use std::path::Path;

/// Does what `options` ask for and says what it did.
///
/// # Errors
/// Of every [`ErrorKind`](crate::ErrorKind); nothing half-written is left under a final name.
pub fn run(options: &Options, progress: &dyn Progress) -> Result<Summary> {
    options.check()?;
    progress.finish();
    Err(Error::usage(format!("{} is not built yet", options.mode)))
}

/// Why the documents called `ids` were dropped or changed in the run that wrote `dir`, for people to read; of two
/// documents, also how alike they are.
///
/// # Errors
/// When `dir` holds no results, or an id does not occur in them.
pub fn explain(dir: &Path, ids: &[String]) -> Result<String> {
    Err(Error::usage(format!("cannot explain {ids:?} yet")).at(dir))
}

/// Rebuilds under `out` the input of the run that wrote `dir`, byte for byte; returns how many records that were.
///
/// # Errors
/// When `dir` is incomplete or was changed, or `out` cannot be written.
pub fn restore(dir: &Path, out: &Path, progress: &dyn Progress) -> Result<u64> {
    progress.finish();
    Err(Error::usage(format!("cannot restore to {} yet", out.display())).at(dir))
}
