//! Which lines of a paged document are its running heads and feet?
//!
//! Text taken from paged files carries a line per page that is the same but for a number. No gram of such a line need
//! repeat, and it cuts passages in two that would. A lane of its own finds them inside one document: lines that are
//! equal once digits are one class, three copies or more, a number that rises by one or two from copy to copy, and
//! either a form feed beside them or a regular distance, blank lines around, and half as many as there are pages. Lines
//! without a rising number that stand beside those (the other edge of the page) go with them. Numbered lists are the
//! trap: their items are neither regular nor at a page break. Digit classes hurt everywhere else, so nothing else uses
//! them.
//!
//! `O(lines log lines)`; looks at lines of at most 160 bytes.

use crate::hash;
use crate::span::{ByteSpan, Span};

const MAX_LINE_BYTES: usize = 160;
/// A page has at least this many lines.
const MIN_PAGE_LINES: u32 = 12;
/// Blank lines that may lie between a head or foot and the page break.
const MAX_MARGIN_LINES: u32 = 4;
const MAX_NUMBERS: usize = 6;

struct Line {
    span: ByteSpan,
    /// Hash of the line with digit runs as one class and spaces as one; 0 where nobody asked.
    key: u64,
    /// The first numbers on the line; 0 where nobody asked.
    numbers: [u32; MAX_NUMBERS],
    blank: bool,
    /// The line holds a form feed.
    page_break: bool,
}

/// The byte spans of running heads and feet, ascending.
#[must_use]
pub fn running_lines(text: &str) -> Vec<ByteSpan> {
    let mut lines = read(text);
    let breaks = lines.iter().filter(|line| line.page_break).count();
    let mut running = vec![false; lines.len()];
    // A text without numbered lines, as most are, has none: the others need not be looked at.
    let mut order = looked_at(text, &mut lines, |line| line.bytes().fold(false, |any, b| any | b.is_ascii_digit()));
    for group in groups(&lines, &order).filter(|g| is_numbered(&lines, g, breaks)) {
        group.iter().for_each(|&i| running[i as usize] = true);
    }
    if !running.contains(&true) {
        return Vec::new();
    }
    order = looked_at(text, &mut lines, |_| true);
    let edge = running.clone();
    for group in groups(&lines, &order) {
        let beside = group.iter().filter(|&&i| beside(&lines, i, |j| edge[j as usize] || lines[j as usize].page_break));
        if group.len() >= 3 && beside.count() * 5 >= group.len() * 4 {
            group.iter().for_each(|&i| running[i as usize] = true);
        }
    }
    lines.iter().zip(&running).filter(|(_, r)| **r).map(|(l, _)| l.span).collect()
}

/// The candidates among the lines that are asked for, by key, then in order. Their keys and numbers are filled in.
fn looked_at(text: &str, lines: &mut [Line], asked: impl Fn(&str) -> bool) -> Vec<u32> {
    let mut order: Vec<u32> = Vec::new();
    for (i, line) in (0u32..).zip(&mut *lines).filter(|(_, line)| is_candidate(line)) {
        let shown = &text[line.span.range()];
        if asked(shown) {
            (line.key, line.numbers) = loose(shown);
            order.push(i);
        }
    }
    order.sort_unstable_by_key(|&i| (lines[i as usize].key, i));
    order
}

/// The lines of one key each.
fn groups<'a>(lines: &'a [Line], order: &'a [u32]) -> impl Iterator<Item = &'a [u32]> {
    order.chunk_by(|&a, &b| lines[a as usize].key == lines[b as usize].key)
}

fn is_candidate(line: &Line) -> bool {
    !line.blank && line.span.len() as usize <= MAX_LINE_BYTES
}

fn read(text: &str) -> Vec<Line> {
    let narrow = |n: usize| u32::try_from(n).expect("a document is shorter than 4 GiB");
    let breaks = text.contains('\u{C}');
    let mut start = 0;
    let mut lines = Vec::new();
    for raw in text.split_inclusive('\n') {
        let trimmed = raw.trim();
        let from = start + (raw.len() - raw.trim_start().len());
        let span = Span::new(narrow(from), narrow(from + trimmed.len()));
        let page_break = breaks && raw.contains('\u{C}');
        lines.push(Line { span, key: 0, numbers: [0; MAX_NUMBERS], blank: trimmed.is_empty(), page_break });
        start += raw.len();
    }
    lines
}

/// The loose view of a line: its key, and the numbers it holds.
fn loose(line: &str) -> (u64, [u32; MAX_NUMBERS]) {
    let mut view = [0u8; MAX_LINE_BYTES];
    let mut numbers = [0u32; MAX_NUMBERS];
    let (mut length, mut found) = (0, 0);
    let mut last = 0u8;
    for byte in line.bytes() {
        let class = if byte.is_ascii_digit() {
            b'0'
        } else if byte.is_ascii_whitespace() {
            b' '
        } else {
            byte
        };
        if class == b'0' {
            found += usize::from(last != b'0');
            if let Some(number) = numbers.get_mut(found - 1) {
                *number = number.saturating_mul(10).saturating_add(u32::from(byte - b'0'));
            }
        }
        if class != last || !matches!(class, b'0' | b' ') {
            view[length] = class.to_ascii_lowercase();
            length += 1;
        }
        last = class;
    }
    (hash::bytes(&view[..length], 0), numbers)
}

/// Whether equal lines are numbered through and stand at page borders, of which form feeds mark so many: what stands on
/// fewer than half of the pages is numbered text.
fn is_numbered(lines: &[Line], group: &[u32], page_breaks: usize) -> bool {
    let often = group.len() * 2 >= page_breaks;
    let breaks = group.iter().filter(|&&i| beside(lines, i, |j| lines[j as usize].page_break)).count();
    let at_breaks = breaks * 5 >= group.len() * 4;
    let enough = group.len() >= if at_breaks { 2 } else { 3 };
    enough && is_rising(lines, group) && (at_breaks || (often && is_regular(group) && is_set_apart(lines, group)))
}

fn is_rising(lines: &[Line], group: &[u32]) -> bool {
    (0..MAX_NUMBERS).any(|n| {
        let value = |i: u32| lines[i as usize].numbers[n];
        let rising = group.windows(2).filter(|w| matches!(value(w[1]).wrapping_sub(value(w[0])), 1 | 2)).count();
        rising * 5 >= (group.len() - 1) * 4
    })
}

/// Whether most distances are within a fifth of their median.
fn is_regular(group: &[u32]) -> bool {
    let mut gaps: Vec<u32> = group.windows(2).map(|w| w[1] - w[0]).collect();
    gaps.sort_unstable();
    let median = gaps[gaps.len() / 2];
    let close = gaps.iter().filter(|&&g| g.abs_diff(median) * 5 <= median).count();
    median >= MIN_PAGE_LINES && close * 10 >= gaps.len() * 7
}

fn is_set_apart(lines: &[Line], group: &[u32]) -> bool {
    let blank = |i: Option<&Line>| i.is_none_or(|l| l.blank);
    let apart = |i: u32| {
        let i = i as usize;
        blank(i.checked_sub(1).and_then(|b| lines.get(b))) && blank(lines.get(i + 1))
    };
    group.iter().filter(|&&i| apart(i)).count() * 5 >= group.len() * 4
}

/// Whether a line that fits stands next to line `i`, only blank lines between.
fn beside(lines: &[Line], i: u32, fits: impl Fn(u32) -> bool) -> bool {
    let count = u32::try_from(lines.len()).expect("fewer lines than bytes");
    let reaches = |mut towards: Box<dyn Iterator<Item = u32>>| {
        towards.find(|&j| fits(j) || !lines[j as usize].blank).is_some_and(&fits)
    };
    fits(i)
        || reaches(Box::new((i + 1..count).take(MAX_MARGIN_LINES as usize)))
        || reaches(Box::new((i.saturating_sub(MAX_MARGIN_LINES)..i).rev()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        running_lines(text).iter().map(|s| &text[s.range()]).collect()
    }

    fn pages(page_break: &str) -> String {
        let body = |p: u32| {
            (0..20)
                .map(|l| format!("  body {} of page {p}\n", "x".repeat((l * 7 + p as usize) % 40)))
                .collect::<String>()
        };
        (1..=5)
            .map(|p| {
                format!(
                    "Smith & Jones      Draft      June 2005\n\n{}\n\nSmith           [Page {p}]\n{page_break}",
                    body(p)
                )
            })
            .collect()
    }

    #[test]
    fn heads_and_feet_go_with_and_without_form_feeds() {
        for page_break in ["\u{C}", "\n"] {
            let text = pages(page_break);
            let lines = found(&text);
            assert_eq!(lines.iter().filter(|l| l.contains("[Page")).count(), 5, "{page_break:?}");
            assert_eq!(lines.iter().filter(|l| l.contains("Draft")).count(), 5, "{page_break:?}");
            assert_eq!(lines.len(), 10);
        }
    }

    #[test]
    fn numbered_lists_and_articles_stay() {
        let list: String = (1..30).map(|i| format!("{i}. An item\n")).collect();
        assert!(found(&list).is_empty());
        let law: String =
            (1..20).map(|i| format!("Art. {i}\n\n{}\n", "A sentence of the law.\n".repeat(i * i % 23 + 1))).collect();
        assert!(found(&law).is_empty());
        // A heading comes on every fifth page, as regularly as the heads.
        let heading =
            |i: usize| if i % 5 == 2 { format!("\n4.{} Registry of Values\n\n", i / 5) } else { String::new() };
        let some = "A line of it.\n".repeat(15);
        let paged: String =
            (1..30).map(|i| format!("Draft of the Law\n\n{some}{}{some}\n[Page {i}]\n\u{C}", heading(i))).collect();
        assert!(found(&paged).iter().all(|line| !line.contains("Registry")));
        assert!(found(&paged).iter().any(|line| line.contains("[Page")));
        assert!(found("").is_empty());
    }
}
