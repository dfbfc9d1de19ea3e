//! The members that later ones are compared with, and which of them are worth it.
//!
//! Few are compared with all; beyond [`EXHAUSTIVE_MEMBERS`] a table of keys ([`Index`]) says which are likely. What is
//! held is bounded too: a kept member always, a dropped one where its cluster has few under one of its keys.

use super::index::Index;
use super::{DROPPED_PER_KEEPER, EXHAUSTIVE_MEMBERS, MAX_DROPPED_CHECKS, MAX_KEPT_CHECKS};
use crate::near::{Components, Near, lsh};
use std::cmp::Reverse;

/// A member whose shingles later ones may be compared with.
#[derive(Debug)]
pub(super) struct Held {
    /// Its number in the order they came.
    pub(super) member: u32,
    pub(super) kept: bool,
    pub(super) tokens: u32,
    pub(super) shingles: Box<[u64]>,
    /// How many dropped members are held that went because of this one.
    followers: u32,
}

impl Held {
    pub(super) fn new(member: u32, kept: bool, tokens: u32, shingles: Box<[u64]>) -> Self {
        Self { member, kept, tokens, shingles, followers: 0 }
    }
}

/// What is held, by place.
#[derive(Debug)]
pub(super) struct Shelf<'a> {
    near: &'a Near,
    held: Vec<Held>,
    /// Built once more are held than are compared in all pairs.
    index: Option<Index>,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(near: &'a Near) -> Self {
        Self { near, held: Vec::new(), index: None }
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

    /// Places to compare a member with: the kept first, those that share most keys first.
    pub(super) fn candidates(&mut self, keys: &[u64]) -> Vec<u32> {
        let Some(index) = &mut self.index else {
            return (0u32..).zip(&self.held).map(|(place, _)| place).collect();
        };
        let (mut kept, mut dropped): (Vec<_>, Vec<_>) =
            index.tally(keys).into_iter().partition(|&(_, place)| self.held[place as usize].kept);
        for (places, most) in [(&mut kept, MAX_KEPT_CHECKS), (&mut dropped, MAX_DROPPED_CHECKS)] {
            let order = |&(shared, place): &(u32, u32)| (Reverse(shared), place);
            if places.len() > most {
                places.select_nth_unstable_by_key(most, order);
                places.truncate(most);
            }
            places.sort_unstable_by_key(order);
        }
        kept.into_iter().chain(dropped).map(|(_, place)| place).collect()
    }

    /// Holds a member for later ones to be compared with, unless it can no longer matter. `keeper` is the place of the
    /// one it went because of, `keys` are its [`Shelf::keys`].
    pub(super) fn hold(&mut self, held: Held, keeper: Option<u32>, keys: &[u64], clusters: &mut Components) {
        let place = u32::try_from(self.held.len()).expect("no more are held than were pushed");
        if self.index.is_some() && !(self.has_room(keeper) && self.post(&held, place, keys, clusters)) {
            return;
        }
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
        self.index = Some(Index::default());
        let mut keys = Vec::new();
        let held = std::mem::take(&mut self.held);
        for (place, one) in (0u32..).zip(&held) {
            self.near.keys_of_shingles(&one.shingles, &mut keys);
            self.post(one, place, &keys, clusters);
        }
        self.held = held;
        // Places are handed out, so what is no longer posted stays: at most EXHAUSTIVE_MEMBERS of them.
    }

    /// Posts a kept member under all its keys, a dropped one where its cluster has too few; whether under any.
    fn post(&mut self, held: &Held, place: u32, keys: &[u64], clusters: &mut Components) -> bool {
        let Some(index) = &mut self.index else { return false };
        let root = clusters.find(held.member);
        let mut posted = false;
        for &key in keys {
            if held.kept || !lsh::is_containment_key(key) && index.has_room(key, root, clusters) {
                index.insert(key, place, held);
                posted = true;
            }
        }
        posted || held.kept
    }
}
