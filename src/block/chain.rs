//! Which repeats of a document belong together?
//!
//! Three steps over positions that ascend, each `O(hits)`:
//! [`regions`] joins winnowed seeds into stretches worth a second, dense look. [`links`] names the neighbours among
//! the dense grams; a link that holds in enough of the copies joins two grams into one template, as edges compact
//! into unitigs in a de Bruijn graph of minimisers (Ekim, Berger, Chikhi, Cell Systems 2021). A change of frequency
//! along the document breaks the link: that is the border between boilerplate and a copied article around it.
//! [`occurrences`] then reads the templates off the document. Nothing looks at pairs of copies.

use super::marks::{GramMarks, Marks};
use crate::hash;
use crate::span::{Span, TokenSpan};

/// One dense gram that repeats, at its place in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// First token of the gram.
    pub position: u32,
    /// Number of the gram among the repeated ones of the corpus.
    pub gram: u64,
    /// Copies of the gram in the corpus.
    pub copies: u32,
    /// How the gram stands on the page.
    pub marks: GramMarks,
}

/// Joins ascending positions of repeated seeds into the stretches around them, `margin` tokens wider on both sides,
/// within a document of `tokens` tokens.
pub fn regions(seeds: impl IntoIterator<Item = u32>, margin: u32, tokens: u32) -> Vec<TokenSpan> {
    let mut regions: Vec<TokenSpan> = Vec::new();
    for at in seeds {
        let (start, end) = (at.saturating_sub(margin), at.saturating_add(margin).min(tokens));
        match regions.last_mut() {
            Some(open) if start <= open.end => open.end = open.end.max(end),
            _ => regions.push(Span::new(start, end)),
        }
    }
    regions
}

/// Calls `emit` with every two neighbouring hits that are at most `max_gap` tokens apart.
pub fn links(hits: &[Hit], max_gap: u32, mut emit: impl FnMut(&Hit, &Hit)) {
    for pair in hits.windows(2) {
        if pair[1].position - pair[0].position <= max_gap {
            emit(&pair[0], &pair[1]);
        }
    }
}

/// Whether two grams that stand side by side `count` times belong to one template.
///
/// Judged by the more frequent of the two: judging from one side tears a block around a phrase that is popular
/// everywhere. One meeting is chance.
#[must_use]
pub fn is_linked(count: u64, copies: u32, other: u32) -> bool {
    count >= fewest_meetings(copies.max(other)).into()
}

/// So often two grams must stand side by side of which the more frequent one has so many copies.
#[must_use]
pub fn fewest_meetings(copies: u32) -> u32 {
    copies.div_ceil(2).max(2)
}

/// One stretch of a document that a template covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// The template.
    pub template: u32,
    /// Its tokens, from the first gram's first to the last gram's last.
    pub span: TokenSpan,
    /// Tokens inside that lie in a gram of the template.
    pub covered: u32,
    /// Hash of the grams in order: equal for equal copies.
    pub content: u64,
    /// Indices of its first and last hit.
    pub hits: Span,
    /// Fewest copies of one of its grams.
    pub copies: u32,
    /// Its grams.
    pub grams: u32,
    /// Its grams that begin between quotation marks, on a line of code, beside a mark of contact details,
    /// at a number, in a list of sources, at a word that the document uses nowhere else.
    pub marked: [u32; 6],
}

/// The marks counted in [`Stretch::marked`].
const COUNTED: [Marks; 6] = [Marks::QUOTED, Marks::CODE, Marks::CONTACT, Marks::NUMBER, Marks::CITED, Marks::STRANGE];

/// Reads the stretches of each template off a document's hits: hits of one template at most `max_gap` tokens apart
/// are one stretch. `template` names a hit's template. Result ascending by template and position.
pub fn occurrences(hits: &[Hit], k: u32, max_gap: u32, template: impl Fn(&Hit) -> u32) -> Vec<Stretch> {
    let narrow = |i: usize| u32::try_from(i).expect("a document has fewer than 2^32 hits");
    let mut order: Vec<(u32, u32)> = hits.iter().enumerate().map(|(i, hit)| (template(hit), narrow(i))).collect();
    order.sort_unstable();
    let mut out: Vec<Stretch> = Vec::new();
    for (template, i) in order {
        let hit = hits[i as usize];
        let end = hit.position + k;
        match out.last_mut() {
            Some(open) if open.template == template && hit.position <= open.span.end + max_gap => {
                open.covered += end - hit.position.max(open.span.end);
                open.span.end = end;
                open.content = hash::fold(open.content ^ hit.gram, 0x9E37_79B9_7F4A_7C15).wrapping_add(hit.gram);
                open.hits.end = i + 1;
                open.copies = open.copies.min(hit.copies);
            }
            _ => out.push(Stretch {
                template,
                span: Span::new(hit.position, end),
                covered: k,
                content: hash::mix(hit.gram),
                hits: Span::new(i, i + 1),
                copies: hit.copies,
                grams: 0,
                marked: [0; 6],
            }),
        }
        let open = out.last_mut().expect("just opened");
        open.grams += 1;
        for (count, mark) in open.marked.iter_mut().zip(COUNTED) {
            *count += u32::from(hit.marks.has(mark));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hit(position: u32, gram: u64) -> Hit {
        Hit { position, gram, copies: 2, marks: GramMarks::default() }
    }

    proptest! {
        #[test]
        fn regions_cover_every_seed_and_its_margin(seeds in proptest::collection::btree_set(0u32..300, 0..20), margin in 1u32..20) {
            let regions = regions(seeds.iter().copied(), margin, 300);
            for t in 0..300 {
                let near = seeds.iter().any(|&s| s.saturating_sub(margin) <= t && t < (s + margin).min(300));
                prop_assert_eq!(near, regions.iter().any(|r| r.start <= t && t < r.end));
            }
        }

        #[test]
        fn every_hit_lies_in_one_stretch_of_its_template(positions in proptest::collection::btree_set(0u32..400, 0..60), gap in 0u32..20) {
            let hits: Vec<Hit> = positions.iter().map(|&p| hit(p, u64::from(p % 3))).collect();
            let found = occurrences(&hits, 5, gap, |h| u32::try_from(h.gram).expect("small"));
            for h in &hits {
                let of = found.iter().filter(|s| u64::from(s.template) == h.gram && s.span.start <= h.position && h.position + 5 <= s.span.end);
                prop_assert_eq!(of.count(), 1);
            }
            for s in &found {
                prop_assert!(s.covered <= s.span.len());
            }
        }
    }

    #[test]
    fn links_need_two_meetings_and_half_of_the_copies() {
        assert!(is_linked(2, 2, 3) && is_linked(50, 100, 50));
        assert!(!is_linked(1, 1, 1) && !is_linked(49, 100, 50));
    }
}
