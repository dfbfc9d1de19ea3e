//! All or nothing: files are written in a partial folder inside the target and move to their names at the end.
//!
//! The partial folder (`.descale-partial-*`) has a name of its own for every run and a lock that the system lets go
//! when the process ends, however it ends: the next run clears away what a killed one left, and never what a live
//! one is writing. Everything is synced before the first move. Moves of one run are renames in one folder: a kill
//! between them leaves whole files only.

use crate::error::{Error, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use walkdir::WalkDir;

const PREFIX: &str = ".descale-partial-";
/// The lock's name, in the partial folder.
const LOCK: &str = ".lock";
/// Where replaced files wait for their end, in the partial folder.
const OLD: &str = ".old";

/// A target folder and the partial folder inside it.
#[derive(Debug)]
pub(super) struct Staging {
    target: PathBuf,
    /// Removed with all it holds when this is dropped.
    partial: TempDir,
    lock: File,
    /// Whether the target was made for this run, and goes with it if nothing is committed.
    made: bool,
    committed: bool,
}

impl Staging {
    /// Opens the target folder, making it where it is missing.
    ///
    /// # Errors
    /// `Resource` where a folder cannot be made.
    pub(super) fn open(target: &Path) -> Result<Self> {
        let made = !target.exists();
        fs::create_dir_all(target).map_err(|e| Error::io("create the folder", target, e))?;
        clear_stale(target)?;
        let partial = tempfile::Builder::new().prefix(PREFIX).tempdir_in(target);
        let partial = partial.map_err(|e| Error::io("create a folder in", target, e))?;
        let path = partial.path().join(LOCK);
        let lock = File::create(&path).map_err(|e| Error::io("create", &path, e))?;
        lock.lock().map_err(|e| Error::io("lock", &path, e))?;
        Ok(Self { target: target.to_path_buf(), partial, lock, made, committed: false })
    }

    /// The folder that was asked for.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Where unnamed files may lie: on the disk of the target.
    pub(super) fn scratch(&self) -> &Path {
        self.partial.path()
    }

    /// Creates a file; the parts of its relative name are joined by `/`, and folders on the way are made.
    pub(super) fn create(&self, name: &str) -> Result<File> {
        let path = self.partial.path().join(name);
        let parent = path.parent().unwrap_or(&path);
        fs::create_dir_all(parent).map_err(|e| Error::io("create the folder", parent, e))?;
        File::create_new(&path).map_err(|e| Error::io("create", self.target.join(name), e))
    }

    /// Makes a folder, so that it is there even if nothing is in it.
    pub(super) fn create_folder(&self, name: &str) -> Result<()> {
        let path = self.partial.path().join(name);
        fs::create_dir_all(&path).map_err(|e| Error::io("create the folder", path, e))
    }

    /// Syncs everything and moves it into place, `last` after all others. What lies in the target under one of the
    /// names of `replaced` is taken away first.
    ///
    /// # Errors
    /// `Resource`; what has not been moved yet is then removed.
    pub(super) fn commit(mut self, replaced: &[&str], last: &str) -> Result<()> {
        self.sync()?;
        let mut names = self.staged()?;
        names.sort_by_key(|name| name.as_os_str() == last);
        self.set_aside(replaced)?;
        for name in names {
            let to = self.target.join(&name);
            fs::rename(self.partial.path().join(&name), &to).map_err(|e| Error::io("move into place", to, e))?;
        }
        self.committed = true;
        sync_path(&self.target)
    }

    /// The names at the top of the partial folder, sorted.
    fn staged(&self) -> Result<Vec<std::ffi::OsString>> {
        let mut names = names(self.partial.path())?;
        names.retain(|name| name != LOCK);
        Ok(names)
    }

    fn sync(&self) -> Result<()> {
        for entry in WalkDir::new(self.partial.path()) {
            let entry = entry.map_err(|e| Error::io("read", self.partial.path(), e.into()))?;
            sync_path(entry.path())?;
        }
        Ok(())
    }

    fn set_aside(&self, replaced: &[&str]) -> Result<()> {
        let old = self.partial.path().join(OLD);
        for name in replaced {
            let from = self.target.join(name);
            if from.symlink_metadata().is_ok() {
                fs::create_dir_all(&old).map_err(|e| Error::io("create the folder", &old, e))?;
                fs::rename(&from, old.join(name)).map_err(|e| Error::io("replace", &from, e))?;
            }
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Windows does not remove a locked file.
        let _ = self.lock.unlock();
        let _ = fs::remove_dir_all(self.partial.path());
        if self.made && !self.committed {
            // Fails where somebody else put something in, and that is right.
            let _ = fs::remove_dir(&self.target);
        }
    }
}

/// The names in a folder, sorted; partial folders left out.
pub(super) fn visible_names(folder: &Path) -> Result<Vec<std::ffi::OsString>> {
    let mut names = names(folder)?;
    names.retain(|name| !name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    Ok(names)
}

fn names(folder: &Path) -> Result<Vec<std::ffi::OsString>> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.map(|e| Ok(e?.file_name())).collect());
    let mut names: Vec<_> = entries.map_err(|e| Error::io("read the folder", folder, e))?;
    names.sort();
    Ok(names)
}

/// Removes partial folders whose process is gone.
fn clear_stale(target: &Path) -> Result<()> {
    for name in names(target)? {
        let folder = target.join(&name);
        if !name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) || !folder.is_dir() {
            continue;
        }
        // Without a lock file the folder is being made or was left in its first instant: leave it.
        let free = File::open(folder.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if free {
            fs::remove_dir_all(&folder).map_err(|e| Error::io("remove", &folder, e))?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn sync_path(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|e| Error::io("sync", path, e))
}

#[cfg(not(unix))]
fn sync_path(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    File::options().write(true).open(path).and_then(|file| file.sync_all()).map_err(|e| Error::io("sync", path, e))
}
