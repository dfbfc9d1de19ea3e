//! The hash functions everything else is built from: seeded, portable, the same on every machine.
//!
//! Words are short (five bytes on average), so the call and the length dispatch of a general hash cost more than
//! the mixing: [`word`] loads at most sixteen bytes and multiplies once. Whole documents and files go through
//! XXH3 ([`token_sequence`], `shuffle`'s checksums). Stored sketches and indexes depend on these functions:
//! a change of any of them is a change of [`VERSION`].

mod kernel;

use crate::cpu::Kernel;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

/// Version of the functions here; written into everything that outlives a run.
pub const VERSION: u32 = 1;

// Fractional digits of the square roots of 2, 3, 5: nothing up the sleeve, odd, well mixed.
const S0: u64 = 0x6A09_E667_F3BC_C909;
const S1: u64 = 0xBB67_AE85_84CA_A73B;
const S2: u64 = 0x3C6E_F372_FE94_F82B;

/// The 128-bit product of two words, its halves xored: the mixing step of wyhash and its kin.
#[inline(always)]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
pub fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// A bijection that spreads every input bit over the whole word (the finaliser of MurmurHash3).
#[inline]
#[must_use]
pub fn mix(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    x ^= x >> 33;
    x = x.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    x ^ (x >> 33)
}

/// The hash of one normalised word (lower-cased NFKC bytes).
#[inline]
#[must_use]
pub fn word(bytes: &[u8]) -> u64 {
    if bytes.len() > 16 {
        return xxh3_64_with_seed(bytes, S0);
    }
    let mut block = [0u8; 16];
    block[..bytes.len()].copy_from_slice(bytes);
    word16(u128::from_le_bytes(block), bytes.len())
}

/// [`word`] for a word of at most sixteen bytes given as a little-endian number, zeros above `len`.
#[inline]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
pub fn word16(block: u128, len: usize) -> u64 {
    let [low_key, high_key] = word_keys(len);
    keyed_word(block as u64 ^ low_key, (block >> 64) as u64 ^ high_key)
}

/// What [`word16`] adds to the two halves of a word of `len` bytes.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "at most sixteen")]
pub(crate) const fn word_keys(len: usize) -> [u64; 2] {
    [S0 ^ len as u64, S1.rotate_left(len as u32)]
}

/// [`word16`] of a word whose halves have got their keys.
#[inline]
pub(crate) fn keyed_word(low: u64, high: u64) -> u64 {
    fold(low, high) ^ S2
}

/// The hash of a run of tokens, from their hashes: order matters, every token reaches every bit.
#[inline]
#[must_use]
pub fn tokens(hashes: &[u64]) -> u64 {
    mix(hashes.iter().fold(S1, |sum, &h| sum.rotate_left(11).wrapping_add(h)))
}

/// Replaces `out` by [`tokens`] of every run of `width` tokens, in order: none if there are fewer, or `width` is 0.
/// `O(tokens * width)`, about .3 ns a token with AVX-512.
pub fn windows(all: &[u64], width: usize, out: &mut Vec<u64>) {
    kernel::windows(Kernel::chosen(), all, width, out);
}

/// A 128-bit hash of a document's whole token sequence: equal exactly when the documents say the same.
#[must_use]
pub fn token_sequence(hashes: &[u64]) -> u128 {
    let mut state = xxhash_rust::xxh3::Xxh3::with_seed(S0);
    let mut bytes = [0; 8 * 64];
    for some in hashes.chunks(bytes.len() / 8) {
        bytes.chunks_exact_mut(8).zip(some).for_each(|(to, hash)| to.copy_from_slice(&hash.to_le_bytes()));
        state.update(&bytes[..8 * some.len()]);
    }
    state.digest128()
}

/// A seeded hash of bytes, for checksums and identifiers.
#[must_use]
pub fn bytes(data: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(data, seed)
}

/// A seeded 128-bit hash of bytes.
#[must_use]
pub fn bytes128(data: &[u8], seed: u64) -> u128 {
    xxh3_128_with_seed(data, seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_vectors_are_pinned() {
        // A change here breaks stored sketches: bump VERSION.
        assert_eq!(VERSION, 1);
        assert_eq!(
            [word(b""), word(b"a"), word(b"imprint"), word(b"0123456789abcdef"), word(b"0123456789abcdefg")],
            [
                14_226_865_316_441_068_388,
                7_806_872_044_860_575_801,
                9_300_199_596_392_885_906,
                5_998_912_979_059_285_585,
                4_968_361_074_412_783_494
            ]
        );
        assert_eq!(tokens(&[1, 2, 3, 4, 5]), 2_545_626_301_586_792_332);
    }

    #[test]
    fn a_sequence_is_hashed_as_the_bytes_of_its_hashes() {
        for len in [0, 1, 5, 63, 64, 65, 200] {
            let hashes: Vec<u64> = (0..len).map(mix).collect();
            let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect();
            assert_eq!(token_sequence(&hashes), xxh3_128_with_seed(&bytes, S0), "{len}");
        }
    }

    #[test]
    fn words_of_all_lengths_differ() {
        let text = [0u8; 40];
        let mut seen: Vec<u64> = (0..=40).map(|n| word(&text[..n])).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 41);
    }
}
