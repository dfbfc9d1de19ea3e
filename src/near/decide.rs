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
//!   definition, whatever the bands say. Beyond, candidates come from a table of keys ([`Near::keys`]) local to the
//!   component: at most [`MAX_TALLIED`] entries of it are looked at per member, rare keys first, and at most
//!   [`MAX_KEPT_CHECKS`] kept and [`MAX_DROPPED_CHECKS`] dropped members are compared, those that share most keys first.
//!   So the cost is linear in the members. What the bounds may cost: an edge between clusters, or, where hundreds of kept
//!   members resemble a document just below the threshold, a twin that stays. Never a wrong drop.
//! - Held are the shingles of all kept members, and of at most [`DROPPED_PER_KEEPER`] dropped ones for each, those with a
//!   key that fewer than [`DROPPED_PER_KEY`] held of the same cluster have; 120 bytes a member for verdict and sequence.

use crate::hash;
use crate::near::cluster::Components;
use crate::near::{Near, lsh, verify};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

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
/// Most entries of one key looked at to count the dropped ones.
const MAX_QUOTA_SCAN: usize = 64;
/// Most containment keys of one member looked up.
const MAX_CONTAINMENT_QUERIES: usize = 32;

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

type Table<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// Takes the members of one component in keep order and says which stay.
#[derive(Debug)]
pub struct Decider<'a> {
    near: &'a Near,
    /// One a member, in the order they came. The cluster roots are filled in at the end.
    verdicts: Vec<Verdict>,
    /// Verified edges between members, by their number in `verdicts`.
    clusters: Components,
    sequences: Table<u128, Seen>,
    held: Vec<Held>,
    /// How many of `verdicts` stay.
    kept: u32,
    /// Built once more are held than are compared in all pairs.
    index: Option<Index>,
}

/// The newest compared member with a token sequence, and how many were kept then.
#[derive(Clone, Copy, Debug)]
struct Seen {
    member: u32,
    kept: u32,
    /// Where in `held` the kept document is that it went because of.
    keeper: Option<u32>,
}

/// A member whose shingles later ones may be compared with.
#[derive(Debug)]
struct Held {
    member: u32,
    kept: bool,
    tokens: u32,
    /// How many dropped members are held that went because of this one.
    followers: u32,
    shingles: Box<[u64]>,
}

/// The best reason to drop a member found so far.
#[derive(Clone, Copy, Debug)]
struct Twin {
    held: u32,
    reason: Reason,
    similarity: f64,
    contained: f64,
}

impl<'a> Decider<'a> {
    /// A decider for one component.
    #[must_use]
    pub fn new(near: &'a Near) -> Self {
        Self {
            near,
            verdicts: Vec::new(),
            clusters: Components::default(),
            sequences: Table::default(),
            held: Vec::new(),
            kept: 0,
            index: None,
        }
    }

    /// Takes the next member in keep order.
    pub fn push(&mut self, member: Member) {
        let number = self.clusters.add().expect("members have distinct 32-bit numbers");
        let seen = self.sequences.get(&member.sequence).copied();
        if member.shingles.is_empty() {
            self.keep(member.doc);
            return;
        }
        if let Some(seen) = seen {
            self.clusters.union(number, seen.member);
            if self.follow_copy(&member, seen) {
                return;
            }
        }
        let keys = self.keys(&member);
        let mut candidates = self.candidates(&keys);
        // What a copy went because of is still there: look at it even if the table passes over it.
        candidates.extend(seen.and_then(|seen| seen.keeper));
        let twin = self.compare(&member, number, &candidates);
        let keeper = self.record(&member, number, twin);
        self.sequences.insert(member.sequence, Seen { member: number, kept: self.kept, keeper });
        if seen.is_none() {
            self.hold(member, number, keeper, &keys);
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

    /// Repeats the verdict of an exact copy, if that is still the best there is.
    fn follow_copy(&mut self, member: &Member, seen: Seen) -> bool {
        let copy = self.verdicts[seen.member as usize];
        if !copy.kept && seen.kept != self.kept {
            return false;
        }
        let verdict = if copy.kept {
            Verdict { of: Some(copy.doc), reason: Some(Reason::Exact), kept: false, ..copy }
        } else {
            copy
        };
        self.verdicts.push(Verdict { doc: member.doc, ..verdict });
        true
    }

    fn keys(&self, member: &Member) -> Vec<u64> {
        let mut keys = Vec::new();
        if self.index.is_some() {
            self.near.keys_of_shingles(&member.shingles, &mut keys);
        }
        keys
    }

    /// Places in `held` to compare with: the kept first.
    fn candidates(&self, keys: &[u64]) -> Vec<u32> {
        let Some(index) = &self.index else {
            return (0u32..).zip(&self.held).map(|(place, _)| place).collect();
        };
        let (mut kept, mut dropped): (Vec<_>, Vec<_>) =
            index.tally(keys).into_iter().partition(|&(_, place)| self.held[place as usize].kept);
        for (places, most) in [(&mut kept, MAX_KEPT_CHECKS), (&mut dropped, MAX_DROPPED_CHECKS)] {
            places.sort_unstable_by_key(|&(shared, place)| (Reverse(shared), place));
            places.truncate(most);
        }
        kept.into_iter().chain(dropped).map(|(_, place)| place).collect()
    }

    /// Draws the verified edges and finds the best twin among the kept.
    fn compare(&mut self, member: &Member, number: u32, candidates: &[u32]) -> Option<Twin> {
        let (mut near, mut container): (Option<Twin>, Option<Twin>) = (None, None);
        for &place in candidates {
            let other = &self.held[place as usize];
            let tied = self.clusters.find(number) == self.clusters.find(other.member);
            if tied && !other.kept {
                continue;
            }
            let Some((similarity, contained)) = self.measure(member, other, near.filter(|_| tied)) else { continue };
            let is_near = similarity >= self.near.options().threshold;
            if is_near {
                self.clusters.union(number, other.member);
            }
            if other.kept && is_near {
                near = better(near, Twin { held: place, reason: Reason::Near, similarity, contained });
            } else if other.kept {
                container = better(container, Twin { held: place, reason: Reason::Contained, similarity, contained });
            }
        }
        near.or(container)
    }

    /// Similarity with and share inside `other`, if one of them is enough to matter.
    fn measure(&self, member: &Member, other: &Held, to_beat: Option<Twin>) -> Option<(f64, f64)> {
        let options = self.near.options();
        let (a, b) = (member.shingles.len(), other.shingles.len());
        let at_least = to_beat.map_or(options.threshold, |twin| twin.similarity);
        let mut needed = verify::shared_for_jaccard(a, b, at_least);
        if let Some(share) = options.contain.filter(|_| other.kept && other.tokens > member.tokens) {
            needed = needed.min(verify::shared_for_containment(a, share));
        }
        let shared = verify::shared_at_least(&member.shingles, &other.shingles, needed)?;
        Some((verify::jaccard_of(shared, a, b), verify::ratio(shared, a)))
    }

    /// Writes the verdict; the place of the keeper, if there is one.
    fn record(&mut self, member: &Member, number: u32, twin: Option<Twin>) -> Option<u32> {
        let Some(twin) = twin else {
            self.keep(member.doc);
            return None;
        };
        let keeper = self.held[twin.held as usize].member;
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
        Some(twin.held)
    }

    /// Holds a member for later ones to be compared with, unless it can no longer matter.
    fn hold(&mut self, member: Member, number: u32, keeper: Option<u32>, keys: &[u64]) {
        let place = u32::try_from(self.held.len()).expect("no more are held than were pushed");
        let Member { tokens, shingles, .. } = member;
        let held = Held { member: number, kept: keeper.is_none(), tokens, followers: 0, shingles };
        if self.index.is_some() && !(self.has_room(keeper) && self.post(&held, place, keys)) {
            return;
        }
        self.held.push(held);
        if let Some(keeper) = keeper {
            self.held[keeper as usize].followers += 1;
        }
        if self.index.is_none() && self.held.len() > EXHAUSTIVE_MEMBERS {
            self.build_index();
        }
    }

    fn has_room(&self, keeper: Option<u32>) -> bool {
        keeper.is_none_or(|keeper| self.held[keeper as usize].followers < DROPPED_PER_KEEPER)
    }

    fn build_index(&mut self) {
        self.index = Some(Index::default());
        let mut keys = Vec::new();
        let held = std::mem::take(&mut self.held);
        for (place, one) in (0u32..).zip(&held) {
            self.near.keys_of_shingles(&one.shingles, &mut keys);
            self.post(one, place, &keys);
        }
        self.held = held;
        // Places are handed out, so what is no longer posted stays: at most EXHAUSTIVE_MEMBERS of them.
    }

    /// Posts a kept member under all its keys, a dropped one where its cluster has too few; whether under any.
    fn post(&mut self, held: &Held, place: u32, keys: &[u64]) -> bool {
        let Some(index) = &mut self.index else { return false };
        let root = self.clusters.find(held.member);
        let mut posted = false;
        for &key in keys {
            let wanted = held.kept || !lsh::is_containment_key(key) && index.has_room(key, root, &mut self.clusters);
            if wanted {
                let entry = Entry { place, member: held.member, kept: held.kept, before: END };
                index.insert(key, entry);
                posted = true;
            }
        }
        posted || held.kept
    }
}

/// The better of two twins: of a higher measure, of equals the earlier in keep order.
fn better(best: Option<Twin>, new: Twin) -> Option<Twin> {
    let measure = |twin: &Twin| if twin.reason == Reason::Contained { twin.contained } else { twin.similarity };
    let wins =
        best.is_none_or(|old| measure(&new) > measure(&old) || measure(&new) == measure(&old) && new.held < old.held);
    if wins { Some(new) } else { best }
}

const END: usize = usize::MAX;

/// Which held members have a key: a list a key, newest first, all lists in one vector.
#[derive(Debug, Default)]
struct Index {
    lists: Table<u64, List>,
    entries: Vec<Entry>,
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
    fn insert(&mut self, key: u64, entry: Entry) {
        let list = self.lists.entry(key).or_insert(List { newest: END, len: 0 });
        self.entries.push(Entry { before: list.newest, ..entry });
        *list = List { newest: self.entries.len() - 1, len: list.len + 1 };
    }

    fn walk(&self, list: List) -> impl Iterator<Item = Entry> {
        std::iter::successors(self.entries.get(list.newest).copied(), |entry| self.entries.get(entry.before).copied())
    }

    /// Whether the cluster has fewer dropped members under this key than are worth holding. Says no for a key with more
    /// entries than are worth a look.
    fn has_room(&self, key: u64, root: u32, clusters: &mut Components) -> bool {
        let Some(&list) = self.lists.get(&key) else { return true };
        if list.len >= MAX_QUOTA_SCAN {
            return false;
        }
        let dropped = self.walk(list).filter(|entry| !entry.kept && clusters.find(entry.member) == root).count();
        dropped < DROPPED_PER_KEY
    }

    /// How many of the keys each held member shares, as (shared, place); rare keys first, until enough is seen.
    fn tally(&self, keys: &[u64]) -> Vec<(u32, u32)> {
        let is_band = |key: &&u64| !lsh::is_containment_key(**key);
        let contained = keys.iter().filter(|key| !is_band(key)).take(MAX_CONTAINMENT_QUERIES);
        let mut lists: Vec<List> =
            keys.iter().filter(is_band).chain(contained).filter_map(|key| self.lists.get(key)).copied().collect();
        lists.sort_unstable_by_key(|list| (list.len, list.newest));
        let mut places: Vec<u32> =
            lists.iter().flat_map(|&list| self.walk(list)).take(MAX_TALLIED).map(|entry| entry.place).collect();
        places.sort_unstable();
        let mut tally: Vec<(u32, u32)> = Vec::new();
        for place in places {
            match tally.last_mut() {
                Some((shared, last)) if *last == place => *shared += 1,
                _ => tally.push((1, place)),
            }
        }
        tally
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
mod tests {
    use super::*;
    use crate::hash::mix;
    use crate::near::Options;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn near(threshold: f64, contain: Option<f64>) -> Near {
        Near::new(&Options { threshold, contain, shingle_tokens: 2, ..Options::default() }).unwrap()
    }

    fn members(near: &Near, texts: &[Vec<u64>]) -> Vec<Member> {
        (0..).zip(texts).map(|(doc, tokens)| Member::new(doc, tokens, near)).collect()
    }

    fn decide(near: &Near, members: &[Member]) -> Vec<Verdict> {
        let mut decider = Decider::new(near);
        for member in members {
            decider.push(member.clone());
        }
        decider.finish()
    }

    /// The definition, in all pairs: verdicts without clusters.
    fn naive(near: &Near, members: &[Member]) -> Vec<(Option<u32>, Option<Reason>, f64)> {
        let options = near.options();
        let mut kept: Vec<&Member> = Vec::new();
        let mut out = Vec::new();
        for member in members {
            let mut best: Option<(Option<u32>, Option<Reason>, f64)> = None;
            let alike = |k: &Member| verify::jaccard(&member.shingles, &k.shingles);
            let inside = |k: &Member| verify::containment(&member.shingles, &k.shingles);
            if let Some(copy) = kept.iter().find(|k| k.sequence == member.sequence && !k.shingles.is_empty()) {
                best = Some((Some(copy.doc), Some(Reason::Exact), 1.0));
            }
            let twins = kept.iter().filter(|k| !k.shingles.is_empty() && alike(k) >= options.threshold);
            if let Some(twin) = twins.rev().max_by(|a, b| alike(a).total_cmp(&alike(b))) {
                best = best.or(Some((Some(twin.doc), Some(Reason::Near), alike(twin))));
            }
            let containers = kept.iter().filter(|k| k.tokens > member.tokens);
            let containers = containers.filter(|k| options.contain.is_some_and(|share| inside(k) >= share));
            if let Some(container) = containers.rev().max_by(|a, b| inside(a).total_cmp(&inside(b))) {
                best = best.or(Some((Some(container.doc), Some(Reason::Contained), alike(container))));
            }
            if best.is_none() {
                kept.push(member);
            }
            out.push(best.unwrap_or((None, None, 1.0)));
        }
        out
    }

    /// Smallest document of each component of pairs at or above the threshold, by document.
    fn naive_clusters(near: &Near, members: &[Member]) -> BTreeMap<u32, u32> {
        let mut components = Components::new(u32::try_from(members.len()).unwrap());
        for a in members {
            for b in members {
                if verify::jaccard(&a.shingles, &b.shingles) >= near.options().threshold {
                    components.union(a.doc, b.doc);
                }
            }
        }
        members.iter().map(|m| (m.doc, components.find(m.doc))).collect()
    }

    /// Texts that are cut and edited from a few common ones, some of them copies of each other.
    fn related_texts(most: usize) -> impl Strategy<Value = Vec<Vec<u64>>> {
        let text = (0u64..3, 0usize..10, 10usize..40, proptest::collection::vec((0usize..40, 0u64..5), 0..3));
        let text = text.prop_map(|(family, from, to, edits)| {
            let mut tokens: Vec<u64> = (0..40).map(|i| mix(family * 100 + i % 37)).collect();
            for (place, new) in edits {
                tokens[place] = new;
            }
            tokens[from.min(to)..to].to_vec()
        });
        proptest::collection::vec(text, 0..most)
    }

    fn check_drops(near: &Near, members: &[Member], verdicts: &[Verdict]) {
        let by_doc: BTreeMap<u32, (&Member, &Verdict)> =
            members.iter().zip(verdicts).map(|(m, v)| (m.doc, (m, v))).collect();
        for (member, verdict) in members.iter().zip(verdicts) {
            assert_eq!((member.doc, verdict.kept), (verdict.doc, verdict.of.is_none()));
            let Some(of) = verdict.of else { continue };
            let (keeper, keeper_verdict) = by_doc[&of];
            assert!(keeper_verdict.kept);
            assert_eq!(verdict.cluster_root, keeper_verdict.cluster_root);
            assert_eq!(verdict.similarity, verify::jaccard(&member.shingles, &keeper.shingles));
            assert_eq!(verdict.contained, verify::containment(&member.shingles, &keeper.shingles));
            match verdict.reason {
                Some(Reason::Exact) => assert_eq!(member.shingles, keeper.shingles),
                Some(Reason::Near) => assert!(verdict.similarity >= near.options().threshold),
                Some(Reason::Contained) => {
                    assert!(keeper.tokens > member.tokens && verdict.contained >= near.options().contain.unwrap());
                }
                None => panic!("dropped without a reason"),
            }
        }
    }

    proptest! {
        #[test]
        fn small_components_are_decided_by_the_definition(
            texts in related_texts(40), threshold in 0.3f64..=1.0, contain in proptest::option::of(0.5f64..=1.0)
        ) {
            let near = near(threshold, contain);
            let members = members(&near, &texts);
            let verdicts = decide(&near, &members);
            check_drops(&near, &members, &verdicts);
            let got: Vec<_> = verdicts.iter().map(|v| (v.of, v.reason, v.similarity)).collect();
            prop_assert_eq!(got, naive(&near, &members));
            if contain.is_none() {
                let clusters: BTreeMap<_, _> = verdicts.iter().map(|v| (v.doc, v.cluster_root)).collect();
                prop_assert_eq!(clusters, naive_clusters(&near, &members));
            }
        }

        #[test]
        fn the_order_changes_who_is_kept_but_not_the_clusters(texts in related_texts(40), salt: u64) {
            let near = near(0.6, None);
            let mut members = members(&near, &texts);
            let clusters = |verdicts: Vec<Verdict>| verdicts.iter().map(|v| (v.doc, v.cluster_root)).collect::<BTreeMap<_, _>>();
            let before = clusters(decide(&near, &members));
            members.sort_by_key(|m| mix(salt ^ u64::from(m.doc)));
            prop_assert_eq!(before, clusters(decide(&near, &members)));
        }

        #[test]
        fn a_later_document_changes_nothing_for_earlier_ones(texts in related_texts(120), contain in proptest::option::of(0.9f64..1.0)) {
            let near = near(0.8, contain);
            let members = members(&near, &texts);
            let whole = decide(&near, &members);
            check_drops(&near, &members, &whole);
            let part = decide(&near, &members[..members.len() / 2]);
            for (a, b) in part.iter().zip(&whole) {
                prop_assert_eq!((a.of, a.reason, a.similarity), (b.of, b.reason, b.similarity));
            }
        }

        #[test]
        fn a_higher_threshold_only_splits_clusters(texts in related_texts(40)) {
            let (low, high) = (near(0.5, None), near(0.8, None));
            let members = members(&low, &texts);
            let (low, high) = (decide(&low, &members), decide(&high, &members));
            for a in 0..members.len() {
                for b in 0..a {
                    let tied = |verdicts: &[Verdict]| verdicts[a].cluster_root == verdicts[b].cluster_root;
                    prop_assert!(tied(&low) || !tied(&high));
                }
            }
        }
    }

    /// `n` texts of 200 tokens: `families` unrelated ones, each with some words changed.
    fn families(n: u64, families: u64, most_edits: u64) -> Vec<Vec<u64>> {
        let text = |i: u64| {
            let mut tokens: Vec<u64> = (0..200).map(|t| mix((i % families) << 32 | t)).collect();
            for edit in 0..mix(i) % (most_edits + 1) {
                let at = mix(i * 100 + edit);
                tokens[usize::try_from(at % 200).unwrap()] = mix(at);
            }
            tokens
        };
        (0..n).map(text).collect()
    }

    #[test]
    fn large_components_leave_almost_no_kept_twin() {
        let near = Near::new(&Options::default()).unwrap();
        let members = members(&near, &families(1500, 10, 8));
        let verdicts = decide(&near, &members);
        check_drops(&near, &members, &verdicts);
        let kept: Vec<&Member> = members.iter().zip(&verdicts).filter(|(_, v)| v.kept).map(|(m, _)| m).collect();
        let twins = |i: usize| kept[..i].iter().any(|k| verify::jaccard(&k.shingles, &kept[i].shingles) >= 0.8);
        let left = (0..kept.len()).filter(|&i| twins(i)).count();
        assert!(left * 100 <= kept.len(), "{left} of {} kept have a kept twin", kept.len());
        let dropped = members.len() - kept.len();
        let ideal = naive(&near, &members).iter().filter(|v| v.0.is_some()).count();
        assert!(dropped * 100 >= ideal * 99, "{dropped} dropped, {ideal} by the definition");
    }

    #[test]
    fn contained_documents_are_found_in_large_components() {
        let near = Near::new(&Options { contain: Some(0.9), ..Options::default() }).unwrap();
        let whole = families(100, 100, 0);
        let parts = whole.iter().map(|tokens| tokens[20..120].to_vec());
        let texts: Vec<Vec<u64>> = whole.iter().cloned().chain(parts).collect();
        let members = members(&near, &texts);
        let verdicts = decide(&near, &members);
        check_drops(&near, &members, &verdicts);
        let found = (100usize..).zip(&verdicts[100..]).filter(|(i, v)| v.of.map(|of| of as usize) == Some(i - 100));
        assert!(found.count() >= 97);
        assert!(verdicts[..100].iter().all(|v| v.kept));
    }

    #[test]
    fn many_copies_and_many_near_copies_hold_few_members() {
        let near = Near::new(&Options::default()).unwrap();
        let texts = families(20_000, 1, 2);
        let mut decider = Decider::new(&near);
        for (doc, tokens) in (0..).zip(&texts) {
            decider.push(Member::new(doc, tokens, &near));
        }
        assert!(decider.held.len() <= EXHAUSTIVE_MEMBERS + 20, "{} held", decider.held.len());
        let verdicts = decider.finish();
        assert!(verdicts.iter().filter(|v| v.kept).count() <= 2);
        assert!(verdicts.iter().all(|v| v.cluster_root == 0));
    }

    #[test]
    fn empty_documents_are_nobodys_duplicates() {
        let near = near(0.8, Some(0.5));
        let verdicts = decide(&near, &members(&near, &[vec![], vec![], vec![4], vec![4]]));
        assert!(verdicts[0].kept && verdicts[1].kept && verdicts[2].kept);
        assert_eq!((verdicts[3].of, verdicts[3].reason), (Some(2), Some(Reason::Exact)));
    }

    #[test]
    fn those_alone_are_left_out() {
        let near = near(0.8, None);
        let verdicts = decide(&near, &members(&near, &[vec![4, 5], vec![6, 7], vec![4, 5]]));
        assert_eq!(clustered(verdicts).map(|v| v.doc).collect::<Vec<_>>(), [0, 2]);
    }
}
