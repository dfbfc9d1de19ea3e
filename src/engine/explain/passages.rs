//! Two documents side by side: how alike they are, what they share, where they differ.
//!
//! What they share is shown in the very shingles that count: every run of tokens covered by shingles that the other
//! document has too, wherever it stands there. Where they differ is shown word by word ([`diff`]).

use super::page::Page;
use crate::near::options::Unit;
use crate::near::{Near, shingle, verify};
use crate::plan::lines::{PlanLine, Reason};
use crate::report::diff::{self, Part};
use crate::text::{Tokens, tokenize_words};

/// Most shared passages shown, the longest of them.
const MOST_SHARED: usize = 5;
/// Most places shown where the two differ.
const MOST_HUNKS: usize = 20;
/// Tokens of a shingle by which shared passages are found where shingles are made of letters.
const SHOWN_SHINGLE_TOKENS: usize = 5;

/// How alike two texts are.
pub(super) struct Alike {
    /// Sizes of the two shingle sets.
    sizes: [usize; 2],
    shared: usize,
    unit: Unit,
    width: usize,
    threshold: f64,
}

impl Alike {
    pub(super) fn measure(near: &Near, texts: [&str; 2]) -> Self {
        let [a, b] = texts.map(|text| {
            let (mut tokens, mut buffer, mut set) = (Tokens::default(), Vec::new(), Vec::new());
            tokenize_words(text, &mut tokens);
            near.shingle_set(near.units(text, &tokens, [], &mut buffer), &mut set);
            set
        });
        let options = near.options();
        Self {
            sizes: [a.len(), b.len()],
            shared: verify::shared_at_least(&a, &b, 0).unwrap_or(0),
            unit: options.shingle_unit,
            width: options.shingle_tokens,
            threshold: options.threshold,
        }
    }

    fn jaccard(&self) -> f64 {
        verify::jaccard_of(self.shared, self.sizes[0], self.sizes[1])
    }
}

/// A run of tokens of the first text that the second has too.
struct Passage<'a> {
    text: &'a str,
    tokens: usize,
}

/// Tells how alike two named texts are. `planned` is what the plan says about the pair.
pub(super) fn tell(page: &mut Page, alike: &Alike, pair: [(&str, &str); 2], planned: Option<&PlanLine>) {
    let [(a, first), (b, second)] = pair;
    let Alike { sizes, shared, unit, width, threshold } = alike;
    page.gap();
    page.line(&format!("{a} and {b}"));
    let side = if alike.jaccard() >= *threshold { "at least" } else { "below" };
    let union = sizes[0] + sizes[1] - shared;
    page.line(&format!(
        "  similarity {:.4}, {side} the threshold of {threshold} (Jaccard: {shared} of {union} shingles of {width} {unit})",
        alike.jaccard()
    ));
    let inside = sizes.map(|size| 100.0 * verify::ratio(*shared, size));
    page.line(&format!(
        "  {:.1} % of the first lies in the second, {:.1} % of the second in the first",
        inside[0], inside[1]
    ));
    let in_run = planned.filter(|line| line.reason != Reason::Contained).and_then(|line| line.similarity);
    if let Some(in_run) = in_run.filter(|in_run| (in_run - alike.jaccard()).abs() > 1e-9) {
        page.line(&format!("  the run compared them without the blocks it cuts out: similarity {in_run:.4}"));
    }
    share(page, first, second, if *unit == Unit::Words { *width } else { SHOWN_SHINGLE_TOKENS });
    differ(page, first, second);
}

fn share(page: &mut Page, first: &str, second: &str, width: usize) {
    let mut passages = shared_passages(first, second, width);
    if passages.is_empty() {
        return;
    }
    page.gap();
    let tokens: usize = passages.iter().map(|p| p.tokens).sum();
    let count = if passages.len() == 1 { "1 passage".into() } else { format!("{} passages", passages.len()) };
    page.line(&format!("Shared: {count}, {tokens} words"));
    let mut longest: Vec<usize> = passages.iter().map(|p| p.tokens).collect();
    longest.sort_unstable_by(|a, b| b.cmp(a));
    let least = longest[MOST_SHARED.min(longest.len()) - 1];
    passages.retain(|p| p.tokens >= least);
    for passage in passages.iter().take(MOST_SHARED) {
        page.passage("  = ", passage.text);
    }
}

fn shared_passages<'a>(first: &'a str, second: &str, width: usize) -> Vec<Passage<'a>> {
    let (mut tokens, mut others, mut theirs, mut ours) = (Tokens::default(), Tokens::default(), Vec::new(), Vec::new());
    tokenize_words(first, &mut tokens);
    tokenize_words(second, &mut others);
    shingle::shingle_set(&others.hashes, width, &mut theirs);
    shingle::shingles(&tokens.hashes, width, &mut ours);
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in ours.iter().enumerate().filter(|(_, shingle)| theirs.binary_search(shingle).is_ok()) {
        let end = (at + width).min(tokens.len());
        match runs.last_mut() {
            Some(run) if at <= run.1 => run.1 = end,
            _ => runs.push((at, end)),
        }
    }
    let text = |(from, to): (usize, usize)| {
        let (start, end) = (tokens.spans[from].start as usize, tokens.spans[to - 1].end as usize);
        Passage { text: &first[start..end], tokens: to - from }
    };
    runs.into_iter().map(text).collect()
}

fn differ(page: &mut Page, first: &str, second: &str) {
    let (hunks, _) = diff::hunks(first, second);
    let differing = |part: &Part<'_>| !matches!(part, Part::Same(_));
    let hunks: Vec<_> = hunks.into_iter().filter(|hunk| hunk.parts.iter().any(differing)).collect();
    page.gap();
    if hunks.is_empty() {
        return page.line("Word by word the same");
    }
    let places = if hunks.len() == 1 { "1 place".into() } else { format!("{} places", hunks.len()) };
    page.line(&format!("Different in {places}: - only in the first, + only in the second"));
    for hunk in hunks.iter().take(MOST_HUNKS) {
        if hunk.skipped > 0 {
            page.line(&format!("    [{} words alike]", hunk.skipped));
        }
        for part in &hunk.parts {
            match part {
                Part::Same(text) => page.passage("    ", text),
                Part::First(text) => page.passage("  - ", text),
                Part::Second(text) => page.passage("  + ", text),
            }
        }
    }
    if hunks.len() > MOST_HUNKS {
        page.line(&format!("    [{} more places]", hunks.len() - MOST_HUNKS));
    }
}
