//! Rewritten rows obey the law, and restore gives the input back.

use super::*;
use proptest::prelude::*;
use proptest::sample::select;

/// A character as it may lie in a JSON string: raw text and meaning.
fn unit() -> impl Strategy<Value = String> {
    const ESCAPES: [&str; 17] = [
        r"\n",
        r#"\""#,
        r"\\",
        r"\/",
        r"\t",
        r"\u00e9",
        r"\u0000",
        r"\uD83D\uDE00",
        r"\ud83d\ude80",
        r"\u20ac",
        "é",
        "漢",
        "😀",
        "a",
        "b",
        " ",
        "ab ",
    ];
    select(&ESCAPES[..]).prop_map(str::to_owned)
}

fn string() -> impl Strategy<Value = String> {
    proptest::collection::vec(unit(), 0..12).prop_map(|units| units.concat())
}

fn space() -> impl Strategy<Value = &'static str> {
    select(&["", " ", "\t", "  "][..])
}

fn unknown() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        string().prop_map(|s| format!("\"{s}\"")),
        select(&["1", "-0.5e+3", "null", "true", "[]", "{}", r#"[1,{"text":"in"},[ ]]"#][..]).prop_map(str::to_owned),
    ];
    (select(&["id", "a", r"t\u0065xt2", "site", "a"][..]), space(), value)
        .prop_map(|(k, s, v)| format!("\"{k}\"{s}:{v}"))
}

/// A line with one text field among unknown ones, duplicates among them.
fn line() -> impl Strategy<Value = String> {
    let key = select(&["text", r"te\u0078t"][..]);
    let fields = proptest::collection::vec(unknown(), 0..4);
    let end = select(&["\n", "\r\n", " \n"][..]);
    (key, string(), fields, any::<proptest::sample::Index>(), space(), end).prop_map(
        |(key, text, mut fields, at, s, end)| {
            fields.insert(at.index(fields.len() + 1), format!("\"{key}\"{s}:{s}\"{text}\""));
            format!("{s}{{{}{s}}}{end}", fields.join(&format!("{s},{s}")))
        },
    )
}

/// Sorted, disjoint spans on character borders, chosen by a list of coin tosses.
fn spans(text: &str, tosses: &[bool]) -> Vec<ByteSpan> {
    let mut spans: Vec<ByteSpan> = Vec::new();
    for ((at, c), _) in text.char_indices().zip(tosses.iter().cycle()).filter(|(_, cut)| **cut) {
        let (start, end) = (u32::try_from(at).unwrap(), u32::try_from(at + c.len_utf8()).unwrap());
        match spans.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => spans.push(ByteSpan::new(start, end)),
        }
    }
    spans
}

pub(super) type Choice = (u8, Vec<bool>);

pub(super) fn choices() -> impl Strategy<Value = Vec<Choice>> {
    proptest::collection::vec((0u8..4, proptest::collection::vec(any::<bool>(), 1..7)), 1..8)
}

/// Rewrites, checks what is left against the law, restores.
pub(super) fn check(name: &str, input: &[u8], choices: &[Choice]) {
    let fields = Fields::default();
    let chunk = chunk(name, input);
    let before = texts(&chunk, &fields);
    let choice = |doc: usize| &choices[doc % choices.len()];
    let cuts: Vec<Vec<ByteSpan>> = before
        .iter()
        .enumerate()
        .map(|(doc, text)| text.as_ref().map_or(vec![], |text| spans(text, &choice(doc).1)))
        .collect();
    let action = |doc: u32| match choice(doc as usize).0 {
        0 => Action::Keep,
        1 => Action::Drop,
        _ if before[doc as usize].is_none() => Action::Keep,
        _ => Action::Cut(&cuts[doc as usize]),
    };
    let (mut out, mut sidecar) = (Vec::new(), Vec::new());
    let parts = rewrite(&chunk, &fields, action, &mut out, &mut |removed| {
        sidecar.push(serde_json::to_string(&removed).unwrap());
        Ok(())
    })
    .unwrap();

    let expected: Vec<Option<String>> = (0..)
        .zip(&before)
        .filter_map(|(doc, text)| match action(doc) {
            Action::Keep => Some(text.clone()),
            Action::Drop => None,
            Action::Cut(spans) => Some(Some(without(text.as_deref().unwrap(), spans))),
        })
        .collect();
    if !parts[0].absent {
        assert_eq!(texts(&super::chunk(name, &out), &fields), expected);
    }

    let mut reader = out.as_slice();
    let removed = sidecar.iter().map(|line| Ok(serde_json::from_str::<Removed<'_>>(line).unwrap()));
    let mut restored = Vec::new();
    let output = (!parts[0].absent).then_some(&mut reader as &mut dyn std::io::BufRead);
    restore(Format::of(name).unwrap().0, output, removed, &mut |bytes| {
        restored.extend_from_slice(bytes);
        Ok(())
    })
    .unwrap();
    assert_eq!(restored, input);
}

proptest! {
    #[test]
    fn json_lines(lines in proptest::collection::vec(prop_oneof![8 => line(), 1 => Just("\n".to_owned()), 1 => Just("{oops\r\n".to_owned())], 1..6), mark in any::<bool>(), open_end in any::<bool>(), choices in choices()) {
        let mut input = if mark { "\u{feff}".to_owned() } else { String::new() };
        input.push_str(&lines.concat());
        if open_end {
            input.truncate(input.trim_end().len());
        }
        check("a.jsonl", input.as_bytes(), &choices);
    }

    #[test]
    fn text_files(text in "\u{feff}?[a\\\\né\r漢😀]{0,20}", choices in choices()) {
        check("a.txt", text.as_bytes(), &choices);
    }
}

#[test]
fn bytes_outside_the_spans_stay() {
    let input = b"\xEF\xBB\xBF{ \"x\": [1 ,2], \"text\" : \"A\\u00e9\\nB\\ud83d\\ude00C\" ,\"x\":1}\r\n";
    let chunk = chunk("a.jsonl", input);
    let spans = [ByteSpan::new(1, 3), ByteSpan::new(5, 9)];
    let mut out = Vec::new();
    rewrite(&chunk, &Fields::default(), |_| Action::Cut(&spans), &mut out, &mut |_| Ok(())).unwrap();
    assert_eq!(out, b"\xEF\xBB\xBF{ \"x\": [1 ,2], \"text\" : \"A\\nBC\" ,\"x\":1}\r\n");
}

#[test]
fn a_span_after_the_text_is_an_error() {
    let spans = [ByteSpan::new(1, 30)];
    for (name, bytes) in [("a.jsonl", &b"{\"text\":\"abc\"}"[..]), ("a.txt", b"abc")] {
        let chunk = chunk(name, bytes);
        let result = rewrite(&chunk, &Fields::default(), |_| Action::Cut(&spans), &mut Vec::new(), &mut |_| Ok(()));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Resource);
    }
}
