//! What is cut from one document, once its words and its letters have said which blocks it carries?
//!
//! Copies that were found by their words go. A copy that only its letters led to goes where the letters alone are sure, or
//! where they lead to one found by its words; not where the document is about the block, nor where it is the copy that is to
//! stay. A document of which nothing would be left stays whole.

use super::strip::{self, Cut, Piece};
use crate::block::bank::Match;
use crate::block::reading::Reading;
use crate::block::{Options, Protect};
use crate::span::{ByteSpan, TokenSpan};
use std::cmp::Reverse;

/// What bears on the matches of one template in one document.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rule {
    /// It turned out to be a common turn of phrase: its letters prove nothing.
    pub is_common: bool,
    /// A reviewed list asks for it.
    pub is_listed: bool,
    /// The copy in this document that stays.
    pub stays: Option<TokenSpan>,
}

/// The stretches of the body that go, and the templates among them that only their letters led to. `known` are the copies
/// that go by their words, `spared` those that stay although their block goes, `matches` what the letters say.
pub fn pieces(
    known: impl IntoIterator<Item = Piece>,
    spared: &[TokenSpan],
    matches: &[Match],
    rule: impl Fn(u32) -> Rule,
) -> (Vec<Piece>, Vec<u32>) {
    let mut pieces: Vec<Piece> = known.into_iter().collect();
    let by_words = pieces.len();
    let mut new = Vec::new();
    for m in matches {
        let Rule { is_common, is_listed, stays } = rule(m.template);
        let stays = stays.is_some_and(|span| span.overlaps(m.span));
        let is_known = pieces[..by_words].iter().any(|p| p.tokens.overlaps(m.span));
        let is_spared = spared.iter().any(|s| s.overlaps(m.span));
        if is_common || stays || is_spared || !(is_known || m.is_sure()) {
            continue;
        }
        if !is_known || is_listed {
            new.push(m.template);
        }
        pieces.push(Piece { tokens: m.span, block: m.template });
    }
    (pieces, new)
}

/// The cuts that take `pieces` of the body and all running lines out of a text; `None` where there is nothing to take.
/// `running` is the number that stands for running lines; of a document of which too little would be left, only what
/// `is_listed` goes.
#[must_use]
pub fn cuts(
    options: &Options,
    (text, reading): (&str, &Reading),
    pieces: &[Piece],
    running: u32,
    is_listed: impl Fn(u32) -> bool,
) -> Option<Vec<Cut>> {
    let keeps_code = !options.exact && options.protects(Protect::Code);
    let body = outermost(pieces, &is_listed).into_iter().map(|p| Piece { tokens: reading.among_all(p.tokens), ..p });
    let body = body.map(|piece| match keeps_code {
        true if !is_listed(piece.block) => strip::without_code(text, reading.spans(), piece),
        _ => piece,
    });
    let heads = reading.running.iter().map(|&tokens| Piece { tokens, block: running });
    let pieces: Vec<Piece> = body.chain(heads).collect();
    if pieces.is_empty() {
        return None;
    }
    let cut = if options.exact { strip::exact_cuts } else { strip::cuts };
    let mut cuts = cut(text, reading.spans(), &pieces);
    if !options.exact && leaves_nothing(reading.spans(), &cuts, options.min_tokens) {
        let listed: Vec<Piece> = pieces.into_iter().filter(|p| is_listed(p.block)).collect();
        cuts = cut(text, reading.spans(), &listed);
    }
    Some(cuts)
}

/// The pieces without those that lie in another: what repeats in many versions is found as many pieces, one in the other.
/// What a list asks for stays, for it goes even where the piece around it does not.
fn outermost(pieces: &[Piece], is_listed: impl Fn(u32) -> bool) -> Vec<Piece> {
    let mut sorted = pieces.to_vec();
    sorted.sort_unstable_by_key(|p| (p.tokens.start, Reverse(p.tokens.end), p.block));
    let mut reach = 0;
    sorted.retain(|p| {
        let reaches_further = p.tokens.end > reach;
        reach = reach.max(p.tokens.end);
        reaches_further || is_listed(p.block)
    });
    sorted
}

/// Whether fewer tokens are left than make up a block. A document that is repeated whole is another's duplicate, not
/// boilerplate: whether it stays is not for this way to say, only for a person.
fn leaves_nothing(tokens: &[ByteSpan], cuts: &[Cut], min_tokens: u32) -> bool {
    let within = |cut: &Cut| {
        let first = tokens.partition_point(|t| t.start < cut.span.start);
        tokens.partition_point(|t| t.start < cut.span.end) - first
    };
    tokens.len() - cuts.iter().map(within).sum::<usize>() < min_tokens as usize && !cuts.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Span;

    fn found(template: u32, start: u32, anchored: u8) -> Match {
        Match { span: Span::new(start, start + 10), template, of_template: 255, letters: 60, anchored }
    }

    #[test]
    fn letters_need_words_or_certainty() {
        let known = [Piece { tokens: Span::new(0, 10), block: 1 }];
        let matches = [found(1, 5, 10), found(2, 40, 200), found(3, 80, 10), found(4, 100, 200), found(5, 120, 200)];
        let rule = |template| Rule {
            is_common: template == 4,
            stays: (template == 5).then_some(Span::new(129, 140)),
            ..Rule::default()
        };
        let (pieces, new) = pieces(known, &[], &matches, rule);
        assert_eq!((pieces.iter().map(|p| p.block).collect::<Vec<_>>(), new), (vec![1, 1, 2], vec![2]));
        let spared = [Span::new(49, 50)];
        assert_eq!(super::pieces(known, &spared, &matches, rule).1, [0u32; 0]);
    }

    #[test]
    fn pieces_in_pieces_say_nothing_more_unless_listed() {
        let piece = |start, end, block| Piece { tokens: Span::new(start, end), block };
        let pieces =
            [piece(5, 9, 1), piece(0, 4, 2), piece(0, 10, 3), piece(8, 12, 4), piece(8, 12, 5), piece(10, 11, 6)];
        let blocks = |listed| outermost(&pieces, |b| b == listed).iter().map(|p| p.block).collect::<Vec<_>>();
        assert_eq!(blocks(9), [3, 4]);
        assert_eq!(blocks(6), [3, 4, 6]);
    }

    #[test]
    fn a_document_that_would_be_empty_stays() {
        let options = Options::default();
        let text = "one two three four five six seven eight nine ten";
        let mut reading = Reading::new(&options);
        reading.read(text);
        let whole = [Piece { tokens: Span::new(0, 10), block: 0 }];
        let cut = |pieces: &[Piece], listed| cuts(&options, (text, &reading), pieces, 9, |_| listed);
        assert_eq!(cut(&whole, false), Some(Vec::new()));
        assert_eq!(cut(&whole, true).unwrap().len(), 1);
        assert_eq!(cut(&[], false), None);
    }
}
