//! From a chunk to its records, whatever the format: the one place a reader of records has to know.

use super::chunk::{Chunk, Part, Row, rows};
use super::inputs::Format;
use super::{jsonl, text_files, warc};
use crate::error::{Error, Result};
use crate::record::{Fields, RecordView, Visit};
use simdutf8::compat;

/// Visits the records of chunks. Holds buffers for decoded values: one per thread, used again and again.
#[derive(Clone, Debug)]
pub struct Parser {
    fields: Fields,
    buffers: Buffers,
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
        Self { fields: fields.clone(), buffers: Buffers::default() }
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
            if (part.first_doc..part.first_doc + part.rows).any(&wanted) {
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
            let line = valid.map_or_else(|| utf8(&row), |text| Ok(&text[row.at..row.at + row.raw.len()]));
            let record = line.and_then(|line| self.record(&row, line));
            visit(match record {
                Ok(Some(record)) => Visit::Record(record),
                Ok(None) => Visit::Blank { doc: row.doc },
                Err(error) => Visit::Bad { doc: row.doc, error: row.locate(error) },
            })?;
        }
        Ok(())
    }

    fn record<'a>(&'a mut self, row: &Row<'a>, line: &'a str) -> Result<Option<RecordView<'a>>> {
        match row.input.format {
            Format::JsonLines | Format::Parquet => jsonl::record(row, line, &self.fields, &mut self.buffers),
            Format::Text => Ok(Some(text_files::record(row, line, &self.fields))),
            Format::Warc => {
                let text = warc::text(row.raw);
                Ok(text.map(|text| warc::record(row, line, text, &self.fields, &mut self.buffers)))
            }
        }
    }
}

/// The row as UTF-8.
///
/// # Errors
/// The byte in the row that is broken.
pub(super) fn utf8<'a>(row: &Row<'a>) -> Result<&'a str> {
    compat::from_utf8(row.raw).map_err(|error| {
        let column = error.valid_up_to() + 1;
        let sixteen = row.number == 0 && (row.raw.starts_with(b"\xFF\xFE") || row.raw.starts_with(b"\xFE\xFF"));
        let cure = if sixteen { "convert it: `iconv -f UTF-16 -t UTF-8`" } else { "convert the file to UTF-8" };
        Error::input(format!("broken UTF-8 at byte {column} of the record")).cure(cure)
    })
}
