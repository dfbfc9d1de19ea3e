//! Bytes of any kind under any name: an error at most, never a panic, never a loss unseen.

use super::*;
use proptest::prelude::*;
use proptest::sample::select;

/// The content of a file as the chunks hold it, after all rows were visited.
fn content(name: &str, bytes: &[u8], chunk_bytes: usize) -> crate::Result<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let inputs = Inputs::resolve(&[path.to_str().unwrap().into()])?;
    let mut source = Chunks::new(&inputs, ReadOptions { chunk_bytes, ..ReadOptions::default() });
    let (mut parser, fields) = (Parser::new(&Fields::default()), Fields::default());
    let (mut content, mut out) = (Vec::new(), Vec::new());
    while let Some(chunk) = source.next_chunk(Vec::new())? {
        let mut rows = 0;
        parser.visit(&chunk, |_| {
            rows += 1;
            Ok(())
        })?;
        assert_eq!(rows, chunk.rows());
        rewrite(&chunk, &fields, |_| Action::Keep, &mut out, &mut |_| panic!("nothing is removed"))?;
        assert_eq!(out, chunk.bytes);
        content.extend(chunk.bytes);
    }
    Ok(content)
}

proptest! {
    #[test]
    fn any_bytes_pass_or_are_refused(
        name in select(vec!["a.jsonl", "a.txt", "a.jsonl.gz", "a.jsonl.zst", "a.txt.zst", "a.warc", "a.warc.gz"]),
        magic in select(vec![&b""[..], &b"\x1f\x8b\x08\0"[..], &b"\x28\xb5\x2f\xfd"[..], &b"\xef\xbb\xbf{"[..], &b"WARC/1.0\nContent-Length:2\n\n"[..]]),
        noise in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let bytes = [magic, &noise].concat();
        match content(name, &bytes, 16) {
            Ok(content) => prop_assert!(content == bytes || !["a.jsonl", "a.txt", "a.warc"].contains(&name)),
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Input),
        }
    }
}

const PLAIN: &[u8] = include_bytes!("../../../fixtures/formats/valid/plain.jsonl");
const GZIP: &[u8] = include_bytes!("../../../fixtures/formats/valid/plain.jsonl.gz");
const ZSTD: &[u8] = include_bytes!("../../../fixtures/formats/valid/plain.jsonl.zst");
const FRAMES: &[u8] = include_bytes!("../../../fixtures/formats/valid/frames.jsonl.zst");

#[test]
fn a_flipped_bit_in_an_archive_is_noticed_or_harmless() {
    for (name, archive) in [("a.jsonl.gz", GZIP), ("a.jsonl.zst", ZSTD), ("a.jsonl.zst", FRAMES)] {
        for at in 0..archive.len() * 8 {
            let mut broken = archive.to_vec();
            broken[at / 8] ^= 1 << (at % 8);
            match content(name, &broken, 1 << 20) {
                Ok(content) => assert_eq!(content, PLAIN, "{name}: bit {at}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Input, "{name}: bit {at}"),
            }
        }
    }
}

#[test]
fn a_cut_archive_is_noticed() {
    for (name, archive) in [("a.jsonl.gz", GZIP), ("a.jsonl.zst", ZSTD)] {
        for at in 1..archive.len() {
            assert_eq!(content(name, &archive[..at], 1 << 20).unwrap_err().kind(), ErrorKind::Input, "{name}: {at}");
        }
    }
}
