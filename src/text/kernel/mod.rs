//! Where do the words of a text begin and end, and what are the hashes of the plain ones?
//!
//! A chunk of up to 4 KiB goes through twice, so that neither loop depends on what the words are. [`Runs::find`]
//! turns blocks of 64 bytes into bit masks and a folded copy, reads the borders of all runs off the masks by arithmetic,
//! and writes them down as 16-bit offsets. [`append_plain`] then hashes run after run from the copy, two registers
//! each, until it meets one that is *special*: it may be markup or hyphenated, or holds a character that is not
//! plain. Those are the scanner's.
//!
//! Plain are ASCII letters and digits and, with AVX-512, the characters that fold to as many bytes whatever stands
//! beside them: letters of two bytes by a lookup per lead byte, Han, Kana and Hangul by ranges. A run is cut before
//! and after every plain character that is a token of its own.
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
/// Every second byte may begin a run; a block is written whole, whatever it holds.
const ROOM: usize = CHUNK / 2 + BLOCK;
/// Set in the end of a run that is not hashed by [`append_plain`].
const SPECIAL: u16 = 1 << 15;

/// How many bytes are read for a block: its last character may begin in it only.
const READ: usize = BLOCK + 2;

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
}

/// The masks of a block and the writing of offsets, for one set of instructions. A value holds what one block hands
/// to the next.
trait Isa: Default {
    /// The masks of 64 bytes at `block`; writes them to `folded`, those of plain characters as their normalised form.
    ///
    /// # Safety
    /// The processor has the instructions; [`READ`] bytes can be read from `block` and 64 written to `folded`.
    unsafe fn masks(&mut self, block: *const u8, folded: *mut u8, pairs: &[Pair; 32]) -> Masks;

    /// Writes `base` plus the place of each bit of `starts` and of `ends`, those of `special` with [`SPECIAL`] set.
    ///
    /// # Safety
    /// The processor has the instructions; 64 offsets can be written to each pointer.
    unsafe fn write(base: u16, borders: Borders, starts: *mut u16, ends: *mut u16);
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
            starts: [MaybeUninit::uninit(); ROOM],
            ends: [MaybeUninit::uninit(); ROOM],
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
    let chunk = CHUNK.min(text.len() - at);
    let (mut isa, mut state) = (I::default(), State::new(text, at));
    let (mut begun, mut ended) = (0, 0);
    let mut tail;
    for offset in (0..chunk).step_by(BLOCK) {
        // The tail of the text is read from a padded copy.
        let rest = &text[at + offset..];
        let block = if rest.len() >= READ {
            rest.as_ptr()
        } else {
            tail = [0; READ];
            tail[..rest.len()].copy_from_slice(rest);
            tail.as_ptr()
        };
        #[expect(clippy::cast_possible_truncation, reason = "offsets are below CHUNK")]
        let base = offset as u16;
        // SAFETY: `READ` bytes from `block` can be read, see above; `offset` is below CHUNK and `folded` a block longer.
        // A block has at most 32 starts and 32 ends, so before block b at most 32 b of either are written, and 64 more
        // fit: ROOM is CHUNK / 2 + BLOCK. The processor is the caller's promise.
        unsafe {
            let masks = isa.masks(block, runs.folded.as_mut_ptr().add(offset).cast(), pairs);
            let borders = state.borders(masks);
            I::write(
                base,
                borders,
                runs.starts.as_mut_ptr().add(begun).cast(),
                runs.ends.as_mut_ptr().add(ended).cast(),
            );
            begun += borders.starts.count_ones() as usize;
            ended += borders.ends.count_ones() as usize;
        }
    }
    // What is loaded behind the last word: any bytes.
    let end = chunk.next_multiple_of(BLOCK);
    runs.folded[end..end + BLOCK.min(CHUNK + BLOCK - end)].fill(MaybeUninit::new(0));
    runs.len = ended;
    // SAFETY: `begun` starts were written.
    runs.open = (begun > ended).then(|| unsafe { runs.starts[ended].assume_init() });
}

/// What one block hands to the next, each in the lowest bits.
struct State {
    /// The last byte was a word byte.
    in_run: u64,
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
        Self { in_run: 0, special: 0, named: 0, markup: u64::from(opens(1)) * 0b11 | u64::from(opens(2)) }
    }

    #[inline(always)]
    fn borders(&mut self, masks: Masks) -> Borders {
        let Masks { word, hard, markup, hyphen, split } = masks;
        let after_word = word << 1 | self.in_run;
        let first = word & !after_word;
        // Markup is `<name`, `</name`, `&name` or `&#name`: the name begins one or two bytes behind. It is not cut.
        let named = first & (markup << 1 | markup << 2 | self.markup);
        let (uncut, named_open) = word.overflowing_add(named | self.named);
        let split = split & !(word & !uncut);
        let (starts, ends) = (first | split, after_word & (!word | split));
        // A piece loses the bit of its first byte, so that the carry out of the one before ends there.
        let (carried, special_open) = (word & !split).overflowing_add(hard | named | self.special);
        let special = ends & (carried | hyphen);
        self.in_run = word >> 63;
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
        let complete = (0..runs.len()).map(|i| (runs.get(i).0, runs.get(i).1, runs.raw(i).1 & SPECIAL != 0));
        complete.chain(runs.open().map(|start| (start, text.len(), false))).collect()
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
