//! Stored streams: which compression a name asks for, reading content from a file and writing it.
//!
//! Reading takes files of several gzip members or zstd frames; a truncated or corrupt one is an input error that
//! names the file. Writing gives one member or frame, the same bytes for the same content: the gzip header bears no
//! time and no name. One frame, not one per chunk, because common zstd readers stop after the first.

use super::gzip::{GzipWriter, MemberWriter};
use super::inputs::Format;
#[cfg(feature = "parquet")]
use super::parquet;
use super::rewrite::Packed;
use crate::error::{Error, Result};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

/// Bytes asked of the system at once.
const BUFFER_BYTES: usize = 128 << 10;
/// zstd's own default: frames that need a window over 128 MiB are refused, so that memory stays bounded.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// The level of the zstd command.
const ZSTD_LEVEL: i32 = 3;

/// How a file is compressed, told by the last extension of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, one or more members (`.gz`).
    Gzip,
    /// Zstandard, one or more frames (`.zst`).
    Zstd,
}

impl Compression {
    /// Splits a lower-cased file name into what is left of it and its compression.
    pub(crate) fn split(name: &str) -> (&str, Self) {
        if let Some(stem) = name.strip_suffix(".gz") {
            (stem, Self::Gzip)
        } else if let Some(stem) = name.strip_suffix(".zst") {
            (stem, Self::Zstd)
        } else {
            (name, Self::None)
        }
    }
}

/// Counts what is read from the file itself.
pub(crate) struct Counted {
    file: File,
    bytes: u64,
}

impl Counted {
    /// Appends up to `limit` bytes. The file fills room that nobody has cleared before, which a reader in between cannot.
    fn append(&mut self, into: &mut Vec<u8>, limit: usize) -> io::Result<usize> {
        let read = (&self.file).take(limit as u64).read_to_end(into)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// The decompressed content of a file.
pub(crate) enum Reader {
    Plain(Counted),
    Gzip(Box<MultiGzDecoder<BufReader<Counted>>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<Counted>>>),
    #[cfg(feature = "parquet")]
    Parquet(Box<parquet::Lines>),
}

impl Reader {
    /// Opens a file. An empty file is empty content, whatever the compression; but it is no Parquet file.
    pub(crate) fn open(path: &Path, format: Format, compression: Compression) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
        if format == Format::Parquet {
            return Self::parquet(file).map_err(|e| e.at(path));
        }
        let empty = file.metadata().map_err(|e| Error::io("open", path, e))?.len() == 0;
        let counted = Counted { file, bytes: 0 };
        if empty || compression == Compression::None {
            return Ok(Self::Plain(counted));
        }
        let buffered = BufReader::with_capacity(BUFFER_BYTES, counted);
        if compression == Compression::Gzip {
            return Ok(Self::Gzip(Box::new(MultiGzDecoder::new(buffered))));
        }
        let mut decoder = zstd::Decoder::with_buffer(buffered).map_err(|e| Error::io("open", path, e))?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|e| Error::io("open", path, e))?;
        Ok(Self::Zstd(Box::new(decoder)))
    }

    #[cfg(feature = "parquet")]
    fn parquet(file: File) -> Result<Self> {
        parquet::Lines::open(file).map(|lines| Self::Parquet(Box::new(lines)))
    }

    #[cfg(not(feature = "parquet"))]
    fn parquet(_: File) -> Result<Self> {
        Err(without_parquet())
    }

    /// Bytes of the file read so far, as they lie on disk.
    pub(crate) fn consumed(&self) -> u64 {
        match self {
            Self::Plain(r) => r.bytes,
            Self::Gzip(r) => r.get_ref().get_ref().bytes,
            Self::Zstd(r) => r.get_ref().get_ref().bytes,
            #[cfg(feature = "parquet")]
            Self::Parquet(r) => r.consumed(),
        }
    }

    /// Appends up to `limit` bytes to `into`; 0 means the end.
    ///
    /// # Errors
    /// `Input` where the archive is broken, `Resource` where the system cannot read.
    pub(crate) fn fill(&mut self, into: &mut Vec<u8>, limit: usize, path: &Path) -> Result<usize> {
        let read = match self {
            Self::Plain(plain) => plain.append(into, limit),
            packed => packed.take(limit as u64).read_to_end(into),
        };
        read.map_err(|e| read_error(path, e))
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(r) => r.read(buffer),
            Self::Gzip(r) => r.read(buffer),
            Self::Zstd(r) => r.read(buffer),
            #[cfg(feature = "parquet")]
            Self::Parquet(r) => r.read(buffer),
        }
    }
}

#[cfg(not(feature = "parquet"))]
fn without_parquet() -> Error {
    Error::usage("this build reads no Parquet files").cure("build it with the feature `parquet`")
}

/// Tells a broken archive (the decoder's complaint) from a failing disk (the system's).
pub(crate) fn read_error(path: &Path, error: io::Error) -> Error {
    if error.raw_os_error().is_some() {
        return Error::io("read", path, error);
    }
    let error = match error.downcast::<Error>() {
        Ok(ours) => return ours.at(path),
        Err(other) => other,
    };
    let (what, cure) = if error.kind() == io::ErrorKind::UnexpectedEof {
        ("the compressed file is cut short".to_owned(), "fetch or copy it again; test it with `gzip -t` or `zstd -t`")
    } else if error.to_string().contains("too much memory") {
        (
            "the zstd frame needs a window over 128 MiB".to_owned(),
            "compress it again without --long, or with --long=27 at most",
        )
    } else {
        (format!("the compressed file is broken: {error}"), "test it with `gzip -t` or `zstd -t`, and fetch it again")
    };
    Error::input(what).at(path).cure(cure)
}

/// Writes content compressed.
pub(crate) enum Writer {
    Plain(BufWriter<File>),
    Gzip(Box<GzipWriter<BufWriter<File>>>),
    Members(Box<MemberWriter<BufWriter<File>>>),
    Zstd(Box<zstd::Encoder<'static, BufWriter<File>>>),
    #[cfg(feature = "parquet")]
    Parquet(Box<parquet::Table>),
}

impl Writer {
    pub(crate) fn new(file: File, compression: Compression) -> io::Result<Self> {
        let out = BufWriter::with_capacity(BUFFER_BYTES, file);
        Ok(match compression {
            Compression::None => Self::Plain(out),
            Compression::Gzip => Self::Gzip(Box::new(GzipWriter::new(out)?)),
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(out, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                Self::Zstd(Box::new(encoder))
            }
        })
    }

    /// An archive of which every record is a gzip member.
    pub(crate) fn members(file: File) -> Self {
        Self::Members(Box::new(MemberWriter::new(BufWriter::with_capacity(BUFFER_BYTES, file))))
    }

    /// A Parquet file like the one at `like`; unnamed files may lie in `scratch`.
    #[cfg(feature = "parquet")]
    pub(crate) fn parquet(file: File, like: &Path, scratch: &Path) -> Result<Self> {
        parquet::Table::create(file, like, scratch).map(|table| Self::Parquet(Box::new(table)))
    }

    #[cfg(not(feature = "parquet"))]
    pub(crate) fn parquet(_: File, _: &Path, _: &Path) -> Result<Self> {
        Err(without_parquet())
    }

    pub(crate) fn write(&mut self, content: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(content),
            Self::Gzip(out) => out.write(content),
            Self::Members(out) => out.write(content),
            Self::Zstd(out) => out.write_all(content),
            #[cfg(feature = "parquet")]
            Self::Parquet(out) => out.write(content),
        }
    }

    /// Appends what [`pack`](super::rewrite::pack) made.
    pub(crate) fn write_packed(&mut self, bytes: &[u8], packed: &Packed) -> io::Result<()> {
        match (self, packed) {
            (Self::Gzip(out), Packed::Blocks(crc)) => out.write_deflated(bytes, crc),
            (Self::Members(out), Packed::Members) => out.write_packed(bytes),
            _ => Err(io::Error::other("content was packed for a file of another kind")),
        }
    }

    /// Ends the stream; everything has reached the system after it.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out,
            Self::Gzip(out) => out.finish()?,
            Self::Members(out) => out.finish()?,
            Self::Zstd(out) => out.finish()?,
            #[cfg(feature = "parquet")]
            Self::Parquet(out) => return out.finish(),
        }
        .flush()
    }
}
