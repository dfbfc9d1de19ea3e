//! Rows on their way to a fold, many in one value.
//!
//! An engine that shuffles takes every row apart and puts it together again, several times on the way from a map to a fold:
//! for rows of a few numbers that costs more than all that is decided with them. So rows travel in packets of some
//! kilobytes. Keys are spread over buckets, and a packet has rows of one bucket only: the engine brings all packets of a
//! bucket to one place and knows nothing of what is in them. A key that half of all rows have makes more packets, no
//! bigger ones.
//!
//! A packet says which columns it has: their number, and of each its type, the length of its name, the name. Then come the
//! rows: of each first the sizes of its values, four bits each, then the values, little-endian, without the bytes that are
//! zero. A whole number is written as the difference to the row before, with small ones of either sign as small numbers;
//! bytes are written after their length. Rows of documents come nearly in order, so a document and a position mostly take
//! a byte or two, and a hash eight.
//!
//! At a fold packets wait on a [`Shelf`] until all of the partition are there, and are folded some buckets at once: so what a
//! fold holds is bounded by the biggest bucket, not by the partition. Beyond some megabytes a shelf keeps them in a file.

use crate::blocks::binary;
use crate::errors::{exception, input};
use crate::shuffled::{batches, column, numbers, whole};
use crate::tables::{PyTable, table};
use crate::watch::detached;
use arrow_array::builder::{BinaryBuilder, Float64Builder, Int64Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, LargeBinaryArray, RecordBatch};
use arrow_schema::DataType;
use descale::shuffle::{SpillArea, Stash, Ticket};
use descale::{Error, hash};
use pyo3::prelude::*;
use pyo3_arrow::input::AnyArray;
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

/// A packet is sent when it has as many bytes. Engines hand them over ten thousand at once: that is 80 MB at most.
const PACKET_BYTES: usize = 8 << 10;
/// All packets are sent when they have as many bytes together.
const HELD_BYTES: usize = 64 << 20;
/// Packets on a shelf that are kept in memory; the rest lie in a file.
const SHELF_BYTES: usize = 32 << 20;
/// Packets that are folded at once. A posting is ten to fifteen bytes here and some hundred in a fold.
const PORTION_BYTES: usize = 16 << 20;
/// Packets that are taken down and unpacked at once.
const POPPED_BYTES: usize = 2 << 20;
/// The size of a value that is null.
const NULL: u8 = 15;

/// A column of rows to be packed.
enum Column {
    Whole(Int64Array),
    Fraction(Float64Array),
    Bytes(LargeBinaryArray),
}

impl Column {
    fn of(batch: &RecordBatch, name: &str) -> PyResult<Self> {
        let column = column(batch, name)?;
        Ok(match column.data_type() {
            DataType::Int64 => Self::Whole(column.as_primitive::<Int64Type>().clone()),
            DataType::Float64 => Self::Fraction(column.as_primitive::<Float64Type>().clone()),
            _ => Self::Bytes(binary(batch, name)?),
        })
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Whole(_) => b'w',
            Self::Fraction(_) => b'f',
            Self::Bytes(_) => b'b',
        }
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Whole(column) => column.is_null(row),
            Self::Fraction(column) => column.is_null(row),
            Self::Bytes(column) => column.is_null(row),
        }
    }
}

/// Rows become packets, keys become buckets.
#[pyclass(module = "descale._descale")]
pub(crate) struct Packer {
    keys: Vec<String>,
    /// What a packet begins with.
    head: Vec<u8>,
    /// By bucket.
    packets: Vec<Packet>,
    held_bytes: usize,
    sent: Sent,
}

/// Rows of one bucket.
#[derive(Default)]
struct Packet {
    bytes: Vec<u8>,
    /// The whole numbers of the last row.
    last: Vec<i64>,
}

/// Packets on their way.
#[derive(Default)]
struct Sent {
    buckets: Vec<i64>,
    packets: BinaryBuilder,
}

#[pymethods]
impl Packer {
    /// For rows to be grouped by these columns of whole numbers; without one, all rows are of one group.
    #[new]
    fn new(keys: Vec<String>, buckets: usize) -> PyResult<Self> {
        if buckets == 0 {
            return Err(input("there are no buckets"));
        }
        let packets = std::iter::repeat_with(Packet::default).take(buckets).collect();
        Ok(Self { keys, head: Vec::new(), packets, held_bytes: 0, sent: Sent::default() })
    }

    /// Takes rows; gives the packets that are full, with their buckets.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<PyTable> {
        for batch in batches(rows)? {
            let schema = batch.schema();
            let names = || schema.fields().iter().map(|field| field.name().as_str());
            let columns = names().map(|name| Column::of(&batch, name)).collect::<PyResult<Vec<_>>>()?;
            let keys = self.keys.iter().map(|key| whole(&batch, key)).collect::<PyResult<Vec<_>>>()?;
            let head = head(names().zip(&columns))?;
            if head != self.head {
                self.flush();
                self.head = head;
            }
            detached(py, || {
                (0..batch.num_rows()).for_each(|row| self.pack(&keys, &columns, row));
                Ok(())
            })?;
        }
        std::mem::take(&mut self.sent).table()
    }

    /// Gives all packets that are left.
    fn finish(&mut self) -> PyResult<PyTable> {
        self.flush();
        std::mem::take(&mut self.sent).table()
    }
}

impl Packer {
    fn pack(&mut self, keys: &[Int64Array], columns: &[Column], row: usize) {
        let key = keys.iter().fold(0, |hash, key| hash::mix(hash ^ key.value(row).cast_unsigned()));
        let spread = u128::from(key) * self.packets.len() as u128;
        let bucket = usize::try_from(spread >> 64).expect("below the number of buckets");
        let packet = &mut self.packets[bucket];
        let before = packet.bytes.len();
        if packet.bytes.is_empty() {
            packet.bytes.extend_from_slice(&self.head);
            packet.last.clear();
            packet.last.resize(columns.len(), 0);
        }
        packet.write(columns, row);
        self.held_bytes += packet.bytes.len() - before;
        if packet.bytes.len() >= PACKET_BYTES {
            self.held_bytes -= packet.bytes.len();
            self.sent.push(bucket, packet);
        }
        if self.held_bytes >= HELD_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        for (bucket, packet) in self.packets.iter_mut().enumerate().filter(|(_, packet)| !packet.bytes.is_empty()) {
            self.sent.push(bucket, packet);
        }
        self.held_bytes = 0;
    }
}

impl Packet {
    fn write(&mut self, columns: &[Column], row: usize) {
        let at = self.bytes.len();
        (0..columns.len().div_ceil(2)).for_each(|_| self.bytes.push(0));
        for (place, (column, last)) in columns.iter().zip(&mut self.last).enumerate() {
            let size = match column {
                column if column.is_null(row) => NULL,
                Column::Whole(column) => {
                    let (value, before) = (column.value(row), *last);
                    *last = value;
                    put(&mut self.bytes, folded(value.wrapping_sub(before)))
                }
                Column::Fraction(column) => put(&mut self.bytes, column.value(row).to_bits()),
                Column::Bytes(column) => {
                    let size = put(&mut self.bytes, column.value(row).len() as u64);
                    self.bytes.extend_from_slice(column.value(row));
                    size
                }
            };
            self.bytes[at + place / 2] |= size << (place % 2 * 4);
        }
    }
}

impl Sent {
    fn push(&mut self, bucket: usize, packet: &mut Packet) {
        self.buckets.push(i64::try_from(bucket).expect("a bucket in memory"));
        self.packets.append_value(&packet.bytes);
        packet.bytes.clear();
    }

    fn table(mut self) -> PyResult<PyTable> {
        let packets: ArrayRef = Arc::new(self.packets.finish());
        table(vec![("bucket", numbers(self.buckets)), ("packet", packets)]).map(PyTable)
    }
}

fn head<'a>(columns: impl Iterator<Item = (&'a str, &'a Column)>) -> PyResult<Vec<u8>> {
    let mut head = vec![0];
    for (name, column) in columns {
        head[0] += 1;
        let length = u8::try_from(name.len()).map_err(|_| input("the name of a column is too long"))?;
        head.extend([column.kind(), length]);
        head.extend_from_slice(name.as_bytes());
    }
    Ok(head)
}

/// Differences near zero as small numbers.
fn folded(difference: i64) -> u64 {
    (difference << 1 ^ difference >> 63).cast_unsigned()
}

fn unfolded(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Writes a number without its upper zero bytes; gives the number of bytes.
fn put(bytes: &mut Vec<u8>, number: u64) -> u8 {
    let size = 8 - number.leading_zeros() / 8;
    // All eight and then less is quicker than a copy of some.
    let end = bytes.len() + size as usize;
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.truncate(end);
    u8::try_from(size).expect("eight at most")
}

/// The packets of a partition, by bucket.
#[pyclass(module = "descale._descale")]
pub(crate) struct Shelf {
    stash: Stash,
    /// In order of the buckets, once one was taken.
    packets: VecDeque<(i64, Ticket)>,
    in_order: bool,
    portion_bytes: usize,
    /// Bytes since a fold could end.
    taken: usize,
}

#[pymethods]
impl Shelf {
    /// What memory does not hold goes to a file in this folder, or in the system's temporary folder.
    #[new]
    #[pyo3(signature = (folder = None, memory_bytes = SHELF_BYTES, portion_bytes = PORTION_BYTES))]
    fn new(folder: Option<PathBuf>, memory_bytes: usize, portion_bytes: usize) -> PyResult<Self> {
        let area = SpillArea::new(folder.as_deref()).map_err(|error| exception(&error))?;
        let stash = Stash::new(&Arc::new(area), memory_bytes);
        Ok(Self { stash, packets: VecDeque::new(), in_order: false, portion_bytes, taken: 0 })
    }

    /// Takes a batch of bucket and packet.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            let (buckets, packets) = (whole(&batch, "bucket")?, binary(&batch, "packet")?);
            detached(py, || {
                for (&bucket, packet) in buckets.values().iter().zip(packets.iter()) {
                    self.packets.push_back((bucket, self.stash.put(packet.unwrap_or_default())?));
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Takes down some packets, and says whether a fold may end with them: no other packet has their buckets, and there were
    /// enough since it last could.
    fn pop(&mut self, py: Python<'_>) -> PyResult<(PyTable, bool)> {
        let (mut buckets, mut packets) = (Vec::new(), BinaryBuilder::new());
        let ends = detached(py, || {
            if !self.in_order {
                self.packets.make_contiguous().sort_unstable();
                self.in_order = true;
            }
            let mut packet = Vec::new();
            while let Some((bucket, ticket)) = self.packets.pop_front() {
                self.stash.get(ticket, &mut packet)?;
                buckets.push(bucket);
                packets.append_value(&packet);
                self.taken += packet.len();
                let is_last = self.packets.front().is_none_or(|next| next.0 != bucket);
                if is_last && self.taken >= self.portion_bytes {
                    break;
                }
                if packets.values_slice().len() >= POPPED_BYTES && !self.packets.is_empty() {
                    return Ok(false);
                }
            }
            self.taken = 0;
            Ok(true)
        })?;
        let packets: ArrayRef = Arc::new(packets.finish());
        let packets = table(vec![("bucket", numbers(buckets)), ("packet", packets)])?;
        Ok((PyTable(packets), ends))
    }

    /// The packets that lie on it.
    fn __len__(&self) -> usize {
        self.packets.len()
    }
}

/// A column of rows that were packed.
enum Unpacked {
    Whole(Int64Builder, i64),
    Fraction(Float64Builder),
    Bytes(BinaryBuilder),
}

/// Rows of the same columns.
type Rows = Vec<(String, Unpacked)>;

/// unpack(packets): the rows in a table with a column of packets; a table for each set of columns that they have.
#[pyfunction]
pub(crate) fn unpack(py: Python<'_>, packets: AnyArray) -> PyResult<Vec<PyTable>> {
    let mut kinds: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut tables: Vec<Rows> = Vec::new();
    for batch in batches(packets)? {
        let packets = binary(&batch, "packet")?;
        detached(py, || {
            for packet in packets.iter().flatten() {
                let mut bytes = packet;
                let columns = columns_of(&mut bytes)?;
                let head = &packet[..packet.len() - bytes.len()];
                let kind = kinds.get(head).copied().unwrap_or_else(|| {
                    kinds.insert(head.to_vec(), tables.len());
                    tables.push(columns);
                    tables.len() - 1
                });
                read(&mut bytes, &mut tables[kind])?;
            }
            Ok(())
        })?;
    }
    let table = |rows: Rows| {
        let columns: Vec<_> = rows.into_iter().map(|(name, column)| (name, column.finish())).collect();
        table(columns.iter().map(|(name, column)| (name.as_str(), Arc::clone(column))).collect()).map(PyTable)
    };
    tables.into_iter().map(table).collect()
}

impl Unpacked {
    fn finish(self) -> ArrayRef {
        match self {
            Self::Whole(mut column, _) => Arc::new(column.finish()),
            Self::Fraction(mut column) => Arc::new(column.finish()),
            Self::Bytes(mut column) => Arc::new(column.finish()),
        }
    }
}

fn take<'b>(bytes: &mut &'b [u8], count: usize) -> descale::Result<&'b [u8]> {
    bytes.split_off(..count).ok_or_else(|| Error::input("a packet is cut short"))
}

/// The columns, still empty, that a packet says it has.
fn columns_of(bytes: &mut &[u8]) -> descale::Result<Rows> {
    let columns = 0..take(bytes, 1)?[0];
    let column = |_| {
        let kind = match take(bytes, 1)?[0] {
            b'w' => Unpacked::Whole(Int64Builder::new(), 0),
            b'f' => Unpacked::Fraction(Float64Builder::new()),
            b'b' => Unpacked::Bytes(BinaryBuilder::new()),
            _ => return Err(Error::input("a packet has a column of no known type")),
        };
        let length = take(bytes, 1)?[0];
        let name = std::str::from_utf8(take(bytes, length.into())?);
        Ok((name.map_err(|_| Error::input("a packet has a column without a name"))?.to_owned(), kind))
    };
    columns.map(column).collect()
}

/// The number of this size that comes next.
fn number(bytes: &mut &[u8], size: u8) -> descale::Result<u64> {
    // Mostly there are eight bytes to look at, and that is quicker than a copy of some.
    if let (1..=8, Some(eight)) = (size, bytes.first_chunk()) {
        *bytes = &bytes[size.into()..];
        return Ok(u64::from_le_bytes(*eight) & u64::MAX >> (64 - 8 * u32::from(size)));
    }
    let mut eight = [0; 8];
    let taken = take(bytes, size.into())?;
    let room =
        eight.get_mut(..taken.len()).ok_or_else(|| Error::input("a packet has a number of more than 64 bits"))?;
    room.copy_from_slice(taken);
    Ok(u64::from_le_bytes(eight))
}

/// Adds the rows of a packet.
fn read(bytes: &mut &[u8], rows: &mut Rows) -> descale::Result<()> {
    for (_, column) in rows.iter_mut() {
        if let Unpacked::Whole(_, last) = column {
            *last = 0;
        }
    }
    // Rows without columns have no end.
    while !bytes.is_empty() && !rows.is_empty() {
        let sizes = take(bytes, rows.len().div_ceil(2))?;
        for (place, (_, column)) in rows.iter_mut().enumerate() {
            let size = sizes[place / 2] >> (place % 2 * 4) & 15;
            match column {
                Unpacked::Whole(column, _) if size == NULL => column.append_null(),
                Unpacked::Fraction(column) if size == NULL => column.append_null(),
                Unpacked::Bytes(column) if size == NULL => column.append_null(),
                Unpacked::Whole(column, last) => {
                    *last = last.wrapping_add(unfolded(number(bytes, size)?));
                    column.append_value(*last);
                }
                Unpacked::Fraction(column) => column.append_value(f64::from_bits(number(bytes, size)?)),
                Unpacked::Bytes(column) => {
                    let length = usize::try_from(number(bytes, size)?).unwrap_or(usize::MAX);
                    column.append_value(take(bytes, length)?);
                }
            }
        }
    }
    Ok(())
}
