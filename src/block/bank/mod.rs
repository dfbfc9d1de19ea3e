//! Where else does a known block stand, in whatever shape?
//!
//! The bank holds the letters of every decided template. A document's 8-letter grams are looked up in it and followed as
//! far as both texts agree; such runs in the order of the template, close together, are one occurrence; its borders are found by aligning outwards to the
//! template's own ends. This one mechanism finds exact, re-dressed, re-spaced, renamed, truncated, interrupted and
//! misread copies alike: 10 % wrong letters leave two fifths of the 8-grams whole, but almost no run of five words.
//!
//! `set` tells fragments of known templates, `index` finds the runs, `clusters` parts them, `chains` puts them in order. Cost: `O(letters)` for a document that
//! holds nothing known, plus `O(runs)` and the alignments for one that does.

mod chains;
mod clusters;
mod index;
mod set;

use super::letters::{Letters, extend};
use crate::hash;
use crate::span::TokenSpan;
use chains::{Chain, Chaining};
use clusters::{Cluster, Clusters, Run};
use index::Index;
use set::Set;

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

/// A set of templates by their letters, of which a part at a time is indexed: all, where there is room.
#[derive(Debug)]
pub struct Bank {
    /// What the entries are of.
    templates: Vec<u32>,
    /// Their letters, one after the other.
    letters: Vec<u8>,
    /// Where those of each begin; one more than there are entries.
    starts: Vec<usize>,
    /// The entry that each part begins with; one more than there are parts.
    parts: Vec<usize>,
    /// Grams that stand in too many entries, known where there are parts.
    common: Set,
    /// Which part is indexed.
    part: usize,
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

impl Default for Bank {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Bank {
    /// Indexes the templates, given in order of worth: of fragments of one block, which share a passage, only the first
    /// is kept. `O(letters)`, about 12 bytes of memory a letter.
    ///
    /// # Panics
    /// If they have 2^32 letters or more, which only [parts](Self::within) can hold.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        let whole = Self::within(usize::MAX, entries);
        assert!(whole.parts() == 1, "a bank of one part has fewer than 2^32 letters");
        whole
    }

    /// As [`new`](Self::new), in parts whose indexes take `room_bytes` each. What [`find`](Self::find) gives for all parts
    /// together is the same, whatever they are.
    #[must_use]
    pub fn within(room_bytes: usize, entries: Vec<Entry>) -> Self {
        let (mut templates, mut letters, mut starts) = (Vec::new(), Vec::new(), vec![0]);
        // What is shorter than a gram is never found.
        for entry in entries.into_iter().filter(|entry| entry.letters.len() >= GRAM) {
            templates.push(entry.template);
            letters.extend(entry.letters);
            starts.push(letters.len());
        }
        let kept = distinct(&letters, &starts, room_bytes);
        let mut whole =
            Self { templates, letters, starts, parts: vec![0], common: Set::new(), part: 0, index: Index::default() };
        whole.keep(&kept);
        let most = (room_bytes / index::BYTES_A_LETTER).clamp(1, index::MAX_LETTERS);
        let mut first = 0;
        for entry in 0..whole.len() {
            if entry > first && whole.starts[entry + 1] - whole.starts[first] > most {
                whole.parts.push(entry);
                first = entry;
            }
        }
        whole.parts.push(whole.len());
        if whole.parts() > 1 {
            whole.common = index::common_grams(&whole.letters, &whole.starts, room_bytes);
        }
        whole.turn_to(0);
        whole
    }

    /// Drops the entries that are not kept.
    fn keep(&mut self, kept: &[bool]) {
        let (mut entries, mut end) = (0, 0);
        for (entry, _) in kept.iter().enumerate().filter(|(_, kept)| **kept) {
            let of_entry = self.starts[entry]..self.starts[entry + 1];
            self.templates[entries] = self.templates[entry];
            self.starts[entries] = end;
            end += of_entry.len();
            self.letters.copy_within(of_entry, self.starts[entries]);
            entries += 1;
        }
        self.templates.truncate(entries);
        self.starts.truncate(entries);
        self.starts.push(end);
        self.letters.truncate(end);
        self.letters.shrink_to_fit();
    }

    /// How many templates it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.templates.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// How many parts there are, at least one.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.parts.len() - 1
    }

    /// Indexes a part in place of the one before.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn turn_to(&mut self, part: usize) {
        self.index = Index::default();
        self.part = part;
        self.index = Index::new(self.letters_of_part(), self.starts_of_part(), &self.common);
    }

    fn starts_of_part(&self) -> &[usize] {
        &self.starts[self.parts[self.part]..=self.parts[self.part + 1]]
    }

    fn letters_of_part(&self) -> &[u8] {
        let starts = self.starts_of_part();
        &self.letters[starts[0]..starts[starts.len() - 1]]
    }

    /// Bytes of memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let entries = size_of_val(&*self.templates) + size_of_val(&*self.starts);
        self.letters.len() + entries + self.common.bytes() + self.index.bytes()
    }

    /// Bytes that each [`Search`] in it takes, besides what a document needs.
    #[must_use]
    pub fn bytes_to_search(&self) -> usize {
        (self.starts_of_part().len() - 1) * size_of::<Cluster>()
    }

    /// Replaces `out` by the occurrences in a document of what is indexed, ascending.
    pub fn find(&self, document: &Letters, search: &mut Search, out: &mut Vec<Match>) {
        out.clear();
        let Search { clusters, runs, chaining } = search;
        let (letters, starts) = (self.letters_of_part(), self.starts_of_part());
        let templates = &self.templates[self.parts[self.part]..];
        let of = |entry: u32| {
            let [from, to] = [0, 1].map(|i| starts[entry as usize + i] - starts[0]);
            (templates[entry as usize], &letters[from..to])
        };
        clusters.begin(starts.len() - 1);
        let mut look_into = |clusters: &Clusters, entry: u32, cluster: &Cluster| {
            let (template, template_letters) = of(entry);
            let count = narrow(template_letters.len());
            if cluster.may_match(count) {
                clusters.runs(cluster, runs);
                chaining.chains(runs, MIN_ANCHORED.min(count), |chain| {
                    occurrence((template, template_letters), document, &chain, out);
                });
            }
        };
        // Most grams lie in the run that was found last.
        let mut last = Run { at: 0, template_at: 0, letters: 0 };
        self.index.scan(letters, &document.codes, |at, letter| {
            if last.has(at, letter) {
                return;
            }
            let entry = self.index.entry(letter);
            let first = narrow(starts[entry as usize] - starts[0]);
            if !clusters.has(entry, at, letter - first) {
                let run = Run::around(&document.codes, at, of(entry).1, letter - first);
                last = Run { template_at: first + run.template_at, ..run };
                if let Some(closed) = clusters.add(entry, run) {
                    look_into(clusters, entry, &closed);
                }
            }
        });
        while let Some((entry, closed)) = clusters.take() {
            look_into(clusters, entry, &closed);
        }
        out.sort_unstable();
    }
}

/// Which entries are no fragments: less than nine tenths of their runs of [`OVERLAP`] letters stand in earlier ones that are
/// none either. Where runs take more than `room_bytes`, the letters are read several times.
fn distinct(letters: &[u8], starts: &[usize], room_bytes: usize) -> Vec<bool> {
    let rounds = (letters.len() * set::BYTES_A_HASH).div_ceil(room_bytes.max(1)).max(1) as u64;
    let entries = starts.len() - 1;
    if rounds == 1 {
        return greedy(letters, starts, &vec![true; entries], None);
    }
    // In one that is no fragment even beside all earlier ones, the others need not be looked for: few remain.
    let mut known = vec![0u32; entries];
    for round in 0..rounds {
        let (mut seen, mut of_entry) = (Set::new(), Vec::new());
        for (entry, known) in known.iter_mut().enumerate() {
            of_entry.clear();
            of_entry.extend(runs(letters, starts, entry).filter(|run| run % rounds == round));
            *known += narrow(of_entry.iter().filter(|&&run| seen.has(run)).count());
            of_entry.iter().for_each(|&run| seen.add(run));
        }
    }
    let open: Vec<bool> = known.iter().enumerate().map(|(entry, &known)| is_fragment(known, starts, entry)).collect();
    let mut asked = Set::new();
    let of_open = (0..entries).filter(|&entry| open[entry]).flat_map(|entry| runs(letters, starts, entry));
    of_open.for_each(|run| asked.add(run));
    greedy(letters, starts, &open, Some(&asked))
}

/// The hashes of an entry's runs.
fn runs(letters: &[u8], starts: &[usize], entry: usize) -> impl Iterator<Item = u64> {
    letters[starts[entry]..starts[entry + 1]].windows(OVERLAP).map(|run| hash::bytes(run, 0))
}

/// Whether so many known runs of an entry are nine tenths of all that it has.
fn is_fragment(known: u32, starts: &[usize], entry: usize) -> bool {
    let runs = (starts[entry + 1] - starts[entry] + 1).saturating_sub(OVERLAP) as u64;
    runs > 0 && u64::from(known) * 10 >= runs * 9
}

/// Keeps one entry after the other, unless it is open and a fragment of those before; only runs that are `asked` for are looked at.
fn greedy(letters: &[u8], starts: &[usize], open: &[bool], asked: Option<&Set>) -> Vec<bool> {
    let (mut seen, mut of_entry) = (Set::new(), Vec::new());
    let keep = |(entry, open): (usize, &bool)| {
        of_entry.clear();
        of_entry.extend(runs(letters, starts, entry).filter(|&run| asked.is_none_or(|asked| asked.has(run))));
        let known = narrow(of_entry.iter().filter(|&&run| seen.has(run)).count());
        let is_kept = !(*open && is_fragment(known, starts, entry));
        if is_kept {
            of_entry.iter().for_each(|&run| seen.add(run));
        }
        is_kept
    };
    open.iter().enumerate().map(keep).collect()
}

/// Whether a template of `copies` copies matched so many new places by its letters that it must be a common phrase.
#[must_use]
pub fn is_flood(new: u32, copies: u32) -> bool {
    u64::from(new) * 2 > u64::from(copies) * 3 + 8
}

/// Aligns a chain outwards to the template's ends and says which tokens it covers.
fn occurrence((template, letters): (u32, &[u8]), document: &Letters, chain: &Chain, out: &mut Vec<Match>) {
    let template_letters = narrow(letters.len());
    if !chain.is_likely(template_letters) {
        return;
    }
    let (head, tail) = (chain.pieces[0].start as usize, chain.pieces[chain.pieces.len() - 1].end as usize);
    let (t_head, t_tail) = (chain.template.start as usize, chain.template.end as usize);
    let (t_left, left) = extend(
        letters[..t_head].iter().rev().copied(),
        document.codes[head.saturating_sub(t_head + super::letters::BAND)..head].iter().rev().copied(),
    );
    let reach = (tail + letters.len() - t_tail + super::letters::BAND).min(document.len());
    let (t_right, right) = extend(letters[t_tail..].iter().copied(), document.codes[tail..reach].iter().copied());
    let mut pieces = chain.pieces.clone();
    pieces[0].start -= narrow(left);
    pieces.last_mut().expect("a chain has a piece").end += narrow(right);
    let spanned = chain.template.len() + narrow(t_left + t_right);
    let letters: u32 = pieces.iter().map(|p| p.len()).sum();
    for piece in pieces {
        if let Some(span) = document.whole_tokens(piece) {
            out.push(Match {
                span,
                template,
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
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn parts_find_what_the_whole_finds(
            texts in proptest::collection::vec((0usize..8, "(one|two|three|of the|all rights|reserved|notice){4,30}"), 1..12),
            document in proptest::collection::vec((0usize..12, "[a-z]{0,30}"), 0..8),
            room in 0usize..20_000,
        ) {
            // Some are fragments of others, and some stand in more places than say something.
            let mut all: Vec<String> = texts.iter().map(|(_, text)| text.clone()).collect();
            for (i, (from, _)) in texts.iter().enumerate() {
                all.push(all[*from % texts.len()].chars().skip(i).collect());
            }
            all.extend(std::iter::repeat_n("all rights reserved by the one who gave notice".into(), 9));
            let document: String = document.iter().map(|(which, between)| format!("{} {between} ", all[which % all.len()])).collect();
            let document = letters(&document).1;
            let entries: Vec<Entry> =
                (0u32..).zip(&all).map(|(template, text)| Entry { template, letters: letters(text).1.codes }).collect();
            let (mut search, mut found) = (Search::default(), Vec::new());
            let whole = Bank::new(entries.clone());
            whole.find(&document, &mut search, &mut found);
            let (mut parted, mut of_parts, mut of_part) = (Bank::within(room, entries), Vec::new(), Vec::new());
            prop_assert_eq!(parted.len(), whole.len());
            for part in 0..parted.parts() {
                parted.turn_to(part);
                parted.find(&document, &mut search, &mut of_part);
                of_parts.append(&mut of_part);
            }
            of_parts.sort_unstable();
            prop_assert_eq!(of_parts, found);
        }

        #[test]
        fn what_stands_in_earlier_entries_is_known(
            base in proptest::collection::vec(97u8..123, 220),
            parts in proptest::collection::vec((0usize..220, 8usize..200, proptest::collection::vec(97u8..100, 0..5)), 1..30),
            room in prop_oneof![3 => 0usize..20_000, 1 => Just(usize::MAX)],
        ) {
            // Most overlap, so that some are known by others that are themselves not kept.
            let text = |(at, len, end): (usize, usize, Vec<u8>)| [&base[at..(at + len).min(base.len())], &end].concat();
            let texts: Vec<Vec<u8>> = parts.into_iter().map(text).collect();
            let starts: Vec<usize> = (0..=texts.len()).map(|entry| texts[..entry].concat().len()).collect();
            let mut kept: Vec<&Vec<u8>> = Vec::new();
            let mut expected = Vec::new();
            for text in &texts {
                let runs: Vec<&[u8]> = text.windows(OVERLAP).collect();
                let known = runs.iter().filter(|run| kept.iter().any(|text| text.windows(OVERLAP).any(|other| other == **run)));
                expected.push(runs.is_empty() || known.count() * 10 < runs.len() * 9);
                if expected[expected.len() - 1] {
                    kept.push(text);
                }
            }
            prop_assert_eq!(distinct(&texts.concat(), &starts, room), expected);
        }
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
