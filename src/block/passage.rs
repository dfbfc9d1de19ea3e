//! Which passage does a repeated stretch belong to?
//!
//! Popular phrases tear one notice into several templates: each alone begins and ends in the middle of a line and is
//! short, though together they are a section between blank lines. So a stretch is judged by its passage: the longest
//! run of repeated text around it whose grams are about as frequent as its own, or more. Text that is rarer is the
//! surroundings (an article that two sites carry around a notice that a hundred carry); text that is more frequent
//! is part of the passage (a phrase that others use as well).
//!
//! Runs are read off once for every level of frequency that occurs, in steps of a quarter of an octave: `O(hits + rows x
//! levels)`, a row being neighbouring hits of one frequency, with fewer than 4 levels for every doubling of the number of copies.

use super::chain::{Hit, Stretch};
use super::marks::Marks;
use crate::span::{Span, TokenSpan};

/// A run of repeated text of comparable frequency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Its tokens.
    pub span: TokenSpan,
    /// Indices of its first and last hit.
    pub hits: Span,
    /// Tokens of other passages of about the same frequency in the document, the short ones not counted.
    pub kin: u32,
    /// Tokens of the document, in it or beside it, that far more frequent text covers.
    pub common: u32,
    /// Whether it is stacked at the beginning or end of a document that has a text of its own.
    pub apart: bool,
    /// Its grams in a list of sources.
    pub cited: u32,
}

/// Passages this close to the first or last token of a document, or to another passage there, are stacked at its edge.
const MAX_FROM_EDGE: u32 = 8;
/// A text of its own has this many tokens in a row that nothing else carries: a paragraph or two.
const MIN_OWN_TEXT: u32 = 36;
/// Most of the text between the stacks, as one part of so many, that may be kin: more, and it is no text of its own.
const MAX_INNER_KIN: u32 = 5;

/// A run this short says nothing about kinship: any two texts of a language share phrases. The guarantee of the
/// default winnowing: shorter repeats are found by chance.
const MIN_KIN_TOKENS: u32 = 12;
/// Text of the same relatives has at most this many times the copies.
const MAX_KIN_RATIO: u32 = 4;

/// A gram belongs to a passage if it has at least this share of the copies of the stretch that asks, in tenths.
/// Half, as for links between grams ([`super::chain::is_linked`]).
const COMPARABLE_TENTHS: u64 = 5;

/// The passage of every stretch of a document of `tokens` tokens, in the same order. `max_gap` is the most tokens without
/// a repeated gram inside a passage.
#[must_use]
pub fn passages(hits: &[Hit], stretches: &[Stretch], k: u32, max_gap: u32, tokens: u32) -> Vec<Passage> {
    let mut asked: Vec<(u32, u32)> = (0u32..).zip(stretches).map(|(i, s)| (floor(s.copies), i)).collect();
    asked.sort_unstable();
    let mut out = vec![None; stretches.len()];
    // Levels ascend: what falls below one takes part in none of those after it.
    let mut frequent = rows(hits);
    for level in asked.chunk_by(|a, b| a.0 == b.0) {
        let floor = level[0].0;
        frequent.retain(|row| row.copies >= floor);
        let runs = runs(&frequent, floor, k, max_gap, tokens);
        for &(_, i) in level {
            // A stretch may bridge a wider gap than a run does.
            let span = stretches[i as usize].span;
            let first = runs[runs.partition_point(|r| r.span.end <= span.start)];
            let last = runs[runs.partition_point(|r| r.span.end < span.end)];
            out[i as usize] = Some(Passage {
                span: Span::new(first.span.start, last.span.end),
                hits: Span::new(first.hits.start, last.hits.end),
                kin: first.kin.min(last.kin),
                common: first.common,
                apart: first.apart && last.apart,
                cited: if first.span == last.span { first.cited } else { first.cited + last.cited },
            });
        }
    }
    out.into_iter().map(|p| p.expect("a stretch lies in a run of its own level")).collect()
}

/// The fewest copies of a gram that belongs to the passage of a stretch with `copies`; two significant bits are kept,
/// so that there are few levels.
fn floor(copies: u32) -> u32 {
    let wanted = (u64::from(copies) * COMPARABLE_TENTHS).div_ceil(10);
    let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
    let drop = (32 - wanted.leading_zeros()).saturating_sub(3);
    wanted >> drop << drop
}

/// Hits at neighbouring tokens with the same number of copies: most of a copy is one such row.
struct Row {
    /// Indices of its first and last hit.
    hits: Span,
    /// Where the first begins.
    position: u32,
    copies: u32,
    cited: u32,
}

fn rows(hits: &[Hit]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (i, hit) in (0u32..).zip(hits) {
        let cited = u32::from(hit.marks.has(Marks::CITED));
        match rows.last_mut() {
            Some(row) if row.copies == hit.copies && row.position + row.hits.len() == hit.position => {
                row.hits.end = i + 1;
                row.cited += cited;
            }
            _ => rows.push(Row { hits: Span::new(i, i + 1), position: hit.position, copies: hit.copies, cited }),
        }
    }
    rows
}

/// A run at one level, and the tokens in it that grams of about this frequency cover.
struct Run {
    passage: Passage,
    kin: u32,
    kin_end: u32,
    common_end: u32,
}

/// The runs of hits, which have at least `floor` copies each. `O(rows)`.
fn runs(rows: &[Row], floor: u32, k: u32, max_gap: u32, tokens: u32) -> Vec<Passage> {
    let mut runs: Vec<Run> = Vec::new();
    for row in rows {
        let end = row.position + row.hits.len() - 1 + k;
        match runs.last_mut() {
            Some(open) if row.position <= open.passage.span.end + max_gap => {
                open.passage.span.end = end;
                open.passage.hits.end = row.hits.end;
            }
            _ => runs.push(Run {
                passage: Passage {
                    span: Span::new(row.position, end),
                    hits: row.hits,
                    kin: 0,
                    common: 0,
                    apart: false,
                    cited: 0,
                },
                kin: 0,
                kin_end: 0,
                common_end: 0,
            }),
        }
        let open = runs.last_mut().expect("just opened");
        open.passage.cited += row.cited;
        if row.copies <= floor.saturating_mul(MAX_KIN_RATIO) {
            open.kin += end - row.position.max(open.kin_end);
            open.kin_end = end;
        } else {
            open.passage.common += end - row.position.max(open.common_end);
            open.common_end = end;
        }
    }
    let counted = |run: &Run| if run.kin >= MIN_KIN_TOKENS { run.kin } else { 0 };
    let all: u32 = runs.iter().map(counted).sum();
    let common = runs.iter().map(|run| run.passage.common).sum();
    let (head, tail) = stacks(&runs, tokens);
    let inner = &runs[head..tail.max(head)];
    let has_own_text = has_own_text(&runs, inner, head, tokens);
    let passage = |(i, run): (usize, &Run)| {
        let apart = has_own_text && (i < head || i >= tail);
        Passage { kin: all - counted(run), common, apart, ..run.passage }
    };
    runs.iter().enumerate().map(passage).collect()
}

/// How many runs are stacked at the beginning of the document, and from which on they are stacked at its end.
fn stacks(runs: &[Run], tokens: u32) -> (usize, usize) {
    let mut edge = 0;
    let head = runs.iter().take_while(|run| {
        let stacked = run.passage.span.start <= edge + MAX_FROM_EDGE;
        edge = run.passage.span.end;
        stacked
    });
    let head = head.count();
    let mut edge = tokens;
    let tail = runs.iter().rev().take_while(|run| {
        let stacked = run.passage.span.end + MAX_FROM_EDGE >= edge;
        edge = run.passage.span.start;
        stacked
    });
    (head, runs.len() - tail.count())
}

/// Whether what lies between the stacks is a text of its own: a stretch of it is in no longer run, and little of it is
/// in any.
fn has_own_text(runs: &[Run], inner: &[Run], head: usize, tokens: u32) -> bool {
    let start = head.checked_sub(1).map_or(0, |last| runs[last].passage.span.end);
    let end = runs.get(head + inner.len()).map_or(tokens, |first| first.passage.span.start);
    let long = || inner.iter().filter(|run| run.kin >= MIN_KIN_TOKENS).map(|run| run.passage.span);
    let borders = || long().map(|span| span.end);
    let starts = long().map(|span| span.start).chain(std::iter::once(end));
    let own = std::iter::once(start).chain(borders()).zip(starts).map(|(from, to)| to.saturating_sub(from)).max();
    let shared: u32 = long().map(|span| span.len()).sum();
    own.is_some_and(|own| own >= MIN_OWN_TEXT) && shared * MAX_INNER_KIN <= end.saturating_sub(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::chain::occurrences;
    use crate::block::marks::GramMarks;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const K: u32 = 5;

    fn hits(raw: &[(u32, u32)]) -> Vec<Hit> {
        let mut position = 0;
        let hit = |&(step, copies): &(u32, u32)| {
            position += step;
            Hit { position, gram: u64::from(copies), copies, marks: GramMarks::default() }
        };
        raw.iter().map(hit).collect()
    }

    /// Grows the stretch hit by hit, as far as the definition says.
    fn naive(hits: &[Hit], stretch: &Stretch, max_gap: u32) -> TokenSpan {
        let member = |h: &&Hit| h.copies >= floor(stretch.copies);
        let mut span = stretch.span;
        loop {
            let before =
                hits.iter().filter(member).rfind(|h| h.position < span.start && h.position + K + max_gap >= span.start);
            let after =
                hits.iter().filter(member).find(|h| h.position + K > span.end && h.position <= span.end + max_gap);
            let grown =
                Span::new(before.map_or(span.start, |h| h.position), after.map_or(span.end, |h| h.position + K));
            if grown == span {
                return span;
            }
            span = grown;
        }
    }

    proptest! {
        #[test]
        fn rows_say_what_their_hits_say(raw in proptest::collection::vec((1u32..4, 1u32..5, any::<bool>()), 0..60), floor in 1u32..3) {
            let mut hits = hits(&raw.iter().map(|&(step, copies, _)| (step / 2 + 1, copies * copies)).collect::<Vec<_>>());
            for (hit, &(.., cited)) in hits.iter_mut().zip(&raw) {
                hit.marks = GramMarks(u16::try_from(u32::from(cited) * Marks::CITED.0).expect("a low bit"));
            }
            let joined = rows(&hits);
            let alone = (0u32..).zip(&hits).flat_map(|(i, hit)| {
                let row = rows(std::slice::from_ref(hit)).pop()?;
                Some(Row { hits: Span::new(i, i + 1), ..row })
            });
            let alone: Vec<Row> = alone.collect();
            prop_assert_eq!(runs(&joined, floor, K, 2, 300), runs(&alone, floor, K, 2, 300));
        }
    }

    proptest! {
        #[test]
        fn a_passage_is_the_longest_run_of_its_level(raw in proptest::collection::vec((1u32..20, 2u32..40), 1..60), gap in 0u32..12) {
            let hits = hits(&raw);
            let stretches = occurrences(&hits, K, 12, |h| h.copies % 4);
            let found = passages(&hits, &stretches, K, gap, 2000);
            for (stretch, passage) in stretches.iter().zip(&found) {
                prop_assert_eq!(passage.span, naive(&hits, stretch, gap));
                let most = MAX_KIN_RATIO * floor(stretch.copies);
                let common = hits.iter().filter(|h| h.copies > most).flat_map(|h| h.position..h.position + K);
                prop_assert_eq!(passage.common as usize, common.collect::<BTreeSet<_>>().len());
            }
        }
    }

    #[test]
    fn a_popular_phrase_belongs_to_the_notice_and_the_article_around_it_does_not() {
        // Grams of an article in 3 copies around a notice in 40, with a phrase of 300 inside.
        let copies = [3, 3, 3, 40, 40, 300, 300, 40, 40, 3, 3];
        let hits = hits(&copies.map(|c| (1, c)));
        let stretches = occurrences(&hits, K, 12, |h| h.copies);
        let spans = |copies: u32| {
            let found = passages(&hits, &stretches, K, 8, 2000);
            let of = stretches.iter().zip(found).filter(|(s, _)| s.template == copies);
            of.map(|(_, p)| (p.span.start, p.span.end)).collect::<Vec<_>>()
        };
        assert_eq!(spans(40), [(4, 14)]);
        assert_eq!(spans(300), [(6, 12)]);
        assert_eq!(spans(3), [(1, 16)]);
    }
}
