//! Where do the words of a text begin and end, and what are the hashes of the plain ones?
//!
//! A chunk of up to 4 KiB goes through twice, so that neither loop depends on what the words are. [`Runs::find`]
//! turns blocks of 64 bytes into bit masks and a folded copy, reads the borders of all runs off the masks by arithmetic,
//! and writes them down as 16-bit offsets. [`append_plain`] then hashes run after run from the copy, two registers
//! each, until it meets one that is *special*: it may be markup or hyphenated, or holds a character that is not
//! plain. Those are the scanner's.
//!
//! Plain are ASCII letters and digits and those characters that fold to as many bytes whatever stands beside them:
//! letters of two bytes by a lookup ([`Pair`]), Han, Kana and Hangul by ranges ([`SECOND`], [`KANA`]). A run is cut
//! before and after every plain character that is a token of its own.
//!
//! Whether a run is special is a carry: the run's bits plus the bits of what is not plain in it overflow exactly into
//! the bit behind the run, however many there are.

#![allow(unsafe_code, reason = "vector instructions, and loads and stores whose bounds are checked once a chunk")]

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::Tokens;
use super::unicode::{Pair, Table};
use crate::cpu::Kernel;
use crate::hash;
use crate::span::Span;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Bytes of text in a chunk: the offsets, the text and the tokens of one stay in the first-level cache.
pub(super) const CHUNK: usize = 4096;
/// Bytes in a block: one bit each in a mask.
const BLOCK: usize = 64;
/// Every second byte may begin a run, and one more; a block is written whole, whatever it holds.
const ROOM: usize = CHUNK / 2 + BLOCK;
/// What room for an offset holds before it is written. In tests a place that no chunk has: what another text left there could
/// pass for what this one should have written.
const UNWRITTEN: MaybeUninit<u16> =
    if cfg!(any(test, fuzzing)) { MaybeUninit::new(0x7777) } else { MaybeUninit::uninit() };
/// Set in the end of a run that is not hashed by [`append_plain`].
const SPECIAL: u16 = 1 << 15;

/// How many bytes are read for a block: its last character may begin in it only.
const READ: usize = BLOCK + 2;

/// Second bytes of plain characters of three bytes, least and greatest, by the lowest four bits of the first byte;
/// none where the first is greater. E3: Kana; E4 to E9: Han, but [`HEXAGRAMS`]; EA to ED: Hangul syllables.
const SECOND: [[u8; 16]; 2] = [
    [0xFF, 0xFF, 0xFF, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0xB0, 0x80, 0x80, 0x80, 0xFF, 0xFF],
    [0, 0, 0, 0x83, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0x9D, 0, 0],
];
/// The signs among the Han characters: their first two bytes.
const HEXAGRAMS: [u8; 2] = [0xE4, 0xB7];
/// The greatest first byte of a plain character that is a token of its own: Hangul has words.
const LAST_SINGLE: u8 = 0xE9;
/// Which third bytes, by their lowest six bits, make plain Kana: bit n behind `E3 80+n`.
/// Bit 0: thirds that end words behind `E2 80` (general punctuation without the hyphen and what is invisible), bit 4:
/// behind `E3 80`, bit 5: behind `EF BC`.
const KANA: [u8; BLOCK] = {
    let mut table = [0; BLOCK];
    let mut third = 0u8;
    while third < 64 {
        // Left out: unassigned codes, voicing marks, the middle dot, ligatures and their like.
        let first = third >= 1;
        let second = third <= 0x16 || third >= 0x21;
        let last = third <= 0x3A || third >= 0x3C && third <= 0x3E;
        let general = third <= 0x0A || third >= 0x11;
        let ideographic = third <= 0x04 || third >= 0x08 && third <= 0x20;
        let fullwidth = third >= 0x01 && third <= 0x0F || third >= 0x1A && third <= 0x20;
        table[third as usize] = (general as u8)
            | (first as u8) << 1
            | (second as u8) << 2
            | (last as u8) << 3
            | (ideographic as u8) << 4
            | (fullwidth as u8) << 5;
        third += 1;
    }
    table
};

/// What a block of 64 bytes holds, a bit a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Masks {
    /// Letters, digits, bytes above 127.
    word: u64,
    /// Bytes above 127 of characters that are not plain.
    hard: u64,
    /// `<` and `&`.
    markup: u64,
    /// A hyphen before a line break.
    hyphen: u64,
    /// First bytes of plain characters that are tokens of their own or follow one.
    split: u64,
    /// Bytes of characters outside ASCII that end a word wherever they stand.
    gap: u64,
}

/// The masks of a block and the writing of offsets, for one set of instructions. A value holds what one block hands
/// to the next.
trait Isa: Default {
    /// The masks of 64 bytes at `block`; writes them to `folded`, those of plain characters as their normalised form.
    ///
    /// # Safety
    /// The processor has the instructions; [`READ`] bytes can be read from `block` and 64 written to `folded`.
    unsafe fn masks(&mut self, block: *const u8, folded: *mut u8, pairs: &[Pair; 32]) -> Masks;

    /// Writes `first` plus the place of each bit of `starts` and of `ends`, those of `special` with [`SPECIAL`] set.
    ///
    /// # Safety
    /// The processor has the instructions; 64 offsets can be written to each pointer.
    unsafe fn write(first: u16, borders: Borders, starts: *mut u16, ends: *mut u16);
}

/// What the characters of a block hand to the next, each in the lowest bits.
#[derive(Default)]
struct Carry {
    /// The other bytes of a plain character that is open.
    open: u64,
    /// The other bytes of one that ends words.
    gap: u64,
    /// The byte behind a character that is a token of its own.
    behind: u64,
}

impl Masks {
    /// Enters the plain characters: all their bytes, and the first bytes of those that are tokens of their own.
    #[inline(always)]
    fn enter(&mut self, plain: u64, single: u64, gap: u64, carry: &mut Carry) {
        self.hard &= !(plain | gap);
        self.gap = gap;
        // What follows a token of its own begins another, unless it clings to it.
        self.split = single | ((single << 3 | carry.behind) & self.word & !(self.hard | gap));
        carry.behind = single >> 61;
    }

    /// The same for a block of ASCII.
    #[inline(always)]
    fn enter_ascii(&mut self, carry: &mut Carry) {
        self.split = carry.behind & self.word;
        *carry = Carry::default();
    }
}

/// Which bytes of a block begin a run, follow a run, follow a special run.
#[derive(Clone, Copy)]
struct Borders {
    starts: u64,
    ends: u64,
    special: u64,
}

/// The runs of word bytes of one chunk, or what they are cut into: offsets from its start, ascending.
pub(super) struct Runs {
    starts: [MaybeUninit<u16>; ROOM],
    ends: [MaybeUninit<u16>; ROOM],
    /// The chunk with its plain characters folded, up to the end of the block that holds its last byte, and what is
    /// loaded behind the last word.
    folded: [MaybeUninit<u8>; CHUNK + BLOCK],
    /// How many are complete: so many of both arrays are written.
    len: usize,
    /// The start of one that the chunk's end cuts.
    open: Option<u16>,
}

impl Runs {
    pub(super) fn new() -> Self {
        Self {
            starts: [UNWRITTEN; ROOM],
            ends: [UNWRITTEN; ROOM],
            folded: [MaybeUninit::uninit(); CHUNK + BLOCK],
            len: 0,
            open: None,
        }
    }

    /// How many complete runs there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The start of a run that the end of the chunk cuts, from the chunk's start.
    pub(super) fn open(&self) -> Option<usize> {
        self.open.map(usize::from)
    }

    /// Start and end of a run, from the chunk's start.
    pub(super) fn get(&self, i: usize) -> (usize, usize) {
        let (start, end) = self.raw(i);
        (usize::from(start), usize::from(end & !SPECIAL))
    }

    /// Whether a run is the scanner's.
    pub(super) fn is_special(&self, i: usize) -> bool {
        self.raw(i).1 & SPECIAL != 0
    }

    fn raw(&self, i: usize) -> (u16, u16) {
        assert!(i < self.len, "the run is there");
        // SAFETY: `len` runs are written, start and end, whenever `len` is set.
        unsafe { (self.starts[i].assume_init(), self.ends[i].assume_init()) }
    }

    /// Replaces the content by the runs of the chunk that begins at byte `at` of `text` and is [`CHUNK`] bytes long,
    /// or shorter at the end of the text. The byte before the chunk belongs to no run.
    pub(super) fn find(&mut self, kernel: Kernel, table: &Table, text: &[u8], at: usize) {
        let pairs = table.pairs();
        assert!(at <= text.len(), "a chunk begins in the text");
        match kernel {
            // SAFETY: portable code asks nothing of the processor.
            Kernel::Portable => unsafe { find::<portable::Portable>(self, pairs, text, at) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Kernel` values above `Portable` exist only where the processor was asked.
            Kernel::Avx2 => unsafe { x86::find_avx2(self, pairs, text, at) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Kernel::Avx512 => unsafe { x86::find_avx512(self, pairs, text, at) },
            #[cfg(not(target_arch = "x86_64"))]
            // SAFETY: portable code asks nothing of the processor.
            _ => unsafe { find::<portable::Portable>(self, pairs, text, at) },
        }
    }
}

/// [`Runs::find`] with one set of instructions.
///
/// # Safety
/// The processor has the instructions of `I`; `at <= text.len()`.
#[inline(always)]
unsafe fn find<I: Isa>(runs: &mut Runs, pairs: &[Pair; 32], text: &[u8], at: usize) {
    let chunk = &text[at..];
    let size = CHUNK.min(chunk.len());
    let mut finder = Finder { isa: I::default(), state: State::new(text, at), begun: 0, ended: 0 };
    let mut offset = 0;
    while offset < size && offset + READ <= chunk.len() {
        // SAFETY: `READ` bytes can be read, `offset` is a multiple of `BLOCK` below `CHUNK`.
        unsafe { finder.block(runs, offset, chunk.as_ptr().add(offset), pairs) };
        offset += BLOCK;
    }
    while offset < size {
        // The tail of the text is read from a padded copy.
        let mut tail = [0; READ];
        tail[..chunk.len() - offset].copy_from_slice(&chunk[offset..]);
        // SAFETY: as above.
        unsafe { finder.block(runs, offset, tail.as_ptr(), pairs) };
        offset += BLOCK;
    }
    let Finder { begun, ended, .. } = finder;
    // What is loaded behind the last word: any bytes.
    runs.folded[offset..offset + BLOCK].fill(MaybeUninit::new(0));
    runs.len = ended;
    // SAFETY: `begun` starts were written.
    runs.open = (begun > ended).then(|| unsafe { runs.starts[ended].assume_init() });
}

/// A chunk half read.
struct Finder<I> {
    isa: I,
    state: State,
    /// Starts and ends written so far.
    begun: usize,
    ended: usize,
}

impl<I: Isa> Finder<I> {
    /// Writes the borders of the block at `offset` of the chunk.
    ///
    /// # Safety
    /// The processor has the instructions; [`READ`] bytes can be read from `block`; `offset` is a multiple of [`BLOCK`]
    /// below [`CHUNK`], and all blocks before it were written.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "offsets are below CHUNK")]
    unsafe fn block(&mut self, runs: &mut Runs, offset: usize, block: *const u8, pairs: &[Pair; 32]) {
        let (starts, ends) = (runs.starts.as_mut_ptr(), runs.ends.as_mut_ptr());
        // SAFETY: `folded` is a block longer than a chunk. Starts lie two bytes apart or more, and so do ends, but where
        // a token of its own, of three bytes, makes up for one. So a block has at most 33 of either, b blocks have at
        // most 32 b + 1, and 64 more fit: ROOM is CHUNK / 2 + BLOCK. The rest is the caller's promise.
        unsafe {
            let masks = self.isa.masks(block, runs.folded.as_mut_ptr().add(offset).cast(), pairs);
            let borders = self.state.borders(masks);
            I::write(offset as u16, borders, starts.add(self.begun).cast(), ends.add(self.ended).cast());
            self.begun += borders.starts.count_ones() as usize;
            self.ended += borders.ends.count_ones() as usize;
        }
    }
}

/// What one block hands to the next, each in the lowest bits.
struct State {
    /// The last byte was a word byte.
    in_run: u64,
    /// And of a word.
    in_piece: u64,
    /// The run it belongs to is special.
    special: u64,
    /// The run it belongs to may be markup.
    named: u64,
    /// A byte that may open markup was the last one or the one before: marks the places behind it.
    markup: u64,
}

impl State {
    fn new(text: &[u8], at: usize) -> Self {
        let opens = |back: usize| at.checked_sub(back).is_some_and(|i| matches!(text[i], b'<' | b'&'));
        Self {
            in_run: 0,
            in_piece: 0,
            special: 0,
            named: 0,
            markup: (u64::from(opens(1)) * 0b11) | u64::from(opens(2)),
        }
    }

    #[inline(always)]
    fn borders(&mut self, masks: Masks) -> Borders {
        let Masks { word: run, hard, markup, hyphen, split, gap } = masks;
        let first = run & !(run << 1 | self.in_run);
        // Markup is `<name`, `</name`, `&name` or `&#name`: the name begins one or two bytes behind. It is not cut.
        let named = first & (markup << 1 | markup << 2 | self.markup);
        let (behind, named_open) = run.overflowing_add(named | self.named);
        let cut = !(run & !behind);
        let (word, split) = (run & !(gap & cut), split & cut);
        let after_word = word << 1 | self.in_piece;
        let (starts, ends) = ((word & !after_word) | split, after_word & (!word | split));
        // A piece loses the bit of its first byte, so that the carry out of the one before ends there.
        let (carried, special_open) = (word & !split).overflowing_add(hard | named | self.special);
        let special = ends & (carried | hyphen);
        self.in_run = run >> 63;
        self.in_piece = word >> 63;
        self.special = u64::from(special_open);
        self.named = u64::from(named_open);
        self.markup = markup >> 63 | markup >> 62;
        Borders { starts, ends, special }
    }
}

/// Appends the tokens of runs from `first` on, up to the first that is special; gives its number. `at` is where the
/// chunk begins in the text.
pub(super) fn append_plain(kernel: Kernel, runs: &Runs, first: usize, at: usize, out: &mut Tokens) -> usize {
    let stopped = append_hashes(kernel, runs, first, &mut out.hashes);
    append_spans(runs, first..stopped, at, &mut out.spans);
    stopped
}

/// What is done to a word of each length before its halves are multiplied: a row is one half of a cache line.
#[repr(C, align(32))]
#[derive(Clone, Copy)]
struct Row {
    keep: [u64; 2],
    keys: [u64; 2],
}

#[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
static ROWS: [Row; 17] = {
    let mut rows = [Row { keep: [0; 2], keys: [0; 2] }; 17];
    let mut n = 1;
    while n < 17 {
        let keep = u128::MAX >> (128 - 8 * n);
        rows[n] = Row { keep: [keep as u64, (keep >> 64) as u64], keys: hash::word_keys(n) };
        n += 1;
    }
    rows
};

/// Appends the hashes of runs from `first` on, up to the first that is special; gives its number.
fn append_hashes(kernel: Kernel, runs: &Runs, first: usize, out: &mut Vec<u64>) -> usize {
    let held = out.len();
    out.reserve(runs.len - first);
    let room = &mut out.spare_capacity_mut()[..runs.len - first];
    let done = match kernel {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `room` is as long as there are runs; the processor was asked.
        Kernel::Avx2 | Kernel::Avx512 => unsafe { x86::hash_runs_bmi2(runs, first, room) },
        // SAFETY: `room` is as long as there are runs.
        _ => unsafe { hash_runs(runs, first, room) },
    };
    // SAFETY: `done` more were written.
    unsafe { out.set_len(held + done) };
    first + done
}

/// Hashes runs from number `first` on into `room` until it is full or a run is special; gives how many.
///
/// # Safety
/// `first + room.len() <= runs.len`.
#[inline(always)]
unsafe fn hash_runs(runs: &Runs, first: usize, room: &mut [MaybeUninit<u64>]) -> usize {
    let (starts, ends) = (&runs.starts[first..], &runs.ends[first..]);
    for (i, ((slot, start), end)) in room.iter_mut().zip(starts).zip(ends).enumerate() {
        // SAFETY: the caller promises that these runs are written.
        let (start, end) = unsafe { (start.assume_init(), end.assume_init()) };
        // A special run's end is far behind its start.
        let length = usize::from(end.wrapping_sub(start));
        let Some(row) = ROWS.get(length) else {
            if end & SPECIAL != 0 {
                return i;
            }
            // SAFETY: the run lies in the chunk, whose folded copy is written.
            let bytes =
                unsafe { std::slice::from_raw_parts(runs.folded.as_ptr().add(usize::from(start)).cast(), length) };
            slot.write(hash::word(bytes));
            continue;
        };
        // SAFETY: the folded copy is written up to at least 16 bytes behind the start of every run in it.
        let halves = unsafe { runs.folded.as_ptr().add(usize::from(start)).cast::<[[u8; 8]; 2]>().read() };
        let keyed = |half: usize| u64::from_le_bytes(halves[half]) & row.keep[half] ^ row.keys[half];
        slot.write(hash::keyed_word(keyed(0), keyed(1)));
    }
    room.len()
}

/// Appends the spans of a range of runs.
fn append_spans(runs: &Runs, range: Range<usize>, at: usize, out: &mut Vec<Span>) {
    assert!(range.end <= runs.len, "these runs are there");
    let base = u32::try_from(at).expect("a document is shorter than 4 GiB");
    let borders = runs.starts[range.clone()].iter().zip(&runs.ends[range]);
    // SAFETY: runs below `len` are written.
    let spans = borders.map(|(start, end)| unsafe { (u32::from(start.assume_init()), u32::from(end.assume_init())) });
    out.extend(spans.map(|(start, end)| Span { start: base + start, end: base + end }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The runs of a whole text, each with whether it is special, from the definition.
    fn naive(text: &[u8]) -> Vec<(usize, usize, bool)> {
        let word = |i: usize| text.get(i).is_some_and(|b| b.is_ascii_alphanumeric() || *b >= 0x80);
        let opens = |i: Option<usize>| i.is_some_and(|i| matches!(text[i], b'<' | b'&'));
        let starts = (0..text.len()).filter(|&i| word(i) && (i == 0 || !word(i - 1)));
        starts
            .filter_map(|start| {
                let end = (start..=text.len()).find(|&i| !word(i))?;
                let markup = opens(start.checked_sub(1)) || opens(start.checked_sub(2));
                let hyphen = text.get(end) == Some(&b'-') && matches!(text.get(end + 1), Some(b'\n' | b'\r'));
                Some((start, end, markup || hyphen || !text[start..end].is_ascii()))
            })
            .collect()
    }

    fn found(kernel: Kernel, text: &[u8]) -> Vec<(usize, usize, bool)> {
        let mut runs = Runs::new();
        runs.find(kernel, Table::get(), text, 0);
        let complete = (0..runs.len()).map(|i| (runs.get(i).0, runs.get(i).1, runs.is_special(i)));
        complete.chain(runs.open().map(|start| (start, text.len(), false))).collect()
    }

    /// A block that begins behind a token of its own, or ends in the first byte of one, has a border more than every second byte.
    #[test]
    fn a_block_of_thirty_three_borders_is_written_whole() {
        for lead in 0..2 * BLOCK {
            for text in [
                format!("{}中a{}", "b".repeat(lead), " b".repeat(BLOCK)),
                format!("{}&中{}", "b".repeat(lead), " b".repeat(BLOCK)),
                format!("{}{}中", " ".repeat(lead), "b ".repeat(BLOCK)),
                format!("{}{}b中 b", " ".repeat(lead), "b ".repeat(BLOCK / 2 - 1)),
                format!("{}{}中a中{}", " ".repeat(lead), "b ".repeat(20), "a中".repeat(BLOCK)),
            ] {
                for kernel in Kernel::available() {
                    let (found, expected) = (found(kernel, text.as_bytes()), found(Kernel::Portable, text.as_bytes()));
                    assert_eq!(found, expected, "{kernel:?} {text:?}");
                    assert!(found.windows(2).all(|w| w[0].0 < w[0].1 && w[0].1 <= w[1].0), "{kernel:?} {text:?}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn every_kernel_finds_the_runs(text in "[aZ09 \n\r<&/;#@`{:\u{301}\u{ad}😀-]{0,200}") {
            let text = text.as_bytes();
            let mut expected = naive(text);
            if text.len() % BLOCK == 0 && let Some(last) = expected.last_mut().filter(|run| run.1 == text.len()) {
                // Whether an open run is special is not known before its end.
                last.2 = false;
            }
            for kernel in Kernel::available() {
                prop_assert_eq!(found(kernel, text), expected.clone(), "{:?}", kernel);
            }
        }

        #[test]
        fn every_ascii_byte_has_its_class(bytes in proptest::collection::vec(0u8..128, 65)) {
            for kernel in Kernel::available() {
                prop_assert_eq!(found(kernel, &bytes[..64]), found(Kernel::Portable, &bytes[..64]));
            }
        }
    }
}
