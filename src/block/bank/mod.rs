//! Where else does a known block stand, in whatever shape?
//!
//! The bank holds the letters of every decided template. A document's 8-letter grams are looked up in it and followed as
//! far as both texts agree; such runs in the order of the template, close together, are one occurrence; its borders are found by aligning outwards to the
//! template's own ends. This one mechanism finds exact, re-dressed, re-spaced, renamed, truncated, interrupted and
//! misread copies alike: 10 % wrong letters leave two fifths of the 8-grams whole, but almost no run of five words.
//!
//! `index` finds the runs, `clusters` parts them, `chains` puts them in order. Cost: `O(letters)` for a document that
//! holds nothing known, plus `O(runs)` and the alignments for one that does.

mod chains;
mod clusters;
mod index;

use super::letters::{Letters, extend};
use crate::hash;
use crate::span::TokenSpan;
use chains::{Chain, Chaining};
use clusters::{Cluster, Clusters, Run};
use index::Index;
use std::hash::{BuildHasher, RandomState};

/// Letters in a gram of the bank.
const GRAM: usize = 8;
/// Letters by which one template is known to lie in another: two or three words, too many for chance.
const OVERLAP: usize = 16;
/// Letters from one gram of an occurrence to the next: what an occurrence may enclose of foreign text; more splits it in two.
const MAX_STEP: i64 = 160;
/// Fewest letters of an occurrence that lie in common grams.
const MIN_ANCHORED: u32 = 18;
/// An occurrence spans a third of its template or this many letters of it, so that a popular phrase of a long notice is
/// none: one or two lines.
const MIN_PART: u32 = 120;

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
    index: Index,
}

/// What a search needs room for; reused from document to document.
#[derive(Debug, Default)]
pub struct Search {
    clusters: Clusters,
    runs: Vec<Run>,
    chaining: Chaining,
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

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("a document has fewer than 2^32 letters")
}

impl Bank {
    /// Indexes the templates, given in order of worth: of fragments of one block, which share a passage, only the first
    /// is kept. `O(letters log letters)`.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        let entries = distinct(entries);
        let index = Index::new(&entries);
        Self { entries, index }
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

    /// Bytes of memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let letters: usize = self.entries.iter().map(|entry| size_of::<Entry>() + entry.letters.capacity()).sum();
        letters + self.index.bytes()
    }

    /// Replaces `out` by the occurrences in a document, ascending.
    pub fn find(&self, document: &Letters, search: &mut Search, out: &mut Vec<Match>) {
        out.clear();
        let Search { clusters, runs, chaining } = search;
        clusters.begin(self.entries.len());
        let mut look_into = |clusters: &Clusters, entry: u32, cluster: &Cluster| {
            let entry = &self.entries[entry as usize];
            if cluster.may_match(entry) {
                clusters.runs(cluster, runs);
                let fewest = MIN_ANCHORED.min(narrow(entry.letters.len()));
                chaining.chains(runs, fewest, |chain| occurrence(entry, document, &chain, out));
            }
        };
        self.index.scan(&document.codes, |at, place| {
            if !clusters.has(place.entry, at, place.at) {
                let run = Run::around(&document.codes, at, &self.entries[place.entry as usize].letters, place.at);
                if let Some(closed) = clusters.add(place.entry, run) {
                    look_into(clusters, place.entry, &closed);
                }
            }
        });
        while let Some((entry, closed)) = clusters.take() {
            look_into(clusters, entry, &closed);
        }
        out.sort_unstable();
    }
}

/// Without the entries nine tenths of whose runs of [`OVERLAP`] letters stand in earlier ones.
fn distinct(entries: Vec<Entry>) -> Vec<Entry> {
    let mut seen = Seen::new();
    let mut runs = Vec::new();
    let mut kept = Vec::new();
    for entry in entries {
        runs.clear();
        runs.extend(entry.letters.windows(OVERLAP).map(|run| hash::bytes(run, 0)));
        let known = runs.iter().filter(|&&run| seen.has(run)).count();
        if runs.is_empty() || known * 10 < runs.len() * 9 {
            runs.iter().for_each(|&run| seen.add(run));
            kept.push(entry);
        }
    }
    kept
}

/// A set of hashes: at least half of its slots are empty, and a hash that finds its own taken goes to the next that is
/// free. Which is its own differs from run to run, so that no text can be made to crowd them.
struct Seen {
    /// Hashes; 0 where there is none. A hash of 0 counts as 1.
    slots: Vec<u64>,
    len: usize,
    multiplier: u64,
}

impl Seen {
    fn new() -> Self {
        Self { slots: vec![0; 1 << 10], len: 0, multiplier: RandomState::new().hash_one(0) | 1 }
    }

    /// The slot that has the hash, or the empty one where it belongs.
    fn slot(&self, hash: u64) -> usize {
        let shift = u64::BITS - self.slots.len().ilog2();
        let mut slot = usize::try_from(hash.wrapping_mul(self.multiplier) >> shift).expect("a slot");
        while self.slots[slot] != 0 && self.slots[slot] != hash {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        slot
    }

    fn has(&self, hash: u64) -> bool {
        self.slots[self.slot(hash.max(1))] != 0
    }

    fn add(&mut self, hash: u64) {
        if 2 * self.len >= self.slots.len() {
            let grown = vec![0; 2 * self.slots.len()];
            for old in std::mem::replace(&mut self.slots, grown).into_iter().filter(|&old| old != 0) {
                let slot = self.slot(old);
                self.slots[slot] = old;
            }
        }
        let slot = self.slot(hash.max(1));
        self.len += usize::from(self.slots[slot] == 0);
        self.slots[slot] = hash.max(1);
    }
}

/// Whether a template of `copies` copies matched so many new places by its letters that it must be a common phrase.
#[must_use]
pub fn is_flood(new: u32, copies: u32) -> bool {
    u64::from(new) * 2 > u64::from(copies) * 3 + 8
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
        if let Some(span) = document.whole_tokens(piece) {
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
        bank.find(&document, &mut Search::default(), &mut out);
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
    fn a_set_of_hashes_has_what_was_added_and_no_more() {
        let hashes: Vec<u64> = (0..9000).chain([u64::MAX, u64::MAX << 40]).collect();
        let mut seen = Seen::new();
        hashes.iter().step_by(2).chain(&[8, 8]).for_each(|&hash| seen.add(hash));
        let expected = |(i, &hash): (usize, &u64)| i % 2 == 0 || hash == 1;
        let has: Vec<bool> = hashes.iter().map(|&hash| seen.has(hash)).collect();
        assert_eq!(has, hashes.iter().enumerate().map(expected).collect::<Vec<_>>());
        assert_eq!((seen.len, seen.slots.len()), (4501, 1 << 14));
    }

    #[test]
    fn a_block_that_repeats_itself_inside_is_found_once_for_each_copy() {
        let block = "European News Agency, Main Street 16, Telephone 99 660, mail contact at the European News Agency, web \
                     the European News Agency";
        let bank = Bank::new(vec![Entry { template: 0, letters: letters(block).1.codes }]);
        let mut out = Vec::new();
        bank.find(
            &letters(&format!("{block}. Some words of the article itself. {block}.")).1,
            &mut Search::default(),
            &mut out,
        );
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
