//! The way out: lines become columns again, in a file like the one they came from.
//!
//! Values of a column are encoded as they come; its pages wait in memory, and beyond some MiB in an unnamed file,
//! until the row group is full and its columns can be put one after the other.

use super::cell::{Cells, Value};
use super::read::open;
use super::{Leaf, by_type, guarded};
use crate::error::{Error, Result};
use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::column::page::{CompressedPage, PageWriteSpec, PageWriter};
use ::parquet::column::writer::{ColumnCloseResult, ColumnWriterImpl, get_column_writer, get_typed_column_writer};
use ::parquet::data_type::DataType;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use ::parquet::file::reader::FileReader;
use ::parquet::file::writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite};
use bytes::Bytes;
use memchr::memchr;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::{SpooledData, SpooledTempFile, spooled_tempfile_in};

/// Bytes of lines whose values are encoded at once; a page is ended after it where it is due.
const BATCH_BYTES: usize = 1 << 20;
/// Compressed pages of a column that stay in memory.
const PAGES_BYTES: usize = 4 << 20;
/// As the zstd command; a file does not say at which level it was written.
const ZSTD_LEVEL: i32 = 3;

/// A Parquet file that is being written from lines.
pub(crate) struct Table {
    file: SerializedFileWriter<File>,
    leaves: Vec<Leaf>,
    columns: Vec<Box<dyn Column>>,
    /// Where unnamed files go.
    scratch: PathBuf,
    group_rows: u64,
    /// In the open row group.
    rows: u64,
    /// Bytes of lines whose values are not encoded yet.
    pending: usize,
    /// A line whose end has not come yet.
    carry: Vec<u8>,
}

impl Table {
    /// A file like the one at `like`.
    ///
    /// # Errors
    /// As [`Lines::open`](super::Lines::open), and where the file cannot be written.
    pub(crate) fn create(file: File, like: &Path, scratch: &Path) -> Result<Self> {
        let like = open(like)?;
        let meta = like.metadata();
        let group_rows = meta.row_groups().iter().map(|group| group.num_rows()).max().unwrap_or(1);
        let schema = meta.file_metadata().schema_descr();
        let properties = Arc::new(properties(meta)?);
        let file = guarded(|| SerializedFileWriter::new(file, schema.root_schema_ptr(), properties))?;
        Ok(Self {
            file,
            leaves: Leaf::all(schema),
            columns: Vec::new(),
            scratch: scratch.to_path_buf(),
            group_rows: u64::try_from(group_rows).unwrap_or(1).max(1),
            rows: 0,
            pending: 0,
            carry: Vec::new(),
        })
    }

    /// Appends lines; the last may be continued by the next call.
    pub(crate) fn write(&mut self, mut lines: &[u8]) -> io::Result<()> {
        while let Some(at) = memchr(b'\n', lines) {
            let (line, rest) = lines.split_at(at + 1);
            lines = rest;
            if self.carry.is_empty() {
                self.line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.carry);
                whole.extend_from_slice(line);
                self.line(&whole)?;
            }
        }
        self.carry.extend_from_slice(lines);
        Ok(())
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        if !self.carry.is_empty() {
            return Err(io::Error::other(mismatch()));
        }
        self.end_group()?;
        let Self { file, .. } = self;
        guarded(|| file.close()).map(drop).map_err(io::Error::other)
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.columns.is_empty() {
            self.begin_group();
        }
        self.parse(line).ok_or_else(|| io::Error::other(mismatch()))?;
        self.rows += 1;
        self.pending += line.len();
        if self.pending >= BATCH_BYTES {
            self.encode()?;
        }
        if self.rows == self.group_rows { self.end_group() } else { Ok(()) }
    }

    fn parse(&mut self, line: &[u8]) -> Option<()> {
        let mut rest = line;
        let mut mark = &b"{"[..];
        for (column, leaf) in self.columns.iter_mut().zip(&self.leaves) {
            rest = rest.strip_prefix(mark)?.strip_prefix(leaf.key.as_slice())?;
            column.parse_next(leaf, &mut rest)?;
            mark = b",";
        }
        (rest == b"}\n").then_some(())
    }

    fn begin_group(&mut self) {
        let properties = self.file.properties();
        self.columns = self.leaves.iter().map(|leaf| column(leaf, properties, &self.scratch)).collect();
    }

    fn encode(&mut self) -> io::Result<()> {
        self.pending = 0;
        let mut columns = self.columns.iter_mut().zip(&self.leaves);
        guarded(|| columns.try_for_each(|(column, leaf)| column.encode(leaf))).map_err(io::Error::other)
    }

    fn end_group(&mut self) -> io::Result<()> {
        self.encode()?;
        self.rows = 0;
        let columns = std::mem::take(&mut self.columns);
        if columns.is_empty() {
            return Ok(());
        }
        let file = &mut self.file;
        guarded(|| {
            let mut group = file.next_row_group()?;
            for column in columns {
                let (closed, pages) = column.close()?;
                match pages.into_inner() {
                    SpooledData::InMemory(pages) => group.append_column(&Bytes::from(pages.into_inner()), closed)?,
                    SpooledData::OnDisk(pages) => group.append_column(&pages, closed)?,
                }
            }
            group.close().map(drop)
        })
        .map_err(io::Error::other)
    }
}

fn mismatch() -> Error {
    Error::input("a row does not fit the columns of the Parquet file")
        .cure("restore from the folder as the run left it, all its files unchanged")
}

/// Writes as `like` was written, as far as it tells: what its first row group does, all do.
fn properties(like: &ParquetMetaData) -> Result<WriterProperties> {
    let file = like.file_metadata();
    let mut properties = WriterProperties::builder().set_key_value_metadata(file.key_value_metadata().cloned());
    let chunks = like.row_groups().first().map_or(&[][..], |group| group.columns());
    for chunk in chunks {
        let path = chunk.column_path();
        let encoding = chunk.encodings().find(|encoding| {
            use Encoding::{BYTE_STREAM_SPLIT, DELTA_BINARY_PACKED, DELTA_BYTE_ARRAY, DELTA_LENGTH_BYTE_ARRAY};
            matches!(encoding, BYTE_STREAM_SPLIT | DELTA_BINARY_PACKED | DELTA_BYTE_ARRAY | DELTA_LENGTH_BYTE_ARRAY)
        });
        if let Some(encoding) = encoding {
            properties = properties.set_column_encoding(path.clone(), encoding);
        }
        let compression = match chunk.compression() {
            Compression::ZSTD(_) => Compression::ZSTD(guarded(|| ZstdLevel::try_new(ZSTD_LEVEL))?),
            other => other,
        };
        properties = properties
            .set_column_compression(path.clone(), compression)
            .set_column_dictionary_enabled(path.clone(), chunk.dictionary_page_offset().is_some())
            .set_column_bloom_filter_enabled(path.clone(), chunk.bloom_filter_offset().is_some());
    }
    Ok(properties.build())
}

/// A column of the open row group.
trait Column: Send {
    /// See [`Cells::parse_next`].
    fn parse_next(&mut self, leaf: &Leaf, json: &mut &[u8]) -> Option<()>;
    /// Encodes what was parsed.
    fn encode(&mut self, leaf: &Leaf) -> Result<(), ParquetError>;
    /// Ends the column; returns what its file must know of it, and its pages.
    fn close(self: Box<Self>) -> Result<(ColumnCloseResult, SpooledTempFile), ParquetError>;
}

struct Typed<T: DataType> {
    writer: ColumnWriterImpl<'static, T>,
    pages: Pages,
    cells: Cells<T::T>,
}

impl<T: DataType<T: Value>> Column for Typed<T> {
    fn parse_next(&mut self, leaf: &Leaf, json: &mut &[u8]) -> Option<()> {
        self.cells.parse_next(leaf, json)
    }

    fn encode(&mut self, leaf: &Leaf) -> Result<(), ParquetError> {
        let Cells { defs, reps, values, .. } = &self.cells;
        let defs = (leaf.defined() > 0).then_some(defs.as_slice());
        let reps = leaf.repeated().then_some(reps.as_slice());
        self.writer.write_batch(values, defs, reps)?;
        self.cells.clear();
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(ColumnCloseResult, SpooledTempFile), ParquetError> {
        let Self { writer, pages, .. } = *self;
        let closed = writer.close()?;
        Ok((closed, pages.take()))
    }
}

fn column(leaf: &Leaf, properties: &WriterPropertiesPtr, scratch: &Path) -> Box<dyn Column> {
    let pages = Pages(Arc::new(Mutex::new((spooled_tempfile_in(PAGES_BYTES, scratch), 0))));
    let writer = get_column_writer(leaf.column.clone(), properties.clone(), Box::new(pages.clone()));
    by_type!(leaf.column.physical_type(), T => {
        Box::new(Typed::<T> { writer: get_typed_column_writer(writer), pages, cells: Cells::new() })
    })
}

/// The pages of a column, and how many bytes they are; shared by the encoder and us.
#[derive(Clone)]
struct Pages(Arc<Mutex<(SpooledTempFile, u64)>>);

impl Pages {
    /// The pages; this handle and the encoder's are empty after it.
    fn take(&self) -> SpooledTempFile {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut pages.0, SpooledTempFile::new(0))
    }
}

impl PageWriter for Pages {
    fn write_page(&mut self, page: CompressedPage) -> Result<PageWriteSpec, ParquetError> {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, end) = &mut *pages;
        let mut tracked = TrackedWrite::new(file);
        let mut spec = SerializedPageWriter::new(&mut tracked).write_page(page)?;
        tracked.flush()?;
        spec.offset = *end;
        *end += spec.bytes_written;
        Ok(spec)
    }

    fn close(&mut self) -> Result<(), ParquetError> {
        Ok(())
    }
}
