//! Reading: files one after the other, in chunks of whole rows.
//!
//! A [`Chunk`] is one buffer and a list of [`Part`]s, each a stretch of one file: a big file gives many chunks of one
//! part, small files share a chunk. Cuts depend on the content and the options alone, so the chunks are the same in
//! every run. Reading and decompressing is sequential; all that costs is left to whoever takes the chunk.
//! Memory: a chunk, and one row that is not complete yet.

use super::compress::Reader;
use super::inputs::{Format, InputFile, Inputs};
use super::warc;
use crate::error::{Error, Result};
use memchr::{memchr, memchr_iter, memrchr};
use std::ops::Range;
use std::sync::Arc;

/// What any file may be decompressed to, however small it is.
const EXPANSION_FREE_BYTES: u64 = 64 << 20;

/// How the input is cut into chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Bytes of a chunk (at most 1 GiB); a longer row makes a longer chunk.
    pub chunk_bytes: usize,
    /// Bytes of a row, decompressed (at most 3 GiB); one that is longer by a chunk is an error.
    pub max_record_bytes: usize,
    /// How many times its size on disk a file may be when decompressed; looked at after 64 MiB. A bomb is more.
    pub max_expansion: u32,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { chunk_bytes: 1 << 20, max_record_bytes: 256 << 20, max_expansion: 1000 }
    }
}

/// Whole rows of one or more files.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// Number of the chunk, from 0.
    pub number: u64,
    /// The rows, decompressed.
    pub bytes: Vec<u8>,
    /// Which file each stretch of `bytes` is from, in order, without gaps.
    pub parts: Vec<Part>,
    /// Bytes of the input files, as they lie on disk, read for this chunk: all chunks add up to
    /// [`Inputs::total_bytes`].
    pub disk_bytes: u64,
}

/// A stretch of one file in a [`Chunk`].
#[derive(Clone, Debug)]
pub struct Part {
    /// The file.
    pub input: Arc<InputFile>,
    /// Number of its first row in the file, from 0.
    pub first_row: u64,
    /// Document number of its first row: every row takes one, blank and broken ones too.
    pub first_doc: u32,
    /// How many rows it has; 0 only for an empty file.
    pub rows: u32,
    /// Where it lies in the chunk's bytes.
    pub range: Range<usize>,
    /// Whether the file ends here.
    pub ends: bool,
}

impl Chunk {
    /// Documents in the chunk.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.parts.iter().map(|p| p.rows).sum()
    }

    /// Document numbers of its rows.
    #[must_use]
    pub fn docs(&self) -> Range<u32> {
        self.first_doc()..self.first_doc() + self.rows()
    }

    /// Document number of its first row.
    #[must_use]
    pub fn first_doc(&self) -> u32 {
        self.parts.first().map_or(0, |p| p.first_doc)
    }
}

/// Where chunks come from, in input order.
pub trait Source: Send {
    /// The next chunk, or `None` at the end. `reuse` is a buffer to fill, its content is lost.
    ///
    /// # Errors
    /// `Input` where a file is broken or a row too long, `Resource` where it cannot be read or changed.
    fn next_chunk(&mut self, reuse: Vec<u8>) -> Result<Option<Chunk>>;
}

/// The [`Source`] over files.
pub struct Chunks {
    files: std::vec::IntoIter<Arc<InputFile>>,
    options: ReadOptions,
    current: Option<OpenFile>,
    next_doc: u64,
    number: u64,
}

/// A file that is being read.
struct OpenFile {
    input: Arc<InputFile>,
    reader: Reader,
    row: u64,
    /// The start of a row whose end is not read yet.
    carry: Vec<u8>,
    consumed: u64,
    /// Bytes it was decompressed to so far.
    content: u64,
}

impl Chunks {
    /// All files.
    #[must_use]
    pub fn new(inputs: &Inputs, options: ReadOptions) -> Self {
        Self::of(inputs.files().to_vec(), 0, options)
    }

    /// One file, for a second read; `first_doc` is the document number of its first row.
    #[must_use]
    pub fn file(input: &Arc<InputFile>, first_doc: u32, options: ReadOptions) -> Self {
        Self::of(vec![Arc::clone(input)], first_doc, options)
    }

    fn of(files: Vec<Arc<InputFile>>, first_doc: u32, options: ReadOptions) -> Self {
        let options = ReadOptions {
            chunk_bytes: options.chunk_bytes.clamp(1, 1 << 30),
            max_record_bytes: options.max_record_bytes.min(3 << 30),
            ..options
        };
        Self { files: files.into_iter(), options, current: None, next_doc: first_doc.into(), number: 0 }
    }

    /// Appends a stretch of the file to the chunk; true where the file ended.
    fn append(&mut self, file: &mut OpenFile, chunk: &mut Chunk) -> Result<bool> {
        let start = chunk.bytes.len();
        let ends = file.read(&mut chunk.bytes, &self.options)?;
        let rows = count_rows(file.input.format, &chunk.bytes[start..], ends);
        let first_doc = self.next_doc;
        self.next_doc += rows;
        if self.next_doc > u64::from(u32::MAX) {
            let error = Error::usage("the input has more than 4,294,967,295 rows").at(&file.input.path);
            return Err(error.cure("run it in shards of fewer rows each"));
        }
        chunk.parts.push(Part {
            input: Arc::clone(&file.input),
            first_row: file.row,
            first_doc: u32::try_from(first_doc).expect("checked with the rows added"),
            rows: u32::try_from(rows).expect("checked as part of the sum"),
            range: start..chunk.bytes.len(),
            ends,
        });
        file.row += rows;
        chunk.disk_bytes += file.advance();
        Ok(ends)
    }
}

impl Source for Chunks {
    fn next_chunk(&mut self, mut reuse: Vec<u8>) -> Result<Option<Chunk>> {
        reuse.clear();
        let mut chunk = Chunk { number: self.number, bytes: reuse, ..Chunk::default() };
        // Many empty files must not grow one chunk without end: a part has its price too.
        while chunk.bytes.len() + chunk.parts.len() * size_of::<Part>() < self.options.chunk_bytes {
            let mut file = match self.current.take() {
                Some(file) => file,
                None => match self.files.next() {
                    Some(input) => OpenFile::open(input)?,
                    None => break,
                },
            };
            if self.append(&mut file, &mut chunk)? {
                file.input.check_unchanged()?;
            } else {
                self.current = Some(file);
            }
        }
        self.number += 1;
        Ok(Some(chunk).filter(|c| !c.parts.is_empty()))
    }
}

impl OpenFile {
    fn open(input: Arc<InputFile>) -> Result<Self> {
        let reader = Reader::open(&input.path, input.format, input.compression)?;
        Ok(Self { input, reader, row: 0, carry: Vec::new(), consumed: 0, content: 0 })
    }

    /// Bytes on disk read since the last call.
    fn advance(&mut self) -> u64 {
        let last = std::mem::replace(&mut self.consumed, self.reader.consumed());
        self.consumed - last
    }

    /// Appends whole rows to `into` until it holds a chunk's bytes; true where the file ended.
    fn read(&mut self, into: &mut Vec<u8>, options: &ReadOptions) -> Result<bool> {
        let start = into.len();
        into.append(&mut self.carry);
        // The row that begins at `open` has no end before `searched`.
        let (mut open, mut searched) = (start, into.len());
        loop {
            let wanted = options.chunk_bytes.saturating_sub(into.len());
            let limit = if wanted == 0 { options.chunk_bytes } else { wanted };
            let read = self.reader.fill(into, limit, &self.input.path)?;
            let ended = read == 0;
            self.content += read as u64;
            self.check_expansion(options.max_expansion)?;
            match self.input.format {
                Format::Text => {}
                Format::Warc => open += self.whole_records(&into[start..], open - start, ended)?,
                Format::JsonLines | Format::Parquet => {
                    open = memrchr(b'\n', &into[searched..]).map_or(open, |hop| searched + hop + 1);
                }
            }
            searched = into.len();
            if into.len() - open > options.max_record_bytes {
                return Err(self.too_long(&into[start..open], options.max_record_bytes));
            }
            if ended {
                return Ok(true);
            }
            if into.len() >= options.chunk_bytes && open > start {
                self.carry.extend_from_slice(&into[open..]);
                into.truncate(open);
                return Ok(false);
            }
        }
    }

    fn check_expansion(&self, limit: u32) -> Result<()> {
        // Rows of a table are no measure of what was read of it.
        let table = self.input.format == Format::Parquet;
        let stored = if table { self.input.bytes } else { self.reader.consumed() };
        if self.content <= EXPANSION_FREE_BYTES || self.content / stored.max(1) <= u64::from(limit) {
            return Ok(());
        }
        let error = Error::input(format!("the file is more than {limit} times its size when decompressed"));
        Err(error.at(&self.input.path).cure("if it is no bomb, allow it with --max-expansion"))
    }

    /// Bytes of the archive records that are whole at `open`.
    fn whole_records(&self, bytes: &[u8], open: usize, ended: bool) -> Result<usize> {
        warc::whole_records(&bytes[open..], ended).map(|(len, _)| len).map_err(|(number, what)| {
            let before = self.row + count_rows(Format::Warc, &bytes[..open], false);
            let error = Error::input(what).at(&self.input.path).line(before + number + 1);
            error.cure("the number is that of the record; fetch the file again, or check the tool that wrote it")
        })
    }

    fn too_long(&self, before: &[u8], limit: usize) -> Error {
        let row = self.row + count_rows(self.input.format, before, false);
        let error = Error::input(format!("a record is longer than {limit} bytes")).at(&self.input.path).line(row + 1);
        error.cure("split the record, check that the lines end with \\n, or allow it with --max-record")
    }
}

fn count_rows(format: Format, bytes: &[u8], ends: bool) -> u64 {
    match format {
        Format::Text => u64::from(ends),
        Format::Warc => warc::whole_records(bytes, true).map_or(0, |(_, records)| records),
        Format::JsonLines | Format::Parquet => {
            let open = ends && bytes.last().is_some_and(|&b| b != b'\n');
            memchr_iter(b'\n', bytes).count() as u64 + u64::from(open)
        }
    }
}

/// One row as it lies in a chunk.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) input: &'a InputFile,
    /// In its file, from 0.
    pub(super) number: u64,
    pub(super) doc: u32,
    /// With its line ending.
    pub(super) raw: &'a [u8],
    /// Where `raw` begins in the part.
    pub(super) at: usize,
}

impl Row<'_> {
    /// How many bytes a byte order mark takes at the start of the row.
    pub(super) fn mark_bytes(&self) -> usize {
        if self.number == 0 && self.raw.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 }
    }

    /// Whether it begins as UTF-16 does.
    pub(super) fn is_utf16(&self) -> bool {
        self.number == 0 && (self.raw.starts_with(b"\xFF\xFE") || self.raw.starts_with(b"\xFE\xFF"))
    }

    /// Adds the place to an error.
    pub(super) fn locate(&self, error: Error) -> Error {
        let error = error.at(&self.input.path);
        if self.input.format == Format::Text { error } else { error.line(self.number + 1) }
    }
}

/// The rows of a part, in order.
pub(super) fn rows<'a>(part: &'a Part, bytes: &'a [u8]) -> impl Iterator<Item = Row<'a>> {
    let mut at = 0;
    (part.first_doc..part.first_doc + part.rows).zip(part.first_row..).map(move |(doc, number)| {
        let rest = &bytes[at..];
        let len = match part.input.format {
            Format::Text => rest.len(),
            Format::Warc => warc::record_len(rest, true).ok().flatten().unwrap_or(rest.len()),
            Format::JsonLines | Format::Parquet => memchr(b'\n', rest).map_or(rest.len(), |hop| hop + 1),
        };
        let row = Row { input: &part.input, number, doc, raw: &rest[..len], at };
        at += len;
        row
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;
    use std::io::Read as _;

    fn folder_of(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Inputs) {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let inputs = Inputs::resolve(&[folder.path().to_str().unwrap().into()]).unwrap();
        (folder, inputs)
    }

    fn read_all(inputs: &Inputs, options: ReadOptions) -> Result<Vec<Chunk>> {
        let mut source = Chunks::new(inputs, options);
        std::iter::from_fn(|| source.next_chunk(vec![7; 3]).transpose()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn chunks_hold_every_byte_and_row_in_order(
            files in proptest::collection::vec("[ab\n]{0,40}", 1..6),
            text in "[ab\n]{0,30}",
            chunk_bytes in 1usize..300,
        ) {
            let names: Vec<String> = (0..files.len()).map(|i| format!("{i}.jsonl")).collect();
            let mut all: Vec<(&str, &[u8])> =
                names.iter().zip(&files).map(|(n, f)| (n.as_str(), f.as_bytes())).collect();
            all.push(("z.txt", text.as_bytes()));
            let (_folder, inputs) = folder_of(&all);
            let options = ReadOptions { chunk_bytes, ..ReadOptions::default() };
            let chunks = read_all(&inputs, options).unwrap();

            let (mut contents, mut rows, mut doc) = (vec![Vec::new(); all.len()], vec![0; all.len()], 0);
            for (chunk, number) in chunks.iter().zip(0..) {
                prop_assert_eq!((chunk.number, chunk.first_doc()), (number, doc));
                let mut end = 0;
                for part in &chunk.parts {
                    let file = part.input.index as usize;
                    let bytes = &chunk.bytes[part.range.clone()];
                    prop_assert_eq!((part.range.start, part.first_doc, part.first_row), (end, doc, rows[file]));
                    prop_assert!(part.ends || bytes.ends_with(b"\n"));
                    let seen: Vec<Row<'_>> = super::rows(part, bytes).collect();
                    prop_assert_eq!(seen.iter().map(|r| r.raw).collect::<Vec<_>>().concat(), bytes);
                    prop_assert_eq!(seen.len(), part.rows as usize);
                    contents[file].extend_from_slice(bytes);
                    rows[file] += u64::from(part.rows);
                    doc += part.rows;
                    end = part.range.end;
                }
                prop_assert_eq!(end, chunk.bytes.len());
            }
            for (((_, bytes), content), rows) in all.iter().zip(&contents).zip(&rows) {
                prop_assert_eq!(content, bytes);
                let text = std::str::from_utf8(bytes).unwrap();
                prop_assert!(*rows == text.split_inclusive('\n').count() as u64 || *rows == 1);
            }
            prop_assert_eq!(chunks.iter().map(|c| c.disk_bytes).sum::<u64>(), inputs.total_bytes());
        }
    }

    #[test]
    fn a_row_without_end_is_refused() {
        let (_folder, inputs) =
            folder_of(&[("a.jsonl", b"{}\n{\"text\":\"0123456789012345678901234567890123456789\"}\n")]);
        let options = ReadOptions { chunk_bytes: 8, max_record_bytes: 16, ..ReadOptions::default() };
        let error = read_all(&inputs, options).unwrap_err().to_string();
        assert!(error.contains("a.jsonl:2: a record is longer than 16 bytes"), "{error}");
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = zstd::encode_all(std::io::repeat(b'\n').take(80 << 20), 1).unwrap();
        let (_folder, inputs) = folder_of(&[("a.jsonl.zst", &bomb)]);
        let read = |options| {
            let mut source = Chunks::new(&inputs, options);
            let mut bytes = 0;
            while let Some(chunk) = source.next_chunk(Vec::new())? {
                bytes += chunk.bytes.len();
            }
            Ok::<_, Error>(bytes)
        };
        let error = read(ReadOptions::default()).unwrap_err().to_string();
        assert!(error.contains("more than 1000 times") && error.contains("--max-expansion"), "{error}");
        assert_eq!(read(ReadOptions { max_expansion: u32::MAX, ..ReadOptions::default() }).unwrap(), 80 << 20);
    }

    #[test]
    fn a_file_that_changes_is_noticed() {
        let (folder, inputs) = folder_of(&[("a.jsonl", b"{}\n")]);
        fs::write(folder.path().join("a.jsonl"), "{}\n{}\n").unwrap();
        let error = read_all(&inputs, ReadOptions::default()).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Resource);
    }

    #[test]
    fn one_file_can_be_read_again() {
        let (_folder, inputs) = folder_of(&[("a.jsonl", b"1\n2\n"), ("b.jsonl", b"3\n4\n")]);
        let mut source = Chunks::file(&inputs.files()[1], 2, ReadOptions::default());
        let chunk = source.next_chunk(Vec::new()).unwrap().unwrap();
        assert_eq!((chunk.bytes.as_slice(), chunk.first_doc(), chunk.rows()), (&b"3\n4\n"[..], 2, 2));
        assert!(source.next_chunk(Vec::new()).unwrap().is_none());
    }

    #[test]
    fn too_many_rows_are_refused() {
        let (_folder, inputs) = folder_of(&[("a.jsonl", b"1\n2\n")]);
        let mut source = Chunks::file(&inputs.files()[0], u32::MAX - 2, ReadOptions::default());
        assert!(source.next_chunk(Vec::new()).is_ok());
        let mut source = Chunks::file(&inputs.files()[0], u32::MAX - 1, ReadOptions::default());
        assert!(source.next_chunk(Vec::new()).unwrap_err().to_string().contains("shards"));
    }
}
