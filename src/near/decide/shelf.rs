//! The members that later ones are compared with, and which of them are worth it.
//!
//! Few are compared with all; beyond [`EXHAUSTIVE_MEMBERS`] a table of keys ([`Index`]) says which are likely. What is
//! held is bounded too: a kept member always, a dropped one where its cluster has few under one of its keys.

use super::index::{Counts, Index, Rank};
use super::{DROPPED_PER_KEEPER, EXHAUSTIVE_MEMBERS, MAX_DROPPED_CHECKS, MAX_KEPT_CHECKS, Member};
use crate::near::{Components, Near, Outline};

/// A member whose shingles later ones may be compared with.
#[derive(Debug)]
pub(super) struct Held {
    /// Its number in the order they came.
    pub(super) member: u32,
    pub(super) kept: bool,
    pub(super) tokens: u32,
    pub(super) shingles: Box<[u64]>,
    pub(super) outline: Outline,
    /// How many dropped members are held that went because of this one.
    followers: u32,
}

impl Held {
    pub(super) fn new(number: u32, kept: bool, member: Member, outline: Outline) -> Self {
        let Member { tokens, shingles, .. } = member;
        Self { member: number, kept, tokens, shingles, outline, followers: 0 }
    }
}

/// What is held, by place.
#[derive(Debug)]
pub(super) struct Shelf<'a> {
    near: &'a Near,
    held: Vec<Held>,
    /// Built once more are held than are compared in all pairs.
    index: Option<Index>,
    counts: Counts,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(near: &'a Near) -> Self {
        Self { near, held: Vec::new(), index: None, counts: Counts::default() }
    }

    pub(super) fn near(&self) -> &'a Near {
        self.near
    }

    pub(super) fn at(&self, place: u32) -> &Held {
        &self.held[place as usize]
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// The keys of a member; none while all pairs are compared.
    pub(super) fn keys(&self, shingles: &[u64]) -> Vec<u64> {
        let mut keys = Vec::new();
        if self.index.is_some() {
            self.near.keys_of_shingles(shingles, &mut keys);
        }
        keys
    }

    /// Room to count in, for who may not change the shelf.
    pub(super) fn counts(&self) -> Counts {
        self.counts.clone()
    }

    /// Places to compare a member with: the kept first, those that share most keys first.
    pub(super) fn candidates(&mut self, keys: &[u64]) -> Vec<u32> {
        let mut counts = std::mem::take(&mut self.counts);
        let places = self.candidates_by(keys, &mut counts);
        self.counts = counts;
        places
    }

    /// [`Shelf::candidates`], counted in [`Shelf::counts`].
    pub(super) fn candidates_by(&self, keys: &[u64], counts: &mut Counts) -> Vec<u32> {
        let Some(index) = &self.index else {
            return (0u32..).zip(&self.held).map(|(place, _)| place).collect();
        };
        let most = [MAX_KEPT_CHECKS, MAX_DROPPED_CHECKS];
        let tally = index.tally(keys, most, counts);
        let mut places = Vec::with_capacity(most.iter().sum());
        tally.into_iter().zip(most).for_each(|(tally, most)| append_most_shared(tally, most, &mut places));
        places
    }

    /// Holds a member for later ones to be compared with, unless it can no longer matter. `keeper` is the place of the
    /// one it went because of, `keys` are its [`Shelf::keys`].
    pub(super) fn hold(&mut self, held: Held, keeper: Option<u32>, keys: &[u64], clusters: &mut Components) {
        let place = u32::try_from(self.held.len()).expect("no more are held than were pushed");
        if self.index.is_some() && !(self.has_room(keeper) && self.post(&held, place, keys, clusters)) {
            return;
        }
        self.counts.hold(place, held.kept);
        self.held.push(held);
        if let Some(keeper) = keeper {
            self.held[keeper as usize].followers += 1;
        }
        if self.index.is_none() && self.held.len() > EXHAUSTIVE_MEMBERS {
            self.build_index(clusters);
        }
    }

    fn has_room(&self, keeper: Option<u32>) -> bool {
        keeper.is_none_or(|keeper| self.at(keeper).followers < DROPPED_PER_KEEPER)
    }

    fn build_index(&mut self, clusters: &mut Components) {
        let (mut index, mut keys) = (Index::default(), Vec::new());
        for (place, one) in (0u32..).zip(&self.held) {
            self.near.keys_of_shingles(&one.shingles, &mut keys);
            index.post(one, place, &keys, &self.held, clusters);
        }
        // Places are handed out, so what is not posted stays: at most EXHAUSTIVE_MEMBERS of them.
        self.index = Some(index);
    }

    fn post(&mut self, one: &Held, place: u32, keys: &[u64], clusters: &mut Components) -> bool {
        self.index.as_mut().is_some_and(|index| index.post(one, place, keys, &self.held, clusters))
    }
}

/// Appends the places that share most keys, of equals the earlier, at most so many: those most alike first.
fn append_most_shared(mut tally: Vec<Rank>, most: usize, places: &mut Vec<u32>) {
    if tally.len() > most {
        tally.select_nth_unstable(most);
        tally.truncate(most);
    }
    tally.sort_unstable();
    places.extend(tally.into_iter().map(Rank::place));
}
