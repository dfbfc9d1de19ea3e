//! Bytes of any length, put away under a number and fetched again: in memory as long as the budget lasts, then in a
//! file of the spill area. The shuffle orders small fixed records; what belongs to them but varies in length (a
//! document's shingles, its name) waits here.

use super::area::SpillArea;
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
    /// Length in bytes.
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
    spilled: Option<Spilled>,
}

#[derive(Debug)]
struct Spilled {
    path: PathBuf,
    file: File,
    written: u64,
    /// What is not written yet; flushed before the first read.
    pending: Mutex<Vec<u8>>,
}

/// Bytes written at once.
const WRITE_BYTES: usize = 256 << 10;

impl Stash {
    /// An empty stash that holds at most `budget_bytes` in memory.
    #[must_use]
    pub fn new(area: &Arc<SpillArea>, budget_bytes: usize) -> Self {
        Self { area: Arc::clone(area), budget_bytes, memory: Vec::new(), spilled: None }
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
            self.spilled = Some(Spilled { path, file, written: 0, pending: Mutex::default() });
        }
        let base = self.memory.len() as u64;
        let spilled = self.spilled.as_mut().expect("just made");
        let mut pending = lock(&spilled.pending);
        let at = base + spilled.written + pending.len() as u64;
        pending.extend_from_slice(value);
        if pending.len() >= WRITE_BYTES {
            spilled.file.write_all(&pending).map_err(|e| super::area::failed("write", &spilled.path, e))?;
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
        if ticket.at < in_memory || self.spilled.is_none() {
            let at = usize::try_from(ticket.at).expect("it lies in memory");
            out.extend_from_slice(&self.memory[at..at + len]);
            return Ok(());
        }
        let spilled = self.spilled.as_ref().expect("checked above");
        let at = ticket.at - in_memory;
        if at >= spilled.written {
            let pending = lock(&spilled.pending);
            let at = usize::try_from(at - spilled.written).expect("it lies in the buffer");
            out.extend_from_slice(&pending[at..at + len]);
            return Ok(());
        }
        out.resize(len, 0);
        spilled.file.read_exact_at(out, at).map_err(|e| super::area::failed("read", &spilled.path, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_put_comes_back(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..40), budget in 0usize..400) {
            let area = Arc::new(SpillArea::new(None).unwrap());
            let mut stash = Stash::new(&area, budget);
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
        let area = Arc::new(SpillArea::new(None).unwrap());
        let mut stash = Stash::new(&area, 1000);
        let value = |i: u32| vec![i.to_le_bytes()[0]; 700 + i as usize];
        let tickets: Vec<Ticket> = (0..900).map(|i| stash.put(&value(i)).unwrap()).collect();
        let mut out = Vec::new();
        for (i, ticket) in (0..).zip(tickets) {
            stash.get(ticket, &mut out).unwrap();
            assert_eq!(out, value(i));
        }
        assert!(area.bytes_written() > 500_000);
    }
}
