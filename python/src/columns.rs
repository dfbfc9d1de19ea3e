//! Arrow columns as the library reads them: texts of every string type, names, ranks, and whole tables as
//! [`descale::io::Rows`], read in place.

use crate::errors::{input, usage};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, LargeStringArray, RecordBatch, StringArray, StringViewArray,
    StructArray, UInt64Array,
};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use descale::io::{MemoryRow, Rows};
use pyo3::prelude::*;
use pyo3_arrow::input::AnyArray;
use std::fmt::Write as _;
use std::sync::Arc;

/// A column of texts; a row without one is null.
#[derive(Clone)]
pub(crate) enum Texts {
    Small(StringArray),
    Large(LargeStringArray),
    View(StringViewArray),
}

impl Texts {
    /// Any string column. A dictionary is unfolded, a column of nothing but nulls has no texts.
    pub(crate) fn new(name: &str, column: &ArrayRef) -> PyResult<Self> {
        Ok(match column.data_type() {
            DataType::Utf8 => Self::Small(column.as_string().clone()),
            DataType::LargeUtf8 => Self::Large(column.as_string().clone()),
            DataType::Utf8View => Self::View(column.as_string_view().clone()),
            DataType::Dictionary(_, values) if is_text(values) => Self::Large(large(column)?),
            DataType::Null => Self::Large(large(column)?),
            other => {
                return Err(usage(
                    format!("the column {name:?} is no text but {other}"),
                    "name the column with the text, as in text_field=\"body\"",
                ));
            }
        })
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Small(a) => a.len(),
            Self::Large(a) => a.len(),
            Self::View(a) => a.len(),
        }
    }

    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Small(a) => a.is_valid(row).then(|| a.value(row)),
            Self::Large(a) => a.is_valid(row).then(|| a.value(row)),
            Self::View(a) => a.is_valid(row).then(|| a.value(row)),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// A column of this type.
    pub(crate) fn rebuild<'a>(&self, texts: impl Iterator<Item = Option<std::borrow::Cow<'a, str>>>) -> ArrayRef {
        match self {
            Self::Small(_) => Arc::new(texts.collect::<StringArray>()),
            Self::Large(_) => Arc::new(texts.collect::<LargeStringArray>()),
            Self::View(_) => Arc::new(texts.collect::<StringViewArray>()),
        }
    }
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn large(column: &ArrayRef) -> PyResult<LargeStringArray> {
    let column = cast(column, &DataType::LargeUtf8).map_err(|e| input(e.to_string()))?;
    Ok(column.as_string().clone())
}

/// A column of names: texts or whole numbers.
#[derive(Clone)]
enum Names {
    Texts(Texts),
    Signed(Int64Array),
    Unsigned(UInt64Array),
}

impl Names {
    fn new(name: &str, column: &ArrayRef) -> PyResult<Self> {
        let cast = |kind| cast(column, &kind).map_err(|e| input(e.to_string()));
        Ok(match column.data_type() {
            DataType::UInt64 => Self::Unsigned(column.as_primitive::<UInt64Type>().clone()),
            kind if kind.is_integer() => Self::Signed(cast(DataType::Int64)?.as_primitive::<Int64Type>().clone()),
            kind if is_text(kind) || matches!(kind, DataType::Dictionary(..) | DataType::Null) => {
                Self::Texts(Texts::new(name, column)?)
            }
            _ => Self::Texts(Texts::new(name, &cast(DataType::LargeUtf8)?)?),
        })
    }

    fn get<'a>(&'a self, row: usize, room: &'a mut String) -> Option<&'a str> {
        room.clear();
        match self {
            Self::Texts(texts) => return texts.get(row),
            Self::Signed(a) if a.is_valid(row) => write!(room, "{}", a.value(row)),
            Self::Unsigned(a) if a.is_valid(row) => write!(room, "{}", a.value(row)),
            Self::Signed(_) | Self::Unsigned(_) => return None,
        }
        .expect("a String takes everything");
        Some(room)
    }
}

/// A table that came from Python.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: Vec<RecordBatch>,
}

impl Table {
    /// From anything with `__arrow_c_stream__` or `__arrow_c_array__`; an array of texts is a table of one column.
    pub(crate) fn new(arrow: AnyArray, text_field: &str) -> PyResult<Self> {
        let (chunks, field) = arrow.into_chunked_array()?.into_inner();
        let DataType::Struct(fields) = field.data_type() else {
            let schema = Arc::new(Schema::new(vec![Field::new(text_field, field.data_type().clone(), true)]));
            let batch =
                |chunk| RecordBatch::try_new(Arc::clone(&schema), vec![chunk]).map_err(|e| input(e.to_string()));
            return Ok(Self { batches: chunks.into_iter().map(batch).collect::<PyResult<_>>()?, schema });
        };
        let schema = Arc::new(Schema::new_with_metadata(fields.clone(), field.metadata().clone()));
        let batch = |chunk: ArrayRef| {
            let rows: &StructArray = chunk.as_struct();
            if rows.null_count() > 0 {
                return Err(input("the table has rows that are null as a whole"));
            }
            RecordBatch::from(rows).with_schema(Arc::clone(&schema)).map_err(|e| input(e.to_string()))
        };
        Ok(Self { batches: chunks.into_iter().map(batch).collect::<PyResult<_>>()?, schema })
    }

    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Where the column of this name stands.
    pub(crate) fn place(&self, name: &str) -> PyResult<usize> {
        self.schema.index_of(name).map_err(|_| {
            let names: Vec<&str> = self.schema.fields().iter().map(|f| f.name().as_str()).collect();
            usage(
                format!("the table has no column {name:?}; it has {}", names.join(", ")),
                "name the column with the text, as in text_field=\"body\"",
            )
        })
    }
}

/// The columns of one batch that matter.
struct Part {
    first: u64,
    texts: Texts,
    ids: Option<Names>,
    sites: Option<Names>,
    ranks: Option<Float64Array>,
}

/// A table as the library reads it.
pub(crate) struct Corpus {
    parts: Vec<Part>,
    count: u64,
}

/// The columns that options name.
pub(crate) struct Fields<'a> {
    pub(crate) text: &'a str,
    /// May be missing.
    pub(crate) id: &'a str,
    /// May be missing.
    pub(crate) site: Option<&'a str>,
    pub(crate) rank: Option<&'a str>,
}

impl Corpus {
    pub(crate) fn new(table: &Table, fields: &Fields<'_>) -> PyResult<Self> {
        let text = table.place(fields.text)?;
        let id = table.schema.index_of(fields.id).ok();
        let site = fields.site.and_then(|name| table.schema.index_of(name).ok());
        let rank = fields.rank.map(|name| table.place(name)).transpose()?;
        let (mut parts, mut count) = (Vec::with_capacity(table.batches.len()), 0);
        for batch in table.batches.iter().filter(|batch| batch.num_rows() > 0) {
            let names = |at: Option<usize>| {
                at.map(|at| Names::new(table.schema.field(at).name(), batch.column(at))).transpose()
            };
            let ranks = |at: usize| {
                let ranks = cast(batch.column(at), &DataType::Float64).map_err(|e| input(e.to_string()))?;
                Ok::<_, PyErr>(ranks.as_primitive::<Float64Type>().clone())
            };
            let texts = Texts::new(fields.text, batch.column(text))?;
            let (ids, sites, ranks) = (names(id)?, names(site)?, rank.map(ranks).transpose()?);
            parts.push(Part { first: count, texts, ids, sites, ranks });
            count += batch.num_rows() as u64;
        }
        Ok(Self { parts, count })
    }

    fn find(&self, row: u64) -> (&Part, usize) {
        let part = &self.parts[self.parts.partition_point(|p| p.first <= row) - 1];
        (part, usize::try_from(row - part.first).expect("a row of a batch in memory"))
    }
}

impl Rows for Corpus {
    fn count(&self) -> u64 {
        self.count
    }

    fn text_bytes(&self, row: u64) -> usize {
        let (part, at) = self.find(row);
        part.texts.get(at).map_or(0, str::len)
    }

    fn row<'a>(&'a self, row: u64, id: &'a mut String, site: &'a mut String) -> MemoryRow<'a> {
        let (part, at) = self.find(row);
        MemoryRow {
            text: part.texts.get(at),
            id: part.ids.as_ref().and_then(|names| names.get(at, id)),
            site: part.sites.as_ref().and_then(|names| names.get(at, site)),
            rank: part.ranks.as_ref().filter(|a| a.is_valid(at)).map(|a| a.value(at)),
        }
    }
}
