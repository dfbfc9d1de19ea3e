//! The borders as a whole: specimens of every format, and the way out and back.

mod folders;
mod hostile;
#[cfg(feature = "parquet")]
mod parquet;
mod round_trip;
mod specimens;
mod warc;

use super::*;
use crate::error::ErrorKind;
use crate::record::{Action, Fields, RecordView, Removed, Visit};
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

/// Shows the first record of a file.
pub(super) fn first_record(name: &str, bytes: &[u8], fields: &Fields, check: impl Fn(&RecordView<'_>)) {
    let mut seen = false;
    let visit = |visit: Visit<'_>| {
        if let Visit::Record(record) = visit
            && !std::mem::replace(&mut seen, true)
        {
            check(&record);
        }
        Ok(())
    };
    Parser::new(fields).visit(&chunk(name, bytes), visit).unwrap();
    assert!(seen, "{name} holds no record");
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
