//! Runs: grams that repeat one after the other.
//!
//! A gram that repeats is known by the place where it occurs first: a document, its home, and a token of it, its spot.
//! Along a copy the spots go up with the positions, so a copied passage is one row and not one a word, however often
//! it was copied: a run. Two grams that stand side by side mostly are neighbours at home too; so meetings of grams are
//! counted, and grams joined to templates, by stretches. What is left of single grams are the places where copies begin, end
//! or differ.

use super::{Out, binary, bytes, pack, ready, small, unpack};
use crate::shuffled::{batches, numbers, whole};
use crate::tables::{PyTable, table};
use crate::watch::detached;
use arrow_array::{Array, ArrayRef, BinaryArray};
use descale::Error;
use descale::block::Options;
use descale::block::chain::{self, Hit};
use descale::block::marks::GramMarks;
use descale::near::Components;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3_arrow::input::AnyArray;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// The position of the row that tells of its document.
pub(super) const FACTS: i64 = -1;

/// A gram: home and spot.
pub(super) type Gram = (i64, u32);

/// A gram at one of its places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) doc: i64,
    pub(super) position: u32,
    pub(super) spot: u32,
    pub(super) home: i64,
    pub(super) copies: u32,
}

/// Hits at positions that follow each other, of grams that do so at home, with as many copies each.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) position: u32,
    pub(super) length: u32,
    pub(super) home: i64,
    pub(super) spot: u32,
    pub(super) copies: u32,
}

impl Run {
    fn starts(at: &At) -> Self {
        Self { position: at.position, length: 1, home: at.home, spot: at.spot, copies: at.copies }
    }

    /// Whether the hit goes on with it.
    fn takes(&mut self, at: &At) -> bool {
        let next = (self.position + self.length, self.spot + self.length, self.home, self.copies);
        let goes_on = next == (at.position, at.spot, at.home, at.copies);
        self.length += u32::from(goes_on);
        goes_on
    }

    fn packed(&self) -> [u32; 6] {
        let home = self.home.to_le_bytes();
        let [low, high] = [0, 4].map(|from| u32::from_le_bytes(std::array::from_fn(|at| home[from + at])));
        [self.position, self.length, low, high, self.spot, self.copies]
    }

    fn unpacked([position, length, low, high, spot, copies]: [u32; 6]) -> descale::Result<Self> {
        if position.checked_add(length).is_none() || spot.checked_add(length).is_none() {
            return Err(Error::input("a run reaches beyond its document"));
        }
        let home = (u64::from(high) << 32 | u64::from(low)).cast_signed();
        Ok(Self { position, length, home, spot, copies })
    }

    /// The runs of a document that were packed, ascending.
    pub(super) fn read(bytes: &[u8]) -> descale::Result<Vec<Self>> {
        unpack(bytes)?.map(Self::unpacked).collect()
    }

    /// Adds its hits, each with its place among all of them in place of the gram's name, and their grams.
    pub(super) fn add(&self, hits: &mut Vec<Hit>, grams: &mut Vec<Gram>) {
        for at in 0..self.length {
            let marks = GramMarks::default();
            hits.push(Hit { position: self.position + at, gram: grams.len() as u64, copies: self.copies, marks });
            grams.push((self.home, self.spot + at));
        }
    }
}

/// The document's facts: its number, its tokens and its site, its marks.
type Facts = (i64, i64, Vec<u8>);

/// Grams at their places grouped by document become runs.
#[pyclass(module = "descale._descale")]
#[derive(Default)]
pub(crate) struct Hits {
    hits: Vec<At>,
    facts: Vec<Facts>,
}

#[pymethods]
impl Hits {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes a batch of doc, position, back, shift, copies and marks.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            let [docs, positions, backs, shifts, copies] =
                ["doc", "position", "back", "shift", "copies"].map(|name| whole(&batch, name));
            let (docs, positions, backs, shifts, copies) = (docs?, positions?, backs?, shifts?, copies?);
            let marks = binary(&batch, "marks")?;
            for row in 0..batch.num_rows() {
                let (doc, position, back) = (docs.value(row), positions.value(row), backs.value(row));
                if position == FACTS {
                    self.facts.push((doc, back, bytes(&marks, row).to_vec()));
                    continue;
                }
                self.hits.push(At {
                    doc,
                    position: small(position),
                    spot: small(position.wrapping_sub(shifts.value(row))),
                    home: doc.wrapping_sub(back),
                    copies: small(copies.value(row)),
                });
            }
        }
        Ok(())
    }

    /// Of every document with hits its length, its site, its runs packed, and its marks.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let (mut hits, mut facts) = (std::mem::take(&mut self.hits), std::mem::take(&mut self.facts));
        let mut columns: Out<3> = Out::default();
        let (packed, marks) = detached(py, || {
            // They come in order from each of the folds before: this sort sees that, and merges them.
            hits.sort();
            facts.sort_unstable_by_key(|facts| facts.0);
            let mut facts = facts.into_iter();
            let (mut packed, mut all_marks) = (Vec::new(), Vec::new());
            for group in hits.chunk_by(|a, b| a.doc == b.doc) {
                let doc = group[0].doc;
                let (_, told, marks) = facts
                    .find(|facts| facts.0 == doc)
                    .ok_or_else(|| Error::input(format!("nothing tells of document {doc}")))?;
                columns.push([doc, told >> 32, told & i64::from(u32::MAX)]);
                let mut runs: Vec<Run> = Vec::new();
                for at in group {
                    if !runs.last_mut().is_some_and(|run| run.takes(at)) {
                        runs.push(Run::starts(at));
                    }
                }
                packed.push(pack(runs.iter().map(Run::packed)));
                all_marks.push(marks);
            }
            Ok((packed, all_marks))
        })?;
        let [docs, tokens, sites] = columns.0.map(numbers);
        let [packed, marks] = [packed, marks].map(|rows| Arc::new(rows.into_iter().map(Some).collect::<BinaryArray>()));
        table(vec![("doc", docs), ("tokens", tokens), ("site", sites), ("rows", packed as ArrayRef), ("marks", marks)])
            .map(PyTable)
    }
}

/// Documents with their runs become the runs alone, with their homes.
#[pyclass(module = "descale._descale")]
#[derive(Default)]
pub(crate) struct Runs {}

#[pymethods]
impl Runs {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Of a batch of doc and rows: home, spot, length, doc, position.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<PyTable> {
        let mut out = Out::default();
        for batch in batches(rows)? {
            let (docs, packed) = (whole(&batch, "doc")?, binary(&batch, "rows")?);
            detached(py, || {
                for (row, &doc) in docs.values().iter().enumerate() {
                    for run in Run::read(bytes(&packed, row))? {
                        out.push([run.home, run.spot.into(), run.length.into(), doc, run.position.into()]);
                    }
                }
                Ok(())
            })?;
        }
        out.table(["home", "spot", "length", "doc", "position"])
    }
}

/// Which grams meet: one at home in `home` and one in `other`, so many tokens further on (of their homes), the more frequent
/// one with so many copies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Lane {
    home: i64,
    other: i64,
    shift: i64,
    copies: u32,
}

impl Lane {
    fn of(gram: Gram, other: Gram, copies: u32) -> Self {
        Self { home: gram.0, other: other.0, shift: i64::from(other.1) - i64::from(gram.1), copies }
    }
}

/// So often every gram from `spot` to `end` met the other one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Meetings {
    lane: Lane,
    spot: u32,
    end: u32,
    count: i64,
}

/// The columns of meetings.
const MEETINGS: [&str; 7] = ["home", "other", "shift", "copies", "spot", "end", "meetings"];

/// Meetings as they came, in any order, as stretches with one count each.
fn counted(mut meetings: Vec<Meetings>) -> Vec<Meetings> {
    meetings.sort_unstable();
    let mut out: Vec<Meetings> = Vec::new();
    let mut tell = |lane, spot, end, count| match out.last_mut() {
        _ if spot == end || count == 0 => {}
        Some(last) if (last.lane, last.end, last.count) == (lane, spot, count) => last.end = end,
        _ => out.push(Meetings { lane, spot, end, count }),
    };
    for group in meetings.chunk_by(|a, b| a.lane == b.lane) {
        let (lane, mut from, mut count) = (group[0].lane, 0, 0);
        // What has begun, by its end.
        let mut open: BinaryHeap<Reverse<(u32, i64)>> = BinaryHeap::new();
        let starts = group.iter().map(|m| (m.spot, Some((m.end, m.count)))).chain([(u32::MAX, None)]);
        for (spot, opens) in starts {
            while let Some(&Reverse((end, of_end))) = open.peek().filter(|first| first.0.0 <= spot) {
                tell(lane, from, end, count);
                (from, count) = (end, count - of_end);
                open.pop();
            }
            tell(lane, from, spot, count);
            from = spot;
            if let Some((end, of_start)) = opens {
                count += of_start;
                open.push(Reverse((end, of_start)));
            }
        }
    }
    out
}

/// Runs become meetings of neighbouring grams, counted.
#[pyclass(module = "descale._descale")]
pub(crate) struct Links {
    options: Options,
    meetings: Vec<Meetings>,
}

#[pymethods]
impl Links {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { options: ready(arguments)?, meetings: Vec::new() })
    }

    /// Takes a batch of doc and rows; a document is in one batch alone.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            let packed = binary(&batch, "rows")?;
            detached(py, || {
                let (mut hits, mut grams) = (Vec::new(), Vec::new());
                for row in 0..packed.len() {
                    hits.clear();
                    grams.clear();
                    Run::read(bytes(&packed, row))?.iter().for_each(|run| run.add(&mut hits, &mut grams));
                    self.link(&hits, &grams);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// How often two grams meet here; `copies` is of the more frequent one.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let meetings = std::mem::take(&mut self.meetings);
        let mut out = Out::default();
        detached(py, || {
            for Meetings { lane, spot, end, count } in counted(meetings) {
                let Lane { home, other, shift, copies } = lane;
                out.push([home, other, shift, copies.into(), spot.into(), end.into(), count]);
            }
            Ok(())
        })?;
        out.table(MEETINGS)
    }
}

impl Links {
    fn link(&mut self, hits: &[Hit], grams: &[Gram]) {
        let gram = |hit: &Hit| grams[usize::try_from(hit.gram).expect("a hit's number")];
        let before = self.meetings.len();
        chain::links(hits, self.options.reach(), |a, b| {
            let (home, other) = (gram(a), gram(b));
            let (lane, spot) = (Lane::of(home, other, a.copies.max(b.copies)), home.1);
            match self.meetings[before..].last_mut() {
                Some(last) if last.lane == lane && last.end == spot => last.end += 1,
                _ => self.meetings.push(Meetings { lane, spot, end: spot + 1, count: 1 }),
            }
        });
    }
}

/// Meetings grouped by home become links between grams of one template.
#[pyclass(module = "descale._descale")]
pub(crate) struct Joined {
    options: Options,
    meetings: Vec<Meetings>,
}

/// The columns of links.
const LINKS: [&str; 5] = ["home", "other", "shift", "spot", "end"];

#[pymethods]
impl Joined {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { options: ready(arguments)?, meetings: Vec::new() })
    }

    /// Takes a batch that [`Links`] made.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        let rows = super::rows_of(rows, MEETINGS)?;
        self.meetings.extend(rows.into_iter().map(|[home, other, shift, copies, spot, end, count]| Meetings {
            lane: Lane { home, other, shift, copies: small(copies) },
            spot: small(spot),
            end: small(end),
            count,
        }));
        Ok(())
    }

    /// The links that hold in enough of the copies.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let meetings = std::mem::take(&mut self.meetings);
        let mut out = Out::default();
        detached(py, || {
            let mut links: Vec<[i64; 5]> = counted(meetings)
                .into_iter()
                .filter(|Meetings { lane, count, .. }| {
                    self.options.exact || chain::is_linked(count.cast_unsigned(), lane.copies, lane.copies)
                })
                .map(|Meetings { lane, spot, end, .. }| [lane.home, lane.other, lane.shift, spot.into(), end.into()])
                .collect();
            links.sort_unstable();
            let next = |a: &[i64; 5], b: &[i64; 5]| a[..3] == b[..3] && a[4] == b[3];
            for stretch in links.chunk_by(next) {
                let [home, other, shift, spot, _] = stretch[0];
                out.push([home, other, shift, spot, stretch[stretch.len() - 1][4]]);
            }
            Ok(())
        })?;
        out.table(LINKS)
    }
}

/// Grams of one home that are joined one to the next, from the first to the last.
type Stretch = (i64, u32, u32);

/// All links become templates.
#[pyclass(module = "descale._descale")]
#[derive(Default)]
pub(crate) struct Linked {
    stretches: Vec<Stretch>,
    /// Links that are not along a stretch: both homes, both spots.
    others: Vec<(i64, i64, u32, u32)>,
}

#[pymethods]
impl Linked {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes a batch that [`Joined`] made.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        for [home, other, shift, spot, end] in super::rows_of(rows, LINKS)? {
            if home == other && shift == 1 {
                self.stretches.push((home, small(spot), small(end)));
            } else {
                let spots = (spot..end).map(|spot| (home, other, small(spot), small(spot.saturating_add(shift))));
                self.others.extend(spots);
            }
        }
        Ok(())
    }

    /// Stretches of grams (home, spot, end) with their templates, each called by the smallest of its grams (template, token).
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let (mut stretches, others) = (std::mem::take(&mut self.stretches), std::mem::take(&mut self.others));
        let roots = detached(py, || {
            merge(&mut stretches);
            let mut alone: Vec<Stretch> = others
                .iter()
                .flat_map(|&(home, other, spot, of_other)| [(home, spot), (other, of_other)])
                .filter(|&gram| found(&stretches, gram).is_none())
                .map(|(home, spot)| (home, spot, spot))
                .collect();
            alone.sort_unstable();
            alone.dedup();
            stretches.extend(alone);
            merge(&mut stretches);
            joined(&stretches, others)
        })?;
        let root = |&root: &u32| &stretches[root as usize];
        table(vec![
            ("home", numbers(stretches.iter().map(|of| of.0))),
            ("spot", numbers(stretches.iter().map(|of| of.1.into()))),
            ("end", numbers(stretches.iter().map(|of| i64::from(of.2) + 1))),
            ("template", numbers(roots.iter().map(|at| root(at).0))),
            ("token", numbers(roots.iter().map(|at| root(at).1.into()))),
        ])
        .map(PyTable)
    }
}

/// Puts stretches in order; those that have a gram in common become one.
fn merge(stretches: &mut Vec<Stretch>) {
    stretches.sort_unstable();
    stretches.dedup_by(|next, open| {
        let meets = next.0 == open.0 && next.1 <= open.2;
        open.2 = if meets { open.2.max(next.2) } else { open.2 };
        meets
    });
}

/// The stretch that has the gram.
fn found(stretches: &[Stretch], (home, spot): Gram) -> Option<usize> {
    let at = stretches.partition_point(|&(of, _, last)| (of, last) < (home, spot));
    stretches.get(at).filter(|of| of.0 == home && of.1 <= spot).map(|_| at)
}

/// For each stretch the first one of its template.
fn joined(stretches: &[Stretch], links: Vec<(i64, i64, u32, u32)>) -> descale::Result<Vec<u32>> {
    let count = u32::try_from(stretches.len())
        .map_err(|_| Error::resource("more than 2^32 passages repeat").cure("raise min_tokens"))?;
    let mut components = Components::new(count);
    let stretch = |gram| {
        let at = found(stretches, gram).expect("each gram of a link is in a stretch");
        u32::try_from(at).expect("below the count")
    };
    for (home, other, spot, of_other) in links {
        components.union(stretch((home, spot)), stretch((other, of_other)));
    }
    Ok(components.into_roots())
}

/// Runs grouped by home, and the stretches of templates there, become pieces of runs that know their templates. Of a gram
/// that is in no stretch no piece tells: [`Copies`](super::judge::Copies) takes it for a template of its own.
#[pyclass(module = "descale._descale")]
#[derive(Default)]
pub(crate) struct Templates {
    runs: Vec<[i64; 5]>,
    stretches: Vec<[i64; 5]>,
}

#[pymethods]
impl Templates {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes a batch of home, spot, length, doc and position, or one of home, spot, end, template and token.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            if batch.column_by_name("template").is_some() {
                super::extend(&mut self.stretches, &batch, ["home", "spot", "end", "template", "token"])?;
            } else {
                super::extend(&mut self.runs, &batch, ["home", "spot", "length", "doc", "position"])?;
            }
        }
        Ok(())
    }

    /// Of each document the stretches with their templates.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let (runs, mut stretches) = (std::mem::take(&mut self.runs), std::mem::take(&mut self.stretches));
        let mut out = Out::default();
        detached(py, || {
            stretches.sort_unstable();
            for [home, spot, length, doc, position] in runs {
                let past = spot.checked_add(length).ok_or_else(|| Error::input("a run has no end"))?;
                let first = stretches.partition_point(|of| (of[0], of[2]) <= (home, spot));
                for &[_, start, end, template, token] in
                    stretches[first..].iter().take_while(|of| of[0] == home && of[1] < past)
                {
                    let (from, to) = (start.max(spot), end.min(past));
                    out.push([doc, position + (from - spot), to - from, template, token]);
                }
            }
            Ok(())
        })?;
        out.table(PIECE)
    }
}

/// The columns of a stretch of a document with its template.
pub(super) const PIECE: [&str; 5] = ["doc", "position", "length", "template", "token"];
