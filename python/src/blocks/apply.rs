//! The letters of decided templates, where else they stand, and what is cut.

use super::judge::{Mark, Told, wants_of_code};
use super::{Out, binary, bytes, documents, pack, read, ready, rows_of, small, stretch, unpack};
use crate::columns::Texts;
use crate::errors::input;
use crate::shuffled::{batches, column, numbers, whole};
use crate::tables::{self, PyTable, lists, records, table, texts};
use crate::watch::detached;
use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{DataType, Field};
use descale::Error;
use descale::block::bank::{Entry, Search, is_flood};
use descale::block::decide::Reason;
use descale::block::judge::{Sight, extended, worth};
use descale::block::letters::Letters;
use descale::block::reading::Reading;
use descale::block::{Options, bank};
use descale::plan::edit::{self, Rule};
use descale::plan::lines::{BlockLine, wording};
use descale::plan::strip::{Cut, Piece, apply};
use descale::report::Picture;
use descale::span::Span;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3_arrow::input::AnyArray;
use std::borrow::Cow;
use std::sync::Arc;

/// Documents with their texts and the places to look at become what is to be seen there.
#[pyclass(module = "descale._descale")]
pub(crate) struct Sights {
    options: Options,
}

/// What is seen at places of templates, in columns.
#[derive(Default)]
struct Seen {
    places: Out<2>,
    left: BinaryBuilder,
    letters: BinaryBuilder,
    right: BinaryBuilder,
    pictures: StringBuilder,
}

#[pymethods]
impl Sights {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { options: ready(arguments)? })
    }

    /// Of a batch of doc, text and rows (number, which, start, end, wants): number, which, the letters left of the
    /// place, in it and right of it, and its picture.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<PyTable> {
        let mut seen = Seen::default();
        for batch in batches(rows)? {
            let ((docs, texts), places) = (documents(&batch)?, binary(&batch, "rows")?);
            detached(py, || {
                let (mut reading, mut letters) = (Reading::new(&self.options), Letters::default());
                for (row, (&doc, text)) in docs.values().iter().zip(texts.iter()).enumerate() {
                    let Some(text) = text else { continue };
                    reading.read(text);
                    for place in unpack(bytes(&places, row))? {
                        seen.push((doc, text), &reading, place, &mut letters)?;
                    }
                }
                Ok(())
            })?;
        }
        let [numbers, which] = seen.places.0.map(numbers);
        table(vec![
            ("number", numbers),
            ("which", which),
            ("left", Arc::new(seen.left.finish())),
            ("letters", Arc::new(seen.letters.finish())),
            ("right", Arc::new(seen.right.finish())),
            ("picture", Arc::new(seen.pictures.finish())),
        ])
        .map(PyTable)
    }
}

impl Seen {
    fn push(
        &mut self,
        (doc, text): (i64, &str),
        reading: &Reading,
        [number, which, start, end, wants]: [u32; 5],
        letters: &mut Letters,
    ) -> descale::Result<()> {
        let tokens = &reading.body.spans;
        let place = stretch(doc, tokens.len(), start, end)?;
        let sight = Sight::read(text, tokens, place, wants_of_code(wants), letters);
        let (first, last) = (tokens[start as usize], tokens[end as usize - 1]);
        let picture = Picture::of_copy(doc.to_string(), text, Span::new(first.start, last.end));
        self.places.push([number.into(), which.into()]);
        self.left.append_value(sight.left);
        self.letters.append_value(sight.letters);
        self.right.append_value(sight.right);
        self.pictures.append_value(serde_json::to_string(&picture).map_err(|e| Error::resource(e.to_string()))?);
        Ok(())
    }
}

/// What was seen, grouped by template, becomes blocks.
#[pyclass(module = "descale._descale")]
pub(crate) struct Pictured {
    options: Options,
    seen: Vec<(u32, u32, Sight, Picture)>,
    told: Vec<(u32, Told)>,
}

#[pymethods]
impl Pictured {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { options: ready(arguments)?, seen: Vec::new(), told: Vec::new() })
    }

    /// Takes a batch that [`Sights`] made, with the verdict on each row's template.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            let (templates, which) = (whole(&batch, "number")?, whole(&batch, "which")?);
            let [left, letters, right] = ["left", "letters", "right"].map(|name| binary(&batch, name));
            let (left, letters, right) = (left?, letters?, right?);
            let (pictures, verdicts) = (binary(&batch, "picture")?, binary(&batch, "verdict")?);
            for row in 0..batch.num_rows() {
                let [left, letters, right] = [&left, &letters, &right].map(|column| bytes(column, row).to_vec());
                let (number, which) = (small(templates.value(row)), small(which.value(row)));
                if which == 0 {
                    self.told.push((number, read(bytes(&verdicts, row))?));
                }
                self.seen.push((number, which, Sight { left, letters, right }, read(bytes(&pictures, row))?));
            }
        }
        Ok(())
    }

    /// The blocks in order, as [`tables::blocks`] has them, and of those that go the letters.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let (mut seen, mut told) = (std::mem::take(&mut self.seen), std::mem::take(&mut self.told));
        let (lines, letters) = detached(py, || {
            seen.sort_by_key(|&(number, which, ..)| (number, which));
            told.sort_by_key(|&(number, _)| number);
            let (mut lines, mut all_letters) = (Vec::new(), Vec::new());
            let mut seen = seen.into_iter().peekable();
            for (number, Told { evidence, reason }) in told {
                let (mut sights, mut pictures) = (Vec::new(), Vec::new());
                while let Some((_, _, sight, picture)) = seen.next_if(|seen| seen.0 == number) {
                    sights.push(sight);
                    pictures.push(picture);
                }
                let Picture { template, examples } = Picture::of_block(pictures);
                let line = BlockLine::of(u64::from(number) + 1, &evidence, reason, &self.options);
                lines.push(BlockLine { template, examples, ..line });
                all_letters.push((reason.strips() && !self.options.exact).then(|| extended(&sights)));
            }
            Ok((lines, all_letters))
        })?;
        let mut blocks = spark_types(tables::blocks(&lines)?.batches)?;
        blocks.push(("letters", Arc::new(letters.into_iter().collect::<BinaryArray>())));
        table(blocks.iter().map(|(name, column)| (*name, Arc::clone(column))).collect()).map(PyTable)
    }
}

/// The type of a column where there are no unsigned numbers and everything may be null.
fn spark_type(kind: &DataType) -> DataType {
    let nullable = |field: &Field| Arc::new(Field::new(field.name(), spark_type(field.data_type()), true));
    match kind {
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::List(field) => DataType::List(nullable(field)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| nullable(field)).collect()),
        kind => kind.clone(),
    }
}

fn spark_types(batches: Vec<RecordBatch>) -> PyResult<Vec<(&'static str, ArrayRef)>> {
    const NAMES: [&str; 10] =
        ["id", "template", "tokens", "copies", "documents", "sites", "decision", "why", "evidence", "examples"];
    let batch = batches.first().ok_or_else(|| input("there are no blocks"))?;
    let column = |name: &'static str| {
        let column = column(batch, name)?;
        Ok((name, cast(column, &spark_type(column.data_type())).map_err(|e| input(e.to_string()))?))
    };
    NAMES.into_iter().map(column).collect()
}

/// What is known of one block that goes.
struct Block {
    number: u32,
    copies: u32,
    why: String,
}

/// The blocks that go, ready to be found; made once in a process.
#[pyclass(module = "descale._descale", frozen)]
pub(crate) struct Bank {
    bank: bank::Bank,
    /// Ascending by number.
    blocks: Vec<Block>,
    /// The number that stands for running lines.
    running: u32,
}

#[pymethods]
impl Bank {
    /// Of a table with id, documents, tokens, copies, why and letters of the blocks that go; `blocks` is the number of all.
    #[new]
    fn new(py: Python<'_>, rows: AnyArray, blocks: u32) -> PyResult<Self> {
        let (mut entries, mut known) = (Vec::new(), Vec::new());
        for batch in batches(rows)? {
            let (texts, letters) = (Texts::new("why", column(&batch, "why")?)?, binary(&batch, "letters")?);
            let columns = ["id", "documents", "tokens", "copies"].map(|name| whole(&batch, name));
            let [ids, documents, tokens, copies] = columns;
            let (ids, documents, tokens, copies) = (ids?, documents?, tokens?, copies?);
            for row in 0..batch.num_rows() {
                let number = small(ids.value(row) - 1);
                known.push(Block {
                    number,
                    copies: small(copies.value(row)),
                    why: texts.get(row).unwrap_or_default().to_owned(),
                });
                if letters.is_valid(row) {
                    let worth = worth(small(documents.value(row)), small(tokens.value(row)), number);
                    entries.push((worth, Entry { template: number, letters: letters.value(row).to_vec() }));
                }
            }
        }
        known.sort_by_key(|block| block.number);
        let bank = detached(py, || {
            entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.0));
            Ok(bank::Bank::new(entries.into_iter().map(|entry| entry.1).collect()))
        })?;
        Ok(Self { bank, blocks: known, running: blocks })
    }
}

impl Bank {
    fn block(&self, number: u32) -> Option<&Block> {
        let at = self.blocks.partition_point(|block| block.number < number);
        self.blocks.get(at).filter(|block| block.number == number)
    }

    fn why(&self, number: u32) -> String {
        self.block(number).map_or_else(|| wording(Reason::RunningLine), |block| block.why.clone())
    }
}

/// Documents with their texts and the copies that their words led to become cuts.
#[pyclass(module = "descale._descale")]
pub(crate) struct Matches {
    options: Options,
    bank: Py<Bank>,
    /// Blocks that turned out to be common turns of phrase, ascending.
    common: Vec<u32>,
}

/// Buffers of a map.
#[derive(Default)]
struct Room {
    letters: Letters,
    search: Search,
    matches: Vec<bank::Match>,
}

#[pymethods]
impl Matches {
    #[new]
    fn new(arguments: &Bound<'_, PyDict>, bank: Py<Bank>, mut common: Vec<u32>) -> PyResult<Self> {
        common.sort_unstable();
        Ok(Self { options: ready(arguments)?, bank, common })
    }

    /// Of a batch of doc, text and rows (start, end, number, mark; null where there are none): the documents with cuts
    /// (start, end, number), and the blocks that stand in them where their words did not lead to.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<PyTable> {
        let (mut found, mut cuts, mut new) = (Vec::new(), BinaryBuilder::new(), BinaryBuilder::new());
        let bank = self.bank.get();
        for batch in batches(rows)? {
            let ((docs, texts), marks) = (documents(&batch)?, binary(&batch, "rows")?);
            detached(py, || {
                let (mut reading, mut room) = (Reading::new(&self.options), Room::default());
                for (row, (&doc, text)) in docs.values().iter().zip(texts.iter()).enumerate() {
                    let Some(text) = text else { continue };
                    reading.read(text);
                    let (of_doc, letters_only) =
                        self.edit(bank, (doc, text), &reading, bytes(&marks, row), &mut room)?;
                    if of_doc.is_empty() && letters_only.is_empty() {
                        continue;
                    }
                    found.push(doc);
                    cuts.append_value(pack(of_doc.iter().map(|cut| [cut.span.start, cut.span.end, cut.block])));
                    if letters_only.is_empty() {
                        new.append_null();
                    } else {
                        new.append_value(pack(letters_only.into_iter().map(|number| [number])));
                    }
                }
                Ok(())
            })?;
        }
        let columns = vec![
            ("doc", numbers(found)),
            ("cuts", Arc::new(cuts.finish()) as ArrayRef),
            ("new", Arc::new(new.finish())),
        ];
        table(columns).map(PyTable)
    }
}

impl Matches {
    /// The cuts of one document, and the blocks that only its letters led to.
    fn edit(
        &self,
        known: &Bank,
        (doc, text): (i64, &str),
        reading: &Reading,
        marks: &[u8],
        room: &mut Room,
    ) -> descale::Result<(Vec<Cut>, Vec<u32>)> {
        let Room { letters, search, matches } = room;
        matches.clear();
        if !known.bank.is_empty() {
            letters.read(text, &reading.body.spans);
            known.bank.find(letters, search, matches);
        }
        let (mut pieces, mut spared, mut first) = (Vec::new(), Vec::new(), Vec::new());
        for [start, end, number, mark] in unpack(marks)? {
            let tokens = stretch(doc, reading.body.len(), start, end)?;
            match Mark::from_code(mark)? {
                Mark::Goes => pieces.push(Piece { tokens, block: number }),
                Mark::Spared => spared.push(tokens),
                Mark::First => first.push((number, tokens)),
            }
        }
        let (pieces, new) = edit::pieces(pieces, &spared, matches, |number| Rule {
            is_common: self.common.binary_search(&number).is_ok(),
            is_listed: false,
            stays: first.iter().find(|of| of.0 == number).map(|of| of.1),
        });
        let cuts = edit::cuts(&self.options, (text, reading), &pieces, known.running, |_| false);
        Ok((cuts.unwrap_or_default(), new))
    }
}

/// How often blocks stand where their words did not lead to.
#[pyclass(module = "descale._descale")]
#[derive(Default)]
pub(crate) struct Counts {
    new: Vec<u32>,
}

#[pymethods]
impl Counts {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes a batch of new.
    fn push(&mut self, py: Python<'_>, rows: AnyArray) -> PyResult<()> {
        for batch in batches(rows)? {
            let new = binary(&batch, "new")?;
            detached(py, || {
                for row in 0..new.len() {
                    self.new.extend(unpack(bytes(&new, row))?.map(|[number]| number));
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Each number with its count.
    fn finish(&mut self) -> PyResult<PyTable> {
        self.new.sort_unstable();
        let mut out = Out::default();
        for group in self.new.chunk_by(|a, b| a == b) {
            out.push([group[0].into(), i64::try_from(group.len()).expect("they are in memory")]);
        }
        self.new.clear();
        out.table(["number", "count"])
    }
}

/// The blocks that stand at so many places by their letters alone that they must be common turns of phrase.
#[pyclass(module = "descale._descale")]
pub(crate) struct Floods {
    bank: Py<Bank>,
    counts: Vec<[i64; 2]>,
}

#[pymethods]
impl Floods {
    #[new]
    fn new(bank: Py<Bank>) -> Self {
        Self { bank, counts: Vec::new() }
    }

    /// Takes a batch of number and count.
    fn push(&mut self, rows: AnyArray) -> PyResult<()> {
        self.counts.extend(rows_of(rows, ["number", "count"])?);
        Ok(())
    }

    /// Their numbers.
    fn finish(&mut self) -> PyResult<PyTable> {
        self.counts.sort_unstable();
        let mut out = Out::default();
        for group in self.counts.chunk_by(|a, b| a[0] == b[0]) {
            let count: i64 = group.iter().map(|row| row[1]).sum();
            let number = group[0][0];
            if self.bank.get().block(small(number)).is_some_and(|block| is_flood(small(count), block.copies)) {
                out.push([number]);
            }
        }
        out.table(["number"])
    }
}

/// The documents whose cuts rest on blocks that are common turns of phrase.
#[pyclass(module = "descale._descale")]
pub(crate) struct Spoilt {
    common: Vec<u32>,
}

#[pymethods]
impl Spoilt {
    #[new]
    fn new(mut common: Vec<u32>) -> Self {
        common.sort_unstable();
        Self { common }
    }

    /// Those of a batch of doc and new.
    fn push(&mut self, rows: AnyArray) -> PyResult<PyTable> {
        let mut out = Out::default();
        for batch in batches(rows)? {
            let (docs, new) = (whole(&batch, "doc")?, binary(&batch, "new")?);
            for (row, &doc) in docs.values().iter().enumerate() {
                let mut new = unpack(bytes(&new, row)).map_err(|error| crate::errors::exception(&error))?;
                if new.any(|[number]| self.common.binary_search(&number).is_ok()) {
                    out.push([doc]);
                }
            }
        }
        out.table(["doc"])
    }
}

/// Cuts as people read them.
#[pyclass(module = "descale._descale")]
pub(crate) struct Spans {
    bank: Py<Bank>,
}

#[pymethods]
impl Spans {
    #[new]
    fn new(bank: Py<Bank>) -> Self {
        Self { bank }
    }

    /// Of a batch of doc and cuts: the documents that have some, with spans (start, end, block from 1, why).
    fn push(&mut self, rows: AnyArray) -> PyResult<PyTable> {
        let (mut found, mut lengths, mut spans, mut why) = (Vec::new(), Vec::new(), Out::<3>::default(), Vec::new());
        for batch in batches(rows)? {
            let (docs, cuts) = (whole(&batch, "doc")?, binary(&batch, "cuts")?);
            for (row, &doc) in docs.values().iter().enumerate() {
                let cuts: Vec<Cut> = cuts_of(bytes(&cuts, row)).map_err(|error| crate::errors::exception(&error))?;
                if cuts.is_empty() {
                    continue;
                }
                found.push(doc);
                lengths.push(Some(cuts.len()));
                for cut in cuts {
                    spans.push([cut.span.start.into(), cut.span.end.into(), i64::from(cut.block) + 1]);
                    why.push(self.bank.get().why(cut.block));
                }
            }
        }
        let [start, end, block] = spans.0.map(numbers);
        let why = texts(why.iter().map(String::as_str));
        let spans = lists(&lengths, records(vec![("start", start), ("end", end), ("block", block), ("why", why)]));
        let spans = cast(&spans, &spark_type(spans.data_type())).map_err(|e| input(e.to_string()))?;
        table(vec![("doc", numbers(found)), ("spans", spans)]).map(PyTable)
    }
}

/// The cuts of one document that were packed.
pub(crate) fn cuts_of(bytes: &[u8]) -> descale::Result<Vec<Cut>> {
    Ok(unpack(bytes)?.map(|[start, end, block]| Cut { span: Span::new(start, end), block }).collect())
}

/// apply_cuts(texts): of a table of text and cuts, the texts without them, a column of the same type.
#[pyfunction]
pub(crate) fn apply_cuts(py: Python<'_>, rows: AnyArray) -> PyResult<PyTable> {
    let mut out = Vec::new();
    for batch in batches(rows)? {
        let (given, cuts) = (Texts::new("text", column(&batch, "text")?)?, binary(&batch, "cuts")?);
        let rows: Vec<_> = detached(py, || {
            let cut = |(row, text): (usize, Option<_>)| {
                let text: &str = match text {
                    Some(text) => text,
                    None => return Ok(None),
                };
                let cuts = cuts_of(bytes(&cuts, row))?;
                if cuts.iter().any(|cut| text.get(cut.span.range()).is_none()) {
                    return Err(Error::input("a text is not the one it was").cure("give the same rows at each read"));
                }
                Ok(Some(if cuts.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(apply(text, &cuts)) }))
            };
            given.iter().enumerate().map(cut).collect::<descale::Result<_>>()
        })?;
        out.push(table(vec![("text", given.rebuild(rows.into_iter()))])?);
    }
    crate::shuffled::joined(out)
}
