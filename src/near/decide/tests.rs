//! The decision against its definition in all pairs, and what it may cost on large components.

use super::*;
use crate::hash::mix;
use crate::near::{Options, verify};
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

/// The same by batches, each of which is looked at in pieces before the first of it is pushed.
fn decide_ahead(near: &Near, members: &[Member], batch: usize, piece: usize) -> Vec<Verdict> {
    let mut decider = Decider::new(near);
    for batch in members.chunks(batch) {
        let foreseen: Vec<Foreseen> = batch.chunks(piece).flat_map(|piece| decider.foresee(piece.to_vec())).collect();
        foreseen.into_iter().for_each(|foreseen| decider.push_foreseen(foreseen));
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
    fn what_is_foreseen_changes_nothing(
        texts in related_texts(200),
        batch in 1usize..60,
        piece in 1usize..20,
        threshold in 0.3f64..=1.0,
        contain in proptest::option::of(0.5f64..1.0),
    ) {
        let near = near(threshold, contain);
        let members = members(&near, &texts);
        prop_assert_eq!(decide_ahead(&near, &members, batch, piece), decide(&near, &members));
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
fn large_components_are_decided_ahead_as_in_turn() {
    for (families_of, most_edits, contain) in [(10, 8, None), (300, 40, None), (40, 20, Some(0.9))] {
        let near = Near::new(&Options { contain, ..Options::default() }).unwrap();
        let members = members(&near, &families(1500, families_of, most_edits));
        let in_turn = decide(&near, &members);
        for (batch, piece) in [(1, 1), (128, 16), (1500, 100)] {
            assert_eq!(decide_ahead(&near, &members, batch, piece), in_turn, "{families_of} families by {batch}");
        }
    }
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
    assert!(decider.shelf.len() <= EXHAUSTIVE_MEMBERS + 20, "{} held", decider.shelf.len());
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
