//! The copies of templates, and what becomes of them.

use super::find::packed_rows;
use super::runs::{Gram, PIECE, Run};
use super::{Out, binary, bytes, extend, marked, pack, read, ready, small};
use crate::errors::input;
use crate::shuffled::{batches, numbers, whole};
use crate::tables::{PyTable, table};
use crate::watch::detached;
use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch};
use descale::Error;
use descale::block::Options;
use descale::block::chain::Hit;
use descale::block::decide::Reason;
use descale::block::judge::{self, Template, Wants};
use descale::block::marks::GramMarks;
use descale::block::sites::Sites;
use descale::block::template::{Copy, Evidence, Place, copies_of_hits};
use descale::hash;
use descale::span::Span;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3_arrow::input::AnyArray;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The columns of a copy.
const COPY: [&str; 13] = [
    "template",
    "token",
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

/// A document with grams that repeat, and where.
struct Document {
    doc: i64,
    tokens: u32,
    site: i64,
    runs: Vec<Run>,
    marks: Vec<u8>,
}

/// Documents with their runs, and the templates of these, become the copies of templates.
#[pyclass(module = "descale._descale")]
pub(crate) struct Copies {
    options: Options,
    documents: Vec<Document>,
    pieces: Vec<[i64; PIECE.len()]>,
}

#[pymethods]
impl Copies {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { options: ready(arguments)?, documents: Vec::new(), pieces: Vec::new() })
    }

    /// Takes a batch of doc, tokens, site, rows and marks, or one that [`Templates`](super::runs::Templates) made.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            if batch.column_by_name("template").is_some() {
                extend(&mut self.pieces, &batch, PIECE)?;
                continue;
            }
            let [docs, tokens, sites] = ["doc", "tokens", "site"].map(|name| whole(&batch, name));
            let (docs, tokens, sites) = (docs?, tokens?, sites?);
            let (runs, marks) = (binary(&batch, "rows")?, binary(&batch, "marks")?);
            detached(py, || {
                for row in 0..batch.num_rows() {
                    self.documents.push(Document {
                        doc: docs.value(row),
                        tokens: small(tokens.value(row)),
                        site: sites.value(row),
                        runs: Run::read(bytes(&runs, row))?,
                        marks: bytes(&marks, row).to_vec(),
                    });
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The copies in all documents.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let (documents, mut pieces) = (std::mem::take(&mut self.documents), std::mem::take(&mut self.pieces));
        let mut out = Out::default();
        detached(py, || {
            pieces.sort_unstable();
            for document in documents {
                let first = pieces.partition_point(|piece| piece[0] < document.doc);
                let past = first + pieces[first..].partition_point(|piece| piece[0] == document.doc);
                copies(&self.options, &document, &pieces[first..past], &mut out)?;
            }
            Ok(())
        })?;
        out.table(COPY)
    }
}

/// What a gram is known by where copies are compared.
fn name((home, spot): Gram) -> u64 {
    hash::mix(home.cast_unsigned()).wrapping_add(spot.into())
}

/// The hits of a document with their marks, and the gram of each.
fn hits_of(document: &Document) -> descale::Result<(Vec<Hit>, Vec<Gram>)> {
    let (mut hits, mut grams) = (Vec::new(), Vec::new());
    document.runs.iter().for_each(|run| run.add(&mut hits, &mut grams));
    let marks = marked::unpack(&document.marks)?;
    let mut marks = marks.iter();
    for (hit, &gram) in hits.iter_mut().zip(&grams) {
        let of_hit = marks.find(|marks| marks.0 == hit.position);
        let (_, of_hit) =
            of_hit.ok_or_else(|| Error::input(format!("nothing tells of a gram of document {}", document.doc)))?;
        (hit.gram, hit.marks) = (name(gram), GramMarks(*of_hit));
    }
    Ok((hits, grams))
}

/// The template of each hit: that of the piece it lies in, else its own gram.
fn templates_of(hits: &[Hit], grams: Vec<Gram>, pieces: &[[i64; PIECE.len()]]) -> Vec<Gram> {
    let mut templates = grams;
    let mut pieces = pieces.iter().peekable();
    for (hit, of_hit) in hits.iter().zip(&mut templates) {
        let position = i64::from(hit.position);
        while pieces.next_if(|piece| piece[1] + piece[2] <= position).is_some() {}
        if let Some([.., template, token]) = pieces.peek().filter(|piece| piece[1] <= position) {
            *of_hit = (*template, small(*token));
        }
    }
    templates
}

/// The copies in one document; templates are numbered within it.
fn copies(
    options: &Options,
    document: &Document,
    pieces: &[[i64; PIECE.len()]],
    out: &mut Out<{ COPY.len() }>,
) -> descale::Result<()> {
    let (hits, grams) = hits_of(document)?;
    let templates = templates_of(&hits, grams, pieces);
    let mut all = templates.clone();
    all.sort_unstable();
    all.dedup();
    let template = |hit: &Hit| {
        let of_hit = templates[hits.partition_point(|other| other.position < hit.position)];
        u32::try_from(all.partition_point(|&other| other < of_hit)).expect("fewer templates than tokens")
    };
    copies_of_hits(options, (0, document.tokens), &hits, template, |copy| {
        let [shape, shares, company] = copy.packed().map(i64::from);
        let [start, end, passage_start, passage_end, tokens] =
            [copy.span.start, copy.span.end, copy.passage.start, copy.passage.end, copy.tokens].map(i64::from);
        let ((template, token), content) = (all[copy.template as usize], copy.content.cast_signed());
        out.push([
            template,
            token.into(),
            document.doc,
            document.site,
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
    template: Gram,
    doc: i64,
    site: u32,
    /// Documents of the site.
    documents: u32,
    copy: Copy,
}

impl OfDoc {
    fn new(row: [i64; COPY.len()], documents: u32) -> Self {
        let [template, token, doc, site, start, end, passage_start, passage_end, tokens, ..] = row;
        let [.., content, shape, shares, company] = row;
        let copy = Copy {
            span: Span::new(small(start), small(end)),
            passage: Span::new(small(passage_start), small(passage_end)),
            tokens: small(tokens),
            content: content.cast_unsigned(),
            ..Copy::default()
        };
        let copy = copy.with_packed([shape, shares, company].map(small));
        Self { template: (template, small(token)), doc, site: small(site), documents, copy }
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
    let (of, token) = group[0].template;
    let row =
        |place: &Place| [of, token.into(), docs[place.doc as usize], place.span.start.into(), place.span.end.into()];
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
    places: Out<5>,
    reads: Vec<Option<(i64, i64)>>,
    marks: Vec<Option<i64>>,
    verdicts: Vec<Option<Vec<u8>>>,
}

impl Rows {
    fn push(&mut self, place: [i64; 5], read: Option<(i64, i64)>, mark: Option<Mark>, verdict: Option<Vec<u8>>) {
        self.places.push(place);
        self.reads.push(read);
        self.marks.push(mark.map(|mark| mark as i64));
        self.verdicts.push(verdict);
    }

    fn finish(self) -> PyResult<PyTable> {
        let nullable = |values: Vec<Option<i64>>| Arc::new(values.into_iter().collect::<Int64Array>()) as ArrayRef;
        let mut columns: Vec<(&str, ArrayRef)> =
            ["template", "token", "doc", "start", "end"].into_iter().zip(self.places.0.map(numbers)).collect();
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
    judged: judge::Judged<[i64; 3], ([i64; 2], Vec<u8>)>,
}

#[pymethods]
impl Ranked {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes a batch of template, token, doc, start, end and verdict.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            let mut rows = Vec::new();
            extend(&mut rows, &batch, ["doc", "start", "end", "template", "token"])?;
            let verdicts = binary(&batch, "verdict")?;
            for (row, [doc, start, end, template, token]) in rows.into_iter().enumerate() {
                let verdict = bytes(&verdicts, row);
                let (told, of): (Told, _) = (read(verdict)?, ([template, token], verdict.to_vec()));
                self.judged.add([doc, start, end], told.reason, told.evidence.weight(), of);
            }
        }
        Ok(())
    }

    /// The template, its number from 0, and the verdict.
    fn finish(&mut self) -> PyResult<PyTable> {
        let (told, _) = std::mem::take(&mut self.judged).finish();
        let count = i64::from(u32::try_from(told.len()).map_err(|_| input("more than 2^32 blocks"))?);
        let [templates, tokens] = [0, 1].map(|at| numbers(told.iter().map(|told| told.0[at])));
        let verdicts: ArrayRef = Arc::new(told.into_iter().map(|told| Some(told.1)).collect::<BinaryArray>());
        let number = ("number", numbers(0..count));
        table(vec![("template", templates), ("token", tokens), number, ("verdict", verdicts)]).map(PyTable)
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
