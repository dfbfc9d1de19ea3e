//! The inside of a JSON string: its text, and which raw bytes stand for which bytes of the text.
//!
//! Both walk the raw string in units: a run without a backslash (raw and decoded alike) or one escape. An escape is
//! atomic (`\n`, `\u00e9`, a surrogate pair `\ud83d\ude00`): no border ever falls inside. The string's grammar has
//! been checked by `json_scan`; only the pairing of surrogates is decided here. `O(raw bytes)`.

use super::kernel;
use crate::cpu::Kernel;
use crate::span::ByteSpan;
use memchr::memchr;
use std::ops::Range;

/// One escape: how many raw bytes it takes and what it stands for.
struct Escape {
    raw_len: usize,
    decoded: char,
}

/// Appends the text of the raw string to `out`; both are UTF-8.
///
/// # Errors
/// The raw offset of a surrogate that has no partner: it stands for no character.
pub(crate) fn unescape(raw: &str, out: &mut String) -> Result<(), usize> {
    kernel::unescape(Kernel::chosen(), raw, out, |raw| escape(raw).map(|e| (e.decoded, e.raw_len)))
}

/// Appends a text as the inside of a JSON string, to the byte as `serde_json` does.
pub(crate) fn escape_text(text: &str, out: &mut Vec<u8>) {
    kernel::escape(Kernel::chosen(), text.as_bytes(), out);
}

/// [`unescape`] for a string that may be broken UTF-8.
///
/// # Errors
/// As [`unescape`].
#[cfg(feature = "parquet")]
pub(crate) fn unescape_bytes(raw: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
    let mut rest = 0;
    while let Some(hop) = memchr(b'\\', &raw[rest..]) {
        let at = rest + hop;
        out.extend_from_slice(&raw[rest..at]);
        let escape = escape(&raw[at..]).ok_or(at)?;
        out.extend_from_slice(escape.decoded.encode_utf8(&mut [0; 4]).as_bytes());
        rest = at + escape.raw_len;
    }
    out.extend_from_slice(&raw[rest..]);
    Ok(())
}

/// Reads the escape that `raw` begins with; `None` where it is a lone surrogate.
fn escape(raw: &[u8]) -> Option<Escape> {
    let decoded = match raw.get(1)? {
        b'u' => return unicode_escape(raw),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        // No JSON has it otherwise; half of a character must not be taken for one.
        &other if other.is_ascii() => char::from(other),
        _ => return None,
    };
    Some(Escape { raw_len: 2, decoded })
}

fn unicode_escape(raw: &[u8]) -> Option<Escape> {
    let high = code_unit(raw)?;
    if let Some(decoded) = char::from_u32(high) {
        return Some(Escape { raw_len: 6, decoded });
    }
    let low = code_unit(raw.get(6..)?)?;
    let paired = (0xD800..0xDC00).contains(&high) && (0xDC00..0xE000).contains(&low);
    let decoded = char::from_u32(0x1_0000 + ((high & 0x3FF) << 10) + (low & 0x3FF)).filter(|_| paired)?;
    Some(Escape { raw_len: 12, decoded })
}

/// The number of an escape `\uXXXX`.
fn code_unit(raw: &[u8]) -> Option<u32> {
    let digits = raw.get(..6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |sum, &b| Some(sum << 4 | char::from(b).to_digit(16)?))
}

/// Turns spans of the decoded text into ranges of the raw string that stand for exactly these bytes.
///
/// Spans are sorted and disjoint. A border inside a character is a mistake of the caller; the range then shrinks to
/// whole characters, so that the rest stays valid. Empty ranges are left out.
///
/// # Errors
/// `Err` where a span ends after the text.
pub(crate) fn raw_ranges(raw: &str, spans: &[ByteSpan]) -> Result<Vec<Range<usize>>, ()> {
    let mut walk = Walk { raw, at: 0, text_at: 0 };
    let mut ranges = Vec::with_capacity(spans.len());
    for span in spans {
        let start = walk.seek(span.start as usize, Inside::After)?;
        let end = walk.seek(span.end as usize, Inside::Before)?;
        if start < end {
            ranges.push(start..end);
        }
    }
    Ok(ranges)
}

/// For the fuzzer: cutting spans of characters out of a raw string is cutting them out of its text.
#[cfg(fuzzing)]
pub fn probe_splice(raw: &str, wanted: &[(u16, u16)]) {
    let mut text = String::new();
    if raw.contains('"') || unescape(raw, &mut text).is_err() {
        return;
    }
    let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let (mut spans, mut from) = (Vec::new(), 0);
    for &(skip, take) in wanted {
        let start = from + usize::from(skip) % 64;
        let Some((&start, &end)) = borders.get(start).zip(borders.get(start + usize::from(take) % 64)) else { break };
        from = borders.partition_point(|&border| border < end);
        let narrow = |at: usize| u32::try_from(at).expect("fuzzed texts are short");
        spans.push(ByteSpan::new(narrow(start), narrow(end)));
    }
    let (mut left, mut expected, mut at, mut raw_at) = (String::new(), String::new(), 0, 0);
    for range in raw_ranges(raw, &spans).expect("the spans lie in the text") {
        left.push_str(&raw[raw_at..range.start]);
        raw_at = range.end;
    }
    left.push_str(&raw[raw_at..]);
    for span in &spans {
        expected.push_str(&text[at..span.start as usize]);
        at = span.end as usize;
    }
    expected.push_str(&text[at..]);
    let mut decoded = String::new();
    unescape(&left, &mut decoded).expect("what is left is valid");
    assert_eq!(decoded, expected);
}

/// Where a border inside a character moves to.
#[derive(Clone, Copy)]
enum Inside {
    Before,
    After,
}

/// Walks a raw string and counts its decoded bytes.
struct Walk<'a> {
    raw: &'a str,
    /// Raw offset, always between two units or inside a run.
    at: usize,
    /// The decoded offset that belongs to `at`.
    text_at: usize,
}

impl Walk<'_> {
    /// The raw offset of a decoded one; targets ascend from call to call.
    fn seek(&mut self, target: usize, inside: Inside) -> Result<usize, ()> {
        debug_assert!(self.text_at <= target, "spans ascend");
        while self.text_at < target {
            let rest = &self.raw.as_bytes()[self.at..];
            let run = memchr(b'\\', rest).unwrap_or(rest.len()).min(target - self.text_at);
            self.at += run;
            self.text_at += run;
            if self.text_at == target {
                break;
            }
            let escape = escape(&self.raw.as_bytes()[self.at..]).ok_or(())?;
            if self.text_at + escape.decoded.len_utf8() > target {
                debug_assert!(false, "a span border falls inside a character");
                return Ok(if matches!(inside, Inside::After) { self.at + escape.raw_len } else { self.at });
            }
            self.at += escape.raw_len;
            self.text_at += escape.decoded.len_utf8();
        }
        debug_assert!(self.raw.is_char_boundary(self.at), "a span border falls inside a character");
        let mut border = self.at;
        while !self.raw.is_char_boundary(border) {
            match inside {
                Inside::Before => border -= 1,
                Inside::After => border += 1,
            }
        }
        Ok(border)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(raw: &str) -> Result<String, usize> {
        let mut out = String::new();
        unescape(raw, &mut out).map(|()| out)
    }

    #[test]
    fn a_backslash_before_a_wide_character_is_no_escape() {
        for raw in ["9\\\u{1FC}C", "\\\u{4E2D}", "\\n\\\u{E9}"] {
            assert!(unescape(raw, &mut String::new()).is_err(), "{raw}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn every_kernel_reads_the_same(
            raw in "([a-zé漢 ]{0,50}|(\\\\\\\\){1,3}|(\\\\u00e9){1,9}|\\\\ud83d\\\\ude00|(\\\\[\"/bfnrt]){1,3}|\\\\ud83d){0,9}"
        ) {
            let mut expected = String::from("x");
            let mut at = 0;
            let result = loop {
                let Some(first) = raw[at..].chars().next() else { break Ok(()) };
                if first != '\\' {
                    expected.push(first);
                    at += first.len_utf8();
                } else if let Some(escape) = escape(&raw.as_bytes()[at..]) {
                    expected.push(escape.decoded);
                    at += escape.raw_len;
                } else {
                    break Err(at);
                }
            };
            for kernel in Kernel::available() {
                let mut out = String::from("x");
                let read = |raw: &[u8]| escape(raw).map(|e| (e.decoded, e.raw_len));
                prop_assert_eq!(kernel::unescape(kernel, &raw, &mut out, read), result);
                prop_assert_eq!(&out, &expected);
            }
        }
    }

    proptest! {
        #[test]
        fn every_kernel_writes_what_serde_json_does(text in "([a-z é漢]{0,50}|[\\x00-\\x22\\\\\\x7f]{1,9}){0,9}") {
            for kernel in Kernel::available() {
                let mut out = b"x\"".to_vec();
                kernel::escape(kernel, text.as_bytes(), &mut out);
                let expected = format!("x{}", serde_json::to_string(&text).unwrap());
                prop_assert_eq!(String::from_utf8(out).unwrap() + "\"", expected);
            }
        }
    }

    #[test]
    fn escapes_are_read() {
        let raw = r#"a\n\"\\\/\b\f\r\t\u00e9\u0000\ud83d\ude00é"#;
        assert_eq!(text(raw).unwrap(), "a\n\"\\/\u{8}\u{c}\r\t\u{e9}\0\u{1f600}é");
    }

    #[test]
    fn lone_surrogates_are_refused_where_they_stand() {
        for raw in [r"ab\ud83d", r"ab\ude00", r"ab\ud83dx", r"ab\ud83d\n", r"ab\ud83d\ud83d\ude00", r"ab\ud83d\u0041"] {
            assert_eq!(text(raw), Err(2), "{raw}");
        }
    }

    #[test]
    fn spans_map_to_whole_escapes() {
        let raw = r"a\u00e9b\ud83d\ude00\nc";
        let spans = [ByteSpan::new(1, 3), ByteSpan::new(4, 9)];
        assert_eq!(raw_ranges(raw, &spans).unwrap(), [1..7, 8..22]);
        assert_eq!(raw_ranges("é\\n", &[ByteSpan::new(0, 4)]), Err(()));
    }
}
