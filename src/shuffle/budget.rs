//! How a budget in bytes becomes partitions, chunks and blocks, and who may hold how much of it.
//!
//! Postings in memory lie in chunks of one fixed size, taken from a [`Pool`] and given back when spilled. A chunk
//! never grows, so what is counted is what was allocated: no doubling vector hides half of the memory. The buffers
//! of the scatters are charged first; chunks may use the rest.

use super::lock;
use std::sync::{Condvar, Mutex};

/// Smaller budgets count as this one: below it every posting would be a file of its own.
pub(super) const FLOOR_BYTES: usize = 4 << 10;

const CHUNK_BYTES: usize = 64 << 10;
const BLOCK_BYTES: usize = 64 << 10;
const BUFFER_POSTINGS: usize = 64;

/// The sizes that follow from a budget, all counted in postings but the first two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) budget_bytes: usize,
    /// Partitions are numbered by this many top bits of the key.
    pub(super) partition_bits: u32,
    /// Length of a chunk: 64 KiB, less where every partition could not have eight of them.
    pub(super) chunk: usize,
    /// Length of a block of a run, the unit of reading and of checksums.
    pub(super) block: usize,
    /// Length of a scatter's buffer for one partition.
    pub(super) buffer: usize,
}

impl Sizes {
    /// Shares out `budget_bytes` among postings of `posting_bytes` in memory, with keys of `key_bits`.
    ///
    /// 256 partitions from 16 MiB on, one for every 8 MiB from 2 GiB on, 1024 at most. By reckoning, not by a
    /// measured comparison: 1024 buffers of 1 KiB are what a second-level cache of 1 MiB holds, and fewer partitions
    /// are too big to be sorted in memory.
    pub(super) fn new(budget_bytes: usize, key_bits: u32, posting_bytes: usize) -> Self {
        let budget_bytes = budget_bytes.max(FLOOR_BYTES);
        let wanted = (budget_bytes >> 16).clamp(2, 256).max((budget_bytes >> 23).min(1024));
        let partition_bits = wanted.ilog2().min(key_bits);
        let partitions = 1usize << partition_bits;
        let posting_bytes = posting_bytes.max(1);
        let postings = |bytes: usize| (bytes / posting_bytes).max(1);
        Self {
            budget_bytes,
            partition_bits,
            chunk: postings((budget_bytes / (8 * partitions)).min(CHUNK_BYTES)),
            block: postings((budget_bytes / 64).min(BLOCK_BYTES)),
            buffer: postings(budget_bytes / 256 / partitions).min(BUFFER_POSTINGS),
        }
    }

    pub(super) fn partitions(&self) -> usize {
        1 << self.partition_bits
    }
}

/// Hands out the chunks; the only place that allocates them.
#[derive(Debug)]
pub(super) struct Pool<P> {
    chunk: usize,
    chunk_bytes: usize,
    state: Mutex<State<P>>,
    returned: Condvar,
}

#[derive(Debug)]
struct State<P> {
    free_bytes: usize,
    idle: Vec<Vec<P>>,
    allocated: usize,
    spilling: usize,
}

impl<P> State<P> {
    /// At least one chunk, or nothing could ever move.
    fn allowed(&self, chunk_bytes: usize) -> usize {
        (self.free_bytes / chunk_bytes).max(1)
    }
}

impl<P> Pool<P> {
    pub(super) fn new(sizes: &Sizes) -> Self {
        let chunk_bytes = (sizes.chunk * size_of::<P>()).max(1);
        let state = State { free_bytes: sizes.budget_bytes, idle: Vec::new(), allocated: 0, spilling: 0 };
        Self { chunk: sizes.chunk, chunk_bytes, state: Mutex::new(state), returned: Condvar::new() }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        lock(&self.state).allocated * self.chunk_bytes
    }

    /// Charges memory that is not a chunk.
    pub(super) fn charge(&self, bytes: usize) {
        let mut state = lock(&self.state);
        state.free_bytes = state.free_bytes.saturating_sub(bytes);
        while state.allocated > state.allowed(self.chunk_bytes) && state.idle.pop().is_some() {
            state.allocated -= 1;
        }
    }

    /// An empty chunk, or `None` when the budget is used up and something has to be spilled.
    pub(super) fn take(&self) -> Option<Vec<P>> {
        let mut state = lock(&self.state);
        if let Some(chunk) = state.idle.pop() {
            return Some(chunk);
        }
        if state.allocated >= state.allowed(self.chunk_bytes) {
            return None;
        }
        state.allocated += 1;
        drop(state);
        Some(Vec::with_capacity(self.chunk))
    }

    /// Takes `chunks` out of circulation until the loan is dropped. Call it while the partition is locked.
    pub(super) fn lend(&self, chunks: Vec<Vec<P>>) -> Loan<'_, P> {
        lock(&self.state).spilling += chunks.len();
        Loan { pool: self, chunks }
    }

    /// Waits while every free chunk is in the hands of a spilling thread.
    pub(super) fn wait(&self) {
        let state = lock(&self.state);
        let waiting = |state: &mut State<P>| state.idle.is_empty() && state.spilling > 0;
        drop(self.returned.wait_while(state, waiting));
    }
}

/// Chunks on their way to disk; they go back to the pool however the spill ends.
#[derive(Debug)]
pub(super) struct Loan<'a, P> {
    pool: &'a Pool<P>,
    pub(super) chunks: Vec<Vec<P>>,
}

impl<P> Drop for Loan<'_, P> {
    fn drop(&mut self) {
        let mut state = lock(&self.pool.state);
        state.spilling -= self.chunks.len();
        for mut chunk in self.chunks.drain(..) {
            if state.allocated > state.allowed(self.pool.chunk_bytes) {
                state.allocated -= 1;
            } else {
                chunk.clear();
                state.idle.push(chunk);
            }
        }
        drop(state);
        self.pool.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_stay_within_the_budget() {
        for budget in (0..40).map(|shift| 1usize << shift) {
            for key_bits in [0, 1, 7, 20, 64] {
                let sizes = Sizes::new(budget, key_bits, 16);
                let partitions = sizes.partitions();
                assert!(sizes.partition_bits <= key_bits);
                assert!(partitions * sizes.chunk * 16 <= sizes.budget_bytes / 8, "{sizes:?}");
                assert!(partitions * sizes.buffer * 16 <= sizes.budget_bytes / 64, "{sizes:?}");
                assert!(sizes.block * 16 <= sizes.budget_bytes / 64, "{sizes:?}");
            }
        }
    }

    #[test]
    fn chunks_are_counted_and_come_back() {
        let sizes = Sizes::new(FLOOR_BYTES, 64, 16);
        let pool = Pool::<[u64; 2]>::new(&sizes);
        let all: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
        assert_eq!(all.len() * sizes.chunk * 16, FLOOR_BYTES);
        assert!(all.iter().all(|c| c.capacity() == sizes.chunk));
        let number = all.len();
        pool.charge(FLOOR_BYTES / 2);
        drop(pool.lend(all));
        let all: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
        assert_eq!(all.len(), number / 2, "the charge shrinks what comes back");
        drop(pool.lend(all));
        pool.charge(FLOOR_BYTES);
        assert_eq!(std::iter::from_fn(|| pool.take()).count(), 1, "a charge shrinks what is idle, but for one");
    }
}
