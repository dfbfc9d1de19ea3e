//! The site of a record: the host where its field holds a URL, else the value as it is.
//!
//! A URL counts as one when it is absolute and has a host: `scheme://[user[:password]@]host[:port]`, then `/`, `?`,
//! `#` or the end (RFC 3986, 3.2; a backslash ends it too, as in browsers). The host is lower-cased in its ASCII
//! letters and otherwise left as it is: `www.` may well be another site, and Unicode names stay as they were written.

use std::ops::Range;

/// The site that a value stands for. `buffer` holds it where the host had to be lower-cased. `O(bytes)`.
pub fn site<'a>(value: &'a str, buffer: &'a mut String) -> &'a str {
    let Some(host) = host(value) else { return value };
    let host = &value[host];
    if !host.bytes().any(|b| b.is_ascii_uppercase()) {
        return host;
    }
    buffer.clear();
    buffer.push_str(host);
    buffer.make_ascii_lowercase();
    buffer
}

/// Where the host of an absolute URL lies in it, brackets of an IPv6 address included.
fn host(url: &str) -> Option<Range<usize>> {
    let (scheme, rest) = url.split_once("://")?;
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if !named {
        return None;
    }
    let authority = &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())];
    let start = authority.rfind('@').map_or(0, |at| at + 1);
    let host = &authority[start..];
    let ports = if host.starts_with('[') { host.find(']').map(|at| at + 1) } else { host.find(':') };
    let len = ports.unwrap_or(host.len());
    let start = scheme.len() + "://".len() + start;
    (len > 0).then_some(start..start + len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hosts_are_cut_from_urls() {
        for (value, expected) in [
            ("https://example.org/a/b?c#d", "example.org"),
            ("http://WWW.Example.ORG", "www.example.org"),
            ("https://user:pa:ss@h.de:8443/x@y", "h.de"),
            ("http://[2001:DB8::1]:80/", "[2001:db8::1]"),
            ("https://h?q=http://other/", "h"),
            ("https://h\\@other/", "h"),
            ("svn+ssh://h/", "h"),
            ("https://bücher.example/", "bücher.example"),
            // No absolute URL with a host: the value itself.
            ("example.org", "example.org"),
            ("Example.org/a", "Example.org/a"),
            ("//h/a", "//h/a"),
            ("file:///a/b", "file:///a/b"),
            ("mailto:a@b.de", "mailto:a@b.de"),
            ("see http://h/", "see http://h/"),
            ("https://", "https://"),
            ("https://:80/", "https://:80/"),
            ("://h", "://h"),
            ("", ""),
        ] {
            assert_eq!(site(value, &mut String::new()), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_site(value in r"[a-zA-Z]{0,3}(://)?[@:/?#\[\]aBé]{0,12}") {
            let mut buffer = String::from("left over");
            let site = site(&value, &mut buffer);
            prop_assert!(site == value || !site.contains(['/', '?', '#', '@']), "{}", site);
        }
    }
}
