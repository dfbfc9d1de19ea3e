//! What exactly is cut when a block goes, and what is left where it stood?
//!
//! A block is known by its tokens; a reader sees lines. [`cuts`] moves each border to the line or sentence it was meant
//! to be, if that is at most a few tokens away, takes what only dressed the block (heading marks, list bullets,
//! rules, dots, tags, brackets), and leaves one paragraph break where two paragraphs meet. Cuts are pure deletions
//! on character borders, so the original comes back by putting them in again.

use crate::block::layout;
use crate::span::{ByteSpan, Span, TokenSpan};

/// A stretch of tokens to strip, and the block it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Piece {
    /// The tokens.
    pub tokens: TokenSpan,
    /// Number of the block.
    pub block: u32,
}

/// A deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Cut {
    /// Bytes of the text, on character borders.
    pub span: ByteSpan,
    /// Number of the block that it begins with.
    pub block: u32,
}

/// A border moves outwards over at most this many tokens of the same line: what grams of five tokens cannot show.
const MAX_OUTWARD: u32 = 4;
/// A border moves inwards over at most this many tokens.
const MAX_INWARD: u32 = 3;
/// And over at most this many to the border of a paragraph: the heading after a block and the stock phrase under it.
const MAX_OVERRUN: u32 = 8;
/// Stretches with at most this many tokens between them are one; more than a line break must not lie between.
const MAX_BRIDGE: u32 = 2;

/// The deletions that strip `pieces` from a text, ascending and disjoint. `O(pieces log pieces + their bytes)`.
#[must_use]
pub fn cuts(text: &str, tokens: &[ByteSpan], pieces: &[Piece]) -> Vec<Cut> {
    let page = Page { text, tokens };
    let snapped: Vec<Piece> = page.merged(pieces).into_iter().filter_map(|piece| page.snap(piece)).collect();
    page.merged(&snapped).into_iter().map(|piece| page.cut(piece)).fold(Vec::new(), append)
}

/// Adds the next cut to those before it; one that touches the last joins it.
fn append(mut cuts: Vec<Cut>, cut: Cut) -> Vec<Cut> {
    match cuts.last_mut() {
        Some(last) if cut.span.start <= last.span.end => last.span.end = last.span.end.max(cut.span.end),
        _ if cut.span.is_empty() => {}
        _ => cuts.push(cut),
    }
    cuts
}

/// As [`cuts`], but every token outside of the pieces stays: no border moves over a token, no token between two pieces
/// goes with them.
#[must_use]
pub fn exact_cuts(text: &str, tokens: &[ByteSpan], pieces: &[Piece]) -> Vec<Cut> {
    let page = Page { text, tokens };
    page.joined(pieces, |end, start| start <= end).into_iter().map(|piece| page.cut(piece)).fold(Vec::new(), append)
}

/// The text without the cuts.
#[must_use]
pub fn apply(text: &str, cuts: &[Cut]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for cut in cuts {
        out.push_str(&text[at..cut.span.start as usize]);
        at = cut.span.end as usize;
    }
    out.push_str(&text[at..]);
    out
}

/// A piece without the paragraphs of program code at its ends, which begin what stands beside the block: the first lines
/// that files of one kind share, behind their licence. Empty where it is nothing but code.
#[must_use]
pub fn without_code(text: &str, tokens: &[ByteSpan], piece: Piece) -> Piece {
    let page = Page { text, tokens };
    let Span { start, end } = piece.tokens;
    if start == end {
        return piece;
    }
    let inside = (start + 1..end).filter(|&i| page.at_paragraph(i));
    let borders: Vec<u32> = std::iter::once(start).chain(inside).chain([end]).collect();
    let paragraphs: Vec<&[u32]> = borders.windows(2).collect();
    let is_prose = |paragraph: &&[u32]| !page.is_code(paragraph[0], paragraph[1]);
    let Some(first) = paragraphs.iter().position(is_prose) else {
        return Piece { tokens: Span::new(end, end), ..piece };
    };
    let last = paragraphs[first + 1..].iter().rposition(is_prose).map_or(first, |behind| first + 1 + behind);
    let (first, last) = (paragraphs[first][0], paragraphs[last][1]);
    Piece { tokens: Span::new(first, last), ..piece }
}

struct Page<'a> {
    text: &'a str,
    tokens: &'a [ByteSpan],
}

impl<'a> Page<'a> {
    /// The text between token `i - 1` and token `i`.
    fn gap(&self, i: u32) -> &'a str {
        &self.text[self.gap_start(i)..self.gap_end(i)]
    }

    fn gap_start(&self, i: u32) -> usize {
        (i as usize).checked_sub(1).map_or(0, |before| self.tokens[before].end as usize)
    }

    fn gap_end(&self, i: u32) -> usize {
        self.tokens.get(i as usize).map_or(self.text.len(), |t| t.start as usize)
    }

    fn count(&self) -> u32 {
        u32::try_from(self.tokens.len()).expect("fewer tokens than bytes")
    }

    /// Whether a line begins with token `i` (or the text ends before it).
    fn at_line(&self, i: u32) -> bool {
        i == 0 || i == self.count() || self.gap(i).contains('\n')
    }

    fn at_paragraph(&self, i: u32) -> bool {
        i == 0 || i == self.count() || breaks(self.gap(i)) > 1
    }

    fn at_sentence(&self, i: u32) -> bool {
        let gap = self.gap(i);
        self.at_line(i)
            || gap.contains(['。', '！', '？'])
            || (gap.contains(['.', '!', '?']) && gap.ends_with(char::is_whitespace))
    }

    /// Whether all lines with these tokens are program code. Most tell by their first line.
    fn is_code(&self, start: u32, end: u32) -> bool {
        let mut from = start;
        while from < end {
            let to = (from + 1..end).find(|&i| self.at_line(i)).unwrap_or(end);
            let line_start = self.gap_end(from) - after_last_break(self.gap(from)).len();
            let line_end = self.gap_start(to) + line_tail(self.gap(to));
            let line = Span::new(narrow(line_start), narrow(line_end));
            if !layout::is_code(self.text, line, &self.tokens[from as usize..to as usize]) {
                return false;
            }
            from = to;
        }
        true
    }

    /// Sorted and disjoint; pieces closer than [`MAX_BRIDGE`] tokens joined unless a paragraph ends between them.
    fn merged(&self, pieces: &[Piece]) -> Vec<Piece> {
        self.joined(pieces, |end, start| self.bridges(end, start))
    }

    /// Sorted and disjoint; pieces joined where `joins` the end of one and the start of the next.
    fn joined(&self, pieces: &[Piece], joins: impl Fn(u32, u32) -> bool) -> Vec<Piece> {
        let mut sorted: Vec<Piece> = pieces.iter().copied().filter(|p| !p.tokens.is_empty()).collect();
        sorted.sort_unstable();
        let mut out: Vec<Piece> = Vec::new();
        for piece in sorted {
            match out.last_mut() {
                Some(last) if joins(last.tokens.end, piece.tokens.start) => {
                    if piece.tokens.end > last.tokens.end {
                        last.tokens.end = piece.tokens.end;
                    }
                }
                _ => out.push(piece),
            }
        }
        out
    }

    fn bridges(&self, end: u32, start: u32) -> bool {
        start <= end || (start - end <= MAX_BRIDGE && (end..=start).all(|i| !self.at_paragraph(i)))
    }

    /// Moves the borders to the line or sentence they were meant to be.
    fn snap(&self, piece: Piece) -> Option<Piece> {
        let Span { start, end } = piece.tokens;
        let room = (piece.tokens.len() / 4).min(MAX_OUTWARD);
        let outward_start = (start.saturating_sub(room)..=start).rev().find(|&i| self.at_line(i));
        let inward_start = (start..end.min(start + MAX_INWARD + 1)).find(|&i| self.at_sentence(i));
        let outward_end = (end..=(end + room).min(self.count())).find(|&i| self.at_line(i));
        let inward_end = (start.max(end.saturating_sub(MAX_INWARD)) + 1..=end).rev().find(|&i| self.at_sentence(i));
        let paragraph_start = (start..end.min(start + MAX_OVERRUN + 1)).find(|&i| self.at_paragraph(i));
        let paragraph_end =
            (start.max(end.saturating_sub(MAX_OVERRUN)) + 1..=end).rev().find(|&i| self.at_paragraph(i));
        // Of a border outside and a line's inside the nearer one was meant: a block that goes on with the first word of
        // the next line, by chance the same for some copies, does not take the line along. Of a line's border outside and
        // a paragraph's inside it is the paragraph's.
        let nearer = |inward: Option<u32>, outward: Option<u32>, from: u32| {
            let steps = |i: u32| i.abs_diff(from);
            let parted = |i: u32, o: u32| steps(i) <= MAX_INWARD && self.at_paragraph(i) && !self.at_paragraph(o);
            inward.filter(|&i| self.at_line(i) && outward.is_none_or(|o| steps(i) < steps(o) || parted(i, o)))
        };
        let first = if self.at_sentence(start) {
            start
        } else {
            let inward = inward_start.or(paragraph_start);
            nearer(inward, outward_start, start).or(outward_start).or(inward).unwrap_or(start)
        };
        let last = if self.at_sentence(end) {
            end
        } else {
            let inward = inward_end.or(paragraph_end);
            nearer(inward, outward_end, end).or(outward_end).or(inward).unwrap_or(end)
        };
        (first < last).then(|| Piece { tokens: Span::new(first, last), ..piece })
    }

    /// The bytes of a snapped piece with its dressing, and with the space that it leaves double.
    fn cut(&self, piece: Piece) -> Cut {
        let Span { start, end } = piece.tokens;
        let before = self.gap(start);
        let after = self.gap(end);
        let (from, to) = (self.gap_end(start), self.gap_start(end));
        let (from, to) = match (self.at_line(start), self.at_line(end)) {
            (true, true) => self.whole_lines(start, end),
            (true, false) => (from - after_last_break(before).len(), to + inline_tail(after)),
            (false, true) => (from - inline_head(before), to + line_tail(after)),
            (false, false) => (from - inline_head(before), to + inline_tail(after)),
        };
        Cut { span: Span::new(narrow(from), narrow(to)), block: piece.block }
    }

    /// Whole lines go with the token-less lines that dress them; of the white space on both sides the wider break
    /// stays, at most one blank line of it.
    fn whole_lines(&self, start: u32, end: u32) -> (usize, usize) {
        let (before, after) = (self.gap(start), self.gap(end));
        // What closes the neighbour's last line ("." or "**") and opens the next one's first ("* ") is theirs.
        let own_tail = if start == 0 { 0 } else { kept_before(before) };
        let next_head = if end == self.count() { 0 } else { after.len() - kept_after(after) };
        let (from, to) = (self.gap_start(start) + own_tail, self.gap_end(end) - next_head);
        if start == 0 {
            return (0, to);
        }
        if end == self.count() {
            // The text keeps its final line break, if it had one.
            let kept = if self.text.ends_with("\r\n") { 2 } else { usize::from(self.text.ends_with('\n')) };
            return (from, (self.text.len() - kept).max(from));
        }
        let wanted = if breaks(before).max(breaks(after)) > 1 { 2 } else { 1 };
        // Keeps the last `wanted` line breaks before the next line; they are white space and nothing else if the
        // gap ends in them, else a rule or dots would be left behind: then those at its beginning are kept.
        match tail_breaks(&self.text[from..to], wanted) {
            Some(kept) => (from, to - kept),
            None => (from + head_breaks(&self.text[from..to], wanted), to),
        }
    }
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("a document is shorter than 4 GiB")
}

/// Lines of a gap between a line with words and the next: its first is the end of the one before it, its last the
/// start of the one after. Those between them hold no word.
fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// Bytes of the gap before a block that stay: the tail of the neighbour's line, and token-less lines that belong to it
/// (the frame of a figure or table: several in a row, or one that nothing parts from the neighbour).
fn kept_before(gap: &str) -> usize {
    let lines: Vec<&str> = gap.split_inclusive('\n').collect();
    let between = lines.get(1..lines.len().saturating_sub(1)).unwrap_or_default();
    let kept: usize = match drawn(between) {
        0 => return line_tail(gap),
        n => lines[..=n].iter().map(|l| l.len()).sum(),
    };
    gap[..kept].trim_end_matches(['\r', '\n']).len()
}

/// The same after a block: where what stays begins.
fn kept_after(gap: &str) -> usize {
    let lines: Vec<&str> = gap.split_inclusive('\n').collect();
    let last = after_last_break(gap).len();
    let between = lines.get(1..lines.len() - usize::from(last > 0)).unwrap_or_default();
    let mirrored: Vec<&str> = between.iter().rev().copied().collect();
    gap.len() - last - mirrored[..drawn(&mirrored)].iter().map(|l| l.len()).sum::<usize>()
}

/// How many of the token-less lines next to a neighbour, nearest first, are part of it.
fn drawn(lines: &[&str]) -> usize {
    let mut kept = 0;
    let mut at = 0;
    while at < lines.len() {
        let blank = lines[at..].iter().take_while(|l| is_blank(l)).count();
        let inked = lines[at + blank..].iter().take_while(|l| !is_blank(l)).count();
        if inked == 0 || (inked == 1 && (blank > 0 || kept > 0)) {
            break;
        }
        at += blank + inked;
        kept = at;
    }
    kept
}

fn breaks(gap: &str) -> usize {
    gap.bytes().filter(|&b| b == b'\n').count()
}

/// Bytes at the end of `gap` that hold `wanted` line breaks and only white space; none if there are fewer.
fn tail_breaks(gap: &str, wanted: usize) -> Option<usize> {
    let space = gap.len() - gap.trim_end().len();
    let tail = &gap[gap.len() - space..];
    let (at, _) = tail.match_indices('\n').rev().nth(wanted - 1)?;
    let at = if tail[..at].ends_with('\r') { at - 1 } else { at };
    Some(tail.len() - at)
}

/// Bytes at the start of `gap` that hold up to `wanted` line breaks and only white space.
fn head_breaks(gap: &str, wanted: usize) -> usize {
    let space = gap.len() - gap.trim_start().len();
    gap[..space].match_indices('\n').take(wanted).last().map_or(0, |(at, _)| at + 1)
}

fn after_last_break(gap: &str) -> &str {
    gap.rfind('\n').map_or(gap, |at| &gap[at + 1..])
}

/// Bytes before a block inside a line that open it: brackets and marks up to the white space before.
fn inline_head(gap: &str) -> usize {
    gap.len()
        - gap.rfind(char::is_whitespace).map_or(gap.len(), |at| at + gap[at..].chars().next().map_or(0, char::len_utf8))
}

/// Bytes after a block inside a line that close it, and the white space that would be left double.
fn inline_tail(gap: &str) -> usize {
    let marks = gap.find(char::is_whitespace).unwrap_or_else(|| closing(gap));
    let space = gap[marks..].len() - gap[marks..].trim_start_matches([' ', '\t', '\u{a0}', '\u{3000}']).len();
    marks + space
}

/// Without white space (scripts that have none): the punctuation that ends a sentence, with its variation selectors.
fn closing(gap: &str) -> usize {
    gap.char_indices()
        .take_while(|(_, c)| "\u{FE0E}\u{FE0F}。！？.!?…）)」』”’»,;:、，；：".contains(*c))
        .last()
        .map_or(0, |(i, c)| i + c.len_utf8())
}

/// Bytes after a block that ends its line, up to the line break.
fn line_tail(gap: &str) -> usize {
    gap.find('\n').map_or(gap.len(), |at| if gap[..at].ends_with('\r') { at - 1 } else { at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Tokens, tokenize};
    use proptest::prelude::*;

    /// Strips what stands between `[[` and `]]`.
    fn stripped(marked: &str) -> String {
        let text = marked.replace("[[", "").replace("]]", "");
        let mut tokens = Tokens::default();
        tokenize(&text, &mut tokens);
        let mut pieces = Vec::new();
        let mut removed = 0;
        let mut rest = marked;
        let mut at = 0;
        while let (Some(open), Some(close)) = (rest.find("[["), rest.find("]]")) {
            let (start, end) = (at + open - removed, at + close - 2 - removed);
            let index =
                |byte: usize| u32::try_from(tokens.spans.partition_point(|t| (t.start as usize) < byte)).expect("few");
            pieces.push(Piece { tokens: Span::new(index(start), index(end)), block: 0 });
            at += close + 2;
            removed += 4;
            rest = &rest[close + 2..];
        }
        apply(&text, &cuts(&text, &tokens.spans, &pieces))
    }

    #[test]
    fn a_paragraph_goes_with_its_heading_marks_rules_and_dots() {
        assert_eq!(
            stripped("One.\n\n#### [[Imprint: ENA\n\nStreet 16  \nTown]]\n\n..... \n\nTwo.\n"),
            "One.\n\nTwo.\n"
        );
        assert_eq!(stripped("One.\n\n---\n\n**[[Imprint:  \nENA]]**\n\n---\n\n* Two.\n"), "One.\n\n* Two.\n");
        assert_eq!(stripped("One\n[[block here]].\nTwo"), "One\nTwo");
        assert_eq!(stripped("One\r\n\r\n[[block here]].\r\n\r\nTwo"), "One\r\n\r\nTwo");
    }

    #[test]
    fn what_is_drawn_around_a_neighbour_stays() {
        let text = "One.\n\n[[block here]]\n\n   +----+\n   |    |\n   | A  |\n\nTwo\n";
        assert_eq!(stripped(text), "One.\n\n   +----+\n   |    |\n   | A  |\n\nTwo\n");
        assert_eq!(stripped("a\n +--+\n +--+\n\n[[block here]]\n\nb"), "a\n +--+\n +--+\n\nb");
        assert_eq!(stripped("| a |\n+---+\n\n[[block here]]\n\nb"), "| a |\n+---+\n\nb");
        assert_eq!(stripped("One.\n\n---\n\n[[block here]]\n\n---\n\nTwo"), "One.\n\nTwo");
    }

    #[test]
    fn the_edges_of_a_text_are_left_clean() {
        assert_eq!(stripped("## [[block here]]\n\nTwo\n"), "Two\n");
        assert_eq!(stripped("One.\n\n---\n[[block here]].\n"), "One.\n");
        assert_eq!(stripped("One.\n\n[[block here]]."), "One.");
        assert_eq!(stripped("[[block here]]."), "");
    }

    #[test]
    fn inside_a_line_sentences_close_up() {
        assert_eq!(stripped("One two. [[A notice (here).]] Three \"four\"."), "One two. Three \"four\".");
        assert_eq!(stripped("One two. ([[A notice here]].) Three."), "One two. Three.");
        assert_eq!(stripped("これは文。[[知らせです]]。次の文。"), "これは文。次の文。");
        assert_eq!(stripped("One two. [[A notice here.]]\n\nThree."), "One two.\n\nThree.".replace("two.", "two. "));
    }

    #[test]
    fn borders_move_to_the_line_or_sentence_nearby() {
        assert_eq!(stripped("One.\n\nA [[notice of eight words that everyone knows]]\n\nTwo."), "One.\n\nTwo.");
        assert_eq!(
            stripped("One.\n\n[[A notice of eight words that everyone knows. We]] two in a longer line."),
            "One.\n\nWe two in a longer line."
        );
    }

    #[test]
    fn of_a_line_outside_and_a_paragraph_inside_the_paragraph_is_meant() {
        let text = "[[A notice of eight words that everyone knows.\n\nUse the]] second door.\nThe third is locked.";
        assert_eq!(stripped(text), "Use the second door.\nThe third is locked.");
        // The last line is a paragraph of the block: only its end differs.
        let text = "One.\n\n[[A notice of eight words that everyone knows.\n\nPhone: 12]] 34\n\nTwo.";
        assert_eq!(stripped(text), "One.\n\nTwo.");
    }

    #[test]
    fn code_beside_a_block_stays() {
        fn without(text: &str) -> Vec<&str> {
            let mut tokens = Tokens::default();
            tokenize(text, &mut tokens);
            let piece = Piece { tokens: Span::new(0, u32::try_from(tokens.len()).expect("few")), block: 0 };
            let left = without_code(text, &tokens.spans, piece).tokens;
            tokens.spans[left.start as usize..left.end as usize].iter().map(|t| &text[t.range()]).collect()
        }
        assert_eq!(without("#define A_B\n\n/* a notice */\n\n#ifndef C_D\n#include <e.h>"), ["a", "notice"]);
        assert_eq!(
            without("a notice\n\nlet x = 1;\n\nto all\n\nuse a::b;"),
            ["a", "notice", "let", "x", "1", "to", "all"]
        );
        assert_eq!(without("a notice\nlet x = 1;"), ["a", "notice", "let", "x", "1"]);
        assert_eq!(without("use a::b;\n\nlet x = 1;"), [""; 0]);
    }

    proptest! {
        #[test]
        fn only_whole_paragraphs_of_code_stay(text in "(a b\n|c d\n\n|#if X_Y\n|use p::q;\n\n|\n){0,12}", start in 0u32..8, n in 0u32..30) {
            let mut tokens = Tokens::default();
            tokenize(&text, &mut tokens);
            let count = u32::try_from(tokens.len()).expect("few");
            let start = start.min(count);
            let piece = Piece { tokens: Span::new(start, (start + n).min(count)), block: 3 };
            let left = without_code(&text, &tokens.spans, piece);
            prop_assert!(piece.tokens.start <= left.tokens.start && left.tokens.end <= piece.tokens.end);
            prop_assert_eq!(without_code(&text, &tokens.spans, left), left);
            let prose = |t: &ByteSpan| matches!(&text[t.range()], "a" | "b" | "c" | "d");
            let before = &tokens.spans[piece.tokens.start as usize..left.tokens.start as usize];
            let after = &tokens.spans[left.tokens.end as usize..piece.tokens.end as usize];
            prop_assert!(!before.iter().chain(after).any(prose));
        }

        #[test]
        fn lines_of_code_are_those_marked(text in "(a b\n|let x = 1;\n|#if X_Y\r\n| \\(|\u{C}|// c\n|\n){0,9}", start in 0usize..8, n in 1usize..9) {
            let mut tokens = Tokens::default();
            tokenize(&text, &mut tokens);
            let page = Page { text: &text, tokens: &tokens.spans };
            let start = start.min(tokens.len());
            let end = (start + n).min(tokens.len());
            let [from, to] = [start, end].map(narrow);
            let first = page.gap_end(from) - after_last_break(page.gap(from)).len();
            let last = page.gap_start(to) + line_tail(page.gap(to));
            let inside: Vec<ByteSpan> =
                tokens.spans[start..end].iter().map(|t| Span::new(t.start - narrow(first), t.end - narrow(first))).collect();
            let mut marks = Vec::new();
            layout::marks(text.get(first..last).unwrap_or_default(), &inside, &mut marks);
            prop_assert_eq!(page.is_code(from, to), marks.iter().all(|m| m.has(crate::block::marks::Marks::CODE)));
        }

        #[test]
        fn cuts_fall_between_characters_and_words_and_stay_cut(text in "([a-zé]{1,4}|[ .,#*-]|\n|\r\n|。|日|<b>){0,60}", raw in proptest::collection::vec((0u32..30, 1u32..8), 0..4)) {
            let mut tokens = Tokens::default();
            tokenize(&text, &mut tokens);
            let count = u32::try_from(tokens.len()).expect("few");
            let pieces: Vec<Piece> = raw.iter().filter(|(s, _)| *s < count).map(|&(s, n)| Piece { tokens: Span::new(s, (s + n).min(count)), block: 0 }).collect();
            let cuts = cuts(&text, &tokens.spans, &pieces);
            prop_assert!(cuts.windows(2).all(|w| w[0].span.end < w[1].span.start));
            for cut in &cuts {
                for border in [cut.span.start, cut.span.end] {
                    prop_assert!(text.is_char_boundary(border as usize));
                    prop_assert!(tokens.spans.iter().all(|t| !(t.start < border && border < t.end)));
                }
            }
            prop_assert!(apply(&text, &cuts).len() <= text.len());
        }
    }
}
