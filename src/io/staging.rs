//! All or nothing: files are written in a partial folder inside the target and move to their names at the end.
//!
//! The partial folder (`.descale-partial-*`) is a lease of the process: the next run clears away what a killed one left,
//! and never what a live one is writing. Everything is synced before the first move. Moves are renames in one file
//! system; a list of what is moved is written first, so that whoever finds the folder after a kill between two moves
//! can take them back: what was there before the run is there again, and the next run starts clean.
//!
//! Beside the results lie the finished stages, under a manifest of what they were made from. A run that goes on takes
//! them over from the folder of a dead one, if the manifest is its own, in one rename.

use crate::error::{Error, Result};
use crate::lease::{self, Lease, is_taken, stands_at};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

const PREFIX: &str = ".descale-partial-";
/// Where replaced files wait for their end, in the partial folder.
const OLD: &str = ".old";
/// The list of what is moved, in the partial folder: a folder with an empty file of each name. Without it nothing was
/// moved yet.
const MOVING: &str = ".moving";
/// That list while it is not complete.
const LISTING: &str = ".listing";
/// What a run that goes on needs not do again, in the partial folder.
const STAGES: &str = ".stages";
/// What those stages were made from, in that folder.
const MANIFEST: &str = "manifest.json";

/// Says what differs between this run and one with another manifest.
pub(super) type Differs<'d> = dyn Fn(&str) -> String + 'd;

/// A target folder and the partial folder inside it.
#[derive(Debug)]
pub(super) struct Staging {
    target: PathBuf,
    partial: Lease,
    /// Whether the target was made for this run, and goes with it if nothing is committed.
    made: bool,
    committed: bool,
    /// Whether finished stages stay for a run that goes on, if nothing is committed.
    stays: bool,
}

impl Staging {
    /// Opens the target folder, making it where it is missing.
    ///
    /// # Errors
    /// `Resource` where a folder cannot be made.
    pub(super) fn open(target: &Path) -> Result<Self> {
        Self::take_over(target, |_, _| Ok(()), false)
    }

    /// The same, with the finished stages of a dead run whose manifest is `manifest`; they stay also if this run fails.
    ///
    /// # Errors
    /// As [`open`](Self::open); `Usage` where a dead run's manifest is another, which is left as it is.
    pub(super) fn resume(target: &Path, manifest: &str, differs: &Differs<'_>) -> Result<Self> {
        let rescue = |dead: &Path, partial: &Path| {
            let (from, to) = (dead.join(STAGES), partial.join(STAGES));
            let Ok(old) = fs::read_to_string(from.join(MANIFEST)) else { return Ok(()) };
            if old != manifest {
                let error = Error::usage(format!("the run to go on with is another: {}", differs(&old))).at(target);
                return Err(error.cure("undo the change, or begin anew without --resume"));
            }
            if is_taken(&to)? { Ok(()) } else { fs::rename(&from, &to).map_err(|e| Error::io("take over", &from, e)) }
        };
        Self::take_over(target, rescue, true)
    }

    fn take_over(target: &Path, rescue: impl Fn(&Path, &Path) -> Result<()>, stays: bool) -> Result<Self> {
        let made = stands_at(target)?.is_none();
        fs::create_dir_all(target).map_err(|e| Error::io("create the folder", target, e))?;
        let partial = Lease::new(target, PREFIX).map_err(|(path, e)| Error::io("create", path, e))?;
        lease::clear(target, PREFIX, |dead| {
            take_back(dead, target)?;
            rescue(dead, partial.path())
        })?;
        Ok(Self { target: target.to_path_buf(), partial, made, committed: false, stays })
    }

    /// Writes down what the stages are made from, unless stages were taken over.
    pub(super) fn note(&self, manifest: &str) -> Result<()> {
        let stages = self.partial.path().join(STAGES);
        if is_taken(&stages)? {
            return Ok(());
        }
        fs::create_dir(&stages).map_err(|e| Error::io("create the folder", &stages, e))?;
        // As a stage, for half a manifest would be that of another run.
        let path = stages.join(MANIFEST);
        self.finish_stage(MANIFEST, |mut file| {
            file.write_all(manifest.as_bytes()).map_err(|e| Error::io("write", &path, e))
        })
    }

    /// The file of a finished stage.
    pub(super) fn stage(&self, name: &str) -> Result<Option<File>> {
        let path = self.partial.path().join(STAGES).join(name);
        match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", path, e)),
        }
    }

    /// Writes the file of a stage, which is finished when `write` is; nothing where [`note`](Self::note) was not called.
    pub(super) fn finish_stage(&self, name: &str, write: impl FnOnce(&File) -> Result<()>) -> Result<()> {
        let stages = self.partial.path().join(STAGES);
        if !is_taken(&stages)? {
            return Ok(());
        }
        let (begun, done) = (stages.join(format!("{name}.begun")), stages.join(name));
        let file = File::create(&begun).map_err(|e| Error::io("create", &begun, e))?;
        write(&file)?;
        file.sync_all().map_err(|e| Error::io("sync", &begun, e))?;
        fs::rename(&begun, &done).map_err(|e| Error::io("rename", &begun, e))
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

    /// Bytes of the files in a folder of this name, as they lie on disk now.
    pub(super) fn bytes_below(&self, name: &str) -> Result<u64> {
        bytes_below(&self.partial.path().join(name))
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
        let moved = self.list(&names).and_then(|()| self.set_aside(replaced)).and_then(|()| self.place(&names));
        if let Err(error) = moved {
            take_back(self.partial.path(), &self.target)?;
            return Err(error);
        }
        self.committed = true;
        sync_path(&self.target)
    }

    /// Writes the list of what will be moved.
    fn list(&self, names: &[OsString]) -> Result<()> {
        let [listing, moving] = [LISTING, MOVING].map(|name| self.partial.path().join(name));
        fs::create_dir(&listing).map_err(|e| Error::io("create the folder", &listing, e))?;
        for name in names {
            let path = listing.join(name);
            File::create_new(&path).map_err(|e| Error::io("create", &path, e))?;
        }
        sync_path(&listing)?;
        fs::rename(&listing, &moving).map_err(|e| Error::io("rename", &listing, e))?;
        sync_path(self.partial.path())
    }

    fn place(&self, names: &[OsString]) -> Result<()> {
        for name in names {
            let to = self.target.join(name);
            fs::rename(self.partial.path().join(name), &to).map_err(|e| Error::io("move into place", to, e))?;
        }
        Ok(())
    }

    /// The names at the top of the partial folder, sorted.
    fn staged(&self) -> Result<Vec<OsString>> {
        let mut names = names(self.partial.path())?;
        names.retain(|name| !Lease::owns(name) && name != STAGES);
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
            if is_taken(&from)? {
                fs::create_dir_all(&old).map_err(|e| Error::io("create the folder", &old, e))?;
                fs::rename(&from, old.join(name)).map_err(|e| Error::io("replace", &from, e))?;
            }
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.stays && !self.committed {
            for name in self.staged().unwrap_or_default() {
                let path = self.partial.path().join(name);
                let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            }
            self.partial.leave();
            return;
        }
        let _ = fs::remove_dir_all(self.partial.path());
        if self.made && !self.committed {
            // Fails where somebody else put something in, and that is right.
            let _ = fs::remove_dir(&self.target);
        }
    }
}

/// Bytes of the files in a folder, as they lie on disk.
pub(super) fn bytes_below(folder: &Path) -> Result<u64> {
    let failed = |e: walkdir::Error| Error::io("read", folder, e.into());
    WalkDir::new(folder).into_iter().try_fold(0, |sum, entry| {
        let entry = entry.map_err(failed)?;
        let bytes = if entry.file_type().is_file() { entry.metadata().map_err(failed)?.len() } else { 0 };
        Ok(sum + bytes)
    })
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

/// Clears away what killed processes left in a target folder; takes back what they had begun to move.
pub(super) fn recover(target: &Path) -> Result<()> {
    lease::clear(target, PREFIX, |partial| take_back(partial, target))
}
/// Undoes moves that did not come to their end; every step can be done again after a kill.
fn take_back(partial: &Path, target: &Path) -> Result<()> {
    let list = partial.join(MOVING);
    let moving = if is_taken(&list)? { names(&list)? } else { Vec::new() };
    let mut moved = Vec::new();
    for name in &moving {
        if !is_taken(&partial.join(name))? {
            moved.push(name);
        }
    }
    if moved.len() == moving.len() {
        return Ok(());
    }
    let back = |from: PathBuf, to: PathBuf| fs::rename(&from, to).map_err(|e| Error::io("move back", from, e));
    for name in moved {
        if is_taken(&target.join(name))? {
            back(target.join(name), partial.join(name))?;
        }
    }
    let old = partial.join(OLD);
    for name in if is_taken(&old)? { names(&old)? } else { Vec::new() } {
        back(old.join(&name), target.join(&name))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What lies in a folder, partial folders left out: names with contents.
    fn seen(folder: &Path) -> Vec<(OsString, String)> {
        let names = visible_names(folder).unwrap();
        names.into_iter().map(|n| (n.clone(), fs::read_to_string(folder.join(n)).unwrap())).collect()
    }

    #[test]
    fn a_kill_between_any_two_moves_is_undone_or_done() {
        let all = ["a", "b", "z"].map(OsString::from);
        for moves in 0..=3 {
            for settled_before in [false, true] {
                let root = tempfile::tempdir().unwrap();
                let target = root.path();
                fs::write(target.join("a"), "old").unwrap();
                let staging = Staging::open(target).unwrap();
                for name in ["a", "b", "z"] {
                    fs::write(staging.partial.path().join(name), "new").unwrap();
                }
                staging.list(&all).unwrap();
                staging.set_aside(&["a", "b"]).unwrap();
                staging.place(&all[..moves]).unwrap();
                // As after a kill: the folder is there and nobody holds its lock.
                let partial = target.join(".descale-partial-dead");
                copy_tree(staging.partial.path(), &partial);
                let after: Vec<_> = seen(target);
                drop(staging);
                assert_eq!(seen(target), after);
                if settled_before {
                    // Killed again in the midst of taking back.
                    take_back(&partial, target).unwrap();
                }
                recover(target).unwrap();
                let expected: Vec<(OsString, String)> = match moves {
                    3 => all.iter().map(|name| (name.clone(), "new".into())).collect(),
                    _ => vec![("a".into(), "old".into())],
                };
                assert_eq!(seen(target), expected, "after {moves} moves");
                assert!(!partial.exists());
            }
        }
    }

    #[test]
    fn a_run_killed_while_it_notes_what_it_is_made_from_can_be_gone_on_with() {
        let root = tempfile::tempdir().unwrap();
        let dead = root.path().join(".descale-partial-dead").join(STAGES);
        fs::create_dir_all(&dead).unwrap();
        fs::write(dead.join(format!("{MANIFEST}.begun")), "half of").unwrap();
        let staging = Staging::resume(root.path(), "all of it", &|_| unreachable!("there is no other")).unwrap();
        staging.note("all of it").unwrap();
        let half = |mut file: &File| {
            file.write_all(b"half of").unwrap();
            Err(Error::interrupted())
        };
        assert!(staging.finish_stage("stage", half).is_err() && staging.stage("stage").unwrap().is_none());
        let noted = staging.partial.path().join(STAGES).join(MANIFEST);
        assert_eq!(fs::read_to_string(noted).unwrap(), "all of it");
    }

    fn copy_tree(from: &Path, to: &Path) {
        for entry in WalkDir::new(from) {
            let entry = entry.unwrap();
            let to = to.join(entry.path().strip_prefix(from).unwrap());
            if entry.path().is_dir() {
                fs::create_dir(&to).unwrap();
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
}
