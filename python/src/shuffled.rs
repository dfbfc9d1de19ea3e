//! The near-duplicate way's maps and folds for an engine that shuffles: Arrow batches in, Arrow batches out.
//!
//! The functions are the library's; here batches are taken apart and put together. Documents have 64-bit numbers that
//! ascend in input order. Every fold takes all rows of its keys, in any order and any number of batches, and sorts them
//! itself: engines exist that drop a sort without a word.
//!
//! | step | takes rows of | by | gives rows of |
//! |---|---|---|---|
//! | [`Bands`] | doc, text, cuts | - | key, doc, other |
//! | [`Edges`] | key, doc, other | key | doc, other |
//! | [`Union`] | doc, other | - | doc, component |
//! | [`Candidates`] | doc, component, text, cuts, rank | - | component, doc, tokens, rank, sequence, shingles |
//! | [`Verdicts`] | component, ... | component | doc, action, reason, of, similarity, cluster |

use crate::blocks::apply::cuts_of;
use crate::blocks::{binary, bytes};
use crate::columns::{Table, Texts};
use crate::errors::{exception, input};
use crate::options;
use crate::tables::{PyTable, table, word};
use crate::watch::detached;
use arrow_array::builder::{BinaryBuilder, FixedSizeBinaryBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, LargeBinaryArray, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use descale::hash;
use descale::near::{self, Components, Decider, Member, Near, Rank, Reason, Verdict, lsh};
use descale::span::ByteSpan;
use descale::text::{Tokens, tokenize_words};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3_arrow::input::AnyArray;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Keys a map remembers to spare the shuffle. 3 MiB: to miss the cache for every key would cost more than is spared.
const REMEMBERED_KEYS: usize = 1 << 17;

fn ready(arguments: &Bound<'_, PyDict>) -> PyResult<Near> {
    Near::new(&options::near(arguments)?).map_err(|error| exception(&error))
}

pub(crate) fn column<'b>(batch: &'b RecordBatch, name: &str) -> PyResult<&'b ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| input(format!("the rows have no column {name:?}")))
}

/// A column of whole numbers without nulls.
pub(crate) fn whole(batch: &RecordBatch, name: &str) -> PyResult<Int64Array> {
    let numbers = cast(column(batch, name)?, &DataType::Int64).map_err(|e| input(e.to_string()))?;
    if numbers.null_count() > 0 {
        return Err(input(format!("the column {name:?} has nulls\n  help: give every row its own number")));
    }
    Ok(numbers.as_primitive::<Int64Type>().clone())
}

pub(crate) fn batches(rows: AnyArray) -> PyResult<Vec<RecordBatch>> {
    Ok(Table::new(rows, "text")?.batches)
}

pub(crate) fn numbers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

/// Tables of the same columns as one.
pub(crate) fn joined(tables: Vec<Table>) -> PyResult<PyTable> {
    let schema = tables.first().map_or_else(|| Arc::new(arrow_schema::Schema::empty()), |t| Arc::clone(&t.schema));
    Ok(PyTable(Table { schema, batches: tables.into_iter().flat_map(|t| t.batches).collect() }))
}

/// What the block way takes out of documents: it counts in no similarity.
struct Hidden(Option<LargeBinaryArray>);

impl Hidden {
    fn of(batch: &RecordBatch) -> PyResult<Self> {
        batch.column_by_name("cuts").map(|_| binary(batch, "cuts")).transpose().map(Self)
    }

    fn spans(&self, row: usize) -> descale::Result<impl Iterator<Item = ByteSpan> + use<>> {
        let cuts = self.0.as_ref().map_or(Ok(Vec::new()), |column| cuts_of(bytes(column, row)))?;
        Ok(cuts.into_iter().map(|cut| cut.span))
    }
}

/// Documents with their texts become postings (`other` is `doc`), and edges to a document met before under the same
/// key (`other` is not `doc`): so a key that half of all documents have is shuffled once a partition.
#[pyclass(module = "descale._descale")]
pub(crate) struct Bands {
    near: Near,
    /// Keys, each at its place, with a document that all before with this key are joined with. A key takes the place of
    /// another, so that one that many documents have is there most of the time.
    met: Vec<Option<(u64, i64)>>,
}

#[pymethods]
impl Bands {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { near: ready(arguments)?, met: vec![None; REMEMBERED_KEYS] })
    }

    /// The postings and edges of a batch of doc, text and, where blocks were found, cuts.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<PyTable> {
        let mut out: [Vec<i64>; 3] = Default::default();
        for batch in batches(rows)? {
            let (docs, texts) = (whole(&batch, "doc")?, Texts::new("text", column(&batch, "text")?)?);
            let hidden = Hidden::of(&batch)?;
            detached(py, || {
                let (mut tokens, mut units) = (Tokens::default(), Vec::new());
                let (mut scratch, mut keys) = (Vec::new(), Vec::new());
                for (row, (&doc, text)) in docs.values().iter().zip(texts.iter()).enumerate() {
                    let Some(text) = text else { continue };
                    tokenize_words(text, &mut tokens);
                    let units = self.near.units(text, &tokens, hidden.spans(row)?, &mut units);
                    self.near.keys(units, &mut scratch, &mut keys);
                    self.send(doc, &keys, &mut out);
                }
                Ok(())
            })?;
        }
        let [keys, docs, others] = out.map(numbers);
        table(vec![("key", keys), ("doc", docs), ("other", others)]).map(PyTable)
    }
}

impl Bands {
    fn send(&mut self, doc: i64, keys: &[u64], out: &mut [Vec<i64>; 3]) {
        let mut joined: Vec<i64> = Vec::new();
        let mut row = |key: i64, other| [key, doc, other].into_iter().zip(&mut *out).for_each(|(v, c)| c.push(v));
        for &key in keys {
            // How many documents have a containment key matters, so these are all sent.
            let met = if lsh::is_containment_key(key) { None } else { self.met[place(key)] };
            match met {
                Some((other, first)) if other == key && first != doc => {
                    if !joined.contains(&first) {
                        joined.push(first);
                        row(doc, first);
                    }
                }
                _ => row(key.cast_signed(), doc),
            }
        }
        // All that have one of these keys are joined with this document, and so with what it was joined with first.
        let first = joined.first().copied().unwrap_or(doc);
        for &key in keys.iter().filter(|&&key| !lsh::is_containment_key(key)) {
            self.met[place(key)] = Some((key, first));
        }
    }
}

/// Where a key is remembered.
fn place(key: u64) -> usize {
    let place = (u128::from(hash::mix(key)) * REMEMBERED_KEYS as u128) >> 64;
    usize::try_from(place).expect("below the number of keys")
}

/// Numbers documents densely in ascending order and joins them.
fn components(mut edges: Vec<(i64, i64)>) -> descale::Result<(Vec<i64>, Vec<u32>)> {
    // All is a walk along sorted edges: to search for every end would miss the cache at every step.
    let mut docs = Vec::new();
    edges.sort_unstable_by_key(|edge| edge.0);
    docs.extend(edges.chunk_by(|a, b| a.0 == b.0).map(|group| group[0].0));
    edges.sort_unstable_by_key(|edge| edge.1);
    docs.extend(edges.chunk_by(|a, b| a.1 == b.1).map(|group| group[0].1));
    // This sort sees that there are two runs, and merges them.
    docs.sort();
    docs.dedup();
    let count = u32::try_from(docs.len()).map_err(|_| {
        descale::Error::resource("more than 2^32 documents are candidates in one task").cure("use more partitions")
    })?;
    number(edges.iter_mut().map(|edge| &mut edge.1), &docs);
    edges.sort_unstable_by_key(|edge| edge.0);
    number(edges.iter_mut().map(|edge| &mut edge.0), &docs);
    let mut components = Components::new(count);
    let end = |number: i64| u32::try_from(number).expect("below the count");
    for (a, b) in edges {
        components.union(end(a), end(b));
    }
    Ok((docs, components.into_roots()))
}

/// Replaces documents, in ascending order, by their places among all documents.
fn number<'e>(ends: impl Iterator<Item = &'e mut i64>, docs: &[i64]) {
    let mut places = (0i64..).zip(docs).peekable();
    for end in ends {
        while places.next_if(|&(_, doc)| *doc < *end).is_some() {}
        *end = places.peek().expect("every end is a document").0;
    }
}

/// Edges so many that they are joined before more are taken: 64 MiB.
const EDGES_HELD: usize = 1 << 22;

/// Edges, contracted now and then to one a document.
#[derive(Default)]
pub(crate) struct Forest {
    edges: Vec<(i64, i64)>,
    limit: usize,
}

impl Forest {
    pub(crate) fn push(&mut self, a: i64, b: i64) -> descale::Result<()> {
        self.edges.push((a, b));
        if self.edges.len() >= self.limit.max(EDGES_HELD) {
            self.contract()?;
            // A forest that hardly shrinks is not contracted over and over.
            self.limit = 2 * self.edges.len();
        }
        Ok(())
    }

    fn contract(&mut self) -> descale::Result<()> {
        let (docs, roots) = components(std::mem::take(&mut self.edges))?;
        let rooted = docs.iter().zip(roots).map(|(&doc, root)| (doc, docs[root as usize]));
        self.edges = rooted.filter(|(doc, root)| doc != root).collect();
        Ok(())
    }

    /// An edge from every document that is not the smallest of its component.
    pub(crate) fn finish(&mut self) -> descale::Result<Vec<(i64, i64)>> {
        self.contract()?;
        Ok(std::mem::take(&mut self.edges))
    }
}

/// Postings grouped by key become edges, contracted to a forest.
#[pyclass(module = "descale._descale")]
#[derive(Default)]
pub(crate) struct Edges {
    postings: Vec<(u64, i64)>,
    forest: Forest,
}

#[pymethods]
impl Edges {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes a batch of key, doc and other.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            let [keys, docs, others] = [whole(&batch, "key")?, whole(&batch, "doc")?, whole(&batch, "other")?];
            detached(py, || {
                for ((&key, &doc), &other) in keys.values().iter().zip(docs.values()).zip(others.values()) {
                    if doc == other {
                        self.postings.push((key.cast_unsigned(), doc));
                    } else {
                        self.forest.push(doc, other)?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The edges of all that was pushed.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let edges = detached(py, || {
            self.postings.sort_unstable();
            for group in self.postings.chunk_by(|a, b| a.0 == b.0) {
                let (key, first) = group[0];
                if !lsh::is_idle(key, group.len() as u64) {
                    group[1..].iter().try_for_each(|&(_, doc)| self.forest.push(first, doc))?;
                }
            }
            self.forest.finish()
        })?;
        self.postings.clear();
        table(vec![("doc", numbers(edges.iter().map(|e| e.0))), ("other", numbers(edges.iter().map(|e| e.1)))])
            .map(PyTable)
    }
}

/// All edges become components.
#[pyclass(module = "descale._descale")]
#[derive(Default)]
pub(crate) struct Union {
    forest: Forest,
}

#[pymethods]
impl Union {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes a batch of doc and other.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            let [docs, others] = [whole(&batch, "doc")?, whole(&batch, "other")?];
            let edges = docs.values().iter().zip(others.values());
            detached(py, || edges.into_iter().try_for_each(|(&a, &b)| self.forest.push(a, b)))?;
        }
        Ok(())
    }

    /// The component, its smallest document, of every document with an edge.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let (docs, roots) = detached(py, || components(std::mem::take(&mut self.forest.edges)))?;
        let roots = numbers(roots.iter().map(|&root| docs[root as usize]));
        table(vec![("doc", numbers(docs.iter().copied())), ("component", roots)]).map(PyTable)
    }
}

/// Candidates with their texts become what is needed to decide on them.
#[pyclass(module = "descale._descale")]
pub(crate) struct Candidates {
    near: Near,
    /// Components and sequences whose shingles were sent.
    sent: HashSet<(i64, u128)>,
}

/// Sequences a map remembers to spare the shuffle. 64 MiB.
const REMEMBERED_SEQUENCES: usize = 1 << 20;

#[pymethods]
impl Candidates {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { near: ready(arguments)?, sent: HashSet::new() })
    }

    /// Of a batch of doc, component, text, cuts as above and, where the keep rule asks for it, rank: the members of
    /// components.
    /// Of equal texts, one a partition takes its shingles along.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<PyTable> {
        let mut out = Vec::new();
        for batch in batches(rows)? {
            let (docs, homes) = (whole(&batch, "doc")?, whole(&batch, "component")?);
            let texts = Texts::new("text", column(&batch, "text")?)?;
            let hidden = Hidden::of(&batch)?;
            let rank = batch.column_by_name("rank").map(|rank| cast(rank, &DataType::Float64)).transpose();
            let rank = rank.map_err(|e| input(e.to_string()))?;
            let rank = rank.unwrap_or_else(|| Arc::new(Float64Array::new_null(batch.num_rows())));
            let mut sequences = FixedSizeBinaryBuilder::new(16);
            let (mut shingles, mut counts) = (BinaryBuilder::new(), Vec::new());
            detached(py, || {
                let (mut tokens, mut units) = (Tokens::default(), Vec::new());
                let (mut scratch, mut bytes) = (Vec::new(), Vec::new());
                for (row, (&home, text)) in homes.values().iter().zip(texts.iter()).enumerate() {
                    let text = text.unwrap_or_default();
                    tokenize_words(text, &mut tokens);
                    let units = self.near.units(text, &tokens, hidden.spans(row)?, &mut units);
                    let sequence = hash::token_sequence(units);
                    counts.push(i64::try_from(units.len()).expect("fewer tokens than bytes"));
                    sequences.append_value(sequence.to_le_bytes()).expect("sixteen bytes");
                    if self.sent.contains(&(home, sequence)) {
                        shingles.append_null();
                        continue;
                    }
                    if self.sent.len() < REMEMBERED_SEQUENCES {
                        self.sent.insert((home, sequence));
                    }
                    self.near.shingle_set(units, &mut scratch);
                    bytes.clear();
                    scratch.iter().for_each(|s| bytes.extend_from_slice(&s.to_le_bytes()));
                    shingles.append_value(&bytes);
                }
                Ok(())
            })?;
            out.push(table(vec![
                ("component", Arc::new(homes)),
                ("doc", Arc::new(docs)),
                ("tokens", numbers(counts)),
                ("rank", rank),
                (
                    "sequence",
                    cast(&(Arc::new(sequences.finish()) as ArrayRef), &DataType::Binary)
                        .map_err(|e| input(e.to_string()))?,
                ),
                ("shingles", Arc::new(shingles.finish())),
            ])?);
        }
        joined(out)
    }
}

/// A candidate on its way to its component.
struct Candidate {
    component: i64,
    doc: i64,
    tokens: u32,
    rank: f64,
    sequence: u128,
}

/// Members grouped by component become verdicts.
#[pyclass(module = "descale._descale")]
pub(crate) struct Verdicts {
    near: Near,
    members: Vec<Candidate>,
    shingles: HashMap<(i64, u128), Box<[u64]>>,
}

#[pymethods]
impl Verdicts {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { near: ready(arguments)?, members: Vec::new(), shingles: HashMap::new() })
    }

    /// Takes a batch that [`Candidates`] made.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            let [homes, docs, tokens] = [whole(&batch, "component")?, whole(&batch, "doc")?, whole(&batch, "tokens")?];
            let (sequences, shingles) = (binary(&batch, "sequence")?, binary(&batch, "shingles")?);
            let ranks = column(&batch, "rank")?.as_primitive::<Float64Type>().clone();
            detached(py, || {
                for i in 0..batch.num_rows() {
                    let component = homes.value(i);
                    let sequence = sequences.value(i).try_into().map(u128::from_le_bytes);
                    let sequence = sequence.map_err(|_| descale::Error::input("a sequence is not sixteen bytes"))?;
                    if shingles.is_valid(i) {
                        let words = shingles.value(i).chunks_exact(8);
                        let words = words.map(|w| u64::from_le_bytes(w.try_into().expect("eight bytes")));
                        self.shingles.entry((component, sequence)).or_insert_with(|| words.collect());
                    }
                    let tokens = u32::try_from(tokens.value(i)).unwrap_or(u32::MAX);
                    let rank = if ranks.is_valid(i) { ranks.value(i) } else { f64::NAN };
                    self.members.push(Candidate { component, doc: docs.value(i), tokens, rank, sequence });
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The verdicts on all members that have company.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let mut members = std::mem::take(&mut self.members);
        let told = detached(py, || {
            members.sort_unstable_by_key(|m| (m.component, m.doc));
            let mut told = Told::default();
            for group in members.chunk_by(|a, b| a.component == b.component) {
                let docs: Vec<i64> = group.iter().map(|m| m.doc).collect();
                decide(&self.near, group, &self.shingles)?.for_each(|verdict| told.push(&verdict, &docs));
            }
            Ok(told)
        })?;
        self.shingles.clear();
        told.finish()
    }
}

/// The verdicts on one component; documents are numbered within it, in input order.
fn decide(
    near: &Near,
    group: &[Candidate],
    shingles: &HashMap<(i64, u128), Box<[u64]>>,
) -> descale::Result<impl Iterator<Item = Verdict>> {
    let rank = |(doc, m): (u32, &Candidate)| Rank { source: Rank::NO_SOURCE, doc, tokens: m.tokens, value: m.rank };
    let mut order: Vec<Rank> = (0u32..).zip(group).map(rank).collect();
    order.sort_unstable_by(|a, b| near.options().keep.compare(a, b));
    let mut decider = Decider::new(near);
    for Rank { doc, tokens, .. } in order {
        let Candidate { component, sequence, .. } = group[doc as usize];
        let shingles = shingles.get(&(component, sequence)).cloned();
        let shingles = shingles.ok_or_else(|| descale::Error::input("a candidate's shingles are missing"))?;
        decider.push(Member { doc, shingles, sequence, tokens });
    }
    Ok(near::clustered(decider.finish()))
}

/// Columns of verdicts.
#[derive(Default)]
struct Told {
    docs: Vec<i64>,
    actions: Vec<&'static str>,
    reasons: Vec<Option<String>>,
    of: Vec<Option<i64>>,
    similarities: Vec<Option<f64>>,
    clusters: Vec<i64>,
}

impl Told {
    fn push(&mut self, verdict: &Verdict, docs: &[i64]) {
        self.docs.push(docs[verdict.doc as usize]);
        self.actions.push(if verdict.kept { "keep" } else { "drop" });
        self.reasons.push(verdict.reason.map(|reason| word(&reason)));
        self.of.push(verdict.of.map(|of| docs[of as usize]));
        let similarity = if verdict.reason == Some(Reason::Contained) { verdict.contained } else { verdict.similarity };
        self.similarities.push((!verdict.kept).then_some(similarity));
        self.clusters.push(docs[verdict.cluster_root as usize]);
    }

    fn finish(self) -> PyResult<PyTable> {
        table(vec![
            ("doc", numbers(self.docs)),
            ("action", Arc::new(self.actions.into_iter().map(Some).collect::<StringArray>())),
            ("reason", Arc::new(self.reasons.into_iter().collect::<StringArray>())),
            ("of", Arc::new(self.of.into_iter().collect::<Int64Array>())),
            ("similarity", Arc::new(self.similarities.into_iter().collect::<Float64Array>())),
            ("cluster", numbers(self.clusters)),
        ])
        .map(PyTable)
    }
}
