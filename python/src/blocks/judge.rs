//! Which grams belong together, and what becomes of the templates they make.

use super::find::{FACTS, packed_rows};
use super::{Out, binary, bytes, extend, pack, read, ready, rows_of, small};
use crate::errors::input;
use crate::shuffled::{Forest, batches, numbers, whole};
use crate::tables::{PyTable, table};
use crate::watch::detached;
use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch};
use descale::Error;
use descale::block::Options;
use descale::block::chain::{self, Hit};
use descale::block::decide::Reason;
use descale::block::judge::{self, Template, Wants};
use descale::block::marks::GramMarks;
use descale::block::sites::Sites;
use descale::block::template::{Copy, Evidence, Place, copies_of_hits};
use descale::span::Span;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3_arrow::input::AnyArray;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Replaces `hits` by those of one document; `row` gives gram, position, copies and marks.
fn read_hits<const N: usize>(group: &[[i64; N]], row: impl Fn(&[i64; N]) -> [i64; 4], hits: &mut Vec<Hit>) {
    hits.clear();
    hits.extend(group.iter().map(row).filter(|row| row[1] != FACTS).map(|[gram, position, copies, marks]| Hit {
        position: small(position),
        gram: gram.cast_unsigned(),
        copies: small(copies),
        marks: GramMarks(u16::try_from(marks).unwrap_or(0)),
    }));
}

/// Hits grouped by document become meetings of neighbouring grams, counted.
#[pyclass(module = "descale._descale")]
pub(crate) struct Links {
    options: Options,
    hits: Vec<[i64; 4]>,
}

#[pymethods]
impl Links {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { options: ready(arguments)?, hits: Vec::new() })
    }

    /// Takes a batch of gram, doc, position and copies.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        self.hits.extend(rows_of(rows, ["doc", "position", "gram", "copies"])?);
        Ok(())
    }

    /// How often two grams meet here; `copies` is of the more frequent one.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let mut rows = std::mem::take(&mut self.hits);
        let out = detached(py, || {
            rows.sort_unstable();
            let (mut hits, mut links) = (Vec::new(), Vec::new());
            for group in rows.chunk_by(|a, b| a[0] == b[0]) {
                read_hits(group, |&[_, position, gram, copies]| [gram, position, copies, 0], &mut hits);
                chain::links(&hits, self.options.reach(), |a, b| {
                    links.push([a.gram.cast_signed(), b.gram.cast_signed(), a.copies.max(b.copies).into()]);
                });
            }
            drop(rows);
            links.sort_unstable();
            let mut out = Out::default();
            for group in links.chunk_by(|a, b| a == b) {
                let [gram, other, copies] = group[0];
                out.push([gram, other, i64::try_from(group.len()).expect("they are in memory"), copies]);
            }
            Ok(out)
        })?;
        out.table(["gram", "other", "meetings", "copies"])
    }
}

/// Meetings grouped by both grams become edges between grams of one template, contracted to a forest.
#[pyclass(module = "descale._descale")]
pub(crate) struct Joined {
    options: Options,
    links: Vec<[i64; 4]>,
}

#[pymethods]
impl Joined {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { options: ready(arguments)?, links: Vec::new() })
    }

    /// Takes a batch of gram, other, meetings and copies.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        self.links.extend(rows_of(rows, ["gram", "other", "meetings", "copies"])?);
        Ok(())
    }

    /// The edges, under the names that components are made of.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let mut links = std::mem::take(&mut self.links);
        let edges = detached(py, || {
            links.sort_unstable();
            let mut forest = Forest::default();
            for group in links.chunk_by(|a, b| a[..2] == b[..2]) {
                let [gram, other, _, copies] = group[0];
                let meetings = group.iter().map(|link| link[2].cast_unsigned()).sum();
                if self.options.exact || chain::is_linked(meetings, small(copies), small(copies)) {
                    forest.push(gram, other)?;
                }
            }
            forest.finish()
        })?;
        table(vec![("doc", numbers(edges.iter().map(|e| e.0))), ("other", numbers(edges.iter().map(|e| e.1)))])
            .map(PyTable)
    }
}

/// Hits grouped by gram, and the templates of grams, become hits that know their templates. A gram that is in no edge is a
/// template of its own.
#[pyclass(module = "descale._descale")]
#[derive(Default)]
pub(crate) struct Templates {
    hits: Vec<[i64; 5]>,
    /// Of grams.
    templates: Vec<[i64; 2]>,
}

#[pymethods]
impl Templates {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes a batch of gram, doc, position, copies and marks, or one of component and its member, doc, a gram.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            if batch.column_by_name("component").is_some() {
                extend(&mut self.templates, &batch, ["doc", "component"])?;
            } else {
                extend(&mut self.hits, &batch, ["gram", "doc", "position", "copies", "marks"])?;
            }
        }
        Ok(())
    }

    /// The hits with their templates.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let (hits, mut templates) = (std::mem::take(&mut self.hits), std::mem::take(&mut self.templates));
        let out = detached(py, || {
            templates.sort_unstable();
            let mut out = Out::default();
            // Hits of a gram mostly come one after the other, and so does what is looked up.
            for group in hits.chunk_by(|a, b| a[0] == b[0]) {
                let found = templates.binary_search_by_key(&group[0][0], |&[gram, _]| gram);
                for &[gram, doc, position, copies, marks] in group {
                    let template = found.map_or(gram, |at| templates[at][1]);
                    out.push([gram, doc, position, copies, marks, template]);
                }
            }
            Ok(out)
        })?;
        out.table(["gram", "doc", "position", "copies", "marks", "template"])
    }
}

/// The columns of a copy.
const COPY: [&str; 12] = [
    "template",
    "doc",
    "site",
    "start",
    "end",
    "passage_start",
    "passage_end",
    "tokens",
    "content",
    "shape",
    "shares",
    "company",
];

/// Hits grouped by document become the copies of templates.
#[pyclass(module = "descale._descale")]
pub(crate) struct Copies {
    options: Options,
    hits: Vec<[i64; 6]>,
}

#[pymethods]
impl Copies {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { options: ready(arguments)?, hits: Vec::new() })
    }

    /// Takes a batch of gram, doc, position, copies, marks and template.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        self.hits.extend(rows_of(rows, ["doc", "position", "gram", "copies", "marks", "template"])?);
        Ok(())
    }

    /// The copies in all documents.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let mut rows = std::mem::take(&mut self.hits);
        let out = detached(py, || {
            rows.sort_unstable();
            let (mut out, mut hits) = (Out::default(), Vec::new());
            for group in rows.chunk_by(|a, b| a[0] == b[0]) {
                read_hits(group, |&[_, at, gram, copies, marks, _]| [gram, at, copies, marks], &mut hits);
                copies(&self.options, group, &hits, &mut out)?;
            }
            Ok(out)
        })?;
        out.table(COPY)
    }
}

/// The copies in one document, from its hits and what is told of it; templates are numbered within it.
fn copies(options: &Options, group: &[[i64; 6]], hits: &[Hit], out: &mut Out<12>) -> descale::Result<()> {
    let [doc, first, facts, ..] = group[0];
    if first != FACTS {
        return Err(Error::input(format!("nothing tells of document {doc}")));
    }
    let (tokens, site) = (small(facts >> 32), facts & i64::from(u32::MAX));
    let of_hits = &group[group.len() - hits.len()..];
    let mut templates: Vec<i64> = of_hits.iter().map(|row| row[5]).collect();
    templates.sort_unstable();
    templates.dedup();
    let template = |hit: &Hit| {
        let row = &of_hits[of_hits.partition_point(|row| row[1] < hit.position.into())];
        u32::try_from(templates.partition_point(|&t| t < row[5])).expect("fewer templates than tokens")
    };
    copies_of_hits(options, (0, tokens), hits, template, |copy| {
        let [shape, shares, company] = copy.packed().map(i64::from);
        let [start, end, passage_start, passage_end, tokens] =
            [copy.span.start, copy.span.end, copy.passage.start, copy.passage.end, copy.tokens].map(i64::from);
        let (template, content) = (templates[copy.template as usize], copy.content.cast_signed());
        out.push([
            template,
            doc,
            site,
            start,
            end,
            passage_start,
            passage_end,
            tokens,
            content,
            shape,
            shares,
            company,
        ]);
    });
    Ok(())
}

/// What is told of a template besides its places.
#[derive(Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) evidence: Evidence,
    pub(super) reason: Reason,
}

/// What becomes of a copy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// It goes.
    Goes,
    /// It stays, for its document is about the block.
    Spared,
    /// It stays because it is the first.
    First,
}

impl Mark {
    const ALL: [Self; 3] = [Self::Goes, Self::Spared, Self::First];

    pub(super) fn from_code(code: u32) -> descale::Result<Self> {
        let mark = Self::ALL.get(code as usize).copied();
        mark.ok_or_else(|| Error::input("a copy neither goes nor stays"))
    }
}

pub(super) fn wants_of_code(code: u32) -> Wants {
    Wants { own: code & 1 != 0, beside: code & 2 != 0 }
}

fn code_of_wants(wants: Wants) -> i64 {
    i64::from(wants.own) | i64::from(wants.beside) << 1
}

/// A copy with what the corpus knows of its document.
struct OfDoc {
    template: i64,
    doc: i64,
    site: u32,
    /// Documents of the site.
    documents: u32,
    copy: Copy,
}

impl OfDoc {
    fn new(row: [i64; COPY.len()], documents: u32) -> Self {
        let [template, doc, site, start, end, passage_start, passage_end, tokens, content, shape, shares, company] =
            row;
        let copy = Copy {
            span: Span::new(small(start), small(end)),
            passage: Span::new(small(passage_start), small(passage_end)),
            tokens: small(tokens),
            content: content.cast_unsigned(),
            ..Copy::default()
        };
        let copy = copy.with_packed([shape, shares, company].map(small));
        Self { template, doc, site: small(site), documents, copy }
    }
}

/// Copies grouped by template become verdicts, places to be read, and copies that go or stay.
#[pyclass(module = "descale._descale")]
pub(crate) struct Judged {
    options: Options,
    /// Whether the corpus has several sites.
    several_sites: bool,
    copies: Vec<OfDoc>,
}

#[pymethods]
impl Judged {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>, several_sites: bool) -> PyResult<Self> {
        Ok(Self { options: ready(arguments)?, several_sites, copies: Vec::new() })
    }

    /// Takes a batch that [`Copies`] made, and with each row the documents of its site, if there are sites.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            let documents = batch.column_by_name("documents").map(|_| whole(&batch, "documents")).transpose()?;
            let mut rows = Vec::new();
            extend(&mut rows, &batch, COPY)?;
            self.copies.extend(rows.into_iter().enumerate().map(|(at, row)| {
                OfDoc::new(row, documents.as_ref().map_or(0, |documents| small(documents.value(at))))
            }));
        }
        Ok(())
    }

    /// Of every template that is told of: a row with the verdict at its first copy, a row for each place that is to be
    /// read (which, wants), a row for each copy that goes or stays although it would go (mark).
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let mut copies = std::mem::take(&mut self.copies);
        let rows = detached(py, || {
            copies.sort_unstable_by_key(|of| (of.template, of.doc, of.copy.span));
            let mut rows = Rows::default();
            for group in copies.chunk_by(|a, b| a.template == b.template) {
                judge(&self.options, group, self.several_sites, &mut rows)?;
            }
            Ok(rows)
        })?;
        rows.finish()
    }
}

/// The verdict on one template; documents are numbered within it, in input order.
fn judge(options: &Options, group: &[OfDoc], several_sites: bool, rows: &mut Rows) -> descale::Result<()> {
    let (mut docs, mut of_doc, mut copies) = (Vec::new(), Vec::new(), Vec::with_capacity(group.len()));
    for of in group {
        if docs.last() != Some(&of.doc) {
            docs.push(of.doc);
            of_doc.push(of.site);
        }
        let doc = u32::try_from(docs.len() - 1).map_err(|_| Error::resource("a template has 2^32 documents"))?;
        copies.push(Copy { doc, ..of.copy });
    }
    let mut sites: Vec<(u32, u32)> = group.iter().filter(|of| of.site != 0).map(|of| (of.site, of.documents)).collect();
    sites.sort_unstable();
    sites.dedup();
    let sites = Sites::of_part(of_doc, sites, several_sites);
    let Some(template) = Template::of(&copies, &sites, options) else { return Ok(()) };
    let number = group[0].template;
    let row = |place: &Place| [number, docs[place.doc as usize], place.span.start.into(), place.span.end.into()];
    let told = Told { evidence: template.evidence.clone(), reason: template.reason };
    let told = serde_json::to_vec(&told).map_err(|e| Error::resource(e.to_string()))?;
    rows.push(row(&template.first), None, None, Some(told));
    for (which, place) in (0u32..).zip(&template.places) {
        rows.push(row(place), Some((which.into(), code_of_wants(template.wants(which)))), None, None);
    }
    let spared = template.spared.iter().map(|place| (place, Mark::Spared));
    let first = usize::from(options.spares_first_copy());
    let (stay, go) = template.copies.split_at(first.min(template.copies.len()));
    let marked = stay.iter().map(|p| (p, Mark::First)).chain(go.iter().map(|p| (p, Mark::Goes))).chain(spared);
    marked.for_each(|(place, mark)| rows.push(row(place), None, Some(mark), None));
    Ok(())
}

/// The rows of verdicts, of which each has but one of the last columns.
#[derive(Default)]
struct Rows {
    places: Out<4>,
    reads: Vec<Option<(i64, i64)>>,
    marks: Vec<Option<i64>>,
    verdicts: Vec<Option<Vec<u8>>>,
}

impl Rows {
    fn push(&mut self, place: [i64; 4], read: Option<(i64, i64)>, mark: Option<Mark>, verdict: Option<Vec<u8>>) {
        self.places.push(place);
        self.reads.push(read);
        self.marks.push(mark.map(|mark| mark as i64));
        self.verdicts.push(verdict);
    }

    fn finish(self) -> PyResult<PyTable> {
        let nullable = |values: Vec<Option<i64>>| Arc::new(values.into_iter().collect::<Int64Array>()) as ArrayRef;
        let mut columns: Vec<(&str, ArrayRef)> =
            ["template", "doc", "start", "end"].into_iter().zip(self.places.0.map(numbers)).collect();
        columns.push(("which", nullable(self.reads.iter().map(|read| read.map(|r| r.0)).collect())));
        columns.push(("wants", nullable(self.reads.iter().map(|read| read.map(|r| r.1)).collect())));
        columns.push(("mark", nullable(self.marks)));
        columns.push(("verdict", Arc::new(self.verdicts.into_iter().collect::<BinaryArray>())));
        table(columns).map(PyTable)
    }
}

/// The verdicts that are told of get the numbers of their templates: in the order of the first copies.
#[pyclass(module = "descale._descale")]
#[derive(Default)]
pub(crate) struct Ranked {
    judged: judge::Judged<[i64; 3], (i64, Vec<u8>)>,
}

#[pymethods]
impl Ranked {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes a batch of template, doc, start, end and verdict.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            let columns = ["doc", "start", "end", "template"].map(|name| whole(&batch, name));
            let [docs, starts, ends, templates] = columns;
            let (docs, starts, ends, templates) = (docs?, starts?, ends?, templates?);
            let verdicts = binary(&batch, "verdict")?;
            for row in 0..batch.num_rows() {
                let place = [docs.value(row), starts.value(row), ends.value(row)];
                let verdict = bytes(&verdicts, row);
                let told: Told = read(verdict)?;
                self.judged.add(place, told.reason, told.evidence.weight(), (templates.value(row), verdict.to_vec()));
            }
        }
        Ok(())
    }

    /// The template, its number from 0, and the verdict.
    fn finish(&mut self) -> PyResult<PyTable> {
        let (told, _) = std::mem::take(&mut self.judged).finish();
        let count = i64::from(u32::try_from(told.len()).map_err(|_| input("more than 2^32 blocks"))?);
        let templates = numbers(told.iter().map(|told| told.0));
        let verdicts: ArrayRef = Arc::new(told.into_iter().map(|told| Some(told.1)).collect::<BinaryArray>());
        table(vec![("template", templates), ("number", numbers(0..count)), ("verdict", verdicts)]).map(PyTable)
    }
}

/// Rows grouped by document become one value a document.
#[pyclass(module = "descale._descale")]
pub(crate) struct Packed {
    names: Vec<String>,
    rows: Vec<(i64, [u32; MOST_PACKED])>,
}

/// Columns that are packed at most.
const MOST_PACKED: usize = 5;

#[pymethods]
impl Packed {
    #[new]
    fn new(names: Vec<String>) -> PyResult<Self> {
        if names.len() > MOST_PACKED {
            return Err(input(format!("more than {MOST_PACKED} columns are to be packed")));
        }
        Ok(Self { names, rows: Vec::new() })
    }

    /// Takes a batch of doc and the columns that were named.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            let docs = whole(&batch, "doc")?;
            let columns = self.columns(&batch)?;
            let number = |row, at| columns.get(at).map_or(0, |column: &Int64Array| small(column.value(row)));
            let row = |row| std::array::from_fn(|at| number(row, at));
            self.rows.extend((0..batch.num_rows()).map(|at| (docs.value(at), row(at))));
        }
        Ok(())
    }

    /// The documents with their rows, in order.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let mut rows = std::mem::take(&mut self.rows);
        let (docs, packed) = detached(py, || {
            rows.sort_unstable();
            let groups = rows.chunk_by(|a, b| a.0 == b.0);
            let width = self.names.len();
            let packed = |group: &[(i64, [u32; MOST_PACKED])]| {
                pack(group.iter().flat_map(|row| &row.1[..width]).map(|&number| [number]))
            };
            let groups = groups.map(|group| (group[0].0, packed(group)));
            Ok(groups.unzip::<_, _, Vec<_>, Vec<_>>())
        })?;
        packed_rows(docs, packed)
    }
}

impl Packed {
    fn columns(&self, batch: &RecordBatch) -> PyResult<Vec<Int64Array>> {
        self.names.iter().map(|name| whole(batch, name)).collect()
    }
}
