//! The minimum of every window, eight windows at a time.
//!
//! A window of `w` grams is the union of two windows half as long: after `log2 w` rounds over a few cache lines every
//! place holds the minimum of the window that begins there, and where it stands. No branch depends on the hashes; the
//! portable loop guesses wrong twice for every gram it keeps.

#![allow(unsafe_code, reason = "vector instructions")]

use crate::cpu::Kernel;
use std::arch::x86_64::*;

/// Windows in a round: minima and places stay in the first-level cache.
const CHUNK: usize = 256;
/// The longest window there is room for behind the last one of a chunk.
pub(super) const MAX_WINDOW: usize = 64;
const LANES: usize = 8;
/// Each of the doublings reads one vector further than it needs to.
const ROOM: usize = CHUNK + 2 * MAX_WINDOW + 8 * LANES;

/// Calls `keep` with the place of the rightmost minimum of every window of `w` grams, each once, ascending. There is at
/// least one window, and `w <= MAX_WINDOW`; the processor has AVX-512.
pub(super) fn winnow(grams: &[u64], w: usize, keep: impl FnMut(usize)) {
    assert_eq!(Kernel::best(), Kernel::Avx512, "the caller asked for it");
    // SAFETY: checked above.
    unsafe { winnow_avx512(grams, w, keep) }
}

/// # Safety
/// The processor has AVX-512 F and VL.
#[target_feature(enable = "avx2,bmi2,lzcnt,popcnt,avx512f,avx512vl")]
unsafe fn winnow_avx512(grams: &[u64], w: usize, mut keep: impl FnMut(usize)) {
    assert!((1..=MAX_WINDOW).contains(&w) && grams.len() >= w, "a window fits");
    let mut minima = [u64::MAX; ROOM];
    let mut places = [0u32; ROOM];
    let mut kept = [0u32; CHUNK + LANES];
    let mut last = None;
    let windows = grams.len() + 1 - w;
    for from in (0..windows).step_by(CHUNK) {
        let count = CHUNK.min(windows - from);
        let read = &grams[from..from + count + w - 1];
        minima[..read.len()].copy_from_slice(read);
        for (place, slot) in (0u32..).zip(&mut places[..read.len()]) {
            *slot = place;
        }
        // SAFETY: the processor is the caller's promise.
        let found = unsafe {
            shrink(&mut minima, &mut places, w, read.len());
            distinct(&places, count, &mut kept)
        };
        for &place in &kept[..found] {
            let at = from + place as usize;
            if last != Some(at) {
                keep(at);
            }
            last = Some(at);
        }
    }
}

/// Puts the minimum of the window that begins there, and its place, at the first `read - w + 1` places.
///
/// # Safety
/// The processor has AVX-512 F and VL.
#[target_feature(enable = "avx2,avx512f,avx512vl")]
unsafe fn shrink(minima: &mut [u64; ROOM], places: &mut [u32; ROOM], w: usize, read: usize) {
    let mut length = 1;
    while length < w {
        // The last round overlaps.
        let step = length.min(w - length);
        length += step;
        for at in (0..=read - length).step_by(LANES) {
            assert!(at + step + LANES <= ROOM, "there is room behind the last window");
            // SAFETY: `at + step + LANES <= ROOM`.
            unsafe {
                let (value, place) = (minima.as_mut_ptr().add(at), places.as_mut_ptr().add(at));
                let left = _mm512_loadu_si512(value.cast());
                let right = _mm512_loadu_si512(value.add(step).cast());
                // Of equals the right one stays.
                let takes = _mm512_cmple_epu64_mask(right, left);
                let left_place = _mm256_loadu_si256(place.cast());
                let right_place = _mm256_loadu_si256(place.add(step).cast());
                _mm512_storeu_si512(value.cast(), _mm512_mask_mov_epi64(left, takes, right));
                _mm256_storeu_si256(place.cast(), _mm256_mask_mov_epi32(left_place, takes, right_place));
            }
        }
    }
}

/// Writes those of the first `count` places that differ from the one before, in order; gives how many.
///
/// # Safety
/// The processor has AVX-512 F and VL.
#[target_feature(enable = "avx2,popcnt,avx512f,avx512vl")]
unsafe fn distinct(places: &[u32; ROOM], count: usize, kept: &mut [u32; CHUNK + LANES]) -> usize {
    kept[0] = places[0];
    let mut found = 1;
    for at in (1..count).step_by(LANES) {
        assert!(at + LANES <= ROOM && found + LANES <= kept.len(), "at most one is kept a window");
        let present = if count - at >= LANES { 0xFF } else { (1u8 << (count - at)) - 1 };
        // SAFETY: both ends are checked above.
        unsafe {
            let these = _mm256_loadu_si256(places.as_ptr().add(at).cast());
            let before = _mm256_loadu_si256(places.as_ptr().add(at - 1).cast());
            let changes = _mm256_mask_cmpneq_epu32_mask(present, these, before);
            _mm256_storeu_si256(kept.as_mut_ptr().add(found).cast(), _mm256_maskz_compress_epi32(changes, these));
            found += changes.count_ones() as usize;
        }
    }
    found
}
