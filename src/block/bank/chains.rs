//! Which runs of a cluster follow each other in the order of both texts?
//!
//! Colinear chaining with a bounded look back (Li, Bioinformatics 2018), over runs in place of single grams: the score of
//! a run is what its letters earn, and the best over its predecessors of their scores and what the step between earns. A
//! run that begins before its predecessor ends, in either text, is entered further on. Chains are read off from their
//! ends, best first, no two over the same run or the same stretch of the document.
//!
//! Shortcuts, none of which changes a chain that may be an occurrence: a predecessor is looked for only if some run is
//! near enough to the diagonal that the shift does not cost more than the chain is worth; a run that a better one follows
//! is not looked at as an end, because the chain through its follower has it already; nor is a short one that stands
//! alone. `O(runs x LOOK_BACK)` at worst; what a true copy holds is a few long runs.

use super::clusters::Run;
use super::{GRAM, MAX_STEP, MIN_ANCHORED, MIN_PART, narrow};
use crate::span::Span;

/// Letters of foreign text that go with the occurrence around them (a changed name, a broken word).
const MAX_SWALLOWED: u32 = 30;
/// Letters by which a document and a template may drift apart: dropped lines of a long licence.
const MAX_DRIFT: i64 = 2000;
/// Runs among which a predecessor is looked for.
const LOOK_BACK: usize = 32;
/// Fewest of ten letters of an occurrence that lie in common grams.
const MIN_DENSITY_TENTHS: u32 = 3;

/// Runs of one template in the order of both texts. Positions are letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// Stretches without a long insertion: in the document, half-open.
    pub(super) pieces: Vec<Span>,
    pub(super) template: Span,
    pub(super) anchored: u32,
}

/// The best chain that ends at a run.
#[derive(Clone, Copy, Debug)]
struct Link {
    score: i64,
    /// The run before.
    before: Option<usize>,
    /// Letters of the run that the one before takes.
    skipped: u32,
    /// A chain that is better than this one has the run.
    followed: bool,
    /// A chain has been read off that has the run.
    used: bool,
}

/// Buffers, reused from cluster to cluster.
#[derive(Debug, Default)]
pub(super) struct Chaining {
    diagonals: Vec<u32>,
    links: Vec<Link>,
    ends: Vec<usize>,
    path: Vec<usize>,
    taken: Vec<Span>,
}

impl Chaining {
    /// Calls `each` with the chains through those runs of one cluster, which ascend. One run alone is a chain if it has
    /// `fewest` letters.
    pub(super) fn chains(&mut self, runs: &[Run], fewest: u32, mut each: impl FnMut(Chain)) {
        self.link(runs);
        self.find_ends(runs, fewest);
        let Self { links, ends, path, taken, .. } = self;
        taken.clear();
        for &end in &*ends {
            // Backwards, up to the first run that another chain has.
            path.clear();
            path.extend(std::iter::successors(Some(end), |&i| links[i].before).take_while(|&i| !links[i].used));
            let Some((&first, &last)) = path.last().zip(path.first()) else { continue };
            path.iter().for_each(|&i| links[i].used = true);
            let stretch = Span::new(runs[first].at + links[first].skipped, runs[last].end());
            let at = taken.partition_point(|t| t.end <= stretch.start);
            if taken.get(at).is_none_or(|t| t.start >= stretch.end) {
                taken.insert(at, stretch);
                each(Chain::through(path.iter().rev().map(|&i| entered(&runs[i], links[i].skipped))));
            }
        }
    }

    /// Scores every run.
    fn link(&mut self, runs: &[Run]) {
        let Self { diagonals, links, .. } = self;
        diagonals.clear();
        diagonals.extend(runs.iter().map(Run::diagonal));
        links.clear();
        // The greatest scores of the last whole stretch of LOOK_BACK runs, and of the one that is open.
        let mut tops = [0; 2];
        for (i, run) in runs.iter().enumerate() {
            if i % LOOK_BACK == 0 {
                tops = [tops[1], 0];
            }
            let recent = i.saturating_sub(LOOK_BACK)..i;
            let alone = Link { score: run.letters.into(), before: None, skipped: 0, followed: false, used: false };
            let link = match is_near(diagonals[i], &diagonals[recent.clone()], tops[0].max(tops[1])) {
                true => recent.rev().filter_map(|j| after(&links[j], j, &runs[j], run)).fold(alone, better),
                false => alone,
            };
            if let Some(before) = link.before.map(|j| &mut links[j]) {
                before.followed |= link.score > before.score;
            }
            tops[1] = tops[1].max(link.score);
            links.push(link);
        }
    }

    /// The runs that chains end at, best first.
    fn find_ends(&mut self, runs: &[Run], fewest: u32) {
        let Self { links, ends, .. } = self;
        let is_end = |i: usize| !links[i].followed && (links[i].before.is_some() || runs[i].letters >= fewest);
        ends.clear();
        ends.extend((0..links.len()).filter(|&i| is_end(i)));
        ends.sort_unstable_by_key(|&i| (std::cmp::Reverse(links[i].score), i));
    }
}

/// Of equal chains the first one: that with the nearest predecessor, but rather any than none.
fn better(one: Link, other: Link) -> Link {
    if other.score > one.score || (other.score == one.score && one.before.is_none()) { other } else { one }
}

/// A run without its first letters.
fn entered(run: &Run, skipped: u32) -> Run {
    Run { at: run.at + skipped, template_at: run.template_at + skipped, letters: run.letters - skipped }
}

/// The chain that goes on with `run` after that through `before`, which is run `j`, if there is a way: both texts go on,
/// neither far, and what is left of the run is a gram.
fn after(link: &Link, j: usize, before: &Run, run: &Run) -> Option<Link> {
    let last = before.letters - narrow(GRAM);
    let steps = [
        i64::from(run.at) - i64::from(before.at + last),
        i64::from(run.template_at) - i64::from(before.template_at + last),
    ];
    // From the last gram of the one to the first of the other that lies behind it in both texts.
    let skipped = (1 - steps[0].min(steps[1])).max(0);
    let [step, template_step] = steps.map(|step| step + skipped);
    let left = i64::from(run.letters) - GRAM_SCORE - skipped;
    let near = left >= 0 && step <= MAX_STEP && template_step <= MAX_DRIFT;
    near.then(|| {
        let score = link.score + earned(step, template_step) + left;
        let skipped = u32::try_from(skipped).expect("shorter than the run");
        Link { score, before: Some(j), skipped, followed: false, used: false }
    })
}

/// Whether one of the runs on these diagonals, none with a score above `top`, can be the predecessor of one on
/// `diagonal`: a shift of `n` binary digits costs `2 n`, which must leave of `top` and a gram's letters a gram's score.
fn is_near(diagonal: u32, recent: &[u32], top: i64) -> bool {
    let most = 1u64 << (top / 2).min(32);
    // Shifts to both sides in one comparison; no early end, so that it takes a few vectors.
    let reach = u32::try_from(2 * most - 2).unwrap_or(u32::MAX);
    let first = diagonal.wrapping_sub(u32::try_from(most - 1).unwrap_or(u32::MAX));
    recent.iter().fold(false, |near, &other| near | (other.wrapping_sub(first) <= reach))
}

/// What a gram scores on its own.
#[expect(clippy::cast_possible_wrap, reason = "a small number")]
const GRAM_SCORE: i64 = GRAM as i64;

/// What a step between two grams earns: the letters it adds, less two for each doubling of the shift between the texts
/// (one long insertion is likelier than many short), and less one for every eight letters that differ on both sides. A
/// lone gram further on that is there by chance costs more than its letters earn.
fn earned(step: i64, template_step: i64) -> i64 {
    let shift = (step - template_step).unsigned_abs();
    let shorter = step.min(template_step);
    shorter.min(GRAM_SCORE) - 2 * i64::from(u64::BITS - shift.leading_zeros()) - shorter / 8
}

impl Chain {
    /// The chain through runs in order, at least one.
    fn through(runs: impl Iterator<Item = Run>) -> Self {
        let mut chain = Self { pieces: Vec::new(), template: Span::default(), anchored: 0 };
        for run in runs {
            match chain.pieces.last_mut() {
                None => {
                    chain.pieces.push(Span::new(run.at, run.end()));
                    chain.template = Span::new(run.template_at, run.template_at);
                    chain.anchored = run.letters;
                }
                Some(last) => {
                    let skipped = run.at.saturating_sub(last.end);
                    let expected = run.template_at.saturating_sub(chain.template.end);
                    chain.anchored += run.end() - run.at.max(last.end);
                    if skipped > expected + MAX_SWALLOWED {
                        chain.pieces.push(Span::new(run.at, run.end()));
                    } else {
                        last.end = run.end();
                    }
                }
            }
            chain.template.end = run.template_at + run.letters;
        }
        chain
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

    /// All predecessors weighed, all runs taken for ends.
    fn naive(runs: &[Run], fewest: u32) -> Vec<Chain> {
        let mut best: Vec<Link> = Vec::new();
        for (i, run) in runs.iter().enumerate() {
            let alone = Link { score: run.letters.into(), before: None, skipped: 0, followed: false, used: false };
            let recent = (i.saturating_sub(LOOK_BACK)..i).filter_map(|j| after(&best[j], j, &runs[j], run));
            let before = recent.max_by_key(|link| (link.score, link.before));
            best.push(before.filter(|link| link.score >= alone.score).unwrap_or(alone));
        }
        let mut ends: Vec<usize> = (0..runs.len()).collect();
        ends.retain(|&i| best[i].before.is_some() || runs[i].letters >= fewest);
        ends.sort_by_key(|&i| (std::cmp::Reverse(best[i].score), i));
        let mut out: Vec<(Span, Chain)> = Vec::new();
        for end in ends {
            let path = std::iter::successors(Some(end), |&i| best[i].before).take_while(|&i| !best[i].used);
            let path = path.collect::<Vec<_>>();
            path.iter().for_each(|&i| best[i].used = true);
            let Some((&first, &last)) = path.last().zip(path.first()) else { continue };
            let stretch = Span::new(runs[first].at + best[first].skipped, runs[last].end());
            if out.iter().all(|(taken, _)| !taken.overlaps(stretch)) {
                out.push((stretch, Chain::through(path.iter().rev().map(|&i| entered(&runs[i], best[i].skipped)))));
            }
        }
        out.into_iter().map(|(_, chain)| chain).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn the_chains_are_those_of_a_search_without_shortcuts(
            raw in proptest::collection::vec((0u32..600, 0u32..6, 8u32..40), 1..30),
            lone in proptest::collection::vec((0u32..600, 0u32..500, 8u32..12), 0..60),
        ) {
            let run = |(at, template_at, letters)| Run { at, template_at, letters };
            let along = raw.into_iter().map(|(at, diagonal, letters)| (at, at / 2 + 40 * diagonal, letters));
            let mut runs: Vec<Run> = along.chain(lone).map(run).collect();
            runs.sort_unstable();
            let mut found = Vec::new();
            let mut chaining = Chaining::default();
            for fewest in [18, 8, 12] {
                found.clear();
                chaining.chains(&runs, fewest, |chain| found.push(chain));
                prop_assert_eq!(&found, &naive(&runs, fewest));
            }
        }

        #[test]
        fn a_chain_goes_on_in_both_texts(
            raw in proptest::collection::vec((0u32..300, 0u32..300, 8u32..60), 1..40),
        ) {
            let mut runs: Vec<Run> = raw.into_iter().map(|(at, template_at, letters)| Run { at, template_at, letters }).collect();
            runs.sort_unstable();
            Chaining::default().chains(&runs, 8, |chain| {
                let covered: u32 = chain.pieces.iter().map(|p| p.len()).sum();
                assert!(chain.anchored <= covered, "{chain:?}");
                assert!(chain.anchored >= narrow(GRAM) && !chain.template.is_empty(), "{chain:?}");
                assert!(chain.pieces.windows(2).all(|p| p[0].end < p[1].start), "{chain:?}");
            });
        }
    }
}
