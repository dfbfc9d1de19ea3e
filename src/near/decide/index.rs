//! Which held members have a key: a list a key, newest first, all lists in one vector.
//!
//! Keys of boilerplate have long lists, so every question has a bound on the entries it looks at: the cost of a member
//! does not depend on how many came before.

use super::shelf::Held;
use super::{DROPPED_PER_KEY, MAX_TALLIED, Table};
use crate::near::Components;
use crate::near::lsh;

/// Most entries of one key looked at to count the dropped ones.
const MAX_QUOTA_SCAN: usize = 64;
/// Most containment keys of one member looked up.
const MAX_CONTAINMENT_QUERIES: usize = 32;
const END: usize = usize::MAX;

/// The table of keys.
#[derive(Debug, Default)]
pub(super) struct Index {
    lists: Table<u64, List>,
    entries: Vec<Entry>,
    /// How many keys a place shares with the member that is asked for; all 0 between questions.
    shared: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct List {
    newest: usize,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    place: u32,
    member: u32,
    kept: bool,
    before: usize,
}

impl Index {
    /// Posts a held member under a key.
    pub(super) fn insert(&mut self, key: u64, place: u32, held: &Held) {
        let list = self.lists.entry(key).or_insert(List { newest: END, len: 0 });
        self.entries.push(Entry { place, member: held.member, kept: held.kept, before: list.newest });
        *list = List { newest: self.entries.len() - 1, len: list.len + 1 };
    }

    fn walk(&self, list: List) -> impl Iterator<Item = Entry> {
        std::iter::successors(self.entries.get(list.newest).copied(), |entry| self.entries.get(entry.before).copied())
    }

    /// Whether the cluster has fewer dropped members under this key than are worth holding. Says no for a key with more
    /// entries than are worth a look.
    pub(super) fn has_room(&self, key: u64, root: u32, clusters: &mut Components) -> bool {
        let Some(&list) = self.lists.get(&key) else { return true };
        if list.len >= MAX_QUOTA_SCAN {
            return false;
        }
        let dropped = self.walk(list).filter(|entry| !entry.kept && clusters.find(entry.member) == root).count();
        dropped < DROPPED_PER_KEY
    }

    /// How many of the keys each held member shares, as (shared, place), in no order; rare keys first, until enough is
    /// seen.
    pub(super) fn tally(&mut self, keys: &[u64]) -> Vec<(u32, u32)> {
        let is_band = |key: &&u64| !lsh::is_containment_key(**key);
        let contained = keys.iter().filter(|key| !is_band(key)).take(MAX_CONTAINMENT_QUERIES);
        let mut lists: Vec<List> =
            keys.iter().filter(is_band).chain(contained).filter_map(|key| self.lists.get(key)).copied().collect();
        lists.sort_unstable_by_key(|list| (list.len, list.newest));
        let mut shared = std::mem::take(&mut self.shared);
        let mut tally: Vec<(u32, u32)> = Vec::new();
        for entry in lists.iter().flat_map(|&list| self.walk(list)).take(MAX_TALLIED) {
            let place = entry.place as usize;
            if place >= shared.len() {
                shared.resize(place + 1, 0);
            }
            if shared[place] == 0 {
                tally.push((0, entry.place));
            }
            shared[place] += 1;
        }
        for (count, place) in &mut tally {
            *count = std::mem::take(&mut shared[*place as usize]);
        }
        self.shared = shared;
        tally
    }
}
