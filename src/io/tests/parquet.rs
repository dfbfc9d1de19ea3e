//! Tables keep what nobody asked to change, and come back.

use super::*;
use ::parquet::basic::Compression;
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn specimens() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats/valid")
}

fn inputs(path: &Path) -> Inputs {
    Inputs::resolve(&[path.to_str().unwrap().into()]).unwrap()
}

/// The rows of a table as lines.
fn lines(path: &Path) -> crate::Result<Vec<u8>> {
    let mut source = Chunks::new(&Inputs::resolve(&[path.to_str().unwrap().into()])?, ReadOptions::default());
    let mut lines = Vec::new();
    while let Some(chunk) = source.next_chunk(Vec::new())? {
        lines.extend(chunk.bytes);
    }
    Ok(lines)
}

fn metadata(path: &Path) -> ParquetMetaData {
    SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap().metadata().clone()
}

/// Drops every row whose number is in `dropped`, cuts the first character of the others, keeps those without text.
fn run(inputs: &Inputs, out: &Path, dropped: &[u32], chunk_bytes: usize) {
    let fields = Fields::default();
    let mut source = Chunks::new(inputs, ReadOptions { chunk_bytes, ..ReadOptions::default() });
    let folder = OutDir::create(out, inputs, false).unwrap();
    let (mut data, mut sidecar) = (folder.data_writer().unwrap(), folder.json_lines("removed.jsonl").unwrap());
    let mut bytes = Vec::new();
    while let Some(chunk) = source.next_chunk(Vec::new()).unwrap() {
        let firsts: Vec<Option<[ByteSpan; 1]>> = texts(&chunk, &fields)
            .iter()
            .map(|text| Some([ByteSpan::new(0, u32::try_from(text.as_ref()?.chars().next()?.len_utf8()).unwrap())]))
            .collect();
        let action = |doc: u32| match &firsts[(doc - chunk.first_doc()) as usize] {
            _ if dropped.contains(&doc) => Action::Drop,
            Some(span) => Action::Cut(span),
            None => Action::Keep,
        };
        let mut parts = rewrite(&chunk, &fields, action, &mut bytes, &mut |r| sidecar.write(&r)).unwrap();
        pack(&mut parts, &mut bytes);
        data.write(&parts, &bytes).unwrap();
    }
    sidecar.finish().unwrap();
    folder.commit().unwrap();
}

#[test]
fn every_specimen_comes_back() {
    let root = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(specimens()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "parquet") {
            continue;
        }
        let name = path.file_name().unwrap();
        for (dropped, chunk_bytes) in [(&[][..], 1), (&[0, 2, 3, 5], 100), (&[0, 1, 2, 3, 4, 5, 6], 1 << 20)] {
            let tag = format!("{}-{chunk_bytes}", name.display());
            let (out, back) = (root.path().join(format!("{tag}-out")), root.path().join(format!("{tag}-back")));
            run(&inputs(&path), &out, dropped, chunk_bytes);
            restore_folder(&out, &back, None).unwrap();
            assert_eq!(lines(&back.join(name)).unwrap(), lines(&path).unwrap(), "{tag}");
            for file in [out.join("data").join(name), back.join(name)] {
                let (new, old) = (metadata(&file), metadata(&path));
                let (new, old) = (new.file_metadata(), old.file_metadata());
                assert_eq!(new.schema(), old.schema());
                assert_eq!(new.key_value_metadata(), old.key_value_metadata());
            }
        }
    }
}

#[test]
fn the_layout_is_kept() {
    let root = tempfile::tempdir().unwrap();
    for name in ["types.parquet", "codecs.parquet"] {
        let path = specimens().join(name);
        let out = root.path().join(name);
        run(&inputs(&path), &out, &[], 1 << 20);
        let (new, old) = (metadata(&out.join("data").join(name)), metadata(&path));
        let rows = |meta: &ParquetMetaData| meta.row_groups().iter().map(|g| g.num_rows()).collect::<Vec<_>>();
        assert_eq!(rows(&new), rows(&old));
        for (new, old) in new.row_group(0).columns().iter().zip(old.row_group(0).columns()) {
            let kind = |c: Compression| std::mem::discriminant(&c);
            assert_eq!(kind(new.compression()), kind(old.compression()), "{}", old.column_path());
            // Values of fixed length get no dictionary in pages of version 1.
            if old.column_type() == ::parquet::basic::Type::FIXED_LEN_BYTE_ARRAY {
                continue;
            }
            assert_eq!(
                new.dictionary_page_offset().is_some(),
                old.dictionary_page_offset().is_some(),
                "{}",
                old.column_path()
            );
        }
    }
}

#[test]
fn only_the_text_changes() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    run(&inputs(&specimens().join("plain.parquet")), &out, &[0], 1 << 20);
    assert_eq!(lines(&out.join("data/plain.parquet")).unwrap(), b"{\"id\":\"b\",\"text\":\"econd\"}\n");
    let removed = fs::read_to_string(out.join("removed.jsonl")).unwrap();
    assert!(removed.contains(r#""dropped":"{\"id\":\"a\",\"text\":\"first\"}\n""#), "{removed}");
}

#[test]
fn rows_say_what_is_stored() {
    let lines = lines(&specimens().join("types.parquet")).unwrap();
    let text = std::str::from_utf8(&lines).unwrap();
    let second = text.lines().nth(1).unwrap();
    for part in [
        r#""id":"d1","text":null,"#,
        r#""score":"7ff8000000000000","#,
        r#""i8":127,"#,
        r#""u64":0,"#,
        r#""raw":"utf8","#,
        r#""tags.list.element":[0,1,null],"#,
        r#""meta.lang":[0,0,null],"#,
    ] {
        assert!(second.contains(part), "{part} is not in {second}");
    }
    assert!(text.contains(r#""u64":18446744073709551615,"#) && text.contains(r#""raw":{"hex":"ff00"},"#));
}

#[test]
fn sites_ids_and_ranks_may_be_columns_of_any_kind() {
    let bytes = fs::read(specimens().join("types.parquet")).unwrap();
    let name = |name: &str| Some(name.to_owned());
    let fields = Fields { text: "text".into(), id: name("u32"), site: name("url"), rank: name("meta.n") };
    first_record("a.parquet", &bytes, &fields, |record| {
        assert_eq!((record.id, record.site), (Some("4294967295"), Some("site0.example")));
        assert_eq!(record.rank, Some(1.0));
    });
}

#[test]
fn a_sidecar_row_that_does_not_fit_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let (out, back) = (root.path().join("out"), root.path().join("back"));
    run(&inputs(&specimens().join("plain.parquet")), &out, &[0], 1 << 20);
    for row in
        ["{}", "{\\\"id\\\":1,\\\"text\\\":\\\"a\\\"}", "{\\\"id\\\":[0,9,null],\\\"text\\\":null}", "{\\\"id\\\":\\\""]
    {
        for end in ["", "\\n"] {
            let line = format!("{{\"file\":\"plain.parquet\",\"row\":0,\"dropped\":\"{row}{end}\"}}");
            fs::write(out.join("removed.jsonl"), line).unwrap();
            assert_eq!(restore_folder(&out, &back, None).unwrap_err().kind(), ErrorKind::Input, "{row}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_broken_table_is_an_error_at_most(
        name in proptest::sample::select(&["plain.parquet", "codecs.parquet", "types.parquet"][..]),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        tail in any::<bool>(),
    ) {
        let root = tempfile::tempdir().unwrap();
        let mut bytes = fs::read(specimens().join(name)).unwrap();
        // The footer says where everything is: half of the changes go there.
        let from = if tail { bytes.len() / 2 } else { 0 };
        for (at, to) in changes {
            let at = from + at.index(bytes.len() - from);
            bytes[at] = to;
        }
        let path = root.path().join(name);
        fs::write(&path, bytes).unwrap();
        if let Err(error) = lines(&path) {
            prop_assert_eq!(error.kind(), ErrorKind::Input, "{}", error);
        }
    }
}
