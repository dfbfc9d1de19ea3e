//! Which anchors of a cluster follow each other in the order of both texts?
//!
//! Colinear chaining with a bounded look back (Li, Bioinformatics 2018): the score of an anchor is the best over its
//! predecessors' scores plus what the step earns, or a gram's own. Chains are read off from their ends, best first, no
//! two over the same anchor or the same stretch of the document.
//!
//! Shortcuts, none of which changes a chain that may be an occurrence: a predecessor is looked for only if some anchor
//! is near enough to the diagonal that the shift does not cost more than the chain is worth, and only as far back as an
//! anchor could earn enough, whatever its place in the template ([`MOST_EARNED`]); an anchor that a better one follows
//! is not looked at as an end, because the chain through its follower has it already; nor is one that stands alone.
//! `O(anchors x LOOK_BACK)` at worst, a few steps an anchor on a true copy, a few vectors on one that is there by chance.

use super::clusters::Anchor;
use super::{GRAM, MAX_STEP, MIN_ANCHORED, MIN_PART, narrow};
use crate::span::Span;

/// Letters of foreign text that go with the occurrence around them (a changed name, a broken word).
const MAX_SWALLOWED: u32 = 30;
/// Letters by which a document and a template may drift apart: dropped lines of a long licence.
const MAX_DRIFT: i64 = 2000;
/// Anchors among which a predecessor is looked for: with grams that stand up to
/// [`MAX_PLACES`](super::index::MAX_PLACES) times in a template, the last few letters of the document.
const LOOK_BACK: usize = 64;
/// Fewest of ten letters of an occurrence that lie in common grams.
const MIN_DENSITY_TENTHS: u32 = 3;

/// Anchors of one template in the order of both texts. Positions are letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// Stretches without a long insertion: in the document, half-open.
    pub(super) pieces: Vec<Span>,
    pub(super) template: Span,
    pub(super) anchored: u32,
}

/// The best chain that ends at an anchor.
#[derive(Clone, Copy, Debug)]
struct Link {
    score: i64,
    /// The anchor before.
    before: Option<usize>,
    /// No score of the [`LOOK_BACK`] anchors up to here is greater.
    top: i64,
    /// A chain that is better than this one has the anchor.
    followed: bool,
    /// A chain has been read off that has the anchor.
    used: bool,
}

/// Buffers, reused from cluster to cluster.
#[derive(Debug, Default)]
pub(super) struct Chaining {
    /// What the place in the document is ahead of that in the template, modulo 2^32.
    diagonals: Vec<u32>,
    links: Vec<Link>,
    ends: Vec<usize>,
    path: Vec<usize>,
    taken: Vec<Span>,
}

impl Chaining {
    /// Calls `each` with the chains of `fewest` anchors and more, one or two, through those of one cluster, which ascend
    /// in the document and then in the template.
    pub(super) fn chains(&mut self, anchors: &[Anchor], fewest: usize, mut each: impl FnMut(Chain)) {
        self.link(anchors);
        self.find_ends(fewest);
        let Self { links, ends, path, taken, .. } = self;
        taken.clear();
        for &end in &*ends {
            // Backwards, up to the first anchor that another chain has.
            path.clear();
            path.extend(std::iter::successors(Some(end), |&i| links[i].before).take_while(|&i| !links[i].used));
            let Some((&first, &last)) = path.last().zip(path.first()) else { continue };
            path.iter().for_each(|&i| links[i].used = true);
            let stretch = Span::new(anchors[first].0, anchors[last].0 + narrow(GRAM));
            let at = taken.partition_point(|t| t.end <= stretch.start);
            if taken.get(at).is_none_or(|t| t.start >= stretch.end) {
                taken.insert(at, stretch);
                if path.len() >= fewest {
                    each(Chain::through(path.iter().rev().map(|&i| anchors[i])));
                }
            }
        }
    }

    /// Scores every anchor.
    fn link(&mut self, anchors: &[Anchor]) {
        let Self { diagonals, links, .. } = self;
        diagonals.clear();
        diagonals.extend(anchors.iter().map(|&(at, template_at)| at.wrapping_sub(template_at)));
        links.clear();
        // The greatest scores of the last whole stretch of LOOK_BACK anchors, and of the one that is open.
        let mut tops = [GRAM_SCORE; 2];
        // The first anchor that is not too far back.
        let mut from = 0;
        for (i, &(at, _)) in anchors.iter().enumerate() {
            if i % LOOK_BACK == 0 {
                tops = [tops[1], GRAM_SCORE];
            }
            while i64::from(at) - i64::from(anchors[from].0) > MAX_STEP {
                from += 1;
            }
            let recent = &diagonals[from.max(i.saturating_sub(LOOK_BACK))..i];
            let (score, before) = match is_near(diagonals[i], recent, tops[0].max(tops[1])) {
                true => predecessor(anchors, links),
                false => (GRAM_SCORE, None),
            };
            if let Some(before) = before.map(|j| &mut links[j]) {
                before.followed |= score > before.score;
            }
            tops[1] = tops[1].max(score);
            links.push(Link { score, before, top: tops[0].max(tops[1]), followed: false, used: false });
        }
    }

    /// The anchors that chains end at, best first. One that stands alone takes its place from chains that score as little
    /// as it does, and from no others.
    fn find_ends(&mut self, fewest: usize) {
        let Self { links, ends, .. } = self;
        let is_end = |link: &Link, least: i64| !link.followed && (link.before.is_some() || link.score > least);
        let lonely = fewest < 2 || links.iter().any(|link| is_end(link, GRAM_SCORE) && link.score == GRAM_SCORE);
        let least = if lonely { GRAM_SCORE - 1 } else { GRAM_SCORE };
        ends.clear();
        ends.extend((0..links.len()).filter(|&i| is_end(&links[i], least)));
        ends.sort_unstable_by_key(|&i| (std::cmp::Reverse(links[i].score), i));
    }
}

/// Whether one of the anchors on these diagonals, none with a score above `top`, can be the predecessor of one on
/// `diagonal`: a shift of `n` binary digits costs `2 n`, which must leave of `top` and a gram's letters a gram's score.
fn is_near(diagonal: u32, recent: &[u32], top: i64) -> bool {
    let most = 1u64 << (top / 2).min(32);
    // Shifts to both sides in one comparison; no early end, so that it takes a few vectors.
    let reach = u32::try_from(2 * most - 2).unwrap_or(u32::MAX);
    let first = diagonal.wrapping_sub(u32::try_from(most - 1).unwrap_or(u32::MAX));
    recent.iter().fold(false, |near, &other| near | (other.wrapping_sub(first) <= reach))
}

/// The score of the anchor that follows `links`, and the anchor before it on its best chain.
fn predecessor(anchors: &[Anchor], links: &[Link]) -> (i64, Option<usize>) {
    let (at, template_at) = anchors[links.len()];
    let steps = |j: usize| {
        let (before, template_before) = anchors[j];
        (i64::from(at) - i64::from(before), i64::from(template_at) - i64::from(template_before))
    };
    // The next letter of both texts: nothing is nearer, and every chain that reaches here reaches there.
    let recent = || (links.len().saturating_sub(LOOK_BACK)..links.len()).rev();
    if let Some(j) = recent().take_while(|&j| steps(j).0 <= 1).find(|&j| steps(j) == (1, 1)) {
        return (links[j].score + 1, Some(j));
    }
    // Of equal chains the one with the nearest predecessor, and any rather than none.
    let mut best = (GRAM_SCORE, None);
    for j in recent() {
        let (step, template_step) = steps(j);
        if step > MAX_STEP {
            break;
        }
        let most = links[j].top + MOST_EARNED[usize::try_from(step).expect("anchors ascend")];
        if most < best.0 || (most == best.0 && best.1.is_some()) {
            break;
        }
        if step > 0 && template_step > 0 && template_step <= MAX_DRIFT {
            best = best.max((links[j].score + earned(step, template_step), Some(j)));
        }
    }
    best
}

/// What a gram scores on its own.
#[expect(clippy::cast_possible_wrap, reason = "a small number")]
const GRAM_SCORE: i64 = GRAM as i64;

/// What a step between two anchors earns: the letters it adds, less two for each doubling of the shift between the texts
/// (one long insertion is likelier than many short), and less one for every eight letters that differ on both sides. A
/// lone gram further on that is there by chance costs more than its seven letters earn.
const fn earned(step: i64, template_step: i64) -> i64 {
    let shift = (step - template_step).unsigned_abs();
    let shorter = if step < template_step { step } else { template_step };
    let added = if shorter < GRAM_SCORE { shorter } else { GRAM_SCORE };
    added - 2 * (u64::BITS - shift.leading_zeros()) as i64 - shorter / 8
}

/// The most that a step of so many letters in the document, or a longer one, earns.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small, and not negative")]
const MOST_EARNED: [i64; MAX_STEP as usize + 1] = {
    let mut most = [i64::MIN; MAX_STEP as usize + 1];
    let mut step = MAX_STEP;
    let mut longer = i64::MIN;
    while step >= 0 {
        // Beyond twice the step, the shift alone costs more the longer the template's step is.
        let mut template_step = 1;
        while template_step <= 2 * step + GRAM_SCORE {
            let now = earned(step, template_step);
            if now > longer {
                longer = now;
            }
            template_step += 1;
        }
        most[step as usize] = longer;
        step -= 1;
    }
    most
};

impl Chain {
    /// The chain through anchors in order, at least one.
    fn through(anchors: impl Iterator<Item = Anchor>) -> Self {
        let gram = narrow(GRAM);
        let mut chain = Self { pieces: Vec::new(), template: Span::default(), anchored: 0 };
        for (at, template_at) in anchors {
            if chain.pieces.is_empty() {
                chain.pieces.push(Span::new(at, at + gram));
                chain.template = Span::new(template_at, template_at + gram);
                chain.anchored = gram;
            } else {
                chain.add(at, template_at, gram);
            }
        }
        chain
    }

    fn add(&mut self, at: u32, template_at: u32, gram: u32) {
        let last = self.pieces.last_mut().expect("a chain has a piece");
        let skipped = at.saturating_sub(last.end);
        let expected = template_at.saturating_sub(self.template.end);
        self.anchored += at + gram - at.max(last.end);
        if skipped > expected + MAX_SWALLOWED {
            self.pieces.push(Span::new(at, at + gram));
        } else {
            last.end = at + gram;
        }
        self.template.end = template_at + gram;
    }

    /// Whether the chain is an occurrence of a template of so many letters.
    pub(super) fn is_likely(&self, template_letters: u32) -> bool {
        let letters: u32 = self.pieces.iter().map(|p| p.len()).sum();
        let enough = MIN_ANCHORED.min(template_letters);
        let spans_enough = self.template.len() * 3 >= template_letters || self.template.len() >= MIN_PART;
        self.anchored >= enough && self.anchored * 10 >= letters * MIN_DENSITY_TENTHS && spans_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All predecessors weighed, all anchors taken for ends.
    fn naive(anchors: &[Anchor]) -> Vec<Chain> {
        let mut best: Vec<(i64, Option<usize>)> = Vec::new();
        for (i, &(at, template_at)) in anchors.iter().enumerate() {
            let steps = |j: usize| {
                let (before, template_before) = anchors[j];
                (i64::from(at) - i64::from(before), i64::from(template_at) - i64::from(template_before))
            };
            let recent = || (i.saturating_sub(LOOK_BACK)..i).rev();
            if let Some(j) = recent().find(|&j| steps(j) == (1, 1)) {
                best.push((best[j].0 + 1, Some(j)));
                continue;
            }
            let reaches = recent().filter_map(|j| {
                let (step, template_step) = steps(j);
                let near = step > 0 && step <= MAX_STEP && template_step > 0 && template_step <= MAX_DRIFT;
                near.then(|| (best[j].0 + earned(step, template_step), Some(j)))
            });
            best.push(reaches.chain([(GRAM_SCORE, None)]).max().expect("there is one"));
        }
        let mut ends: Vec<usize> = (0..anchors.len()).collect();
        ends.sort_by_key(|&i| (std::cmp::Reverse(best[i].0), i));
        let mut used = vec![false; anchors.len()];
        let mut out: Vec<(Span, Chain)> = Vec::new();
        for end in ends {
            let path = std::iter::successors(Some(end), |&i| best[i].1).take_while(|&i| !used[i]).collect::<Vec<_>>();
            path.iter().for_each(|&i| used[i] = true);
            let Some((&first, &last)) = path.last().zip(path.first()) else { continue };
            let stretch = Span::new(anchors[first].0, anchors[last].0 + narrow(GRAM));
            if out.iter().all(|(taken, _)| !taken.overlaps(stretch)) {
                out.push((stretch, Chain::through(path.iter().rev().map(|&i| anchors[i]))));
            }
        }
        out.into_iter().map(|(_, chain)| chain).collect()
    }

    /// Anchors along a few diagonals, in the order of the document.
    fn anchors(raw: &[(u32, u32, u32)]) -> Vec<Anchor> {
        let mut anchors: Vec<Anchor> = Vec::new();
        for &(at, diagonal, run) in raw {
            anchors.extend((0..run).map(|i| (at + i, at / 2 + 40 * diagonal + i)));
        }
        anchors.sort_unstable();
        anchors.dedup();
        anchors
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn the_chains_are_those_of_a_search_without_shortcuts(
            raw in proptest::collection::vec((0u32..600, 0u32..6, 1u32..30), 1..30),
            lone in proptest::collection::vec((0u32..600, 0u32..500, 1u32..3), 0..60),
        ) {
            let anchors = anchors(&[raw, lone].concat());
            let mut found = Vec::new();
            let mut chaining = Chaining::default();
            for fewest in [2, 1, 2] {
                found.clear();
                chaining.chains(&anchors, fewest, |chain| found.push(chain));
                let mut expected = naive(&anchors);
                expected.retain(|chain| fewest == 1 || chain.template.len() > narrow(GRAM));
                prop_assert_eq!(&found, &expected);
            }
        }
    }

    #[test]
    fn no_step_earns_more_than_the_table_says() {
        for step in 0..=MAX_STEP {
            let most = (step..=MAX_STEP).flat_map(|s| (1..=MAX_DRIFT).map(move |t| earned(s, t))).max();
            assert_eq!(most, Some(MOST_EARNED[usize::try_from(step).expect("small")]), "{step}");
        }
    }
}
