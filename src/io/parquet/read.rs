//! The way in: row groups one after the other, all columns of some rows at a time, a line for each row.

use super::cell::{Cells, Value};
use super::{Leaf, by_type, guarded};
use crate::error::{Error, Result};
use ::parquet::basic::Type;
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_typed_column_reader};
use ::parquet::data_type::DataType;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Stored bytes decoded at once, all columns together.
const BATCH_BYTES: u64 = 1 << 20;
/// Rows decoded at once at most: a stored byte may stand for a long text.
const BATCH_ROWS: u64 = 1024;
/// Lines are made until there are so many bytes of them.
const LINES_BYTES: usize = 64 << 10;

/// The rows of a file as lines of JSON.
pub(crate) struct Lines {
    file: SerializedFileReader<File>,
    leaves: Vec<Leaf>,
    columns: Vec<Box<dyn Column>>,
    /// Of the row group after the open one.
    next_group: usize,
    /// Rows of the open row group that are not decoded yet.
    left: u64,
    batch_rows: u64,
    /// Rows that are decoded and no lines yet.
    decoded: u64,
    lines: Vec<u8>,
    taken: usize,
    rows_done: u64,
    rows: u64,
    bytes: u64,
}

impl Lines {
    /// Opens a file and reads its schema.
    ///
    /// # Errors
    /// `Input` where it is no Parquet file, or one that is encrypted or without columns.
    pub(crate) fn open(file: File) -> Result<Self> {
        let bytes = file.metadata().map_err(|e| Error::resource(format!("cannot read: {e}")))?.len();
        let file = guarded(|| SerializedFileReader::new(file))?;
        let meta = file.metadata().file_metadata();
        let leaves = Leaf::all(meta.schema_descr());
        if leaves.is_empty() {
            return Err(Error::input("the Parquet file has no columns"));
        }
        let rows = file.metadata().row_groups().iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(0)).sum();
        Ok(Self {
            file,
            leaves,
            columns: Vec::new(),
            next_group: 0,
            left: 0,
            batch_rows: 1,
            decoded: 0,
            lines: Vec::new(),
            taken: 0,
            rows_done: 0,
            rows,
            bytes,
        })
    }

    /// Bytes of the file that the lines so far stand for.
    pub(crate) fn consumed(&self) -> u64 {
        if self.rows_done >= self.rows {
            return self.bytes;
        }
        let share = u128::from(self.bytes) * u128::from(self.rows_done) / u128::from(self.rows);
        u64::try_from(share).unwrap_or(self.bytes)
    }

    /// Makes more lines; none at the end.
    fn fill(&mut self) -> Result<()> {
        self.lines.clear();
        self.taken = 0;
        while self.lines.len() < LINES_BYTES {
            if self.decoded == 0 && !self.decode()? {
                break;
            }
            self.line()?;
        }
        Ok(())
    }

    /// Decodes the next rows; false at the end.
    fn decode(&mut self) -> Result<bool> {
        while self.left == 0 {
            if self.next_group == self.file.num_row_groups() {
                return Ok(false);
            }
            self.open_group()?;
        }
        let rows = self.left.min(self.batch_rows);
        let wanted = usize::try_from(rows).unwrap_or(1);
        for (column, leaf) in self.columns.iter_mut().zip(&self.leaves) {
            if guarded(|| column.decode(leaf, wanted))? != wanted {
                return Err(contradiction());
            }
        }
        self.left -= rows;
        self.decoded = rows;
        Ok(true)
    }

    fn open_group(&mut self) -> Result<()> {
        let (file, at) = (&self.file, self.next_group);
        self.columns = guarded(|| {
            let group = file.get_row_group(at)?;
            (0..group.num_columns()).map(|i| group.get_column_reader(i).map(column)).collect()
        })?;
        if self.columns.len() != self.leaves.len() {
            return Err(contradiction());
        }
        let meta = self.file.metadata().row_group(at);
        self.left = u64::try_from(meta.num_rows()).map_err(|_| contradiction())?;
        let bytes = u64::try_from(meta.total_byte_size()).unwrap_or(0);
        self.batch_rows = (BATCH_BYTES * self.left / bytes.max(1)).clamp(1, BATCH_ROWS);
        self.next_group += 1;
        Ok(())
    }

    fn line(&mut self) -> Result<()> {
        let mut mark = b'{';
        for (column, leaf) in self.columns.iter_mut().zip(&self.leaves) {
            self.lines.push(mark);
            self.lines.extend_from_slice(&leaf.key);
            if !column.write_next(leaf, &mut self.lines) {
                return Err(contradiction());
            }
            mark = b',';
        }
        self.lines.extend_from_slice(b"}\n");
        self.decoded -= 1;
        self.rows_done += 1;
        Ok(())
    }
}

fn contradiction() -> Error {
    Error::input("the Parquet file is broken: its columns differ in length").cure("fetch or write it again")
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.lines.len() {
            self.fill().map_err(io::Error::other)?;
        }
        let rest = &self.lines[self.taken..];
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        self.taken += read;
        Ok(read)
    }
}

/// Opens a file for its metadata alone.
pub(super) fn open(path: &Path) -> Result<SerializedFileReader<File>> {
    let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
    guarded(|| SerializedFileReader::new(file)).map_err(|e| e.at(path))
}

/// A column of the open row group.
trait Column: Send {
    /// Decodes the next rows, forgetting those before; returns how many there were.
    fn decode(&mut self, leaf: &Leaf, rows: usize) -> Result<usize, ParquetError>;
    /// See [`Cells::write_next`].
    fn write_next(&mut self, leaf: &Leaf, out: &mut Vec<u8>) -> bool;
}

struct Typed<T: DataType> {
    reader: ColumnReaderImpl<T>,
    cells: Cells<T::T>,
}

impl<T: DataType<T: Value>> Column for Typed<T> {
    fn decode(&mut self, leaf: &Leaf, rows: usize) -> Result<usize, ParquetError> {
        let Cells { defs, reps, values, .. } = {
            self.cells.clear();
            &mut self.cells
        };
        let reps = leaf.repeated().then_some(reps);
        let defs = (leaf.defined() > 0).then_some(defs);
        self.reader.read_records(rows, defs, reps, values).map(|(rows, _, _)| rows)
    }

    fn write_next(&mut self, leaf: &Leaf, out: &mut Vec<u8>) -> bool {
        self.cells.write_next(leaf, out)
    }
}

fn column(reader: ColumnReader) -> Box<dyn Column> {
    let physical = match reader {
        ColumnReader::BoolColumnReader(_) => Type::BOOLEAN,
        ColumnReader::Int32ColumnReader(_) => Type::INT32,
        ColumnReader::Int64ColumnReader(_) => Type::INT64,
        ColumnReader::Int96ColumnReader(_) => Type::INT96,
        ColumnReader::FloatColumnReader(_) => Type::FLOAT,
        ColumnReader::DoubleColumnReader(_) => Type::DOUBLE,
        ColumnReader::ByteArrayColumnReader(_) => Type::BYTE_ARRAY,
        ColumnReader::FixedLenByteArrayColumnReader(_) => Type::FIXED_LEN_BYTE_ARRAY,
    };
    by_type!(physical, T => Box::new(Typed::<T> { reader: get_typed_column_reader(reader), cells: Cells::new() }))
}
