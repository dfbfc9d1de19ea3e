//! The kernel for x86-64 with AVX2 or AVX-512.

use super::portable::{Folder, write_offsets};
use super::{
    BLOCK, Borders, CHUNK, Carry, HEXAGRAMS, Isa, KANA, LAST_SINGLE, Masks, Runs, SECOND, SPECIAL, find, hash_runs,
};
use crate::text::unicode::Pair;
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

#[derive(Default)]
struct Avx2(Folder);

/// What one block hands to the next.
#[derive(Default)]
struct Avx512 {
    carry: Carry,
    /// The last byte of the block, which may begin a character of two.
    last: u8,
    /// It does, and that character is plain.
    second: bool,
}

/// # Safety
/// The processor has these instructions; `at <= text.len()`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) unsafe fn find_avx2(runs: &mut Runs, pairs: &[Pair; 32], text: &[u8], at: usize) {
    // SAFETY: the caller's promises.
    unsafe { find::<Avx2>(runs, pairs, text, at) }
}

/// # Safety
/// The processor has these instructions; `at <= text.len()`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2")]
pub(super) unsafe fn find_avx512(runs: &mut Runs, pairs: &[Pair; 32], text: &[u8], at: usize) {
    // SAFETY: the caller's promises.
    unsafe { find::<Avx512>(runs, pairs, text, at) }
}

/// [`hash_runs`] with a multiplication that leaves the flags alone.
///
/// # Safety
/// As [`hash_runs`]; the processor has BMI2.
#[target_feature(enable = "bmi1,bmi2")]
pub(super) unsafe fn hash_runs_bmi2(runs: &Runs, first: usize, room: &mut [MaybeUninit<u64>]) -> usize {
    // SAFETY: the caller's promises.
    unsafe { hash_runs(runs, first, room) }
}

impl Isa for Avx2 {
    #[inline(always)]
    unsafe fn masks(&mut self, block: *const u8, folded: *mut u8, pairs: &[Pair; 32]) -> Masks {
        // SAFETY: the caller promises AVX2 and the bytes: each half loads 32 of them and 32 one byte later, and
        // stores 32.
        unsafe {
            let (low, high) = (half_masks(block, folded), half_masks(block.add(BLOCK / 2), folded.add(BLOCK / 2)));
            let join = |i: usize| u64::from(low[i]) | u64::from(high[i]) << 32;
            let mut masks = Masks { word: join(0), hard: join(1), markup: join(2), hyphen: join(3), split: 0, gap: 0 };
            self.0.fold(&mut masks, &*block.cast(), &mut *folded.cast(), pairs);
            masks
        }
    }

    #[inline(always)]
    unsafe fn write(first: u16, borders: Borders, starts: *mut u16, ends: *mut u16) {
        // SAFETY: the caller promises room for 64 offsets behind each pointer.
        unsafe { write_offsets(first, borders, starts, ends) };
    }
}

/// Word, high, markup and hyphen masks of 32 bytes, and their folded copy.
///
/// # Safety
/// The processor has AVX2; 33 bytes can be read and 32 written.
#[inline(always)]
#[expect(clippy::cast_sign_loss, reason = "masks")]
#[expect(clippy::cast_possible_wrap, reason = "bytes")]
unsafe fn half_masks(block: *const u8, folded: *mut u8) -> [u32; 4] {
    // SAFETY: the caller's promises.
    unsafe {
        let byte = |b: u8| _mm256_set1_epi8(b as i8);
        let bytes = _mm256_loadu_si256(block.cast());
        let next = _mm256_loadu_si256(block.add(1).cast());
        let is = |b: u8| _mm256_cmpeq_epi8(bytes, byte(b));
        let next_is = |b: u8| _mm256_cmpeq_epi8(next, byte(b));
        // Comparison is signed: what should be below `n` is moved to the `n` highest values.
        let lower = _mm256_or_si256(bytes, byte(0x20));
        let letter = _mm256_cmpgt_epi8(_mm256_add_epi8(lower, byte(0x7F - b'z')), byte(0x7F - 26));
        let digit = _mm256_cmpgt_epi8(_mm256_add_epi8(bytes, byte(0x7F - b'9')), byte(0x7F - 10));
        let word = _mm256_or_si256(_mm256_or_si256(letter, digit), bytes);
        let markup = _mm256_or_si256(is(b'<'), is(b'&'));
        let hyphen = _mm256_and_si256(is(b'-'), _mm256_or_si256(next_is(b'\n'), next_is(b'\r')));
        // `bytes` chooses where its highest bit is set.
        _mm256_storeu_si256(folded.cast(), _mm256_blendv_epi8(lower, bytes, bytes));
        [word, bytes, markup, hyphen].map(|mask| _mm256_movemask_epi8(mask) as u32)
    }
}

const WORD: u8 = 0x80;
const MARKUP: u8 = 1;
const CLASSES: [u8; 128] = classes();
const PLACES: [u8; BLOCK] = places();

const fn classes() -> [u8; 128] {
    let mut table = [0; 128];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => WORD,
            b'<' | b'&' => MARKUP,
            _ => 0,
        };
        byte += 1;
    }
    table
}

const fn places() -> [u8; BLOCK] {
    let mut places = [0; BLOCK];
    let mut i = 0u8;
    while i < 64 {
        places[i as usize] = i;
        i += 1;
    }
    places
}

impl Isa for Avx512 {
    #[inline(always)]
    #[expect(clippy::cast_possible_wrap, reason = "bytes")]
    unsafe fn masks(&mut self, block: *const u8, folded: *mut u8, pairs: &[Pair; 32]) -> Masks {
        // SAFETY: the caller promises AVX-512 and the bytes: 64 are loaded, and 64 one byte later, and 64 stored. The
        // table has 128 entries, two registers full.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(block.wrapping_add(CHUNK).cast());
            let classes = [0, 1].map(|half| _mm512_loadu_si512(CLASSES.as_ptr().add(half * BLOCK).cast()));
            let bytes = _mm512_loadu_si512(block.cast());
            let next = _mm512_loadu_si512(block.add(1).cast());
            let class = _mm512_permutex2var_epi8(classes[0], bytes, classes[1]);
            let high = _mm512_movepi8_mask(bytes);
            // The highest bit of a class says that the byte is of a word, as that of a byte itself does.
            let word = _mm512_movepi8_mask(_mm512_or_si512(class, bytes));
            // The lookup does not see the highest bit of a byte.
            let markup = _mm512_test_epi8_mask(class, _mm512_set1_epi8(MARKUP as i8)) & !high;
            let hyphen = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'-' as i8));
            let feed = _mm512_mask_cmpeq_epi8_mask(hyphen, next, _mm512_set1_epi8(b'\n' as i8));
            let carriage = _mm512_mask_cmpeq_epi8_mask(hyphen, next, _mm512_set1_epi8(b'\r' as i8));
            let lower = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
            let mut masks = Masks { word, hard: high, markup, hyphen: feed | carriage, split: 0, gap: 0 };
            if high == 0 {
                masks.enter_ascii(&mut self.carry);
                _mm512_storeu_si512(folded.cast(), lower);
            } else {
                let lower = _mm512_mask_mov_epi8(lower, high, bytes);
                let third = _mm512_loadu_si512(block.add(2).cast());
                _mm512_storeu_si512(folded.cast(), self.fold(&mut masks, [bytes, next, third], lower, pairs));
                self.last = block.add(BLOCK - 1).read();
            }
            masks
        }
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_wrap, reason = "bits")]
    #[expect(clippy::cast_possible_truncation, reason = "a bit, and its place")]
    unsafe fn write(first: u16, borders: Borders, starts: *mut u16, ends: *mut u16) {
        // SAFETY: the caller promises AVX-512 and room for 64 offsets behind each pointer; 32 are written, and one more
        // where a block has it.
        unsafe {
            let places = _mm512_loadu_si512(PLACES.as_ptr().cast());
            let base = _mm512_set1_epi16(first as i16);
            let wide = |places| _mm512_cvtepu8_epi16(_mm512_castsi512_si256(places));
            let from = wide(_mm512_maskz_compress_epi8(borders.starts, places));
            let marked = _mm512_mask_add_epi8(places, borders.special, places, _mm512_set1_epi8(i8::MIN));
            let to = wide(_mm512_maskz_compress_epi8(borders.ends, marked));
            // The mark moves from bit 7 to bit 15.
            let special = _mm512_and_si512(_mm512_slli_epi16::<8>(to), _mm512_set1_epi16(SPECIAL as i16));
            let to = _mm512_and_si512(to, _mm512_set1_epi16(0x7F));
            _mm512_storeu_si512(starts.cast(), _mm512_add_epi16(from, base));
            _mm512_storeu_si512(ends.cast(), _mm512_or_si512(_mm512_add_epi16(to, base), special));
            // A register holds 32; the last border is the highest bit.
            if borders.starts.count_ones() > 32 {
                starts.add(32).write(first + (63 - borders.starts.leading_zeros() as u16));
            }
            if borders.ends.count_ones() > 32 {
                let place = 63 - borders.ends.leading_zeros() as u16;
                let special = (borders.special >> place) as u16 & 1;
                ends.add(32).write((first + place) | (special * SPECIAL));
            }
        }
    }
}

impl Avx512 {
    /// Takes plain characters out of `hard`, says where runs are cut, and gives `lower` with the plain ones folded.
    ///
    /// # Safety
    /// The processor has AVX-512.
    #[inline(always)]
    unsafe fn fold(
        &mut self,
        masks: &mut Masks,
        [bytes, next, third]: [__m512i; 3],
        lower: __m512i,
        pairs: &[Pair; 32],
    ) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe {
            let (two, two_gap, folded) = self.pairs(bytes, next, lower, pairs);
            let (three, single, three_gap) = triples(masks.hard, bytes, next, third);
            let plain = two | two << 1 | three | three << 1 | three << 2 | self.carry.open;
            self.carry.open = two >> 63 | three >> 63 | three >> 62;
            self.second = two >> 63 != 0;
            let gap = two_gap | two_gap << 1 | three_gap | three_gap << 1 | three_gap << 2 | self.carry.gap;
            self.carry.gap = two_gap >> 63 | three_gap >> 63 | three_gap >> 62;
            masks.enter(plain, single, gap, &mut self.carry);
            folded
        }
    }
}

impl Avx512 {
    /// First bytes of plain characters of two bytes, of those that end words, and `lower` with these characters folded.
    ///
    /// # Safety
    /// The processor has AVX-512.
    #[inline(always)]
    #[expect(clippy::cast_possible_wrap, reason = "bytes")]
    unsafe fn pairs(&self, bytes: __m512i, next: __m512i, lower: __m512i, pairs: &[Pair; 32]) -> (u64, u64, __m512i) {
        // SAFETY: the caller's promise; each table is a register full.
        unsafe {
            let table = |table: &[u8; BLOCK]| _mm512_loadu_si512(table.as_ptr().cast());
            let (mut plain, mut gap, mut folded) = (0, 0, lower);
            if self.second {
                // The second half of a character that began in the block before.
                let seconds = table(&pairs[usize::from(self.last & 0x1F)].second);
                folded = _mm512_mask_permutexvar_epi8(folded, 1, bytes, seconds);
            }
            // C2 to DF begin characters of two bytes.
            let prefix = _mm512_and_si512(bytes, _mm512_set1_epi8(0xE0_u8 as i8));
            let mut left = _mm512_cmpeq_epi8_mask(prefix, _mm512_set1_epi8(0xC0_u8 as i8));
            while left != 0 {
                // All characters with the same first byte at once.
                let at = _mm512_maskz_compress_epi8(left, bytes);
                let first = _mm512_cvtsi512_si32(at).to_le_bytes()[0];
                let same = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(first as i8));
                let pair = &pairs[usize::from(first & 0x1F)];
                let firsts = _mm512_maskz_permutexvar_epi8(same, next, table(&pair.first));
                let sound = _mm512_test_epi8_mask(firsts, firsts);
                folded = _mm512_mask_mov_epi8(folded, sound, firsts);
                folded = _mm512_mask_permutexvar_epi8(folded, sound << 1, bytes, table(&pair.second));
                plain |= sound;
                let seconds = _mm512_permutexvar_epi8(next, table(&pair.second));
                gap |= _mm512_mask_cmpeq_epi8_mask(same & !sound, seconds, _mm512_set1_epi8(Pair::BREAK as i8));
                left &= !same;
            }
            (plain, gap, folded)
        }
    }
}

/// First bytes of plain characters of three bytes, of those of them that are tokens of their own, and of those that end
/// words.
///
/// # Safety
/// The processor has AVX-512.
#[inline(always)]
#[expect(clippy::cast_possible_wrap, reason = "bytes")]
unsafe fn triples(high: u64, bytes: __m512i, next: __m512i, third: __m512i) -> (u64, u64, u64) {
    // SAFETY: the caller's promise; the tables are as long as what is loaded.
    unsafe {
        let byte = |b: u8| _mm512_set1_epi8(b as i8);
        let prefix = _mm512_and_si512(bytes, byte(0xF0));
        let first = _mm512_mask_cmpeq_epi8_mask(high, prefix, byte(0xE0));
        if first == 0 {
            return (0, 0, 0);
        }
        let of = |table: &[u8; 16]| {
            let four = _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast()));
            // The lookup is by the lowest four bits, where the highest is clear.
            _mm512_shuffle_epi8(four, _mm512_and_si512(bytes, byte(0x0F)))
        };
        let plain = _mm512_mask_cmpge_epu8_mask(first, next, of(&SECOND[0]));
        let plain = _mm512_mask_cmple_epu8_mask(plain, next, of(&SECOND[1]));
        let hexagram = _mm512_mask_cmpeq_epi8_mask(plain, bytes, byte(HEXAGRAMS[0]));
        let hexagram = _mm512_mask_cmpeq_epi8_mask(hexagram, next, byte(HEXAGRAMS[1]));
        let kana = _mm512_mask_cmpeq_epi8_mask(plain, bytes, byte(0xE3));
        let kinds = _mm512_permutexvar_epi8(third, _mm512_loadu_si512(KANA.as_ptr().cast()));
        // Bit n for `E3 80+n`: 81 to 83 become 2, 4, 8.
        let kind = _mm512_shuffle_epi8(
            _mm512_broadcast_i32x4(_mm_setr_epi8(1, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)),
            _mm512_and_si512(next, byte(0x0F)),
        );
        let odd = kana & !_mm512_test_epi8_mask(kinds, kind);
        let plain = plain & !hexagram & !odd;
        let behind = |a: u8, b: u8| {
            let first = _mm512_mask_cmpeq_epi8_mask(first, bytes, byte(a));
            _mm512_mask_cmpeq_epi8_mask(first, next, byte(b))
        };
        let mut gap = _mm512_mask_test_epi8_mask(behind(0xE2, 0x80), kinds, byte(1));
        gap |= _mm512_mask_test_epi8_mask(behind(0xE3, 0x80), kinds, byte(0x10));
        gap |= _mm512_mask_test_epi8_mask(behind(0xEF, 0xBC), kinds, byte(0x20));
        let symbols = _mm512_mask_cmpeq_epi8_mask(first, bytes, byte(0xE2));
        gap |= _mm512_mask_cmpeq_epi8_mask(symbols, _mm512_and_si512(next, byte(0xFC)), byte(0x94));
        (plain, _mm512_mask_cmple_epu8_mask(plain, bytes, byte(LAST_SINGLE)), gap)
    }
}
