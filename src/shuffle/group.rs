//! The way out: a partition's postings, sorted, a group at a time.
//!
//! A partition that fits the budget it is opened with is gathered into one sorted slice, runs and all; its groups
//! are pieces of that slice. "Fits" counts the slice, its tables, and what comes from disk once more: for postings
//! of 16 bytes 17 bytes each in memory, 33 each on disk. A bigger one is streamed: the chunks still in memory are
//! sorted where they lie, and merged with the runs. Of a streamed group as much as fits is held; a longer one is
//! written to a run of its own, so that it can be read as often as the caller likes, once to count and once to act
//! on the count.
//!
//! Of the budget a streamed partition gives half to the blocks of the runs it reads, and a quarter to the group; two
//! blocks to read and one to write (64 KiB each, less if the shuffle's budget was under 4 MiB) are the least it needs.

use super::Posting;
use super::area::SpillArea;
use super::budget::FLOOR_BYTES;
use super::merge::{MAX_FAN_IN, Merge, reduce};
use super::run::{Run, RunReader, RunWriter};
use super::sort::{gather, sort};
use crate::{Error, Result};
use std::borrow::Cow;
use std::sync::Arc;

/// The postings of a range of keys, in no order yet.
#[derive(Debug)]
pub struct Partition<P> {
    area: Arc<SpillArea>,
    chunks: Vec<Vec<P>>,
    runs: Vec<Run>,
    len: u64,
    /// The keys agree above this many bits.
    bits: u32,
    /// Postings in a block of a run.
    block: usize,
    /// Whether the chunks are sorted.
    sorted: bool,
}

impl<P: Posting> Partition<P> {
    pub(super) fn new(area: &Arc<SpillArea>, chunks: Vec<Vec<P>>, runs: Vec<Run>, bits: u32, block: usize) -> Self {
        let in_memory: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let len = in_memory + runs.iter().map(Run::len).sum::<u64>();
        Self { area: Arc::clone(area), chunks, runs, len, bits, block, sorted: false }
    }

    /// How many postings it holds.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a partition without postings is not handed out")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Sorts it within `budget_bytes` more than it holds already (under 4 KiB counts as 4 KiB): the caller's share
    /// for one partition, to be had back when the [`Groups`] are dropped. Costs some 15 ns a posting in memory;
    /// otherwise next to nothing here, and about 20 ns in `next_group`. May be called again, for the same groups: what
    /// the partition holds, in memory and on disk, goes when it is dropped.
    ///
    /// # Errors
    /// A resource error when a run cannot be read or written, or is corrupt.
    pub fn open(&mut self, budget_bytes: usize) -> Result<Groups<'_, P>> {
        let budget_bytes = budget_bytes.max(FLOOR_BYTES);
        // The sorted slice with a byte a posting for the tables of the sort, and what is read from disk.
        let spilled: u64 = self.runs.iter().map(Run::len).sum();
        let needed = u128::from(self.len) * (size_of::<P>() as u128 + 1) + u128::from(spilled) * size_of::<P>() as u128;
        let fits = needed <= budget_bytes as u128;
        let state = if fits { State::Sorted(self.gather()?, 0) } else { State::Streamed(self.stream(budget_bytes)?) };
        Ok(Groups { state, failed: false })
    }

    fn gather(&mut self) -> Result<Cow<'_, [P]>> {
        if !self.runs.is_empty() {
            let read = |run: &Run| run.read()?.collect::<Result<Vec<P>>>();
            let from_disk = self.runs.iter().map(read).collect::<Result<Vec<_>>>()?;
            let pieces: Vec<&[P]> = self.chunks.iter().chain(&from_disk).map(Vec::as_slice).collect();
            return Ok(Cow::Owned(gather(&pieces, self.bits)));
        }
        if !self.sorted || self.chunks.len() > 1 {
            let pieces: Vec<&[P]> = self.chunks.iter().map(Vec::as_slice).collect();
            self.chunks = vec![gather(&pieces, self.bits)];
            self.sorted = true;
        }
        Ok(Cow::Borrowed(self.chunks.first().map_or(&[], Vec::as_slice)))
    }

    fn stream(&mut self, budget_bytes: usize) -> Result<Streamed<'_, P>> {
        let block_bytes = self.block * size_of::<P>();
        let fan_in = (budget_bytes / 2 / block_bytes).clamp(2, MAX_FAN_IN);
        reduce::<P>(&mut self.runs, fan_in, &self.area, self.block)?;
        if !self.sorted {
            self.chunks.iter_mut().for_each(|chunk| sort(chunk, self.bits));
            self.sorted = true;
        }
        let mut streams: Vec<_> = self.chunks.iter().map(|chunk| Stream::Memory(chunk.iter())).collect();
        for run in &self.runs {
            streams.push(Stream::Disk(run.read()?));
        }
        let held = Vec::with_capacity((budget_bytes / 4 / size_of::<P>().max(1)).max(1));
        Ok(Streamed { area: &self.area, merge: Merge::new(streams)?, held, spooled: None, block: self.block })
    }
}

/// A sorted piece of a partition.
#[derive(Debug)]
enum Stream<'a, P> {
    Memory(std::slice::Iter<'a, P>),
    Disk(RunReader<P>),
}

impl<P: Posting> Iterator for Stream<'_, P> {
    type Item = Result<P>;

    #[inline]
    fn next(&mut self) -> Option<Result<P>> {
        match self {
            Self::Memory(postings) => postings.next().copied().map(Ok),
            Self::Disk(reader) => reader.next(),
        }
    }
}

/// The groups of a partition, in the order of their keys.
#[derive(Debug)]
pub struct Groups<'a, P: Posting> {
    state: State<'a, P>,
    failed: bool,
}

#[derive(Debug)]
enum State<'a, P: Posting> {
    /// All postings, and where the next group starts.
    Sorted(Cow<'a, [P]>, usize),
    Streamed(Streamed<'a, P>),
}

impl<P: Posting> Groups<'_, P> {
    /// The next group, or `None` after the last. A slice costs nothing, a streamed group `log2` of the streams merged
    /// a posting.
    ///
    /// # Errors
    /// A resource error when a run cannot be read or written, or is corrupt; every later call fails as well.
    pub fn next_group(&mut self) -> Result<Option<Group<'_, P>>> {
        if self.failed {
            return Err(Error::resource("an earlier read of spilled postings failed, postings are missing"));
        }
        let body = match &mut self.state {
            State::Sorted(postings, at) => next_slice(postings, at),
            State::Streamed(streamed) => {
                self.failed = true;
                let body = streamed.next_body()?;
                self.failed = false;
                body
            }
        };
        Ok(body.map(|(key, body)| Group { key, body }))
    }
}

type KeyAndBody<'a, P> = Option<(u64, Body<'a, P>)>;

fn next_slice<'a, P: Posting>(postings: &'a [P], at: &mut usize) -> KeyAndBody<'a, P> {
    let rest = &postings[*at..];
    let key = rest.first()?.key();
    let len = rest.iter().position(|posting| posting.key() != key).unwrap_or(rest.len());
    *at += len;
    Some((key, Body::Held(&rest[..len])))
}

#[derive(Debug)]
struct Streamed<'a, P> {
    area: &'a Arc<SpillArea>,
    merge: Merge<P, Stream<'a, P>>,
    /// The group at hand, if it is short; never grows beyond the capacity it was made with.
    held: Vec<P>,
    /// The group at hand, if it is long.
    spooled: Option<Run>,
    block: usize,
}

impl<P: Posting> Streamed<'_, P> {
    fn next_body(&mut self) -> Result<KeyAndBody<'_, P>> {
        self.held.clear();
        self.spooled = None;
        let Some(first) = self.merge.peek() else { return Ok(None) };
        let key = first.key();
        while let Some(posting) = self.pop(key)? {
            if self.held.len() == self.held.capacity() {
                let run = self.spool(posting)?;
                return Ok(Some((key, Body::Spooled(self.spooled.insert(run)))));
            }
            self.held.push(posting);
        }
        Ok(Some((key, Body::Held(&self.held))))
    }

    /// Writes what is held, `next` and the rest of their group as a run.
    fn spool(&mut self, next: P) -> Result<Run> {
        let mut writer = RunWriter::create(self.area, self.block)?;
        for posting in &self.held {
            writer.push(posting)?;
        }
        writer.push(&next)?;
        while let Some(posting) = self.pop(next.key())? {
            writer.push(&posting)?;
        }
        writer.finish()
    }

    #[inline]
    fn pop(&mut self, key: u64) -> Result<Option<P>> {
        if self.merge.peek().is_some_and(|posting| posting.key() == key) { self.merge.pop() } else { Ok(None) }
    }
}

/// All postings of one key, in order.
#[derive(Debug)]
pub struct Group<'a, P> {
    key: u64,
    body: Body<'a, P>,
}

#[derive(Debug)]
enum Body<'a, P> {
    Held(&'a [P]),
    Spooled(&'a Run),
}

impl<P: Posting> Group<'_, P> {
    /// What its postings share.
    #[must_use]
    pub fn key(&self) -> u64 {
        self.key
    }

    /// How many postings it has; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a group without postings does not exist")]
    pub fn len(&self) -> u64 {
        match self.body {
            Body::Held(postings) => postings.len() as u64,
            Body::Spooled(run) => run.len(),
        }
    }

    /// Calls `f` with every posting in order. May be called again: a group too long for the budget is read from disk
    /// each time.
    ///
    /// # Errors
    /// What `f` returns, at once; a resource error when a spooled group cannot be read or is corrupt.
    pub fn for_each(&mut self, mut f: impl FnMut(&P) -> Result<()>) -> Result<()> {
        match self.body {
            Body::Held(postings) => postings.iter().try_for_each(f),
            Body::Spooled(run) => run.read()?.try_for_each(|posting| f(&posting?)),
        }
    }

    /// The postings, where they are in memory.
    #[must_use]
    pub fn as_slice(&self) -> Option<&[P]> {
        match self.body {
            Body::Held(postings) => Some(postings),
            Body::Spooled(_) => None,
        }
    }
}
