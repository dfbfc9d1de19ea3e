//! The best reason to drop a member: its exact similarity with, or share inside, those it is compared with.

use super::shelf::{Held, Shelf};
use super::{Member, Reason};
use crate::near::{Components, Options, Outline, verify};

/// The best reason to drop a member found so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Twin {
    /// The place of the kept one on the shelf.
    pub(super) place: u32,
    pub(super) reason: Reason,
    pub(super) similarity: f64,
    pub(super) contained: f64,
}

impl Twin {
    fn measure(&self) -> f64 {
        if self.reason == Reason::Contained { self.contained } else { self.similarity }
    }

    /// The better of two: of a higher measure, of equals the earlier in keep order.
    fn or_better(self, old: Option<Self>) -> Self {
        old.filter(|old| (old.measure(), self.place) >= (self.measure(), old.place)).unwrap_or(self)
    }
}

/// Which members verified edges tie to the one that is compared.
pub(super) trait Ties {
    /// Whether they tie this one.
    fn tie(&mut self, member: u32) -> bool;
    /// Draws an edge to it.
    fn draw(&mut self, member: u32);
}

/// Edges that are drawn.
pub(super) struct Drawn<'c> {
    pub(super) clusters: &'c mut Components,
    pub(super) number: u32,
}

impl Ties for Drawn<'_> {
    fn tie(&mut self, member: u32) -> bool {
        self.clusters.find(self.number) == self.clusters.find(member)
    }

    fn draw(&mut self, member: u32) {
        self.clusters.union(self.number, member);
    }
}

/// Edges that would be drawn if it were the member's turn.
pub(super) struct Foretold<'c> {
    pub(super) clusters: &'c Components,
    /// The roots of what it would be tied to.
    pub(super) roots: Vec<u32>,
}

impl Ties for Foretold<'_> {
    fn tie(&mut self, member: u32) -> bool {
        self.roots.contains(&self.clusters.root(member))
    }

    fn draw(&mut self, member: u32) {
        self.roots.push(self.clusters.root(member));
    }
}

impl Shelf<'_> {
    /// Compares a member with those at the places: draws the verified edges and finds the best twin among the kept.
    pub(super) fn best_twin(
        &self,
        member: &Member,
        places: &[u32],
        ties: &mut impl Ties,
        compare: &mut impl FnMut(u32, Asked) -> Option<usize>,
    ) -> Option<Twin> {
        let &Options { threshold, contain, .. } = self.near().options();
        let a = member.shingles.len();
        let (mut near, mut container): (Option<Twin>, Option<Twin>) = (None, None);
        for &place in places {
            let other = self.at(place);
            let tied = ties.tie(other.member);
            if tied && !other.kept {
                continue;
            }
            let at_least = near.filter(|_| tied).map_or(threshold, |twin| twin.similarity);
            let contain = contain.filter(|_| other.kept && other.tokens > member.tokens);
            let b = other.shingles.len();
            let Some(shared) = compare(place, Asked { a, b, at_least, contain }) else { continue };
            let (similarity, contained) = (verify::jaccard_of(shared, a, b), verify::ratio(shared, a));
            let is_near = similarity >= threshold;
            if is_near {
                ties.draw(other.member);
            }
            let twin = |reason| Twin { place, reason, similarity, contained };
            if other.kept && is_near {
                near = Some(twin(Reason::Near).or_better(near));
            } else if other.kept {
                container = Some(twin(Reason::Contained).or_better(container));
            }
        }
        near.or(container)
    }
}

/// What is asked of two sets of these sizes: a similarity, or a share of the first one inside the second.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    a: usize,
    b: usize,
    at_least: f64,
    contain: Option<f64>,
}

impl Asked {
    /// Whether so many shared shingles are enough. More are never less.
    fn is_met_by(&self, shared: usize) -> bool {
        verify::jaccard_of(shared, self.a, self.b) >= self.at_least
            || self.contain.is_some_and(|share| verify::ratio(shared, self.a) >= share)
    }

    /// The fewest shared shingles that are enough.
    fn needed(&self) -> usize {
        let needed = verify::shared_for_jaccard(self.a, self.b, self.at_least);
        self.contain.map_or(needed, |share| needed.min(verify::shared_for_containment(self.a, share)))
    }
}

/// A member's outlines, of as many levels as were asked for.
#[derive(Debug, Default)]
pub(super) struct Outlines(Vec<Outline>);

impl Outlines {
    /// How many shingles the member shares with `other`, if enough; mostly told by the outlines where not.
    pub(super) fn compare(&mut self, shingles: &[u64], other: &Held, asked: Asked) -> Option<usize> {
        let Asked { a, b, .. } = asked;
        if !asked.is_met_by(a.min(b)) {
            return None;
        }
        let at = self.at(shingles, other.outline.level());
        if !asked.is_met_by(self.0[at].shared_at_most(a, &other.outline, b)) {
            return None;
        }
        verify::shared_at_least(shingles, &other.shingles, asked.needed())
    }

    /// The one that the member is held with.
    pub(super) fn into_own(mut self, shingles: &[u64]) -> Outline {
        let at = self.at(shingles, Outline::level_for(shingles.len()));
        self.0.swap_remove(at)
    }

    fn at(&mut self, shingles: &[u64], level: u32) -> usize {
        self.0.iter().position(|outline| outline.level() == level).unwrap_or_else(|| {
            self.0.push(Outline::new(shingles, level));
            self.0.len() - 1
        })
    }
}

/// What comparisons ahead of a member's turn have told.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By place: what similarity was asked for, and how many shingles are shared if enough. Whether the share inside is
    /// asked for depends on the two alone.
    rows: Vec<(u32, f64, Option<usize>)>,
}

impl Known {
    pub(super) fn add(&mut self, place: u32, asked: Asked, shared: Option<usize>) {
        self.rows.push((place, asked.at_least, shared));
    }

    /// Ends the adding.
    pub(super) fn sort(&mut self) {
        self.rows.sort_unstable_by_key(|row| row.0);
    }

    /// What a comparison will give, if it is known.
    pub(super) fn get(&self, place: u32, asked: Asked) -> Option<Option<usize>> {
        let at = self.rows.binary_search_by_key(&place, |row| row.0).ok()?;
        let (_, at_least, shared) = self.rows[at];
        match shared {
            Some(shared) => Some(asked.is_met_by(shared).then_some(shared)),
            None => (asked.at_least >= at_least).then_some(None),
        }
    }
}
