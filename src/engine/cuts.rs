//! The cuts of all documents: where a notice repeats everywhere, every document has some.

use super::corpus::Corpus;
use super::near::narrow;
use crate::Result;
use crate::plan::strip::Cut;
use crate::shuffle::{Ledger, Posting};
use crate::span::{ByteSpan, Span};
use std::ops::Range;

/// A cut of a document.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    doc: u32,
    start: u32,
    end: u32,
    block: u32,
}

impl Posting for Row {
    const FIELDS: usize = 4;
    fn key(&self) -> u64 {
        self.doc.into()
    }
    fn split(&self, fields: &mut [u64]) {
        fields.copy_from_slice(&[self.doc, self.start, self.end, self.block].map(u64::from));
    }
    fn join(fields: &[u64]) -> Self {
        let [doc, start, end, block] = [0, 1, 2, 3].map(|at| narrow(fields[at]));
        Self { doc, start, end, block }
    }
}

impl Row {
    fn cut(&self) -> Cut {
        Cut { span: Span::new(self.start, self.end), block: self.block }
    }
}

/// Cuts by document, in document order.
pub(super) struct Cuts(Ledger<Row>);

impl Cuts {
    pub(super) fn new(corpus: &Corpus<'_>) -> Self {
        Self(corpus.ledger())
    }

    /// Adds a cut of a document; the cuts of one ascend, as the documents do.
    pub(super) fn push(&mut self, doc: u32, cut: Cut) -> Result<()> {
        let Cut { span: Span { start, end }, block } = cut;
        self.0.push(Row { doc, start, end, block })
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// What is cut from some documents.
    pub(super) fn within(&self, docs: Range<u32>) -> Result<Few> {
        Ok(Few::of(self.0.within(docs.start.into()..docs.end.into())?))
    }

    /// All cuts.
    pub(super) fn iter(&self) -> impl Iterator<Item = Result<(u32, Cut)>> {
        self.0.iter().map(|row| row.map(|row| (row.doc, row.cut())))
    }

    /// See [`replaced`].
    pub(super) fn replaced(&self, corpus: &Corpus<'_>, docs: &[u32], others: &Self) -> Result<Self> {
        replaced(corpus, docs, (&self.0, &others.0)).map(Self)
    }
}

/// The cuts of a range of documents, in memory.
#[derive(Default)]
pub(super) struct Few {
    rows: Vec<Row>,
    /// Of each row.
    spans: Vec<ByteSpan>,
}

impl Few {
    fn of(rows: Vec<Row>) -> Self {
        let spans = rows.iter().map(|row| row.cut().span).collect();
        Self { rows, spans }
    }

    fn places(&self, doc: u32) -> Range<usize> {
        let start = self.rows.partition_point(|row| row.doc < doc);
        start..start + self.rows[start..].partition_point(|row| row.doc == doc)
    }

    /// What is cut from a document.
    pub(super) fn spans(&self, doc: u32) -> &[ByteSpan] {
        &self.spans[self.places(doc)]
    }

    /// The same with the blocks.
    pub(super) fn of_doc(&self, doc: u32) -> impl Iterator<Item = Cut> {
        self.rows[self.places(doc)].iter().map(Row::cut)
    }

    /// The documents that have some, ascending.
    pub(super) fn docs(&self) -> impl Iterator<Item = u32> {
        self.rows.chunk_by(|a, b| a.doc == b.doc).map(|of_doc| of_doc[0].doc)
    }
}

/// A list by document in which that of some documents, `docs`, which ascend, is replaced by what `others` says of them.
pub(super) fn replaced<P: Posting>(
    corpus: &Corpus<'_>,
    docs: &[u32],
    (list, others): (&Ledger<P>, &Ledger<P>),
) -> Result<Ledger<P>> {
    let mut all = corpus.ledger();
    let is_replaced = |row: &P| docs.binary_search(&narrow(row.key())).is_ok();
    let mut others = others.iter().peekable();
    for row in list.iter().filter(|row| row.as_ref().is_ok_and(|row| !is_replaced(row)) || row.is_err()) {
        let row = row?;
        while let Some(other) = others.next_if(|other| other.as_ref().map_or(true, |other| other.key() < row.key())) {
            all.push(other?)?;
        }
        all.push(row)?;
    }
    others.try_for_each(|other| all.push(other?))?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Options, Silent};
    use crate::io::Format;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Naive = BTreeMap<u32, Vec<Cut>>;

    fn some_cuts() -> impl Strategy<Value = Naive> {
        let cut = (any::<u8>(), any::<u8>())
            .prop_map(|(at, block)| Cut { span: Span::new(at.into(), u32::from(at) + 1), block: block.into() });
        proptest::collection::btree_map(0u32..30, proptest::collection::vec(cut, 0..4), 0..20)
    }

    fn listed(corpus: &Corpus<'_>, naive: &Naive) -> Cuts {
        let mut cuts = Cuts::new(corpus);
        naive.iter().for_each(|(&doc, of_doc)| of_doc.iter().for_each(|&cut| cuts.push(doc, cut).unwrap()));
        cuts
    }

    fn naive(cuts: &Cuts) -> Naive {
        let mut all = Naive::new();
        cuts.iter().map(Result::unwrap).for_each(|(doc, cut)| all.entry(doc).or_default().push(cut));
        all
    }

    proptest! {
        #[test]
        fn cuts_come_back_and_are_replaced(first in some_cuts(), other in some_cuts(), from in 0u32..30, count in 0u32..30) {
            let options = Options { inputs: vec!["Cargo.toml".into()], format: Some(Format::Text), dry_run: true, ..Options::default() };
            let corpus = Corpus::open(&options, &Silent, None).unwrap();
            let cuts = listed(&corpus, &first);
            let few = cuts.within(from..from + count).unwrap();
            let some = first.iter().filter(|(doc, cuts)| (from..from + count).contains(doc) && !cuts.is_empty());
            prop_assert!(few.docs().eq(some.map(|(&doc, _)| doc)));
            for doc in from..from + count {
                let expected = first.get(&doc).cloned().unwrap_or_default();
                prop_assert_eq!(few.spans(doc).to_vec(), expected.iter().map(|c| c.span).collect::<Vec<_>>());
                prop_assert_eq!(few.of_doc(doc).collect::<Vec<_>>(), expected);
            }
            let docs: Vec<u32> = other.keys().copied().collect();
            let mut expected = first.clone();
            expected.extend(other.clone());
            expected.retain(|_, cuts| !cuts.is_empty());
            prop_assert_eq!(naive(&cuts.replaced(&corpus, &docs, &listed(&corpus, &other)).unwrap()), expected);
        }
    }
}
