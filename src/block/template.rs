//! What is known about one repeated passage, over all its copies?
//!
//! A template is a component of linked grams; its copies are the stretches that [`super::chain`] read off the
//! documents. Here the copies of one template are folded into the [`Evidence`] a decision needs: how often, where,
//! how set, in what company. `O(copies)`; copies arrive sorted by document and place.

use super::chain::{Hit, Stretch};
use super::layout::Marks;
use crate::span::TokenSpan;
use serde::Serialize;

/// Where a stretch begins or ends on the page, weakest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// In the middle of a sentence.
    #[default]
    Inside,
    /// At the border of a sentence.
    Sentence,
    /// At the border of a line.
    Line,
    /// At the border of a paragraph.
    Paragraph,
}

impl Edge {
    fn at_start(marks: Marks) -> Self {
        Self::strongest(marks, Marks::SENTENCE_START, Marks::LINE_START, Marks::PARAGRAPH_START)
    }

    fn at_end(marks: Marks) -> Self {
        Self::strongest(marks, Marks::SENTENCE_END, Marks::LINE_END, Marks::PARAGRAPH_END)
    }

    fn strongest(marks: Marks, sentence: Marks, line: Marks, paragraph: Marks) -> Self {
        if marks.has(paragraph) {
            Self::Paragraph
        } else if marks.has(line) {
            Self::Line
        } else if marks.has(sentence) {
            Self::Sentence
        } else {
            Self::Inside
        }
    }

    fn from_code(code: u8) -> Self {
        [Self::Inside, Self::Sentence, Self::Line, Self::Paragraph][usize::from(code.min(3))]
    }
}

/// One copy of a template. Shares are in 255ths, so that a copy stays small in the shuffle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Copy {
    /// The template.
    pub template: u32,
    /// The document.
    pub doc: u32,
    /// Its tokens.
    pub span: TokenSpan,
    /// Hash of its grams in order.
    pub content: u64,
    /// How it begins and ends: two [`Edge`] codes.
    pub edges: [u8; 2],
    /// Share of it between quotation marks.
    pub quoted: u8,
    /// Share of it on lines of code.
    pub code: u8,
    /// Share of it beside marks of contact details and notices.
    pub contact: u8,
    /// Its share of the document.
    pub of_document: u8,
    /// Share of the rest of the document that rarely repeated grams cover: high where a relative exists.
    pub rare: u8,
}

/// Grams with at most this many copies count as rarely repeated.
pub const RARE_COPIES: u32 = 8;

/// The copies of one document, from its stretches and hits; `tokens` is its length.
pub fn copies(doc: u32, tokens: u32, k: u32, hits: &[Hit], stretches: &[Stretch], mut emit: impl FnMut(Copy)) {
    let rare = covered_by_rare(hits, k);
    for stretch in stretches {
        let own: &[Hit] = &hits[stretch.hits.range()];
        let marked = |mark| share(count(own, mark), u32::try_from(own.len()).unwrap_or(u32::MAX));
        emit(Copy {
            template: stretch.template,
            doc,
            span: stretch.span,
            content: stretch.content,
            edges: [
                own.first().map_or(0, |h| Edge::at_start(h.first) as u8),
                own.last().map_or(0, |h| Edge::at_end(h.last) as u8),
            ],
            quoted: marked(Marks::QUOTED),
            code: marked(Marks::CODE),
            contact: marked(Marks::CONTACT),
            of_document: share(stretch.span.len(), tokens),
            rare: share(rare - covered_by_rare(own, k).min(rare), tokens - stretch.span.len()),
        });
    }
}

fn count(hits: &[Hit], mark: Marks) -> u32 {
    u32::try_from(hits.iter().filter(|h| h.first.has(mark)).count()).unwrap_or(u32::MAX)
}

fn covered_by_rare(hits: &[Hit], k: u32) -> u32 {
    let mut end = 0;
    let mut covered = 0;
    for hit in hits.iter().filter(|h| h.copies <= RARE_COPIES) {
        covered += (hit.position + k) - hit.position.max(end);
        end = hit.position + k;
    }
    covered
}

#[expect(clippy::cast_possible_truncation, reason = "at most 255")]
fn share(part: u32, whole: u32) -> u8 {
    (u64::from(part.min(whole)) * 255 / u64::from(whole.max(1))) as u8
}

/// What is known about one template. Shares are from 0 to 1, averaged over the copies.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Evidence {
    /// Copies in the corpus.
    pub copies: u32,
    /// Documents with a copy.
    pub documents: u32,
    /// Most copies in one document.
    pub within: u32,
    /// Tokens of the representative copy.
    pub tokens: u32,
    /// Distinct forms among the copies.
    pub variants: u32,
    /// Copies equal to the representative.
    pub equal: u32,
    /// Copies that begin at a line and end at a line.
    pub lines: f32,
    /// Copies that begin and end at a paragraph.
    pub paragraphs: f32,
    /// Share in quotation marks: the highest of a copy, and the mean.
    pub quoted: (f32, f32),
    /// Share on lines of code.
    pub code: f32,
    /// Share beside marks of contact details and notices.
    pub contact: f32,
    /// Share of the document: mean.
    pub of_document: f32,
    /// Share of the rest of the document that rarely repeated grams cover: mean.
    pub rare: f32,
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
    let (medoid, variants, equal) = medoid(copies);
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let by_doc = || copies.chunk_by(|a, b| a.doc == b.doc);
    let mean = |value: &dyn Fn(&Copy) -> u8| {
        let sum: u64 = copies.iter().map(|c| u64::from(value(c))).sum();
        ratio(sum, 255 * copies.len() as u64)
    };
    let bounded = |edge: Edge| {
        let both = |c: &&Copy| c.edges.iter().all(|&code| Edge::from_code(code) >= edge);
        ratio(copies.iter().filter(both).count() as u64, copies.len() as u64)
    };
    Evidence {
        copies: narrow(copies.len()),
        documents: narrow(by_doc().count()),
        within: narrow(by_doc().map(<[Copy]>::len).max().unwrap_or(0)),
        tokens: medoid.span.len(),
        variants,
        equal,
        lines: bounded(Edge::Line),
        paragraphs: bounded(Edge::Paragraph),
        quoted: (ratio(copies.iter().map(|c| c.quoted).max().unwrap_or(0).into(), 255), mean(&|c| c.quoted)),
        code: mean(&|c| c.code),
        contact: mean(&|c| c.contact),
        of_document: mean(&|c| c.of_document),
        rare: mean(&|c| c.rare),
        medoid,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share, read by people and compared with two digits")]
fn ratio(part: u64, whole: u64) -> f32 {
    part as f32 / whole.max(1) as f32
}

/// The first copy of the most frequent form; the longer of two equally frequent ones. Also the number of forms and
/// the copies of this one.
fn medoid(copies: &[Copy]) -> (Place, u32, u32) {
    let mut order: Vec<&Copy> = copies.iter().collect();
    order.sort_unstable_by_key(|c| (c.content, c.doc, c.span));
    let forms = || order.chunk_by(|a, b| a.content == b.content);
    let best = forms()
        .max_by_key(|form| (form.len(), form[0].span.len(), std::cmp::Reverse((form[0].doc, form[0].span))))
        .expect("a template has copies");
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (Place { doc: best[0].doc, span: best[0].span }, narrow(forms().count()), narrow(best.len()))
}
