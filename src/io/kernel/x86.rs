//! The loops over strings for x86-64 with AVX2 or AVX-512.

use super::{BLOCK, Masks, ReadEscape, Scanned, escape_with, escaped, scan};
use std::arch::x86_64::*;

/// # Safety
/// The processor has these instructions.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) unsafe fn scan_avx2(bytes: &[u8]) -> Option<Scanned> {
    // SAFETY: the caller's promise.
    scan(bytes, |block| unsafe { masks_avx2(block) })
}

/// # Safety
/// The processor has these instructions.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2")]
pub(super) unsafe fn scan_avx512(bytes: &[u8]) -> Option<Scanned> {
    // SAFETY: the caller's promise.
    scan(bytes, |block| unsafe { masks_avx512(block) })
}

/// # Safety
/// The processor has these instructions.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) unsafe fn escape_avx2(text: &[u8], out: &mut Vec<u8>) {
    // SAFETY: the caller's promise.
    escape_with(text, out, |block| unsafe { masks_avx2(block) });
}

/// # Safety
/// The processor has these instructions.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl")]
pub(super) unsafe fn escape_avx512(text: &[u8], out: &mut Vec<u8>) {
    // SAFETY: the caller's promise.
    escape_with(text, out, |block| unsafe { masks_avx512(block) });
}

/// # Safety
/// The processor has AVX2.
#[inline(always)]
#[expect(clippy::cast_possible_wrap, reason = "bytes")]
#[expect(clippy::cast_sign_loss, reason = "masks")]
unsafe fn masks_avx2(block: &[u8; BLOCK]) -> Masks {
    // SAFETY: the caller's promise; both halves lie in the block.
    unsafe {
        let halves = [0, 32].map(|at| _mm256_loadu_si256(block.as_ptr().add(at).cast()));
        let join = |of: [__m256i; 2]| {
            let [low, high] = of.map(|half| u64::from(_mm256_movemask_epi8(half) as u32));
            low | high << 32
        };
        let is = |byte: u8| join(halves.map(|half| _mm256_cmpeq_epi8(half, _mm256_set1_epi8(byte as i8))));
        // Below the space: no greater than its predecessor, as unsigned numbers.
        let most = _mm256_set1_epi8(0x1F);
        let control = join(halves.map(|half| _mm256_cmpeq_epi8(_mm256_max_epu8(half, most), most)));
        Masks { quote: is(b'"'), backslash: is(b'\\'), control }
    }
}

/// # Safety
/// The processor has AVX-512.
#[inline(always)]
#[expect(clippy::cast_possible_wrap, reason = "bytes")]
unsafe fn masks_avx512(block: &[u8; BLOCK]) -> Masks {
    // SAFETY: the caller's promise; the block is a register full.
    unsafe {
        let bytes = _mm512_loadu_si512(block.as_ptr().cast());
        let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
        let control = _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(b' ' as i8));
        Masks { quote: is(b'"'), backslash: is(b'\\'), control }
    }
}

/// What a letter behind a backslash stands for; itself, mostly.
const LETTERS: [u8; 128] = {
    let mut table = [0; 128];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = match byte {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            other => other,
        };
        byte += 1;
    }
    table
};

/// [`super::unescape`]: blocks whose escapes are one letter each are translated and compressed at once.
///
/// # Safety
/// The processor has these instructions.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2")]
#[expect(clippy::cast_possible_wrap, reason = "bytes")]
pub(super) unsafe fn unescape_avx512(raw: &str, out: &mut String, read: ReadEscape) -> Result<(), usize> {
    // SAFETY: the table is two registers full.
    let letters = [0, BLOCK].map(|at| unsafe { _mm512_loadu_si512(LETTERS.as_ptr().add(at).cast()) });
    let bytes = raw.as_bytes();
    let mut at = 0;
    let mut carry = 0;
    // No escape is shorter than what it stands for, and a block is written whole.
    out.reserve(bytes.len() + BLOCK);
    // SAFETY: what is appended is UTF-8: whole characters of `raw` and what escapes stand for.
    let out = unsafe { out.as_mut_vec() };
    while at < bytes.len() {
        let left = bytes.len() - at;
        let present = if left >= BLOCK { u64::MAX } else { (1 << left) - 1 };
        // SAFETY: only bytes that are present are read.
        let block = unsafe { _mm512_maskz_loadu_epi8(present, bytes.as_ptr().add(at).cast()) };
        let backslash = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(b'\\' as i8));
        let letter = escaped(backslash, &mut carry);
        let unicode = _mm512_mask_cmpeq_epi8_mask(letter, block, _mm512_set1_epi8(b'u' as i8));
        let wide = letter & _mm512_movepi8_mask(block);
        if wide != 0 {
            // No sound string has it; half a character would be appended.
            return Err(at + wide.trailing_zeros() as usize - 1);
        }
        // All below the first `\u`, whose backslash may be in the block before.
        let whole = present & unicode.wrapping_sub(1) & !unicode;
        let text = _mm512_mask_mov_epi8(block, letter, _mm512_permutex2var_epi8(letters[0], block, letters[1]));
        let kept = whole & !(backslash & !letter);
        debug_assert!(out.capacity() - out.len() >= BLOCK, "a block can be written");
        // SAFETY: every byte read so far gave at most one, so a block more than is left of `raw` has room.
        unsafe {
            _mm512_storeu_si512(out.as_mut_ptr().add(out.len()).cast(), _mm512_maskz_compress_epi8(kept, text));
            out.set_len(out.len() + kept.count_ones() as usize);
        }
        if unicode == 0 {
            at += BLOCK;
            continue;
        }
        at = unescape_units(bytes, at + unicode.trailing_zeros() as usize - 1, out, read)?;
        carry = 0;
    }
    Ok(())
}

/// Decodes the escapes `\u` from byte `at` on as long as one follows another; gives where they end.
///
/// # Errors
/// The offset of one that `read` refuses.
fn unescape_units(bytes: &[u8], mut at: usize, out: &mut Vec<u8>, read: ReadEscape) -> Result<usize, usize> {
    while bytes[at..].starts_with(b"\\u") {
        let (decoded, length) = read(&bytes[at..]).ok_or(at)?;
        out.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
        at += length;
    }
    Ok(at)
}
