//! Which stretches of a document may belong to one occurrence?
//!
//! What a document and a template have in common letter for letter are runs. No occurrence holds a step of more than
//! [`MAX_STEP`] letters without one. So the runs of a template fall apart into clusters that have nothing to do with each
//! other, and a cluster whose runs, all of them together, cover too few letters or too little of the template holds no
//! occurrence: most clusters are a common word or two, and cost no more than to be counted. Runs come in the order of the
//! document, or nearly; each template keeps its open cluster as a list through one pool. `O(runs)`, 16 bytes a run of the
//! document and 24 a template.

use super::index::STRIDE;
use super::{GRAM, MAX_STEP, MIN_ANCHORED, MIN_PART, narrow};

/// Letters that a document and a template have in common, one after the other; at least a gram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Run {
    /// The first one in the document.
    pub(super) at: u32,
    /// The first one in the template.
    pub(super) template_at: u32,
    /// How many they are.
    pub(super) letters: u32,
}

impl Run {
    /// The longest run through a gram that both texts have.
    pub(super) fn around(document: &[u8], at: u32, template: &[u8], template_at: u32) -> Self {
        let (a, b) = (at as usize, template_at as usize);
        let before = narrow(same_at_end(&document[..a], &template[..b]));
        let after = same_at_start(&document[a + GRAM..], &template[b + GRAM..]);
        Self { at: at - before, template_at: template_at - before, letters: before + narrow(GRAM + after) }
    }

    pub(super) fn end(&self) -> u32 {
        self.at + self.letters
    }

    /// Whether it has the gram at this place of the document and that of the template.
    pub(super) fn has(&self, at: u32, template_at: u32) -> bool {
        self.diagonal() == at.wrapping_sub(template_at) && at >= self.at && at + narrow(GRAM) <= self.end()
    }

    /// What its place in the document is ahead of that in the template, modulo 2^32.
    pub(super) fn diagonal(&self) -> u32 {
        self.at.wrapping_sub(self.template_at)
    }
}

/// Letters that are compared at once.
const WORD: usize = size_of::<u64>();

/// How many letters two texts begin with alike.
fn same_at_start(a: &[u8], b: &[u8]) -> usize {
    let words = a.as_chunks::<WORD>().0.iter().zip(b.as_chunks::<WORD>().0);
    for (i, (x, y)) in words.enumerate() {
        let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differ != 0 {
            return i * WORD + differ.trailing_zeros() as usize / 8;
        }
    }
    let whole = a.len().min(b.len()) / WORD * WORD;
    whole + a[whole..].iter().zip(&b[whole..]).take_while(|(x, y)| x == y).count()
}

/// How many letters two texts end with alike.
fn same_at_end(a: &[u8], b: &[u8]) -> usize {
    let words = a.as_rchunks::<WORD>().1.iter().rev().zip(b.as_rchunks::<WORD>().1.iter().rev());
    for (i, (x, y)) in words.enumerate() {
        let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differ != 0 {
            return i * WORD + differ.leading_zeros() as usize / 8;
        }
    }
    let whole = a.len().min(b.len()) / WORD * WORD;
    let (a, b) = (&a[..a.len() - whole], &b[..b.len() - whole]);
    whole + a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count()
}

/// No run before this one.
const NONE: u32 = u32::MAX;
/// Runs of a cluster that are looked through for one that has a gram already; as many as a gram has places.
const KNOWN: usize = 16;

/// A cluster that is open, or was closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster {
    /// The last run in the pool.
    newest: u32,
    /// Where the letters it covers end in the document.
    end: u32,
    /// Letters of the document that its runs cover, or a few more.
    covered: u32,
    /// The stretch of the template between its outermost runs.
    low: u32,
    high: u32,
}

const EMPTY: Cluster = Cluster { newest: NONE, end: 0, covered: 0, low: u32::MAX, high: 0 };

impl Cluster {
    fn add(&mut self, place: u32, run: &Run) {
        // A run may begin some letters before the one before it does.
        self.covered += run.letters.min(run.end().saturating_sub(self.end) + narrow(STRIDE));
        self.end = self.end.max(run.end());
        self.low = self.low.min(run.template_at);
        self.high = self.high.max(run.template_at + run.letters);
        self.newest = place;
    }

    /// Whether a chain of its runs can be an occurrence of a template of so many letters.
    pub(super) fn may_match(&self, letters: u32) -> bool {
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
    /// Runs, and the one before in the same cluster.
    pool: Vec<(Run, u32)>,
}

impl Clusters {
    /// Begins a document. Those of the last one have been taken.
    pub(super) fn begin(&mut self, entries: usize) {
        self.open.resize(entries, EMPTY);
        self.pool.clear();
    }

    /// Whether a run of the entry's open cluster has this gram: one of the last few.
    pub(super) fn has(&self, entry: u32, at: u32, template_at: u32) -> bool {
        let newest = self.open[entry as usize].newest;
        let before = |&place: &u32| Some(self.pool[place as usize].1).filter(|&place| place != NONE);
        let places = std::iter::successors(Some(newest).filter(|&place| place != NONE), before);
        places.take(KNOWN).map(|place| &self.pool[place as usize].0).any(|run| run.has(at, template_at))
    }

    /// Adds a run, which lies nowhere before the last one; the entry's cluster that it closes, if it does.
    pub(super) fn add(&mut self, entry: u32, run: Run) -> Option<Cluster> {
        let open = &mut self.open[entry as usize];
        let mut closed = None;
        if open.newest == NONE {
            self.touched.push(entry);
        } else if i64::from(run.at) + i64::try_from(GRAM).expect("small") - i64::from(open.end) > MAX_STEP {
            closed = Some(std::mem::replace(open, EMPTY));
        }
        let place = narrow(self.pool.len());
        self.pool.push((run, open.newest));
        open.add(place, &run);
        closed
    }

    /// Closes one of the clusters that are open; `None` once all are.
    pub(super) fn take(&mut self) -> Option<(u32, Cluster)> {
        let entry = self.touched.pop()?;
        Some((entry, std::mem::replace(&mut self.open[entry as usize], EMPTY)))
    }

    /// Replaces `out` by the runs of a cluster, ascending.
    pub(super) fn runs(&self, cluster: &Cluster, out: &mut Vec<Run>) {
        out.clear();
        let mut place = cluster.newest;
        while place != NONE {
            let (run, before) = self.pool[place as usize];
            out.push(run);
            place = before;
        }
        out.sort_unstable();
        out.dedup();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ends_are_compared_as_letter_by_letter(
            a in proptest::collection::vec(97u8..99, 0..40),
            b in proptest::collection::vec(97u8..99, 0..40),
            same in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let at_start = |a: &[u8], b: &[u8]| a.iter().zip(b).take_while(|(x, y)| x == y).count();
            let at_end = |a: &[u8], b: &[u8]| a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
            let (first, last) = ([&same[..], &a].concat(), [&same[..], &b].concat());
            prop_assert_eq!(same_at_start(&first, &last), at_start(&first, &last));
            let (first, last) = ([&a[..], &same].concat(), [&b[..], &same].concat());
            prop_assert_eq!(same_at_end(&first, &last), at_end(&first, &last));
        }
    }
}
