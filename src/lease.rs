//! Whose folder is this? A folder that lives as long as its process, however that ends.
//!
//! A run keeps what is not finished in a folder of its own: spill, output under a partial name. When the run ends or
//! unwinds the folder goes; a killed process leaves it behind. So that the next run can tell the dead's folder from one in
//! use, the folder holds a file locked by its owner, and the system lets go of a lock when the process ends. The lock
//! is taken before the file gets its name: a file of that name nobody holds has no owner. A folder without one was begun
//! by a process that was killed, or is being begun: it is cleared too, and who is beginning it makes another.
//!
//! A folder can also be left on purpose, for a run that goes on with what is in it.

use crate::error::{Error, Result};
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The lock's name.
const LOCK: &str = ".lock";
/// Its name before it is locked.
const UNLOCKED: &str = ".unlocked";
/// How often another process may clear a folder that is being begun: once for each run that starts in that moment.
const ATTEMPTS: usize = 16;

/// A folder of this process, removed with all it holds when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    folder: TempDir,
    lock: File,
    /// Whether the folder stays when this is dropped, as a dead process's.
    left: bool,
}

impl Lease {
    /// Makes a folder in `parent`, its name begun by `prefix`.
    ///
    /// # Errors
    /// What the system says, with the path.
    pub(crate) fn new(parent: &Path, prefix: &str) -> Result<Self, (PathBuf, io::Error)> {
        for _ in 0..ATTEMPTS {
            match Self::begin(parent, prefix) {
                Err((_, e)) if e.kind() == io::ErrorKind::NotFound && parent.is_dir() => {}
                result => return result,
            }
        }
        Self::begin(parent, prefix)
    }

    /// One attempt; another process that starts may take the folder for a dead one's before it is locked.
    fn begin(parent: &Path, prefix: &str) -> Result<Self, (PathBuf, io::Error)> {
        let at = |path: &Path| {
            let path = path.to_path_buf();
            move |error| (path, error)
        };
        let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(parent).map_err(at(parent))?;
        let unlocked = folder.path().join(UNLOCKED);
        let lock = File::create_new(&unlocked).map_err(at(&unlocked))?;
        lock.lock().map_err(at(&unlocked))?;
        fs::rename(&unlocked, folder.path().join(LOCK)).map_err(at(&unlocked))?;
        Ok(Self { folder, lock, left: false })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the folder behind, as a killed process does: for a run that goes on where this one ended.
    pub(crate) fn leave(&mut self) {
        self.folder.disable_cleanup(true);
        self.left = true;
    }

    /// Whether a name in the folder is the lease's own.
    pub(crate) fn owns(name: &std::ffi::OsStr) -> bool {
        name == LOCK || name == UNLOCKED
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Windows does not remove a locked file.
        let _ = self.lock.unlock();
        if self.left {
            return;
        }
        let _ = fs::remove_dir_all(self.folder.path());
    }
}

/// What stands at a path, links followed; none where nothing does. A question that the system cannot answer is no "no".
///
/// # Errors
/// `Resource` where the system does not say.
pub(crate) fn stands_at(path: &Path) -> Result<Option<Metadata>> {
    answer(path, path.metadata())
}

/// Whether a name is taken, by a link too.
///
/// # Errors
/// `Resource` where the system does not say.
pub(crate) fn is_taken(path: &Path) -> Result<bool> {
    Ok(answer(path, path.symlink_metadata())?.is_some())
}

fn answer(path: &Path, found: io::Result<Metadata>) -> Result<Option<Metadata>> {
    use io::ErrorKind as Kind;
    match found {
        Ok(meta) => Ok(Some(meta)),
        // No file can have such a name, so none has it.
        Err(e)
            if matches!(
                e.kind(),
                Kind::NotFound | Kind::NotADirectory | Kind::InvalidInput | Kind::InvalidFilename
            ) =>
        {
            Ok(None)
        }
        Err(e) => Err(Error::io("read", path, e)),
    }
}

/// Takes over what dead processes left in `parent` under names begun by `prefix`: `settle` sees each such folder, which
/// is then removed. Folders that cannot be locked or removed (another user's) are left alone.
///
/// # Errors
/// When `parent` cannot be read; what `settle` returns.
pub(crate) fn clear(parent: &Path, prefix: &str, settle: impl Fn(&Path) -> Result<()>) -> Result<()> {
    let entries = fs::read_dir(parent).map_err(|e| Error::io("read the folder", parent, e))?;
    for entry in entries {
        let entry = entry.map_err(|e| Error::io("read the folder", parent, e))?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_folder || !entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
            continue;
        }
        let folder = entry.path();
        // Held until the folder is gone: two runs that start together must not settle it twice.
        let Ok(lock) = File::open(folder.join(LOCK)) else {
            clear_unlocked(&folder);
            continue;
        };
        if lock.try_lock().is_ok() && folder.join(LOCK).exists() {
            settle(&folder)?;
            let _ = fs::remove_dir_all(&folder);
        }
    }
    Ok(())
}

/// Removes a folder that no process has locked: begun and left, or left while it was being removed.
fn clear_unlocked(folder: &Path) {
    let unlocked = folder.join(UNLOCKED);
    if let Ok(lock) = File::open(&unlocked) {
        if lock.try_lock().is_ok() && fs::remove_file(&unlocked).is_ok() {
            let _ = fs::remove_dir(folder);
        }
    } else if folder.join(LOCK).try_exists().is_ok_and(|locked| !locked) {
        // The lock is looked for after the name it has before, so it was not just renamed.
        let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        let _ = if is_empty { fs::remove_dir(folder) } else { fs::remove_dir_all(folder) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_dead_are_cleared() {
        let parent = tempfile::tempdir().unwrap();
        let alive = Lease::new(parent.path(), "x-").unwrap();
        let dead = parent.path().join("x-dead");
        let begun = parent.path().join("x-begun");
        let other = parent.path().join("y-other");
        for folder in [&dead, &begun, &other] {
            fs::create_dir(folder).unwrap();
        }
        for folder in [&dead, &other] {
            fs::write(folder.join(LOCK), "").unwrap();
        }
        clear(parent.path(), "x-", |folder| {
            assert_eq!(folder, dead);
            Ok(())
        })
        .unwrap();
        assert!(alive.path().exists() && other.exists() && !begun.exists() && !dead.exists());
        let path = alive.path().to_path_buf();
        drop(alive);
        assert!(!path.exists());
    }
}
