//! The hashes of all windows of a token sequence, as fast as they can be read.
//!
//! Windows do not depend on each other, so eight of them go side by side: one addition and one rotation a token of the
//! window, then the finaliser. AVX2 has neither rotation nor 64-bit product and gains nothing over the portable loop,
//! which the processor overlaps well.

#![allow(unsafe_code, reason = "vector instructions")]

use super::{S1, tokens};
use crate::cpu::Kernel;

/// Replaces `out` by [`tokens`] of every run of `width` tokens, in order: none if there are fewer, or `width` is 0.
pub(super) fn windows(kernel: Kernel, all: &[u64], width: usize, out: &mut Vec<u64>) {
    out.clear();
    if width == 0 || all.len() < width {
        return;
    }
    match (kernel, width) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Kernel` values above `Portable` exist only where the processor was asked.
        (Kernel::Avx512, _) => unsafe { windows_avx512(all, width, out) },
        // A width known to the compiler unrolls the window: these are the ones in use.
        (_, 4) => push::<4>(all, out),
        (_, 5) => push::<5>(all, out),
        (_, 8) => push::<8>(all, out),
        _ => out.extend(all.windows(width).map(tokens)),
    }
}

fn push<const WIDTH: usize>(all: &[u64], out: &mut Vec<u64>) {
    out.extend(all.windows(WIDTH).map(|window| {
        let window: &[u64; WIDTH] = window.try_into().expect("windows of WIDTH have WIDTH tokens");
        tokens(window)
    }));
}

/// # Safety
/// The processor has these instructions.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2,avx512f,avx512dq")]
#[expect(clippy::cast_possible_wrap, reason = "bits")]
unsafe fn windows_avx512(all: &[u64], width: usize, out: &mut Vec<u64>) {
    use std::arch::x86_64::*;
    const LANES: usize = 8;
    let count = all.len() + 1 - width;
    out.reserve(count);
    let first = _mm512_set1_epi64(S1.rotate_left(11) as i64);
    let factors = [0xFF51_AFD7_ED55_8CCD_u64, 0xC4CE_B9FE_1A85_EC53].map(|factor| _mm512_set1_epi64(factor as i64));
    for at in (0..count - count % LANES).step_by(LANES) {
        let mut sum = first;
        for i in 0..width {
            // SAFETY: the last window of the eight begins at `at + 7 < count`, so token `at + 7 + i` is there.
            let token = unsafe { _mm512_loadu_si512(all.as_ptr().add(at + i).cast()) };
            let rotated = if i == 0 { sum } else { _mm512_rol_epi64::<11>(sum) };
            sum = _mm512_add_epi64(rotated, token);
        }
        for factor in factors {
            sum = _mm512_mullo_epi64(_mm512_xor_si512(sum, _mm512_srli_epi64::<33>(sum)), factor);
        }
        sum = _mm512_xor_si512(sum, _mm512_srli_epi64::<33>(sum));
        // SAFETY: there is room for `count` hashes, of which `at` are written.
        unsafe {
            _mm512_storeu_si512(out.as_mut_ptr().add(at).cast(), sum);
            out.set_len(at + LANES);
        }
    }
    out.extend(all[out.len()..].windows(width).map(tokens));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_kernel_hashes_every_window(all in proptest::collection::vec(any::<u64>(), 0..60), width in 0usize..12) {
            let expected: Vec<u64> = if width == 0 { Vec::new() } else { all.windows(width).map(tokens).collect() };
            for kernel in Kernel::available() {
                let mut out = vec![3];
                windows(kernel, &all, width, &mut out);
                prop_assert_eq!(&out, &expected, "{:?}", kernel);
            }
        }
    }
}
