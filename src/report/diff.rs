//! Two texts side by side: which words do they share?
//!
//! Words are runs without white space (of scripts that write none, single characters), compared as they are. The
//! shortest edit script is found by the greedy algorithm of Myers, "An O(ND) Difference Algorithm and Its Variations"
//! (Algorithmica 1986). Near-duplicates differ little, so it is cheap where it is wanted; beyond [`MAX_EDITS`] what lies
//! between the common beginning and end is given as one replacement, which bounds a call to `O(words x MAX_EDITS)`
//! time and `O(MAX_EDITS^2)` memory.

use serde::Serialize;

/// Most words that may be inserted and deleted before two texts count as different throughout.
pub const MAX_EDITS: usize = 600;
/// Words shown before and after a difference.
const CONTEXT_WORDS: usize = 12;

/// What two texts have in common at one place; the white space after a word belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "op", content = "text", rename_all = "kebab-case")]
pub enum Part<'a> {
    /// In both, as the first text has it.
    Same(&'a str),
    /// In the first text only.
    First(&'a str),
    /// In the second text only.
    Second(&'a str),
}

/// A stretch of two texts around differences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hunk<'a> {
    /// Words alike since the last hunk (or the start) that are not shown.
    pub skipped: usize,
    /// Common and differing parts in order.
    pub parts: Vec<Part<'a>>,
}

/// The differences of two texts with some words around them, and the words alike after the last.
#[must_use]
pub fn hunks<'a>(first: &'a str, second: &'a str) -> (Vec<Hunk<'a>>, usize) {
    let (a, b) = (words(first), words(second));
    let mut hunks: Vec<Hunk<'a>> = Vec::new();
    let mut skipped = 0;
    let edits = edits(&a, &b);
    let last = edits.len().saturating_sub(1);
    for (i, edit) in edits.into_iter().enumerate() {
        let (start, end) = edit.a;
        if !edit.same {
            let hunk = open(&mut hunks, &mut skipped);
            push(hunk, Part::First, joined(first, &a[start..end]));
            push(hunk, Part::Second, joined(second, &b[edit.b.0..edit.b.1]));
            continue;
        }
        let head = if i == 0 { 0 } else { CONTEXT_WORDS };
        let tail = if i == last { 0 } else { CONTEXT_WORDS };
        if end - start <= head + tail {
            push(open(&mut hunks, &mut skipped), Part::Same, joined(first, &a[start..end]));
            continue;
        }
        if head > 0 {
            push(open(&mut hunks, &mut skipped), Part::Same, joined(first, &a[start..start + head]));
        }
        skipped = end - start - head - tail;
        if tail > 0 {
            push(open(&mut hunks, &mut skipped), Part::Same, joined(first, &a[end - tail..end]));
        }
    }
    (hunks, skipped)
}

/// The hunk to write to; a new one where words were skipped.
fn open<'h, 'a>(hunks: &'h mut Vec<Hunk<'a>>, skipped: &mut usize) -> &'h mut Hunk<'a> {
    if hunks.is_empty() || *skipped > 0 {
        hunks.push(Hunk { skipped: std::mem::take(skipped), parts: Vec::new() });
    }
    hunks.last_mut().expect("one was pushed if there was none")
}

fn push<'a>(hunk: &mut Hunk<'a>, part: impl Fn(&'a str) -> Part<'a>, text: &'a str) {
    if !text.is_empty() {
        hunk.parts.push(part(text));
    }
}

/// The stretch of `text` that consecutive words of it cover.
fn joined<'a>(text: &'a str, words: &[&'a str]) -> &'a str {
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return "" };
    let start = first.as_ptr() as usize - text.as_ptr() as usize;
    let end = last.as_ptr() as usize - text.as_ptr() as usize + last.len();
    let rest = text[end..].len() - text[end..].trim_start().len();
    &text[start..end + rest]
}

/// The indices of the words of `a` that a shortest edit script finds again in `b`, ascending.
pub(super) fn shared<T: PartialEq>(a: &[T], b: &[T]) -> Vec<usize> {
    edits(a, b).iter().filter(|edit| edit.same).flat_map(|edit| edit.a.0..edit.a.1).collect()
}

/// The words of a text, without white space.
pub(super) fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for run in text.split_whitespace() {
        let mut start = 0;
        for (at, c) in run.char_indices().filter(|&(_, c)| stands_alone(c)) {
            words.extend(Some(&run[start..at]).filter(|word| !word.is_empty()));
            start = at + c.len_utf8();
            words.push(&run[at..start]);
        }
        words.extend(Some(&run[start..]).filter(|word| !word.is_empty()));
    }
    words
}

/// Characters of scripts that put no space between words: Thai to Burmese, Khmer, Han, Kana.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{a4cf}'
        | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
}

/// A run of words that are the same in both or replace each other: half-open ranges of words.
struct Edit {
    same: bool,
    a: (usize, usize),
    b: (usize, usize),
}

fn edits<T: PartialEq>(a: &[T], b: &[T]) -> Vec<Edit> {
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let tail = a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(|(x, y)| x == y).count();
    let (a_mid, b_mid) = (&a[head..a.len() - tail], &b[head..b.len() - tail]);
    let mut matches: Vec<(usize, usize)> = (0..head).map(|i| (i, i)).collect();
    matches.extend(shortest(a_mid, b_mid).into_iter().map(|(x, y)| (x + head, y + head)));
    matches.extend((0..tail).map(|i| (a.len() - tail + i, b.len() - tail + i)));
    let mut edits: Vec<Edit> = Vec::new();
    let (mut x, mut y) = (0, 0);
    for (i, j) in matches {
        if (i, j) != (x, y) {
            edits.push(Edit { same: false, a: (x, i), b: (y, j) });
        }
        match edits.last_mut() {
            Some(last) if last.same && last.a.1 == i && last.b.1 == j => (last.a.1, last.b.1) = (i + 1, j + 1),
            _ => edits.push(Edit { same: true, a: (i, i + 1), b: (j, j + 1) }),
        }
        (x, y) = (i + 1, j + 1);
    }
    if (x, y) != (a.len(), b.len()) {
        edits.push(Edit { same: false, a: (x, a.len()), b: (y, b.len()) });
    }
    edits
}

/// Pairs of words that a shortest edit script leaves alone, ascending; none if it is longer than [`MAX_EDITS`].
///
/// On diagonal `k = x - y`, `reach[k]` is the furthest `x` that `d` edits come to. Diagonals are stored with an offset
/// of `MAX_EDITS + 1`; of each round the reach before it is kept, `d + 1` wide on both sides, to walk back on.
fn shortest<T: PartialEq>(a: &[T], b: &[T]) -> Vec<(usize, usize)> {
    const ORIGIN: usize = MAX_EDITS + 1;
    if a.is_empty() || b.is_empty() {
        return Vec::new();
    }
    let mut reach = vec![0usize; 2 * ORIGIN + 1];
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for d in 0..=MAX_EDITS {
        rounds.push(reach[ORIGIN - d - 1..=ORIGIN + d + 1].to_vec());
        for k in (ORIGIN - d..=ORIGIN + d).step_by(2) {
            let mut x = step(&reach[k - 1..=k + 1], k + d == ORIGIN, k == ORIGIN + d);
            // `y` may lie below zero or beyond `b` on outer diagonals: such points are on no path.
            let Some(mut y) = (x + ORIGIN).checked_sub(k) else { continue };
            while x < a.len() && y < b.len() && a[x] == b[y] {
                (x, y) = (x + 1, y + 1);
            }
            reach[k] = x;
            if x >= a.len() && y >= b.len() {
                return walk_back(&rounds, k, (x, y));
            }
        }
    }
    Vec::new()
}

/// The `x` one edit away: down from the diagonal above, or right from the one below. `around` holds the three.
fn step(around: &[usize], lowest: bool, highest: bool) -> usize {
    if lowest || (!highest && around[0] < around[2]) { around[2] } else { around[0] + 1 }
}

fn walk_back(rounds: &[Vec<usize>], mut k: usize, mut at: (usize, usize)) -> Vec<(usize, usize)> {
    const ORIGIN: usize = MAX_EDITS + 1;
    let mut pairs = Vec::new();
    for (d, reach) in rounds.iter().enumerate().rev() {
        let place = k + d + 1 - ORIGIN;
        let (lowest, highest) = (k + d == ORIGIN, k == ORIGIN + d);
        let around = &reach[place - 1..=place + 1];
        let start = if d == 0 { 0 } else { step(around, lowest, highest) };
        while at.0 > start {
            at = (at.0 - 1, at.1 - 1);
            pairs.push(at);
        }
        if d > 0 && (lowest || (!highest && around[0] < around[2])) {
            (k, at.1) = (k + 1, at.1 - 1);
        } else if d > 0 {
            (k, at.0) = (k - 1, at.0 - 1);
        }
    }
    pairs.reverse();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Length of the longest common subsequence.
    fn longest_common(a: &[&str], b: &[&str]) -> usize {
        let mut row = vec![0; b.len() + 1];
        for x in a {
            let mut diagonal = 0;
            for (j, y) in b.iter().enumerate() {
                let above = row[j + 1];
                row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
                diagonal = above;
            }
        }
        row[b.len()]
    }

    proptest! {
        #[test]
        fn the_script_is_shortest_and_true(a in "[ab漢 ]{0,24}", b in "[ab漢 ]{0,24}") {
            let (x, y) = (words(&a), words(&b));
            let edits = edits(&x, &y);
            let same: usize = edits.iter().filter(|e| e.same).map(|e| e.a.1 - e.a.0).sum();
            prop_assert_eq!(same, longest_common(&x, &y));
            prop_assert!(edits.iter().all(|e| !e.same || x[e.a.0..e.a.1] == y[e.b.0..e.b.1]));
            prop_assert!(edits.windows(2).all(|e| e[0].a.1 == e[1].a.0 && e[0].b.1 == e[1].b.0 && e[0].same != e[1].same));
        }

        #[test]
        fn hunks_lose_no_word(a in "([abc]{1,2}[ \n]){0,60}", at in 0usize..50, put in "[xy ]{0,6}") {
            let at = at.min(a.len());
            let b = format!("{}{put}{}", &a[..at], &a[at..]);
            let (hunks, tail) = hunks(&a, &b);
            let of = |second: bool| hunks.iter().flat_map(|h| &h.parts).filter_map(move |part| match part {
                Part::Same(text) => Some(words(text).len()),
                Part::First(text) => (!second).then(|| words(text).len()),
                Part::Second(text) => second.then(|| words(text).len()),
            }).sum::<usize>();
            let skipped: usize = tail + hunks.iter().map(|h| h.skipped).sum::<usize>();
            if words(&a) != words(&b) {
                prop_assert_eq!(skipped + of(false), words(&a).len());
                prop_assert_eq!(skipped + of(true), words(&b).len());
            } else {
                prop_assert!(hunks.is_empty());
            }
        }
    }

    #[test]
    fn differences_come_with_their_surroundings() {
        let long = "w ".repeat(40);
        let (a, b) = (format!("{long}Tel. 1234 {long}end"), format!("{long}Tel. 98 76 {long}end"));
        let (hunks, tail) = hunks(&a, &b);
        assert_eq!((hunks.len(), hunks[0].skipped, tail), (1, 40 + 1 - CONTEXT_WORDS, 40 + 1 - CONTEXT_WORDS));
        assert_eq!(hunks[0].parts[1..3], [Part::First("1234 "), Part::Second("98 76 ")]);
    }

    #[test]
    fn texts_without_a_common_word_are_one_replacement() {
        let (a, b) = ("a ".repeat(2000), "b ".repeat(2000));
        let (found, tail) = hunks(&a, &b);
        assert_eq!((found.len(), found[0].parts.len(), tail), (1, 2, 0));
        assert_eq!(hunks("", "").0, []);
        assert_eq!(hunks("", "x").0[0].parts, [Part::Second("x")]);
    }
}
