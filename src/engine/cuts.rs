//! The cuts of all documents, in few bytes: where a notice repeats everywhere, every document has some.
//!
//! 12 bytes a document and 12 a cut.

use crate::plan::strip::Cut;
use crate::span::ByteSpan;

/// Cuts by document, in document order.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    docs: Vec<u32>,
    /// Where the cuts of each end.
    ends: Vec<usize>,
    spans: Vec<ByteSpan>,
    blocks: Vec<u32>,
}

impl Cuts {
    /// Adds the cuts of a document, which ascend, as the documents do; a document without any is left out.
    pub(super) fn push(&mut self, doc: u32, cuts: impl IntoIterator<Item = Cut>) {
        debug_assert!(self.docs.last().is_none_or(|&last| last < doc), "documents ascend");
        let before = self.spans.len();
        for cut in cuts {
            self.spans.push(cut.span);
            self.blocks.push(cut.block);
        }
        if self.spans.len() > before {
            self.docs.push(doc);
            self.ends.push(self.spans.len());
        }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.docs) + size_of_val(&*self.ends) + size_of_val(&*self.spans) + size_of_val(&*self.blocks)
    }

    /// What is cut from a document.
    pub(super) fn spans(&self, doc: u32) -> &[ByteSpan] {
        self.docs.binary_search(&doc).map_or(&[], |at| self.at(at).0)
    }

    /// The same with the blocks.
    pub(super) fn of(&self, doc: u32) -> impl Iterator<Item = Cut> {
        joined(self.docs.binary_search(&doc).map_or((&[], &[]), |at| self.at(at)))
    }

    /// The documents with their cuts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, impl Iterator<Item = Cut>)> {
        self.docs.iter().enumerate().map(|(at, &doc)| (doc, joined(self.at(at))))
    }

    /// The documents that have some, ascending.
    pub(super) fn docs(&self) -> &[u32] {
        &self.docs
    }

    /// The cuts with those of some documents replaced: `docs`, ascending, by what `others` says of them.
    pub(super) fn replaced(&self, docs: &[u32], others: &Self) -> Self {
        let mut all = Self::default();
        let mut others = others.iter().peekable();
        for (doc, cuts) in self.iter().filter(|(doc, _)| docs.binary_search(doc).is_err()) {
            while let Some((other, cuts)) = others.next_if(|(other, _)| *other < doc) {
                all.push(other, cuts);
            }
            all.push(doc, cuts);
        }
        others.for_each(|(doc, cuts)| all.push(doc, cuts));
        all
    }

    fn at(&self, at: usize) -> (&[ByteSpan], &[u32]) {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        (&self.spans[start..self.ends[at]], &self.blocks[start..self.ends[at]])
    }
}

fn joined<'a>((spans, blocks): (&'a [ByteSpan], &'a [u32])) -> impl Iterator<Item = Cut> + use<'a> {
    spans.iter().zip(blocks).map(|(&span, &block)| Cut { span, block })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Span;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Naive = BTreeMap<u32, Vec<Cut>>;

    fn some_cuts() -> impl Strategy<Value = Naive> {
        let cut = (any::<u8>(), any::<u8>())
            .prop_map(|(at, block)| Cut { span: Span::new(at.into(), u32::from(at) + 1), block: block.into() });
        proptest::collection::btree_map(0u32..30, proptest::collection::vec(cut, 0..4), 0..20)
    }

    fn packed(naive: &Naive) -> Cuts {
        let mut cuts = Cuts::default();
        naive.iter().for_each(|(&doc, of_doc)| cuts.push(doc, of_doc.iter().copied()));
        cuts
    }

    fn naive(cuts: &Cuts) -> Naive {
        cuts.iter().map(|(doc, of_doc)| (doc, of_doc.collect())).collect()
    }

    proptest! {
        #[test]
        fn cuts_come_back_and_are_replaced(first in some_cuts(), other in some_cuts()) {
            let cuts = packed(&first);
            for doc in 0..31 {
                let expected = first.get(&doc).cloned().unwrap_or_default();
                prop_assert_eq!(cuts.spans(doc).to_vec(), expected.iter().map(|c| c.span).collect::<Vec<_>>());
                prop_assert_eq!(cuts.of(doc).collect::<Vec<_>>(), expected);
            }
            let docs: Vec<u32> = other.keys().copied().collect();
            let mut expected = first.clone();
            expected.extend(other.clone());
            expected.retain(|_, cuts| !cuts.is_empty());
            prop_assert_eq!(naive(&cuts.replaced(&docs, &packed(&other))), expected.clone());
            prop_assert_eq!(cuts.replaced(&docs, &packed(&other)).docs().to_vec(), expected.into_keys().collect::<Vec<_>>());
        }
    }
}
