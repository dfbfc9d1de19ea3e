//! What the first read of the input counts: records, bytes, tokens, and where each file's documents begin.

use crate::Error;
use crate::io::Chunk;
use crate::record::RecordView;
use serde::{Deserialize, Serialize};

/// Totals of the input.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Census {
    /// Rows: document numbers are below.
    pub(super) rows: u32,
    pub(super) records: u64,
    pub(super) bad: u64,
    /// UTF-8 bytes of the texts.
    pub(super) text_bytes: u64,
    pub(super) tokens: u64,
    /// Document number of each file's first row, by file.
    first_docs: Vec<u32>,
}

/// What one chunk adds.
#[derive(Debug, Default)]
pub(super) struct Share {
    rows: u32,
    records: u64,
    text_bytes: u64,
    tokens: u64,
    files: Vec<u32>,
    /// Records that could not be read.
    pub(super) bad: Vec<Error>,
}

impl Share {
    pub(super) fn of(chunk: &Chunk) -> Self {
        let files = chunk.parts.iter().filter(|p| p.first_row == 0).map(|p| p.first_doc).collect();
        Self { rows: chunk.rows(), files, ..Self::default() }
    }

    pub(super) fn count(&mut self, record: &RecordView<'_>, tokens: usize) {
        self.records += 1;
        self.text_bytes += record.text.len() as u64;
        self.tokens += tokens as u64;
    }
}

impl Census {
    /// Adds a chunk; chunks come in input order.
    pub(super) fn add(&mut self, share: Share) -> Vec<Error> {
        self.rows += share.rows;
        self.records += share.records + share.bad.len() as u64;
        self.bad += share.bad.len() as u64;
        self.text_bytes += share.text_bytes;
        self.tokens += share.tokens;
        self.first_docs.extend(share.files);
        share.bad
    }

    /// The file of a document and its row in it, from 0.
    pub(super) fn place(&self, doc: u32) -> (usize, u64) {
        // Of files without rows, which begin at the same number, the last one has the row.
        let file = self.first_docs.partition_point(|&first| first <= doc) - 1;
        (file, u64::from(doc - self.first_docs[file]))
    }
}
