//! Conducts the near-duplicate way: sketches of all documents, components of candidates, verdicts.
//!
//! Two reads of the input. The first shuffles band keys and joins documents that share one into components (4 bytes a
//! document). The second puts the shingles of the candidates aside (`sets`), in input order, and shuffles a small record of
//! each by component; then every component is decided on its own, so memory holds one component a thread; a thread for
//! which none is left helps with another's.
//! Tokens under a cut of the block way count in neither.

use super::census::{Census, Share};
use super::corpus::Corpus;
use super::cuts::Cuts;
use super::names::Names;
use super::sets::{SetReader, Sets};
use super::verdicts::{Row, Verdicts};
use crate::io::{InputFile, Parser};
use crate::near::{self, Components, Decider, Foreseen, Member, Near, Rank, lsh};
use crate::ranked::{Ranked, word};
use crate::record::RecordView;
use crate::shuffle::{Posting, Shuffle, Stash, Ticket};
use crate::span::ByteSpan;
use crate::text::{Tokens, tokenize_words};
use crate::{Error, Result, hash};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What the near-duplicate way decided.
pub(super) struct Outcome {
    /// One for every document that shares a verified edge with another.
    pub(super) verdicts: Verdicts,
    /// Of all candidates.
    pub(super) names: Names,
    /// What was read.
    pub(super) census: Census,
}

/// A band key of a document.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Band {
    key: u64,
    doc: u32,
}

impl Posting for Band {
    const FIELDS: usize = 2;
    fn key(&self) -> u64 {
        self.key
    }
    fn split(&self, fields: &mut [u64]) {
        fields.copy_from_slice(&[self.key, self.doc.into()]);
    }
    fn join(fields: &[u64]) -> Self {
        Self { key: fields[0], doc: narrow(fields[1]) }
    }
}

/// A candidate on its way to its component. Ordered by component, then by keep order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// [`spread`]: else all big components, whose roots are early documents, would lie in the first partition.
    component: u32,
    position: u32,
    doc: u32,
    tokens: u32,
    sequence: u128,
    shingles: Ticket,
}

impl Posting for Candidate {
    const FIELDS: usize = 8;
    fn key(&self) -> u64 {
        self.component.into()
    }
    #[expect(clippy::cast_possible_truncation, reason = "halves")]
    fn split(&self, fields: &mut [u64]) {
        let [component, position, doc, tokens] = [self.component, self.position, self.doc, self.tokens].map(u64::from);
        let [low, high] = [self.sequence, self.sequence >> 64].map(|half| half as u64);
        fields.copy_from_slice(&[
            component,
            position,
            doc,
            tokens,
            high,
            low,
            self.shingles.at,
            self.shingles.len.into(),
        ]);
    }
    fn join(fields: &[u64]) -> Self {
        let [component, position, doc, tokens] = [0, 1, 2, 3].map(|at| narrow(fields[at]));
        let sequence = u128::from(fields[4]) << 64 | u128::from(fields[5]);
        Self { component, position, doc, tokens, sequence, shingles: Ticket { at: fields[6], len: narrow(fields[7]) } }
    }
}

/// A component by another number, which no other has; neighbours lie far apart.
fn spread(component: u32) -> u32 {
    // 2^32 over the golden ratio, odd (Knuth, The Art of Computer Programming 3, 6.4).
    component.wrapping_mul(0x9E37_79B1)
}

impl Candidate {
    fn member(&self, sets: &mut SetReader<'_>) -> Result<Member> {
        let shingles = sets.get(self.shingles)?.into_boxed_slice();
        Ok(Member { doc: self.doc, shingles, sequence: self.sequence, tokens: self.tokens })
    }
}

pub(in crate::engine) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// A field of a posting that was made of 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "as it was split")]
pub(in crate::engine) fn narrow(field: u64) -> u32 {
    field as u32
}

/// How many bits numbers below `count` have.
pub(in crate::engine) fn bits_of(count: u32) -> u32 {
    (u32::BITS - count.leading_zeros()).max(1)
}

/// Buffers of one worker.
struct Worker {
    parser: Parser,
    tokens: Tokens,
    hashes: Vec<u64>,
    scratch: Vec<u64>,
    keys: Vec<u64>,
}

/// What the first read gives.
#[derive(Default)]
struct Candidates {
    /// The root of each document's component.
    roots: Vec<u32>,
    /// Each document's place in keep order; empty where that is input order.
    order: Vec<u32>,
    census: Census,
}

/// What the second read found of one candidate.
struct Found {
    doc: u32,
    tokens: u32,
    sequence: u128,
    shingles: Vec<u64>,
    name: String,
    text_bytes: u32,
}

/// Runs the way over the corpus; `cuts` are what the block way takes out.
pub(super) fn run(corpus: &Corpus<'_>, near: &Near, cuts: &Cuts) -> Result<Outcome> {
    let candidates = candidates(corpus, near, cuts)?;
    decide(corpus, near, cuts, candidates)
}

fn worker(corpus: &Corpus<'_>) -> Worker {
    let parser = corpus.parser();
    Worker { parser, tokens: Tokens::default(), hashes: Vec::new(), scratch: Vec::new(), keys: Vec::new() }
}

/// What a document's shingles are made of, where no cut touches it.
fn units<'t>(near: &Near, text: &str, tokens: &'t Tokens, cuts: &[ByteSpan], buffer: &'t mut Vec<u64>) -> &'t [u64] {
    near.units(text, tokens, cuts.iter().copied(), buffer)
}

/// First read: documents that share a key are candidates.
fn candidates(corpus: &Corpus<'_>, near: &Near, cuts: &Cuts) -> Result<Candidates> {
    let bands = corpus.shuffle::<Band>(lsh::SHORT_KEY_BITS)?;
    let (mut census, mut ranks) = (Census::default(), Vec::new());
    let ranked = !near.options().keeps_in_order();
    let sources = sources(corpus, &near.options().prefer)?;
    corpus.pass(
        "sketch",
        || worker(corpus),
        |w, chunk| {
            let mut scatter = bands.scatter();
            let (mut share, mut bad, mut ranks) = (Share::of(chunk), Vec::new(), Vec::new());
            let cuts = cuts.within(chunk.docs())?;
            let Worker { parser, tokens, hashes, scratch, keys } = w;
            let record = |record: &RecordView<'_>| {
                tokenize_words(record.text, tokens);
                share.count(record, tokens.len());
                let visible = units(near, record.text, tokens, cuts.spans(record.doc), hashes);
                near.keys(visible, scratch, keys);
                if ranked {
                    let tokens = u32::try_from(visible.len()).unwrap_or(u32::MAX);
                    let value = record.rank.unwrap_or(f64::NAN);
                    ranks.push(Rank { source: sources[record.file as usize], doc: record.doc, tokens, value });
                }
                keys.iter().try_for_each(|&key| scatter.push(Band { key: lsh::shortened(key), doc: record.doc }))
            };
            corpus.visit(parser, chunk, |_| true, record, |error| bad.push(error))?;
            share.bad = bad;
            Ok((share, ranks))
        },
        |(share, of_chunk)| {
            let bad = census.add(share);
            // Where the block way ran, it read first and told of them.
            if !corpus.options.finds_blocks() {
                corpus.warn(&bad);
            }
            ranks.extend(of_chunk);
            Ok(())
        },
    )?;
    let roots = join(corpus, bands, census.rows)?;
    let order = keep_order(near, ranks, census.rows);
    Ok(Candidates { roots, order, census })
}

/// For each input file, the place of its source among those preferred.
fn sources(corpus: &Corpus<'_>, prefer: &[String]) -> Result<Vec<u32>> {
    let files = corpus.inputs.files();
    if let Some(source) = prefer.iter().find(|source| !files.iter().any(|file| file.is_from(source))) {
        let message = format!("--prefer {source:?} is none of the input files or their folders");
        return Err(Error::usage(message).cure("write it as the input is written, or as under data/ of the results"));
    }
    let place = |file: &InputFile| (0u32..).zip(prefer).find(|(_, source)| file.is_from(source));
    Ok(files.iter().map(|file| place(file).map_or(Rank::NO_SOURCE, |(place, _)| place)).collect())
}

/// Documents that share a key, joined: the root of each document.
fn join(corpus: &Corpus<'_>, bands: Shuffle<Band>, rows: u32) -> Result<Vec<u32>> {
    let components = Mutex::new(Components::new(rows));
    corpus.fold(bands, |_, mut groups| {
        let mut edges: Vec<(u32, u32)> = Vec::new();
        while let Some(mut group) = groups.next_group()? {
            if lsh::is_idle(group.key(), group.len()) {
                continue;
            }
            let mut first = None;
            group.for_each(|band| {
                let first = *first.get_or_insert(band.doc);
                if first != band.doc {
                    edges.push((first, band.doc));
                }
                Ok(())
            })?;
            if edges.len() >= 1 << 16 {
                union(&components, &mut edges);
            }
        }
        union(&components, &mut edges);
        Ok(())
    })?;
    let components =
        components.into_inner().map_err(|_| Error::resource("a worker failed while joining candidates"))?;
    Ok(components.into_roots())
}

fn union(components: &Mutex<Components>, edges: &mut Vec<(u32, u32)>) {
    let mut components = components.lock().unwrap_or_else(PoisonError::into_inner);
    for (a, b) in edges.drain(..) {
        components.union(a, b);
    }
}

/// Each document's place in keep order; empty where that is input order.
fn keep_order(near: &Near, mut ranks: Vec<Rank>, rows: u32) -> Vec<u32> {
    if near.options().keeps_in_order() {
        return Vec::new();
    }
    ranks.sort_unstable_by(|a, b| near.options().keep.compare(a, b));
    let mut order = vec![u32::MAX; rows as usize];
    for (place, rank) in (0u32..).zip(&ranks) {
        order[rank.doc as usize] = place;
    }
    order
}

/// Second read: the candidates' shingles; then one component at a time is decided.
fn decide(corpus: &Corpus<'_>, near: &Near, cuts: &Cuts, candidates: Candidates) -> Result<Outcome> {
    let Candidates { roots, order, census } = candidates;
    let mut alone = vec![true; roots.len()];
    for (doc, &root) in (0u32..).zip(&roots) {
        if root != doc {
            alone[doc as usize] = false;
            alone[root as usize] = false;
        }
    }
    let rows = u32::try_from(roots.len()).expect("documents are numbered by u32");
    let components = numbered(&roots, &alone);
    let documents = corpus.hold(size_of_val(&*roots) + size_of_val(&*alone) + size_of_val(&*order));
    let mut shingles = Sets::new(Stash::new(&corpus.area, corpus.budget(4)), components.count());
    let _components = corpus.hold(shingles.bytes());
    let by_component = corpus.shuffle::<Candidate>(u32::BITS)?;
    let mut names = Names::new(corpus);
    // Equal documents share their shingles while the table has room; beyond it they are put aside again.
    let mut known: HashMap<u128, Ticket> = HashMap::new();
    let most_known = corpus.budget(16 * 2 * size_of::<(u128, Ticket)>());
    corpus.pass(
        "verify",
        || worker(corpus),
        |w, chunk| {
            let mut found = Vec::new();
            let cuts = cuts.within(chunk.docs())?;
            let Worker { parser, tokens, hashes, scratch, .. } = w;
            let record = |record: &RecordView<'_>| {
                tokenize_words(record.text, tokens);
                let visible = units(near, record.text, tokens, cuts.spans(record.doc), hashes);
                found.push(candidate(record, visible, near, scratch, name_of(corpus, record)));
                Ok(())
            };
            corpus.visit(parser, chunk, |doc| !alone[doc as usize], record, |_| {})?;
            Ok(found)
        },
        |found| {
            let mut scatter = by_component.scatter();
            for f in found {
                let component = roots[f.doc as usize];
                let shingles = match known.get(&f.sequence) {
                    Some(&ticket) => ticket,
                    None => shingles.put(components.below(component.into()), &f.shingles)?,
                };
                if known.len() < most_known {
                    known.insert(f.sequence, shingles);
                }
                names.push(f.doc, &f.name, f.text_bytes)?;
                let position = order.get(f.doc as usize).copied().unwrap_or(f.doc);
                let (doc, tokens, sequence) = (f.doc, f.tokens, f.sequence);
                let component = spread(component);
                scatter.push(Candidate { component, position, doc, tokens, sequence, shingles })?;
            }
            Ok(())
        },
    )?;
    drop((known, components, roots, alone, order, documents));
    let verdicts = verdicts(corpus, near, (by_component, rows), &shingles.finish())?;
    let verdicts = Verdicts::gather(corpus, verdicts)?;
    Ok(Outcome { verdicts, names, census })
}

/// The components of more than one document, numbered by their roots.
fn numbered(roots: &[u32], alone: &[bool]) -> Ranked {
    let mut words = vec![0u64; roots.len().div_ceil(64)];
    for ((doc, &root), &alone) in (0u64..).zip(roots).zip(alone) {
        let heads = !alone && u64::from(root) == doc;
        words[word(doc)] |= u64::from(heads) << (doc % 64);
    }
    Ranked::new(words).expect("documents are numbered by u32")
}

fn candidate(record: &RecordView<'_>, visible: &[u64], near: &Near, scratch: &mut Vec<u64>, name: String) -> Found {
    near.shingle_set(visible, scratch);
    Found {
        doc: record.doc,
        tokens: u32::try_from(visible.len()).unwrap_or(u32::MAX),
        sequence: hash::token_sequence(visible),
        shingles: scratch.clone(),
        name,
        text_bytes: u32::try_from(record.text.len()).unwrap_or(u32::MAX),
    }
}

/// What the plan calls a record.
pub(in crate::engine) fn name_of(corpus: &Corpus<'_>, record: &RecordView<'_>) -> String {
    let file = &corpus.inputs.files()[record.file as usize];
    record.id.map_or_else(|| format!("{}:{}", file.name, record.row + 1), str::to_owned)
}

fn verdicts(
    corpus: &Corpus<'_>,
    near: &Near,
    (by_component, rows): (Shuffle<Candidate>, u32),
    shingles: &Stash,
) -> Result<Shuffle<Row>> {
    let verdicts = corpus.small_shuffle::<Row>(bits_of(rows))?;
    let busy = AtomicUsize::new(0);
    corpus.fold(by_component, |_, mut groups| {
        let _busy = Busy::one_of(&busy);
        let mut scatter = verdicts.scatter();
        let mut sets = SetReader::new(shingles);
        while let Some(mut group) = groups.next_group()? {
            let mut decider = Decider::new(near);
            let mut batch = Batch::default();
            group.for_each(|candidate| {
                batch.candidates.push(*candidate);
                batch.tokens += candidate.tokens as usize;
                if batch.is_full() { batch.decide(&mut decider, &mut sets, &busy) } else { Ok(()) }
            })?;
            batch.decide(&mut decider, &mut sets, &busy)?;
            near::clustered(decider.finish()).try_for_each(|verdict| scatter.push(verdict.into()))?;
        }
        Ok(())
    })?;
    Ok(verdicts)
}

/// Candidates of one component that come one after the other.
#[derive(Default)]
struct Batch {
    candidates: Vec<Candidate>,
    /// Of all of them.
    tokens: usize,
}

/// Candidates of a batch at most: what they tell about each other is not foreseen.
const BATCH: usize = 128;
/// Tokens from which on a batch is full: 8 MiB of shingles.
const BATCH_TOKENS: usize = 1 << 20;
/// Candidates that a thread looks at together; a batch of one such piece is decided without looking ahead.
const PIECE: usize = 16;

impl Batch {
    fn is_full(&self) -> bool {
        self.candidates.len() == BATCH || self.tokens >= BATCH_TOKENS
    }

    /// Decides and forgets them. One component may be half of all documents, so where threads have nothing else to do, they
    /// find out ahead what can be. That is some work done twice, and changes no verdict.
    fn decide(&mut self, decider: &mut Decider<'_>, sets: &mut SetReader<'_>, busy: &AtomicUsize) -> Result<()> {
        let candidates = std::mem::take(self).candidates;
        let all_busy = busy.load(Ordering::Relaxed) >= rayon::current_num_threads();
        if candidates.len() <= PIECE || all_busy {
            return candidates.iter().try_for_each(|candidate| {
                decider.push(candidate.member(sets)?);
                Ok(())
            });
        }
        let foresee = |piece: &[Candidate]| {
            let mut sets = sets.again();
            let members = piece.iter().map(|candidate| candidate.member(&mut sets)).collect::<Result<_>>()?;
            Ok(decider.foresee(members))
        };
        let foreseen: Vec<Result<Vec<Foreseen>>> = candidates.par_chunks(PIECE).map(foresee).collect();
        foreseen.into_iter().try_for_each(|piece| {
            piece?.into_iter().for_each(|foreseen| decider.push_foreseen(foreseen));
            Ok(())
        })
    }
}

/// Counts the threads that have components of their own to decide.
struct Busy<'b>(&'b AtomicUsize);

impl<'b> Busy<'b> {
    fn one_of(threads: &'b AtomicUsize) -> Self {
        threads.fetch_add(1, Ordering::Relaxed);
        Self(threads)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
