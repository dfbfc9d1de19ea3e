//! The borders: records come in from files and leave as they came. No algorithm about text lives here.
//!
//! The way in: [`Inputs`] resolves files, folders and globs to a list in a fixed order, each file with its output
//! name and [`Format`]. A [`Source`] ([`Chunks`]) reads them one after the other, decompressing, into [`Chunk`]s of
//! about a MiB of whole rows: sequential and cheap. A [`Parser`] (one per thread) visits the records of a chunk.
//!
//! The way out: [`rewrite()`] turns a chunk and what was decided about its documents into the bytes to write and what
//! it took out, [`pack`] compresses them where that is the costly part, a [`DataWriter`] writes them in order; an
//! [`OutDir`] holds everything under a partial name until [`OutDir::commit`]. [`restore()`] is the inverse.
//!
//! Tables (Parquet) are read as JSON lines and written from them: to all between they are lines.
//!
//! Broken UTF-8 makes a row bad, unless the parser is told to show U+FFFD for it. Bounds against hostile files: bytes
//! of a record, and how far a file may expand ([`ReadOptions`]). `-` is standard input, kept in a temporary file, as
//! is what comes from an object store.
//!
//! The law: a kept row leaves byte for byte; an edited one differs only inside its text value, by deletion.
//! Of a table this holds for the values.

mod chunk;
mod cloud;
mod compress;
mod gzip;
mod inputs;
mod json_scan;
mod json_string;
mod jsonl;
mod kernel;
mod lossy;
mod output;
#[cfg(feature = "parquet")]
mod parquet;
mod parse;
mod restore;
mod rewrite;
mod rows;
mod search;
mod site;
mod spool;
mod staging;
#[cfg(feature = "cloud")]
mod store;
mod text_files;
mod warc;

#[cfg(test)]
mod tests;

pub use chunk::{Chunk, Chunks, Part, ReadOptions, Source};
pub use cloud::{Remote, Results, is_url};
pub use compress::Compression;
pub use inputs::{Format, InputFile, Inputs};
#[cfg(fuzzing)]
pub use json_string::probe_splice;
pub use output::{DataWriter, FileSink, JsonLines, OutDir, json_line};
pub use parse::Parser;
pub use restore::{restore, restore_folder};
pub use rewrite::{OutPart, pack, removed_line, rewrite};
pub use rows::{MemoryRow, Rows};
pub use site::site;
pub use spool::Nameless;
