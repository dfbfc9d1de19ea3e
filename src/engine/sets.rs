//! The shingle sets of candidates, put aside until their component is decided.
//!
//! Those of one component are mostly alike: that is what made it one. So the first is put aside whole, and each later one as
//! what tells it from the first, where that is shorter: near-copies that change a word in fifty take an eighth. Nothing is
//! lost. A set on its own takes 8 bytes a shingle.

use super::near::u64_at;
use crate::near::verify;
use crate::shuffle::{Stash, Ticket};
use crate::{Error, Result};
use std::collections::HashMap;

/// Sets by ticket. Filled from one thread, read from many.
pub(super) struct Sets {
    stash: Stash,
    /// The first set of each component, of as many as there is room for.
    firsts: HashMap<u32, Ticket>,
    most_firsts: usize,
    first: Vec<u64>,
    new: Vec<u64>,
    bytes: Vec<u8>,
}

const WHOLE: u8 = 0;
const CHANGED: u8 = 1;
/// What stands before the numbers of a changed set: the kind, the ticket of the first one, how many numbers of it are gone.
const HEAD_BYTES: usize = 1 + 8 + 4 + 4;

impl Sets {
    /// An empty store; so many components are remembered by their first set.
    pub(super) fn new(stash: Stash, firsts_bytes: usize) -> Self {
        // A map that grows holds its old table as well.
        let most_firsts = firsts_bytes / (4 * size_of::<(u32, Ticket)>());
        Self { stash, firsts: HashMap::new(), most_firsts, first: Vec::new(), new: Vec::new(), bytes: Vec::new() }
    }

    /// Puts away an ascending set of a component.
    pub(super) fn put(&mut self, component: u32, set: &[u64]) -> Result<Ticket> {
        if let Some(&ticket) = self.firsts.get(&component) {
            self.stash.get(ticket, &mut self.bytes)?;
            whole(&self.bytes, &mut self.first)?;
            if is_alike(&self.first, set) {
                write_changed(ticket, &self.first, set, &mut self.new, &mut self.bytes);
                if self.bytes.len() <= 8 * set.len() {
                    return self.stash.put(&self.bytes);
                }
            }
        }
        self.bytes.clear();
        self.bytes.push(WHOLE);
        self.bytes.extend(set.iter().flat_map(|number| number.to_le_bytes()));
        let ticket = self.stash.put(&self.bytes)?;
        if self.firsts.len() < self.most_firsts {
            self.firsts.entry(component).or_insert(ticket);
        }
        Ok(ticket)
    }

    /// Ends the filling.
    pub(super) fn finish(self) -> Stash {
        self.stash
    }
}

/// Reads sets; one for each thread.
pub(super) struct SetReader<'a> {
    stash: &'a Stash,
    bytes: Vec<u8>,
    /// The set that others are told by, and its ticket.
    first: (Ticket, Vec<u64>),
}

impl<'a> SetReader<'a> {
    pub(super) fn new(stash: &'a Stash) -> Self {
        Self { stash, bytes: Vec::new(), first: (Ticket::default(), Vec::new()) }
    }

    /// The set of a ticket, ascending.
    pub(super) fn get(&mut self, ticket: Ticket) -> Result<Vec<u64>> {
        self.stash.get(ticket, &mut self.bytes)?;
        let mut set = Vec::new();
        if self.bytes.first() != Some(&CHANGED) {
            whole(&self.bytes, &mut set)?;
            return Ok(set);
        }
        let of = first_of(&self.bytes).ok_or_else(changed)?;
        if self.first.0 != of {
            let mut bytes = Vec::new();
            self.stash.get(of, &mut bytes)?;
            whole(&bytes, &mut self.first.1)?;
            self.first.0 = of;
        }
        read_changed(&self.bytes[HEAD_BYTES - 4..], &self.first.1, &mut set).ok_or_else(changed)?;
        Ok(set)
    }
}

fn changed() -> Error {
    Error::resource("what was spilled has changed")
}

fn whole(bytes: &[u8], set: &mut Vec<u64>) -> Result<()> {
    let (&kind, numbers) = bytes.split_first().ok_or_else(changed)?;
    if kind != WHOLE {
        return Err(changed());
    }
    set.clear();
    set.extend(numbers.chunks_exact(8).map(|number| u64_at(number, 0)));
    Ok(())
}

fn first_of(bytes: &[u8]) -> Option<Ticket> {
    let head = bytes.get(1..HEAD_BYTES)?;
    Some(Ticket { at: u64_at(head, 0), len: u32::from_le_bytes(head[8..12].try_into().ok()?) })
}

/// Numbers of two sets that are looked at first, and how many of them must be common.
const LOOKED_AT: usize = 64;
const COMMON: usize = LOOKED_AT / 8;

/// Whether two sets have an eighth of their lowest numbers in common, which are a fair sample of hashes: with less, the
/// changes take more room than the set.
fn is_alike(first: &[u64], set: &[u64]) -> bool {
    let (a, b) = (&first[..first.len().min(LOOKED_AT)], &set[..set.len().min(LOOKED_AT)]);
    let most = a.len().min(b.len());
    most < LOOKED_AT || verify::shared_at_least(a, b, COMMON).is_some()
}

/// Overwrites `out` by what makes `set` of `first`: the gaps between the places in `first` that are gone, and what is new.
fn write_changed(ticket: Ticket, first: &[u64], set: &[u64], new: &mut Vec<u64>, out: &mut Vec<u8>) {
    out.clear();
    new.clear();
    out.push(CHANGED);
    out.extend(ticket.at.to_le_bytes());
    out.extend(ticket.len.to_le_bytes());
    out.extend([0; 4]);
    let (mut at, mut since, mut gone) = (0, 0u64, 0u32);
    for (place, &number) in (0u64..).zip(first) {
        while at < set.len() && set[at] < number {
            new.push(set[at]);
            at += 1;
        }
        if set.get(at) == Some(&number) {
            at += 1;
        } else {
            write_gap(place - since, out);
            (since, gone) = (place + 1, gone + 1);
        }
    }
    new.extend_from_slice(&set[at..]);
    out[HEAD_BYTES - 4..HEAD_BYTES].copy_from_slice(&gone.to_le_bytes());
    out.extend(new.iter().flat_map(|number| number.to_le_bytes()));
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn write_gap(mut gap: u64, out: &mut Vec<u8>) {
    while gap >= 128 {
        out.push(gap.to_le_bytes()[0] | 128);
        gap >>= 7;
    }
    out.push(gap.to_le_bytes()[0]);
}

/// The set that [`write_changed`] told of, from the number of what is gone on; `None` where it did not.
fn read_changed(bytes: &[u8], first: &[u64], set: &mut Vec<u64>) -> Option<()> {
    let (head, mut bytes) = bytes.split_at_checked(4)?;
    let gone = u32::from_le_bytes(head.try_into().ok()?);
    let mut rest = first;
    for _ in 0..gone {
        let (mut gap, mut shift) = (0usize, 0);
        loop {
            let (&byte, after) = bytes.split_first()?;
            bytes = after;
            gap |= usize::from(byte & 127).checked_shl(shift)?;
            shift += 7;
            if byte < 128 {
                break;
            }
        }
        let (stays, after) = rest.split_at_checked(gap)?;
        set.extend(stays);
        rest = after.get(1..)?;
    }
    set.extend(rest);
    set.extend(bytes.chunks_exact(8).map(|number| u64_at(number, 0)));
    // Two ascending pieces: merged in linear time.
    set.sort();
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shuffle::SpillArea;
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn sets_come_back(
            sets in proptest::collection::vec((0u32..4, proptest::collection::btree_set(0u64..600, 0..400)), 0..20),
            budget in 0usize..3000,
            most in 0usize..200,
        ) {
            let area = Arc::new(SpillArea::new(None).unwrap());
            let mut all = Sets::new(Stash::new(&area, budget), most);
            let set = |of: &std::collections::BTreeSet<u64>| of.iter().copied().collect::<Vec<u64>>();
            let tickets: Vec<Ticket> = sets.iter().map(|(c, of)| all.put(*c, &set(of)).unwrap()).collect();
            let stash = all.finish();
            let mut reader = SetReader::new(&stash);
            for ((_, of), ticket) in sets.iter().zip(tickets) {
                prop_assert_eq!(reader.get(ticket).unwrap(), set(of));
            }
        }

        #[test]
        fn broken_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..60), first in 0u64..40) {
            let _ = read_changed(&bytes, &(0..first).collect::<Vec<_>>(), &mut Vec::new());
        }
    }

    #[test]
    fn a_near_copy_takes_little() {
        let area = Arc::new(SpillArea::new(None).unwrap());
        let mut sets = Sets::new(Stash::new(&area, 1 << 20), 1 << 10);
        let first: Vec<u64> = (0..1000).map(|n| n * 100).collect();
        sets.put(7, &first).unwrap();
        let other: Vec<u64> = (0..1000).map(|n| n * 100 + u64::from(n % 10 == 0)).collect();
        assert!(sets.put(7, &other).unwrap().len < 1000);
        assert!(sets.put(8, &other).unwrap().len > 8000, "another component knows nothing of it");
    }
}
