//! Every specimen in `fixtures/formats` is read as its table says.

use super::*;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

/// An entry of `fixtures/formats/cases.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    file: String,
    #[serde(default)]
    texts: Vec<String>,
    ids: Option<Vec<String>>,
    #[serde(default)]
    blank: usize,
    #[serde(default)]
    bad: Vec<String>,
    fails: Option<String>,
}

/// What reading a file gives.
#[derive(Default)]
struct Seen {
    texts: Vec<String>,
    ids: Vec<String>,
    blank: usize,
    bad: Vec<String>,
}

fn read(path: &Path, chunk_bytes: usize, seen: &mut Seen) -> crate::Result<()> {
    let inputs = Inputs::resolve(&[path.to_str().unwrap().into()])?;
    let mut source = Chunks::new(&inputs, ReadOptions { chunk_bytes, ..ReadOptions::default() });
    let mut parser = Parser::new(&Fields::default());
    let mut docs = 0..;
    while let Some(chunk) = source.next_chunk(Vec::new())? {
        parser.visit(&chunk, |visit| {
            let doc = match visit {
                Visit::Record(record) => {
                    seen.texts.push(record.text.into());
                    seen.ids.push(record.id.unwrap_or_default().into());
                    record.doc
                }
                Visit::Blank { doc } => {
                    seen.blank += 1;
                    doc
                }
                Visit::Bad { doc, error } => {
                    assert_eq!((error.kind(), error.path()), (ErrorKind::Input, Some(path)));
                    seen.bad.push(error.to_string());
                    doc
                }
            };
            assert_eq!(Some(doc), docs.next());
            Ok(())
        })?;
    }
    Ok(())
}

fn check(folder: &Path, case: &Case, chunk_bytes: usize) {
    let path = folder.join(&case.file);
    let mut seen = Seen::default();
    let result = read(&path, chunk_bytes, &mut seen);
    if let Some(says) = &case.fails {
        let error = result.expect_err(&case.file);
        assert_eq!((error.kind(), error.path()), (ErrorKind::Input, Some(path.as_path())), "{error}");
        assert!(error.to_string().contains(says), "{error}");
        return;
    }
    result.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((&seen.texts, seen.blank), (&case.texts, case.blank), "{}", case.file);
    if let Some(ids) = &case.ids {
        assert_eq!(&seen.ids, ids, "{}", case.file);
    }
    assert_eq!(seen.bad.len(), case.bad.len(), "{}: {:#?}", case.file, seen.bad);
    for (error, says) in seen.bad.iter().zip(&case.bad) {
        assert!(error.contains(says.as_str()), "{error}\n  does not say {says}");
    }
}

#[test]
fn are_read_as_the_table_says() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats");
    let table = fs::read_to_string(folder.join("cases.toml")).unwrap();
    let cases: Cases = toml::from_str(&table).unwrap();
    let readable = |case: &&Case| cfg!(feature = "parquet") || !case.file.ends_with(".parquet");
    for case in cases.case.iter().filter(readable) {
        for chunk_bytes in [1, 16, 1 << 20] {
            check(&folder, case, chunk_bytes);
        }
    }
    let listed: BTreeSet<String> = cases.case.iter().map(|c| c.file.clone()).collect();
    let there = |sub: &str| {
        let names = fs::read_dir(folder.join(sub)).unwrap();
        names.map(|e| format!("{sub}/{}", e.unwrap().file_name().to_str().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(listed, there("valid").into_iter().chain(there("invalid")).collect());
}
