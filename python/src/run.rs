//! Whole runs: over files, and over a table in memory.

use crate::columns::{Corpus, Fields, Table, Texts};
use crate::errors::{exception, input, usage};
use crate::options::options;
use crate::tables::{self, Decisions, PyTable};
use crate::watch::{detached, watched};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use descale::engine::{self, Options};
use descale::near::Keep;
use descale::plan::lines::{Action, PlanLine};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::Value;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

fn checked(mode: &str, inputs: Vec<String>, out: PathBuf, arguments: &Bound<'_, PyDict>) -> PyResult<Options> {
    let mode = serde_json::from_value(Value::String(mode.to_owned()));
    let mode = mode.map_err(|error| usage(error.to_string(), "use clean, dedup, strip or scan"))?;
    let options = Options { mode, inputs, out: Some(out), ..options(arguments)? };
    if options.streams() {
        return Err(usage("standard output is the command's", "name a folder, or none"));
    }
    Ok(options)
}

fn json(summary: &engine::Summary) -> PyResult<String> {
    serde_json::to_string(summary).map_err(|e| input(e.to_string()))
}

/// Runs over files; the summary as JSON. Without `records` only the plan and its like are written.
#[pyfunction]
pub(crate) fn run_files(
    py: Python<'_>,
    mode: &str,
    inputs: Vec<PathBuf>,
    out: PathBuf,
    records: bool,
    progress: Option<Py<PyAny>>,
    arguments: &Bound<'_, PyDict>,
) -> PyResult<String> {
    let inputs = inputs.into_iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let options = checked(mode, inputs, out, arguments)?;
    let summary = watched(py, progress.as_ref(), |watch| {
        if records { engine::run(&options, watch) } else { engine::plan(&options, None, watch) }
    })?;
    json(&summary)
}

/// Runs over a table; the summary as JSON. The folder gets the plan and its like.
#[pyfunction]
pub(crate) fn run_table(
    py: Python<'_>,
    mode: &str,
    table: &PyTable,
    name: String,
    out: PathBuf,
    progress: Option<Py<PyAny>>,
    arguments: &Bound<'_, PyDict>,
) -> PyResult<String> {
    let options = checked(mode, vec![name], out, arguments)?;
    if options.remote().is_some() {
        return Err(usage("what is decided on a table is read again", "name a folder of this machine, or none"));
    }
    let rank = match &options.near.keep {
        Keep::Highest(field) => Some(field.as_str()),
        _ => None,
    };
    let fields = Fields { text: &options.text_field, id: &options.id_field, site: options.site_field.as_deref(), rank };
    let corpus = Arc::new(Corpus::new(&table.0, &fields)?);
    json(&watched(py, progress.as_ref(), |watch| engine::plan(&options, Some(corpus), watch))?)
}

/// A file of a result folder as a table: "plan", "blocks" or "clusters".
#[pyfunction]
pub(crate) fn read_lines(py: Python<'_>, folder: PathBuf, name: &str) -> PyResult<PyTable> {
    let file = format!("{name}.jsonl");
    match name {
        "plan" => tables::plan(&detached(py, || tables::lines(&folder, &file))?),
        "blocks" => tables::blocks(&detached(py, || tables::lines(&folder, &file))?),
        "clusters" => tables::clusters(&detached(py, || tables::lines(&folder, &file))?),
        _ => Err(usage(format!("there is no table {name:?}"), "ask for plan, blocks or clusters")),
    }
    .map(PyTable)
}

/// Does to a table what the plan in the folder says: the rows that stay, with what is left of their texts, and what
/// became of each row.
#[pyfunction]
pub(crate) fn apply_plan(
    py: Python<'_>,
    table: &PyTable,
    text_field: &str,
    folder: PathBuf,
) -> PyResult<(PyTable, PyTable)> {
    let plan: Vec<PlanLine> = detached(py, || tables::lines(&folder, "plan.jsonl"))?;
    let table = &table.0;
    let place = table.place(text_field)?;
    let mut lines = plan.iter().peekable();
    let (mut kept, mut told) = (Vec::new(), Vec::new());
    let mut row = 0;
    let mut schema = Arc::clone(&table.schema);
    for batch in &table.batches {
        let first = row;
        row += batch.num_rows() as u64;
        let of_batch: Vec<&PlanLine> = std::iter::from_fn(|| lines.next_if(|line| line.row <= row)).collect();
        let (batch, decided) = py.detach(|| apply(batch, place, first, &of_batch))?;
        schema = batch.schema();
        kept.push(batch);
        told.extend(decided.batches);
    }
    let told = match told.first() {
        Some(batch) => Table { schema: batch.schema(), batches: told },
        None => Decisions::default().finish(Arc::new(arrow_array::StringArray::new_null(0)))?,
    };
    Ok((PyTable(Table { schema, batches: kept }), PyTable(told)))
}

/// The rows of a batch that stay, and the decisions on all; `lines` are of its rows, ascending.
fn apply(batch: &RecordBatch, place: usize, first: u64, lines: &[&PlanLine]) -> PyResult<(RecordBatch, Table)> {
    let mut lines = lines.iter().peekable();
    let mut decisions = Decisions::default();
    let mut by_row: Vec<Option<&PlanLine>> = Vec::with_capacity(batch.num_rows());
    for row in first..first + batch.num_rows() as u64 {
        let line = lines.next_if(|line| line.row == row + 1).copied();
        decisions.push(row, line);
        by_row.push(line);
    }
    let texts = cleaned(batch.schema().field(place).name(), batch.column(place), &by_row)?;
    let told = decisions.finish(Arc::clone(&texts))?;
    let kept: BooleanArray = by_row.iter().map(|line| Some(line.is_none_or(|l| l.action != Action::Drop))).collect();
    let kept = filter_record_batch(&replace(batch, place, texts)?, &kept).map_err(|e| input(e.to_string()))?;
    Ok((kept, told))
}

/// The column with the cuts made; itself where there are none.
fn cleaned(name: &str, column: &ArrayRef, lines: &[Option<&PlanLine>]) -> PyResult<ArrayRef> {
    if lines.iter().all(|line| line.is_none_or(|l| l.spans.is_empty())) {
        return Ok(Arc::clone(column));
    }
    let texts = Texts::new(name, column)?;
    let rebuilt = texts.iter().zip(lines).map(|(text, line)| text.map(|text| cut(text, *line)));
    Ok(texts.rebuild(rebuilt))
}

fn cut<'a>(text: &'a str, line: Option<&PlanLine>) -> Cow<'a, str> {
    let Some(line) = line.filter(|l| !l.spans.is_empty()) else { return Cow::Borrowed(text) };
    let (mut left, mut at) = (String::with_capacity(text.len()), 0);
    for span in &line.spans {
        left.push_str(&text[at..span.start as usize]);
        at = span.end as usize;
    }
    left.push_str(&text[at..]);
    Cow::Owned(left)
}

/// The batch with another column in this place.
fn replace(batch: &RecordBatch, place: usize, column: ArrayRef) -> PyResult<RecordBatch> {
    let schema = batch.schema();
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields[place] = Arc::new(fields[place].as_ref().clone().with_data_type(column.data_type().clone()));
    let mut columns = batch.columns().to_vec();
    columns[place] = column;
    let schema = arrow_schema::Schema::new_with_metadata(fields, schema.metadata().clone());
    RecordBatch::try_new(Arc::new(schema), columns).map_err(|e| input(e.to_string()))
}

/// Columns of what `explain` tells: those of a notebook cell.
const EXPLAIN_COLUMNS: usize = 100;

/// explain(dir, *ids): why documents were dropped or changed in the run that wrote the folder, as text to read.
#[pyfunction]
#[pyo3(signature = (dir, *ids))]
pub(crate) fn explain(py: Python<'_>, dir: PathBuf, ids: Vec<String>) -> PyResult<String> {
    detached(py, || engine::explain(&dir, &ids, EXPLAIN_COLUMNS))
}

/// restore(dir, to, *, progress=None): rebuilds the input of the run that wrote the folder, byte for byte.
#[pyfunction]
#[pyo3(signature = (dir, to, *, progress = None))]
pub(crate) fn restore(py: Python<'_>, dir: PathBuf, to: PathBuf, progress: Option<Py<PyAny>>) -> PyResult<u64> {
    watched(py, progress.as_ref(), |watch| engine::restore(&dir, &to, watch))
}

/// The command: arguments in, the exit code out.
#[pyfunction]
pub(crate) fn command(py: Python<'_>, arguments: Vec<std::ffi::OsString>) -> PyResult<u8> {
    detached(py, || Ok(descale::cli::main(arguments)))
}

/// Whether these options can be used, before anything is read.
#[pyfunction]
pub(crate) fn check_options(arguments: &Bound<'_, PyDict>) -> PyResult<()> {
    let options = options(arguments)?;
    options.near.check().and_then(|()| options.block.check()).map_err(|error| exception(&error))
}
