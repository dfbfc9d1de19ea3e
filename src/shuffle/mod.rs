//! The one out-of-core primitive: postings go in from many threads, and come back grouped by key, in total order.
//!
//! Everything that relates distant records (two documents that share a band key, two passages that share a seed) is
//! a grouping of small fixed-size records, of which there may be far more than memory holds. This module does that
//! grouping within a byte budget and knows nothing of what the postings mean.
//!
//! The idea is a distribution by the top bits of the key, then a sort of each part. Postings are scattered into
//! partitions ([`Shuffle`], `scatter`); when the budget is used up the biggest partition is sorted and written as a
//! run (`run`); a finished [`Partition`] is sorted in memory if it fits, else its runs are merged (`sort`, `merge`,
//! `group`). "In memory" is the case where nothing was spilled: the path is the same.
//!
//! Bounds, for `n` postings of `s` bytes:
//!
//! - memory: the budget while pushing, with the scatters' buffers (`budget`); then what is left of it plus what the
//!   caller allows each open partition. On top of it come one block of at most 64 KiB for a thread that
//!   spills, and 40 bytes for each chunk merged. A budget under 4 KiB counts as 4 KiB.
//! - time: linear for keys that are spread over their range; `n log n` inside one key, and of merged runs.
//! - disk: nothing if `n s` is within the budget, else `n` packed postings (`pack`), once; again for each further round of
//!   merging (a partition that does not fit has more runs than half of its budget has blocks) and for a group too long for the
//!   budget.
//! - files: one open for each thread; one on disk for each run.
//! - order: by `Ord`, whatever the threads, the order of arrival and the budget: equal postings are identical.
//!
//! What that means for a corpus, by the made-up one of `benches/scale.rs`, a quarter of whose text repeats. A gigabyte of
//! text has 32 million seeds and, in the stretches around those that repeat, 55 million grams, of which 45 million
//! repeat. Most of what occurs once is sieved out before it gets here (`engine::block`). Spilled in 256 MiB, by byte of text:
//! .51 at 2 GB, .60 at 4 GB, where memory has fewer bits for each hash and holds a smaller share. By posting, at 1 GB in
//! 100 MiB: 48 bits for a gram, 20 of them its hash and 24 its place, 24 for a repeat, 45 for a seed; at 4 GB in 256 MiB these are
//! .27, .15 and .07 of the text, the texts and places of blocks that are shown .06; nearly all links between neighbours are counted
//! in memory. For near-duplicates: 12 band keys of 8.7 bytes for each document, .04, and the shingles of the candidates, .15, less
//! what memory holds: .09 at 1 GB. So a terabyte writes about .7 TB with 64 GiB of memory, 16 of them a shuffle's: its documents
//! have 10 bits more, in a gram and in a repeat, and each of 1,024 partitions some 30 runs, all read at once; 10^9 documents take
//! .1 TB of band keys. Every posting is written once and read once or twice: time and disk are linear. What is not bounded by the
//! budget are the callers' tables: for blocks 13 bytes a document, a bit a token around what repeats, a byte a distinct gram that
//! repeats (of which there may be 2^32, then the run is refused), 150 bytes a block that goes; for near-duplicates 9 bytes a document
//! and 32 for each that has a duplicate; and three bytes a document that the plan names.
//!
//! Sources: the distribute-then-sort plan is that of the external distribution sort (Knuth, *The Art of Computer
//! Programming* 3, 5.4), the software write-combining of the scatter that of radix joins (Balkesen, Teubner, Alonso,
//! Özsu, *Main-Memory Hash Joins on Multi-Core CPUs*, 2013).
//!
//! ```
//! use descale::shuffle::{Options, Posting, Shuffle, SpillArea};
//! use std::sync::Arc;
//!
//! #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
//! struct Band { key: u64, document: u32 }
//!
//! impl Posting for Band {
//!     const FIELDS: usize = 2;
//!     fn key(&self) -> u64 { self.key }
//!     fn split(&self, fields: &mut [u64]) {
//!         fields.copy_from_slice(&[self.key, self.document.into()]);
//!     }
//!     fn join(fields: &[u64]) -> Self {
//!         Band { key: fields[0], document: fields[1] as u32 }
//!     }
//! }
//!
//! let area = Arc::new(SpillArea::new(None)?);
//! let shuffle = Shuffle::new(&area, Options { budget_bytes: 1 << 20, key_bits: 64 })?;
//! let mut scatter = shuffle.scatter();
//! for (key, document) in [(9, 1), (3, 2), (9, 0)] {
//!     scatter.push(Band { key, document })?;
//! }
//! drop(scatter);
//! let mut seen = Vec::new();
//! for mut partition in shuffle.finish()? {
//!     let mut groups = partition.open(1 << 20)?;
//!     while let Some(mut group) = groups.next_group()? {
//!         group.for_each(|band| {
//!             seen.push((band.key, band.document));
//!             Ok(())
//!         })?;
//!     }
//! }
//! assert_eq!(seen, [(3, 2), (9, 0), (9, 1)]);
//! # Ok::<(), descale::Error>(())
//! ```

mod area;
mod budget;
mod group;
mod ledger;
mod merge;
mod pack;
#[cfg(fuzzing)]
mod probe;
mod run;
mod scatter;
mod sort;
mod stash;

pub use area::SpillArea;
pub use group::{Group, Groups, Partition};
pub use ledger::{Ledger, of_key};
#[cfg(fuzzing)]
pub use probe::probe_run;
pub use scatter::{Scatter, Shuffle};
pub use stash::{Stash, Ticket};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is shuffled: a small record of fixed size with a key.
///
/// `Ord` must order by [`key`](Self::key) first and be total over all fields: postings that compare equal are
/// identical. Derive it on a struct whose first field is the key.
pub trait Posting: Copy + Ord + Send + Sync + 'static {
    /// How many numbers it consists of: 1 to 12.
    const FIELDS: usize;
    /// What is grouped by.
    fn key(&self) -> u64;
    /// Its numbers, [`FIELDS`](Self::FIELDS) of them, in the order of `Ord`: they are packed best so.
    fn split(&self, fields: &mut [u64]);
    /// Makes a posting of what [`split`](Self::split) gave.
    fn join(fields: &[u64]) -> Self;
}

/// What a [`Shuffle`] must know in advance.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of memory for postings that are not spilled yet.
    pub budget_bytes: usize,
    /// Keys are below `2^key_bits`: 64 for hashes, fewer for dense numbers. Too many bits cost evenness, and
    /// so time; too few are an error.
    pub key_bits: u32,
}

/// Locks; a thread that panicked leaves nothing half-done that matters, since the panic ends the job.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
