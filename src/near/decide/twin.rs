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

impl Shelf<'_> {
    /// Compares a member with those at the places: draws the verified edges and finds the best twin among the kept.
    pub(super) fn best_twin(
        &self,
        member: &Member,
        number: u32,
        places: &[u32],
        clusters: &mut Components,
    ) -> Option<Twin> {
        let &Options { threshold, contain, .. } = self.near().options();
        let mut outlined = Outlined { shingles: &member.shingles, outlines: Vec::new() };
        let (mut near, mut container): (Option<Twin>, Option<Twin>) = (None, None);
        for &place in places {
            let other = self.at(place);
            let tied = clusters.find(number) == clusters.find(other.member);
            if tied && !other.kept {
                continue;
            }
            let at_least = near.filter(|_| tied).map_or(threshold, |twin| twin.similarity);
            let Some((similarity, contained)) = measure(member, &mut outlined, other, at_least, contain) else {
                continue;
            };
            let is_near = similarity >= threshold;
            if is_near {
                clusters.union(number, other.member);
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

/// A member's shingles and its outlines, of as many levels as were asked for.
struct Outlined<'a> {
    shingles: &'a [u64],
    outlines: Vec<Outline>,
}

impl Outlined<'_> {
    /// How many shingles it shares with `other`, if so many; mostly told by the outlines where it does not.
    fn shared_at_least(&mut self, other: &Held, needed: usize) -> Option<usize> {
        let (a, b) = (self.shingles.len(), other.shingles.len());
        if a.min(b) < needed {
            return None;
        }
        let level = other.outline.level();
        let at = self.outlines.iter().position(|outline| outline.level() == level).unwrap_or_else(|| {
            self.outlines.push(Outline::new(self.shingles, level));
            self.outlines.len() - 1
        });
        if self.outlines[at].shared_at_most(a, &other.outline, b) < needed {
            return None;
        }
        verify::shared_at_least(self.shingles, &other.shingles, needed)
    }
}

/// Similarity with and share inside `other`, if the first is at least so much or the second enough to be contained.
fn measure(
    member: &Member,
    outlined: &mut Outlined<'_>,
    other: &Held,
    at_least: f64,
    contain: Option<f64>,
) -> Option<(f64, f64)> {
    let (a, b) = (member.shingles.len(), other.shingles.len());
    let mut needed = verify::shared_for_jaccard(a, b, at_least);
    if let Some(share) = contain.filter(|_| other.kept && other.tokens > member.tokens) {
        needed = needed.min(verify::shared_for_containment(a, share));
    }
    let shared = outlined.shared_at_least(other, needed)?;
    Some((verify::jaccard_of(shared, a, b), verify::ratio(shared, a)))
}
