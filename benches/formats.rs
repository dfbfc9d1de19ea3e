//! What a format costs: the same records as JSON lines, WET and Parquet, plain and packed, read and written again.
//!
//! `cargo bench --bench formats [-- MB]`. One thread, least processor time of three runs. *read* is decompressing, cutting
//! into chunks and visiting every record; *write* adds the rewrite with every tenth record dropped, packing and writing.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops where it cannot go on")]

#[path = "shared/clock.rs"]
#[allow(dead_code, reason = "the measurement for criterion is not used here")]
mod clock;
mod corpus;

use corpus::{Made, Recipe, stream};
use descale::io::{Inputs, OutDir, Parser, ReadOptions, pack, rewrite};
use descale::record::{Action, Fields, Visit};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const RUNS: usize = 3;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let megabytes = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(if quick { 1 } else { 60 });
    let folder = tempfile::tempdir().unwrap();
    let made = records(megabytes << 20);
    let text = made.iter().map(|made| made.text.len()).sum::<usize>();
    println!("{:.0} MB of text, {} records; MB of text per second of one core", text as f64 / 1e6, made.len());
    println!("{:<16}{:>10}{:>10}{:>10}", "file", "MB", "read", "write");
    for name in
        ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.wet", "a.wet.gz", "plain.parquet", "zstd.parquet", "snappy.parquet"]
    {
        let path = folder.path().join(name);
        store(&made, &path);
        let rate = |step: &dyn Fn()| {
            let least = std::iter::repeat_with(|| timed(step)).take(if quick { 1 } else { RUNS }).min().unwrap();
            text as f64 / 1e6 / least.as_secs_f64()
        };
        let size = fs::metadata(&path).unwrap().len() as f64 / 1e6;
        let (read, write) = (rate(&|| read(&path)), rate(&|| write(&path, folder.path())));
        println!("{name:<16}{size:>10.1}{read:>10.0}{write:>10.0}");
    }
}

fn timed(step: &dyn Fn()) -> Duration {
    let start = clock::now();
    step();
    clock::now() - start
}

/// Records with at least so many bytes of text.
fn records(bytes: usize) -> Vec<Made> {
    let mut made = 0;
    let enough = |record: &Made| {
        let goes_on = made < bytes;
        made += record.text.len();
        goes_on
    };
    stream(Recipe::default()).take_while(enough).collect()
}

fn wet(made: &Made) -> Vec<u8> {
    let head = format!(
        "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: https://s{}.example/{}\r\nWARC-Record-ID: <urn:{}>\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        made.number % 97,
        made.number,
        made.number,
        made.text.len()
    );
    [head.as_bytes(), made.text.as_bytes(), b"\r\n\r\n"].concat()
}

fn store(made: &[Made], path: &Path) {
    let name = path.file_name().unwrap().to_str().unwrap();
    if name.ends_with("parquet") {
        return table(made, path, name.split('.').next().unwrap());
    }
    let warc = name.contains("wet");
    let record = |made: &Made| if warc { wet(made) } else { made.line().into_bytes() };
    let gzip = |content: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    };
    let bytes: Vec<u8> = match (warc, name.rsplit('.').next().unwrap()) {
        // Every record is a member, as crawls have it.
        (true, "gz") => made.iter().flat_map(|made| gzip(&wet(made))).collect(),
        (_, packed) => {
            let plain: Vec<u8> = made.iter().flat_map(record).collect();
            match packed {
                "gz" => gzip(&plain),
                "zst" => zstd::encode_all(&plain[..], 3).unwrap(),
                _ => plain,
            }
        }
    };
    fs::write(path, bytes).unwrap();
}

/// Row groups of 64 MB, as hubs have them.
fn table(made: &[Made], path: &Path, codec: &str) {
    let schema = "message m { required binary id (UTF8); required binary site (UTF8); required binary text (UTF8); }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let codec = match codec {
        "zstd" => Codec::ZSTD(ZstdLevel::default()),
        "snappy" => Codec::SNAPPY,
        _ => Codec::UNCOMPRESSED,
    };
    let properties = Arc::new(WriterProperties::builder().set_compression(codec).build());
    let mut writer = SerializedFileWriter::new(fs::File::create(path).unwrap(), schema, properties).unwrap();
    for rows in made.chunks(30_000) {
        let mut group = writer.next_row_group().unwrap();
        let columns: [&dyn Fn(&Made) -> String; 3] =
            [&|made| format!("d{}", made.number), &|made| format!("s{}", made.number % 97), &|made| made.text.clone()];
        for column in columns {
            let values: Vec<ByteArray> = rows.iter().map(|made| column(made).into_bytes().into()).collect();
            let mut writer = group.next_column().unwrap().unwrap();
            writer.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
            writer.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

fn inputs(path: &Path) -> Inputs {
    Inputs::resolve(&[path.to_str().unwrap().into()]).unwrap()
}

fn read(path: &Path) {
    let mut source = inputs(path).source(ReadOptions::default());
    let (mut parser, mut buffer, mut bytes) = (Parser::new(&Fields::default()), Vec::new(), 0);
    while let Some(chunk) = source.next_chunk(buffer).unwrap() {
        let visit = |visit: Visit<'_>| {
            let Visit::Record(record) = visit else { panic!("{visit:?}") };
            bytes += record.text.len();
            Ok(())
        };
        parser.visit(&chunk, visit).unwrap();
        buffer = chunk.bytes;
    }
    black_box(bytes);
}

fn write(path: &Path, folder: &Path) {
    let (inputs, fields) = (inputs(path), Fields::default());
    let out = tempfile::tempdir_in(folder).unwrap();
    let folder = OutDir::create(&out.path().join("out"), &inputs, false).unwrap();
    let (mut data, mut source) = (folder.data_writer().unwrap(), inputs.source(ReadOptions::default()));
    let (mut parser, mut bytes, mut buffer) = (Parser::new(&fields), Vec::new(), Vec::new());
    while let Some(chunk) = source.next_chunk(buffer).unwrap() {
        parser.visit(&chunk, |_| Ok(())).unwrap();
        let action = |doc: u32| if doc.is_multiple_of(10) { Action::Drop } else { Action::Keep };
        let mut parts = rewrite(&chunk, &fields, action, &mut bytes, &mut |_| Ok(())).unwrap();
        pack(&mut parts, &mut bytes);
        data.write(&parts, &bytes).unwrap();
        buffer = chunk.bytes;
    }
}
