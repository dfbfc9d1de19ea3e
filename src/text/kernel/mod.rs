//! Where do the words of a text begin and end, and what are the hashes of the plain ones?
//!
//! A chunk of up to 4 KiB goes through twice, so that neither loop depends on what the words are. [`Runs::find`]
//! turns blocks of 64 bytes into bit masks (word bytes, bytes above 127, bytes that may open markup, hyphens at a line
//! end), reads the borders of all runs off them by arithmetic on whole masks, and writes them down as 16-bit
//! offsets. [`append_plain`] then hashes run after run from two registers, until it meets one that is *special*: long,
//! not all ASCII, maybe markup, maybe hyphenated. Those are the scanner's.
//!
//! Whether a run is special is a carry: the run's bits plus the bit of a special byte in it overflow exactly into
//! the bit behind the run, however many such bytes it has. Measured on 4 KiB chunks: .2 cycles a byte to find runs
//! with AVX-512, 4 cycles a run to hash.

#![allow(unsafe_code, reason = "vector instructions, and loads and stores whose bounds are checked once a chunk")]

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::Tokens;
use crate::cpu::Kernel;
use crate::hash;
use crate::span::Span;
use std::mem::MaybeUninit;

/// Bytes of text in a chunk: the offsets, the text and the tokens of one stay in the first-level cache.
pub(super) const CHUNK: usize = 4096;
/// Bytes in a block: one bit each in a mask.
const BLOCK: usize = 64;
/// Every second byte may begin a run; a block is written whole, whatever it holds.
const ROOM: usize = CHUNK / 2 + BLOCK;
/// Set in the end of a run that is not hashed by [`append_plain`].
const SPECIAL: u16 = 1 << 15;
/// Words up to this long are hashed from two registers.
const PLAIN_BYTES: u16 = 16;

/// What a block of 64 bytes holds, a bit a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Masks {
    /// Letters, digits, bytes above 127.
    word: u64,
    /// Bytes above 127.
    high: u64,
    /// `<` and `&`.
    markup: u64,
    /// A hyphen before a line break.
    hyphen: u64,
}

/// The masks of a block and the writing of offsets, for one set of instructions.
trait Isa {
    /// # Safety
    /// The processor has the instructions; 65 bytes can be read from `block`.
    unsafe fn masks(block: *const u8) -> Masks;

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

/// The runs of word bytes of one chunk: offsets from its start, ascending.
pub(super) struct Runs {
    starts: [MaybeUninit<u16>; ROOM],
    ends: [MaybeUninit<u16>; ROOM],
    /// How many are complete: so many of both arrays are written.
    len: usize,
    /// The start of one that the chunk's end cuts.
    open: Option<u16>,
}

impl Runs {
    pub(super) fn new() -> Self {
        Self { starts: [MaybeUninit::uninit(); ROOM], ends: [MaybeUninit::uninit(); ROOM], len: 0, open: None }
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
    pub(super) fn find(&mut self, kernel: Kernel, text: &[u8], at: usize) {
        assert!(at <= text.len(), "a chunk begins in the text");
        match kernel {
            // SAFETY: portable code asks nothing of the processor.
            Kernel::Portable => unsafe { find::<portable::Portable>(self, text, at) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Kernel` values above `Portable` exist only where the processor was asked.
            Kernel::Avx2 => unsafe { x86::find_avx2(self, text, at) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Kernel::Avx512 => unsafe { x86::find_avx512(self, text, at) },
            #[cfg(not(target_arch = "x86_64"))]
            // SAFETY: portable code asks nothing of the processor.
            _ => unsafe { find::<portable::Portable>(self, text, at) },
        }
    }
}

/// [`Runs::find`] with one set of instructions.
///
/// # Safety
/// The processor has the instructions of `I`; `at <= text.len()`.
#[inline(always)]
unsafe fn find<I: Isa>(runs: &mut Runs, text: &[u8], at: usize) {
    let chunk = CHUNK.min(text.len() - at);
    let mut state = State::new(text, at);
    let (mut begun, mut ended) = (0, 0);
    for offset in (0..chunk).step_by(BLOCK) {
        let from = at + offset;
        // SAFETY: 65 bytes from `from` lie in the text, or in a padded copy of its tail. The processor is the
        // caller's promise.
        let masks = match text.get(from..from + BLOCK + 1) {
            Some(block) => unsafe { I::masks(block.as_ptr()) },
            None => unsafe { I::masks(padded::<{ BLOCK + 1 }>(&text[from..]).as_ptr()) },
        };
        let borders = state.borders(masks);
        #[expect(clippy::cast_possible_truncation, reason = "offsets are below CHUNK")]
        let base = offset as u16;
        // SAFETY: a block has at most 32 starts and 32 ends, so before block b at most 32 b of either are written, and
        // 64 more fit: ROOM is CHUNK / 2 + BLOCK.
        unsafe {
            I::write(base, borders, runs.starts.as_mut_ptr().add(begun).cast(), runs.ends.as_mut_ptr().add(ended).cast());
        }
        begun += borders.starts.count_ones() as usize;
        ended += borders.ends.count_ones() as usize;
    }
    runs.len = ended;
    // SAFETY: `begun` starts were written.
    runs.open = (begun > ended).then(|| unsafe { runs.starts[ended].assume_init() });
}

/// The bytes, at most `N`, followed by zeros.
fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut copy = [0; N];
    copy[..bytes.len()].copy_from_slice(bytes);
    copy
}

/// What one block hands to the next, each in the lowest bits.
struct State {
    /// The last byte was a word byte.
    in_run: u64,
    /// The run it belongs to is special.
    special: u64,
    /// A byte that may open markup was the last one or the one before: marks the places behind it.
    markup: u64,
}

impl State {
    fn new(text: &[u8], at: usize) -> Self {
        let opens = |back: usize| at.checked_sub(back).is_some_and(|i| matches!(text[i], b'<' | b'&'));
        Self { in_run: 0, special: 0, markup: u64::from(opens(1)) * 0b11 | u64::from(opens(2)) }
    }

    #[inline(always)]
    fn borders(&mut self, masks: Masks) -> Borders {
        let Masks { word, high, markup, hyphen } = masks;
        let after_word = word << 1 | self.in_run;
        let (starts, ends) = (word & !after_word, after_word & !word);
        // Markup is `<name`, `</name`, `&name` or `&#name`: the name begins one or two bytes behind.
        let named = starts & (markup << 1 | markup << 2 | self.markup);
        let (carried, overflow) = word.overflowing_add(high | named | self.special);
        let special = ends & (carried | hyphen);
        self.in_run = word >> 63;
        self.special = u64::from(overflow);
        self.markup = markup >> 63 | markup >> 62;
        Borders { starts, ends, special }
    }
}

/// Appends the tokens of runs from `first` on until one is special or longer than sixteen bytes; gives its number.
pub(super) fn append_plain(runs: &Runs, first: usize, text: &[u8], at: usize, out: &mut Tokens) -> usize {
    let loadable = loadable(runs, first, text.len() - at);
    let stopped = append_from(runs, first..loadable, &text[at..], 0, at, out);
    if stopped < loadable || loadable == runs.len {
        return stopped;
    }
    // The sixteen bytes of the last few words reach behind the text.
    let tail_at = text.len().saturating_sub(usize::from(PLAIN_BYTES)).max(at);
    let tail: [u8; 2 * PLAIN_BYTES as usize] = padded(&text[tail_at..]);
    append_from(runs, loadable..runs.len, &tail, tail_at - at, at, out)
}

/// The first run from `first` on whose sixteen bytes reach behind the `rest` bytes of text the chunk begins.
fn loadable(runs: &Runs, first: usize, rest: usize) -> usize {
    let reach = usize::from(PLAIN_BYTES);
    if rest >= CHUNK + reach {
        return runs.len;
    }
    (first..runs.len).rev().find(|&i| runs.get(i).0 + reach <= rest).map_or(first, |i| i + 1)
}

const KEEP: [u128; 17] = keep_masks();

const fn keep_masks() -> [u128; 17] {
    let mut masks = [0; 17];
    let mut n = 1;
    while n < 17 {
        masks[n] = u128::MAX >> (128 - 8 * n);
        n += 1;
    }
    masks
}

/// Hashes the runs of `range` from `source`, which begins `skipped` bytes into the chunk at byte `at` of the text.
#[inline]
fn append_from(
    runs: &Runs,
    range: std::ops::Range<usize>,
    source: &[u8],
    skipped: usize,
    at: usize,
    out: &mut Tokens,
) -> usize {
    if range.is_empty() {
        return range.start;
    }
    assert!(runs.get(range.start).0 >= skipped, "runs begin in the source");
    assert!(runs.get(range.end - 1).0 - skipped + usize::from(PLAIN_BYTES) <= source.len(), "words can be loaded");
    out.hashes.reserve(range.len());
    out.spans.reserve(range.len());
    let (held, base) = (out.hashes.len(), u32::try_from(at).expect("a document is shorter than 4 GiB"));
    assert_eq!(held, out.spans.len(), "tokens are parallel arrays");
    let (hashes, spans) = (out.hashes.spare_capacity_mut(), out.spans.spare_capacity_mut());
    let mut done = 0;
    for i in range.clone() {
        // SAFETY: `i < runs.len`, checked above for the last one: both offsets are written.
        let (start, end) = unsafe { (runs.starts.get_unchecked(i).assume_init(), runs.ends.get_unchecked(i).assume_init()) };
        // A special run's end is far behind its start.
        let length = end.wrapping_sub(start);
        if length > PLAIN_BYTES {
            break;
        }
        // SAFETY: starts ascend, so the asserts on the first and last run hold for this one; `done < range.len()`, for
        // which there is room; `length <= 16` indexes 17 masks.
        unsafe {
            let bytes = source.as_ptr().add(usize::from(start) - skipped).cast::<[u8; 16]>().read();
            // Letters get bit 5 set, digits have it set already.
            let lower = u128::from_le_bytes(bytes) | 0x2020_2020_2020_2020_2020_2020_2020_2020;
            let kept = lower & *KEEP.get_unchecked(usize::from(length));
            hashes.get_unchecked_mut(done).write(hash::word16(kept, usize::from(length)));
            let span = Span { start: base + u32::from(start), end: base + u32::from(end) };
            spans.get_unchecked_mut(done).write(span);
        }
        done += 1;
    }
    // SAFETY: `done` more of each were written above.
    unsafe {
        out.hashes.set_len(held + done);
        out.spans.set_len(held + done);
    }
    range.start + done
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
        runs.find(kernel, text, 0);
        let complete = (0..runs.len()).map(|i| (runs.get(i).0, runs.get(i).1, runs.raw(i).1 & SPECIAL != 0));
        complete.chain(runs.open().map(|start| (start, text.len(), false))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn every_kernel_finds_the_runs(text in proptest::collection::vec(proptest::sample::select(&b"aZ09 \n\r-<&/;#\x80\xc3\xff@[`{:"[..]), 0..300)) {
            let mut expected = naive(&text);
            if text.len() % BLOCK == 0 && let Some(last) = expected.last_mut().filter(|run| run.1 == text.len()) {
                // Whether an open run is special is not known before its end.
                last.2 = false;
            }
            for kernel in Kernel::available() {
                prop_assert_eq!(found(kernel, &text), expected.clone(), "{:?}", kernel);
            }
        }

        #[test]
        fn every_byte_has_its_class(bytes in proptest::collection::vec(any::<u8>(), 65)) {
            for kernel in Kernel::available() {
                prop_assert_eq!(found(kernel, &bytes[..64]), found(Kernel::Portable, &bytes[..64]));
            }
        }
    }
}
