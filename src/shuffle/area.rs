//! Where spilled postings live: a private folder that goes away with its last user.
//!
//! Every job makes one [`SpillArea`] and shares it. File names are numbers handed out in order, so that no two
//! writers meet; how many bytes were ever written is counted, because spill is the promise the user pays for in
//! disk. The folder is removed when the area is dropped, also by an unwinding panic; what a killed process left
//! behind, the next one with the same parent clears away.

use crate::lease::{self, Lease};
use crate::{Error, Result};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const PREFIX: &str = "descale-spill-";

/// A private temporary folder for spilled postings, removed when dropped.
#[derive(Debug)]
pub struct SpillArea {
    /// Takes all that is in it along when dropped.
    _folder: Lease,
    runs: PathBuf,
    bytes_written: AtomicU64,
    files_made: AtomicU64,
}

impl SpillArea {
    /// Makes the folder inside `parent`, or in the system's temporary folder.
    ///
    /// # Errors
    /// A resource error with the path when the parent is missing or not writable.
    pub fn new(parent: Option<&Path>) -> Result<Self> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
        // A parent that cannot be read may still be written to.
        let _ = lease::clear(&parent, PREFIX, |_| Ok(()));
        let folder = Lease::new(&parent, PREFIX).map_err(|(path, e)| failed("make a temporary folder in", &path, e))?;
        let runs = folder.path().join("runs");
        std::fs::create_dir(&runs).map_err(|e| failed("create", &runs, e))?;
        Ok(Self { _folder: folder, runs, bytes_written: AtomicU64::new(0), files_made: AtomicU64::new(0) })
    }

    /// How many bytes were written here so far, those of removed files included.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    /// The folder of the spilled files.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.runs
    }

    /// Creates a file under a name of its own.
    pub(super) fn create(&self) -> Result<(File, PathBuf)> {
        let number = self.files_made.fetch_add(1, Ordering::Relaxed);
        let path = self.path().join(format!("{number:08}.run"));
        let file = File::create_new(&path).map_err(|e| failed("create", &path, e))?;
        Ok((file, path))
    }

    pub(super) fn count_written(&self, bytes: usize) {
        self.bytes_written.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// An I/O error of the spill area, with the cure where the disk is what stands in the way.
pub(super) fn failed(doing: &str, path: &Path, source: io::Error) -> Error {
    use io::ErrorKind as Kind;
    let cure = match source.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => "free some space, or name a larger disk with --temp-dir",
        Kind::NotFound | Kind::PermissionDenied | Kind::ReadOnlyFilesystem | Kind::NotADirectory => {
            "name an existing, writable folder with --temp-dir"
        }
        _ => return Error::io(doing, path, source),
    };
    Error::io(doing, path, source).cure(cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_goes_with_the_area() {
        let area = SpillArea::new(None).unwrap();
        let folder = area.path().to_path_buf();
        let (_file, path) = area.create().unwrap();
        assert!(path.starts_with(&folder) && path.exists());
        drop(area);
        assert!(!folder.exists());
    }

    #[test]
    fn a_missing_parent_is_named_with_its_cure() {
        let error = SpillArea::new(Some(Path::new("/no/such/folder"))).unwrap_err();
        assert!(error.to_string().contains("/no/such/folder"), "{error}");
        assert!(error.to_string().contains("--temp-dir"), "{error}");
    }

    #[test]
    fn a_full_disk_names_the_cure() {
        let error = failed("write", Path::new("x.run"), io::Error::from(io::ErrorKind::StorageFull));
        assert!(error.to_string().contains("larger disk with --temp-dir"), "{error}");
        assert_eq!(error.kind(), crate::ErrorKind::Resource);
    }
}
