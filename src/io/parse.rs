//! From a chunk to its records, whatever the format: the one place a reader of records has to know.

use super::chunk::{Chunk, Part, Row, rows};
use super::inputs::Format;
use super::lossy::{Line, Lossy};
use super::rows::{MemoryRow, Rows};
use super::site::site;
use super::{jsonl, text_files, warc};
use crate::error::{Error, Result};
use crate::record::{Fields, RecordView, Visit};
use simdutf8::compat;

/// Visits the records of chunks. Holds buffers for decoded values: one per thread, used again and again.
#[derive(Clone, Debug)]
pub struct Parser {
    fields: Fields,
    buffers: Buffers,
    /// Whether broken UTF-8 is read all the same.
    replaces: bool,
    lossy: Lossy,
}

/// Room for values that differ from their raw form.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers {
    pub(super) text: String,
    pub(super) id: String,
    pub(super) site: String,
    /// A host in lower case.
    pub(super) host: String,
}

impl Parser {
    /// A parser for these fields.
    #[must_use]
    pub fn new(fields: &Fields) -> Self {
        Self { fields: fields.clone(), buffers: Buffers::default(), replaces: false, lossy: Lossy::default() }
    }

    /// Reads rows of broken UTF-8 too: a broken sequence is U+FFFD in the view. In the file it stays as it is, and
    /// [`rewrite`](super::rewrite()) cuts the raw bytes that a span of the view stands for. UTF-16 stays an error.
    #[must_use]
    pub fn replacing_broken_utf8(self) -> Self {
        Self { replaces: true, ..self }
    }

    /// Visits every row of the chunk in order: records, blank rows, and broken ones with what is wrong with them.
    /// `O(bytes)`; allocates only for errors.
    ///
    /// # Errors
    /// What `visit` returns, at once: so a caller stops at the first broken record by returning its error.
    ///
    /// # Examples
    /// ```no_run
    /// use descale::io::{Chunks, Inputs, Parser, Source};
    /// use descale::record::{Fields, Visit};
    ///
    /// let inputs = Inputs::resolve(&["corpus/".into()])?;
    /// let mut source = Chunks::new(&inputs, Default::default());
    /// let mut parser = Parser::new(&Fields::default());
    /// let mut buffer = Vec::new();
    /// while let Some(chunk) = source.next_chunk(buffer)? {
    ///     parser.visit(&chunk, |visit| match visit {
    ///         Visit::Record(record) => Ok(drop(record.text.len())),
    ///         Visit::Blank { .. } => Ok(()),
    ///         Visit::Bad { error, .. } => Err(error),
    ///     })?;
    ///     buffer = chunk.bytes;
    /// }
    /// # Ok::<(), descale::Error>(())
    /// ```
    pub fn visit(&mut self, chunk: &Chunk, visit: impl FnMut(Visit<'_>) -> Result<()>) -> Result<()> {
        self.visit_some(chunk, |_| true, visit)
    }

    /// [`visit`](Self::visit) for the rows whose document number `wanted` asks for; the others are not parsed.
    ///
    /// # Errors
    /// As [`visit`](Self::visit).
    pub fn visit_some(
        &mut self,
        chunk: &Chunk,
        wanted: impl Fn(u32) -> bool,
        mut visit: impl FnMut(Visit<'_>) -> Result<()>,
    ) -> Result<()> {
        for part in &chunk.parts {
            if let Some(table) = &part.input.table {
                self.table(part, &*table.0, &wanted, &mut visit)?;
            } else if (part.first_doc..part.first_doc + part.rows).any(&wanted) {
                self.part(part, &chunk.bytes[part.range.clone()], &wanted, &mut visit)?;
            }
        }
        Ok(())
    }

    fn part(
        &mut self,
        part: &Part,
        bytes: &[u8],
        wanted: &impl Fn(u32) -> bool,
        visit: &mut impl FnMut(Visit<'_>) -> Result<()>,
    ) -> Result<()> {
        // UTF-8 is checked in one go, which is fastest; only where that fails row by row.
        let valid = simdutf8::basic::from_utf8(bytes).ok();
        for row in rows(part, bytes).filter(|row| wanted(row.doc)) {
            if row.input.format == Format::Warc && warc::text(row.raw).is_none() {
                // What is no text need not be UTF-8.
                visit(Visit::Blank { doc: row.doc })?;
                continue;
            }
            let line = match valid {
                Some(text) => Ok(Line::whole(&text[row.at..row.at + row.raw.len()])),
                None if self.replaces => Line::lossy(&row, &mut self.lossy),
                None => utf8(&row).map(Line::whole),
            };
            let record = line.and_then(|line| record(&row, line, &self.fields, &mut self.buffers));
            visit(match record {
                Ok(Some(record)) => Visit::Record(record),
                Ok(None) => Visit::Blank { doc: row.doc },
                Err(error) => Visit::Bad { doc: row.doc, error: row.locate(error) },
            })?;
        }
        Ok(())
    }

    /// The rows of a table, as they lie there.
    fn table(
        &mut self,
        part: &Part,
        rows: &dyn Rows,
        wanted: &impl Fn(u32) -> bool,
        visit: &mut impl FnMut(Visit<'_>) -> Result<()>,
    ) -> Result<()> {
        let Buffers { id, site: value, host, .. } = &mut self.buffers;
        for (doc, row) in (part.first_doc..part.first_doc + part.rows).zip(part.first_row..) {
            if !wanted(doc) {
                continue;
            }
            let MemoryRow { text, id, site: value, rank } = rows.row(row, id, value);
            let Some(text) = text else {
                visit(Visit::Blank { doc })?;
                continue;
            };
            visit(Visit::Record(RecordView {
                file: part.input.index,
                row,
                doc,
                id,
                site: value.map(|value| site(value, host)),
                rank: rank.filter(|rank| rank.is_finite()),
                text,
                raw: text.as_bytes(),
                value: 0..text.len(),
            }))?;
        }
        Ok(())
    }
}

fn record<'a>(
    row: &Row<'a>,
    line: Line<'a>,
    fields: &Fields,
    buffers: &'a mut Buffers,
) -> Result<Option<RecordView<'a>>> {
    let found = match row.input.format {
        Format::JsonLines | Format::Parquet => jsonl::record(row, line.text, fields, buffers)?,
        Format::Text => Some(text_files::record(row, line.text, fields)),
        Format::Warc => {
            let text = warc::text(row.raw).map(|text| line.shown(text.start)..line.shown(text.end));
            text.map(|text| warc::record(row, line.text, text, fields, buffers))
        }
    };
    Ok(found.map(|mut record| {
        record.value = line.raw(record.value.start)..line.raw(record.value.end);
        record
    }))
}

/// The row as UTF-8.
///
/// # Errors
/// The byte in the row that is broken.
pub(super) fn utf8<'a>(row: &Row<'a>) -> Result<&'a str> {
    compat::from_utf8(row.raw).map_err(|error| {
        let column = error.valid_up_to() + 1;
        let cure = if row.is_utf16() { "convert it: `iconv -f UTF-16 -t UTF-8`" } else { "convert the file to UTF-8" };
        Error::input(format!("broken UTF-8 at byte {column} of the record")).cure(cure)
    })
}
