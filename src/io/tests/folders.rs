//! Whole runs: from a folder of all formats to an output folder and back.

use super::*;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// All files below a folder, decompressed.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap).filter(|e| e.file_type().is_file());
    let content = |path: &Path| {
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(path).unwrap();
        let bytes = match name.rsplit_once('.').unwrap().1 {
            "gz" => std::io::read_to_string(flate2::read::GzDecoder::new(&bytes[..])).unwrap().into_bytes(),
            "zst" => zstd::decode_all(&bytes[..]).unwrap(),
            _ => bytes,
        };
        (name, bytes)
    };
    files.map(|e| content(e.path())).collect()
}

/// A corpus of all formats in a new folder `in`.
fn corpus() -> (tempfile::TempDir, PathBuf, Inputs) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("in");
    let lines = b"{\"text\":\"one\"}\r\n\n{\"text\":\"tw\\u006f\"}\n{broken\n{\"text\":\"three\"}";
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::write(folder.join("a.jsonl"), lines).unwrap();
    fs::write(folder.join("b.jsonl.gz"), gzip(lines)).unwrap();
    fs::write(folder.join("c.jsonl.zst"), zstd::encode_all(&lines[..], 3).unwrap()).unwrap();
    fs::write(folder.join("empty.jsonl"), "").unwrap();
    fs::write(folder.join("sub/kept.jsonl.gz"), gzip(b"{\"text\":\"kept\"}\n")).unwrap();
    for (name, text) in [("a.txt", "one two"), ("b.md", "dropped"), ("c.txt", "kept")] {
        fs::write(folder.join("sub").join(name), text).unwrap();
    }
    let inputs = Inputs::resolve(&[folder.to_str().unwrap().into()]).unwrap();
    (root, folder, inputs)
}

/// Cuts the first two bytes of every record; drops some; keeps what a name calls so.
fn run(inputs: &Inputs, out: &Path, overwrite: bool, chunk_bytes: usize) -> crate::Result<()> {
    let options = ReadOptions { chunk_bytes, ..ReadOptions::default() };
    let (fields, cut) = (Fields::default(), [ByteSpan::new(0, 2)]);
    let mut source = Chunks::new(inputs, options);
    let folder = OutDir::create(out, inputs, overwrite)?;
    let (mut data, mut sidecar) = (folder.data_writer()?, folder.json_lines("removed.jsonl")?);
    let (mut bytes, mut texts_of) = (Vec::new(), Parser::new(&fields));
    while let Some(chunk) = source.next_chunk(Vec::new())? {
        let mut actions = BTreeMap::new();
        texts_of.visit(&chunk, |visit| {
            if let Visit::Record(record) = visit {
                let action = match record.text {
                    "three" | "dropped" => Action::Drop,
                    "kept" => Action::Keep,
                    _ => Action::Cut(&cut),
                };
                actions.insert(record.doc, action);
            }
            Ok(())
        })?;
        let action = |doc: u32| actions.get(&doc).copied().unwrap_or(Action::Keep);
        let mut parts = rewrite(&chunk, &fields, action, &mut bytes, &mut |removed| sidecar.write(&removed))?;
        if chunk.number % 3 != 1 {
            pack(&mut parts, &mut bytes);
        }
        data.write(&parts, &bytes)?;
    }
    sidecar.finish()?;
    folder.commit()
}

#[test]
fn a_run_leaves_what_restore_takes_back() {
    let (root, input, inputs) = corpus();
    let lines = &b"{\"text\":\"e\"}\r\n\n{\"text\":\"\\u006f\"}\n{broken\n"[..];
    for chunk_bytes in [1, 40, 1 << 20] {
        let (out, back) =
            (root.path().join(format!("out{chunk_bytes}")), root.path().join(format!("back{chunk_bytes}")));
        run(&inputs, &out, false, chunk_bytes).unwrap();
        let data = contents(&out.join("data"));
        assert_eq!(data["a.jsonl"], lines);
        assert_eq!((&data["b.jsonl.gz"], &data["c.jsonl.zst"]), (&data["a.jsonl"], &data["a.jsonl"]));
        assert_eq!(data["sub/a.txt"], b"e two");
        assert!(!data.contains_key("sub/b.md") && data["empty.jsonl"].is_empty());
        assert_eq!(restore_folder(&out, &back, None).unwrap(), 8);
        assert_eq!(contents(&back), contents(&input));
    }
}

#[test]
fn nothing_is_left_of_a_run_that_fails() {
    let (root, _, inputs) = corpus();
    let out = root.path().join("out");
    let folder = OutDir::create(&out, &inputs, false).unwrap();
    folder.copy(&inputs.files()[0]).unwrap();
    assert!(!out.join("data").exists());
    drop(folder);
    assert!(!out.exists());
}

#[test]
fn what_a_killed_run_left_is_cleared_and_a_live_one_is_not() {
    let (root, _, inputs) = corpus();
    let out = root.path().join("out");
    let live = OutDir::create(&out, &inputs, false).unwrap();
    let stale = out.join(".descale-partial-dead");
    fs::create_dir(&stale).unwrap();
    fs::write(stale.join(".lock"), "").unwrap();
    let other = OutDir::create(&out, &inputs, false).unwrap();
    assert!(!stale.exists());
    assert_eq!(fs::read_dir(&out).unwrap().count(), 2);
    drop((live, other));
}

#[test]
fn overwriting_replaces_our_names_only() {
    let (root, _, inputs) = corpus();
    let out = root.path().join("out");
    run(&inputs, &out, false, 1 << 20).unwrap();
    assert!(run(&inputs, &out, false, 1 << 20).unwrap_err().to_string().contains("not empty"));
    for name in ["notes.txt", "plan.jsonl", "data/stale.jsonl"] {
        fs::write(out.join(name), "").unwrap();
    }
    run(&inputs, &out, true, 1 << 20).unwrap();
    let left: Vec<bool> =
        ["notes.txt", "data/a.jsonl", "plan.jsonl", "data/stale.jsonl"].iter().map(|n| out.join(n).exists()).collect();
    assert_eq!(left, [true, true, false, false]);
}

#[test]
fn input_and_output_must_lie_apart() {
    let (root, input, inputs) = corpus();
    let file = Inputs::resolve(&[input.join("a.jsonl").to_str().unwrap().into()]).unwrap();
    for (out, inputs, says) in [
        (input.join("out"), &inputs, "lies in the input folder"),
        (input.join("sub/../../in"), &inputs, "lies in the input folder"),
        (input.clone(), &file, "lies in the output folder"),
        (root.path().to_path_buf(), &inputs, "lies in the output folder"),
        (input.join("a.jsonl"), &file, ""),
    ] {
        let error = OutDir::create(&out, inputs, true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(says), "{error}");
    }
    assert!(OutDir::create(&input.join("out"), &file, false).is_ok());
}

#[test]
fn a_sidecar_that_does_not_fit_is_refused() {
    let (root, _, inputs) = corpus();
    let (out, back) = (root.path().join("out"), root.path().join("back"));
    run(&inputs, &out, false, 1 << 20).unwrap();
    let sidecar = fs::read_to_string(out.join("removed.jsonl")).unwrap();
    let lines: Vec<&str> = sidecar.lines().collect();
    let again = format!("{}\n{}\n{}\n", lines[0], lines[0], lines[1]);
    for broken in [
        again.as_str(),
        "{\"file\":\"a.jsonl\",\"row\":99,\"dropped\":\"x\"}",
        "{\"file\":\"a.jsonl\",\"row\":0,\"cut\":[{\"at\":99,\"raw\":\"x\"}]}",
        "{\"file\":\"../a.jsonl\",\"row\":0,\"dropped\":\"x\"}",
        "{\"file\":\"sub/a.txt\",\"row\":0,\"dropped\":\"x\"}",
        "{\"file\":\"a.jsonl\",\"row\":18446744073709551615,\"cut\":[]}",
        "oops",
    ] {
        fs::write(out.join("removed.jsonl"), broken).unwrap();
        assert_eq!(restore_folder(&out, &back, None).unwrap_err().kind(), ErrorKind::Input, "{broken}");
        assert!(!back.exists());
    }
}
