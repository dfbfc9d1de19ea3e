//! The greedy decision over one component of candidates: who stays, who goes because of whom.
//!
//! The question: a component of candidates may chain through pairs that are no duplicates at all, so it must not be
//! collapsed to one document. A document goes only if a document that *stays* is a verified twin of it.
//!
//! The idea: take the members in keep order (best first). A member is kept unless a kept one has an exact Jaccard
//! similarity of at least the threshold with it; it then goes because of the most similar such one, of equals the
//! earliest. Verified edges are also drawn to members that went, so that a cluster is a component of verified edges:
//! in a~b~c with a and c kept it is one cluster of three. Members stream in, and only what may still matter is held.
//!
//! The bounds, for components of any size:
//! - Copies with one token sequence share one entry: a copy costs a look-up, unless its first copy went and others
//!   have been kept since.
//! - While at most [`EXHAUSTIVE_MEMBERS`] different members are held, all pairs are compared: the result is that of the
//!   definition, whatever the bands say. Beyond, candidates come from a table of keys ([`Near::keys`]; `index`) local
//!   to the component: at most [`MAX_TALLIED`] entries of it are looked at per member, rare keys first, and at most
//!   [`MAX_KEPT_CHECKS`] kept and [`MAX_DROPPED_CHECKS`] dropped members are compared, those that share most keys first.
//!   So the cost is linear in the members. What the bounds may cost: an edge between clusters, or, where hundreds of kept
//!   members resemble a document just below the threshold, a twin that stays. Never a wrong drop.
//! - Held (`shelf`) are the shingles, with their outlines, of all kept members, and of at most [`DROPPED_PER_KEEPER`] dropped ones for each,
//!   those with a key that fewer than [`DROPPED_PER_KEY`] held of the same cluster have; 120 bytes a member for verdict
//!   and sequence. `twin` does the comparing.
//!
//! A component may be half of all documents. What a member shares with those held does not depend on its turn, so it can be
//! counted ahead, for many members at once ([`Decider::foresee`]); its turn then asks the same questions, of which most are
//! answered. The verdicts are those of one after the other.

mod index;
mod shelf;
mod twin;

use crate::hash;
use crate::near::Near;
use crate::near::cluster::Components;
use index::Counts;
use shelf::{Held, Shelf};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use twin::{Asked, Drawn, Foretold, Known, Outlines, Twin};

/// Up to so many different members, every pair is compared.
pub const EXHAUSTIVE_MEMBERS: usize = 48;
/// Most table entries looked at for one member.
pub const MAX_TALLIED: usize = 4096;
/// Most kept members compared with one member.
pub const MAX_KEPT_CHECKS: usize = 64;
/// Most dropped members compared with one member, to draw edges between clusters.
pub const MAX_DROPPED_CHECKS: usize = 8;
/// Most dropped members of one cluster held under one key.
pub const DROPPED_PER_KEY: usize = 4;
/// Most dropped members held for one kept member.
pub const DROPPED_PER_KEEPER: u32 = 16;

/// A document of a component of candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number; any, but each once.
    pub doc: u32,
    /// Its shingle set, sorted, without repeats ([`Near::shingle_set`]).
    pub shingles: Box<[u64]>,
    /// The hash of its token sequence ([`hash::token_sequence`]); equal for exact duplicates.
    pub sequence: u128,
    /// How many tokens it has.
    pub tokens: u32,
}

impl Member {
    /// A member from its token hashes.
    #[must_use]
    pub fn new(doc: u32, tokens: &[u64], near: &Near) -> Self {
        let mut shingles = Vec::new();
        near.shingle_set(tokens, &mut shingles);
        Self {
            doc,
            shingles: shingles.into_boxed_slice(),
            sequence: hash::token_sequence(tokens),
            tokens: u32::try_from(tokens.len()).unwrap_or(u32::MAX),
        }
    }
}

/// A member, and what [`Decider::foresee`] has found out about it.
#[derive(Debug)]
pub struct Foreseen {
    member: Member,
    keys: Vec<u64>,
    outlines: Outlines,
    known: Known,
}

/// Why a document goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// It has the same tokens as the kept one.
    Exact,
    /// Its Jaccard similarity with the kept one reaches the threshold.
    Near,
    /// Almost all of its shingles lie inside the longer kept one.
    Contained,
}

/// What becomes of a document.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Verdict {
    /// The document.
    pub doc: u32,
    /// The kept document it goes because of; `None` if it stays.
    pub of: Option<u32>,
    /// Why it goes; `None` if it stays.
    pub reason: Option<Reason>,
    /// Whether it stays.
    pub kept: bool,
    /// The exact Jaccard similarity with `of`; 1 if it stays.
    pub similarity: f64,
    /// The share of its shingles that lie inside `of`; 1 if it stays.
    pub contained: f64,
    /// The smallest document number of its cluster: of all that verified edges tie to it.
    pub cluster_root: u32,
}

type Table<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

/// A hasher for what is a hash already, but need not be spread over its lowest bits.
#[derive(Clone, Copy, Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut all = [0; 8];
            all[..word.len()].copy_from_slice(word);
            self.write_u64(u64::from_le_bytes(all));
        }
    }

    fn write_u64(&mut self, word: u64) {
        // An odd number, half of its bits set, as in `hash`.
        self.0 = hash::fold(self.0 ^ word, 0xC2B2_AE3D_27D4_EB4F);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Takes the members of one component in keep order and says which stay.
#[derive(Debug)]
pub struct Decider<'a> {
    /// One a member, in the order they came. The cluster roots are filled in at the end.
    verdicts: Vec<Verdict>,
    /// Verified edges between members, by their number in `verdicts`.
    clusters: Components,
    sequences: Table<u128, Seen>,
    shelf: Shelf<'a>,
    /// How many of `verdicts` stay.
    kept: u32,
}

/// The newest compared member with a token sequence, and how many were kept then.
#[derive(Clone, Copy, Debug)]
struct Seen {
    member: u32,
    kept: u32,
    /// The place on the shelf of the kept document that it went because of.
    keeper: Option<u32>,
}

impl<'a> Decider<'a> {
    /// A decider for one component.
    #[must_use]
    pub fn new(near: &'a Near) -> Self {
        Self {
            verdicts: Vec::new(),
            clusters: Components::default(),
            sequences: Table::default(),
            shelf: Shelf::new(near),
            kept: 0,
        }
    }

    /// Takes the next member in keep order.
    pub fn push(&mut self, member: Member) {
        self.push_foreseen(Foreseen {
            member,
            keys: Vec::new(),
            outlines: Outlines::default(),
            known: Known::default(),
        });
    }

    /// Compares members with what is held now, ahead of their turn: most of what [`Decider::push`] does, and any number of
    /// threads can do it for members of their own. The verdicts are the same, however far ahead it is done.
    #[must_use]
    pub fn foresee(&self, members: Vec<Member>) -> Vec<Foreseen> {
        let mut counts = self.shelf.counts();
        members.into_iter().map(|member| self.foresee_one(member, &mut counts)).collect()
    }

    fn foresee_one(&self, member: Member, counts: &mut Counts) -> Foreseen {
        let (mut outlines, mut known) = (Outlines::default(), Known::default());
        let seen = self.sequences.get(&member.sequence);
        if member.shingles.is_empty() || seen.is_some_and(|&seen| self.verdict_of_copy(seen).is_some()) {
            return Foreseen { member, keys: Vec::new(), outlines, known };
        }
        let keys = self.shelf.keys(&member.shingles);
        let mut places = self.shelf.candidates_by(&keys, counts);
        places.extend(seen.and_then(|seen| seen.keeper));
        let roots = seen.iter().map(|seen| self.clusters.root(seen.member)).collect();
        let mut ties = Foretold { clusters: &self.clusters, roots };
        let mut compare = |place: u32, asked: Asked| {
            let shared = outlines.compare(&member.shingles, self.shelf.at(place), asked);
            known.add(place, asked, shared);
            shared
        };
        self.shelf.best_twin(&member, &places, &mut ties, &mut compare);
        known.sort();
        Foreseen { member, keys, outlines, known }
    }

    /// Takes the next member in keep order, of which some things are known.
    pub fn push_foreseen(&mut self, foreseen: Foreseen) {
        let Foreseen { member, mut keys, mut outlines, known } = foreseen;
        let number = self.clusters.add().expect("members have distinct 32-bit numbers");
        let seen = self.sequences.get(&member.sequence).copied();
        if member.shingles.is_empty() {
            self.keep(member.doc);
            return;
        }
        if let Some(seen) = seen {
            self.clusters.union(number, seen.member);
            if let Some(verdict) = self.verdict_of_copy(seen) {
                self.verdicts.push(Verdict { doc: member.doc, ..verdict });
                return;
            }
        }
        if keys.is_empty() {
            keys = self.shelf.keys(&member.shingles);
        }
        let mut places = self.shelf.candidates(&keys);
        // What a copy went because of is still there: look at it even if the table passes over it.
        places.extend(seen.and_then(|seen| seen.keeper));
        let Self { shelf, clusters, .. } = self;
        let mut compare = |place: u32, asked: Asked| {
            let compare = || outlines.compare(&member.shingles, shelf.at(place), asked);
            known.get(place, asked).unwrap_or_else(compare)
        };
        let twin = shelf.best_twin(&member, &places, &mut Drawn { clusters, number }, &mut compare);
        let keeper = self.record(&member, number, twin);
        self.sequences.insert(member.sequence, Seen { member: number, kept: self.kept, keeper });
        if seen.is_none() {
            let outline = outlines.into_own(&member.shingles);
            let held = Held::new(number, keeper.is_none(), member, outline);
            self.shelf.hold(held, keeper, &keys, &mut self.clusters);
        }
    }

    /// The verdicts, in the order the members came. `O(n)`.
    #[must_use]
    pub fn finish(self) -> Vec<Verdict> {
        let Self { mut verdicts, clusters, .. } = self;
        let roots = clusters.into_roots();
        let mut smallest = vec![u32::MAX; verdicts.len()];
        for (verdict, &root) in verdicts.iter().zip(&roots) {
            smallest[root as usize] = smallest[root as usize].min(verdict.doc);
        }
        for (verdict, &root) in verdicts.iter_mut().zip(&roots) {
            verdict.cluster_root = smallest[root as usize];
        }
        verdicts
    }

    fn keep(&mut self, doc: u32) {
        self.kept += 1;
        self.verdicts.push(Verdict {
            doc,
            of: None,
            reason: None,
            kept: true,
            similarity: 1.0,
            contained: 1.0,
            cluster_root: doc,
        });
    }

    /// The verdict of an exact copy, if that is still the best there is.
    fn verdict_of_copy(&self, seen: Seen) -> Option<Verdict> {
        let copy = self.verdicts[seen.member as usize];
        if copy.kept {
            return Some(Verdict { of: Some(copy.doc), reason: Some(Reason::Exact), kept: false, ..copy });
        }
        (seen.kept == self.kept).then_some(copy)
    }

    /// Writes the verdict; the place of the keeper, if there is one.
    fn record(&mut self, member: &Member, number: u32, twin: Option<Twin>) -> Option<u32> {
        let Some(twin) = twin else {
            self.keep(member.doc);
            return None;
        };
        let keeper = self.shelf.at(twin.place).member;
        self.clusters.union(number, keeper);
        self.verdicts.push(Verdict {
            doc: member.doc,
            of: Some(self.verdicts[keeper as usize].doc),
            reason: Some(twin.reason),
            kept: false,
            similarity: twin.similarity,
            contained: twin.contained,
            cluster_root: member.doc,
        });
        Some(twin.place)
    }
}

/// The verdicts on documents that have company: a verified edge ties them to another.
pub fn clustered(verdicts: Vec<Verdict>) -> impl Iterator<Item = Verdict> {
    let mut sizes: HashMap<u32, u32> = HashMap::new();
    for verdict in &verdicts {
        *sizes.entry(verdict.cluster_root).or_default() += 1;
    }
    verdicts.into_iter().filter(move |v| sizes[&v.cluster_root] > 1)
}

#[cfg(test)]
mod tests;
