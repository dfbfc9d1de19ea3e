//! Is there room for what a run will write? Asked before it begins: a disk that is full after hours is the dearest error.
//!
//! The estimate is coarse, for what repeats is not known yet: the results take about as much as the input, the spill the
//! shares below of the text beyond what memory holds. The run is refused where not even half of it has room, and warned
//! where not all of it has. An estimate worth telling is told to who watches.

use super::Options;
use super::corpus::Corpus;
use crate::io::{Compression, Format, InputFile};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Spill of the block way by text, where a quarter of the text repeats: .5 to .6 was measured with 256 MiB (`benches/scale.rs`), and
/// more with less than 64 MiB for a gigabyte.
const BLOCK_SHARE: f64 = 0.7;
/// Spill of the near-duplicate way by text.
const NEAR_SHARE: f64 = 0.15;
/// Bytes of text in a compressed byte.
const EXPANSION: f64 = 4.0;

/// What a run is expected to write, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Need {
    spill: u64,
    results: u64,
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "an estimate")]
impl Need {
    fn of(options: &Options, text: f64, disk: u64, writes_records: bool) -> Self {
        let memory = options.memory_bytes as f64;
        let spill = |wanted: bool, share: f64| if wanted { (share * text - memory / 4.0).max(0.0) } else { 0.0 };
        let spill = spill(options.finds_blocks(), BLOCK_SHARE) + spill(options.finds_near(), NEAR_SHARE);
        Self { spill: spill as u64, results: if writes_records { disk } else { disk / 20 } }
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn expanded(file: &InputFile) -> f64 {
    let is_packed = file.compression != Compression::None || file.format == Format::Parquet;
    file.bytes as f64 * if is_packed { EXPANSION } else { 1.0 }
}

/// About how many bytes of text there are to read.
pub(super) fn text_bytes(corpus: &Corpus<'_>) -> f64 {
    corpus.inputs.files().iter().map(|file| expanded(file)).sum()
}

/// Compares what the run will write with what is free in `spill` and in `out`.
///
/// # Errors
/// `Resource` where there is no room for half of it.
pub(super) fn check(corpus: &Corpus<'_>, out: Option<&Path>, writes_records: bool) -> Result<()> {
    let need =
        Need::of(corpus.options, text_bytes(corpus), corpus.inputs.total_bytes(), writes_records && out.is_some());
    if need.spill > 0 {
        let message = format!("about {} of spill and {} of results", size(need.spill), size(need.results));
        corpus.progress.note(&message);
    }
    for (folder, bytes) in by_disk((corpus.area.path(), need.spill), out.map(|out| (out, need.results))) {
        let Some(free) = free_bytes(&folder) else { continue };
        match judge(bytes, free) {
            Room::Enough => {}
            Room::Scarce => corpus.progress.warn(&short_of(&folder, bytes, free)),
            Room::None => {
                let error = Error::resource(short_of(&folder, bytes, free));
                return Err(
                    error.cure("free some space, give more --memory, or name other disks with --out and --temp-dir")
                );
            }
        }
    }
    Ok(())
}

fn short_of(folder: &Path, bytes: u64, free: u64) -> String {
    format!("{} will be written to the disk of {}, which has {} free", size(bytes), folder.display(), size(free))
}

/// What there is of what is needed.
#[derive(Debug, PartialEq, Eq)]
enum Room {
    Enough,
    Scarce,
    None,
}

fn judge(bytes: u64, free: u64) -> Room {
    match free {
        _ if free >= bytes => Room::Enough,
        _ if free >= bytes / 2 => Room::Scarce,
        _ => Room::None,
    }
}

/// What goes to each disk.
fn by_disk(spill: (&Path, u64), out: Option<(&Path, u64)>) -> Vec<(PathBuf, u64)> {
    let spilled = (spill.0.to_path_buf(), spill.1);
    match out {
        Some((folder, bytes)) if disk(folder).is_some() && disk(folder) == disk(spill.0) => {
            vec![(folder.to_path_buf(), bytes + spill.1)]
        }
        Some((folder, bytes)) => vec![spilled, (folder.to_path_buf(), bytes)],
        None => vec![spilled],
    }
}

#[cfg(unix)]
fn disk(folder: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    folder.metadata().ok().map(|meta| meta.dev())
}

#[cfg(not(unix))]
fn disk(_: &Path) -> Option<u64> {
    None
}

/// What an ordinary user may still write; none where the system does not tell.
#[cfg(unix)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// Bytes for people.
#[expect(clippy::cast_precision_loss, reason = "read to two digits")]
pub(super) fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let unit = (1..units.len()).take_while(|&unit| bytes >> (10 * (unit + 1)) > 0).last().unwrap_or(0);
    format!("{:.1} {}", bytes as f64 / f64::from(1u32 << 10).powi(i32::try_from(unit).unwrap_or(0) + 1), units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Mode;

    #[test]
    fn what_fits_memory_needs_no_room_but_for_the_results() {
        let options = Options { memory_bytes: 1 << 30, ..Options::default() };
        assert_eq!(Need::of(&options, 1e6, 1_000_000, true), Need { spill: 0, results: 1_000_000 });
        let options = Options { mode: Mode::Dedup, memory_bytes: 0, ..options };
        assert_eq!(Need::of(&options, 1e6, 1_000_000, false), Need { spill: 150_000, results: 50_000 });
    }

    #[test]
    fn only_what_cannot_work_is_refused() {
        assert_eq!(
            [judge(10, 10), judge(10, 9), judge(10, 5), judge(10, 4)],
            [Room::Enough, Room::Scarce, Room::Scarce, Room::None]
        );
    }

    #[test]
    fn one_disk_takes_both() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(by_disk((folder.path(), 2), Some((folder.path(), 3))), [(folder.path().to_path_buf(), 5)]);
        assert!(free_bytes(folder.path()).is_some());
    }

    #[test]
    fn sizes_are_readable() {
        assert_eq!([size(100), size(1 << 20), size(5 << 30)], ["0.1 KiB", "1.0 MiB", "5.0 GiB"]);
    }
}
