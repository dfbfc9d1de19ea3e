//! A pass over the input: chunks are read in order, mapped on all cores, and handed on in order again.
//!
//! Chunks are read, mapped and handed on at the same time ([`flow`]), in input order whatever the order in which work
//! finishes. Memory: `O(threads x chunk)`, at most a sixteenth of the budget and a record, and what is made of it. What a
//! worker needed for a record far longer than a chunk it does not keep.

use super::flow::{Bounds, ahead, flow, in_order};
use super::kernel::give_back_freed_memory;
use super::options::{OnBadRecord, Options, STANDARD_STREAM};
use super::progress::Progress;
use super::room::size;
use super::summary::resident_bytes;
use crate::io::{Chunk, Inputs, Nameless, Parser, ReadOptions, Rows, is_url};
use crate::near::Keep;
use crate::record::{Fields, RecordView, Visit};
use crate::shuffle::{Groups, Ledger, Options as ShuffleOptions, Partition, Posting, Shuffle, SpillArea, Stash};
use crate::{Error, Result};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The input, and everything a stage needs to work on it.
pub(super) struct Corpus<'a> {
    pub(super) inputs: Inputs,
    pub(super) fields: Fields,
    pub(super) options: &'a Options,
    pub(super) progress: &'a dyn Progress,
    pub(super) area: Arc<SpillArea>,
    /// Bytes of the tables that are no part of a shuffle or a stash.
    held: Arc<AtomicUsize>,
    /// Whether it was told that they leave too little.
    told_of_tables: AtomicBool,
    /// Whether it was told that a record is long.
    told_of_record: AtomicBool,
}

/// What a list says of the documents of a chunk.
pub(super) fn of_chunk<P: Posting>(list: &Ledger<P>, chunk: &Chunk) -> Result<Vec<P>> {
    let docs = chunk.docs();
    list.within(docs.start.into()..docs.end.into())
}

/// Memory that is spoken for until this is dropped.
pub(super) struct Held {
    of: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Of the budget at least this part is shared out, whatever is held.
const LEAST_PART: usize = 4;

/// With a record longer than this part of the budget, its tokens and what else is made of it no longer fit.
const LONG_PART: usize = 16;

impl<'a> Corpus<'a> {
    pub(super) fn open(options: &'a Options, progress: &'a dyn Progress, table: Option<Arc<dyn Rows>>) -> Result<Self> {
        let fields = Fields {
            text: options.text_field.clone(),
            id: Some(options.id_field.clone()),
            site: options.site_field.clone().filter(|name| !name.is_empty()),
            rank: match &options.near.keep {
                Keep::Highest(field) => Some(field.clone()),
                _ => None,
            },
        };
        let temp_dir = options.temp_dir.clone().or_else(|| options.folder().and_then(beside));
        let watch = |bytes| {
            progress.advance(bytes);
            if progress.cancelled() { Err(Error::interrupted()) } else { Ok(()) }
        };
        if options.inputs.iter().any(|input| input == STANDARD_STREAM || is_url(input)) {
            progress.stage("fetch", 0);
        }
        let nameless = Nameless { format: options.format, folder: temp_dir.as_deref(), watch: Some(&watch) };
        let inputs = match table {
            Some(rows) => Inputs::of_table(&options.inputs[0], rows),
            None => Inputs::resolve_with(&options.inputs, &nameless)?,
        };
        Ok(Self {
            inputs,
            fields,
            options,
            progress,
            area: Arc::new(SpillArea::new(temp_dir.as_deref())?),
            held: Arc::default(),
            told_of_tables: AtomicBool::default(),
            told_of_record: AtomicBool::default(),
        })
    }

    fn memory(&self) -> usize {
        usize::try_from(self.options.memory_bytes).unwrap_or(usize::MAX)
    }

    /// The part of the memory budget that one of `shares` equal consumers may hold: of what tables leave, or of a quarter
    /// where they leave less.
    pub(super) fn budget(&self, shares: usize) -> usize {
        let left = self.memory().saturating_sub(self.held.load(Ordering::Relaxed));
        left.max(self.memory() / LEAST_PART) / shares.max(1)
    }

    /// Takes the bytes of a table from the budget of what is made from now on: what grows with the corpus and is not spilled.
    /// Tells, once, where too little is left.
    pub(super) fn hold(&self, bytes: usize) -> Held {
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let leaves_too_little = held > self.memory() - self.memory() / LEAST_PART;
        if leaves_too_little && !self.told_of_tables.swap(true, Ordering::Relaxed) {
            self.progress.warn(&format!(
                "what must stay in memory of this corpus leaves less than a quarter of --memory {}: the run may hold more \
                 than that, and is faster with {} or more",
                size(self.memory() as u64),
                size(2 * held as u64)
            ));
        }
        Held { of: Arc::clone(&self.held), bytes }
    }

    /// Tells, once, of a record that takes more memory than there is for it.
    fn look_at(&self, chunk: &Chunk) {
        if chunk.bytes.len() > self.memory() / LONG_PART && !self.told_of_record.swap(true, Ordering::Relaxed) {
            let file = chunk.parts.first().map(|part| part.input.path.display().to_string());
            self.progress.warn(&format!(
                "{}: a record of {} takes five to eight times that while it is read: the run may hold more than --memory {}; \
                 --max-record refuses longer ones",
                file.unwrap_or_default(),
                size(chunk.bytes.len() as u64),
                size(self.memory() as u64)
            ));
        }
    }

    /// A shuffle with a quarter of the memory, for keys below `2^key_bits`.
    pub(super) fn shuffle<P: Posting>(&self, key_bits: u32) -> Result<Shuffle<P>> {
        Shuffle::new(&self.area, ShuffleOptions { budget_bytes: self.budget(4), key_bits })
    }

    /// A shuffle with half, for what stays when the shuffle it was made from is gone.
    pub(super) fn large_shuffle<P: Posting>(&self, key_bits: u32) -> Result<Shuffle<P>> {
        Shuffle::new(&self.area, ShuffleOptions { budget_bytes: self.budget(2), key_bits })
    }

    /// A shuffle with a sixteenth, for what is far less than the records and has to wait.
    pub(super) fn small_shuffle<P: Posting>(&self, key_bits: u32) -> Result<Shuffle<P>> {
        Shuffle::new(&self.area, ShuffleOptions { budget_bytes: self.budget(16), key_bits })
    }

    /// A list by document, of which a thirty-second of the memory is held.
    pub(super) fn ledger<P: Posting>(&self) -> Ledger<P> {
        Ledger::new(Stash::new(&self.area, self.budget(32)))
    }

    /// The partitions of a shuffle, folded on all cores, results in key order.
    pub(super) fn fold<P: Posting, R: Send>(
        &self,
        shuffle: Shuffle<P>,
        fold: impl Fn(usize, Groups<'_, P>) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let folded: Vec<Result<R>> = shuffle
            .finish()?
            .into_par_iter()
            .enumerate()
            .with_max_len(1)
            .map(|(i, mut partition)| self.fold_one(i, &mut partition, &fold))
            .collect();
        self.give_back();
        folded.into_iter().collect()
    }

    /// As [`fold`](Self::fold), but a few partitions at a time, and each result is handed on in key order.
    pub(super) fn fold_in_order<P: Posting, R: Send>(
        &self,
        shuffle: Shuffle<P>,
        fold: impl Fn(usize, Groups<'_, P>) -> Result<R> + Sync,
        each: impl FnMut(R) -> Result<()> + Send,
    ) -> Result<()> {
        let partitions = shuffle.finish()?.into_iter().enumerate();
        let fold = |(i, mut partition): (usize, Partition<P>)| self.fold_one(i, &mut partition, &fold);
        in_order(rayon::current_num_threads(), partitions, fold, each)?;
        self.give_back();
        Ok(())
    }

    /// At the end of a stage: what it freed goes back to the system where the process holds more than half of its budget.
    fn give_back(&self) {
        if resident_bytes() > self.options.memory_bytes / 2 {
            give_back_freed_memory();
        }
    }

    /// As [`fold`](Self::fold), for partitions that are folded again later.
    pub(super) fn fold_kept<P: Posting, R: Send>(
        &self,
        partitions: &mut [Partition<P>],
        fold: impl Fn(usize, Groups<'_, P>) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let folded: Vec<Result<R>> = partitions
            .par_iter_mut()
            .enumerate()
            .with_max_len(1)
            .map(|(i, partition)| self.fold_one(i, partition, &fold))
            .collect();
        folded.into_iter().collect()
    }

    fn fold_one<P: Posting, R>(
        &self,
        number: usize,
        partition: &mut Partition<P>,
        fold: impl Fn(usize, Groups<'_, P>) -> Result<R>,
    ) -> Result<R> {
        self.check_cancelled()?;
        fold(number, partition.open(self.budget(4 * rayon::current_num_threads()))?)
    }

    fn check_cancelled(&self) -> Result<()> {
        if self.progress.cancelled() { Err(Error::interrupted()) } else { Ok(()) }
    }

    /// Maps every chunk with a reused state and hands the results on in input order.
    pub(super) fn pass<S: Send, R: Send>(
        &self,
        stage: &'static str,
        state: impl Fn() -> S + Sync,
        map: impl Fn(&mut S, &Chunk) -> Result<R> + Sync,
        each: impl FnMut(R) -> Result<()> + Send,
    ) -> Result<()> {
        self.progress.stage(stage, self.inputs.total_bytes());
        let options = self.read_options();
        let mut source = self.inputs.source(options);
        let next = |desk: &mut Desk<S>| {
            let chunk = source.next_chunk(std::mem::take(&mut desk.buffer))?;
            Ok(chunk.map(|chunk| {
                let bytes = chunk.bytes.len();
                (chunk, bytes)
            }))
        };
        let work = |desk: &mut Desk<S>, chunk: Chunk| {
            self.look_at(&chunk);
            let result = self.check_cancelled().and_then(|()| map(desk.state.get_or_insert_with(&state), &chunk));
            self.progress.advance(chunk.disk_bytes);
            // What was needed for a record far longer than a chunk is not kept.
            if chunk.bytes.len() <= 2 * options.chunk_bytes {
                desk.buffer = chunk.bytes;
            } else {
                desk.state = None;
            }
            result
        };
        flow(self.bounds(), next, work, each)?;
        drop(source);
        self.give_back();
        // A wish to stop that came while the last chunks were under way is heard before the next stage or the commit.
        self.check_cancelled()
    }

    /// Chunks that may be out.
    fn bounds(&self) -> Bounds {
        Bounds { things: ahead(), bytes: self.budget(16) }
    }

    fn read_options(&self) -> ReadOptions {
        let defaults = ReadOptions::default();
        // A chunk and what is made of it.
        let fair = self.budget(16 * 2 * self.bounds().things).max(64 << 10);
        ReadOptions { chunk_bytes: defaults.chunk_bytes.min(fair), ..self.options.limits() }
    }

    /// What visits the records, one for each worker.
    pub(super) fn parser(&self) -> Parser {
        self.options.parser(&self.fields)
    }

    /// Tells of records that could not be read and were passed over.
    pub(super) fn warn(&self, bad: &[Error]) {
        bad.iter().for_each(|error| self.progress.warn(&error.to_string()));
    }

    /// Visits the records of a chunk that `wanted` asks for. A bad record ends the run, or is told to `bad`.
    pub(super) fn visit(
        &self,
        parser: &mut Parser,
        chunk: &Chunk,
        wanted: impl Fn(u32) -> bool,
        mut record: impl FnMut(&RecordView<'_>) -> Result<()>,
        mut bad: impl FnMut(Error),
    ) -> Result<()> {
        parser.visit_some(chunk, wanted, |visit| match visit {
            Visit::Record(view) => record(&view),
            Visit::Blank { .. } => Ok(()),
            Visit::Bad { error, .. } if self.options.on_bad_record == OnBadRecord::Stop => {
                Err(error.cure_also("or pass bad records through untouched with --on-bad-record skip"))
            }
            Visit::Bad { error, .. } => {
                bad(error);
                Ok(())
            }
        })
    }
}

/// The folder that holds the output folder, or will: where the results have room, so has the spill. The system's
/// temporary folder is often small, or memory.
pub(super) fn beside(out: &Path) -> Option<PathBuf> {
    let out = std::path::absolute(out).ok()?;
    out.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_path_buf)
}

/// What a worker keeps from chunk to chunk.
struct Desk<S> {
    buffer: Vec<u8>,
    state: Option<S>,
}

impl<S> Default for Desk<S> {
    fn default() -> Self {
        Self { buffer: Vec::new(), state: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Keeps what it is told.
    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);

    impl Progress for Told {
        fn stage(&self, _: &'static str, _: u64) {}
        fn advance(&self, _: u64) {}
        fn warn(&self, message: &str) {
            self.0.lock().unwrap().push(message.into());
        }
        fn finish(&self) {}
    }

    #[test]
    fn records_too_long_for_the_memory_are_told_of_and_read_one_by_one() {
        let mut file = tempfile::Builder::new().suffix(".jsonl").tempfile().unwrap();
        for _ in 0..5 {
            let text = "word ".repeat(20_000);
            std::io::Write::write_fmt(&mut file, format_args!("{{\"text\":\"{text}\"}}\n")).unwrap();
        }
        let inputs = vec![file.path().to_str().unwrap().to_owned()];
        for (memory_bytes, warnings) in [(1 << 20, 1), (16 << 20, 0)] {
            let options = Options { inputs: inputs.clone(), memory_bytes, ..Options::default() };
            let told = Told::default();
            let corpus = Corpus::open(&options, &told, None).unwrap();
            // How many chunks are mapped at the same time.
            let (under_way, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let map = |(): &mut (), chunk: &Chunk| {
                most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                under_way.fetch_sub(1, Ordering::SeqCst);
                Ok(chunk.rows())
            };
            let mut rows = 0;
            let each = |of_chunk| {
                rows += of_chunk;
                Ok(())
            };
            corpus.pass("seeds", || (), map, each).unwrap();
            assert_eq!((rows, told.0.lock().unwrap().len()), (5, warnings));
            assert!(warnings == 0 || most.into_inner() == 1);
            // And whether a second one is taken while one of such a record is out.
            assert_eq!(corpus.bounds().bytes > 100_000, warnings == 0);
        }
    }

    #[test]
    fn tables_are_taken_from_the_budget_until_they_go() {
        let file = tempfile::Builder::new().suffix(".txt").tempfile().unwrap();
        let inputs = vec![file.path().to_str().unwrap().to_owned()];
        let options = Options { inputs, memory_bytes: 1000 << 20, ..Options::default() };
        let told = Told::default();
        let corpus = Corpus::open(&options, &told, None).unwrap();
        let budgets = || [corpus.budget(1), corpus.budget(4)].map(|bytes| bytes >> 20);
        assert_eq!(budgets(), [1000, 250]);
        let some = corpus.hold(300 << 20);
        let more = corpus.hold(100 << 20);
        assert_eq!(budgets(), [600, 150]);
        drop(some);
        assert_eq!(budgets(), [900, 225]);
        assert!(told.0.lock().unwrap().is_empty());
        let most = corpus.hold(800 << 20);
        assert_eq!(budgets(), [250, 62], "a quarter is always shared out");
        let still_more = corpus.hold(800 << 20);
        assert_eq!(told.0.lock().unwrap().len(), 1, "told once");
        assert!(
            told.0.lock().unwrap()[0]
                .ends_with("--memory 1000.0 MiB: the run may hold more than that, and is faster with 1.8 GiB or more")
        );
        drop((more, most, still_more));
        assert_eq!(budgets(), [1000, 250]);
    }
}
