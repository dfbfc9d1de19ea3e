//! The loops over the inside of JSON strings: where does the string end, what does it say, and how is a text written as one?
//!
//! All look at blocks of 64 bytes as bit masks (quotes, backslashes, control characters). Which characters are
//! escaped follows from the backslashes by one addition (Langdale, Lemire, *Parsing gigabytes of JSON per second*,
//! VLDB Journal 2019). All between escapes is copied by the block; with AVX-512 a block of one-letter escapes is
//! translated and compressed at once.

#![allow(unsafe_code, reason = "vector instructions, and copies whose bounds are checked once a block")]

#[cfg(target_arch = "x86_64")]
mod x86;

use crate::cpu::Kernel;

const BLOCK: usize = 64;

/// What 64 bytes of a string hold, a bit a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Masks {
    quote: u64,
    backslash: u64,
    control: u64,
}

/// Where a string ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    /// Its closing quote, from the start of the bytes.
    pub(super) end: usize,
    /// Whether it holds a backslash.
    pub(super) escaped: bool,
}

/// Finds the end of the string whose inside `bytes` begin with. `None` if it has none, or something is wrong before
/// it: what and where is for a slower look. `O(string)`.
pub(super) fn scan_string(kernel: Kernel, bytes: &[u8]) -> Option<Scanned> {
    match kernel {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Kernel` values above `Portable` exist only where the processor was asked.
        Kernel::Avx512 => unsafe { x86::scan_avx512(bytes) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Kernel::Avx2 => unsafe { x86::scan_avx2(bytes) },
        _ => scan(bytes, masks),
    }
}

/// [`scan_string`] with one way to make masks.
#[inline(always)]
fn scan(bytes: &[u8], masks: impl Fn(&[u8; BLOCK]) -> Masks) -> Option<Scanned> {
    let (mut carry, mut backslashes, mut at) = (0, 0, 0);
    let mut tail = [0; BLOCK];
    while at < bytes.len() {
        let block = bytes[at..].first_chunk().unwrap_or_else(|| {
            // Behind the bytes stands neither a quote nor what would be wrong.
            tail = [b' '; BLOCK];
            tail[..bytes.len() - at].copy_from_slice(&bytes[at..]);
            &tail
        });
        let Masks { quote, backslash, control } = masks(block);
        let escaped = escaped(backslash, &mut carry);
        let ends = quote & !escaped;
        // All below the first end.
        let inside = ends.wrapping_sub(1) & !ends;
        if control & inside != 0 || !sound_escapes(&bytes[at..], escaped & inside) {
            return None;
        }
        backslashes |= backslash & inside;
        if ends != 0 {
            return Some(Scanned { end: at + ends.trailing_zeros() as usize, escaped: backslashes != 0 });
        }
        at += BLOCK;
    }
    None
}

/// Whether the bytes at the bits of `escaped` make sound escapes with the backslash before.
#[inline(always)]
fn sound_escapes(bytes: &[u8], mut escaped: u64) -> bool {
    while escaped != 0 {
        let at = escaped.trailing_zeros() as usize;
        let sound = match bytes.get(at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => true,
            Some(b'u') => bytes.get(at + 1..at + 5).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
            _ => false,
        };
        if !sound {
            return false;
        }
        escaped &= escaped - 1;
    }
    true
}

/// The bits of the characters behind a backslash that is not escaped itself. `carry`: the first one of the block is.
#[inline(always)]
fn escaped(backslash: u64, carry: &mut u64) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let backslash = backslash & !*carry;
    let follows = backslash << 1 | *carry;
    // A run of backslashes that begins at an odd place, plus its first bit, ends where its parity is known.
    let odd_starts = backslash & !EVEN & !follows;
    let (sum, overflow) = odd_starts.overflowing_add(backslash);
    *carry = u64::from(overflow);
    (EVEN ^ sum << 1) & follows
}

/// The masks of a block in portable code, written so that the compiler finds vectors where the target has any.
#[inline(always)]
fn masks(block: &[u8; BLOCK]) -> Masks {
    let (mut classes, mut seen) = ([0u8; BLOCK], 0);
    for (class, &byte) in classes.iter_mut().zip(block) {
        *class = u8::from(byte == b'"') | u8::from(byte == b'\\') << 1 | u8::from(byte < b' ') << 2;
        seen |= *class;
    }
    let gather = |bit: u32| {
        if seen >> bit & 1 == 0 {
            return 0;
        }
        classes.chunks_exact(8).enumerate().fold(0, |mask, (i, eight)| {
            let eight = u64::from_le_bytes(eight.try_into().expect("chunks of eight")) >> bit & 0x0101_0101_0101_0101;
            // Gathers the eight lowest bits into the top byte: the partial products do not overlap.
            mask | (eight.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i)
        })
    };
    Masks { quote: gather(0), backslash: gather(1), control: gather(2) }
}

/// Appends a text as the inside of a JSON string. `O(bytes)`.
pub(super) fn escape(kernel: Kernel, text: &[u8], out: &mut Vec<u8>) {
    match kernel {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Kernel` values above `Portable` exist only where the processor was asked.
        Kernel::Avx512 => unsafe { x86::escape_avx512(text, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Kernel::Avx2 => unsafe { x86::escape_avx2(text, out) },
        _ => escape_portable(text, out),
    }
}

/// [`escape`] byte by byte.
fn escape_portable(text: &[u8], out: &mut Vec<u8>) {
    let mut written = 0;
    for (place, &byte) in text.iter().enumerate() {
        if byte < b' ' || byte == b'"' || byte == b'\\' {
            out.extend_from_slice(&text[written..place]);
            push_escape(byte, out);
            written = place + 1;
        }
    }
    out.extend_from_slice(&text[written..]);
}

/// [`escape`] with one way to make masks.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn escape_with(text: &[u8], out: &mut Vec<u8>, masks: impl Fn(&[u8; BLOCK]) -> Masks) {
    let mut written = 0;
    let mut tail = [b' '; BLOCK];
    for at in (0..text.len()).step_by(BLOCK) {
        let block = text[at..].first_chunk().unwrap_or_else(|| {
            tail[..text.len() - at].copy_from_slice(&text[at..]);
            &tail
        });
        let Masks { quote, backslash, control } = masks(block);
        let mut special = quote | backslash | control;
        while special != 0 {
            let place = at + special.trailing_zeros() as usize;
            out.extend_from_slice(&text[written..place]);
            push_escape(text[place], out);
            written = place + 1;
            special &= special - 1;
        }
    }
    out.extend_from_slice(&text[written..]);
}

/// Appends the escape of a quote, a backslash or a control character, the shortest there is.
#[inline(always)]
fn push_escape(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let letter = match byte {
        8 => b'b',
        12 => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        control @ 0..0x20 => {
            let [high, low] = [control >> 4, control & 15].map(|digit| DIGITS[usize::from(digit)]);
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
        itself => itself,
    };
    out.extend_from_slice(&[b'\\', letter]);
}

/// Reads the escape at the start of the bytes: the character it stands for, and its length; `None` where it stands for
/// none.
pub(super) type ReadEscape = fn(&[u8]) -> Option<(char, usize)>;

/// Appends what the inside of a sound string says, to `out`.
///
/// # Errors
/// The offset of the first escape that `read` refuses; `out` then holds some of what stands before it.
pub(super) fn unescape(kernel: Kernel, raw: &str, out: &mut String, read: ReadEscape) -> Result<(), usize> {
    match kernel {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Kernel` values above `Portable` exist only where the processor was asked.
        Kernel::Avx512 => unsafe { x86::unescape_avx512(raw, out, read) },
        _ => unescape_from(raw, 0, out, read),
    }
}

/// Escapes one by one, from byte `at` on.
fn unescape_from(raw: &str, at: usize, out: &mut String, read: ReadEscape) -> Result<(), usize> {
    let mut rest = at;
    while let Some(hop) = memchr::memchr(b'\\', &raw.as_bytes()[rest..]) {
        let at = rest + hop;
        out.push_str(&raw[rest..at]);
        let (decoded, length) = read(&raw.as_bytes()[at..]).ok_or(at)?;
        out.push(decoded);
        rest = at + length;
    }
    out.push_str(&raw[rest..]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Byte by byte, from the grammar.
    fn naive(bytes: &[u8]) -> Option<Scanned> {
        let (mut at, mut escaped) = (0, false);
        loop {
            match bytes.get(at)? {
                b'"' => return Some(Scanned { end: at, escaped }),
                b'\\' if sound_escapes(&bytes[at + 1..], 1) => {
                    at += if bytes[at + 1] == b'u' { 6 } else { 2 };
                    escaped = true;
                }
                b'\\' | 0..0x20 => return None,
                _ => at += 1,
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn every_kernel_ends_strings_where_they_end(
            text in "([a-z ]{0,40}|\\\\{1,5}[\"nu]?|\\\\u00e9|\\\\u00g9|\\\\[\"/bfnrt]){0,12}[\"\\x01\\\\]?[a-z\"]{0,80}"
        ) {
            for kernel in Kernel::available() {
                prop_assert_eq!(scan_string(kernel, text.as_bytes()), naive(text.as_bytes()), "{:?}", kernel);
            }
        }
    }

    #[test]
    fn every_byte_has_its_masks() {
        for byte in 0..=255u8 {
            for at in [0, 31, 32, 63, 64] {
                let mut text = vec![b'x'; 130];
                text[at] = byte;
                text[129] = b'"';
                for kernel in Kernel::available() {
                    assert_eq!(scan_string(kernel, &text), naive(&text), "{kernel:?} {byte}");
                }
            }
        }
    }
}
