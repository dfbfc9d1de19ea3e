//! The kernel in portable code, written so that the compiler finds vectors where the target has any.

use super::{BLOCK, Borders, Carry, HEXAGRAMS, Isa, KANA, LAST_SINGLE, Masks, READ, SECOND, SPECIAL};
use crate::text::unicode::Pair;

#[derive(Default)]
pub(super) struct Portable(Folder);

const WORD: u8 = 1;
const HIGH: u8 = 2;
const MARKUP: u8 = 4;
const HYPHEN: u8 = 8;

impl Isa for Portable {
    #[inline(always)]
    unsafe fn masks(&mut self, block: *const u8, folded: *mut u8, pairs: &[Pair; 32]) -> Masks {
        // SAFETY: the caller promises that so many bytes can be read; bytes have no alignment.
        let block = unsafe { &*block.cast::<[u8; READ]>() };
        let mut lowered = std::array::from_fn(|i| lower(block[i]));
        let (mut classes, mut seen) = ([0u8; BLOCK], 0);
        for i in 0..BLOCK {
            let (byte, next) = (block[i], block[i + 1]);
            let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
            let digit = byte.wrapping_sub(b'0') < 10;
            let high = byte >= 0x80;
            let line_end = next == b'\n' || next == b'\r';
            let class = (u8::from(letter | digit | high) * WORD)
                | (u8::from(high) * HIGH)
                | (u8::from((byte == b'<') | (byte == b'&')) * MARKUP)
                | (u8::from((byte == b'-') & line_end) * HYPHEN);
            classes[i] = class;
            seen |= class;
        }
        let rare = |class| if seen & class == 0 { 0 } else { gather(&classes, class) };
        let (word, hard) = (gather(&classes, WORD), rare(HIGH));
        let mut masks = Masks { word, hard, markup: rare(MARKUP), hyphen: rare(HYPHEN), split: 0, gap: 0 };
        self.0.fold(&mut masks, block, &mut lowered, pairs);
        // SAFETY: the caller promises that 64 bytes can be written.
        unsafe { folded.cast::<[u8; BLOCK]>().write(lowered) };
        masks
    }

    #[inline(always)]
    unsafe fn write(first: u16, borders: Borders, starts: *mut u16, ends: *mut u16) {
        // SAFETY: the caller promises room for 64 offsets behind each pointer.
        unsafe { write_offsets(first, borders, starts, ends) };
    }
}

/// Folds plain characters one by one.
#[derive(Default)]
pub(super) struct Folder {
    carry: Carry,
    /// The second byte of a character whose first one ended the block before; 0 if there is none.
    second: u8,
}

impl Folder {
    /// Takes the plain characters of a block out of `hard`, says where runs are cut, and folds them in `folded`.
    #[inline(always)]
    pub(super) fn fold(&mut self, masks: &mut Masks, block: &[u8; READ], folded: &mut [u8; BLOCK], pairs: &[Pair; 32]) {
        if masks.hard == 0 {
            masks.enter_ascii(&mut self.carry);
            return;
        }
        if self.second != 0 {
            folded[0] = self.second;
            self.second = 0;
        }
        let (mut plain, mut single, mut gap) = (self.carry.open, 0, self.carry.gap);
        let mut left = masks.hard & !(plain | gap);
        (self.carry.open, self.carry.gap) = (0, 0);
        while left != 0 {
            let at = left.trailing_zeros() as usize;
            let three = [block[at], block[at + 1], block[at + 2]];
            let mut length = 1;
            if three[0] & 0xE0 == 0xC0 {
                length = 2;
                let pair = &pairs[usize::from(three[0] & 0x1F)];
                let second = usize::from(three[1] & 0x3F);
                if pair.first[second] != 0 {
                    plain |= 0b11 << at;
                    folded[at] = pair.first[second];
                    match folded.get_mut(at + 1) {
                        Some(byte) => *byte = pair.second[second],
                        None => (self.second, self.carry.open) = (pair.second[second], 1),
                    }
                } else if pair.second[second] == Pair::BREAK {
                    gap |= 0b11 << at;
                    self.carry.gap |= 0b11 >> (BLOCK - at).min(2);
                }
            } else if is_break_triple(three) {
                length = 3;
                gap |= 0b111 << at;
                self.carry.gap |= 0b111 >> (BLOCK - at).min(3);
            } else if is_plain_triple(three) {
                length = 3;
                plain |= 0b111 << at;
                single |= u64::from(three[0] <= LAST_SINGLE) << at;
                // What lies behind the block.
                self.carry.open |= 0b111 >> (BLOCK - at).min(3);
            }
            left &= !(((1 << length) - 1) << at);
        }
        masks.enter(plain, single, gap, &mut self.carry);
    }
}

#[inline(always)]
fn is_break_triple([first, second, third]: [u8; 3]) -> bool {
    let thirds = KANA[usize::from(third & 0x3F)];
    match [first, second] {
        [0xE2, 0x80] => thirds & 1 != 0,
        [0xE2, second] => second & 0xFC == 0x94,
        [0xE3, 0x80] => thirds & 0x10 != 0,
        [0xEF, 0xBC] => thirds & 0x20 != 0,
        _ => false,
    }
}

#[inline(always)]
fn is_plain_triple([first, second, third]: [u8; 3]) -> bool {
    let low = usize::from(first & 0x0F);
    first & 0xF0 == 0xE0
        && (SECOND[0][low]..=SECOND[1][low]).contains(&second)
        && [first, second] != HEXAGRAMS
        && (first != 0xE3 || KANA[usize::from(third & 0x3F)] >> (second & 0x0F) & 1 != 0)
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
        let bits = (word / u64::from(class)) & 0x0101_0101_0101_0101;
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
pub(super) unsafe fn write_offsets(first: u16, borders: Borders, starts: *mut u16, ends: *mut u16) {
    let (mut from, mut to) = (borders.starts, borders.ends);
    let mut n = 0;
    while from | to != 0 {
        for i in n..n + 4 {
            let (start, end) = (from.trailing_zeros() as u16, to.trailing_zeros() as u16);
            let special = (borders.special >> (end & 63)) as u16 & 1;
            // SAFETY: a mask has at most 33 borders, so `i` stays below 36.
            unsafe {
                starts.add(i).write(first.wrapping_add(start));
                ends.add(i).write(first.wrapping_add(end) | (special * SPECIAL));
            }
            from &= from.wrapping_sub(1);
            to &= to.wrapping_sub(1);
        }
        n += 4;
    }
}
