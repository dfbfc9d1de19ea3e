//! Which anchors of a document may belong to one occurrence?
//!
//! No occurrence holds a step of more than [`MAX_STEP`] letters without an anchor. So the anchors of a template fall
//! apart into clusters that have nothing to do with each other, and a cluster whose anchors, all of them together,
//! cover too few letters or too little of the template holds no occurrence: most clusters are a common word or two, and
//! cost no more than to be counted. Anchors come in the document's order; each template keeps its open cluster as a
//! list through one pool, so nothing is sorted. `O(anchors)`, 12 bytes an anchor of the document and 24 a template.

use super::{Entry, GRAM, MAX_STEP, MIN_ANCHORED, MIN_PART, narrow};

/// An anchor: its first letter in the document and in the template.
pub(super) type Anchor = (u32, u32);

/// No anchor before this one.
const NONE: u32 = u32::MAX;

/// A cluster that is open, or was closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster {
    /// The last anchor in the pool.
    newest: u32,
    /// Where the letters it covers end in the document.
    end: u32,
    /// Letters of the document that its anchors cover.
    covered: u32,
    /// The stretch of the template between its outermost anchors.
    low: u32,
    high: u32,
}

const EMPTY: Cluster = Cluster { newest: NONE, end: 0, covered: 0, low: u32::MAX, high: 0 };

impl Cluster {
    fn add(&mut self, place: u32, (at, template_at): Anchor) {
        let end = at + narrow(GRAM);
        self.covered += end - at.max(self.end);
        self.end = end;
        self.low = self.low.min(template_at);
        self.high = self.high.max(template_at + narrow(GRAM));
        self.newest = place;
    }

    /// Whether a chain of its anchors can be an occurrence.
    pub(super) fn may_match(&self, entry: &Entry) -> bool {
        let letters = narrow(entry.letters.len());
        let spanned = self.high - self.low;
        self.covered >= MIN_ANCHORED.min(letters) && (spanned * 3 >= letters || spanned >= MIN_PART)
    }
}

/// The open clusters of one document; buffers are reused from document to document.
#[derive(Debug, Default)]
pub(super) struct Clusters {
    open: Vec<Cluster>,
    /// The entries with an open cluster.
    touched: Vec<u32>,
    /// Anchors, and the one before in the same cluster.
    pool: Vec<(Anchor, u32)>,
}

impl Clusters {
    /// Begins a document. Those of the last one have been taken.
    pub(super) fn begin(&mut self, entries: usize) {
        self.open.resize(entries, EMPTY);
        self.pool.clear();
    }

    /// Adds an anchor, which lies nowhere before the last one; the entry's cluster that it closes, if it does.
    pub(super) fn add(&mut self, entry: u32, anchor: Anchor) -> Option<Cluster> {
        let open = &mut self.open[entry as usize];
        let mut closed = None;
        if open.newest == NONE {
            self.touched.push(entry);
        } else if i64::from(anchor.0) + i64::try_from(GRAM).expect("small") - i64::from(open.end) > MAX_STEP {
            closed = Some(std::mem::replace(open, EMPTY));
        }
        let place = narrow(self.pool.len());
        self.pool.push((anchor, open.newest));
        open.add(place, anchor);
        closed
    }

    /// Closes one of the clusters that are open; `None` once all are.
    pub(super) fn take(&mut self) -> Option<(u32, Cluster)> {
        let entry = self.touched.pop()?;
        Some((entry, std::mem::replace(&mut self.open[entry as usize], EMPTY)))
    }

    /// Replaces `out` by the anchors of a cluster, in the order they were added.
    pub(super) fn anchors(&self, cluster: &Cluster, out: &mut Vec<Anchor>) {
        out.clear();
        let mut place = cluster.newest;
        while place != NONE {
            let (anchor, before) = self.pool[place as usize];
            out.push(anchor);
            place = before;
        }
        out.reverse();
    }
}
