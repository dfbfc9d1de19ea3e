//! The kernel in portable code, written so that the compiler finds vectors where the target has any.

use super::{BLOCK, Borders, Isa, Masks, READ, SPECIAL};
use crate::text::unicode::Pair;

#[derive(Default)]
pub(super) struct Portable;

const WORD: u8 = 1;
const HIGH: u8 = 2;
const MARKUP: u8 = 4;
const HYPHEN: u8 = 8;

impl Isa for Portable {
    #[inline(always)]
    unsafe fn masks(&mut self, block: *const u8, folded: *mut u8, _: &[Pair; 32]) -> Masks {
        // SAFETY: the caller promises that so many bytes can be read; bytes have no alignment.
        let block = unsafe { &*block.cast::<[u8; READ]>() };
        // SAFETY: the caller promises that 64 bytes can be written.
        unsafe { folded.cast::<[u8; BLOCK]>().write(std::array::from_fn(|i| lower(block[i]))) };
        let (mut classes, mut seen) = ([0u8; BLOCK], 0);
        for i in 0..BLOCK {
            let (byte, next) = (block[i], block[i + 1]);
            let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
            let digit = byte.wrapping_sub(b'0') < 10;
            let high = byte >= 0x80;
            let line_end = next == b'\n' || next == b'\r';
            let class = u8::from(letter | digit | high) * WORD
                | u8::from(high) * HIGH
                | u8::from((byte == b'<') | (byte == b'&')) * MARKUP
                | u8::from((byte == b'-') & line_end) * HYPHEN;
            classes[i] = class;
            seen |= class;
        }
        let rare = |class| if seen & class == 0 { 0 } else { gather(&classes, class) };
        Masks { word: gather(&classes, WORD), hard: rare(HIGH), markup: rare(MARKUP), hyphen: rare(HYPHEN), split: 0 }
    }

    #[inline(always)]
    unsafe fn write(base: u16, borders: Borders, starts: *mut u16, ends: *mut u16) {
        // SAFETY: the caller promises room for 64 offsets behind each pointer.
        unsafe { write_offsets(base, borders, starts, ends) };
    }
}

/// Letters get bit 5 set, digits have it set already.
#[inline(always)]
fn lower(byte: u8) -> u8 {
    if byte < 0x80 { byte | 0x20 } else { byte }
}

/// The bit `class` of every byte, as a mask.
#[inline(always)]
fn gather(classes: &[u8; BLOCK], class: u8) -> u64 {
    classes.chunks_exact(8).enumerate().fold(0, |mask, (i, eight)| {
        let word = u64::from_le_bytes(eight.try_into().expect("chunks of eight"));
        let bits = word / u64::from(class) & 0x0101_0101_0101_0101;
        // Gathers the eight lowest bits into the top byte: the partial products do not overlap.
        mask | (bits.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i)
    })
}

/// Offsets are written four at a time, more than there are: the number of rounds is guessed better than the number
/// of bits.
///
/// # Safety
/// 64 offsets can be written to each pointer.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a bit's place is at most 64")]
pub(super) unsafe fn write_offsets(base: u16, borders: Borders, starts: *mut u16, ends: *mut u16) {
    let (mut from, mut to) = (borders.starts, borders.ends);
    let mut n = 0;
    while from | to != 0 {
        for i in n..n + 4 {
            let (start, end) = (from.trailing_zeros() as u16, to.trailing_zeros() as u16);
            let special = (borders.special >> (end & 63)) as u16 & 1;
            // SAFETY: a mask has at most 32 runs, so `i` stays below 36.
            unsafe {
                starts.add(i).write(base.wrapping_add(start));
                ends.add(i).write(base.wrapping_add(end) | (special * SPECIAL));
            }
            from &= from.wrapping_sub(1);
            to &= to.wrapping_sub(1);
        }
        n += 4;
    }
}
