//! The run: a sorted sequence of postings in a file, every block of it checked when it is read.
//!
//! Layout, all numbers little-endian:
//!
//! ```text
//! header   magic "descrun\n" · version u32 · fields of a posting u32
//! block    number of postings u32 (never 0) · length of the payload u32 · XXH3 of the payload, seeded with the block's
//!          number, u64 · payload
//! payload  the postings, packed (`pack`)
//! trailer  0 u32 · 8 u32 · XXH3 of the total, seeded with the number of blocks, u64 · total number of postings u64
//! ```
//!
//! The count stands at the end, so that a run can be written without knowing its length (a spooled group) and
//! without seeking. A cut file lacks its trailer, a changed or moved block fails its checksum; both are reported with
//! the path before one posting of the block was handed out. Runs never outlive the process, hence the plain format.

use super::Posting;
use super::area::{SpillArea, failed};
use super::pack::{most_bytes, pack, unpack};
use crate::{Error, Result, hash};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"descrun\n";
const VERSION: u32 = 5;
const HEADER_BYTES: usize = 16;
const BLOCK_HEADER_BYTES: usize = 16;

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

    /// For reading from the start; holds one block of the run in memory.
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
    /// The block under construction.
    block: Vec<P>,
    /// The one before, as it was written.
    packed: Vec<u8>,
    blocks: u64,
}

impl<P: Posting> RunWriter<P> {
    /// Creates the file; `block` is the number of postings checked together.
    pub(super) fn create(area: &Arc<SpillArea>, block: usize) -> Result<Self> {
        let (file, path) = area.create()?;
        let run = Run { area: Arc::clone(area), path, len: 0, block };
        let mut writer = Self { file, run, block: Vec::with_capacity(block), packed: header::<P>(), blocks: 0 };
        writer.write()?;
        Ok(writer)
    }

    /// Appends the next posting; the caller pushes in order.
    #[inline]
    pub(super) fn push(&mut self, posting: &P) -> Result<()> {
        self.block.push(*posting);
        if self.block.len() == self.run.block { self.write_block() } else { Ok(()) }
    }

    /// Writes what is left and the trailer.
    pub(super) fn finish(mut self) -> Result<Run> {
        if !self.block.is_empty() {
            self.write_block()?;
        }
        let total = self.run.len.to_le_bytes();
        self.begin();
        self.packed.extend_from_slice(&total);
        self.end(0);
        self.write()?;
        Ok(self.run)
    }

    fn write_block(&mut self) -> Result<()> {
        let count = u32::try_from(self.block.len()).expect("a block is at most 64 KiB");
        self.begin();
        pack(&self.block, &mut self.packed);
        self.end(count);
        self.write()?;
        self.block.clear();
        self.run.len += u64::from(count);
        self.blocks += 1;
        Ok(())
    }

    /// Leaves room for the head of a block.
    fn begin(&mut self) {
        self.packed.clear();
        self.packed.resize(BLOCK_HEADER_BYTES, 0);
    }

    /// Fills it in.
    fn end(&mut self, count: u32) {
        let (head, payload) = self.packed.split_at_mut(BLOCK_HEADER_BYTES);
        let length = u32::try_from(payload.len()).expect("a block is short");
        head[..4].copy_from_slice(&count.to_le_bytes());
        head[4..8].copy_from_slice(&length.to_le_bytes());
        head[8..].copy_from_slice(&hash::bytes(payload, self.blocks).to_le_bytes());
    }

    fn write(&mut self) -> Result<()> {
        self.file.write_all(&self.packed).map_err(|e| failed("write", &self.run.path, e))?;
        self.run.area.count_written(self.packed.len());
        Ok(())
    }
}

fn header<P: Posting>() -> Vec<u8> {
    let fields = u32::try_from(P::FIELDS).expect("a posting is small");
    [&MAGIC[..], &VERSION.to_le_bytes(), &fields.to_le_bytes()].concat()
}

/// Reads a run front to back; an iterator that ends with the trailer or with an error. The file is open while a block is read
/// and no longer: a merge may read from far more runs than a process may open files.
#[derive(Debug)]
pub(super) struct RunReader<P> {
    path: PathBuf,
    /// Where the next block begins.
    offset: u64,
    /// The postings of the current block; those before `at` are handed out.
    block: Vec<P>,
    at: usize,
    max_block: usize,
    blocks: u64,
    seen: u64,
    expected: u64,
    ended: bool,
}

impl<P: Posting> RunReader<P> {
    pub(super) fn open(path: &Path, expected: u64, max_block: usize) -> Result<Self> {
        let (path, offset) = (path.to_path_buf(), 0);
        let mut reader =
            Self { path, offset, block: Vec::new(), at: 0, max_block, blocks: 0, seen: 0, expected, ended: false };
        let file = reader.file()?;
        let mut found = [0u8; HEADER_BYTES];
        reader.fill(&file, &mut found)?;
        if header::<P>() != found {
            return Err(reader.broken("its header is not that of a run of these postings"));
        }
        Ok(reader)
    }

    fn file(&self) -> Result<File> {
        File::open(&self.path).map_err(|e| failed("open", &self.path, e))
    }

    fn next_block(&mut self) -> Result<()> {
        let file = self.file()?;
        let mut head = [0u8; BLOCK_HEADER_BYTES];
        self.fill(&file, &mut head)?;
        let count = u32::from_le_bytes(head[..4].try_into().expect("four bytes")) as usize;
        let length = u32::from_le_bytes(head[4..8].try_into().expect("four bytes")) as usize;
        let checksum = u64::from_le_bytes(head[8..].try_into().expect("eight bytes"));
        if count > self.max_block || length > most_bytes::<P>(count) {
            return Err(self.broken("a block is longer than any that was written"));
        }
        let mut payload = vec![0; length];
        self.fill(&file, &mut payload)?;
        if hash::bytes(&payload, self.blocks) != checksum {
            return Err(self.broken("the checksum of a block does not match"));
        }
        if count == 0 {
            return self.end(&payload);
        }
        self.at = 0;
        self.block.clear();
        unpack(&mut payload, count, &mut self.block).ok_or_else(|| self.broken("a block is no packed postings"))?;
        self.blocks += 1;
        self.seen += count as u64;
        Ok(())
    }

    fn end(&mut self, total: &[u8]) -> Result<()> {
        if total != self.seen.to_le_bytes() || self.seen != self.expected {
            return Err(self.broken("postings are missing"));
        }
        self.ended = true;
        Ok(())
    }

    fn fill(&mut self, file: &File, bytes: &mut [u8]) -> Result<()> {
        file.read_exact_at(bytes, self.offset).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => self.broken("it ends too early"),
            _ => failed("read", &self.path, e),
        })?;
        self.offset += bytes.len() as u64;
        Ok(())
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
        if self.at == self.block.len() {
            if self.ended {
                return None;
            }
            if let Err(error) = self.next_block() {
                self.ended = true;
                self.block.clear();
                self.at = 0;
                return Some(Err(error));
            }
            if self.ended {
                return None;
            }
        }
        let posting = self.block[self.at];
        self.at += 1;
        Some(Ok(posting))
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
        let length =
            |at: usize| BLOCK_HEADER_BYTES + u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
        let first = length(HEADER_BYTES);
        let both = first + length(HEADER_BYTES + first);
        bytes[HEADER_BYTES..HEADER_BYTES + both].rotate_left(first);
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
