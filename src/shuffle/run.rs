//! The run: a sorted sequence of postings in a file, every block of it checked when it is read.
//!
//! Layout, all numbers little-endian:
//!
//! ```text
//! header   magic "descrun\n" · version u32 · posting size u32
//! block    number of postings u32 (never 0) · XXH3 of the payload, seeded with the block's number, u64 · payload
//! payload  a bit for every byte of a posting: whether it varies in the block · the first posting · of every posting the
//!          bytes that vary
//! trailer  0 u32 · XXH3 of the total, seeded with the number of blocks, u64 · total number of postings u64
//! ```
//!
//! Postings of a sorted block have much in common (the top of the key, the zeros above small numbers), and a byte that
//! all of them share is written once: what the block way spills shrinks to two thirds, for less than a nanosecond a byte.
//!
//! The count stands at the end, so that a run can be written without knowing its length (a spooled group) and
//! without seeking. A cut file lacks its trailer, a changed or moved block fails its checksum; both are reported with
//! the path before one posting of the block was handed out. Runs never outlive the process, hence the plain format.

use super::Posting;
use super::area::{SpillArea, failed};
use crate::{Error, Result, hash};
use std::fs::File;
use std::io::{Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"descrun\n";
const VERSION: u32 = 2;
const HEADER_BYTES: usize = 16;
const BLOCK_HEADER_BYTES: usize = 12;
const TOTAL_BYTES: usize = 8;

/// A finished run; the file is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Run {
    area: Arc<SpillArea>,
    path: PathBuf,
    len: u64,
    block: usize,
}

impl Run {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Opens it for reading from the start; holds one block of the run in memory.
    pub(super) fn read<P: Posting>(&self) -> Result<RunReader<P>> {
        RunReader::open(&self.path, self.len, self.block)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Early relief for the disk only: what stays behind goes with the area, so a failure is no news.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Writes a run, a block at a time.
#[derive(Debug)]
pub(super) struct RunWriter<P> {
    file: File,
    run: Run,
    /// The block under construction: room for what stands before its postings, then the postings whole.
    block: Vec<u8>,
    blocks: u64,
    posting: PhantomData<P>,
}

impl<P: Posting> RunWriter<P> {
    /// Creates the file; `block` is the number of postings checked together.
    pub(super) fn create(area: &Arc<SpillArea>, block: usize) -> Result<Self> {
        let (file, path) = area.create()?;
        let run = Run { area: Arc::clone(area), path, len: 0, block };
        let full_block = Vec::with_capacity(front::<P>() + block * P::BYTES);
        let mut writer = Self { file, run, block: full_block, blocks: 0, posting: PhantomData };
        writer.write(&header::<P>())?;
        writer.block.resize(front::<P>(), 0);
        Ok(writer)
    }

    /// Appends the next posting; the caller pushes in order.
    #[inline]
    pub(super) fn push(&mut self, posting: &P) -> Result<()> {
        let start = self.block.len();
        self.block.resize(start + P::BYTES, 0);
        posting.encode(&mut self.block[start..]);
        if self.block.len() == front::<P>() + self.run.block * P::BYTES {
            self.write_block()?;
        }
        Ok(())
    }

    /// Writes what is left and the trailer.
    pub(super) fn finish(mut self) -> Result<Run> {
        if self.block.len() > front::<P>() {
            self.write_block()?;
        }
        let total = self.run.len.to_le_bytes();
        let mut trailer = [0u8; BLOCK_HEADER_BYTES + TOTAL_BYTES];
        trailer[4..BLOCK_HEADER_BYTES].copy_from_slice(&hash::bytes(&total, self.blocks).to_le_bytes());
        trailer[BLOCK_HEADER_BYTES..].copy_from_slice(&total);
        self.write(&trailer)?;
        Ok(self.run)
    }

    fn write_block(&mut self) -> Result<()> {
        let mut block = std::mem::take(&mut self.block);
        let count = u32::try_from((block.len() - front::<P>()) / P::BYTES).expect("a block is at most 64 KiB");
        thin::<P>(&mut block);
        let (head, payload) = block.split_at_mut(BLOCK_HEADER_BYTES);
        head[..4].copy_from_slice(&count.to_le_bytes());
        head[4..].copy_from_slice(&hash::bytes(payload, self.blocks).to_le_bytes());
        self.write(&block)?;
        self.run.len += u64::from(count);
        self.blocks += 1;
        block.clear();
        block.resize(front::<P>(), 0);
        self.block = block;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|e| failed("write", &self.run.path, e))?;
        self.run.area.count_written(bytes.len());
        Ok(())
    }
}

/// Bytes of the bits that say what varies.
const fn mask_bytes<P: Posting>() -> usize {
    P::BYTES.div_ceil(8)
}

/// What stands before the postings of a block: its header, the bits, the first posting.
const fn front<P: Posting>() -> usize {
    BLOCK_HEADER_BYTES + mask_bytes::<P>() + P::BYTES
}

/// The places of the bytes that vary, from the bits.
fn varying<P: Posting>(mask: &[u8]) -> impl Iterator<Item = usize> {
    (0..P::BYTES).filter(|&at| mask[at / 8] >> (at % 8) & 1 == 1)
}

/// Fills in the front of a block and leaves of its postings the bytes that vary.
fn thin<P: Posting>(block: &mut Vec<u8>) {
    let (front, postings) = block.split_at_mut(front::<P>());
    let (mask, first) = front[BLOCK_HEADER_BYTES..].split_at_mut(mask_bytes::<P>());
    first.copy_from_slice(&postings[..P::BYTES]);
    let mut differs = vec![0u8; P::BYTES];
    for posting in postings.chunks_exact(P::BYTES) {
        differs.iter_mut().zip(posting.iter().zip(&*first)).for_each(|(d, (a, b))| *d |= a ^ b);
    }
    mask.fill(0);
    for at in (0..P::BYTES).filter(|&at| differs[at] != 0) {
        mask[at / 8] |= 1 << (at % 8);
    }
    let places: Vec<usize> = varying::<P>(mask).collect();
    let mut to = 0;
    for from in (0..postings.len()).step_by(P::BYTES) {
        for &place in &places {
            postings[to] = postings[from + place];
            to += 1;
        }
    }
    block.truncate(self::front::<P>() + to);
}

fn header<P: Posting>() -> [u8; HEADER_BYTES] {
    let size = u32::try_from(P::BYTES).expect("a posting is small");
    let mut header = [0u8; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..].copy_from_slice(&size.to_le_bytes());
    header
}

/// Reads a run front to back; an iterator that ends with the trailer or with an error.
#[derive(Debug)]
pub(super) struct RunReader<P> {
    file: File,
    path: PathBuf,
    /// The current block; of its postings those before `at` are handed out, and `left` are not.
    payload: Vec<u8>,
    at: usize,
    left: u32,
    /// The posting handed out last, encoded; bytes that do not vary stay in it.
    posting_bytes: Vec<u8>,
    /// The places of those that do.
    varying: Vec<usize>,
    max_block: usize,
    blocks: u64,
    seen: u64,
    expected: u64,
    ended: bool,
    posting: PhantomData<P>,
}

impl<P: Posting> RunReader<P> {
    fn open(path: &Path, expected: u64, max_block: usize) -> Result<Self> {
        let file = File::open(path).map_err(|e| failed("open", path, e))?;
        let mut reader = Self {
            file,
            path: path.to_path_buf(),
            payload: Vec::new(),
            at: 0,
            left: 0,
            posting_bytes: Vec::new(),
            varying: Vec::new(),
            max_block,
            blocks: 0,
            seen: 0,
            expected,
            ended: false,
            posting: PhantomData,
        };
        let mut found = [0u8; HEADER_BYTES];
        reader.fill(&mut found)?;
        if found != header::<P>() {
            return Err(reader.broken("its header is not that of a run of these postings"));
        }
        Ok(reader)
    }

    fn next_block(&mut self) -> Result<()> {
        let mut head = [0u8; BLOCK_HEADER_BYTES];
        self.fill(&mut head)?;
        let (count, checksum) = head.split_at(4);
        let count = u32::from_le_bytes(count.try_into().expect("four bytes"));
        let checksum = u64::from_le_bytes(checksum.try_into().expect("eight bytes"));
        if count as usize > self.max_block {
            return Err(self.broken("a block is longer than any that was written"));
        }
        let mut payload = std::mem::take(&mut self.payload);
        payload.resize(if count == 0 { TOTAL_BYTES } else { mask_bytes::<P>() + P::BYTES }, 0);
        self.fill(&mut payload)?;
        if count > 0 {
            self.varying.clear();
            self.varying.extend(varying::<P>(&payload));
            let start = payload.len();
            payload.resize(start + count as usize * self.varying.len(), 0);
            self.fill(&mut payload[start..])?;
        }
        if hash::bytes(&payload, self.blocks) != checksum {
            return Err(self.broken("the checksum of a block does not match"));
        }
        if count == 0 {
            return self.end(&payload);
        }
        self.at = mask_bytes::<P>() + P::BYTES;
        self.posting_bytes.clear();
        self.posting_bytes.extend_from_slice(&payload[mask_bytes::<P>()..self.at]);
        self.payload = payload;
        self.left = count;
        self.blocks += 1;
        self.seen += u64::from(count);
        Ok(())
    }

    fn end(&mut self, total: &[u8]) -> Result<()> {
        let total = u64::from_le_bytes(total.try_into().expect("eight bytes"));
        if total != self.seen || total != self.expected {
            return Err(self.broken("postings are missing"));
        }
        self.ended = true;
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.file.read_exact(bytes).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => self.broken("it ends too early"),
            _ => failed("read", &self.path, e),
        })
    }

    fn broken(&self, how: &str) -> Error {
        Error::resource(format!("a spilled run is corrupt: {how}"))
            .at(&self.path)
            .cure("the file was changed or its disk is failing: run again, with --temp-dir on another disk")
    }
}

impl<P: Posting> Iterator for RunReader<P> {
    type Item = Result<P>;

    #[inline]
    fn next(&mut self) -> Option<Result<P>> {
        if self.left == 0 {
            if self.ended {
                return None;
            }
            if let Err(error) = self.next_block() {
                self.ended = true;
                return Some(Err(error));
            }
            if self.ended {
                return None;
            }
        }
        let bytes = &self.payload[self.at..self.at + self.varying.len()];
        self.varying.iter().zip(bytes).for_each(|(&place, &byte)| self.posting_bytes[place] = byte);
        self.at += bytes.len();
        self.left -= 1;
        Some(Ok(P::decode(&self.posting_bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Pair;
    use super::*;
    use crate::ErrorKind;

    fn written(n: u32) -> Run {
        let area = Arc::new(SpillArea::new(None).unwrap());
        let mut writer = RunWriter::create(&area, 10).unwrap();
        for value in 0..n {
            writer.push(&Pair { key: u64::from(value / 3), value }).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read_back(run: &Run) -> Result<Vec<Pair>> {
        run.read::<Pair>()?.collect()
    }

    #[test]
    fn a_run_comes_back_and_every_byte_is_counted() {
        for n in [0, 1, 9, 10, 11, 20, 57] {
            let run = written(n);
            let values: Vec<u32> = read_back(&run).unwrap().iter().map(|p| p.value).collect();
            assert_eq!(values, (0..n).collect::<Vec<_>>());
            assert_eq!(run.len(), u64::from(n));
            assert_eq!(run.area.bytes_written(), run.path.metadata().unwrap().len());
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_an_error_with_the_path() {
        let run = written(25);
        let good = std::fs::read(&run.path).unwrap();
        let is_caught = |bytes: &[u8]| {
            std::fs::write(&run.path, bytes).unwrap();
            let error = read_back(&run).expect_err("damage must be seen");
            assert_eq!((error.kind(), error.path()), (ErrorKind::Resource, Some(run.path.as_path())));
        };
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            is_caught(&bad);
            is_caught(&good[..at]);
        }
    }

    #[test]
    fn moved_blocks_are_an_error() {
        let run = written(20);
        let mut bytes = std::fs::read(&run.path).unwrap();
        // In both blocks the lowest bytes of key and value vary, and nothing else.
        let block = front::<Pair>() + 10 * 2;
        bytes[HEADER_BYTES..HEADER_BYTES + 2 * block].rotate_left(block);
        std::fs::write(&run.path, bytes).unwrap();
        assert!(read_back(&run).unwrap_err().to_string().contains("checksum"));
    }

    #[test]
    fn a_dropped_run_leaves_no_file() {
        let run = written(3);
        let (area, path) = (Arc::clone(&run.area), run.path.clone());
        drop(run);
        assert!(!path.exists() && area.path().exists());
    }
}
