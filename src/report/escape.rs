//! Foreign text inside a page, as text.
//!
//! Two places, two escapes: [`Escaped`] for markup and quoted attributes, [`script_json`] for JSON inside a `script`
//! element, where the only danger is markup that ends the element. Both leave no `<`, `>` or `&` of the text's own.

use serde::Serialize;
use std::fmt;

/// Text that displays as HTML with nothing in it that a browser would obey; control characters and marks that reorder
/// text become visible.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if commands(c) => write!(f, "[U+{:04X}]", u32::from(c))?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

/// Whether a character is there to command a display rather than to be seen.
pub(crate) fn commands(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// JSON that may stand inside a `script` element: the characters that could end it are written as escapes.
pub(super) fn script_json(value: &impl Serialize) -> serde_json::Result<String> {
    let json = serde_json::to_string(value)?;
    let mut safe = String::with_capacity(json.len() + json.len() / 16);
    let mut rest = json.as_str();
    // Most of a text is letters that need no look.
    while let Some(at) = rest.bytes().position(|b| matches!(b, b'<' | b'>' | b'&' | 0..0x20 | 0x7F..)) {
        safe.push_str(&rest[..at]);
        let c = rest[at..].chars().next().unwrap_or_default();
        if matches!(c, '<' | '>' | '&') || commands(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
        rest = &rest[at + c.len_utf8()..];
    }
    safe.push_str(rest);
    Ok(safe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive_script_json(text: &str) -> String {
        let escaped = |c: char| format!("\\u{:04x}", u32::from(c));
        let safe = |c: char| if matches!(c, '<' | '>' | '&') || commands(c) { escaped(c) } else { c.into() };
        serde_json::to_string(text).unwrap().chars().map(safe).collect()
    }

    proptest! {
        #[test]
        fn no_text_can_end_its_place(text in any::<String>()) {
            let json = script_json(&text).unwrap();
            prop_assert_eq!(&json, &naive_script_json(&text));
            let ends = json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
            prop_assert!(!ends, "{}", json);
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text.clone());
            let ends = Escaped(&text).to_string().contains(['<', '>', '"', '\'', '\u{202e}', '\0']);
            prop_assert!(!ends, "{}", Escaped(&text));
        }
    }

    #[test]
    fn text_stays_legible() {
        assert_eq!(Escaped("a<b> & \u{202e}c").to_string(), "a&lt;b&gt; &amp; [U+202E]c");
    }
}
