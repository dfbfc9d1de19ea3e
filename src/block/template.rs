//! What is known about one repeated passage, over all its copies?
//!
//! A template is a component of linked grams; its copies are the stretches that [`super::chain`] read off the
//! documents. Here the copies of one template are folded into the [`Evidence`] a decision needs: how often, where,
//! how set, in what company. `O(copies)`; copies arrive sorted by document and place.

use super::chain::{self, Hit, Stretch};
use super::marks::Edge;
use super::passage::passages;
use super::{Options, PASSAGE_GAP};
use crate::span::{Span, TokenSpan};
use serde::{Deserialize, Serialize};

/// One copy of a template, with what is known about the passage it lies in. Shares are in 255ths, so that a copy
/// stays small in the shuffle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Copy {
    /// The template.
    pub template: u32,
    /// The document.
    pub doc: u32,
    /// Its tokens.
    pub span: TokenSpan,
    /// The tokens of its passage.
    pub passage: TokenSpan,
    /// Tokens of the document.
    pub tokens: u32,
    /// Hash of its grams in order.
    pub content: u64,
    /// How the passage begins and ends: two [`Edge`] codes.
    pub edges: [u8; 2],
    /// Share of it between quotation marks.
    pub quoted: u8,
    /// Share of it on lines of code.
    pub code: u8,
    /// Share of it beside marks of contact details and notices.
    pub contact: u8,
    /// Share of numbers and single letters.
    pub numbers: u8,
    /// Share of it in a list of sources.
    pub cited: u8,
    /// Share of words that the document uses nowhere else.
    pub strange: u8,
    /// Share of the document that the passage and others of about the same frequency cover.
    pub shared: u8,
    /// Share of the document outside the passage that other passages of about the same frequency cover.
    pub kin: u8,
    /// Whether the passage is stacked at the edge of a document that has a text of its own besides.
    pub apart: bool,
    /// Whether it is a block by itself: of some length, from the beginning of a paragraph to the end of one.
    pub alone: bool,
    /// Whether far more frequent text covers most of the document beside it: a page of little but chrome.
    pub crowded: bool,
}

impl Copy {
    /// The small fields in three words, as they are shuffled.
    #[must_use]
    pub fn packed(&self) -> [u32; 3] {
        [
            u32::from_le_bytes([self.edges[0], self.edges[1], self.quoted, self.code]),
            u32::from_le_bytes([self.contact, self.numbers, self.cited, self.shared]),
            u32::from_le_bytes([self.kin, self.flags(), self.strange, 0]),
        ]
    }

    fn flags(&self) -> u8 {
        u8::from(self.apart) | u8::from(self.alone) << 1 | u8::from(self.crowded) << 2
    }

    /// The copy with the small fields that [`Copy::packed`] gave.
    #[must_use]
    pub fn with_packed(self, words: [u32; 3]) -> Self {
        let [shape, shares, company] = words.map(u32::to_le_bytes);
        let [first, last, quoted, code] = shape;
        let [contact, numbers, cited, shared] = shares;
        let [kin, flags, strange, _] = company;
        let edges = [first, last];
        let [apart, alone, crowded] = [1, 2, 4].map(|flag| flags & flag != 0);
        Self { edges, quoted, code, contact, numbers, cited, shared, kin, apart, strange, alone, crowded, ..self }
    }
}

/// Half, in 255ths.
const HALF: u8 = 128;
/// Where so many of the copies are blocks by themselves, the others' passages say nothing about the block.
const MOST: f32 = 0.5;

/// The copies of one document of `tokens` tokens, from its hits; `template` names a hit's template. Ascending by template
/// and place.
///
/// # Panics
/// Never on options that were checked.
pub fn copies_of_hits(
    options: &Options,
    (doc, tokens): (u32, u32),
    hits: &[Hit],
    template: impl Fn(&Hit) -> u32,
    emit: impl FnMut(Copy),
) {
    let k = u32::try_from(options.counted_tokens()).expect("checked options are small");
    let stretches = chain::occurrences(hits, k, options.gap(), template);
    copies(doc, tokens, k, PASSAGE_GAP, hits, &stretches, emit);
}

/// The copies of one document, from its hits and stretches; `tokens` is its length.
pub fn copies(
    doc: u32,
    tokens: u32,
    k: u32,
    max_gap: u32,
    hits: &[Hit],
    stretches: &[Stretch],
    mut emit: impl FnMut(Copy),
) {
    for (stretch, passage) in stretches.iter().zip(passages(hits, stretches, k, max_gap, tokens)) {
        let (first, last) = (hits[passage.hits.start as usize], hits[passage.hits.end as usize - 1]);
        let [quoted, code, contact, numbers, cited, strange] = stretch.marked.map(|count| share(count, stretch.grams));
        // A list is cut up by its numbers: one entry says little, the passage says what it is.
        let cited = cited.max(share(passage.cited, passage.hits.len()));
        emit(Copy {
            template: stretch.template,
            doc,
            span: stretch.span,
            passage: passage.span,
            tokens,
            content: stretch.content,
            edges: [first.marks.start() as u8, last.marks.end() as u8],
            quoted,
            code,
            contact,
            numbers,
            cited,
            strange,
            kin: share(passage.kin, tokens - passage.span.len()),
            shared: share(passage.kin + passage.span.len(), tokens),
            apart: passage.apart,
            alone: is_alone(stretch, hits),
            crowded: passage.common > (tokens - stretch.span.len()) / 2,
        });
    }
}

/// A stretch of so many tokens may be a block by itself, whatever repeats beside it.
const MIN_ALONE: u32 = 20;

/// Whether a stretch is a block by itself. Then what its passage has besides is not of the block: the date line before it,
/// which half of all texts have, or another notice.
fn is_alone(stretch: &Stretch, hits: &[Hit]) -> bool {
    let (first, last) = (hits[stretch.hits.start as usize], hits[stretch.hits.end as usize - 1]);
    let set = first.marks.start() == Edge::Paragraph && last.marks.end() == Edge::Paragraph;
    set && stretch.span.len() >= MIN_ALONE
}

#[expect(clippy::cast_possible_truncation, reason = "at most 255")]
fn share(part: u32, whole: u32) -> u8 {
    (u64::from(part.min(whole)) * 255 / u64::from(whole.max(1))) as u8
}

/// What is known about one template. Shares are from 0 to 1, averaged over the copies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Evidence {
    /// Copies in the corpus.
    pub copies: u32,
    /// Documents with a copy.
    pub documents: u32,
    /// Most copies in one document.
    pub within: u32,
    /// Sites of its documents; 0 where these have none.
    pub sites: u32,
    /// Share of a site's documents that carry it, on the site where that is largest; none where that is not known.
    pub of_site: Option<f32>,
    /// Tokens of the representative copy.
    pub tokens: u32,
    /// Tokens of a copy without the rest of its passage: the lower median.
    pub own: u32,
    /// Distinct forms among the copies.
    pub variants: u32,
    /// Copies equal to the representative.
    pub equal: u32,
    /// Copies that begin at a line, or that end at one; the smaller share. Noise hides one side or the other.
    pub lines: f32,
    /// The same for paragraphs.
    pub paragraphs: f32,
    /// The same for sentences.
    pub sentences: f32,
    /// Copies most of which stands in quotation marks.
    pub quoted: f32,
    /// Share on lines of code.
    pub code: f32,
    /// Share beside marks of contact details and notices.
    pub contact: f32,
    /// Share of the document: mean.
    pub of_document: f32,
    /// Share of numbers and single letters.
    pub numbers: f32,
    /// Share in a list of sources.
    pub cited: f32,
    /// Share of words that the document uses nowhere else.
    pub strange: f32,
    /// Share of the document that the passage and others of about the same frequency cover: mean.
    pub shared: f32,
    /// Share of the rest of the document that other passages of about the same frequency cover: mean.
    pub kin: f32,
    /// Copies whose passage stands at the edge of a document that has a text of its own besides.
    pub apart: f32,
    /// Copies that are blocks by themselves.
    pub alone: f32,
    /// Copies beside which far more frequent text covers most of the document.
    pub crowded: f32,
    /// Tokens of the passage before and after a copy, in most copies.
    #[serde(skip)]
    pub around: [u32; 2],
    /// The representative copy: of the most frequent form, the first.
    #[serde(skip)]
    pub medoid: Place,
}

/// A stretch of tokens of one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The document.
    pub doc: u32,
    /// Its tokens.
    pub span: TokenSpan,
}

/// Folds the copies of one template, sorted by document and place, into its evidence. `O(n log n)`.
///
/// # Panics
/// Never on a non-empty slice.
#[must_use]
pub fn evidence(copies: &[Copy]) -> Evidence {
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let by_doc = || copies.chunk_by(|a, b| a.doc == b.doc);
    let mean = |value: &dyn Fn(&Copy) -> u8| {
        let sum: u64 = copies.iter().map(|c| u64::from(value(c))).sum();
        ratio(sum, 255 * copies.len() as u64)
    };
    let bounded = |edge: Edge| {
        let side = |side: usize| copies.iter().filter(|c| Edge::from_code(c.edges[side]) >= edge).count() as u64;
        ratio(side(0).min(side(1)), copies.len() as u64)
    };
    let share_of =
        |fits: &dyn Fn(&Copy) -> bool| ratio(copies.iter().filter(|c| fits(c)).count() as u64, copies.len() as u64);
    let alone = share_of(&|c| c.alone);
    // What stands between chrome is what the page has to say, set as paragraphs or not.
    let set_apart = share_of(&|c| c.alone && !c.crowded);
    let around = match set_apart >= MOST {
        true => [0, 0],
        false => [median(copies, |c| c.span.start - c.passage.start), median(copies, |c| c.passage.end - c.span.end)],
    };
    let (medoid, variants, equal) = medoid(copies, around);
    let of_document = |c: &Copy| share(medoid.span.len().min(c.passage.len()), c.tokens);
    Evidence {
        copies: narrow(copies.len()),
        documents: narrow(by_doc().count()),
        within: narrow(by_doc().map(<[Copy]>::len).max().unwrap_or(0)),
        sites: 0,
        of_site: None,
        tokens: medoid.span.len(),
        own: median(copies, |c| c.span.len()),
        variants,
        equal,
        lines: bounded(Edge::Line).max(set_apart),
        paragraphs: bounded(Edge::Paragraph).max(set_apart),
        sentences: bounded(Edge::Sentence).max(set_apart),
        quoted: share_of(&|c| c.quoted >= HALF),
        apart: share_of(&|c| c.apart),
        alone,
        crowded: share_of(&|c| c.crowded),
        code: mean(&|c| c.code),
        contact: mean(&|c| c.contact),
        of_document: mean(&of_document),
        numbers: mean(&|c| c.numbers),
        cited: mean(&|c| c.cited),
        strange: mean(&|c| c.strange),
        shared: mean(&|c| c.shared),
        kin: mean(&|c| c.kin),
        around,
        medoid,
    }
}

impl Evidence {
    /// How long the block is, in tokens: where its copies are blocks by themselves, as long as most of them. One that is
    /// short in most places is a phrase that stands alone in some.
    #[must_use]
    pub fn length(&self) -> u32 {
        if self.alone >= MOST { self.own } else { self.tokens }
    }

    /// How much text repeats: tokens of all copies.
    #[must_use]
    pub fn weight(&self) -> u64 {
        u64::from(self.tokens) * u64::from(self.copies)
    }

    /// A copy, widened as far as its passage and those of most copies reach.
    #[must_use]
    pub fn widened(&self, copy: &Copy) -> Place {
        let [left, right] = reach(copy, self.around);
        Place { doc: copy.doc, span: Span::new(copy.span.start - left, copy.span.end + right) }
    }

    /// Whether a stretch is a copy of the block, with at least four tenths of it there; else it is a phrase of the
    /// block that stands elsewhere.
    #[must_use]
    pub fn is_whole(&self, copy: &Copy) -> bool {
        self.widened(copy).span.len() * 10 >= self.tokens * MIN_COPY_TENTHS
    }
}

/// A document with this many times the usual number of copies lists or discusses the block: a catalogue of notices.
const SPREE: usize = 8;

/// The documents in which a block comes far more often than in most others, ascending: it belongs there. `copies` are
/// those of one template, sorted by document. None for a block of fewer than six documents, where nothing is usual.
#[must_use]
pub fn sprees(copies: &[Copy]) -> Vec<u32> {
    let counts: Vec<(u32, usize)> = copies.chunk_by(|a, b| a.doc == b.doc).map(|c| (c[0].doc, c.len())).collect();
    if counts.len() < 6 {
        return Vec::new();
    }
    let mut sorted: Vec<usize> = counts.iter().map(|&(_, n)| n).collect();
    sorted.sort_unstable();
    let usual = sorted[sorted.len() / 2];
    counts.into_iter().filter(|&(_, n)| n > SPREE * usual).map(|(doc, _)| doc).collect()
}

/// Less of a block than this, in tenths, is no copy of it by its words alone; its letters may still say that it is.
const MIN_COPY_TENTHS: u32 = 4;

/// How far a copy's passage reaches beyond it, at most `around`.
fn reach(copy: &Copy, around: [u32; 2]) -> [u32; 2] {
    [around[0].min(copy.span.start - copy.passage.start), around[1].min(copy.passage.end - copy.span.end)]
}

/// The lower median of a number of the copies.
fn median(copies: &[Copy], number: impl Fn(&Copy) -> u32) -> u32 {
    let mut numbers: Vec<u32> = copies.iter().map(number).collect();
    let middle = (numbers.len() - 1) / 2;
    *numbers.select_nth_unstable(middle).1
}

#[expect(clippy::cast_precision_loss, reason = "a share, read by people and compared with two digits")]
fn ratio(part: u64, whole: u64) -> f32 {
    part as f32 / whole.max(1) as f32
}

/// Of the most frequent form (the longer of two equally frequent ones) the copy whose passage reaches as far as those
/// of most copies, the first of several; widened that far. Also the number of forms and the copies of this one.
fn medoid(copies: &[Copy], around: [u32; 2]) -> (Place, u32, u32) {
    let mut order: Vec<&Copy> = copies.iter().collect();
    order.sort_unstable_by_key(|c| (c.content, c.doc, c.span));
    let forms = || order.chunk_by(|a, b| a.content == b.content);
    let best = forms()
        .max_by_key(|form| (form.len(), form[0].span.len(), std::cmp::Reverse((form[0].doc, form[0].span))))
        .expect("a template has copies");
    let copy = best
        .iter()
        .max_by_key(|c| (reach(c, around).iter().sum::<u32>(), std::cmp::Reverse((c.doc, c.span))))
        .expect("a form has copies");
    let [left, right] = reach(copy, around);
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let span = Span::new(copy.span.start - left, copy.span.end + right);
    (Place { doc: copy.doc, span }, narrow(forms().count()), narrow(best.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(doc: u32, start: u32, left: u32, right: u32, content: u64) -> Copy {
        Copy {
            template: 0,
            doc,
            span: Span::new(start, start + 10),
            passage: Span::new(start - left, start + 10 + right),
            tokens: 400,
            content,
            edges: [Edge::Paragraph as u8, Edge::Line as u8],
            quoted: 0,
            code: 0,
            contact: 255,
            numbers: 0,
            cited: 0,
            strange: 0,
            shared: 51,
            kin: 0,
            apart: false,
            alone: false,
            crowded: false,
        }
    }

    #[test]
    fn the_representative_is_widened_as_far_as_most_passages_reach() {
        let copies = [copy(0, 50, 0, 0, 7), copy(1, 60, 4, 6, 7), copy(2, 70, 4, 6, 7), copy(3, 80, 30, 90, 8)];
        let e = evidence(&copies);
        assert_eq!((e.copies, e.documents, e.within, e.variants, e.equal), (4, 4, 1, 2, 3));
        assert_eq!(e.medoid, Place { doc: 1, span: Span::new(56, 76) });
        assert!((e.lines - 1.0).abs() < 1e-6 && e.paragraphs < 1e-6 && (e.contact - 1.0).abs() < 1e-6);
        assert!(e.is_whole(&copies[0]) && e.is_whole(&copies[3]));
    }

    #[test]
    fn what_repeats_beside_a_block_that_stands_alone_is_not_of_it() {
        let mut copies = [copy(0, 50, 0, 9, 7), copy(1, 60, 4, 6, 7), copy(2, 70, 4, 6, 7), copy(3, 80, 30, 9, 7)];
        copies.iter_mut().for_each(|c| c.edges = [Edge::Inside as u8; 2]);
        copies[..2].iter_mut().for_each(|c| c.alone = true);
        let e = evidence(&copies);
        assert_eq!((e.medoid.span, e.tokens, e.own, e.length()), (Span::new(50, 60), 10, 10, 10));
        assert_eq!((e.alone, e.lines, e.paragraphs), (0.5, 0.5, 0.5));
        // Between chrome it is what the page has to say.
        copies[0].crowded = true;
        let e = evidence(&copies);
        assert_eq!((e.medoid.span, e.tokens, e.length()), (Span::new(56, 76), 20, 10));
        assert_eq!((e.alone, e.crowded, e.paragraphs), (0.5, 0.25, 0.25));
        copies[0].alone = false;
        let e = evidence(&copies);
        assert_eq!((e.medoid.span, e.tokens, e.own, e.length()), (Span::new(56, 76), 20, 10, 20));
        assert_eq!((e.alone, e.lines, e.paragraphs), (0.25, 0.25, 0.25));
    }

    #[test]
    fn a_stretch_from_paragraph_to_paragraph_is_a_block_by_itself() {
        use crate::block::dense::Dense;
        use crate::block::reading::Reading;
        let options = Options::default();
        let words = |n: usize| (0..n).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ");
        let alone = |text: &str, from: u32, to: u32| {
            let (mut reading, mut dense, mut hits) = (Reading::new(&options), Dense::default(), Vec::new());
            reading.read(text);
            // The places at which its grams begin.
            let all = Span::new(from, to + 1 - u32::try_from(options.counted_tokens()).expect("small"));
            let each = |hash, position, marks| {
                hits.push(Hit { position, gram: hash, copies: 2, marks });
                Ok::<(), crate::Error>(())
            };
            dense.grams(&options, (text, &reading), [all], |_| {}, each).unwrap();
            let mut found = Vec::new();
            copies_of_hits(&options, (0, 99), &hits, |_| 0, |copy| found.push(copy.alone));
            found
        };
        assert_eq!(alone(&format!("One.\n\n{}\n\nTwo.", words(20)), 1, 21), [true]);
        assert_eq!(alone(&format!("One.\n\n{}\n\nTwo.", words(19)), 1, 20), [false]);
        assert_eq!(alone(&format!("One two three four five. {}\n\nTwo.", words(20)), 5, 25), [false]);
    }

    #[test]
    fn what_stands_on_a_page_of_little_but_chrome_is_crowded() {
        // Two copies of 20 tokens between chrome of 40 pages: 30 tokens of it before, 30 behind.
        let hit = |position| {
            let copies = if (30..46).contains(&position) { 2 } else { 40 };
            Hit { position, gram: copies.into(), copies, marks: crate::block::marks::GramMarks::default() }
        };
        let hits: Vec<Hit> = (0..26).chain(30..46).chain(50..76).map(hit).collect();
        let crowded = |tokens| {
            let mut found = Vec::new();
            let options = Options { gram_tokens: 5, ..Options::default() };
            copies_of_hits(
                &options,
                (0, tokens),
                &hits,
                |hit| hit.copies,
                |copy| found.push((copy.template, copy.crowded)),
            );
            found.into_iter().filter(|copy| copy.0 == 2).map(|copy| copy.1).collect::<Vec<_>>()
        };
        assert_eq!(crowded(80), [true]);
        // With as much text of its own as chrome it is not.
        assert_eq!(crowded(140), [false]);
    }

    #[test]
    fn a_phrase_of_the_block_elsewhere_is_no_copy() {
        let copies = [copy(0, 50, 30, 30, 7), copy(1, 60, 30, 30, 7), copy(2, 70, 0, 0, 7)];
        let e = evidence(&copies);
        assert_eq!(e.tokens, 70);
        assert!(e.is_whole(&copies[0]) && !e.is_whole(&copies[2]));
    }

    #[test]
    fn small_fields_come_back() {
        let copy = Copy {
            edges: [1, 2],
            strange: 3,
            apart: true,
            alone: true,
            crowded: true,
            kin: 4,
            cited: 5,
            ..copy(9, 50, 1, 2, 7)
        };
        let bare = Copy { template: copy.template, doc: 9, span: copy.span, passage: copy.passage, ..Copy::default() };
        let bare = Copy { tokens: copy.tokens, content: copy.content, ..bare };
        assert_eq!(bare.with_packed(copy.packed()), copy);
    }

    #[test]
    fn a_catalogue_of_notices_is_a_spree() {
        let mut copies: Vec<Copy> = (0..6).map(|doc| copy(doc, 50, 0, 0, 7)).collect();
        copies.extend((0..12).map(|i| copy(6, 20 * i + 10, 0, 0, 7)));
        assert_eq!(sprees(&copies), [6]);
        assert!(sprees(&copies[5..]).is_empty());
    }
}
