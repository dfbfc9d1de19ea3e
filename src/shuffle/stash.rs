//! Bytes of any length, put away under a number and fetched again: in memory as long as the budget lasts, then in a
//! file of the spill area. The shuffle orders small fixed records; what belongs to them but varies in length (a
//! document's shingles, its name) waits here. Text can be packed on its way to the file.

use super::area::{SpillArea, failed};
use super::lock;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Where a value lies in a [`Stash`]. Written down it is two numbers: tickets lie in stashes too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(u64, u32)", into = "(u64, u32)")]
pub struct Ticket {
    /// Byte offset in the stash.
    pub at: u64,
    /// Length of the value in bytes.
    pub len: u32,
}

impl From<(u64, u32)> for Ticket {
    fn from((at, len): (u64, u32)) -> Self {
        Self { at, len }
    }
}

impl From<Ticket> for (u64, u32) {
    fn from(Ticket { at, len }: Ticket) -> Self {
        (at, len)
    }
}

/// An append-only heap of byte strings. Filled from one thread, read from many.
#[derive(Debug)]
pub struct Stash {
    area: Arc<SpillArea>,
    budget_bytes: usize,
    memory: Vec<u8>,
    packs: bool,
    spilled: Option<Spilled>,
}

struct Spilled {
    path: PathBuf,
    file: File,
    written: u64,
    /// What is not written yet; flushed before the first read.
    pending: Mutex<Vec<u8>>,
    packing: Option<Packing>,
}

/// What packs values, and unpacks them. A packed value stands behind its packed length; one that packing does not shorten
/// stands there as it is.
struct Packing {
    compressor: zstd::bulk::Compressor<'static>,
    decompressor: Mutex<zstd::bulk::Decompressor<'static>>,
    packed: Vec<u8>,
}

/// Bytes written at once.
const WRITE_BYTES: usize = 256 << 10;
/// Values are short, and written once for each time they are read.
const LEVEL: i32 = 1;
const LENGTH_BYTES: usize = size_of::<u32>();

impl Stash {
    /// An empty stash that holds at most `budget_bytes` in memory.
    #[must_use]
    pub fn new(area: &Arc<SpillArea>, budget_bytes: usize) -> Self {
        Self { area: Arc::clone(area), budget_bytes, memory: Vec::new(), packs: false, spilled: None }
    }

    /// The same, packing what goes to its file: takes a third or a half off text of some hundred bytes, for some microseconds a value.
    #[must_use]
    pub fn packing(self) -> Self {
        Self { packs: true, ..self }
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.memory.len()
    }

    /// Puts a value away.
    ///
    /// # Errors
    /// `Resource` where the temporary file cannot be written; `Input` for a value of 4 GiB or more.
    pub fn put(&mut self, value: &[u8]) -> Result<Ticket> {
        let len = u32::try_from(value.len()).map_err(|_| Error::input("a record is too long to be put aside"))?;
        if self.spilled.is_none() && self.memory.len() + value.len() <= self.budget_bytes {
            let at = self.memory.len() as u64;
            self.memory.extend_from_slice(value);
            return Ok(Ticket { at, len });
        }
        if self.spilled.is_none() {
            let (file, path) = self.area.create()?;
            let packing = self.packs.then(Packing::new).transpose().map_err(|e| failed("pack for", &path, e))?;
            self.spilled = Some(Spilled { path, file, written: 0, pending: Mutex::default(), packing });
        }
        let base = self.memory.len() as u64;
        let spilled = self.spilled.as_mut().expect("just made");
        let mut pending = lock(&spilled.pending);
        let at = base + spilled.written + pending.len() as u64;
        match &mut spilled.packing {
            Some(packing) => packing.pack(value, &mut pending).map_err(|e| failed("pack for", &spilled.path, e))?,
            None => pending.extend_from_slice(value),
        }
        if pending.len() >= WRITE_BYTES {
            spilled.file.write_all(&pending).map_err(|e| failed("write", &spilled.path, e))?;
            self.area.count_written(pending.len());
            spilled.written += pending.len() as u64;
            pending.clear();
        }
        drop(pending);
        Ok(Ticket { at, len })
    }

    /// Fetches a value into `out`, replacing what was there.
    ///
    /// # Errors
    /// `Resource` where the temporary file cannot be read.
    pub fn get(&self, ticket: Ticket, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        let in_memory = self.memory.len() as u64;
        let len = ticket.len as usize;
        if len == 0 {
            // It may lie at the end of what is in memory, where the file begins.
            return Ok(());
        }
        if ticket.at < in_memory || self.spilled.is_none() {
            let at = usize::try_from(ticket.at).expect("it lies in memory");
            out.extend_from_slice(&self.memory[at..at + len]);
            return Ok(());
        }
        let spilled = self.spilled.as_ref().expect("checked above");
        let at = ticket.at - in_memory;
        let Some(packing) = &spilled.packing else { return spilled.read(at, len, out) };
        spilled.read(at, LENGTH_BYTES, out)?;
        let stored = u32::from_le_bytes([0, 1, 2, 3].map(|i| out[i])) as usize;
        spilled.read(at + LENGTH_BYTES as u64, stored.min(len), out)?;
        if stored < len {
            let plain = lock(&packing.decompressor).decompress(out, len);
            *out = plain.map_err(|e| failed("unpack from", &spilled.path, e))?;
        }
        let is_whole = stored <= len && out.len() == len;
        is_whole.then_some(()).ok_or_else(|| Error::resource("what was spilled has changed").at(&spilled.path))
    }
}

impl Spilled {
    /// Replaces `out` by so many bytes of the file, or of what is to be its end.
    fn read(&self, at: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        if at >= self.written {
            let pending = lock(&self.pending);
            let at = usize::try_from(at - self.written).expect("it lies in the buffer");
            out.extend_from_slice(&pending[at..at + len]);
            return Ok(());
        }
        out.resize(len, 0);
        self.file.read_exact_at(out, at).map_err(|e| failed("read", &self.path, e))
    }
}

impl Packing {
    fn new() -> std::io::Result<Self> {
        let compressor = zstd::bulk::Compressor::new(LEVEL)?;
        let decompressor = Mutex::new(zstd::bulk::Decompressor::new()?);
        Ok(Self { compressor, decompressor, packed: Vec::new() })
    }

    fn pack(&mut self, value: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(value.len()));
        self.compressor.compress_to_buffer(value, &mut self.packed)?;
        let stored = if self.packed.len() < value.len() { &self.packed } else { value };
        let length = u32::try_from(stored.len()).expect("no longer than the value");
        out.extend(length.to_le_bytes());
        out.extend_from_slice(stored);
        Ok(())
    }
}

impl std::fmt::Debug for Spilled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spilled").field("path", &self.path).field("written", &self.written).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_put_comes_back(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..40), budget in 0usize..400, repeat in 1usize..9, packs in any::<bool>()) {
            let area = Arc::new(SpillArea::new(None).unwrap());
            let mut stash = Stash::new(&area, budget);
            if packs {
                stash = stash.packing();
            }
            let values: Vec<Vec<u8>> = values.iter().map(|value| value.repeat(repeat)).collect();
            let tickets: Vec<Ticket> = values.iter().map(|v| stash.put(v).unwrap()).collect();
            let mut out = Vec::new();
            for (value, ticket) in values.iter().zip(tickets) {
                stash.get(ticket, &mut out).unwrap();
                prop_assert_eq!(value, &out);
            }
        }
    }

    #[test]
    fn more_than_the_write_buffer_goes_through_the_file() {
        for packs in [false, true] {
            let bytes = through_the_file(packs);
            assert!(if packs { bytes < 300_000 } else { bytes > 500_000 }, "{bytes}");
        }
    }

    /// Text of four letters: half of it goes in packing, not all.
    fn text(numbers: std::ops::Range<u32>) -> Vec<u8> {
        numbers.map(|i| b"etao"[usize::from(hash::mix(i.into()).to_le_bytes()[0] % 4)]).collect()
    }

    fn through_the_file(packs: bool) -> u64 {
        let area = Arc::new(SpillArea::new(None).unwrap());
        let stash = Stash::new(&area, 1000);
        let mut stash = if packs { stash.packing() } else { stash };
        let value = |i: u32| text(i * 1000..i * 1000 + 700 + i);
        let tickets: Vec<Ticket> = (0..900).map(|i| stash.put(&value(i)).unwrap()).collect();
        let mut out = Vec::new();
        for (i, ticket) in (0..).zip(tickets) {
            stash.get(ticket, &mut out).unwrap();
            assert_eq!(out, value(i));
        }
        area.bytes_written()
    }

    #[test]
    fn a_packed_value_that_changed_is_an_error() {
        let area = Arc::new(SpillArea::new(None).unwrap());
        let mut stash = Stash::new(&area, 0).packing();
        let tickets: Vec<Ticket> = (0..900).map(|i| stash.put(&text(i * 2000..i * 2000 + 2000)).unwrap()).collect();
        let packed = std::fs::read(&stash.spilled.as_ref().unwrap().path).unwrap();
        for (at, byte) in [(0, 255), (3, 255), (5, 0), (9, 255)] {
            let mut changed = packed.clone();
            changed[at] = byte;
            std::fs::write(&stash.spilled.as_ref().unwrap().path, changed).unwrap();
            assert!(stash.get(tickets[0], &mut Vec::new()).is_err(), "{at}");
        }
    }
}
