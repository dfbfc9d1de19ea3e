//! The borders as a whole: specimens of every format, and the way out and back.

use super::*;
use crate::error::ErrorKind;
use crate::record::{Action, Fields, Removed, Visit};
use crate::span::ByteSpan;
use std::fs;

/// One chunk that holds all of a file, without a file.
fn chunk(name: &str, bytes: &[u8]) -> Chunk {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let inputs = Inputs::resolve(&[path.to_str().unwrap().into()]).unwrap();
    let options = ReadOptions { chunk_bytes: 1 << 20, ..ReadOptions::default() };
    let mut source = Chunks::new(&inputs, options);
    source.next_chunk(Vec::new()).unwrap().unwrap()
}

/// What a text says after the spans are gone.
fn without(text: &str, spans: &[ByteSpan]) -> String {
    let mut left = text.to_owned();
    for span in spans.iter().rev() {
        left.replace_range(span.range(), "");
    }
    left
}

fn texts(chunk: &Chunk, fields: &Fields) -> Vec<Option<String>> {
    let mut texts = Vec::new();
    let mut parser = Parser::new(fields);
    let visit = |visit: Visit<'_>| {
        texts.push(if let Visit::Record(record) = visit { Some(record.text.to_owned()) } else { None });
        Ok(())
    };
    parser.visit(chunk, visit).unwrap();
    texts
}

mod round_trip {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    /// A character as it may lie in a JSON string: raw text and meaning.
    fn unit() -> impl Strategy<Value = String> {
        const ESCAPES: [&str; 17] = [
            r"\n",
            r#"\""#,
            r"\\",
            r"\/",
            r"\t",
            r"\u00e9",
            r"\u0000",
            r"\uD83D\uDE00",
            r"\ud83d\ude80",
            r"\u20ac",
            "é",
            "漢",
            "😀",
            "a",
            "b",
            " ",
            "ab ",
        ];
        select(&ESCAPES[..]).prop_map(str::to_owned)
    }

    fn string() -> impl Strategy<Value = String> {
        proptest::collection::vec(unit(), 0..12).prop_map(|units| units.concat())
    }

    fn space() -> impl Strategy<Value = &'static str> {
        select(&["", " ", "\t", "  "][..])
    }

    fn unknown() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            string().prop_map(|s| format!("\"{s}\"")),
            select(&["1", "-0.5e+3", "null", "true", "[]", "{}", r#"[1,{"text":"in"},[ ]]"#][..])
                .prop_map(str::to_owned),
        ];
        (select(&["id", "a", r"t\u0065xt2", "site", "a"][..]), space(), value)
            .prop_map(|(k, s, v)| format!("\"{k}\"{s}:{v}"))
    }

    /// A line with one text field among unknown ones, duplicates among them.
    fn line() -> impl Strategy<Value = String> {
        let key = select(&["text", r"te\u0078t"][..]);
        let fields = proptest::collection::vec(unknown(), 0..4);
        let end = select(&["\n", "\r\n", " \n"][..]);
        (key, string(), fields, any::<proptest::sample::Index>(), space(), end).prop_map(
            |(key, text, mut fields, at, s, end)| {
                fields.insert(at.index(fields.len() + 1), format!("\"{key}\"{s}:{s}\"{text}\""));
                format!("{s}{{{}{s}}}{end}", fields.join(&format!("{s},{s}")))
            },
        )
    }

    /// Sorted, disjoint spans on character borders, chosen by a list of coin tosses.
    fn spans(text: &str, tosses: &[bool]) -> Vec<ByteSpan> {
        let mut spans: Vec<ByteSpan> = Vec::new();
        for ((at, c), _) in text.char_indices().zip(tosses.iter().cycle()).filter(|(_, cut)| **cut) {
            let (start, end) = (u32::try_from(at).unwrap(), u32::try_from(at + c.len_utf8()).unwrap());
            match spans.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => spans.push(ByteSpan::new(start, end)),
            }
        }
        spans
    }

    type Choice = (u8, Vec<bool>);

    fn choices() -> impl Strategy<Value = Vec<Choice>> {
        proptest::collection::vec((0u8..4, proptest::collection::vec(any::<bool>(), 1..7)), 1..8)
    }

    /// Rewrites, checks what is left against the law, restores.
    fn check(name: &str, input: &[u8], choices: &[Choice]) {
        let fields = Fields::default();
        let chunk = chunk(name, input);
        let before = texts(&chunk, &fields);
        let choice = |doc: usize| &choices[doc % choices.len()];
        let cuts: Vec<Vec<ByteSpan>> = before
            .iter()
            .enumerate()
            .map(|(doc, text)| text.as_ref().map_or(vec![], |text| spans(text, &choice(doc).1)))
            .collect();
        let action = |doc: u32| match choice(doc as usize).0 {
            0 => Action::Keep,
            1 => Action::Drop,
            _ if before[doc as usize].is_none() => Action::Keep,
            _ => Action::Cut(&cuts[doc as usize]),
        };
        let (mut out, mut sidecar) = (Vec::new(), Vec::new());
        let parts = rewrite(&chunk, &fields, action, &mut out, &mut |removed| {
            sidecar.push(serde_json::to_string(&removed).unwrap());
            Ok(())
        })
        .unwrap();

        let expected: Vec<Option<String>> = (0..)
            .zip(&before)
            .filter_map(|(doc, text)| match action(doc) {
                Action::Keep => Some(text.clone()),
                Action::Drop => None,
                Action::Cut(spans) => Some(Some(without(text.as_deref().unwrap(), spans))),
            })
            .collect();
        if !parts[0].absent {
            assert_eq!(texts(&super::chunk(name, &out), &fields), expected);
        }

        let mut reader = out.as_slice();
        let removed = sidecar.iter().map(|line| Ok(serde_json::from_str::<Removed<'_>>(line).unwrap()));
        let mut restored = Vec::new();
        let output = (!parts[0].absent).then_some(&mut reader as &mut dyn std::io::BufRead);
        restore(Format::of(name).unwrap().0, output, removed, &mut |bytes| {
            restored.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap();
        assert_eq!(restored, input);
    }

    proptest! {
        #[test]
        fn json_lines(lines in proptest::collection::vec(prop_oneof![8 => line(), 1 => Just("\n".to_owned()), 1 => Just("{oops\r\n".to_owned())], 1..6), mark in any::<bool>(), open_end in any::<bool>(), choices in choices()) {
            let mut input = if mark { "\u{feff}".to_owned() } else { String::new() };
            input.push_str(&lines.concat());
            if open_end {
                input.truncate(input.trim_end().len());
            }
            check("a.jsonl", input.as_bytes(), &choices);
        }

        #[test]
        fn text_files(text in "\u{feff}?[a\\\\né\r漢😀]{0,20}", choices in choices()) {
            check("a.txt", text.as_bytes(), &choices);
        }
    }

    #[test]
    fn bytes_outside_the_spans_stay() {
        let input = b"\xEF\xBB\xBF{ \"x\": [1 ,2], \"text\" : \"A\\u00e9\\nB\\ud83d\\ude00C\" ,\"x\":1}\r\n";
        let chunk = chunk("a.jsonl", input);
        let spans = [ByteSpan::new(1, 3), ByteSpan::new(5, 9)];
        let mut out = Vec::new();
        rewrite(&chunk, &Fields::default(), |_| Action::Cut(&spans), &mut out, &mut |_| Ok(())).unwrap();
        assert_eq!(out, b"\xEF\xBB\xBF{ \"x\": [1 ,2], \"text\" : \"A\\nBC\" ,\"x\":1}\r\n");
    }

    #[test]
    fn a_span_after_the_text_is_an_error() {
        let spans = [ByteSpan::new(1, 30)];
        for (name, bytes) in [("a.jsonl", &b"{\"text\":\"abc\"}"[..]), ("a.txt", b"abc")] {
            let chunk = chunk(name, bytes);
            let result = rewrite(&chunk, &Fields::default(), |_| Action::Cut(&spans), &mut Vec::new(), &mut |_| Ok(()));
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Resource);
        }
    }
}

mod specimens {
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
        for case in &cases.case {
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
}

mod folders {
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
            assert_eq!(restore_folder(&out, &back).unwrap(), 8);
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
        let left: Vec<bool> = ["notes.txt", "data/a.jsonl", "plan.jsonl", "data/stale.jsonl"]
            .iter()
            .map(|n| out.join(n).exists())
            .collect();
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
            assert_eq!(restore_folder(&out, &back).unwrap_err().kind(), ErrorKind::Input, "{broken}");
            assert!(!back.exists());
        }
    }
}
