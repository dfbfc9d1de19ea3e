//! The object stores themselves: a [`Place`] in one, and how objects come from there and go there.
//!
//! The rest of the house is not asynchronous: each call runs a small event loop of its own thread until it is done.

use super::cloud::Object;
use super::search::matcher;
use super::spool::Nameless;
use crate::error::{Error, Result};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path as Key;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt as _, WriteMultipart};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;
use url::Url;
use walkdir::WalkDir;

/// Objects that come at once; each holds what a read of the network gives.
const FETCHES: usize = 16;
/// Objects that go at once; each holds its parts that are on their way and one more: 96 MiB together.
const UPLOADS: usize = 4;
/// Bytes of a part of an upload, at least; stores want 5 MiB.
const PART_BYTES: u64 = 8 << 20;
/// Parts of an upload at most; S3 takes 10,000.
const PARTS_MAX: u64 = 9_000;
/// Parts of one object on their way at once.
const PARTS_AT_ONCE: usize = 2;

/// An object, a folder or a glob in a store; a file on a web server.
pub(super) struct Place {
    runtime: Runtime,
    store: Arc<dyn ObjectStore>,
    url: String,
    /// Scheme and host or bucket, as the first parts of a path: where objects come from.
    origin: PathBuf,
    /// What follows them in the URL.
    key: String,
    web: bool,
}

impl Place {
    /// Reads the URL and the environment. Nothing is sent yet.
    ///
    /// # Errors
    /// `Usage` where the URL is none, or where the environment does not say enough.
    pub(super) fn open(url: &str) -> Result<Self> {
        let wrong = |what: String| Error::usage(what).at(url);
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("this is no URL".into()))?;
        let (host, key) = rest.split_once('/').unwrap_or((rest, ""));
        let web = scheme.starts_with("http");
        if web && key.contains(['?', '#']) {
            return Err(wrong("an address with a query is not read".into()).cure("fetch the file and name that"));
        }
        let base = Url::parse(&format!("{scheme}://{host}")).map_err(|e| wrong(format!("this is no URL: {e}")))?;
        let (store, _) = object_store::parse_url_opts(&base, environment(scheme)).map_err(|e| wrong(e.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Error::resource(format!("cannot start an event loop: {e}")))?;
        let key = if web { decoded(key).ok_or_else(|| wrong("this is no URL".into()))? } else { key.into() };
        let origin = Path::new("/").join(scheme).join(host);
        Ok(Self { runtime, store: store.into(), url: url.into(), origin, key, web })
    }

    /// What is there to read, sorted by key, and whether the user chose it, by its name or a glob, rather than the folder
    /// it lies in.
    pub(super) fn objects(&self) -> Result<(Vec<Object>, bool)> {
        if let Some(wild) = self.key.find(['*', '?', '[', '{']).filter(|_| !self.web) {
            let base = self.key[..wild].rfind('/').map_or(0, |at| at + 1);
            let glob = matcher(&self.key[base..])?;
            let keys = self.below(&self.key[..base])?.into_iter().filter(|key| glob.is_match(&key[base..]));
            return Ok((keys.map(|key| self.object(key, None)).collect(), true));
        }
        if self.web || (!self.key.is_empty() && !self.key.ends_with('/') && self.exists()?) {
            return Ok((vec![self.object(self.key.clone(), None)], true));
        }
        let keys = self.below(&self.key)?;
        Ok((keys.into_iter().map(|key| self.object(key, Some(&self.key))).collect(), false))
    }

    /// An object, named by what follows the folder it was found in, or by the last part of its key.
    fn object(&self, key: String, folder: Option<&str>) -> Object {
        let name = match folder {
            Some(folder) => key[folder.len()..].trim_start_matches('/'),
            None => key.rsplit('/').next().unwrap_or(&key),
        };
        Object { name: name.into(), origin: self.origin.join(&key), key }
    }

    fn exists(&self) -> Result<bool> {
        match self.runtime.block_on(self.store.head(&self.parsed(&self.key)?)) {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// The keys of all objects below a folder, sorted; hidden names are left out.
    fn below(&self, folder: &str) -> Result<Vec<String>> {
        let mut keys = self.listed(folder)?;
        keys.retain(|key| !key[folder.trim_end_matches('/').len()..].split('/').any(|part| part.starts_with('.')));
        Ok(keys)
    }

    /// The keys of all objects below a folder, sorted.
    fn listed(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = self.parsed(folder)?;
        let prefix = Some(&prefix).filter(|prefix| !prefix.as_ref().is_empty());
        let keys = self.store.list(prefix).map_ok(|meta| meta.location.to_string()).try_collect::<Vec<_>>();
        let mut keys = self.runtime.block_on(keys).map_err(|e| self.failed(&e))?;
        keys.sort();
        Ok(keys)
    }

    /// The objects of results that lie in the folder, those of which the first part of the name is wanted.
    pub(super) fn results(&self, wanted: &[&str]) -> Result<Vec<Object>> {
        if self.web {
            return Err(Error::usage("a web server does not list results")
                .at(&self.url)
                .cure("fetch them into a folder"));
        }
        let objects = self.listed(&self.key)?.into_iter().map(|key| self.object(key, Some(&self.key)));
        Ok(objects.filter(|object| wanted.contains(&object.name.split('/').next().unwrap_or(""))).collect())
    }

    /// The keys of all objects in the folder.
    pub(super) fn keys(&self) -> Result<Vec<String>> {
        if self.web {
            return Err(Error::usage("a web server takes no results").at(&self.url).cure("name a folder or a store"));
        }
        self.below(&self.key)
    }

    /// Copies objects into a folder, several at a time; where they lie now, in the order given.
    pub(super) fn fetch(
        &self,
        objects: Vec<Object>,
        folder: &Path,
        nameless: &Nameless<'_>,
    ) -> Result<Vec<(Object, PathBuf)>> {
        let copies = objects.into_iter().map(|object| async move {
            let below = object.origin.strip_prefix("/").unwrap_or(&object.origin);
            let path = folder.join(below);
            self.fetch_one(&object, &path, nameless).await?;
            Ok::<_, Error>((object, path))
        });
        self.runtime.block_on(stream::iter(copies).buffered(FETCHES).try_collect())
    }

    async fn fetch_one(&self, object: &Object, path: &Path, nameless: &Nameless<'_>) -> Result<()> {
        let io = |e| Error::io("write", path, e);
        let failed = |e: StoreError| self.failed(&e);
        fs::create_dir_all(path.parent().unwrap_or(path)).map_err(io)?;
        let mut file = File::create_new(path).map_err(io)?;
        let mut body = self.store.get(&self.parsed(&object.key)?).await.map_err(failed)?.into_stream();
        while let Some(bytes) = body.try_next().await.map_err(failed)? {
            file.write_all(&bytes).map_err(io)?;
            nameless.copied(bytes.len())?;
        }
        Ok(())
    }

    /// Uploads a folder, `last` after all else, and removes what else is there under the names of `replaced`.
    pub(super) fn replace(
        &self,
        folder: &Path,
        (replaced, last): (&[&str], &str),
        watch: &dyn Fn(u64) -> Result<()>,
    ) -> Result<()> {
        let root = self.key.trim_end_matches('/');
        let join = |name: &str| if root.is_empty() { name.to_owned() } else { format!("{root}/{name}") };
        let mut files = Vec::new();
        for entry in WalkDir::new(folder).sort_by_file_name() {
            let entry = entry.map_err(|e| Error::io("read", folder, e.into()))?;
            if entry.file_type().is_file() {
                let name = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_string_lossy().into_owned();
                files.push((entry.into_path(), join(&name)));
            }
        }
        let (ends, files): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, key)| *key == join(last));
        let top = |key: &str| key[root.len()..].trim_start_matches('/').split('/').next().unwrap_or("").to_owned();
        let mut old = if replaced.is_empty() { Vec::new() } else { self.keys()? };
        old.retain(|key| replaced.contains(&top(key).as_str()) && !files.iter().any(|(_, new)| new == key));
        old.sort_by_key(|key| *key != join(last));
        self.runtime.block_on(async {
            for key in &old {
                self.store.delete(&self.parsed(key)?).await.map_err(|e| self.failed(&e))?;
            }
            let uploads = files.iter().map(|(path, key)| self.upload(path, key, watch));
            stream::iter(uploads).buffer_unordered(UPLOADS).try_collect::<Vec<()>>().await?;
            for (path, key) in &ends {
                self.upload(path, key, watch).await?;
            }
            Ok(())
        })
    }

    async fn upload(&self, path: &Path, key: &str, watch: &dyn Fn(u64) -> Result<()>) -> Result<()> {
        let failed = |e: StoreError| self.failed(&e);
        let io = |e| Error::io("read", path, e);
        let key = self.parsed(key)?;
        let mut file = File::open(path).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        let part_bytes = PART_BYTES.max(len / PARTS_MAX);
        if len <= part_bytes {
            let mut whole = Vec::new();
            file.read_to_end(&mut whole).map_err(io)?;
            self.store.put(&key, whole.into()).await.map_err(failed)?;
            return watch(len);
        }
        let size = usize::try_from(part_bytes).unwrap_or(usize::MAX);
        let upload = self.store.put_multipart(&key).await.map_err(failed)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, size);
        loop {
            let mut part = Vec::new();
            let read = (&file).take(part_bytes).read_to_end(&mut part);
            let room = upload.wait_for_capacity(PARTS_AT_ONCE).await;
            // What waits is at most so many parts behind.
            let told = watch(part.len() as u64);
            if let Some(error) = read.err().map(io).or(room.err().map(failed)).or(told.err()) {
                // The first failure is the one to tell of.
                let _ = upload.abort().await;
                return Err(error);
            }
            if part.is_empty() {
                return upload.finish().await.map(drop).map_err(failed);
            }
            upload.put(part.into());
        }
    }

    fn parsed(&self, key: &str) -> Result<Key> {
        Key::parse(key).map_err(|e| Error::usage(format!("this is no place in a store: {e}")).at(&self.url))
    }

    fn failed(&self, error: &StoreError) -> Error {
        match error {
            StoreError::NotFound { .. } => Error::usage("there is nothing here").at(&self.url),
            StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
                let error = Error::resource(format!("the store refuses: {error}")).at(&self.url);
                error.cure("check the credentials in the environment (AWS_*, GOOGLE_*, AZURE_*)")
            }
            other => {
                let error = Error::resource(format!("the store fails: {other}")).at(&self.url);
                error.cure(
                    "check the address, and credentials and endpoint in the environment (AWS_*, GOOGLE_*, AZURE_*)",
                )
            }
        }
    }
}

/// What the environment says about stores. Servers named by `http://` need no encryption.
fn environment(scheme: &str) -> impl Iterator<Item = (String, String)> {
    let ours = |name: &str| ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|prefix| name.starts_with(prefix));
    let open = (scheme == "http").then(|| ("allow_http".to_owned(), "true".to_owned()));
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    variables.filter(move |(name, _)| ours(name)).chain(open)
}

/// The path of an address without its percent signs.
fn decoded(path: &str) -> Option<String> {
    Key::from_url_path(path).ok().map(|key| key.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    /// A place in memory with these objects.
    fn place(url: &str, keys: &[&str]) -> Place {
        let mut place = Place::open(url).unwrap();
        place.store = Arc::new(object_store::memory::InMemory::new());
        for key in keys {
            place.runtime.block_on(place.store.put(&Key::parse(key).unwrap(), key.as_bytes().to_vec().into())).unwrap();
        }
        place
    }

    const KEYS: [&str; 5] = ["d/.hidden/x.jsonl", "d/a.jsonl", "d/b/c.jsonl.gz", "d2/a.jsonl", "z.txt"];

    #[test]
    fn a_url_names_an_object_a_folder_or_a_glob() {
        for (url, expected, chosen) in [
            ("s3://bucket/d/a.jsonl", &["a.jsonl"][..], true),
            ("gs://bucket/d", &["a.jsonl", "b/c.jsonl.gz"], false),
            ("s3://bucket/d/", &["a.jsonl", "b/c.jsonl.gz"], false),
            ("s3://bucket", &["d/a.jsonl", "d/b/c.jsonl.gz", "d2/a.jsonl", "z.txt"], false),
            ("s3://bucket/d*/*.jsonl", &["a.jsonl", "a.jsonl"], true),
            ("s3://bucket/nothing", &[], false),
        ] {
            let (objects, named) = place(url, &KEYS).objects().unwrap();
            let names: Vec<_> = objects.iter().map(|object| object.name.as_str()).collect();
            assert_eq!((names.as_slice(), named), (expected, chosen), "{url}");
            assert!(objects.iter().all(|o| o.origin.ends_with(Path::new("bucket").join(&o.key))));
        }
    }

    #[test]
    fn objects_come_whole_and_in_order() {
        let place = place("s3://bucket/d", &KEYS);
        let (objects, _) = place.objects().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let told = std::cell::Cell::new(0);
        let watch = |bytes| {
            told.set(told.get() + bytes);
            Ok(())
        };
        let nameless = Nameless { watch: Some(&watch), ..Nameless::default() };
        for (object, path) in place.fetch(objects, folder.path(), &nameless).unwrap() {
            assert_eq!(fs::read_to_string(path).unwrap(), object.key);
        }
        assert_eq!(told.get(), (KEYS[1].len() + KEYS[2].len()) as u64);
    }

    #[test]
    fn a_folder_goes_up_in_parts_and_replaces_what_was_there() {
        let place = place(
            "s3://bucket/out/",
            &["out/data/old.jsonl", "out/plan.jsonl", "out/summary.json", "out/notes.md", "x"],
        );
        let folder = tempfile::tempdir().unwrap();
        let long = vec![7; usize::try_from(3 * PART_BYTES + 1).unwrap()];
        fs::create_dir(folder.path().join("data")).unwrap();
        for (name, bytes) in [("data/long.jsonl", &long[..]), ("plan.jsonl", b"new"), ("summary.json", b"{}")] {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let told = std::cell::Cell::new(0);
        let watch = |bytes| {
            told.set(told.get() + bytes);
            Ok(())
        };
        let ours = ["data", "plan.jsonl", "summary.json"];
        place.replace(folder.path(), (&ours, "summary.json"), &watch).unwrap();
        assert_eq!(told.get(), long.len() as u64 + 5);
        assert_eq!(
            place.keys().unwrap(),
            ["out/data/long.jsonl", "out/notes.md", "out/plan.jsonl", "out/summary.json"]
        );
        let back = |key: &str| {
            let got = async { place.store.get(&Key::from(key)).await.unwrap().bytes().await.unwrap() };
            place.runtime.block_on(got).to_vec()
        };
        assert_eq!((back("out/data/long.jsonl"), back("out/plan.jsonl")), (long, b"new".to_vec()));
    }

    #[test]
    fn an_upload_ends_when_it_is_told_to() {
        let place = place("s3://bucket/out/", &[]);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("long"), vec![7; usize::try_from(3 * PART_BYTES).unwrap()]).unwrap();
        fs::write(folder.path().join("summary.json"), "{}").unwrap();
        let stopped = place.replace(folder.path(), (&[], "summary.json"), &|_| Err(Error::interrupted()));
        assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Interrupted);
        assert!(place.keys().unwrap().is_empty());
    }

    #[test]
    fn results_are_listed_with_hidden_names() {
        let keys = ["out/data/.a.jsonl", "out/data/b/c.jsonl", "out/notes.md", "out/plan.jsonl", "out2/plan.jsonl"];
        for url in ["s3://bucket/out", "s3://bucket/out/"] {
            let objects = place(url, &keys).results(&["data", "plan.jsonl"]).unwrap();
            let names: Vec<_> = objects.into_iter().map(|object| object.name).collect();
            assert_eq!(names, ["data/.a.jsonl", "data/b/c.jsonl", "plan.jsonl"], "{url}");
        }
        assert_eq!(Place::open("http://host/out").unwrap().results(&[]).unwrap_err().kind(), ErrorKind::Usage);
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for url in ["s3://", "https://host/a.jsonl?sign=x", "s3://bucket/a//b"] {
            let result = Place::open(url).and_then(|place| place.objects().map(drop));
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Usage, "{url}");
        }
        let web = Place::open("https://host/a.jsonl").unwrap();
        assert_eq!(web.keys().unwrap_err().kind(), ErrorKind::Usage);
    }
}
