//! How a sorted block of postings becomes few bytes: field by field, each number as long as it needs to be.
//!
//! Sorted postings have much in common. A key differs little from the one before, a document lies between the least
//! and the greatest, a position is mostly one more than the last. Each field of a block is therefore written as what it
//! is above the block's least value, or as the step from the posting before, whichever is shorter, in an
//! exponential Golomb code whose order fits the block: with a hash of 64 bits among `n` others it takes
//! `65 - log2 n` bits or so. A field that does not change takes none, and where it mostly stays as it was, as the key of a
//! large group does, or mostly goes up by one, as a position does, a bit says so. Of a field with few values, such as
//! marks, the rank of each by frequency is written.
//!
//! Layout: of each field the way (1 byte), the order of the code (1 byte), the least or the first value (8 bytes), and the
//! values by rank where ranks are written (4 bytes each); then the postings, each with its fields in order, as bits from
//! the lowest up. About 2 ns a field either way.
//!
//! Source: J. Teuhola, *A compression method for clustered bit-vectors*, 1978, for the code; that the best order is found
//! from a histogram of lengths is ours.

use super::Posting;
use crate::hash;

/// Most fields of a posting.
pub(super) const MAX_FIELDS: usize = 12;
const FIELD_HEADER: usize = 10;
/// So many bytes after the last are looked at by a reader that goes wrong in the last posting; zeros.
const SLACK: usize = MAX_FIELDS * 17 + 16;

/// What is written of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Nothing: it is always the same.
    Same,
    /// How much it is above the least.
    Above,
    /// How much it is above the one before; it never falls.
    Step,
    /// The same with a sign, which stands in the lowest bit.
    Signed,
    /// A bit for whether it changes; then [`Step`](Self::Step).
    SeldomStep,
    /// A bit for whether it changes; then [`Signed`](Self::Signed).
    SeldomSigned,
    /// A bit for whether it is other than one more than the one before; then how much it is above that, with a sign.
    SeldomNext,
    /// How many values are more frequent.
    Rank,
}

const WAYS: [Way; 8] =
    [Way::Same, Way::Above, Way::Step, Way::Signed, Way::SeldomStep, Way::SeldomSigned, Way::SeldomNext, Way::Rank];

impl Way {
    fn is_seldom(self) -> bool {
        matches!(self, Self::SeldomStep | Self::SeldomSigned | Self::SeldomNext)
    }
}

/// How a field is written in a block.
#[derive(Clone, Copy, Debug)]
struct Code {
    way: Way,
    /// Bits that are written plainly, below those whose number is told first.
    order: u32,
    /// The least value, the first one, or how many have a rank.
    base: u64,
}

/// How often numbers of each length occur in a field when it is written in some way.
#[derive(Clone, Copy)]
struct Lengths([u32; 65]);

impl Lengths {
    const NONE: Self = Self([0; 65]);

    #[inline]
    fn add(&mut self, number: u64) {
        self.0[length(number)] += 1;
    }
}

impl Code {
    /// The best for these values, of which there are some; `ranks` are those of the values, if they are few.
    fn of(values: impl Iterator<Item = u64> + Clone, ranks: Option<&Ranks>) -> Self {
        let first = values.clone().next().unwrap_or(0);
        let least = values.clone().min().unwrap_or(0);
        let [mut above, mut step, mut signed, mut next] = [Lengths::NONE; 4];
        let (mut last, mut falls) = (first, false);
        for value in values {
            let difference = value.wrapping_sub(last);
            above.add(value - least);
            step.add(difference);
            signed.add(fold_sign(difference));
            next.add(fold_sign(difference.wrapping_sub(1)));
            falls |= value < last;
            last = value;
        }
        if step.0[1..].iter().all(|&count| count == 0) {
            return Self { way: Way::Same, order: 0, base: first };
        }
        let mut ways = vec![
            (best_order(&above), Way::Above, least),
            (best_order(&signed), Way::Signed, first),
            (seldom_bits(&signed), Way::SeldomSigned, first),
            (seldom_bits(&next), Way::SeldomNext, first),
        ];
        if !falls {
            ways.push((best_order(&step), Way::Step, first));
            ways.push((seldom_bits(&step), Way::SeldomStep, first));
        }
        if let Some(ranks) = ranks {
            ways.push((ranks.bits(), Way::Rank, ranks.by_rank.len() as u64));
        }
        let ((_, order), way, base) = ways.into_iter().min_by_key(|way| way.0.0).expect("there are ways");
        Self { way, order, base }
    }

    /// The number written for a value after `last`.
    #[inline]
    fn number(&self, value: u64, last: u64) -> u64 {
        match self.way {
            Way::Same => 0,
            Way::Above => value.wrapping_sub(self.base),
            Way::Step | Way::SeldomStep => value.wrapping_sub(last),
            Way::Signed | Way::SeldomSigned => fold_sign(value.wrapping_sub(last)),
            Way::SeldomNext => fold_sign(value.wrapping_sub(last).wrapping_sub(1)),
            Way::Rank => value,
        }
    }

    /// The value that a number after `last` stands for.
    #[inline]
    fn value(&self, number: u64, last: u64) -> u64 {
        match self.way {
            Way::Same => self.base,
            Way::Above => self.base.wrapping_add(number),
            Way::Step | Way::SeldomStep => last.wrapping_add(number),
            Way::Signed | Way::SeldomSigned => last.wrapping_add(unfold_sign(number)),
            Way::SeldomNext => last.wrapping_add(unfold_sign(number)).wrapping_add(1),
            Way::Rank => number,
        }
    }
}

/// The values of a field that has few, by rank: the more frequent come first.
struct Ranks {
    by_rank: Vec<u32>,
    lengths: Lengths,
    /// Values and their ranks, where their hashes lead to.
    slots: Vec<Option<(u32, u32)>>,
}

/// More values take more room than their ranks save.
const MAX_RANKS: usize = 256;
/// Four for each value.
const SLOT_BITS: u32 = MAX_RANKS.ilog2() + 2;
const RANKED_BYTES: usize = size_of::<u32>();

impl Ranks {
    /// None where the values are many or large.
    fn of(values: impl Iterator<Item = u64>) -> Option<Self> {
        let mut slots: Vec<Option<(u32, u32)>> = vec![None; 1 << SLOT_BITS];
        let mut counted: Vec<(u32, u32)> = Vec::new();
        for value in values {
            let value = u32::try_from(value).ok()?;
            let at = Self::slot(&slots, value);
            match &mut slots[at] {
                Some((_, at)) => counted[*at as usize].0 += 1,
                None if counted.len() == MAX_RANKS => return None,
                free => {
                    *free = Some((value, u32::try_from(counted.len()).expect("they are few")));
                    counted.push((1, value));
                }
            }
        }
        counted.sort_unstable_by_key(|&(count, value)| (std::cmp::Reverse(count), value));
        let mut lengths = Lengths::NONE;
        for (rank, &(count, value)) in (0u32..).zip(&counted) {
            lengths.0[length(rank.into())] += count;
            let at = Self::slot(&slots, value);
            slots[at] = Some((value, rank));
        }
        Some(Self { by_rank: counted.into_iter().map(|(_, value)| value).collect(), lengths, slots })
    }

    /// Where a value is or would be.
    #[inline]
    fn slot(slots: &[Option<(u32, u32)>], value: u32) -> usize {
        let mut at = (hash::mix(value.into()) >> (u64::BITS - SLOT_BITS)) as usize;
        while slots[at].is_some_and(|(other, _)| other != value) {
            at = (at + 1) % slots.len();
        }
        at
    }

    /// The rank of one of the values.
    #[inline]
    fn rank(&self, value: u64) -> u64 {
        let slot = u32::try_from(value).ok().and_then(|value| self.slots[Self::slot(&self.slots, value)]);
        slot.expect("every value of the block has a rank").1.into()
    }

    /// The bits that the values and their ranks take in the best order, and the order.
    fn bits(&self) -> (u64, u32) {
        let (bits, order) = best_order(&self.lengths);
        (bits + 8 * (RANKED_BYTES * self.by_rank.len()) as u64, order)
    }
}

/// Small for small numbers of either sign.
#[inline]
fn fold_sign(difference: u64) -> u64 {
    (difference << 1) ^ (difference >> 63).wrapping_neg()
}

/// The difference that was folded.
#[inline]
fn unfold_sign(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

/// Bits of a number; 0 of 0.
#[inline]
fn length(number: u64) -> usize {
    (u64::BITS - number.leading_zeros()) as usize
}

/// The bits that numbers of these lengths take in the best order, and the order.
///
/// A number takes `order` bits and twice those that it has more, at least one. So with the next order each takes one more,
/// but those that are longer take two fewer, or one where they are longer by one.
fn best_order(Lengths(counts): &Lengths) -> (u64, u32) {
    let counts = counts.map(u64::from);
    let all: u64 = counts.iter().sum();
    let mut bits: u64 = (0u64..).zip(counts).map(|(length, count)| count * (2 * length).max(1)).sum();
    let mut longer = all - counts[0];
    let mut best = (bits, 0);
    for (order, equal) in (1u32..u64::BITS).zip(&counts[1..]) {
        bits = bits + all + equal - 2 * longer;
        longer -= equal;
        best = best.min((bits, order));
    }
    best
}

/// The same where a bit stands before each number and zeros are that bit alone.
fn seldom_bits(lengths: &Lengths) -> (u64, u32) {
    let (zeros, mut others) = (u64::from(lengths.0[0]), *lengths);
    others.0[0] = 0;
    let (bits, order) = best_order(&others);
    (bits + zeros + others.0.iter().map(|&c| u64::from(c)).sum::<u64>(), order)
}

/// More than so many bytes `count` postings never take.
pub(super) fn most_bytes<P: Posting>(count: usize) -> usize {
    // A number takes at most 130 bits.
    P::FIELDS * (FIELD_HEADER + 17 * count)
}

/// Appends the packed form of a sorted block.
pub(super) fn pack<P: Posting>(postings: &[P], out: &mut Vec<u8>) {
    let mut rows = vec![[0u64; MAX_FIELDS]; postings.len()];
    rows.iter_mut().zip(postings).for_each(|(row, posting)| posting.split(&mut row[..P::FIELDS]));
    let values = |field: usize| rows.iter().map(move |row| row[field]);
    let ranks: Vec<Option<Ranks>> = (0..P::FIELDS).map(|field| Ranks::of(values(field))).collect();
    let codes: Vec<Code> = (0..P::FIELDS).map(|field| Code::of(values(field), ranks[field].as_ref())).collect();
    for (field, (code, ranks)) in codes.iter().zip(&ranks).enumerate() {
        out.push(WAYS.iter().position(|way| *way == code.way).map_or(0, |at| u8::try_from(at).unwrap_or(0)));
        out.push(u8::try_from(code.order).expect("below 64"));
        out.extend_from_slice(&code.base.to_le_bytes());
        if let (Way::Rank, Some(ranks)) = (code.way, ranks) {
            ranks.by_rank.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
            rows.iter_mut().for_each(|row| row[field] = ranks.rank(row[field]));
        }
    }
    let mut bits = BitWriter { out, waiting: 0, filled: 0 };
    let mut last: [u64; MAX_FIELDS] = std::array::from_fn(|field| codes.get(field).map_or(0, |code| code.base));
    for row in &rows {
        for (field, code) in codes.iter().enumerate().filter(|(_, code)| code.way != Way::Same) {
            let number = code.number(row[field], last[field]);
            last[field] = row[field];
            if code.way.is_seldom() {
                bits.put((number != 0).into(), 1);
                if number == 0 {
                    continue;
                }
            }
            bits.number(number, code.order);
        }
    }
    bits.finish();
}

/// Appends `count` postings read from their packed form; `None` where it is not one.
pub(super) fn unpack<P: Posting>(packed: &mut Vec<u8>, count: usize, out: &mut Vec<P>) -> Option<()> {
    let mut codes = [Code { way: Way::Same, order: 0, base: 0 }; MAX_FIELDS];
    let mut ranked: [Vec<u32>; MAX_FIELDS] = Default::default();
    let mut at = 0;
    for (code, ranked) in codes.iter_mut().zip(&mut ranked).take(P::FIELDS) {
        let header = packed.get(at..at + FIELD_HEADER)?;
        at += FIELD_HEADER;
        let base = u64::from_le_bytes(header[2..].try_into().expect("eight bytes"));
        let order = u32::from(header[1]);
        *code = Code { way: *WAYS.get(usize::from(header[0]))?, order, base };
        if order >= u64::BITS {
            return None;
        }
        if code.way == Way::Rank {
            let values = usize::try_from(base).ok().filter(|&values| values <= MAX_RANKS)?;
            let bytes = packed.get(at..at + RANKED_BYTES * values)?;
            at += bytes.len();
            let value = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
            ranked.extend(bytes.chunks_exact(RANKED_BYTES).map(value));
        }
    }
    let end = packed.len() * 8;
    packed.resize(packed.len() + SLACK, 0);
    let mut bits = BitReader { bytes: packed, at: at * 8 };
    let mut row: [u64; MAX_FIELDS] = codes.map(|code| code.base);
    for _ in 0..count {
        for (field, (value, code)) in row[..P::FIELDS].iter_mut().zip(&codes).enumerate() {
            match code.way {
                Way::Same => {}
                Way::Rank => {
                    let rank = usize::try_from(bits.number(code.order)).ok()?;
                    *value = (*ranked[field].get(rank)?).into();
                }
                way => {
                    let number = if way.is_seldom() && bits.take(1) == 0 { 0 } else { bits.number(code.order) };
                    *value = code.value(number, *value);
                }
            }
        }
        if bits.at > end {
            return None;
        }
        out.push(P::join(&row[..P::FIELDS]));
    }
    Some(())
}

struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    waiting: u64,
    filled: u32,
}

impl BitWriter<'_> {
    /// Writes the number of bits above the `order` lowest as so many zeros and a one, then the bits below the highest.
    #[inline]
    fn number(&mut self, number: u64, order: u32) {
        let high = number >> order;
        let length = u64::BITS - high.leading_zeros();
        let width = (2 * length).max(1) + order;
        if width < u64::BITS {
            let below = high ^ (1 << length >> 1);
            let (low, lowest) = (number & ((1 << order) - 1), (2 * length).max(1));
            self.put(1 << length | below << (length + 1) | low << lowest, width);
            return;
        }
        if length > 0 {
            self.put(0, length);
            self.put(1, 1);
            self.put(high ^ 1 << (length - 1), length - 1);
        } else {
            self.put(1, 1);
        }
        self.put(number & ((1 << order) - 1), order);
    }

    /// Writes the `width` lowest bits, the only ones that are set.
    #[inline]
    fn put(&mut self, bits: u64, width: u32) {
        self.waiting |= bits << self.filled;
        let filled = self.filled + width;
        if filled < u64::BITS {
            self.filled = filled;
            return;
        }
        self.out.extend_from_slice(&self.waiting.to_le_bytes());
        self.waiting = bits.checked_shr(u64::BITS - self.filled).unwrap_or(0);
        self.filled = filled - u64::BITS;
    }

    fn finish(self) {
        let bytes = self.filled.div_ceil(8) as usize;
        self.out.extend_from_slice(&self.waiting.to_le_bytes()[..bytes]);
    }
}

/// Of eight bytes at any bit of the first.
const SEEN_BITS: u32 = u64::BITS - 7;

struct BitReader<'a> {
    bytes: &'a [u8],
    /// The next bit.
    at: usize,
}

impl BitReader<'_> {
    /// At least [`SEEN_BITS`] of the next bits.
    #[inline]
    fn peek(&self) -> u64 {
        let start = self.at / 8;
        let next =
            self.bytes.get(start..start + 8).map_or(0, |b| u64::from_le_bytes(b.try_into().expect("eight bytes")));
        next >> (self.at % 8)
    }

    /// The zeros before the next one, which is passed over; of a good block at most 64.
    #[inline]
    fn zeros(&mut self) -> u32 {
        let zeros = self.peek().trailing_zeros();
        if zeros < 56 {
            self.at += zeros as usize + 1;
            return zeros;
        }
        self.at += 56;
        let more = self.peek().trailing_zeros().min(8);
        self.at += more as usize + 1;
        56 + more
    }

    #[inline]
    fn number(&mut self, order: u32) -> u64 {
        let next = self.peek();
        let length = next.trailing_zeros();
        let lowest = (2 * length).max(1);
        if lowest + order <= SEEN_BITS {
            self.at += (lowest + order) as usize;
            // The one behind the zeros is the highest bit; where there are none it is not one of the number.
            let high =
                if length == 0 { 0 } else { (next >> (length + 1)) & ((1 << (length - 1)) - 1) | 1 << (length - 1) };
            return high << order | (next >> lowest) & ((1 << order) - 1);
        }
        let length = self.zeros();
        let high = if length == 0 { 0 } else { self.take(length - 1) | 1 << (length - 1) };
        let low = self.take(order);
        high.checked_shl(order).unwrap_or(0) | low
    }

    /// The next `width` bits, fewer than 64.
    #[inline]
    fn take(&mut self, width: u32) -> u64 {
        if width > 56 {
            return self.take(32) | self.take(width - 32) << 32;
        }
        let bits = self.peek() & ((1 << width) - 1);
        self.at += width as usize;
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Pair;
    use super::*;
    use proptest::prelude::*;

    fn packed(postings: &[Pair]) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack(postings, &mut bytes);
        bytes
    }

    fn unpacked(mut bytes: Vec<u8>, count: usize) -> Option<Vec<Pair>> {
        let mut out = Vec::new();
        unpack(&mut bytes, count, &mut out)?;
        Some(out)
    }

    fn pairs() -> impl Strategy<Value = Vec<Pair>> {
        (0u32..=64, 0u32..=32).prop_flat_map(|(key_bits, value_bits)| {
            let key = any::<u64>().prop_map(move |k| k.checked_shr(64 - key_bits).unwrap_or(0));
            let value = any::<u32>().prop_map(move |v| v.checked_shr(32 - value_bits).unwrap_or(0));
            proptest::collection::vec((key, value).prop_map(|(key, value)| Pair { key, value }), 1..200)
        })
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back_sorted_or_not(mut postings in pairs(), sorted in any::<bool>()) {
            if sorted {
                postings.sort_unstable();
            }
            prop_assert_eq!(unpacked(packed(&postings), postings.len()), Some(postings));
        }

        #[test]
        fn broken_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400), ways in any::<[u8; 2]>(), count in 0usize..100) {
            let mut bytes = bytes;
            for (field, way) in ways.into_iter().enumerate() {
                if let Some([choice, order]) = bytes.get_mut(10 * field..10 * field + 2) {
                    (*choice, *order) = (*choice % 8, way % 64);
                }
            }
            let _ = unpacked(bytes, count);
        }
    }

    proptest! {
        #[test]
        fn the_best_order_is_the_one_that_takes_the_fewest_bits(counts in proptest::collection::vec(0u32..50, 65)) {
            let bits = |order: u32| -> u64 {
                let each = |(length, &count): (u32, &u32)| u64::from(count * (2 * length.saturating_sub(order)).max(1));
                (0..).zip(&counts).map(each).sum::<u64>() + u64::from(order * counts.iter().sum::<u32>())
            };
            let expected = (0..64).map(|order| (bits(order), order)).min().expect("there are orders");
            prop_assert_eq!(best_order(&Lengths(counts.clone().try_into().expect("one for each length"))), expected);
        }
    }

    #[test]
    fn the_ends_of_the_range_come_back() {
        let keys = [0, u64::MAX, 1, u64::MAX - 1, 1 << 63, 0, 0, u64::MAX];
        let postings: Vec<Pair> =
            keys.into_iter().zip([0, u32::MAX].into_iter().cycle()).map(|(key, value)| Pair { key, value }).collect();
        assert_eq!(unpacked(packed(&postings), postings.len()), Some(postings));
    }

    #[test]
    fn hashes_and_steps_take_the_bits_they_carry() {
        let mut postings: Vec<Pair> = (0..4096).map(|i| Pair { key: crate::hash::mix(i), value: 7 }).collect();
        postings.sort_unstable();
        assert!(
            packed(&postings).len() * 8 < 4096 * 54 + 200,
            "52 bits between neighbours: {}",
            packed(&postings).len()
        );
        let mut postings: Vec<Pair> = (0..4096).map(|i| Pair { key: crate::hash::mix(i / 64), value: 7 }).collect();
        postings.sort_unstable();
        assert!(
            packed(&postings).len() < 4096 / 8 + 64 * 8 + 100,
            "a bit where the key stays: {}",
            packed(&postings).len()
        );
        let postings: Vec<Pair> = (0..4096).map(|i| Pair { key: 5, value: i }).collect();
        assert!(packed(&postings).len() < 4096 / 8 + 100, "a bit for a step of one: {}", packed(&postings).len());
        let postings: Vec<Pair> =
            (0..4096u32).map(|i| Pair { key: 5, value: [1 << 30, 77][(i % 16 / 15) as usize] }).collect();
        assert!(packed(&postings).len() < 4096 * 17 / 16 / 8 + 100, "ranks of two values: {}", packed(&postings).len());
    }
}
