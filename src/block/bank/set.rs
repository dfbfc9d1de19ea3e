//! A set of hashes that is added to and asked, and nothing else.

use std::hash::{BuildHasher, RandomState};

/// At least half of its slots are empty, and a hash that finds its own taken goes to the next that is free. Which is its
/// own differs from run to run, so that no text can be made to crowd them.
#[derive(Debug)]
pub(super) struct Set {
    /// Hashes; 0 where there is none. A hash of 0 counts as 1.
    slots: Vec<u64>,
    len: usize,
    multiplier: u64,
}

/// Slots of an empty set.
const SLOTS: usize = 1 << 10;
/// What a hash takes at most, while the slots are doubled.
pub(super) const BYTES_A_HASH: usize = 6 * size_of::<u64>();

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}

impl Set {
    pub(super) fn new() -> Self {
        Self { slots: vec![0; SLOTS], len: 0, multiplier: RandomState::new().hash_one(0) | 1 }
    }

    /// The slot that has the hash, or the empty one where it belongs.
    fn slot(&self, hash: u64) -> usize {
        let shift = u64::BITS - self.slots.len().ilog2();
        let mut slot = usize::try_from(hash.wrapping_mul(self.multiplier) >> shift).expect("a slot");
        while self.slots[slot] != 0 && self.slots[slot] != hash {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        slot
    }

    pub(super) fn has(&self, hash: u64) -> bool {
        self.slots[self.slot(hash.max(1))] != 0
    }

    pub(super) fn add(&mut self, hash: u64) {
        if 2 * self.len >= self.slots.len() {
            let grown = vec![0; 2 * self.slots.len()];
            for old in std::mem::replace(&mut self.slots, grown).into_iter().filter(|&old| old != 0) {
                let slot = self.slot(old);
                self.slots[slot] = old;
            }
        }
        let slot = self.slot(hash.max(1));
        self.len += usize::from(self.slots[slot] == 0);
        self.slots[slot] = hash.max(1);
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_hashes_has_what_was_added_and_no_more() {
        let hashes: Vec<u64> = (0..9000).chain([u64::MAX, u64::MAX << 40]).collect();
        let mut seen = Set::new();
        hashes.iter().step_by(2).chain(&[8, 8]).for_each(|&hash| seen.add(hash));
        let expected = |(i, &hash): (usize, &u64)| i % 2 == 0 || hash == 1;
        let has: Vec<bool> = hashes.iter().map(|&hash| seen.has(hash)).collect();
        assert_eq!(has, hashes.iter().enumerate().map(expected).collect::<Vec<_>>());
        assert_eq!((seen.len, seen.slots.len()), (4501, 1 << 14));
    }
}
