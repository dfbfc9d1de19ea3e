//! Which held members have a key: a list of places a key, ascending.
//!
//! Keys of boilerplate have long lists, so every question has a bound on the entries it looks at: the cost of a member
//! does not depend on how many came before.

use super::shelf::Held;
use super::{DROPPED_PER_KEY, MAX_TALLIED, Table};
use crate::near::{Components, lsh};

/// Most entries of one key looked at to count the dropped ones.
const MAX_QUOTA_SCAN: usize = 64;
/// Counts that are made side by side.
const LANES: usize = 4;
/// Most containment keys of one member looked up.
const MAX_CONTAINMENT_QUERIES: usize = 32;

/// The table of keys.
#[derive(Debug, Default)]
pub(super) struct Index {
    lists: Table<u64, Vec<u32>>,
}

/// How many keys each place shares with the member that is asked for: room for one question after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// By place; between questions 0, or [`KEPT`] where a kept one is there.
    shared: Vec<u16>,
    /// Room for the places that share one, and then for their counts with the places.
    sharing: Vec<(u16, u32)>,
}

/// Set where a kept member is held. Below it is room for [`MAX_TALLIED`].
const KEPT: u16 = 1 << 15;

/// Ranks of places by how many keys they share, in no order: of the kept, and of the dropped.
pub(super) type Tally = [Vec<Rank>; 2];

/// A place by how many keys it shares: more are less, of equals the earlier place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(u64);

impl Rank {
    fn new(shared: u16, place: u32) -> Self {
        Self(u64::from(u16::MAX - shared) << u32::BITS | u64::from(place))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(super) fn place(self) -> u32 {
        self.0 as u32
    }
}

impl Counts {
    /// Makes room for a place.
    pub(super) fn hold(&mut self, place: u32, kept: bool) {
        self.shared.resize(place as usize + 1, 0);
        self.shared[place as usize] = if kept { KEPT } else { 0 };
    }
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

    /// The held members that share most of the keys, so many or more of the kept and of the dropped, if there are; rare
    /// keys first, until enough is seen.
    pub(super) fn tally(&self, keys: &[u64], most: [usize; 2], counts: &mut Counts) -> Tally {
        let lists = self.lists(keys);
        let Counts { shared, sharing } = counts;
        sharing.resize(MAX_TALLIED, (0, 0));
        let (mut seen, mut places) = (0, 0);
        for list in &lists {
            let newest = &list[list.len() - list.len().min(MAX_TALLIED - seen)..];
            seen += newest.len();
            for &place in newest {
                let keys = &mut shared[place as usize];
                // Written every time and counted the first, for no branch could be foretold.
                sharing[places].1 = place;
                places += usize::from(*keys & !KEPT == 0);
                *keys += 1;
            }
        }
        let sharing = &mut sharing[..places];
        for (count, place) in &mut *sharing {
            let keys = &mut shared[*place as usize];
            *count = *keys;
            *keys &= KEPT;
        }
        let fewest = fewest(sharing, lists.len(), most);
        let mut tally = Tally::default();
        for &(count, place) in &*sharing {
            let (kind, number) = (kind(count), count & !KEPT);
            if usize::from(number) >= fewest[kind] {
                tally[kind].push(Rank::new(number, place));
            }
        }
        tally
    }

    /// The lists of the keys, short ones first.
    fn lists(&self, keys: &[u64]) -> Vec<&[u32]> {
        let is_band = |key: &&u64| !lsh::is_containment_key(**key);
        let contained = keys.iter().filter(|key| !is_band(key)).take(MAX_CONTAINMENT_QUERIES);
        let keys = keys.iter().filter(is_band).chain(contained);
        let mut lists: Vec<&[u32]> = keys.filter_map(|key| self.lists.get(key)).map(Vec::as_slice).collect();
        lists.sort_by_key(|list| (list.len(), list.last().copied()));
        lists
    }
}

/// Where a count belongs in a [`Tally`].
fn kind(count: u16) -> usize {
    usize::from(count & KEPT == 0)
}

/// The fewest keys that one of the `most` of each kind may share.
fn fewest(sharing: &[(u16, u32)], lists: usize, most: [usize; 2]) -> [usize; 2] {
    // Most counts are ones: side by side, so that an addition does not wait for the one before.
    let mut numbers = vec![[0u32; 2 * LANES]; lists + 1];
    for lanes in sharing.chunks(LANES) {
        for (lane, &(count, _)) in lanes.iter().enumerate() {
            numbers[usize::from(count & !KEPT)][lane + LANES * kind(count)] += 1;
        }
    }
    [0, 1].map(|kind| {
        let of_kind = |number: &[u32; 2 * LANES]| number[LANES * kind..][..LANES].iter().sum::<u32>() as usize;
        let mut enough = 0;
        let fewest = (0..=lists).rev().find(|&number| {
            enough += of_kind(&numbers[number]);
            enough > most[kind]
        });
        fewest.unwrap_or(0)
    })
}
