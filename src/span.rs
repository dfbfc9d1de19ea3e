//! Half-open ranges in a document, and sets of them.
//!
//! A [`Span`] counts UTF-8 bytes of the decoded text or tokens; which of the two is said where it is used
//! ([`ByteSpan`], [`TokenSpan`]). Positions are 32 bits wide: no document is longer than 4 GiB.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A half-open range `start..end` of one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First position inside.
    pub start: u32,
    /// First position after.
    pub end: u32,
}

/// A span that counts UTF-8 bytes of a document's text.
pub type ByteSpan = Span;
/// A span that counts tokens of a document.
pub type TokenSpan = Span;

impl Span {
    /// The span `start..end`; an inverted one becomes empty.
    #[must_use]
    pub fn new(start: u32, end: u32) -> Self {
        Self { start, end: end.max(start) }
    }

    /// How many positions it covers.
    #[must_use]
    pub fn len(self) -> u32 {
        self.end - self.start
    }

    /// Whether it covers nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// As an index range for slices.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Whether the two share a position.
    #[must_use]
    pub fn overlaps(self, other: Span) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// Sorts spans and joins those that touch or overlap. `O(n log n)`.
pub fn union(spans: &mut Vec<Span>) {
    spans.retain(|s| !s.is_empty());
    spans.sort_unstable();
    spans.dedup_by(|next, last| {
        let joins = next.start <= last.end;
        if joins {
            last.end = last.end.max(next.end);
        }
        joins
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn union_covers_the_same_positions(raw in proptest::collection::vec((0u32..60, 0u32..9), 0..20)) {
            let mut spans: Vec<Span> = raw.iter().map(|&(s, n)| Span::new(s, s + n)).collect();
            let covered = |spans: &[Span]| (0..80).map(|i| spans.iter().any(|s| s.start <= i && i < s.end)).collect::<Vec<_>>();
            let before = covered(&spans);
            union(&mut spans);
            prop_assert_eq!(before, covered(&spans));
            prop_assert!(spans.windows(2).all(|w| w[0].end < w[1].start));
        }
    }
}
