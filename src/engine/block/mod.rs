//! Conducts the block way: from seeds to the cuts of every document.
//!
//! | pass or fold | by | gives |
//! |---|---|---|
//! | read `seeds: sieve` | document | which seeds may repeat; only where they do not fit memory |
//! | read 1 `seeds` | document | winnowed seeds |
//! | fold | seed | places of the seeds that repeat |
//! | fold | document | regions worth a dense look |
//! | read `grams: sieve` | document | which grams may repeat; only where they do not fit memory |
//! | read 2 `grams` | document | every gram in the regions, with its marks |
//! | fold | gram | places of the grams that repeat, with their copies |
//! | fold | document | links between neighbours; the hits are put aside |
//! | fold | link | templates: components of linked grams; most links are counted in a table instead |
//! | fold | document | copies of templates |
//! | fold | template | evidence, verdicts |
//! | read 3 `templates` | document | the letters and texts of the decided templates |
//! | reads `search` | document | occurrences of a part of the bank; only where it does not fit memory whole |
//! | read 4 `match` | document | occurrences of the bank, or of its last part, and the cuts that follow |
//! | read 5 `rematch` | document | the same without templates that turned out to be common turns of phrase; seldom needed |
//!
//! No stage holds text; what grows with the corpus goes through a shuffle or a stash.

mod apply;
mod find;
mod firsts;
mod judge;
mod kept;
mod meetings;
mod postings;
mod reviewed;
mod seen;
mod shown;
mod sieve;
mod told;

use super::census::Census;
use super::corpus::Corpus;
use super::cuts::Cuts;
use super::names::Names;
use crate::Result;
use crate::block::bank::{Match, Search};
use crate::block::decide::Reason;
use crate::block::dense::Dense;
use crate::block::letters::Letters;
use crate::block::reading::Reading;
use crate::block::template::Evidence;
use crate::io::Parser;
use find::{Seeds, hits, regions, seeds};
use judge::templates;
use postings::Seed;
use reviewed::Reviewed;
use shown::Shown;

/// What the block way decided.
pub(super) struct Outcome {
    /// The cuts of every document that has some.
    pub(super) cuts: Cuts,
    /// All blocks worth telling of, in order of first occurrence. A cut's block is an index into it.
    pub(super) blocks: Vec<Block>,
    /// How many more repeat, and stay.
    pub(super) untold: u64,
    /// What they look like.
    pub(super) shown: Shown,
    /// The documents with a cut, and perhaps some that had one before the last read.
    pub(super) names: Names,
    /// What was read.
    pub(super) census: Census,
}

impl Outcome {
    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.cuts.bytes() + size_of_val(&*self.blocks) + self.shown.bytes() + self.names.bytes()
    }
}

/// One repeated passage.
pub(super) struct Block {
    pub(super) evidence: Evidence,
    pub(super) reason: Reason,
}

/// Buffers of one worker.
struct Worker {
    parser: Parser,
    reading: Reading,
    grams: Vec<u64>,
    hashes: Vec<u64>,
    seeds: Vec<Seed>,
    dense: Dense,
    letters: Letters,
    search: Search,
    matches: Vec<Match>,
}

fn worker(corpus: &Corpus<'_>) -> Worker {
    Worker {
        parser: corpus.parser(),
        reading: Reading::new(&corpus.options.block),
        grams: Vec::new(),
        hashes: Vec::new(),
        seeds: Vec::new(),
        dense: Dense::default(),
        letters: Letters::default(),
        search: Search::default(),
        matches: Vec::new(),
    }
}

/// This part of the budget is left to the system's allocator, which keeps much of what one shuffle gave back from the next.
pub(super) const HOARDED_PART: usize = 5;

/// Runs the way over the corpus.
pub(super) fn run(corpus: &Corpus<'_>) -> Result<Outcome> {
    let _hoarded = corpus.hold(corpus.budget(HOARDED_PART));
    let options = &corpus.options.block;
    let reviewed = corpus.options.reviewed.as_deref().map(Reviewed::read).transpose()?;
    let Seeds { postings, lengths, running, sites, census } = seeds(corpus, options)?;
    let _documents = corpus.hold(size_of_val(&*lengths) + size_of_val(&*running));
    let hits = {
        let regions = regions(corpus, options, postings, &lengths)?;
        let _held = corpus.hold(regions.by_doc.bytes());
        hits(corpus, options, &regions, &running)?
    };
    let mut templates = templates(corpus, options, hits, (&lengths, &sites))?;
    let (bank, shown) = apply::read_templates(corpus, options, &mut templates, &running, reviewed)?;
    apply::cut(corpus, apply::Found { templates, running, bank, shown }, census)
}
