//! Standard input, kept in a temporary file: the input is read more than once, and a pipe is read once.
//!
//! The copy takes as much room on disk as what comes, and is removed when the last file handle of the run goes. Its
//! format is named by the user, its compression is told by its first bytes (gzip and Zstandard say what they are).

use super::inputs::Format;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// What `-` among the inputs means.
#[derive(Clone, Copy, Debug, Default)]
pub struct StandardInput<'a> {
    /// What comes; without it `-` is refused.
    pub format: Option<Format>,
    /// Where the copy is kept: not in the output folder. The system's temporary folder where none is named.
    pub folder: Option<&'a Path>,
}

/// A copy of what came.
pub(super) struct Spooled {
    pub(super) path: PathBuf,
    /// The output name, as in `stdin.jsonl.gz`.
    pub(super) name: String,
    /// Removes the copy when the last owner goes.
    pub(super) folder: Arc<TempDir>,
}

/// Copies all that `from` gives.
///
/// # Errors
/// `Usage` where no format is named, `Resource` where the copy fails.
pub(super) fn spool(mut from: impl Read, standard: &StandardInput<'_>) -> Result<Spooled> {
    let Some(format) = standard.format else {
        let cure = "name it with --format jsonl, text, parquet or warc";
        return Err(Error::usage("the format of standard input is not known").cure(cure));
    };
    let parent = standard.folder.map_or_else(std::env::temp_dir, Path::to_path_buf);
    let folder = tempfile::Builder::new().prefix(".descale-stdin-").tempdir_in(&parent);
    let folder = folder.map_err(|e| Error::io("create a folder in", &parent, e))?;
    let raw = folder.path().join("stdin");
    let failed = |e| Error::io("copy standard input to", &raw, e);
    let mut file = File::create_new(&raw).map_err(failed)?;
    io::copy(&mut from, &mut file).map_err(failed)?;
    let name = name(format, &raw).map_err(failed)?;
    let path = folder.path().join(&name);
    std::fs::rename(&raw, &path).map_err(failed)?;
    Ok(Spooled { path, name, folder: Arc::new(folder) })
}

fn name(format: Format, path: &Path) -> io::Result<String> {
    let mut magic = Vec::new();
    let mut file = File::open(path)?;
    file.rewind()?;
    file.take(4).read_to_end(&mut magic)?;
    let plain = format!("stdin.{}", format.extension());
    let packed = match magic.as_slice() {
        [0x1F, 0x8B, ..] => format!("{plain}.gz"),
        [0x28, 0xB5, 0x2F, 0xFD] => format!("{plain}.zst"),
        _ => return Ok(plain),
    };
    Ok(if Format::of(&packed).is_some() { packed } else { plain })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_kept_while_it_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let zstd = zstd::encode_all(&b"{}"[..], 3).unwrap();
        for (format, bytes, name) in [
            (Format::JsonLines, &b"{}\n"[..], "stdin.jsonl"),
            (Format::JsonLines, b"\x1f\x8b\x08", "stdin.jsonl.gz"),
            (Format::Text, &zstd, "stdin.txt.zst"),
            (Format::Parquet, b"PAR1", "stdin.parquet"),
            (Format::Warc, &zstd, "stdin.warc"),
            (Format::Text, b"", "stdin.txt"),
        ] {
            let standard = StandardInput { format: Some(format), folder: Some(folder.path()) };
            let spooled = spool(bytes, &standard).unwrap();
            assert_eq!((spooled.name.as_str(), std::fs::read(&spooled.path).unwrap().as_slice()), (name, bytes));
            drop(spooled);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_format_must_be_named() {
        let error = spool(&b""[..], &StandardInput::default()).err().unwrap().to_string();
        assert!(error.contains("--format jsonl"), "{error}");
    }
}
