//! Writing one gzip member from blocks that are compressed apart, by any thread.
//!
//! gzip at its usual level takes some 70 MB/s a core, far less than everything else, so it must not be left to the
//! one thread that writes. As pigz does (Adler): every block is deflated on its own and ends in a sync flush, which
//! aligns it to a byte; the blocks are joined under one header, an empty last block ends the stream, and the
//! checksums are combined. Blocks do not see each other's text, which costs under 1 % at a MiB a block. The bytes
//! depend on the content and the borders of the blocks alone; the header bears no time and no name (RFC 1952).

use super::warc;
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, Crc, FlushCompress};
use std::io::{self, Write};

/// The level of the gzip command.
const LEVEL: u32 = 6;
/// Content that is not compressed by a worker is collected to blocks of this size.
const BLOCK_BYTES: usize = 1 << 20;
/// Magic, deflate, no flags, no time, no extra flags, unknown system.
const HEADER: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
/// An empty block of fixed codes, marked as the last.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];

/// Appends the content to `out` as deflate blocks that end on a byte border; returns its checksum.
pub(super) fn deflate(content: &[u8], out: &mut Vec<u8>) -> Crc {
    let mut crc = Crc::new();
    crc.update(content);
    if content.is_empty() {
        return crc;
    }
    let mut compress = Compress::new(Compression::new(LEVEL), false);
    let mut rest = content;
    loop {
        out.reserve(rest.len() / 2 + 1024);
        let before = compress.total_in();
        compress.compress_vec(rest, out, FlushCompress::Sync).expect("deflating into memory has no way to fail");
        let taken = usize::try_from(compress.total_in() - before).expect("no more than was given");
        rest = &rest[taken..];
        // The flush is complete when room is left over.
        if rest.is_empty() && out.len() < out.capacity() {
            return crc;
        }
    }
}

/// A gzip member that is being written.
pub(super) struct GzipWriter<W: Write> {
    out: W,
    crc: Crc,
    /// Content that waits to become a block.
    pending: Vec<u8>,
    block: Vec<u8>,
}

impl<W: Write> GzipWriter<W> {
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&HEADER)?;
        Ok(Self { out, crc: Crc::new(), pending: Vec::new(), block: Vec::new() })
    }

    /// Appends content.
    pub(super) fn write(&mut self, content: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(content);
        if self.pending.len() >= BLOCK_BYTES { self.flush_pending() } else { Ok(()) }
    }

    /// Appends what [`deflate`] made.
    pub(super) fn write_deflated(&mut self, block: &[u8], crc: &Crc) -> io::Result<()> {
        self.flush_pending()?;
        self.crc.combine(crc);
        self.out.write_all(block)
    }

    fn flush_pending(&mut self) -> io::Result<()> {
        self.block.clear();
        let crc = deflate(&self.pending, &mut self.block);
        self.crc.combine(&crc);
        self.pending.clear();
        self.out.write_all(&self.block)
    }

    /// Ends the member.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.flush_pending()?;
        self.out.write_all(&LAST_BLOCK)?;
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.out)
    }
}

/// Appends every archive record of `records` to `out` as a gzip member of its own.
pub(super) fn members(mut records: &[u8], out: &mut Vec<u8>) {
    while !records.is_empty() {
        let len = warc::record_len(records, true).ok().flatten().unwrap_or(records.len());
        member(&records[..len], out);
        records = &records[len..];
    }
}

fn member(content: &[u8], out: &mut Vec<u8>) {
    let mut encoder = GzEncoder::new(out, Compression::new(LEVEL));
    encoder.write_all(content).and_then(|()| encoder.try_finish()).expect("writing into memory does not fail");
}

/// A file of archive records that is being written, a gzip member each.
pub(super) struct MemberWriter<W: Write> {
    out: W,
    /// A record whose end has not come yet.
    pending: Vec<u8>,
    packed: Vec<u8>,
}

impl<W: Write> MemberWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, pending: Vec::new(), packed: Vec::new() }
    }

    /// Appends content; a record may come in pieces.
    pub(super) fn write(&mut self, content: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(content);
        let whole = warc::whole_records(&self.pending, false).map_or(self.pending.len(), |(len, _)| len);
        self.flush(whole)
    }

    /// Appends what [`members`] made.
    pub(super) fn write_packed(&mut self, packed: &[u8]) -> io::Result<()> {
        self.flush(self.pending.len())?;
        self.out.write_all(packed)
    }

    fn flush(&mut self, len: usize) -> io::Result<()> {
        self.packed.clear();
        members(&self.pending[..len], &mut self.packed);
        self.pending.drain(..len);
        self.out.write_all(&self.packed)
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.flush(self.pending.len())?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn blocks_make_one_member(
            blocks in proptest::collection::vec(("[a-c]{0,3}", 0usize..40_000, any::<bool>()), 0..6),
            noise in proptest::collection::vec(any::<u8>(), 0..70_000),
        ) {
            let mut writer = GzipWriter::new(Vec::new()).unwrap();
            let mut content = Vec::new();
            let blocks = blocks.iter().map(|(text, times, packed)| (text.repeat(*times).into_bytes(), *packed));
            for (block, packed) in blocks.chain([(noise, true)]) {
                if packed {
                    let mut out = Vec::new();
                    let crc = deflate(&block, &mut out);
                    writer.write_deflated(&out, &crc).unwrap();
                } else {
                    writer.write(&block).unwrap();
                }
                content.extend(block);
            }
            let packed = writer.finish().unwrap();
            // A decoder of a single member, which is all that some readers are.
            let mut decoder = GzDecoder::new(&packed[..]);
            let mut back = Vec::new();
            io::copy(&mut decoder, &mut back).unwrap();
            prop_assert_eq!(back, content);
            prop_assert!(decoder.into_inner().is_empty());
        }
    }

    #[test]
    fn a_long_stream_is_cut_into_blocks() {
        let mut writer = GzipWriter::new(Vec::new()).unwrap();
        let content = b"row of text\n".repeat(10_000);
        for _ in 0..30 {
            writer.write(&content).unwrap();
        }
        assert!(writer.pending.len() < BLOCK_BYTES);
        let packed = writer.finish().unwrap();
        let back = io::read_to_string(GzDecoder::new(&packed[..])).unwrap();
        assert_eq!(back.as_bytes(), content.repeat(30));
    }
}
