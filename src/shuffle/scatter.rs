//! The way in: threads scatter postings over partitions, the biggest of which are spilled when memory runs out.
//!
//! A partition is a range of keys (their top bits), so that partitions in order are keys in order. Writing every
//! posting straight to its partition would touch a cold cache line and a lock each time; a [`Scatter`] therefore
//! gathers up to 64 of a partition and moves them under one lock. When the pool has no chunk left, the thread that
//! needs one spills the biggest partition: its chunks are sorted one by one, merged, and written as a run. It does so
//! without holding a lock, so other threads go on, or spill the next biggest.
//!
//! A posting cannot get lost quietly: a dropped scatter hands its buffers, full or not, back to the shuffle, which
//! empties them in [`Shuffle::finish`]; after a failed spill, or a panic while pushing, `finish` fails too.

use super::area::SpillArea;
use super::budget::{Pool, Sizes};
use super::group::Partition;
use super::merge::Merge;
use super::pack::MAX_FIELDS;
use super::run::Run;
use super::sort::sort;
use super::{Options, Posting, lock};
use crate::{Error, Result};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Takes postings in any order from any number of threads; gives them back by key.
#[derive(Debug)]
pub struct Shuffle<P> {
    area: Arc<SpillArea>,
    sizes: Sizes,
    /// A key's partition is what stays of it after this shift.
    shift: u32,
    pool: Pool<P>,
    tails: Vec<Mutex<Tail<P>>>,
    /// Buffers of scatters that were dropped, with postings in them; the next scatter goes on with them.
    idle: Mutex<Vec<Buffers<P>>>,
    /// Scatters that live, or were leaked.
    lent: AtomicUsize,
    failed: AtomicBool,
}

/// A partition while it is filled: what is in memory, and what was.
#[derive(Debug)]
struct Tail<P> {
    chunks: Vec<Vec<P>>,
    runs: Vec<Run>,
}

impl<P: Posting> Shuffle<P> {
    /// An empty shuffle that holds at most `options.budget_bytes` of postings in memory.
    ///
    /// # Errors
    /// A usage error when `key_bits` is over 64.
    pub fn new(area: &Arc<SpillArea>, options: Options) -> Result<Self> {
        const { assert!(P::FIELDS > 0 && P::FIELDS <= MAX_FIELDS, "a posting has few fields") };
        let Options { budget_bytes, key_bits } = options;
        if key_bits > u64::BITS {
            return Err(Error::usage(format!("keys of {key_bits} bits: 64 is the most")));
        }
        let sizes = Sizes::new(budget_bytes, key_bits, size_of::<P>());
        let empty = || Mutex::new(Tail { chunks: Vec::new(), runs: Vec::new() });
        Ok(Self {
            area: Arc::clone(area),
            sizes,
            shift: key_bits - sizes.partition_bits,
            pool: Pool::new(&sizes),
            tails: std::iter::repeat_with(empty).take(sizes.partitions()).collect(),
            idle: Mutex::new(Vec::new()),
            lent: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        })
    }

    /// A way in for one thread; make one per thread or per batch, it costs a lock.
    pub fn scatter(&self) -> Scatter<'_, P> {
        let idle = lock(&self.idle).pop();
        let buffers = idle.unwrap_or_else(|| {
            self.pool.charge(self.sizes.partitions() * (self.sizes.buffer * size_of::<P>() + size_of::<u32>()));
            Buffers { slots: Vec::new(), filled: vec![0; self.sizes.partitions()] }
        });
        self.lent.fetch_add(1, Ordering::Relaxed);
        Scatter { shuffle: self, buffers }
    }

    /// Ends the pushing: the partitions that hold postings, in the order of their keys.
    ///
    /// Up to the budget stays in memory, owned by the partitions, and is released as they are opened and dropped.
    ///
    /// # Errors
    /// A resource error when this or an earlier spill failed, or a thread panicked with a [`Scatter`] or leaked it.
    pub fn finish(self) -> Result<Vec<Partition<P>>> {
        for mut buffers in std::mem::take(&mut *lock(&self.idle)) {
            self.empty(&mut buffers)?;
        }
        if self.failed.load(Ordering::Relaxed) {
            return Err(Error::resource("an earlier spill failed, postings are missing"));
        }
        if self.lent.load(Ordering::Relaxed) > 0 {
            return Err(Error::resource("a scatter was leaked, postings are missing"));
        }
        let (area, shift, block) = (self.area, self.shift, self.sizes.block);
        let tails = self.tails.into_iter().map(|tail| tail.into_inner().unwrap_or_else(PoisonError::into_inner));
        let partitions = tails.map(|tail| Partition::new(&area, tail.chunks, tail.runs, shift, block));
        Ok(partitions.filter(|partition| partition.len() > 0).collect())
    }

    fn empty(&self, buffers: &mut Buffers<P>) -> Result<()> {
        (0..self.tails.len()).try_for_each(|partition| self.empty_one(buffers, partition))
    }

    /// Moves a buffer to its partition. It is empty afterwards also if that failed: then `finish` fails too.
    fn empty_one(&self, buffers: &mut Buffers<P>, partition: usize) -> Result<()> {
        let appended = self.append(partition, buffers.filled(partition, self.sizes.buffer));
        buffers.filled[partition] = 0;
        appended
    }

    fn append(&self, partition: usize, mut postings: &[P]) -> Result<()> {
        while !postings.is_empty() {
            let mut tail = lock(&self.tails[partition]);
            if tail.chunks.last().is_none_or(|chunk| chunk.len() == self.sizes.chunk) {
                let Some(chunk) = self.pool.take() else {
                    drop(tail);
                    self.make_room()?;
                    continue;
                };
                tail.chunks.push(chunk);
            }
            let chunk = tail.chunks.last_mut().expect("there is one with room");
            let (now, later) = postings.split_at(postings.len().min(self.sizes.chunk - chunk.len()));
            chunk.extend_from_slice(now);
            postings = later;
        }
        Ok(())
    }

    /// Spills the biggest partition, or waits for a thread that is spilling.
    fn make_room(&self) -> Result<()> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(Error::resource("an earlier spill failed, postings are missing"));
        }
        let biggest = self.tails.iter().max_by_key(|tail| lock(tail).chunks.len()).expect("there is a partition");
        let mut tail = lock(biggest);
        let mut loan = self.pool.lend(std::mem::take(&mut tail.chunks));
        drop(tail);
        if loan.chunks.is_empty() {
            self.pool.wait();
            return Ok(());
        }
        let run = self.spill(&mut loan.chunks).inspect_err(|_| self.failed.store(true, Ordering::Relaxed))?;
        lock(biggest).runs.push(run);
        Ok(())
    }

    fn spill(&self, chunks: &mut [Vec<P>]) -> Result<Run> {
        for chunk in &mut *chunks {
            sort(chunk, self.shift);
        }
        let streams = chunks.iter().map(|chunk| chunk.iter().copied().map(Ok)).collect();
        Merge::new(streams)?.write(&self.area, self.sizes.block)
    }
}

#[cfg(test)]
impl<P> Shuffle<P> {
    pub(super) fn bytes_in_chunks(&self) -> usize {
        self.pool.bytes()
    }
}

/// A scatter's memory: `buffer` slots for each partition, in one piece.
#[derive(Debug)]
struct Buffers<P> {
    /// Empty before the first posting, which fills it: there is no other value to fill it with.
    slots: Vec<P>,
    filled: Vec<u32>,
}

impl<P> Buffers<P> {
    fn filled(&self, partition: usize, buffer: usize) -> &[P] {
        let filled = self.filled[partition] as usize;
        if filled == 0 { &[] } else { &self.slots[partition * buffer..][..filled] }
    }
}

/// One thread's way into a [`Shuffle`].
#[derive(Debug)]
pub struct Scatter<'a, P: Posting> {
    shuffle: &'a Shuffle<P>,
    buffers: Buffers<P>,
}

impl<P: Posting> Scatter<'_, P> {
    /// Takes a posting.
    ///
    /// # Errors
    /// A usage error when the key needs more than `key_bits`; a resource error when a spill fails, after which
    /// [`Shuffle::finish`] fails as well.
    #[inline]
    pub fn push(&mut self, posting: P) -> Result<()> {
        let buffer = self.shuffle.sizes.buffer;
        let partition = usize::try_from(posting.key() >> self.shuffle.shift).unwrap_or(usize::MAX);
        let Some(filled) = self.buffers.filled.get_mut(partition) else { return Err(too_wide(posting.key())) };
        let slot = partition * buffer + *filled as usize;
        *filled += 1;
        let full = *filled as usize == buffer;
        match self.buffers.slots.get_mut(slot) {
            Some(free) => *free = posting,
            None => self.buffers.slots = vec![posting; buffer * self.buffers.filled.len()],
        }
        if full { self.flush_partition(partition) } else { Ok(()) }
    }

    /// Hands everything to the partitions now. Never needed: what is still here when the scatter is dropped waits in
    /// the shuffle for the next scatter or for `finish`.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn flush(&mut self) -> Result<()> {
        self.shuffle.empty(&mut self.buffers)
    }

    #[inline(never)]
    fn flush_partition(&mut self, partition: usize) -> Result<()> {
        self.shuffle.empty_one(&mut self.buffers, partition)
    }
}

impl<P: Posting> Drop for Scatter<'_, P> {
    fn drop(&mut self) {
        let buffers = Buffers {
            slots: std::mem::take(&mut self.buffers.slots),
            filled: std::mem::take(&mut self.buffers.filled),
        };
        if std::thread::panicking() {
            // The panic may have come out of a spill, whose postings are gone then.
            self.shuffle.failed.store(true, Ordering::Relaxed);
        }
        lock(&self.shuffle.idle).push(buffers);
        self.shuffle.lent.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cold]
fn too_wide(key: u64) -> Error {
    Error::usage(format!("the key {key} has more bits than the shuffle was made for"))
}
