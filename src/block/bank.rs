//! Where else does a known block stand, in whatever shape?
//!
//! The bank holds the letters of every decided template. A document's 7-letter grams are looked up in it; anchors that
//! keep the order of the template, close together, are one occurrence; its borders are found by aligning outwards to the
//! template's own ends. This one mechanism finds exact, re-dressed, re-spaced, renamed, truncated, interrupted and
//! misread copies alike: 10 % wrong letters leave half of the 7-grams whole, but almost no run of five words.
//!
//! Cost: `O(letters)` for a document that holds nothing known (one probe of a bitmap that fits the cache), plus
//! `O(anchors log anchors)` and the alignments for one that does.

use super::letters::{Letters, extend};
use crate::hash;
use crate::span::{Span, TokenSpan};
use std::collections::HashSet;

/// Letters in a gram of the bank.
const GRAM: usize = 7;
/// Letters of a run by which one template is known to lie in another: two or three words, too many for chance.
const RUN: usize = 16;
/// A gram that stands in more templates than this says nothing.
const MAX_PLACES: usize = 16;
/// Letters from one anchor to the next: what an occurrence may enclose of foreign text; more splits it in two.
const MAX_STEP: i64 = 160;
/// Letters of foreign text that go with the occurrence around them (a changed name, a broken word).
const MAX_SWALLOWED: u32 = 30;
/// Letters by which a document and a template may drift apart: dropped lines of a long licence.
const MAX_DRIFT: i64 = 2000;
/// Anchors among which a predecessor is looked for: with grams that stand up to [`MAX_PLACES`] times in a template, the
/// last few letters of the document.
const LOOK_BACK: usize = 64;
/// Fewest letters of an occurrence that lie in common grams.
const MIN_ANCHORED: u32 = 18;
/// An occurrence spans a third of its template or this many letters of it, so that a popular phrase of a long notice is
/// none: one or two lines.
const MIN_PART: u32 = 120;
/// Fewest of ten letters of an occurrence that lie in common grams.
const MIN_DENSITY_TENTHS: u32 = 3;

/// One template as the bank knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The template.
    pub template: u32,
    /// Letters of its representative copy.
    pub letters: Vec<u8>,
}

/// A set of templates, indexed by their letters.
#[derive(Debug, Default)]
pub struct Bank {
    entries: Vec<Entry>,
    /// Ascending by gram; positions in templates.
    places: Vec<Anchor>,
    /// Where the places of a gram's high bits begin.
    buckets: Vec<u32>,
    /// Bit set where some gram hashes to it.
    filter: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Anchor {
    gram: u64,
    entry: u32,
    at: u32,
}

/// One occurrence of a template in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    /// The document's tokens.
    pub span: TokenSpan,
    /// The template.
    pub template: u32,
    /// Share of the template's letters that the occurrence spans, in 255ths.
    pub of_template: u8,
    /// Its letters.
    pub letters: u32,
    /// Share of its own letters that lie in grams common with the template, in 255ths.
    pub anchored: u8,
}

/// Least share, in 255ths, of an occurrence's letters in common grams, and of the template it spans, where no gram of
/// words led to the place. A tenth of wrong letters leaves half of the grams and four fifths of the letters; below three
/// fifths nearly all that is found is chance.
const SURE: [u8; 2] = [153, 102];
/// Letters of such an occurrence, unless it spans four fifths of its template: a line.
const MIN_SURE: u32 = 60;

impl Match {
    /// Whether the letters alone say that this is a copy; one that overlaps a copy found by its words is one anyway.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        let long = self.letters >= MIN_SURE || self.of_template >= 204;
        long && self.anchored >= SURE[0] && self.of_template >= SURE[1]
    }
}

const BUCKET_BITS: u32 = 16;
const FILTER_BITS: u32 = 20;

fn packed(window: &[u8]) -> u64 {
    window.iter().fold(0, |gram, &letter| gram << 8 | u64::from(letter))
}

fn slot(gram: u64, bits: u32) -> usize {
    usize::try_from(hash::mix(gram) >> (64 - bits)).expect("few bits")
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("a document has fewer than 2^32 letters")
}

impl Bank {
    /// Indexes the templates, given in order of worth: of fragments of one block, which share a passage, only the first
    /// is kept. `O(letters log letters)`.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        let entries = distinct(entries);
        let mut places = Vec::new();
        for (e, entry) in entries.iter().enumerate() {
            let grams = entry.letters.windows(GRAM).enumerate();
            places.extend(grams.map(|(at, w)| Anchor { gram: packed(w), entry: narrow(e), at: narrow(at) }));
        }
        places.sort_unstable_by_key(|p| (slot(p.gram, BUCKET_BITS), *p));
        let places: Vec<Anchor> =
            places.chunk_by(|a, b| a.gram == b.gram).filter(|g| g.len() <= MAX_PLACES).flatten().copied().collect();
        let mut buckets = vec![0; (1 << BUCKET_BITS) + 1];
        let mut filter = vec![0; 1 << (FILTER_BITS - 6)];
        for place in &places {
            buckets[slot(place.gram, BUCKET_BITS) + 1] += 1;
            let bit = slot(place.gram, FILTER_BITS);
            filter[bit / 64] |= 1u64 << (bit % 64);
        }
        for i in 1..buckets.len() {
            buckets[i] += buckets[i - 1];
        }
        Self { entries, places, buckets, filter }
    }

    /// How many templates it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn places(&self, gram: u64) -> &[Anchor] {
        let bit = slot(gram, FILTER_BITS);
        if self.filter[bit / 64] >> (bit % 64) & 1 == 0 {
            return &[];
        }
        let bucket = slot(gram, BUCKET_BITS);
        let range = &self.places[self.buckets[bucket] as usize..self.buckets[bucket + 1] as usize];
        let start = range.partition_point(|p| p.gram < gram);
        let end = range.partition_point(|p| p.gram <= gram);
        &range[start..end]
    }

    /// Replaces `out` by the occurrences in a document, ascending.
    pub fn find(&self, document: &Letters, out: &mut Vec<Match>) {
        out.clear();
        if self.is_empty() {
            return;
        }
        let mut pairs: Vec<(u32, u32, u32)> = Vec::new();
        for (at, window) in document.codes.windows(GRAM).enumerate() {
            pairs.extend(self.places(packed(window)).iter().map(|p| (p.entry, narrow(at), p.at)));
        }
        pairs.sort_unstable();
        for of_entry in pairs.chunk_by(|a, b| a.0 == b.0) {
            let entry = &self.entries[of_entry[0].0 as usize];
            for chain in chains(of_entry) {
                self::occurrence(entry, document, &chain, out);
            }
        }
        out.sort_unstable();
    }
}

/// Without the entries nine tenths of whose [`RUN`]-letter runs stand in earlier ones.
fn distinct(entries: Vec<Entry>) -> Vec<Entry> {
    let mut seen: HashSet<u64> = HashSet::new();
    let runs = |entry: &Entry| entry.letters.windows(RUN).map(|run| hash::bytes(run, 0)).collect::<Vec<_>>();
    let mut kept = Vec::new();
    for entry in entries {
        let runs = runs(&entry);
        let known = runs.iter().filter(|run| seen.contains(run)).count();
        if runs.is_empty() || known * 10 < runs.len() * 9 {
            seen.extend(runs);
            kept.push(entry);
        }
    }
    kept
}

/// Whether a template of `copies` copies matched so many new places by its letters that it must be a common phrase.
#[must_use]
pub fn is_flood(new: u32, copies: u32) -> bool {
    u64::from(new) * 2 > u64::from(copies) * 3 + 8
}

/// Anchors of one template in the order of both texts. Positions are letters.
#[derive(Clone, Debug)]
struct Chain {
    /// Stretches without a long insertion: in the document, half-open.
    pieces: Vec<Span>,
    template: Span,
    anchored: u32,
}

/// The best chains through one template's anchors, which ascend in the document and then in the template: colinear
/// chaining with a bounded look back (Li, Bioinformatics 2018), best chain first, no two over the same anchor or the
/// same stretch of the document. `O(anchors x LOOK_BACK)`.
fn chains(anchors: &[(u32, u32, u32)]) -> Vec<Chain> {
    let gram = i64::try_from(GRAM).expect("a small number");
    let mut best: Vec<(i64, Option<usize>)> = Vec::with_capacity(anchors.len());
    for (i, &(_, at, template_at)) in anchors.iter().enumerate() {
        let reaches = (i.saturating_sub(LOOK_BACK)..i).filter_map(|j| {
            let (_, before, template_before) = anchors[j];
            let (step, template_step) =
                (i64::from(at) - i64::from(before), i64::from(template_at) - i64::from(template_before));
            let near = step > 0 && template_step > 0 && step <= MAX_STEP && template_step <= MAX_DRIFT;
            let gain = gram.min(step).min(template_step) - step_cost(step, template_step);
            near.then(|| (best[j].0 + gain, Some(j)))
        });
        // Of equal chains the one with the nearest predecessor.
        best.push(reaches.max().map_or((gram, None), |reached| reached.max((gram, None))));
    }
    let mut ends: Vec<usize> = (0..anchors.len()).collect();
    ends.sort_by_key(|&i| (std::cmp::Reverse(best[i].0), i));
    let mut used = vec![false; anchors.len()];
    let mut taken: Vec<Span> = Vec::new();
    let mut out = Vec::new();
    for end in ends {
        let path = path(&best, &used, end);
        let Some((&first, &last)) = path.last().zip(path.first()) else { continue };
        path.iter().for_each(|&i| used[i] = true);
        let stretch = Span::new(anchors[first].1, anchors[last].1 + narrow(GRAM));
        let at = taken.partition_point(|t| t.end <= stretch.start);
        if taken.get(at).is_none_or(|t| t.start >= stretch.end) {
            taken.insert(at, stretch);
            out.push(Chain::through(path.iter().rev().map(|&i| anchors[i])));
        }
    }
    out
}

/// The anchors of the chain that ends at one, backwards, up to the first that another chain has.
fn path(best: &[(i64, Option<usize>)], used: &[bool], end: usize) -> Vec<usize> {
    std::iter::successors(Some(end), |&i| best[i].1).take_while(|&i| !used[i]).collect()
}

/// What a step between two anchors costs: two letters for each doubling of the shift between the texts (one long
/// insertion is likelier than many short), and one for every eight letters that differ on both sides. A lone gram
/// further on that is there by chance costs more than its seven letters earn.
fn step_cost(step: i64, template_step: i64) -> i64 {
    let shift = (step - template_step).abs();
    2 * i64::from(64 - shift.leading_zeros()) + step.min(template_step) / 8
}

impl Chain {
    /// The chain through anchors in order, at least one.
    fn through(anchors: impl Iterator<Item = (u32, u32, u32)>) -> Self {
        let gram = narrow(GRAM);
        let mut chain = Self { pieces: Vec::new(), template: Span::default(), anchored: 0 };
        for (_, at, template_at) in anchors {
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

    fn is_likely(&self, template_letters: u32) -> bool {
        let letters: u32 = self.pieces.iter().map(|p| p.len()).sum();
        let enough = MIN_ANCHORED.min(template_letters);
        let spans_enough = self.template.len() * 3 >= template_letters || self.template.len() >= MIN_PART;
        self.anchored >= enough && self.anchored * 10 >= letters * MIN_DENSITY_TENTHS && spans_enough
    }
}

/// Aligns a chain outwards to the template's ends and says which tokens it covers.
fn occurrence(entry: &Entry, document: &Letters, chain: &Chain, out: &mut Vec<Match>) {
    let template_letters = narrow(entry.letters.len());
    if !chain.is_likely(template_letters) {
        return;
    }
    let (head, tail) = (chain.pieces[0].start as usize, chain.pieces[chain.pieces.len() - 1].end as usize);
    let (t_head, t_tail) = (chain.template.start as usize, chain.template.end as usize);
    let (t_left, left) = extend(
        entry.letters[..t_head].iter().rev().copied(),
        document.codes[head.saturating_sub(t_head + super::letters::BAND)..head].iter().rev().copied(),
    );
    let reach = (tail + entry.letters.len() - t_tail + super::letters::BAND).min(document.len());
    let (t_right, right) = extend(entry.letters[t_tail..].iter().copied(), document.codes[tail..reach].iter().copied());
    let mut pieces = chain.pieces.clone();
    pieces[0].start -= narrow(left);
    pieces.last_mut().expect("a chain has a piece").end += narrow(right);
    let spanned = chain.template.len() + narrow(t_left + t_right);
    let letters: u32 = pieces.iter().map(|p| p.len()).sum();
    for piece in pieces {
        if let Some(span) = whole_tokens(document, piece) {
            out.push(Match {
                span,
                template: entry.template,
                letters,
                of_template: share(spanned, template_letters),
                anchored: share(chain.anchored, letters),
            });
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most 255")]
fn share(part: u32, whole: u32) -> u8 {
    (u64::from(part.min(whole)) * 255 / u64::from(whole.max(1))) as u8
}

/// The tokens of which a stretch of letters holds at least half.
fn whole_tokens(document: &Letters, piece: Span) -> Option<TokenSpan> {
    let tokens = &document.tokens;
    let (start, end) = (piece.start as usize, piece.end as usize);
    let (first, last) = (tokens[start], tokens[end - 1]);
    let inside = |token: u32| {
        let from = tokens.partition_point(|&t| t < token);
        let to = tokens.partition_point(|&t| t <= token);
        2 * (to.min(end) - from.max(start)) >= to - from
    };
    let first = if inside(first) { first } else { first + 1 };
    let end = if inside(last) { last + 1 } else { last };
    (first < end).then(|| Span::new(first, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Tokens, tokenize};

    const BLOCK: &str = "Sign up for The Long Weekend. Five stories, one recipe and a crossword, in your inbox every \
                         Friday at noon. No spam, and one click is enough to leave.";

    fn letters(text: &str) -> (Tokens, Letters) {
        let (mut tokens, mut letters) = (Tokens::default(), Letters::default());
        tokenize(text, &mut tokens);
        letters.read(text, &tokens.spans);
        (tokens, letters)
    }

    fn found(text: &str) -> Vec<String> {
        let bank = Bank::new(vec![Entry { template: 7, letters: letters(BLOCK).1.codes }]);
        let (tokens, document) = letters(text);
        let mut out = Vec::new();
        bank.find(&document, &mut out);
        out.iter()
            .map(|m| {
                let spans = &tokens.spans[m.span.range()];
                text[spans[0].start as usize..spans[spans.len() - 1].end as usize].to_string()
            })
            .collect()
    }

    #[test]
    fn exact_and_misread_copies_are_found_to_the_word() {
        let block = BLOCK.trim_end_matches('.');
        assert_eq!(found(&format!("Before it. {block}. After it.")), [block]);
        let misread = "5ign up f0r The Lonq Weekend. Five stor ies, one recipe and a cros5word, in your imbox every \
                       Frjday at noon. No sparn, and one cl1ck is enough to leave";
        assert_eq!(found(&format!("Before it. {misread}. After it.")), [misread]);
    }

    #[test]
    fn twice_is_two_and_half_is_a_half() {
        assert_eq!(found(&format!("{BLOCK} Some words between the two copies of it. {BLOCK}")).len(), 2);
        let half = "Five stories, one recipe and a crossword, in your inbox every Friday at noon";
        assert_eq!(found(&format!("Nothing. {half}. Nothing else")), [half]);
    }

    #[test]
    fn a_long_insertion_stays() {
        let (one, two) = BLOCK.split_at(BLOCK.find(" No spam").expect("it is there"));
        let inserted = "The reader of this paragraph had never seen so odd a place for it before";
        assert_eq!(
            found(&format!("{one}\n{inserted}\n{two}")),
            [one.trim_end_matches('.'), two.trim().trim_end_matches('.')]
        );
    }

    #[test]
    fn fragments_of_a_known_block_are_not_indexed_twice() {
        let entry = |template, text: &str| Entry { template, letters: letters(text).1.codes };
        let bank =
            Bank::new(vec![entry(1, BLOCK), entry(2, &BLOCK[20..90]), entry(3, "Another notice altogether, here")]);
        assert_eq!(bank.len(), 2);
        assert!(is_flood(6, 1) && !is_flood(5, 1) && !is_flood(154, 100));
    }

    #[test]
    fn a_block_that_repeats_itself_inside_is_found_once_for_each_copy() {
        let block = "European News Agency, Main Street 16, Telephone 99 660, mail contact at the European News Agency, web \
                     the European News Agency";
        let bank = Bank::new(vec![Entry { template: 0, letters: letters(block).1.codes }]);
        let mut out = Vec::new();
        bank.find(&letters(&format!("{block}. Some words of the article itself. {block}.")).1, &mut out);
        assert_eq!(out.iter().filter(|m| m.is_sure() && m.of_template == 255).count(), 2);
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        assert!(
            found("One of the stories every reader of the Friday paper liked was about a long weekend.").is_empty()
        );
        assert!(found("").is_empty());
    }
}
