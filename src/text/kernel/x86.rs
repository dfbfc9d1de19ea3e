//! The kernel for x86-64 with AVX2 or AVX-512.

use super::portable::write_offsets;
use super::{BLOCK, Borders, Isa, Masks, Runs, SPECIAL, find};
use std::arch::x86_64::*;

struct Avx2;
struct Avx512;

/// # Safety
/// The processor has these instructions; `at <= text.len()`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) unsafe fn find_avx2(runs: &mut Runs, text: &[u8], at: usize) {
    // SAFETY: the caller's promises.
    unsafe { find::<Avx2>(runs, text, at) }
}

/// # Safety
/// The processor has these instructions; `at <= text.len()`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2")]
pub(super) unsafe fn find_avx512(runs: &mut Runs, text: &[u8], at: usize) {
    // SAFETY: the caller's promises.
    unsafe { find::<Avx512>(runs, text, at) }
}

impl Isa for Avx2 {
    #[inline(always)]
    unsafe fn masks(block: *const u8) -> Masks {
        // SAFETY: the caller promises AVX2 and 65 readable bytes: each half loads 32 of them and 32 one byte later.
        unsafe {
            let (low, high) = (half_masks(block), half_masks(block.add(BLOCK / 2)));
            let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
            Masks {
                word: join(low[0], high[0]),
                high: join(low[1], high[1]),
                markup: join(low[2], high[2]),
                hyphen: join(low[3], high[3]),
            }
        }
    }

    #[inline(always)]
    unsafe fn write(base: u16, borders: Borders, starts: *mut u16, ends: *mut u16) {
        // SAFETY: the caller promises room for 64 offsets behind each pointer.
        unsafe { write_offsets(base, borders, starts, ends) };
    }
}

/// Word, high, markup and hyphen masks of 32 bytes.
///
/// # Safety
/// The processor has AVX2; 33 bytes can be read.
#[inline(always)]
#[expect(clippy::cast_sign_loss, reason = "masks")]
#[expect(clippy::cast_possible_wrap, reason = "bytes")]
unsafe fn half_masks(block: *const u8) -> [u32; 4] {
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
    unsafe fn masks(block: *const u8) -> Masks {
        // SAFETY: the caller promises AVX-512 and 65 readable bytes: 64 are loaded, and 64 one byte later. The table
        // has 128 entries, two registers full.
        unsafe {
            let low = _mm512_loadu_si512(CLASSES.as_ptr().cast());
            let high_half = _mm512_loadu_si512(CLASSES.as_ptr().add(BLOCK).cast());
            let bytes = _mm512_loadu_si512(block.cast());
            let next = _mm512_loadu_si512(block.add(1).cast());
            let class = _mm512_permutex2var_epi8(low, bytes, high_half);
            let high = _mm512_movepi8_mask(bytes);
            // The lookup does not see the highest bit.
            let is = |bit: u8| _mm512_mask_test_epi8_mask(!high, class, _mm512_set1_epi8(bit as i8));
            let hyphen = _mm512_mask_cmpeq_epi8_mask(!high, bytes, _mm512_set1_epi8(b'-' as i8));
            let feed = _mm512_mask_cmpeq_epi8_mask(hyphen, next, _mm512_set1_epi8(b'\n' as i8));
            let carriage = _mm512_mask_cmpeq_epi8_mask(hyphen, next, _mm512_set1_epi8(b'\r' as i8));
            Masks { word: is(WORD) | high, high, markup: is(MARKUP), hyphen: feed | carriage }
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
