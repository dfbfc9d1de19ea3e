//! What repeats: seeds, regions around those that repeat, the grams in them.

use super::runs::{At, FACTS};
use super::{Out, binary, bytes, documents, marked, pack, ready, rows_of, small, stretch, unpack};
use crate::columns::Texts;
use crate::shuffled::{batches, column, numbers, whole};
use crate::tables::{PyTable, table};
use crate::watch::detached;
use arrow_array::builder::BinaryBuilder;
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

    /// The grams of a batch of doc, text, rows and, where documents have one, site; the row of a document has all its marks.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<PyTable> {
        let (mut out, mut all_marks) = (Out::default(), BinaryBuilder::new());
        for batch in batches(rows)? {
            let ((docs, texts), regions) = (documents(&batch)?, binary(&batch, "rows")?);
            let named = batch.column_by_name("site").map(|site| Texts::new("site", site)).transpose()?;
            detached(py, || {
                let (mut reading, mut dense, mut host) = (Reading::new(&self.options), Dense::default(), String::new());
                let mut marked = Vec::new();
                for (row, (&doc, text)) in docs.values().iter().zip(texts.iter()).enumerate() {
                    let Some(text) = text else { continue };
                    reading.read(text);
                    let code = named.as_ref().and_then(|named| named.get(row));
                    let code = code.map_or(0, |value| sites::code(site(value, &mut host)));
                    let tokens = i64::try_from(reading.body.len()).expect("fewer tokens than bytes");
                    let end = |end: u32| end.min(u32::try_from(reading.body.len()).unwrap_or(u32::MAX));
                    let regions = unpack(bytes(&regions, row))?
                        .map(|[start, past]| stretch(doc, reading.body.len(), start, end(past)))
                        .collect::<descale::Result<Vec<_>>>()?;
                    marked.clear();
                    dense.grams(
                        &self.options,
                        (text, &reading),
                        regions,
                        |_| {},
                        |hash, position, marks| {
                            out.push([hash.cast_signed(), doc, position.into()]);
                            all_marks.append_null();
                            marked.push((position, marks.0));
                            Ok(())
                        },
                    )?;
                    out.push([tokens << 32 | i64::from(code), doc, FACTS]);
                    all_marks.append_value(marked::pack(&marked));
                }
                Ok(())
            })?;
        }
        let [keys, docs, positions] = out.0.map(numbers);
        let marks: ArrayRef = Arc::new(all_marks.finish());
        table(vec![("key", keys), ("doc", docs), ("position", positions), ("marks", marks)]).map(PyTable)
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

/// Grams grouped by key become the places of those that repeat, with the number of copies and the first place.
#[pyclass(module = "descale._descale")]
pub(crate) struct Repeats {
    options: Options,
    /// Key, document, position.
    grams: Vec<(i64, i64, u32)>,
    /// Document, its tokens and its site, its marks.
    facts: Vec<(i64, i64, Vec<u8>)>,
}

#[pymethods]
impl Repeats {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { options: ready(arguments)?, grams: Vec::new(), facts: Vec::new() })
    }

    /// Takes a batch of key, doc, position and marks.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            let [keys, docs, positions] = ["key", "doc", "position"].map(|name| whole(&batch, name));
            let (keys, docs, positions, marks) = (keys?, docs?, positions?, binary(&batch, "marks")?);
            for row in 0..batch.num_rows() {
                let (key, doc) = (keys.value(row), docs.value(row));
                if positions.value(row) == FACTS {
                    self.facts.push((doc, key, bytes(&marks, row).to_vec()));
                } else {
                    self.grams.push((key, doc, small(positions.value(row))));
                }
            }
        }
        Ok(())
    }

    /// The places of all grams that repeat, in order: how many documents the first place lies back, how many tokens further
    /// on this one is, how many copies there are. What tells of documents as it came.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let (grams, facts) = (std::mem::take(&mut self.grams), std::mem::take(&mut self.facts));
        let (mut out, mut all_marks) = (Out::default(), BinaryBuilder::new());
        detached(py, || {
            for (doc, told, marks) in facts {
                out.push([doc, FACTS, told, 0, 0]);
                all_marks.append_value(marks);
            }
            for At { doc, position, spot, home, copies } in self.repeats(grams) {
                let shift = i64::from(position) - i64::from(spot);
                out.push([doc, position.into(), doc.wrapping_sub(home), shift, copies.into()]);
                all_marks.append_null();
            }
            Ok(())
        })?;
        let [docs, positions, backs, shifts, copies] = out.0.map(numbers);
        let marks: ArrayRef = Arc::new(all_marks.finish());
        table(vec![
            ("doc", docs),
            ("position", positions),
            ("back", backs),
            ("shift", shifts),
            ("copies", copies),
            ("marks", marks),
        ])
        .map(PyTable)
    }
}

impl Repeats {
    /// The places by document, so that those that follow each other are told in few bytes.
    fn repeats(&self, mut grams: Vec<(i64, i64, u32)>) -> Vec<At> {
        grams.sort_unstable();
        let mut hits = Vec::new();
        for group in grams.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
            let copies = u32::try_from(group.len()).unwrap_or(u32::MAX);
            let (_, home, spot) = group[0];
            let repeats = &group[usize::from(self.options.spares_first_gram())..];
            hits.extend(repeats.iter().map(|&(_, doc, position)| At { doc, position, spot, home, copies }));
        }
        drop(grams);
        hits.sort_unstable();
        hits
    }
}
