//! The shingle sets of candidates, put aside until their component is decided.
//!
//! Those of one component are mostly alike: that is what made it one. So the first is put aside whole, and each later one as
//! what tells it from the first, where that is shorter: near-copies that change a word in fifty take an eighth. Nothing is
//! lost. A short set on its own takes 8 bytes a shingle. Of a longer one the upper bytes, which go up, are told by a row of bits
//! (Elias, *Efficient storage and retrieval by content and address of static files*, 1974): 7 bytes and a bit or two a shingle.
//! Memory: 16 bytes a component.

use super::near::u64_at;
use crate::near::verify;
use crate::shuffle::{Stash, Ticket};
use crate::{Error, Result};

/// Sets by ticket. Filled from one thread, read from many.
pub(super) struct Sets {
    stash: Stash,
    /// The first set of each component; empty where there is none yet.
    firsts: Vec<Ticket>,
    first: First,
    changes: Changes,
    bytes: Vec<u8>,
}

/// The set that others are told by, and its ticket.
#[derive(Default)]
struct First {
    ticket: Ticket,
    set: Vec<u64>,
}

impl First {
    /// The set of a ticket, which is often that of the last call.
    fn get(&mut self, ticket: Ticket, stash: &Stash, bytes: &mut Vec<u8>) -> Result<&[u64]> {
        if self.ticket != ticket {
            self.ticket = Ticket::default();
            stash.get(ticket, bytes)?;
            whole(bytes, &mut self.set)?;
            self.ticket = ticket;
        }
        Ok(&self.set)
    }
}

const PLAIN: u8 = 0;
const CHANGED: u8 = 1;
const WHOLE: u8 = 2;
/// What stands before the numbers of a changed set: the kind, the ticket of the first one, how many numbers of it are gone.
const HEAD_BYTES: usize = 1 + 8 + 4 + 4;

impl Sets {
    /// An empty store for sets of so many components.
    pub(super) fn new(stash: Stash, components: u32) -> Self {
        let (first, changes) = Default::default();
        Self { stash, firsts: vec![Ticket::default(); components as usize], first, changes, bytes: Vec::new() }
    }

    /// Puts away an ascending set of a component, which are numbered from 0.
    pub(super) fn put(&mut self, component: u32, set: &[u64]) -> Result<Ticket> {
        let ticket = self.firsts[component as usize];
        if ticket != Ticket::default() {
            let first = self.first.get(ticket, &self.stash, &mut self.bytes)?;
            if is_alike(first, set) {
                self.changes.find(first, set);
                self.changes.write(ticket, &mut self.bytes);
                if self.bytes.len() <= LOWER_BYTES * set.len() {
                    return self.stash.put(&self.bytes);
                }
            }
        }
        write(set, &mut self.bytes);
        let ticket = self.stash.put(&self.bytes)?;
        let first = &mut self.firsts[component as usize];
        if *first == Ticket::default() {
            *first = ticket;
        }
        Ok(ticket)
    }

    /// Bytes of memory, without those of the stash.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.firsts)
    }

    /// Ends the filling.
    pub(super) fn finish(self) -> Stash {
        self.stash
    }
}

/// Reads sets; one for each thread.
pub(super) struct SetReader<'a> {
    stash: &'a Stash,
    first: First,
    /// What a set and what its first were put away as.
    bytes: [Vec<u8>; 2],
}

impl<'a> SetReader<'a> {
    pub(super) fn new(stash: &'a Stash) -> Self {
        let (first, bytes) = Default::default();
        Self { stash, first, bytes }
    }

    /// Another one of the same sets.
    pub(super) fn again(&self) -> Self {
        Self::new(self.stash)
    }

    /// The set of a ticket, ascending.
    pub(super) fn get(&mut self, ticket: Ticket) -> Result<Vec<u64>> {
        let Self { stash, first, bytes: [bytes, of_first] } = self;
        stash.get(ticket, bytes)?;
        let mut set = Vec::new();
        if bytes.first() != Some(&CHANGED) {
            whole(bytes, &mut set)?;
            return Ok(set);
        }
        let of = first_of(bytes).ok_or_else(changed)?;
        let first = first.get(of, stash, of_first)?;
        read_changed(&bytes[HEAD_BYTES - 4..], first, &mut set).ok_or_else(changed)?;
        Ok(set)
    }
}

fn changed() -> Error {
    Error::resource("what was spilled has changed")
}

fn whole(bytes: &[u8], set: &mut Vec<u64>) -> Result<()> {
    set.clear();
    match bytes.split_first() {
        Some((&PLAIN, numbers)) => set.extend(numbers.chunks_exact(8).map(|number| u64_at(number, 0))),
        _ => read_whole(bytes, set).ok_or_else(changed)?,
    }
    Ok(())
}

/// Bytes of a number that are written as they are; the upper one is told by a row of bits.
const LOWER_BYTES: usize = 7;
const UPPER_VALUES: usize = 256;

/// Overwrites `out` by an ascending set: its numbers where they are few, else as [`write_whole`] does.
fn write(set: &[u64], out: &mut Vec<u8>) {
    if row_bytes(set.len()) < set.len() {
        return write_whole(set, out);
    }
    out.clear();
    out.push(PLAIN);
    append(set, out);
}

/// Overwrites `out` by an ascending set: the kind, how many numbers it has, the row of bits, the lower bytes of each and a zero.
/// The bit of the `n`th number, from 0, stands at `n` and its upper byte.
fn write_whole(set: &[u64], out: &mut Vec<u8>) {
    out.clear();
    out.push(WHOLE);
    out.extend(u32::try_from(set.len()).expect("a set fits a ticket").to_le_bytes());
    let (row, lower) = (out.len(), out.len() + row_bytes(set.len()));
    out.resize(lower + LOWER_BYTES * set.len() + 1, 0);
    for (n, number) in set.iter().enumerate() {
        let bytes = number.to_le_bytes();
        let bit = n + usize::from(bytes[LOWER_BYTES]);
        out[row + bit / 8] |= 1 << (bit % 8);
        // The eighth byte is written over by the next number, or cleared.
        out[lower + LOWER_BYTES * n..][..8].copy_from_slice(&bytes);
    }
    *out.last_mut().expect("there is a head") = 0;
}

fn row_bytes(count: usize) -> usize {
    (count + UPPER_VALUES).div_ceil(64) * 8
}

/// Appends the set that [`write_whole`] wrote; `None` where it did not.
fn read_whole(bytes: &[u8], set: &mut Vec<u64>) -> Option<()> {
    let (head, bytes) = bytes.split_first_chunk::<5>()?;
    let count = u32::from_le_bytes(*head.last_chunk()?) as usize;
    let (row, lower) = bytes.split_at_checked(row_bytes(count))?;
    if head[0] != WHOLE || lower.len() != LOWER_BYTES * count + 1 {
        return None;
    }
    set.reserve_exact(count);
    for (at, word) in (0u64..).step_by(64).zip(row.chunks_exact(8)) {
        let mut bits = u64_at(word, 0);
        while bits != 0 {
            let n = set.len();
            let upper = (at + u64::from(bits.trailing_zeros())).wrapping_sub(n as u64);
            let bytes = lower.get(LOWER_BYTES * n..)?.first_chunk()?;
            set.push(u64::from_le_bytes(*bytes) << 8 >> 8 | upper << (8 * LOWER_BYTES));
            bits &= bits - 1;
        }
    }
    (set.len() == count).then_some(())
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

/// What makes one set of another.
#[derive(Default)]
struct Changes {
    /// Places in the first set that are gone, ascending.
    gone: Vec<usize>,
    /// What is new, ascending.
    new: Vec<u64>,
}

impl Changes {
    /// Finds what makes `set` of `first`.
    fn find(&mut self, first: &[u64], set: &[u64]) {
        let Self { gone, new } = self;
        gone.resize(first.len(), 0);
        new.resize(set.len(), 0);
        let (mut at, mut place, mut lost, mut added) = (0, 0, 0, 0);
        while place < first.len() && at < set.len() {
            // Written at every step and counted where it holds: which of the two comes next could not be foretold.
            let (old, number) = (first[place], set[at]);
            gone[lost] = place;
            lost += usize::from(old < number);
            new[added] = number;
            added += usize::from(number < old);
            place += usize::from(old <= number);
            at += usize::from(number <= old);
        }
        gone.truncate(lost);
        gone.extend(place..first.len());
        new.truncate(added);
        new.extend_from_slice(&set[at..]);
    }

    /// Overwrites `out` by the gaps between the places that are gone, and what is new.
    fn write(&self, ticket: Ticket, out: &mut Vec<u8>) {
        out.clear();
        out.push(CHANGED);
        out.extend(ticket.at.to_le_bytes());
        out.extend(ticket.len.to_le_bytes());
        out.extend(u32::try_from(self.gone.len()).expect("a set fits a ticket").to_le_bytes());
        let mut since = 0;
        for &place in &self.gone {
            write_gap(place - since, out);
            since = place + 1;
        }
        append(&self.new, out);
    }
}

/// Appends numbers, eight bytes each.
fn append(numbers: &[u64], out: &mut Vec<u8>) {
    let from = out.len();
    out.resize(from + 8 * numbers.len(), 0);
    out[from..].chunks_exact_mut(8).zip(numbers).for_each(|(to, number)| to.copy_from_slice(&number.to_le_bytes()));
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn write_gap(mut gap: usize, out: &mut Vec<u8>) {
    while gap >= 128 {
        out.push(gap.to_le_bytes()[0] | 128);
        gap >>= 7;
    }
    out.push(gap.to_le_bytes()[0]);
}

/// The set that [`Changes::write`] told of, from the number of what is gone on; `None` where it did not.
fn read_changed(bytes: &[u8], first: &[u64], set: &mut Vec<u64>) -> Option<()> {
    let (head, mut bytes) = bytes.split_at_checked(4)?;
    let gone = u32::from_le_bytes(head.try_into().ok()?);
    set.reserve_exact(first.len().saturating_sub(gone as usize) + bytes.len() / 8);
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
        set.extend_from_slice(stays);
        rest = after.get(1..)?;
    }
    set.extend_from_slice(rest);
    merge(bytes, set);
    Some(())
}

/// Merges numbers, ascending, eight bytes each, into an ascending set, from its end on.
fn merge(numbers: &[u8], set: &mut Vec<u64>) {
    let (mut old, mut new) = (set.len(), numbers.len() / 8);
    set.resize(old + new, 0);
    while new > 0 {
        let number = u64_at(numbers, 8 * (new - 1));
        // The greater of the two last ones is the last of all.
        let last = if old > 0 { set[old - 1] } else { 0 };
        let keeps = old > 0 && last > number;
        set[old + new - 1] = if keeps { last } else { number };
        old -= usize::from(keeps);
        new -= usize::from(!keeps);
    }
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
        ) {
            let area = Arc::new(SpillArea::new(None).unwrap());
            let mut all = Sets::new(Stash::new(&area, budget), 4);
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

    proptest! {
        #[test]
        fn a_whole_set_comes_back_in_fewer_bytes(set in proptest::collection::btree_set(any::<u64>(), 0..700)) {
            let set: Vec<u64> = set.into_iter().collect();
            let (mut bytes, mut read) = (Vec::new(), Vec::new());
            write(&set, &mut bytes);
            whole(&bytes, &mut read).unwrap();
            prop_assert!(bytes.len() <= (7 * set.len() + set.len() / 8 + 46).min(8 * set.len() + 6));
            prop_assert_eq!(read, set);
        }

        #[test]
        fn a_broken_set_does_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200), count in 0u32..20) {
            let head = [&[WHOLE][..], &count.to_le_bytes()].concat();
            let _ = read_whole(&bytes, &mut Vec::new());
            let _ = read_whole(&[&head[..], &bytes].concat(), &mut Vec::new());
        }
    }

    #[test]
    fn a_near_copy_takes_little() {
        let area = Arc::new(SpillArea::new(None).unwrap());
        let mut sets = Sets::new(Stash::new(&area, 1 << 20), 9);
        let first: Vec<u64> = (0..1000).map(|n| n * 100).collect();
        sets.put(7, &first).unwrap();
        let other: Vec<u64> = (0..1000).map(|n| n * 100 + u64::from(n % 10 == 0)).collect();
        assert!(sets.put(7, &other).unwrap().len < 1000);
        let (mut whole, mut read) = (Vec::new(), Vec::new());
        write(&other, &mut whole);
        assert_eq!(sets.put(8, &other).unwrap().len as usize, whole.len(), "another component knows nothing of it");
        assert!(whole.len() > 7000 && sets.put(8, &other[..6]).unwrap().len == 1 + 8 * 6, "a short set is left plain");
        super::whole(&whole, &mut read).unwrap();
        assert_eq!(read, other);
    }
}
