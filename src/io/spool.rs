//! Copies of inputs that cannot be read again: the input is read several times, a pipe is read once, and a store far
//! away is paid for by the byte.
//!
//! A copy takes as much room on disk as what comes, beside what the run spills, and goes with the last owner of its
//! folder; what a killed process left, the next run clears away. The format of standard input is named by the user, its
//! compression is told by its first bytes (gzip and Zstandard say what they are).

use super::compress::Compression;
use super::inputs::Format;
use crate::error::{Error, Result};
use crate::lease::{self, Lease};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const PREFIX: &str = ".descale-copy-";
/// Bytes asked of the pipe at once.
const BUFFER_BYTES: usize = 128 << 10;

/// What is assumed of inputs whose names do not say it, and where copies are kept.
#[derive(Clone, Copy, Default)]
pub struct Nameless<'a> {
    /// What `-` holds, and a file that was named, or matched by a glob, and has no known extension. Without it both are
    /// refused.
    pub format: Option<Format>,
    /// Where copies are kept: not in the output folder. The system's temporary folder where none is named.
    pub folder: Option<&'a Path>,
    /// Told how many bytes were copied since it was told last; an error ends the copying.
    pub watch: Option<&'a dyn Fn(u64) -> Result<()>>,
}

impl Nameless<'_> {
    pub(super) fn copied(&self, bytes: usize) -> Result<()> {
        self.watch.map_or(Ok(()), |watch| watch(bytes as u64))
    }
}

/// A folder for copies.
pub(super) fn folder(nameless: &Nameless<'_>) -> Result<Arc<Lease>> {
    let parent = nameless.folder.map_or_else(std::env::temp_dir, Path::to_path_buf);
    // A parent that cannot be read may still be written to.
    let _ = lease::clear(&parent, PREFIX, |_| Ok(()));
    Lease::new(&parent, PREFIX).map(Arc::new).map_err(|(path, e)| Error::io("create a folder in", path, e))
}

/// Standard input as a file.
pub(super) struct Spooled {
    pub(super) path: PathBuf,
    /// The output name, as in `stdin.jsonl.gz`.
    pub(super) name: String,
}

/// Copies all that `from` gives into the folder.
///
/// # Errors
/// `Usage` where no format is named, `Resource` where the copy fails.
pub(super) fn spool(mut from: impl Read, nameless: &Nameless<'_>, folder: &Lease) -> Result<Spooled> {
    let Some(format) = nameless.format else {
        let cure = "name it with --format jsonl, text, parquet or warc";
        return Err(Error::usage("the format of standard input is not known").cure(cure));
    };
    let raw = folder.path().join("stdin");
    let failed = |e| Error::io("copy standard input to", &raw, e);
    let mut file = File::create_new(&raw).map_err(failed)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                file.write_all(&buffer[..read]).map_err(failed)?;
                nameless.copied(read)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => nameless.copied(0)?,
            Err(error) => return Err(failed(error)),
        }
    }
    let plain = format!("stdin.{}", format.extension());
    let packed = match compression(&raw)? {
        Compression::None => plain.clone(),
        Compression::Gzip => format!("{plain}.gz"),
        Compression::Zstd => format!("{plain}.zst"),
    };
    let name = if Format::of(&packed).is_some() { packed } else { plain };
    let path = folder.path().join(&name);
    std::fs::rename(&raw, &path).map_err(failed)?;
    Ok(Spooled { path, name })
}

/// What the first bytes of a file say of its compression.
pub(super) fn compression(path: &Path) -> Result<Compression> {
    let mut magic = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4).read_to_end(&mut magic));
    read.map_err(|e| Error::io("read", path, e))?;
    Ok(match magic.as_slice() {
        [0x1F, 0x8B, ..] => Compression::Gzip,
        [0x28, 0xB5, 0x2F, 0xFD] => Compression::Zstd,
        _ => Compression::None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_kept_while_it_is_needed() {
        let parent = tempfile::tempdir().unwrap();
        let nameless = Nameless { folder: Some(parent.path()), ..Nameless::default() };
        let zstd = zstd::encode_all(&b"{}"[..], 3).unwrap();
        for (format, bytes, name) in [
            (Format::JsonLines, &b"{}\n"[..], "stdin.jsonl"),
            (Format::JsonLines, b"\x1f\x8b\x08", "stdin.jsonl.gz"),
            (Format::Text, &zstd, "stdin.txt.zst"),
            (Format::Parquet, b"PAR1", "stdin.parquet"),
            (Format::Warc, &zstd, "stdin.warc"),
            (Format::Text, b"", "stdin.txt"),
        ] {
            let folder = folder(&nameless).unwrap();
            let spooled = spool(bytes, &Nameless { format: Some(format), ..nameless }, &folder).unwrap();
            assert_eq!((spooled.name.as_str(), std::fs::read(&spooled.path).unwrap().as_slice()), (name, bytes));
            drop(folder);
            assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_format_must_be_named() {
        let folder = folder(&Nameless::default()).unwrap();
        let error = spool(&b""[..], &Nameless::default(), &folder).err().unwrap().to_string();
        assert!(error.contains("--format jsonl"), "{error}");
    }
}
