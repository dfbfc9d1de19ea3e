//! How the grams of a document stand on the page, packed.
//!
//! There is a gram at almost every token, and but a few kinds of marks in a document. So the kinds are told once, then the
//! stretches of grams, and of each gram the number of its kind, in as many bits as that takes.

use descale::Error;

/// Marks of grams at ascending positions, packed.
pub(super) fn pack(grams: &[(u32, u16)]) -> Vec<u8> {
    let mut kinds: Vec<u16> = grams.iter().map(|gram| gram.1).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let next = |a: &(u32, u16), b: &(u32, u16)| b.0 == a.0.wrapping_add(1);
    let stretches: Vec<[u32; 2]> = grams.chunk_by(next).map(|grams| [grams[0].0, count(grams.len())]).collect();
    let mut bytes = Vec::new();
    bytes.extend(count(kinds.len()).to_le_bytes());
    bytes.extend(count(stretches.len()).to_le_bytes());
    bytes.extend(kinds.iter().flat_map(|kind| kind.to_le_bytes()));
    bytes.extend(super::pack(stretches));
    let (width, mut word, mut filled) = (width(kinds.len()), 0u32, 0);
    for gram in grams {
        word |= count(kinds.partition_point(|&kind| kind < gram.1)) << filled;
        filled += width;
        while filled >= 8 {
            bytes.push(word.to_le_bytes()[0]);
            word >>= 8;
            filled -= 8;
        }
    }
    bytes.push(word.to_le_bytes()[0]);
    bytes
}

/// The positions and marks that were packed.
pub(super) fn unpack(bytes: &[u8]) -> descale::Result<Vec<(u32, u16)>> {
    let mut rest = bytes;
    let kinds = number(&mut rest)?;
    let stretches = number(&mut rest)?;
    if kinds > 1 << 16 {
        return Err(Error::input("packed marks have more kinds than there are"));
    }
    let of_kinds = take(&mut rest, kinds * 2)?;
    let stretches = take(&mut rest, stretches.saturating_mul(8))?;
    let (width, mut word, mut filled) = (width(kinds), 0u32, 0);
    let mut kind = || {
        while filled < width {
            word |= u32::from(take(&mut rest, 1)?[0]) << filled;
            filled += 8;
        }
        let kind = 2 * (word & ((1 << width) - 1)) as usize;
        word >>= width;
        filled -= width;
        let marks = of_kinds.get(kind..kind + 2).and_then(|marks| marks.try_into().ok());
        marks.map(u16::from_le_bytes).ok_or_else(cut_short)
    };
    let mut grams = Vec::new();
    for [start, length] in super::unpack(stretches)? {
        for position in start..start.saturating_add(length) {
            grams.push((position, kind()?));
        }
    }
    Ok(grams)
}

/// The bits that a number below `kinds` takes.
fn width(kinds: usize) -> u32 {
    usize::BITS - kinds.saturating_sub(1).leading_zeros()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("a document has fewer than 2^32 tokens")
}

fn cut_short() -> Error {
    Error::input("packed marks are cut short")
}

fn take<'b>(bytes: &mut &'b [u8], count: usize) -> descale::Result<&'b [u8]> {
    bytes.split_off(..count).ok_or_else(cut_short)
}

fn number(bytes: &mut &[u8]) -> descale::Result<usize> {
    let four = take(bytes, 4)?.try_into().map_err(|_| cut_short())?;
    Ok(u32::from_le_bytes(four) as usize)
}
