//! Finds what repeats: winnowed seeds, regions around those that repeat, then every gram in the regions.

use super::firsts::{Firsts, Numbers};
use super::postings::{Gram, Region, Repeat, Repeated, Seed};
use super::sieve::{SEEDS_BY_BYTE, Sieve};
use super::{Worker, worker};
use crate::block::chain;
use crate::block::sites::{Sites, code};
use crate::block::{Options, winnow};
use crate::engine::census::{Census, Share};
use crate::engine::corpus::{Corpus, Held, of_chunk};
use crate::engine::near::bits_of;
use crate::engine::room::text_bytes;
use crate::record::RecordView;
use crate::shuffle::{Groups, Ledger, Shuffle, of_key};
use crate::span::{Span, TokenSpan};
use crate::{Error, Result};

/// What the first read gives.
pub(super) struct Seeds {
    pub(super) postings: Shuffle<Seed>,
    /// Each document's length in tokens of its body.
    pub(super) lengths: Vec<u32>,
    /// Whether a document has running lines.
    pub(super) running: Vec<bool>,
    pub(super) sites: Sites,
    pub(super) census: Census,
}

/// A read before the first, where seeds would not fit memory: which of them may repeat.
fn seed_sieve(corpus: &Corpus<'_>, options: &Options) -> Result<Option<Sieve>> {
    let expected = text_bytes(corpus) * SEEDS_BY_BYTE;
    let Some(sieve) = sieve_for::<Seed>(corpus, expected) else { return Ok(None) };
    let spare = u64::BITS - options.hash_bits();
    corpus.pass(
        "seeds: sieve",
        || worker(corpus),
        |w, chunk| {
            let Worker { parser, reading, grams, hashes, .. } = w;
            let record = |record: &RecordView<'_>| {
                reading.read(record.text);
                hashes.clear();
                winnow::seeds(options, &reading.body.hashes, grams, |hash, _| hashes.push(hash >> spare));
                sieve.meet(hashes);
                Ok(())
            };
            corpus.visit(parser, chunk, |_| true, record, |_| {})
        },
        |()| Ok(()),
    )?;
    Ok(Some(sieve))
}

/// A sieve in half of the memory for so many hashes, each of which makes a posting.
fn sieve_for<P>(corpus: &Corpus<'_>, hashes: f64) -> Option<Sieve> {
    Sieve::for_hashes(hashes, corpus.budget(4 * size_of::<P>()), corpus.budget(2))
}

/// Read 1: the winnowed seeds that may repeat.
pub(super) fn seeds(corpus: &Corpus<'_>, options: &Options) -> Result<Seeds> {
    let sieve = seed_sieve(corpus, options)?;
    let spare = u64::BITS - options.hash_bits();
    let postings = corpus.shuffle::<Seed>(options.hash_bits())?;
    let (mut lengths, mut running, mut sites, mut census) = (Vec::new(), Vec::new(), Vec::new(), Census::default());
    corpus.pass(
        "seeds",
        || worker(corpus),
        |w, chunk| {
            let mut scatter = postings.scatter();
            let rows = chunk.rows() as usize;
            let (mut lengths, mut running, mut sites) = (vec![0; rows], vec![false; rows], Vec::new());
            let (mut share, mut bad) = (Share::of(chunk), Vec::new());
            let Worker { parser, reading, grams, seeds, .. } = w;
            let record = |record: &RecordView<'_>| {
                reading.read(record.text);
                let tokens = &reading.body.hashes;
                let at = (record.doc - chunk.first_doc()) as usize;
                lengths[at] = u32::try_from(tokens.len()).expect("a document has fewer than 2^32 tokens");
                running[at] = !reading.running.is_empty();
                if let Some(site) = record.site {
                    sites.resize(rows, 0);
                    sites[at] = code(site);
                }
                share.count(record, reading.spans().len());
                seeds.clear();
                winnow::seeds(options, tokens, grams, |hash, i| {
                    let position = u32::try_from(i).expect("a document has fewer than 2^32 tokens");
                    seeds.push(Seed { hash: hash >> spare, doc: record.doc, position });
                });
                if let Some(sieve) = &sieve {
                    sieve.sift(seeds, |seed| seed.hash);
                }
                seeds.iter().try_for_each(|&seed| scatter.push(seed))
            };
            corpus.visit(parser, chunk, |_| true, record, |error| bad.push(error))?;
            share.bad = bad;
            Ok((share, lengths, running, sites))
        },
        |(share, of_lengths, of_running, of_sites)| {
            if !(of_sites.is_empty() && sites.is_empty()) {
                sites.resize(lengths.len(), 0);
                sites.extend(of_sites);
            }
            lengths.extend(of_lengths);
            running.extend(of_running);
            corpus.warn(&census.add(share));
            Ok(())
        },
    )?;
    Ok(Seeds { postings, lengths, running, sites: Sites::new(sites), census })
}

/// Folds by seed, then by document: the stretches around seeds that repeat.
pub(super) fn regions(
    corpus: &Corpus<'_>,
    options: &Options,
    seeds: Shuffle<Seed>,
    lengths: &[u32],
) -> Result<Regions> {
    let rows = u32::try_from(lengths.len()).expect("documents are numbered by u32");
    let repeated = corpus.shuffle::<Repeated>(bits_of(rows))?;
    corpus.fold(seeds, |_, mut groups| {
        let mut scatter = repeated.scatter();
        while let Some(mut group) = groups.next_group()? {
            if group.len() > 1 {
                group.for_each(|g| scatter.push(Repeated { doc: g.doc, position: g.position }))?;
            }
        }
        Ok(())
    })?;
    let margin = options.region_margin();
    let stretches = |mut groups: Groups<'_, Repeated>| -> Result<Vec<Region>> {
        let mut rows = Vec::new();
        let mut positions = Vec::new();
        while let Some(mut group) = groups.next_group()? {
            positions.clear();
            let doc = u32::try_from(group.key()).expect("the key is a document");
            group.for_each(|s| {
                positions.push(s.position);
                Ok(())
            })?;
            let regions = chain::regions(positions.iter().copied(), margin, lengths[doc as usize]);
            rows.extend(regions.into_iter().map(|Span { start, end }| Region { doc, start, end }));
        }
        Ok(rows)
    };
    let mut all = Regions { by_doc: corpus.ledger(), tokens: 0 };
    corpus.fold_in_order(
        repeated,
        |_, groups| stretches(groups),
        |rows| {
            rows.into_iter().try_for_each(|region| {
                all.tokens += u64::from(region.end - region.start);
                all.by_doc.push(region)
            })
        },
    )?;
    Ok(all)
}

/// The stretches that are looked at gram by gram.
pub(super) struct Regions {
    pub(super) by_doc: Ledger<Region>,
    /// In all of them.
    tokens: u64,
}

fn of_doc(regions: &[Region], doc: u32) -> impl Iterator<Item = TokenSpan> {
    of_key(regions, doc.into()).iter().map(|region| Span::new(region.start, region.end))
}

/// The dense grams that repeat, by document.
pub(super) struct Hits {
    pub(super) by_doc: Shuffle<Repeat>,
    pub(super) numbers: Numbers,
    pub(super) held: Held,
}

/// A read of the regions before the second, where their grams would not fit memory: which of them may repeat.
fn gram_sieve(
    corpus: &Corpus<'_>,
    options: &Options,
    (regions, running): (&Regions, &[bool]),
) -> Result<Option<Sieve>> {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let expected = regions.tokens as f64;
    let Some(sieve) = sieve_for::<Gram>(corpus, expected) else { return Ok(None) };
    corpus.pass(
        "grams: sieve",
        || worker(corpus),
        |w, chunk| {
            let regions = of_chunk(&regions.by_doc, chunk)?;
            let Worker { parser, reading, dense, .. } = w;
            let record = |record: &RecordView<'_>| {
                reading.read_paged(record.text, running[record.doc as usize]);
                dense.hashes(options, reading, of_doc(&regions, record.doc), |hashes| sieve.meet(hashes));
                Ok(())
            };
            corpus.visit(parser, chunk, |doc| of_doc(&regions, doc).next().is_some(), record, |_| {})
        },
        |()| Ok(()),
    )?;
    Ok(Some(sieve))
}

/// Read 2: the grams in the regions that may repeat; `running` says which documents have running lines.
fn grams(corpus: &Corpus<'_>, options: &Options, (regions, running): (&Regions, &[bool])) -> Result<Shuffle<Gram>> {
    let sieve = gram_sieve(corpus, options, (regions, running))?;
    let found = corpus.shuffle::<Gram>(options.hash_bits())?;
    let sift = |grams: &mut Vec<(u64, u32)>| {
        if let Some(sieve) = &sieve {
            sieve.sift(grams, |gram| gram.0);
        }
    };
    corpus.pass(
        "grams",
        || worker(corpus),
        |w, chunk| {
            let mut scatter = found.scatter();
            let regions = of_chunk(&regions.by_doc, chunk)?;
            let Worker { parser, reading, dense, .. } = w;
            let record = |record: &RecordView<'_>| {
                reading.read_paged(record.text, running[record.doc as usize]);
                let regions = of_doc(&regions, record.doc);
                dense.grams(options, (record.text, reading), regions, sift, |hash, position, marks| {
                    scatter.push(Gram { hash, doc: record.doc, position, marks: marks.0 })
                })
            };
            corpus.visit(parser, chunk, |doc| of_doc(&regions, doc).next().is_some(), record, |_| {})
        },
        |()| Ok(()),
    )?;
    Ok(found)
}

/// Read 2 and the fold by gram.
pub(super) fn hits(corpus: &Corpus<'_>, options: &Options, regions: &Regions, running: &[bool]) -> Result<Hits> {
    let dense = grams(corpus, options, (regions, running))?;
    let rows = u32::try_from(running.len()).expect("documents are numbered by u32");
    let by_doc = corpus.large_shuffle::<Repeat>(bits_of(rows))?;
    let firsts = Firsts::new(regions.by_doc.iter(), running.len())?;
    let held = corpus.hold(firsts.bytes());
    corpus.fold(dense, |_, mut groups| {
        let mut scatter = by_doc.scatter();
        while let Some(mut group) = groups.next_group()? {
            if group.len() < 2 {
                continue;
            }
            let copies = u32::try_from(group.len()).unwrap_or(u32::MAX);
            let mut kept = u32::from(options.spares_first_gram());
            let mut first = None;
            group.for_each(|g| {
                let place = firsts.place(g.doc, g.position);
                let first = *first.get_or_insert_with(|| {
                    firsts.mark(place);
                    place
                });
                if kept > 0 {
                    kept -= 1;
                    return Ok(());
                }
                scatter.push(Repeat { doc: g.doc, position: g.position, back: place - first, copies, marks: g.marks })
            })?;
        }
        Ok(())
    })?;
    Ok(Hits { by_doc, numbers: firsts.numbered()?, held })
}

/// The error of a corpus whose passages cannot be numbered.
pub(super) fn too_many() -> Error {
    Error::resource("more than 2^32 distinct passages repeat").cure("split the corpus, or raise --min-tokens")
}
