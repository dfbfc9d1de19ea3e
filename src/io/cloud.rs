//! Object stores and web servers: `s3://`, `gs://`, `az://`, `http(s)://`, in and out.
//!
//! In: what a URL names is copied to a folder once, several objects at a time, and read from there as often as it
//! takes. A body that breaks off is asked for again from where it broke, and only if the object is still the same
//! one. A URL of a store names an object, all below a folder, or what a glob matches; one of a web server names a file.
//!
//! Out: [`Remote`] is a local folder that is uploaded when it is complete, in parts, its `summary.json` last: where that
//! is, the rest is complete. Of results that are replaced `summary.json` goes first.
//!
//! Results that lie in a store are read through a copy of those files that are asked for ([`Results`]).
//!
//! Credentials and endpoints come from the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`), as the `object_store` crate
//! reads them. Memory: a part for each of the transfers under way, whatever the size of the objects.

#[cfg(not(feature = "cloud"))]
pub(super) use self::without::Place;
use super::spool::{Nameless, folder};
#[cfg(feature = "cloud")]
pub(super) use super::store::Place;
use crate::error::{Error, Result};
use crate::lease::Lease;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a URL that is read or written begins with.
const SCHEMES: [&str; 8] = ["s3://", "s3a://", "gs://", "az://", "abfs://", "abfss://", "http://", "https://"];

/// Whether this is the URL of an object store or a web server.
#[must_use]
pub fn is_url(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| text.starts_with(scheme))
}

/// An object to read.
#[derive(Clone, Debug)]
pub(super) struct Object {
    /// Its key in the store.
    #[cfg_attr(not(feature = "cloud"), expect(dead_code, reason = "a build without stores asks none for objects"))]
    pub(super) key: String,
    /// Its output name: below the folder that was asked for, or the last part of the key.
    pub(super) name: String,
    /// Where it comes from, as a path.
    pub(super) origin: PathBuf,
}

/// A result folder that will lie in an object store.
pub struct Remote {
    place: Place,
    lease: Arc<Lease>,
    overwrite: bool,
}

impl Remote {
    /// Looks at the place and makes the local folder, in `parent` or the system's temporary folder.
    ///
    /// # Errors
    /// `Usage` where results lie there and may not be replaced, or where nothing can be written; `Resource` where the
    /// store does not answer.
    pub fn create(url: &str, parent: Option<&Path>, overwrite: bool) -> Result<Self> {
        let place = Place::open(url)?;
        if !overwrite && !place.keys()?.is_empty() {
            let error = Error::usage("there is something in the output folder already").at(url);
            return Err(error.cure("name another, or replace what an earlier run left in it with --overwrite"));
        }
        let lease = folder(&Nameless { folder: parent, ..Nameless::default() })?;
        Ok(Self { place, lease, overwrite })
    }

    /// The local folder: results go there first.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.lease.path().join("out")
    }

    /// Uploads what is in the local folder, `summary.json` last; `watch` is told how many bytes went since it was told
    /// last, and its error ends the upload.
    ///
    /// # Errors
    /// `Resource` where the store does not take it, or what `watch` returns: `summary.json` is then not there.
    pub fn commit(self, watch: &dyn Fn(u64) -> Result<()>) -> Result<()> {
        let replaced: &[&str] = if self.overwrite { &super::output::OURS } else { &[] };
        self.place.replace(&self.folder(), (replaced, super::output::LAST), watch)
    }

    /// Bytes that [`commit`](Self::commit) will upload.
    ///
    /// # Errors
    /// `Resource` where the local folder cannot be read.
    pub fn bytes(&self) -> Result<u64> {
        super::staging::bytes_below(&self.folder())
    }
}

/// The results of a run where they can be read: the folder itself, or a copy of what lies in a store, gone with the value.
pub struct Results {
    folder: PathBuf,
    _copy: Option<Arc<Lease>>,
}

impl Results {
    /// Finds results; of those in a store, copies the files and folders of the `wanted` names.
    ///
    /// # Errors
    /// `Usage` where nothing wanted lies in the store; `Resource` where it does not answer.
    pub fn open(dir: &Path, wanted: &[&str], nameless: &Nameless<'_>) -> Result<Self> {
        let Some(url) = dir.to_str().filter(|dir| is_url(dir)) else {
            return Ok(Self { folder: dir.to_path_buf(), _copy: None });
        };
        let place = Place::open(url)?;
        let objects = place.results(wanted)?;
        if objects.is_empty() {
            let error = Error::usage("there are no results here").at(url);
            return Err(error.cure("name the --out folder of a finished run"));
        }
        let copy = folder(nameless)?;
        let root = copy.path().join("results");
        for (object, path) in place.fetch(objects, copy.path(), nameless)? {
            let to = root.join(&object.name);
            let parent = to.parent().unwrap_or(&root);
            let moved = std::fs::create_dir_all(parent).and_then(|()| std::fs::rename(&path, &to));
            moved.map_err(|e| Error::io("write", &to, e))?;
        }
        Ok(Self { folder: root, _copy: Some(copy) })
    }

    /// Where to read.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// What stands in for object stores in a build without them.
#[cfg(not(feature = "cloud"))]
mod without {
    use super::{Error, Nameless, Object, Path, PathBuf, Result};

    /// Nothing that can be opened.
    pub(in crate::io) enum Place {}

    impl Place {
        pub(in crate::io) fn open(url: &str) -> Result<Self> {
            let error = Error::usage("this build reads and writes no object stores").at(url);
            Err(error.cure("build it with the feature `cloud`, or copy the files"))
        }

        pub(in crate::io) fn objects(&self) -> Result<(Vec<Object>, bool)> {
            match *self {}
        }

        pub(in crate::io) fn fetch(
            &self,
            _: Vec<Object>,
            _: &Path,
            _: &Nameless<'_>,
        ) -> Result<Vec<(Object, PathBuf)>> {
            match *self {}
        }

        pub(in crate::io) fn keys(&self) -> Result<Vec<String>> {
            match *self {}
        }

        pub(in crate::io) fn results(&self, _: &[&str]) -> Result<Vec<Object>> {
            match *self {}
        }

        pub(in crate::io) fn replace(&self, _: &Path, _: (&[&str], &str), _: &dyn Fn(u64) -> Result<()>) -> Result<()> {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_from_paths() {
        assert!(["s3://b/k", "gs://b", "az://c/k", "https://h/f.jsonl"].iter().all(|url| is_url(url)));
        assert!(["s3:/b", "S3", "a/s3://b", "file:///a", "c:\\a", "-"].iter().all(|path| !is_url(path)));
    }
}
