//! Archives: records are edited with their headers, and every record of a `.gz` stays a member.

use super::round_trip::{check, choices};
use super::*;
use flate2::bufread::GzDecoder;
use proptest::prelude::*;
use proptest::sample::select;
use std::io::{Read as _, Write as _};

fn record() -> impl Strategy<Value = Vec<u8>> {
    let kind = select(&["conversion", "conversion", "resource", "response", "warcinfo"][..]);
    let digest = select(&["", "WARC-Block-Digest: sha1:AAA\r\n", "warc-payload-digest : x\r\nX: y\r\n"][..]);
    let end = select(&["\r\n\r\n", "\n", "\n\r\n\r\n\n"][..]);
    (kind, digest, "[aé\r\n:😀W]{0,12}", end, any::<bool>()).prop_map(|(kind, digest, text, end, before)| {
        let (first, last) = if before { (digest, "") } else { ("", digest) };
        let mut record = format!(
            "WARC/1.0\r\nWARC-Type: {kind}\r\n{first}Content-Type: text/plain\r\nContent-Length:  {}\r\n{last}\r\n{text}",
            text.len()
        )
        .into_bytes();
        if kind == "response" {
            // A block that is no UTF-8, as long as its length says.
            record.iter_mut().rev().take(text.len()).for_each(|byte| *byte |= 0x80);
        }
        record.extend_from_slice(end.as_bytes());
        record
    })
}

proptest! {
    #[test]
    fn archives_come_back(records in proptest::collection::vec(record(), 1..6), choices in choices()) {
        check("a.warc", &records.concat(), &choices);
    }
}

const RECORD: &[u8] = b"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: <https://A.example:80/x>\r\n\
    WARC-Block-Digest: sha1:AAA\r\nContent-Type: text/plain\r\nX-Quality: 0.5\r\nContent-Length: 10\r\n\r\nkeep-drop!\r\n\r\n";

#[test]
fn the_header_follows_the_text() {
    let spans = [ByteSpan::new(4, 9)];
    let mut out = Vec::new();
    rewrite(&chunk("a.wet", RECORD), &Fields::default(), |_| Action::Cut(&spans), &mut out, &mut |_| Ok(())).unwrap();
    let text = std::str::from_utf8(&out).unwrap();
    assert!(text.contains("Content-Length: 5\r\n\r\nkeep!\r\n\r\n") && !text.contains("Digest"), "{text}");
}

#[test]
fn a_record_says_where_it_is_from() {
    let fields = Fields { rank: Some("x-quality".into()), ..Fields::default() };
    first_record("a.warc", RECORD, &fields, |record| {
        assert_eq!((record.id, record.site), (Some("https://A.example:80/x"), Some("a.example")));
        assert_eq!((record.rank, record.text), (Some(0.5), "keep-drop!"));
        assert_eq!(&record.raw[record.value.clone()], record.text.as_bytes());
    });
    let siteless = Fields { site: None, ..Fields::default() };
    first_record("a.warc", RECORD, &siteless, |record| assert_eq!(record.site, None));
}

fn members(mut gzip: &[u8]) -> Vec<Vec<u8>> {
    let mut members = Vec::new();
    while !gzip.is_empty() {
        let mut decoder = GzDecoder::new(gzip);
        let mut content = Vec::new();
        decoder.read_to_end(&mut content).unwrap();
        gzip = decoder.into_inner();
        members.push(content);
    }
    members
}

#[test]
fn a_record_is_a_gzip_member() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.warc.gz");
    let mut whole = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    whole.write_all(&RECORD.repeat(3)).unwrap();
    fs::write(&path, whole.finish().unwrap()).unwrap();
    let inputs = Inputs::resolve(&[path.to_str().unwrap().into()]).unwrap();
    for (packs, out) in [(true, root.path().join("out1")), (false, root.path().join("out2"))] {
        let folder = OutDir::create(&out, &inputs, false).unwrap();
        let (mut data, mut sidecar) = (folder.data_writer().unwrap(), folder.json_lines("removed.jsonl").unwrap());
        let mut source = Chunks::new(&inputs, ReadOptions { chunk_bytes: 300, ..ReadOptions::default() });
        let (mut bytes, spans) = (Vec::new(), [ByteSpan::new(0, 5)]);
        while let Some(chunk) = source.next_chunk(Vec::new()).unwrap() {
            let action = |doc: u32| [Action::Keep, Action::Cut(&spans), Action::Drop][doc as usize];
            let mut parts =
                rewrite(&chunk, &Fields::default(), action, &mut bytes, &mut |r| sidecar.write(&r)).unwrap();
            if packs {
                pack(&mut parts, &mut bytes);
            }
            data.write(&parts, &bytes).unwrap();
        }
        sidecar.finish().unwrap();
        folder.commit().unwrap();
        let written = members(&fs::read(out.join("data/a.warc.gz")).unwrap());
        assert_eq!(written.len(), 2);
        assert_eq!(written[0], RECORD);
        let back = out.with_extension("back");
        restore_folder(&out, &back, None).unwrap();
        assert_eq!(members(&fs::read(back.join("a.warc.gz")).unwrap()), [RECORD; 3]);
    }
}
