//! What comes back: Arrow tables, and the lines of a result folder as such.

use crate::columns::Table;
use crate::errors::input;
use arrow_array::builder::{Float64Builder, StringBuilder, UInt64Builder};
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, StringArray, StructArray, UInt32Array, UInt64Array};
use arrow_array::{Float32Array, Float64Array};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{Field, Schema};
use descale::io::{Nameless, Results};
use descale::plan::lines::{BlockEvidence, BlockLine, ClusterLine, PlanLine};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};
use pyo3_arrow::ffi::{ArrayIterator, to_stream_pycapsule};
use pyo3_arrow::input::AnyArray;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;

/// A table in Arrow's memory layout, shared without copies with whatever speaks its C stream interface.
#[pyclass(name = "Table", module = "descale", frozen)]
pub(crate) struct PyTable(pub(crate) Table);

#[pymethods]
impl PyTable {
    /// Table(arrow, text_field="text"): from anything with `__arrow_c_stream__` or `__arrow_c_array__`.
    #[new]
    #[pyo3(signature = (arrow, text_field = "text"))]
    fn new(arrow: AnyArray, text_field: &str) -> PyResult<Self> {
        Table::new(arrow, text_field).map(Self)
    }

    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = &self.0.schema;
        let field = Field::new_struct("", schema.fields().clone(), false).with_metadata(schema.metadata().clone());
        let chunks = self.0.batches.clone().into_iter().map(|b| Ok(Arc::new(StructArray::from(b)) as ArrayRef));
        Ok(to_stream_pycapsule(py, Box::new(ArrayIterator::new(chunks, field.into())), requested_schema)?)
    }

    fn __len__(&self) -> usize {
        self.0.rows()
    }

    fn __repr__(&self) -> String {
        format!("descale.Table({} rows: {})", self.0.rows(), self.column_names().join(", "))
    }

    /// The names of the columns, in order.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.0.schema.fields().iter().map(|f| f.name().clone()).collect()
    }

    /// The number of rows.
    #[getter]
    fn num_rows(&self) -> usize {
        self.0.rows()
    }

    /// The table as a `pyarrow.Table`.
    fn to_pyarrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("pyarrow")?.call_method1("table", (slf,))
    }

    /// The table as a `polars.DataFrame`.
    fn to_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("polars")?.call_method1("DataFrame", (slf,))
    }

    /// The table as a `pandas.DataFrame`; needs pyarrow.
    fn to_pandas<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::to_pyarrow(slf)?.call_method0("to_pandas")
    }

    /// The table as a list of one dictionary a row; needs pyarrow.
    fn to_pylist<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::to_pyarrow(slf)?.call_method("to_pylist", (), Some(&PyDict::new(slf.py())))
    }
}

/// A table of these columns, of equal length.
pub(crate) fn table(columns: Vec<(&str, ArrayRef)>) -> PyResult<Table> {
    let fields: Vec<Field> = columns.iter().map(|(name, a)| Field::new(*name, a.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|e| input(e.to_string()))?;
    Ok(Table { schema, batches: vec![batch] })
}

/// A column of lists, from their lengths and all their elements; a list without a length is null.
pub(crate) fn lists(lengths: &[Option<usize>], elements: ArrayRef) -> ArrayRef {
    let field = Arc::new(Field::new("item", elements.data_type().clone(), false));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|n| n.unwrap_or(0)));
    let nulls = NullBuffer::from_iter(lengths.iter().map(Option::is_some));
    Arc::new(ListArray::new(field, offsets, elements, Some(nulls)))
}

/// A column of records, from their fields.
pub(crate) fn records(columns: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let field =
        |(name, column): (&str, ArrayRef)| (Arc::new(Field::new(name, column.data_type().clone(), false)), column);
    let (fields, columns): (Vec<_>, Vec<_>) = columns.into_iter().map(field).unzip();
    let length = columns.first().map_or(0, |c: &ArrayRef| c.len());
    Arc::new(StructArray::new(fields.into(), columns, None::<NullBuffer>).slice(0, length))
}

/// The lines of a file of results, in a folder or an object store.
pub(crate) fn lines<T: DeserializeOwned>(folder: &Path, name: &str) -> descale::Result<Vec<T>> {
    let results = Results::open(folder, &["summary.json", name], &Nameless::default())?;
    let path = results.folder().join(name);
    let file = match File::open(&path) {
        // A way that did not run left no file.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && path.with_file_name("summary.json").exists() => {
            return Ok(Vec::new());
        }
        file => file.map_err(|e| descale::Error::io("read", &path, e))?,
    };
    let read = |(number, line): (u64, std::io::Result<String>)| {
        let line = line.map_err(|e| descale::Error::io("read", &path, e))?;
        serde_json::from_str(&line).map_err(|e| descale::Error::input(e.to_string()).at(&path).line(number))
    };
    (1..).zip(BufReader::new(file).lines()).map(read).collect()
}

/// A value that is one word in JSON.
pub(crate) fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A column of texts.
pub(crate) fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<StringArray>())
}

fn words<S: Serialize>(values: impl Iterator<Item = S>) -> ArrayRef {
    Arc::new(values.map(|v| Some(word(&v))).collect::<StringArray>())
}

fn numbers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<UInt64Array>())
}

fn small(values: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<UInt32Array>())
}

/// `plan.jsonl` as a table.
pub(crate) fn plan(lines: &[PlanLine]) -> PyResult<Table> {
    let spans = || lines.iter().flat_map(|l| &l.spans);
    let elements = records(vec![
        ("start", small(spans().map(|s| s.start))),
        ("end", small(spans().map(|s| s.end))),
        ("block", numbers(spans().map(|s| s.block))),
        ("why", texts(spans().map(|s| s.why.as_str()))),
    ]);
    let lengths: Vec<_> = lines.iter().map(|l| Some(l.spans.len())).collect();
    table(vec![
        ("file", texts(lines.iter().map(|l| l.file.as_str()))),
        ("row", numbers(lines.iter().map(|l| l.row))),
        ("id", texts(lines.iter().map(|l| l.id.as_str()))),
        ("action", words(lines.iter().map(|l| l.action))),
        ("reason", words(lines.iter().map(|l| l.reason))),
        ("of", Arc::new(lines.iter().map(|l| l.of.as_deref()).collect::<StringArray>())),
        ("similarity", Arc::new(lines.iter().map(|l| l.similarity).collect::<Float64Array>())),
        ("cluster", Arc::new(lines.iter().map(|l| l.cluster).collect::<UInt64Array>())),
        ("spans", lists(&lengths, elements)),
    ])
}

/// `blocks.jsonl` as a table.
pub(crate) fn blocks(lines: &[BlockLine]) -> PyResult<Table> {
    let examples = || lines.iter().flat_map(|l| &l.examples);
    let elements = records(vec![
        ("id", texts(examples().map(|e| e.id.as_str()))),
        ("start", small(examples().map(|e| e.start))),
        ("end", small(examples().map(|e| e.end))),
    ]);
    let lengths: Vec<_> = lines.iter().map(|l| Some(l.examples.len())).collect();
    table(vec![
        ("id", numbers(lines.iter().map(|l| l.id))),
        ("template", texts(lines.iter().map(|l| l.template.as_str()))),
        ("tokens", numbers(lines.iter().map(|l| l.tokens))),
        ("copies", numbers(lines.iter().map(|l| l.copies))),
        ("documents", numbers(lines.iter().map(|l| l.documents))),
        ("sites", numbers(lines.iter().map(|l| l.sites))),
        ("decision", words(lines.iter().map(|l| l.decision))),
        ("why", texts(lines.iter().map(|l| l.why.as_str()))),
        ("evidence", evidence(lines)),
        ("examples", lists(&lengths, elements)),
    ])
}

/// What the decisions looked at; null where it is not known.
fn evidence(lines: &[BlockLine]) -> ArrayRef {
    let none = BlockEvidence::default();
    let all = || lines.iter().map(|line| line.evidence.as_ref().unwrap_or(&none));
    let shares = |share: fn(&BlockEvidence) -> f32| Arc::new(Float32Array::from_iter_values(all().map(share)));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("most_in_document", numbers(all().map(|e| e.most_in_document))),
        ("variants", numbers(all().map(|e| e.variants))),
        ("lines", shares(|e| e.lines)),
        ("paragraphs", shares(|e| e.paragraphs)),
        ("quoted", shares(|e| e.quoted)),
        ("code", shares(|e| e.code)),
        ("of_site", Arc::new(all().map(|e| e.of_site).collect::<Float32Array>())),
    ];
    let nullable = |(name, column): (&str, ArrayRef)| (Field::new(name, column.data_type().clone(), true), column);
    let (fields, columns): (Vec<_>, Vec<_>) = columns.into_iter().map(nullable).unzip();
    let known = NullBuffer::from_iter(lines.iter().map(|line| line.evidence.is_some()));
    Arc::new(StructArray::new(fields.into(), columns, Some(known)))
}

/// `clusters.jsonl` as a table.
pub(crate) fn clusters(lines: &[ClusterLine]) -> PyResult<Table> {
    let members = || lines.iter().flat_map(|l| &l.members);
    let similarities = members().map(|m| Some(m.similarity)).collect::<Float64Array>();
    let elements =
        records(vec![("id", texts(members().map(|m| m.id.as_str()))), ("similarity", Arc::new(similarities))]);
    let lengths: Vec<_> = lines.iter().map(|l| Some(l.members.len())).collect();
    table(vec![
        ("id", numbers(lines.iter().map(|l| l.id))),
        ("kept", texts(lines.iter().map(|l| l.kept.as_str()))),
        ("members", lists(&lengths, elements)),
    ])
}

/// Columns of the decision on every row of a table.
#[derive(Default)]
pub(crate) struct Decisions {
    rows: UInt64Builder,
    actions: StringBuilder,
    reasons: StringBuilder,
    of: StringBuilder,
    similarities: Float64Builder,
    clusters: UInt64Builder,
}

impl Decisions {
    /// What becomes of a row (from 0); without a line it stays as it is.
    pub(crate) fn push(&mut self, row: u64, line: Option<&PlanLine>) {
        self.rows.append_value(row);
        self.actions.append_value(line.map_or_else(|| "keep".into(), |l| word(&l.action)));
        self.reasons.append_option(line.map(|l| word(&l.reason)));
        self.of.append_option(line.and_then(|l| l.of.as_deref()));
        self.similarities.append_option(line.and_then(|l| l.similarity));
        self.clusters.append_option(line.and_then(|l| l.cluster));
    }

    /// The columns so far, with the texts as they are now.
    pub(crate) fn finish(&mut self, texts: ArrayRef) -> PyResult<Table> {
        table(vec![
            ("row", Arc::new(self.rows.finish())),
            ("action", Arc::new(self.actions.finish())),
            ("reason", Arc::new(self.reasons.finish())),
            ("of", Arc::new(self.of.finish())),
            ("similarity", Arc::new(self.similarities.finish())),
            ("cluster", Arc::new(self.clusters.finish())),
            ("text", texts),
        ])
    }
}
