//! Rows that are in memory already: a table that a caller holds, read in place instead of from files.
//!
//! A [`Rows`] says what its rows hold; a [`TableSource`] cuts it into chunks without bytes, whose records the
//! [`Parser`](super::Parser) takes straight from the table. Nothing is copied, and everything above sees records as
//! if they came from one file. Nothing can be written back either: what becomes of the rows is the caller's to apply.

use super::chunk::{Chunk, Part, ReadOptions, Source};
use super::inputs::InputFile;
use crate::error::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// A table in memory. Rows count from 0.
pub trait Rows: Send + Sync {
    /// How many rows there are.
    fn count(&self) -> u64;

    /// UTF-8 bytes of a row's text, 0 without one. Cheap: asked for every row before it is read.
    fn text_bytes(&self, row: u64) -> usize;

    /// A row. `id` and `site` are room for values that are no strings in the table, as numbers.
    fn row<'a>(&'a self, row: u64, id: &'a mut String, site: &'a mut String) -> MemoryRow<'a>;
}

/// What a row of a [`Rows`] holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MemoryRow<'a> {
    /// Its text; a row without one is nobody's duplicate and stays as it is.
    pub text: Option<&'a str>,
    /// Its name, where it has one.
    pub id: Option<&'a str>,
    /// The host, source or folder it is from, where it has one; a URL stands for its host.
    pub site: Option<&'a str>,
    /// Its rank, where it has one ([`Keep::Highest`](crate::near::Keep::Highest)).
    pub rank: Option<f64>,
}

/// A table as an input: its handle in an [`InputFile`].
#[derive(Clone)]
pub(crate) struct Table(pub(crate) Arc<dyn Rows>);

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({} rows)", self.0.count())
    }
}

/// The [`Source`] over a table: chunks that hold no bytes, only which rows they are.
pub(super) struct TableSource {
    input: Arc<InputFile>,
    rows: Arc<dyn Rows>,
    options: ReadOptions,
    next: u64,
    number: u64,
}

/// What a row costs a chunk besides its text, so that rows without text do not make one chunk without end.
const ROW_BYTES: usize = 16;

impl TableSource {
    pub(super) fn new(input: &Arc<InputFile>, rows: &Table, options: ReadOptions) -> Self {
        Self { input: Arc::clone(input), rows: Arc::clone(&rows.0), options, next: 0, number: 0 }
    }
}

impl Source for TableSource {
    fn next_chunk(&mut self, mut reuse: Vec<u8>) -> Result<Option<Chunk>> {
        reuse.clear();
        let (first, count) = (self.next, self.rows.count());
        let (mut cost, mut bytes) = (0, 0);
        while self.next < count && cost < self.options.chunk_bytes {
            let len = self.rows.text_bytes(self.next);
            cost += len + ROW_BYTES;
            bytes += len as u64;
            self.next += 1;
        }
        if first == self.next && self.number > 0 {
            return Ok(None);
        }
        let narrow = |n: u64| {
            let error = || Error::usage("the table has more than 4,294,967,295 rows").cure("run it in shards");
            u32::try_from(n).map_err(|_| error())
        };
        narrow(self.next + 1)?;
        let part = Part {
            input: Arc::clone(&self.input),
            first_row: first,
            first_doc: narrow(first)?,
            rows: narrow(self.next - first)?,
            range: 0..0,
            ends: self.next == count,
        };
        let number = self.number;
        self.number += 1;
        Ok(Some(Chunk { number, bytes: reuse, parts: vec![part], disk_bytes: bytes }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Inputs, Parser};
    use super::*;
    use crate::record::{Fields, Visit};

    struct Column(Vec<Option<&'static str>>);

    impl Rows for Column {
        fn count(&self) -> u64 {
            self.0.len() as u64
        }
        fn text_bytes(&self, row: u64) -> usize {
            self.0[usize::try_from(row).unwrap()].map_or(0, str::len)
        }
        fn row<'a>(&'a self, row: u64, id: &'a mut String, _: &'a mut String) -> MemoryRow<'a> {
            *id = format!("n{row}");
            let text = self.0[usize::try_from(row).unwrap()];
            MemoryRow { text, id: Some(id), site: Some("https://A.example/x"), rank: None }
        }
    }

    fn read(rows: Vec<Option<&'static str>>, chunk_bytes: usize) -> (usize, Vec<String>) {
        let inputs = Inputs::of_table("table", Arc::new(Column(rows)));
        let mut source = inputs.source(ReadOptions { chunk_bytes, ..ReadOptions::default() });
        let mut parser = Parser::new(&Fields::default());
        let (mut chunks, mut seen) = (0, Vec::new());
        while let Some(chunk) = source.next_chunk(Vec::new()).unwrap() {
            chunks += 1;
            let visit = |visit: Visit<'_>| {
                seen.push(match visit {
                    Visit::Record(r) => format!("{} {} {} {}", r.doc, r.id.unwrap(), r.site.unwrap(), r.text),
                    Visit::Blank { doc } => format!("{doc} blank"),
                    Visit::Bad { error, .. } => return Err(error),
                });
                Ok(())
            };
            parser.visit(&chunk, visit).unwrap();
        }
        (chunks, seen)
    }

    #[test]
    fn rows_come_in_order_whatever_the_chunks() {
        let rows = vec![Some("one"), None, Some(""), Some("four")];
        let (chunks, seen) = read(rows.clone(), 1);
        assert_eq!((chunks, &seen), (4, &read(rows, 1 << 20).1));
        assert_eq!(seen, ["0 n0 a.example one", "1 blank", "2 n2 a.example ", "3 n3 a.example four"]);
    }

    #[test]
    fn an_empty_table_is_one_empty_chunk() {
        assert_eq!(read(Vec::new(), 100), (1, Vec::new()));
    }
}
