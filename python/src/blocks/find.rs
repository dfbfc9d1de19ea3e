//! What repeats: seeds, regions around those that repeat, the grams in them.

use super::{Out, binary, bytes, documents, gram, pack, ready, rows_of, small, stretch, unpack};
use crate::columns::Texts;
use crate::shuffled::{batches, column, numbers};
use crate::tables::{PyTable, table};
use crate::watch::detached;
use arrow_array::{ArrayRef, BinaryArray};
use descale::block::dense::Dense;
use descale::block::reading::Reading;
use descale::block::sites;
use descale::block::{Options, chain, winnow};
use descale::io::site;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3_arrow::input::AnyArray;
use std::sync::Arc;

/// The position of the row that tells of its document: its key holds the length in tokens and the site.
pub(super) const FACTS: i64 = -1;

/// Documents with their texts become seeds.
#[pyclass(module = "descale._descale")]
pub(crate) struct Seeds {
    options: Options,
}

#[pymethods]
impl Seeds {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { options: ready(arguments)? })
    }

    /// The seeds of a batch of doc and text.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<PyTable> {
        let mut out = Out::default();
        for batch in batches(rows)? {
            let (docs, texts) = documents(&batch)?;
            detached(py, || {
                let (mut reading, mut grams) = (Reading::new(&self.options), Vec::new());
                for (&doc, text) in docs.values().iter().zip(texts.iter()) {
                    let Some(text) = text else { continue };
                    reading.read(text);
                    winnow::seeds(&self.options, &reading.body.hashes, &mut grams, |hash, at| {
                        let at = i64::try_from(at).expect("fewer tokens than bytes");
                        out.push([hash.cast_signed(), doc, at]);
                    });
                }
                Ok(())
            })?;
        }
        out.table(["key", "doc", "position"])
    }
}

/// Seeds grouped by key become the places of those that repeat.
#[pyclass(module = "descale._descale")]
#[derive(Default)]
pub(crate) struct Places {
    seeds: Vec<[i64; 3]>,
}

#[pymethods]
impl Places {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes a batch of key, doc and position.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        self.seeds.extend(rows_of(rows, ["key", "doc", "position"])?);
        Ok(())
    }

    /// The places of all seeds that repeat.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let mut seeds = std::mem::take(&mut self.seeds);
        let out = detached(py, || {
            seeds.sort_unstable();
            let mut out = Out::default();
            for group in seeds.chunk_by(|a, b| a[0] == b[0]).filter(|group| group.len() > 1) {
                group.iter().for_each(|&[_, doc, position]| out.push([doc, position]));
            }
            Ok(out)
        })?;
        out.table(["doc", "position"])
    }
}

/// Places grouped by document become the stretches around them.
#[pyclass(module = "descale._descale")]
pub(crate) struct Regions {
    options: Options,
    places: Vec<[i64; 2]>,
}

#[pymethods]
impl Regions {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { options: ready(arguments)?, places: Vec::new() })
    }

    /// Takes a batch of doc and position.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        self.places.extend(rows_of(rows, ["doc", "position"])?);
        Ok(())
    }

    /// The stretches of every document, packed. They may reach beyond its end.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let mut places = std::mem::take(&mut self.places);
        let (docs, regions) = detached(py, || {
            places.sort_unstable();
            let margin = self.options.region_margin();
            let groups = places.chunk_by(|a, b| a[0] == b[0]).map(|group| {
                let regions = chain::regions(group.iter().map(|place| small(place[1])), margin, u32::MAX);
                (group[0][0], pack(regions.into_iter().map(|region| [region.start, region.end])))
            });
            Ok(groups.unzip::<_, _, Vec<_>, Vec<_>>())
        })?;
        packed_rows(docs, regions)
    }
}

/// Documents with what was packed of them.
pub(super) fn packed_rows(docs: Vec<i64>, rows: Vec<Vec<u8>>) -> PyResult<PyTable> {
    let rows: ArrayRef = Arc::new(rows.into_iter().map(Some).collect::<BinaryArray>());
    table(vec![("doc", numbers(docs)), ("rows", rows)]).map(PyTable)
}

/// Documents with their texts and stretches become grams, and a row that tells of the document.
#[pyclass(module = "descale._descale")]
pub(crate) struct Grams {
    options: Options,
}

#[pymethods]
impl Grams {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { options: ready(arguments)? })
    }

    /// The grams of a batch of doc, text, rows and, where documents have one, site.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<PyTable> {
        let mut out = Out::default();
        for batch in batches(rows)? {
            let ((docs, texts), regions) = (documents(&batch)?, binary(&batch, "rows")?);
            let named = batch.column_by_name("site").map(|site| Texts::new("site", site)).transpose()?;
            detached(py, || {
                let (mut reading, mut dense, mut host) = (Reading::new(&self.options), Dense::default(), String::new());
                for (row, (&doc, text)) in docs.values().iter().zip(texts.iter()).enumerate() {
                    let Some(text) = text else { continue };
                    reading.read(text);
                    let code = named.as_ref().and_then(|named| named.get(row));
                    let code = code.map_or(0, |value| sites::code(site(value, &mut host)));
                    let tokens = i64::try_from(reading.body.len()).expect("fewer tokens than bytes");
                    out.push([tokens << 32 | i64::from(code), doc, FACTS, 0]);
                    let end = |end: u32| end.min(u32::try_from(reading.body.len()).unwrap_or(u32::MAX));
                    let regions = unpack(bytes(&regions, row))?
                        .map(|[start, past]| stretch(doc, reading.body.len(), start, end(past)))
                        .collect::<descale::Result<Vec<_>>>()?;
                    dense.grams(&self.options, (text, &reading), regions, |hash, position, marks| {
                        out.push([hash.cast_signed(), doc, position.into(), marks.0.into()]);
                        Ok(())
                    })?;
                }
                Ok(())
            })?;
        }
        out.table(["key", "doc", "position", "marks"])
    }
}

/// How many documents a site has.
#[pyclass(module = "descale._descale")]
#[derive(Default)]
pub(crate) struct Sites {
    codes: Vec<u32>,
}

#[pymethods]
impl Sites {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes a batch of site, a row a document.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        let mut host = String::new();
        for batch in batches(rows)? {
            let named = Texts::new("site", column(&batch, "site")?)?;
            self.codes.extend(named.iter().flatten().map(|value| sites::code(site(value, &mut host))));
        }
        Ok(())
    }

    /// Each site with the documents that were pushed.
    fn finish(&mut self) -> PyResult<PyTable> {
        self.codes.sort_unstable();
        let mut out = Out::default();
        for group in self.codes.chunk_by(|a, b| a == b) {
            out.push([group[0].into(), i64::try_from(group.len()).expect("they are in memory")]);
        }
        self.codes.clear();
        out.table(["site", "documents"])
    }
}

/// Grams grouped by key become the places of those that repeat, with the number of copies.
#[pyclass(module = "descale._descale")]
pub(crate) struct Repeats {
    options: Options,
    grams: Vec<[i64; 4]>,
    facts: Vec<[i64; 4]>,
}

#[pymethods]
impl Repeats {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { options: ready(arguments)?, grams: Vec::new(), facts: Vec::new() })
    }

    /// Takes a batch of key, doc, position and marks.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        for row in rows_of(rows, ["key", "doc", "position", "marks"])? {
            if row[2] == FACTS { &mut self.facts } else { &mut self.grams }.push(row);
        }
        Ok(())
    }

    /// The places of all grams that repeat; the rows that tell of documents as they came.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let (mut grams, facts) = (std::mem::take(&mut self.grams), std::mem::take(&mut self.facts));
        let out = detached(py, || {
            grams.sort_unstable();
            let mut out = Out::default();
            facts.iter().for_each(|&[key, doc, position, marks]| out.push([key, doc, position, 0, marks]));
            for group in grams.chunk_by(|a, b| a[0] == b[0]).filter(|group| group.len() > 1) {
                let copies = i64::from(u32::try_from(group.len()).unwrap_or(u32::MAX));
                for &[key, doc, position, marks] in &group[usize::from(self.options.spares_first_gram())..] {
                    out.push([gram(key), doc, position, copies, marks]);
                }
            }
            Ok(out)
        })?;
        out.table(["gram", "doc", "position", "copies", "marks"])
    }
}
