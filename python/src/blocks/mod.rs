//! The block way's maps and folds for an engine that shuffles: Arrow batches in, Arrow batches out.
//!
//! As in [`crate::shuffled`], the functions are the library's, and every fold takes all rows of its keys, in any order and
//! any number of batches, and sorts them itself. A gram that repeats is known by the place where it occurs first, its home
//! (a document) and its spot (a token), a template by the smallest of its grams (template, token); what is decided about
//! templates is numbered last. Grams that stand one after the other in a copy as they do at home travel as one row
//! ([`runs`]), and rows that belong to one document and are looked up together travel packed, in one binary value.
//!
//! | step | takes rows of | by | gives rows of |
//! |---|---|---|---|
//! | [`find::Seeds`] | doc, text | - | key, doc, position |
//! | [`find::Places`] | key, doc, position | key | doc, position |
//! | [`find::Regions`] | doc, position | doc | doc, rows (start, end) |
//! | [`find::Grams`] | doc, text, site, rows | - | key, doc, position; of each document its length, its site, all marks |
//! | [`find::Repeats`] | key, doc, position | key | doc, position, back, shift (to the first place), copies |
//! | [`runs::Hits`] | doc, position, back, shift, copies | doc | doc, tokens, site, rows (runs), marks |
//! | [`runs::Links`] | doc, rows | - | home, other, shift, copies, spot, end, meetings: which grams meet |
//! | [`runs::Joined`] | home, other, ... | home | home, other, shift, spot, end: links between grams |
//! | [`runs::Linked`] | home, other, shift, spot, end | - | home, spot, end, template, token |
//! | [`runs::Runs`] | doc, rows | - | home, spot, length, doc, position |
//! | [`runs::Templates`] | both of these | home | doc, position, length, template, token |
//! | [`judge::Copies`] | doc, tokens, site, rows, marks; doc, position, ... | doc | template, token, doc, site, start, end, ... |
//! | [`find::Sites`] | site | - | site, documents |
//! | [`judge::Judged`] | template, token, doc, site, start, end, ..., documents | template, token | verdicts, places to read, copies that go or stay |
//! | [`judge::Ranked`] | template, token, doc, start, end, verdict | - | template, token, number, verdict of those told of |
//! | [`judge::Packed`] | doc and whole numbers | doc | doc, rows |
//! | [`apply::Sights`] | doc, text, rows | - | number, which, left, letters, right, picture |
//! | [`apply::Pictured`] | number, verdict, ... | number | blocks, with the letters of those that go |
//! | [`apply::Matches`] | doc, text, rows | - | doc, cuts, new |
//! | [`apply::Counts`] | new | - | number, count |
//! | [`apply::Floods`] | number, count | - | number |
//! | [`apply::Spoilt`] | doc, new | - | doc |
//! | [`apply::Spans`] | doc, cuts | - | doc, spans |

pub(crate) mod apply;
pub(crate) mod find;
pub(crate) mod judge;
mod marked;
pub(crate) mod runs;

use crate::columns::Texts;
use crate::errors::{exception, input};
use crate::options;
use crate::shuffled::{batches, column, numbers, whole};
use crate::tables::{PyTable, table};
use arrow_array::cast::AsArray;
use arrow_array::{Array, Int64Array, LargeBinaryArray, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use descale::block::Options;
use descale::span::{Span, TokenSpan};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3_arrow::input::AnyArray;

fn ready(arguments: &Bound<'_, PyDict>) -> PyResult<Options> {
    let options = options::block(arguments)?;
    options.check().map_err(|error| exception(&error))?;
    Ok(options)
}

/// Documents and their texts.
fn documents(batch: &RecordBatch) -> PyResult<(Int64Array, Texts)> {
    Ok((whole(batch, "doc")?, Texts::new("text", column(batch, "text")?)?))
}

/// Rows of whole numbers, from the columns of these names.
fn rows_of<const N: usize>(rows: AnyArray, names: [&str; N]) -> PyResult<Vec<[i64; N]>> {
    let mut out = Vec::new();
    for batch in batches(rows)? {
        extend(&mut out, &batch, names)?;
    }
    Ok(out)
}

fn extend<const N: usize>(out: &mut Vec<[i64; N]>, batch: &RecordBatch, names: [&str; N]) -> PyResult<()> {
    let columns = names.iter().map(|name| whole(batch, name)).collect::<PyResult<Vec<_>>>()?;
    out.extend((0..batch.num_rows()).map(|row| std::array::from_fn(|column| columns[column].value(row))));
    Ok(())
}

/// A column of bytes.
pub(crate) fn binary(batch: &RecordBatch, name: &str) -> PyResult<LargeBinaryArray> {
    let column = cast(column(batch, name)?, &DataType::LargeBinary).map_err(|e| input(e.to_string()))?;
    Ok(column.as_binary::<i64>().clone())
}

/// The bytes of a row; none where it is null.
pub(crate) fn bytes(column: &LargeBinaryArray, row: usize) -> &[u8] {
    if column.is_valid(row) { column.value(row) } else { &[] }
}

/// Columns of whole numbers in the making.
struct Out<const N: usize>([Vec<i64>; N]);

impl<const N: usize> Default for Out<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Vec::new()))
    }
}

impl<const N: usize> Out<N> {
    fn push(&mut self, row: [i64; N]) {
        row.into_iter().zip(&mut self.0).for_each(|(value, column)| column.push(value));
    }

    fn table(self, names: [&str; N]) -> PyResult<PyTable> {
        table(names.into_iter().zip(self.0.map(numbers)).collect()).map(PyTable)
    }
}

/// A whole number of 32 bits. What does not fit was no such number: it is as far off as can be.
fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Rows of one document as one value.
fn pack<const N: usize>(rows: impl IntoIterator<Item = [u32; N]>) -> Vec<u8> {
    rows.into_iter().flatten().flat_map(u32::to_le_bytes).collect()
}

/// The rows that were packed.
fn unpack<const N: usize>(bytes: &[u8]) -> descale::Result<impl Iterator<Item = [u32; N]> + '_> {
    if !bytes.len().is_multiple_of(4 * N) {
        return Err(descale::Error::input("packed rows are cut short"));
    }
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    Ok(bytes.chunks_exact(4 * N).map(move |row| std::array::from_fn(|at| number(&row[4 * at..4 * at + 4]))))
}

/// The stretch of a document's tokens that an earlier read found, if the document still has as many.
fn stretch(doc: i64, tokens: usize, start: u32, end: u32) -> descale::Result<TokenSpan> {
    if start < end && end as usize <= tokens {
        return Ok(Span::new(start, end));
    }
    Err(descale::Error::input(format!("document {doc} is not the one it was")).cure("give the same rows at each read"))
}

/// What a stage wrote as JSON.
fn read<T: serde::de::DeserializeOwned>(json: &[u8]) -> PyResult<T> {
    serde_json::from_slice(json).map_err(|e| input(format!("what a stage wrote cannot be read: {e}")))
}
