//! Lines for a screen: wrapped at its width, nothing in them that commands it.

use crate::report::commands;
use std::ops::Range;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Least and most columns that lines are made for.
const COLUMNS: std::ops::RangeInclusive<usize> = 40..=140;
/// Lines shown of a long passage: so many of its beginning, and the last.
const MOST_LINES: usize = 12;

/// A story under way.
pub(super) struct Page {
    out: String,
    columns: usize,
}

impl Page {
    pub(super) fn new(columns: usize) -> Self {
        Self { out: String::new(), columns: columns.clamp(*COLUMNS.start(), *COLUMNS.end()) }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.out.push('\n');
    }

    /// A sentence of our own with foreign names in it; what does not fit goes on below, set in.
    pub(super) fn line(&mut self, text: &str) {
        let indent = text.len() - text.trim_start().len();
        let (first, rest) = (" ".repeat(indent), " ".repeat(indent + 4));
        for (i, part) in wrapped(text.trim_start(), self.columns - indent - 4).iter().enumerate() {
            self.push(if i == 0 { &first } else { &rest }, part);
        }
    }

    /// A passage in running text, its own line breaks forgotten, each line marked.
    pub(super) fn passage(&mut self, mark: &str, text: &str) {
        let lines = wrapped(text, self.columns - mark.width());
        self.block(mark, &lines);
    }

    /// A piece of `text` that is cut out, line by line, between the lines around it.
    pub(super) fn cut(&mut self, text: &str, bytes: Range<usize>) {
        let (Some(before), Some(cut), Some(after)) =
            (text.get(..bytes.start), text.get(bytes.clone()), text.get(bytes.end..))
        else {
            return self.line("    the input has changed since");
        };
        let room = self.columns - 4;
        if let Some(line) = before.lines().rfind(|line| !line.trim().is_empty()) {
            self.push("    ", &last_columns(line, room));
        }
        let lines: Vec<String> = cut.trim().lines().flat_map(|line| wrapped_or_empty(line, room)).collect();
        self.block("  - ", &lines);
        if let Some(line) = after.lines().find(|line| !line.trim().is_empty()) {
            self.push("    ", wrapped(line, room).first().map_or("", String::as_str));
        }
    }

    fn block(&mut self, mark: &str, lines: &[String]) {
        let shown = if lines.len() > MOST_LINES { MOST_LINES - 2 } else { lines.len() };
        lines[..shown].iter().for_each(|line| self.push(mark, line));
        if let (true, Some(last)) = (shown < lines.len(), lines.last()) {
            self.push(mark, &format!("[{} more lines]", lines.len() - shown - 1));
            self.push(mark, last);
        }
    }

    fn push(&mut self, mark: &str, line: &str) {
        self.out.push_str(format!("{mark}{line}").trim_end());
        self.out.push('\n');
    }
}

/// The words of a text in lines of at most `room` columns; a longer word is broken. Control characters and marks that
/// turn the direction of text are left out.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let (mut line, mut width) = (String::new(), 0);
    for word in text.split_whitespace() {
        let seen: String = word.chars().filter(|&c| !commands(c)).collect();
        let gap = usize::from(width > 0);
        if width > 0 && width + gap + seen.width().min(room) > room {
            lines.push(std::mem::take(&mut line));
            width = 0;
        } else if gap == 1 {
            line.push(' ');
            width += 1;
        }
        for c in seen.chars() {
            let wide = c.width().unwrap_or(0);
            if width + wide > room {
                lines.push(std::mem::take(&mut line));
                width = 0;
            }
            line.push(c);
            width += wide;
        }
    }
    lines.extend(Some(line).filter(|line| !line.is_empty()));
    lines
}

fn wrapped_or_empty(line: &str, room: usize) -> Vec<String> {
    let lines = wrapped(line, room);
    if lines.is_empty() { vec![String::new()] } else { lines }
}

/// The end of a line, with a sign where something is missing.
fn last_columns(line: &str, room: usize) -> String {
    let seen = line.trim().chars().filter(|&c| !commands(c));
    let line: String = seen.map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    let mut width = 0;
    let fits = |c: &char| {
        width += c.width().unwrap_or(0);
        width < room
    };
    let end: String = line.chars().rev().take_while(fits).collect();
    let end: String = end.chars().rev().collect();
    if end.len() < line.len() { format!("…{end}") } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_line_fits_and_commands_nothing(text in "(\\PC|[\u{0}-\u{1f}\u{202e}\n汉ก ]){0,300}", columns in 0usize..200, at in 0usize..300) {
            let mut page = Page::new(columns);
            let most = page.columns;
            page.line(&text);
            page.passage("  + ", &text);
            let at = (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap();
            page.cut(&text, at..text.len());
            for line in page.finish().lines() {
                prop_assert!(line.width() <= most, "{:?}", line);
                prop_assert!(!line.chars().any(commands));
            }
        }
    }

    #[test]
    fn a_long_passage_is_shortened_in_its_middle() {
        let mut page = Page::new(80);
        let text: String = (0..40).map(|i| format!("line {i}\n")).collect();
        page.cut(&text, 14..text.len() - 8);
        let told = page.finish();
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!((lines[0], lines[1], lines[lines.len() - 1]), ("    line 1", "  - line 2", "    line 39"));
        assert_eq!(lines.len(), MOST_LINES + 2);
        assert!(told.contains("  - [26 more lines]\n  - line 38\n"), "{told}");
    }

    #[test]
    fn words_wrap_and_long_ones_break() {
        assert_eq!(wrapped("ab cd efg", 5), ["ab cd", "efg"]);
        assert_eq!(wrapped("abcdefg 汉字汉", 4), ["abcd", "efg", "汉字", "汉"]);
        assert!(wrapped(" \n", 4).is_empty());
    }
}
