//! The first round of a sketch, the bits that outlines have in common, and the elements that sets share.
//!
//! A round is bins and values of eight shingles at a time, then the minima one by one. A bin number is below 2^13, so the product of a shingle and the number of bins is two 32-bit products and an
//! addition. The minimum stays scalar: two shingles of one vector may fall into one bin.

#![allow(unsafe_code, reason = "vector instructions")]

use super::minhash::VALUE_BITS;
use super::outline;
use super::verify::Merged;
use crate::cpu::Kernel;
use std::arch::x86_64::*;

const LANES: usize = 8;
const CHUNK: usize = 128;

/// Lowers `slots` by the values of all shingles in round 0, as the portable loop does, but for the last few shingles;
/// gives how many are done. The processor has AVX-512; there are at most `2 * MAX_MINIMA` slots.
pub(super) fn first_round(salt: u64, shingles: &[u64], slots: &mut [u64]) -> usize {
    assert_eq!(Kernel::best(), Kernel::Avx512, "the caller asked for it");
    // SAFETY: checked above.
    unsafe { first_round_avx512(salt, shingles, slots) }
}

/// # Safety
/// The processor has AVX-512 F.
#[target_feature(enable = "avx2,bmi2,avx512f,avx512vl")]
#[expect(clippy::cast_possible_wrap, reason = "bits")]
unsafe fn first_round_avx512(salt: u64, shingles: &[u64], slots: &mut [u64]) -> usize {
    let (mut bins, mut values) = ([0u32; CHUNK], [0u64; CHUNK]);
    let whole = shingles.len() - shingles.len() % LANES;
    let salt = _mm512_set1_epi64(salt as i64);
    let count = _mm512_set1_epi64(i64::try_from(slots.len()).expect("few slots"));
    for chunk in shingles[..whole].chunks(CHUNK) {
        for (at, eight) in chunk.chunks_exact(LANES).enumerate().map(|(i, eight)| (i * LANES, eight)) {
            // SAFETY: eight shingles are there, and `at + 8 <= chunk.len() <= CHUNK`.
            unsafe {
                let word = _mm512_xor_si512(_mm512_loadu_si512(eight.as_ptr().cast()), salt);
                let low = _mm512_mul_epu32(word, count);
                let high = _mm512_mul_epu32(_mm512_srli_epi64::<32>(word), count);
                let sum = _mm512_add_epi64(high, _mm512_srli_epi64::<32>(low));
                let bin = _mm512_cvtepi64_epi32(_mm512_srli_epi64::<32>(sum));
                let value = _mm512_mask_mov_epi32(_mm512_slli_epi64::<32>(sum), 0x5555, low);
                _mm256_storeu_si256(bins.as_mut_ptr().add(at).cast(), bin);
                let value = _mm512_srli_epi64::<{ 64 - VALUE_BITS }>(value);
                _mm512_storeu_si512(values.as_mut_ptr().add(at).cast(), value);
            }
        }
        for (&bin, &value) in bins.iter().zip(&values).take(chunk.len()) {
            let slot = &mut slots[bin as usize];
            *slot = value.min(*slot);
        }
    }
    whole
}

/// Merges two sorted sets eight by eight, as far as both have eight; `None` where they cannot share `needed` any more. The
/// processor has AVX-512.
pub(super) fn merge_blocks(a: &[u64], b: &[u64], needed: usize) -> Option<Merged> {
    assert_eq!(Kernel::best(), Kernel::Avx512, "the caller asked for it");
    // SAFETY: checked above.
    unsafe { merge_blocks_avx512(a, b, needed) }
}

/// Each of eight is compared with each of the other eight; then the eight that end first, or both, make room for the next.
///
/// # Safety
/// The processor has AVX-512 F.
#[target_feature(enable = "avx2,bmi2,popcnt,avx512f")]
unsafe fn merge_blocks_avx512(a: &[u64], b: &[u64], needed: usize) -> Option<Merged> {
    let Merged { mut i, mut j, mut shared } = Merged::default();
    while i + LANES <= a.len() && j + LANES <= b.len() {
        if shared + (a.len() - i).min(b.len() - j) < needed {
            return None;
        }
        // SAFETY: both have eight there.
        let (x, mut y) =
            unsafe { (_mm512_loadu_si512(a.as_ptr().add(i).cast()), _mm512_loadu_si512(b.as_ptr().add(j).cast())) };
        let mut equal = _mm512_cmpeq_epi64_mask(x, y);
        for _ in 1..LANES {
            y = _mm512_alignr_epi64::<1>(y, y);
            equal |= _mm512_cmpeq_epi64_mask(x, y);
        }
        shared += equal.count_ones() as usize;
        let (last_a, last_b) = (a[i + LANES - 1], b[j + LANES - 1]);
        i += if last_a <= last_b { LANES } else { 0 };
        j += if last_b <= last_a { LANES } else { 0 };
    }
    Some(Merged { i, j, shared })
}

/// The bits that two rows have in common, as the portable loop counts them. The processor has AVX2, or what is asked for.
pub(super) fn common(kernel: Kernel, a: &[u64], b: &[u64]) -> usize {
    let best = Kernel::best();
    assert!(best >= kernel && best >= Kernel::Avx2, "the caller asked for it");
    // SAFETY: checked above.
    unsafe { if kernel == Kernel::Avx512 { common_avx512(a, b) } else { common_avx2(a, b) } }
}

/// The portable loop, for a compiler that may count bits in vectors.
///
/// # Safety
/// The processor has AVX2 and POPCNT.
#[target_feature(enable = "avx2,popcnt")]
unsafe fn common_avx2(a: &[u64], b: &[u64]) -> usize {
    outline::count_common(a, b)
}

/// The same, with an instruction for it.
///
/// # Safety
/// The processor has AVX-512 F, VL and VPOPCNTDQ.
#[target_feature(enable = "avx2,popcnt,avx512f,avx512vl,avx512vpopcntdq")]
unsafe fn common_avx512(a: &[u64], b: &[u64]) -> usize {
    outline::count_common(a, b)
}
