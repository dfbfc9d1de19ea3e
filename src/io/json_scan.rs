//! Finds the wanted top-level fields of a line of JSON in one pass, without building a tree.
//!
//! The pass is a full validator for the grammar of RFC 8259: what it accepts is one JSON object and nothing else.
//! Strings are hopped through by the block ([`super::kernel`]); values that nobody wants are skipped with a stack of one bit a level,
//! so depth is bounded and nothing recurses. `O(line bytes)`, no allocation.
//! Left to the caller: the meaning of the values, and the pairing of surrogates in them.

use super::kernel::{Scanned, scan_string};
use crate::cpu::Kernel;
use memchr::memchr2;
use std::ops::Range;

/// Objects and arrays inside each other, the record itself included.
const DEPTH_MAX: u32 = 128;

/// A value as it lies in the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A string: the range between its quotes, and whether it holds a backslash.
    String { range: Range<usize>, escaped: bool },
    /// A number: its range.
    Number(Range<usize>),
    /// `null`.
    Null,
    /// A boolean, an array or an object.
    Other,
}

/// What is wrong with a line, and at which byte of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScanError {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}

type Result<T> = std::result::Result<T, ScanError>;

/// Reads one object; `visit(key, value)` gets its fields in order. `start` is where to begin (after a BOM).
///
/// # Errors
/// Where the line is not one JSON object with white space around it.
pub(crate) fn object<'a>(line: &'a str, start: usize, mut visit: impl FnMut(Key<'a>, Value)) -> Result<()> {
    let mut scan = Scan { line, bytes: line.as_bytes(), kernel: Kernel::chosen(), at: start };
    scan.space();
    match scan.peek() {
        Some(b'{') => scan.at += 1,
        Some(b'[') => return scan.fail("this is an array, not an object"),
        Some(b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => return scan.fail("this is a value, not an object"),
        _ => return scan.fail("expected '{'"),
    }
    scan.space();
    if scan.peek() == Some(b'}') {
        scan.at += 1;
    } else {
        scan.fields(&mut visit)?;
    }
    scan.space();
    if scan.at < scan.bytes.len() { scan.fail("something follows the object on its line") } else { Ok(()) }
}

/// A key as it lies in the line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    /// Between the quotes.
    pub(crate) raw: &'a str,
    /// Whether it holds a backslash.
    pub(crate) escaped: bool,
}

struct Scan<'a> {
    line: &'a str,
    bytes: &'a [u8],
    kernel: Kernel,
    at: usize,
}

impl<'a> Scan<'a> {
    fn fail<T>(&self, what: &'static str) -> Result<T> {
        Err(ScanError { at: self.at, what })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// The fields of the record, from its first key to its closing brace.
    fn fields(&mut self, visit: &mut impl FnMut(Key<'a>, Value)) -> Result<()> {
        loop {
            let (range, escaped) = self.key()?;
            let key = Key { raw: &self.line[range], escaped };
            let value = self.value()?;
            visit(key, value);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fail("expected ',' or '}'"),
            }
        }
    }

    /// A key and its colon.
    fn key(&mut self) -> Result<(Range<usize>, bool)> {
        self.space();
        if self.peek() != Some(b'"') {
            return self.fail("expected a key in double quotes");
        }
        let key = self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return self.fail("expected ':'");
        }
        self.at += 1;
        Ok(key)
    }

    fn value(&mut self) -> Result<Value> {
        self.space();
        let start = self.at;
        match self.peek() {
            Some(b'"') => self.string().map(|(range, escaped)| Value::String { range, escaped }),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| Value::Number(start..self.at)),
            Some(b'n') => self.word("null").map(|()| Value::Null),
            _ => self.skip().map(|()| Value::Other),
        }
    }

    /// Skips any value. The stack holds a bit a level below the record: 1 for an object, 0 for an array.
    fn skip(&mut self) -> Result<()> {
        let (mut stack, mut depth) = (0u128, 0u32);
        loop {
            self.space();
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    let object = open == b'{';
                    self.at += 1;
                    depth += 1;
                    if depth >= DEPTH_MAX {
                        return self.fail("nested deeper than 128 levels");
                    }
                    stack = stack << 1 | u128::from(object);
                    self.space();
                    if self.peek() != Some(if object { b'}' } else { b']' }) {
                        if object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                _ => self.scalar()?,
            }
            if self.close(&mut stack, &mut depth)? {
                return Ok(());
            }
        }
    }

    /// After a value inside [`skip`](Self::skip): closes levels until another value follows; true at the end.
    fn close(&mut self, stack: &mut u128, depth: &mut u32) -> Result<bool> {
        while *depth > 0 {
            self.space();
            let object = *stack & 1 == 1;
            match (self.peek(), object) {
                (Some(b','), _) => {
                    self.at += 1;
                    if object {
                        self.key()?;
                    }
                    return Ok(false);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    *stack >>= 1;
                    *depth -= 1;
                }
                (_, true) => return self.fail("expected ',' or '}'"),
                (_, false) => return self.fail("expected ',' or ']'"),
            }
        }
        Ok(true)
    }

    fn scalar(&mut self) -> Result<()> {
        match self.peek() {
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            None => self.fail("the line ends inside the object"),
            Some(_) => self.fail("expected a value"),
        }
    }

    fn word(&mut self, word: &'static str) -> Result<()> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return self.fail("expected a value");
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<()> {
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { self.fail("expected a digit") } else { Ok(()) }
    }

    /// From its opening quote: the range between the quotes, and whether it holds a backslash.
    fn string(&mut self) -> Result<(Range<usize>, bool)> {
        self.at += 1;
        let start = self.at;
        if let Some(Scanned { end, escaped }) = scan_string(self.kernel, &self.bytes[start..]) {
            self.at = start + end + 1;
            return Ok((start..start + end, escaped));
        }
        self.string_by_escapes(start)
    }

    /// The same one escape after another: says what is wrong.
    fn string_by_escapes(&mut self, start: usize) -> Result<(Range<usize>, bool)> {
        let mut escaped = false;
        loop {
            let rest = &self.bytes[self.at..];
            let run = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            if has_control(&rest[..run]) {
                self.at += rest.iter().position(|&b| b < b' ').unwrap_or(0);
                return self.fail("a control character inside a string must be written as an escape");
            }
            self.at += run;
            match self.peek() {
                Some(b'"') => break,
                Some(_) => self.escape()?,
                None => return self.fail("the line ends inside a string"),
            }
            escaped = true;
        }
        self.at += 1;
        Ok((start..self.at - 1, escaped))
    }

    fn escape(&mut self) -> Result<()> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit)) {
                    return self.fail("\\u needs four hexadecimal digits");
                }
                self.at += 6;
            }
            _ => return self.fail("unknown escape"),
        }
        Ok(())
    }
}

/// Whether a control character is among the bytes. No early exit: the loop becomes vector code.
fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |found, &b| found | (b < b' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::json_string::unescape;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use serde::Deserialize;

    /// What serde_json makes of a line: the same contract, found by other means.
    #[derive(Deserialize)]
    struct Oracle {
        text: String,
    }

    /// The text of a line, by this scanner; `None` where the line is refused.
    fn text(line: &str) -> Option<String> {
        let mut texts = Vec::new();
        let mut keys_sound = true;
        object(line, 0, |key, value| {
            // A lone surrogate in a key is no matter of this scanner, but the oracle refuses it.
            keys_sound &= unescape(key.raw, &mut String::new()).is_ok();
            if key.raw == "text" {
                texts.push(value);
            }
        })
        .ok()
        .filter(|()| keys_sound)?;
        let [Value::String { range, escaped }] = &texts[..] else { return None };
        let mut text = String::new();
        unescape(&line[range.clone()], &mut text).ok()?;
        assert_eq!(*escaped, line[range.clone()].contains('\\'));
        Some(text)
    }

    fn same_as_oracle(line: &str) -> std::result::Result<(), TestCaseError> {
        // It would take an array for a struct, too.
        let oracle =
            serde_json::from_str::<Oracle>(line).ok().filter(|_| line.trim_start().starts_with('{')).map(|o| o.text);
        prop_assert_eq!(text(line), oracle, "{}", line);
        Ok(())
    }

    /// Lines of JSON tokens in any order: mostly broken, in every way tokens allow.
    fn soup() -> impl Strategy<Value = String> {
        const TOKENS: [&str; 27] = [
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"",
            "\\",
            " ",
            "\"text\"",
            "\"text\":",
            "\"a\"",
            "\"a\":1",
            "\\n",
            "\\u00e9",
            "\\ud83d",
            "\\ude00",
            "\\u00",
            "-",
            "0",
            "12",
            ".5",
            "e+1",
            "true",
            "null",
            "é",
            "\t",
        ];
        let inside = proptest::collection::vec(select(&TOKENS[..]), 0..7).prop_map(|t| t.concat());
        prop_oneof![inside.clone(), inside.prop_map(|i| format!("{{\"text\":\"a\",\"b\":{i}}}"))]
    }

    /// A valid record.
    fn record() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(Into::into),
            any::<f32>().prop_map(Into::into),
            "[\\x00-\\x{ff}漢😀]{0,6}".prop_map(Into::into),
        ];
        let value = leaf.prop_recursive(4, 12, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                proptest::collection::btree_map("[a-c\"\\\\]{0,2}", inner, 0..4).prop_map(|m| m.into_iter().collect()),
            ]
        });
        (value, "[\\x00-\\x{ff}漢😀]{0,9}")
            .prop_map(|(a, text)| serde_json::json!({ "a": a, "text": text }).to_string())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn token_soup_is_judged_as_serde_json_does(line in soup()) {
            same_as_oracle(&line)?;
        }

        #[test]
        fn records_and_their_mutants_are_judged_as_serde_json_does(
            line in record(),
            at in any::<Index>(),
            with in select(&["", "\"", "\\", "{", "}", "]", ",", " ", "0", "\u{1}", "é"][..]),
        ) {
            prop_assert!(text(&line).is_some());
            same_as_oracle(&line)?;
            let borders: Vec<usize> = line.char_indices().map(|(i, _)| i).collect();
            let at = at.index(borders.len());
            let end = borders.get(at + 1).copied().unwrap_or(line.len());
            same_as_oracle(&format!("{}{with}{}", &line[..borders[at]], &line[end..]))?;
            same_as_oracle(&format!("{}{with}{}", &line[..end], &line[end..]))?;
        }
    }

    #[test]
    fn depth_neither_recurses_nor_costs() {
        for open in ["[", "{\"a\":", "[{\"a\":["] {
            let line = format!("{{\"x\":{}", open.repeat(1_000_000));
            let error = object(&line, 0, |_, _| {}).unwrap_err();
            assert_eq!(error.what, "nested deeper than 128 levels");
            assert!(error.at < 1000);
        }
    }
}
