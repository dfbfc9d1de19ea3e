//! The kernel for x86-64 with AVX2 or AVX-512.

use super::portable::write_offsets;
use super::{BLOCK, Borders, Isa, Masks, Runs, SPECIAL, find, hash_runs};
use crate::text::unicode::Pair;
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

#[derive(Default)]
struct Avx2;

/// What one block hands to the next: first bytes of plain characters of two and three bytes, as they stood in it, those
/// of three that are tokens of their own, and its last byte.
#[derive(Default)]
struct Avx512 {
    two: u64,
    three: u64,
    single: u64,
    last: u8,
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
    unsafe fn masks(&mut self, block: *const u8, folded: *mut u8, _: &[Pair; 32]) -> Masks {
        // SAFETY: the caller promises AVX2 and the bytes: each half loads 32 of them and 32 one byte later, and
        // stores 32.
        unsafe {
            let (low, high) = (half_masks(block, folded), half_masks(block.add(BLOCK / 2), folded.add(BLOCK / 2)));
            let join = |i: usize| u64::from(low[i]) | u64::from(high[i]) << 32;
            Masks { word: join(0), hard: join(1), markup: join(2), hyphen: join(3), split: 0 }
        }
    }

    #[inline(always)]
    unsafe fn write(base: u16, borders: Borders, starts: *mut u16, ends: *mut u16) {
        // SAFETY: the caller promises room for 64 offsets behind each pointer.
        unsafe { write_offsets(base, borders, starts, ends) };
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

const WORD: u8 = 1;
const MARKUP: u8 = 2;
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
            let classes = [0, 1].map(|half| _mm512_loadu_si512(CLASSES.as_ptr().add(half * BLOCK).cast()));
            let bytes = _mm512_loadu_si512(block.cast());
            let next = _mm512_loadu_si512(block.add(1).cast());
            let class = _mm512_permutex2var_epi8(classes[0], bytes, classes[1]);
            let high = _mm512_movepi8_mask(bytes);
            // The lookup does not see the highest bit.
            let is = |bit: u8| _mm512_mask_test_epi8_mask(!high, class, _mm512_set1_epi8(bit as i8));
            let hyphen = _mm512_mask_cmpeq_epi8_mask(!high, bytes, _mm512_set1_epi8(b'-' as i8));
            let feed = _mm512_mask_cmpeq_epi8_mask(hyphen, next, _mm512_set1_epi8(b'\n' as i8));
            let carriage = _mm512_mask_cmpeq_epi8_mask(hyphen, next, _mm512_set1_epi8(b'\r' as i8));
            let lower = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
            let lower = _mm512_mask_mov_epi8(lower, high, bytes);
            let mut masks =
                Masks { word: is(WORD) | high, hard: high, markup: is(MARKUP), hyphen: feed | carriage, split: 0 };
            if high == 0 {
                *self = Self::default();
                _mm512_storeu_si512(folded.cast(), lower);
            } else {
                let plain = self.fold(&mut masks, bytes, next, _mm512_loadu_si512(block.add(2).cast()), lower, pairs);
                _mm512_storeu_si512(folded.cast(), plain);
                self.last = block.add(BLOCK - 1).read();
            }
            masks
        }
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_wrap, reason = "bits")]
    unsafe fn write(base: u16, borders: Borders, starts: *mut u16, ends: *mut u16) {
        // SAFETY: the caller promises AVX-512 and room for 64 offsets behind each pointer; 32 are written.
        unsafe {
            let places = _mm512_loadu_si512(PLACES.as_ptr().cast());
            let base = _mm512_set1_epi16(base as i16);
            let wide = |places| _mm512_cvtepu8_epi16(_mm512_castsi512_si256(places));
            let from = wide(_mm512_maskz_compress_epi8(borders.starts, places));
            let marked = _mm512_mask_add_epi8(places, borders.special, places, _mm512_set1_epi8(i8::MIN));
            let to = wide(_mm512_maskz_compress_epi8(borders.ends, marked));
            // The mark moves from bit 7 to bit 15.
            let special = _mm512_and_si512(_mm512_slli_epi16::<8>(to), _mm512_set1_epi16(SPECIAL as i16));
            let to = _mm512_and_si512(to, _mm512_set1_epi16(0x7F));
            _mm512_storeu_si512(starts.cast(), _mm512_add_epi16(from, base));
            _mm512_storeu_si512(ends.cast(), _mm512_or_si512(_mm512_add_epi16(to, base), special));
        }
    }
}

/// Second bytes of plain characters of three bytes, least and greatest, by the lowest four bits of the first byte;
/// none where the first is greater.
const SECOND: [[u8; 16]; 2] = {
    // E3: Kana; E4 to E9: Han, but E4 B7 (hexagrams); EA to ED: Hangul syllables.
    let least = [0xFF, 0xFF, 0xFF, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0xB0, 0x80, 0x80, 0x80, 0xFF, 0xFF];
    let greatest = [0, 0, 0, 0x83, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0x9D, 0, 0];
    [least, greatest]
};

/// Which third bytes, by their lowest six bits, make plain Kana: bit n behind `E3 80+n`.
const KANA: [u8; BLOCK] = {
    let mut table = [0; BLOCK];
    let mut third = 0u8;
    while third < 64 {
        // Left out: unassigned codes, voicing marks, the middle dot, ligatures and their like.
        let first = third >= 1;
        let second = third <= 0x16 || third >= 0x21;
        let last = third <= 0x3A || third >= 0x3C && third <= 0x3E;
        table[third as usize] = (first as u8) << 1 | (second as u8) << 2 | (last as u8) << 3;
        third += 1;
    }
    table
};

impl Avx512 {
    /// Takes plain characters out of `hard`, says where runs are cut, and gives `lower` with the plain ones folded.
    ///
    /// # Safety
    /// The processor has AVX-512.
    #[inline(always)]
    unsafe fn fold(
        &mut self,
        masks: &mut Masks,
        bytes: __m512i,
        next: __m512i,
        third: __m512i,
        lower: __m512i,
        pairs: &[Pair; 32],
    ) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe {
            let (two, folded) = self.pairs(bytes, next, lower, pairs);
            let (three, single) = triples(masks.hard, bytes, next, third);
            let plain =
                two | two << 1 | self.two >> 63 | three | three << 1 | three << 2 | self.three >> 63 | self.three >> 62;
            masks.hard &= !plain;
            let behind = single << 3 | self.single >> 61;
            masks.split = single | behind & masks.word & !masks.hard;
            (self.two, self.three, self.single) = (two, three, single);
            folded
        }
    }
}

impl Avx512 {
    /// First bytes of plain characters of two bytes, and `lower` with these characters folded.
    ///
    /// # Safety
    /// The processor has AVX-512.
    #[inline(always)]
    #[expect(clippy::cast_possible_wrap, reason = "bytes")]
    unsafe fn pairs(&self, bytes: __m512i, next: __m512i, lower: __m512i, pairs: &[Pair; 32]) -> (u64, __m512i) {
        // SAFETY: the caller's promise; each table is a register full.
        unsafe {
            let table = |table: &[u8; BLOCK]| _mm512_loadu_si512(table.as_ptr().cast());
            let (mut plain, mut folded) = (0, lower);
            if self.two >> 63 != 0 {
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
                left &= !same;
            }
            (plain, folded)
        }
    }
}

/// First bytes of plain characters of three bytes, and of those that are tokens of their own.
///
/// # Safety
/// The processor has AVX-512.
#[inline(always)]
#[expect(clippy::cast_possible_wrap, reason = "bytes")]
unsafe fn triples(high: u64, bytes: __m512i, next: __m512i, third: __m512i) -> (u64, u64) {
    // SAFETY: the caller's promise; the tables are as long as what is loaded.
    unsafe {
        let byte = |b: u8| _mm512_set1_epi8(b as i8);
        let prefix = _mm512_and_si512(bytes, byte(0xF0));
        let first = _mm512_mask_cmpeq_epi8_mask(high, prefix, byte(0xE0));
        if first == 0 {
            return (0, 0);
        }
        let of = |table: &[u8; 16]| {
            let four = _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast()));
            // The lookup is by the lowest four bits, where the highest is clear.
            _mm512_shuffle_epi8(four, _mm512_and_si512(bytes, byte(0x0F)))
        };
        let plain = _mm512_mask_cmpge_epu8_mask(first, next, of(&SECOND[0]));
        let plain = _mm512_mask_cmple_epu8_mask(plain, next, of(&SECOND[1]));
        let hexagram = _mm512_mask_cmpeq_epi8_mask(plain, bytes, byte(0xE4));
        let hexagram = _mm512_mask_cmpeq_epi8_mask(hexagram, next, byte(0xB7));
        let kana = _mm512_mask_cmpeq_epi8_mask(plain, bytes, byte(0xE3));
        let kinds = _mm512_permutexvar_epi8(third, _mm512_loadu_si512(KANA.as_ptr().cast()));
        // Bit n for `E3 80+n`: 81 to 83 become 2, 4, 8.
        let kind = _mm512_shuffle_epi8(
            _mm512_broadcast_i32x4(_mm_setr_epi8(1, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)),
            _mm512_and_si512(next, byte(0x0F)),
        );
        let odd = kana & !_mm512_test_epi8_mask(kinds, kind);
        let plain = plain & !hexagram & !odd;
        (plain, _mm512_mask_cmple_epu8_mask(plain, bytes, byte(0xE9)))
    }
}
