//! Which held members have a key: a list of places a key, ascending.
//!
//! Keys of boilerplate have long lists, so every question has a bound on the entries it looks at: the cost of a member
//! does not depend on how many came before.

use super::shelf::Held;
use super::{DROPPED_PER_KEY, MAX_TALLIED, Table};
use crate::near::{Components, lsh};

/// Most entries of one key looked at to count the dropped ones.
const MAX_QUOTA_SCAN: usize = 64;
/// Most containment keys of one member looked up.
const MAX_CONTAINMENT_QUERIES: usize = 32;

/// The table of keys.
#[derive(Debug, Default)]
pub(super) struct Index {
    lists: Table<u64, Vec<u32>>,
    /// How many keys a place shares with the member that is asked for, 0 between questions; and whether a kept one is there
    /// ([`KEPT`]).
    shared: Vec<u16>,
    /// Room for the places that share one.
    sharing: Vec<u32>,
}

/// Set where a kept member is held. Below it is room for [`MAX_TALLIED`].
const KEPT: u16 = 1 << 15;

/// How many keys held members share with another, as (shared, place), in no order.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) kept: Vec<(u32, u32)>,
    pub(super) dropped: Vec<(u32, u32)>,
}

impl Index {
    /// Posts a member that is to be held at `place`, behind all of `held`'s: a kept one under all its keys, a dropped one
    /// where its cluster has too few; whether under any.
    pub(super) fn post(
        &mut self,
        one: &Held,
        place: u32,
        keys: &[u64],
        held: &[Held],
        clusters: &mut Components,
    ) -> bool {
        let root = clusters.find(one.member);
        let mut posted = one.kept;
        for &key in keys {
            if one.kept || !lsh::is_containment_key(key) && self.has_room(key, root, held, clusters) {
                self.lists.entry(key).or_default().push(place);
                posted = true;
            }
        }
        if posted {
            self.shared.resize(place as usize + 1, 0);
            self.shared[place as usize] = if one.kept { KEPT } else { 0 };
        }
        posted
    }

    /// Whether the cluster has fewer dropped members under this key than are worth holding. Says no for a key with more
    /// entries than are worth a look.
    fn has_room(&self, key: u64, root: u32, held: &[Held], clusters: &mut Components) -> bool {
        let Some(list) = self.lists.get(&key) else { return true };
        if list.len() >= MAX_QUOTA_SCAN {
            return false;
        }
        let of = list.iter().map(|&place| &held[place as usize]);
        of.filter(|of| !of.kept && clusters.find(of.member) == root).count() < DROPPED_PER_KEY
    }

    /// How many of the keys each held member shares; rare keys first, until enough is seen.
    pub(super) fn tally(&mut self, keys: &[u64]) -> Tally {
        let is_band = |key: &&u64| !lsh::is_containment_key(**key);
        let contained = keys.iter().filter(|key| !is_band(key)).take(MAX_CONTAINMENT_QUERIES);
        let mut lists: Vec<&[u32]> = keys
            .iter()
            .filter(is_band)
            .chain(contained)
            .filter_map(|key| self.lists.get(key))
            .map(Vec::as_slice)
            .collect();
        lists.sort_by_key(|list| (list.len(), list.last().copied()));
        let Self { shared, sharing, .. } = self;
        sharing.resize(MAX_TALLIED, 0);
        let mut count = 0;
        for &place in lists.iter().flat_map(|list| list.iter().rev()).take(MAX_TALLIED) {
            let keys = &mut shared[place as usize];
            // Written every time and counted the first, for no branch could be foretold.
            sharing[count] = place;
            count += usize::from(*keys & !KEPT == 0);
            *keys += 1;
        }
        let mut tally = Tally::default();
        for &place in &sharing[..count] {
            let keys = &mut shared[place as usize];
            let of = if *keys & KEPT == 0 { &mut tally.dropped } else { &mut tally.kept };
            of.push((u32::from(*keys & !KEPT), place));
            *keys &= KEPT;
        }
        tally
    }
}
