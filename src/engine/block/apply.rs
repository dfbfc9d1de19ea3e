//! Reads the decided templates, finds them everywhere, and says what is cut.

use super::noted::Noted;
use super::reviewed::Reviewed;
use super::seen::Seen;
use super::shown::{Put, Shown};
use super::told::{Templates, Told};
use super::{Block, Outcome, Worker, worker};
use crate::Result;
use crate::block::bank::{self, Bank, Entry, Match};
use crate::block::decide::Reason;
use crate::block::judge::{Sight, Wants, extended, worth};
use crate::block::letters::Letters;
use crate::block::reading::Reading;
use crate::block::template::Evidence;
use crate::block::{KeepCopies, Options};
use crate::engine::census::Census;
use crate::engine::corpus::Corpus;
use crate::engine::cuts::Cuts;
use crate::engine::near::name_of;
use crate::engine::table::{Names, Table};
use crate::plan::edit;
use crate::plan::strip::{Cut, Piece};
use crate::record::RecordView;
use crate::report::Picture;
use crate::shuffle::Stash;
use crate::span::{Span, TokenSpan};
use rayon::prelude::*;

/// What is known before the documents are cut.
pub(super) struct Found {
    pub(super) templates: Templates,
    /// Whether a document has running lines.
    pub(super) running: Vec<bool>,
    pub(super) bank: Bank,
    pub(super) shown: Shown,
}

impl Found {
    /// Bytes of memory, without what serves only a while.
    fn bytes(&self) -> usize {
        let workers = rayon::current_num_threads();
        self.bank.bytes() + workers * self.bank.bytes_to_search() + self.shown.bytes() + self.templates.bytes()
    }
}

/// Templates of which something is made at once: bounds what waits to be put aside.
const BLOCKS_AT_ONCE: usize = 4096;

/// Read 3: the letters of the templates that go, moved to their true ends, and the texts of all.
pub(super) fn read_templates(
    corpus: &Corpus<'_>,
    options: &Options,
    templates: &mut Templates,
    running: &[bool],
    mut reviewed: Option<Reviewed>,
) -> Result<(Bank, Shown)> {
    let _held = corpus.hold(templates.bytes());
    let wanted = std::mem::take(&mut templates.places);
    let places = templates.list.iter().map(Told::places);
    let mut seen = Seen::new(Stash::new(&corpus.area, corpus.budget(3)), places);
    let mut shown = Shown::new(corpus);
    // A list may let a block go that the rules keep.
    let reads_all = reviewed.is_some();
    if !wanted.is_empty() {
        corpus.pass(
            "templates",
            || worker(corpus),
            |w, chunk| {
                let mut of_chunk: Vec<(u32, u32, Sight, Picture)> = Vec::new();
                let Worker { parser, reading, letters, .. } = w;
                let record = |record: &RecordView<'_>| {
                    reading.read_paged(record.text, running[record.doc as usize]);
                    let name = name_of(corpus, record);
                    of_chunk.extend(wanted.of(record.doc).iter().map(|&(_, (t, which, span))| {
                        let Told { reason, evidence, .. } = &templates.list[t as usize];
                        let wants = Wants::new(*reason, evidence, which);
                        let wants = Wants { own: wants.own || (reads_all && which == 0), ..wants };
                        let (sight, picture) = look(record.text, &name, reading, letters, (which, span, wants));
                        (t, which, sight, picture)
                    }));
                    Ok(())
                };
                corpus.visit(parser, chunk, |doc| wanted.has(doc), record, |_| {})?;
                Ok(of_chunk)
            },
            |of_chunk| {
                of_chunk.into_iter().try_for_each(|(t, which, sight, picture)| {
                    let put = shown.put(&picture, seen.texts(t as usize))?;
                    seen.put(t as usize, which as usize, &sight, put)
                })
            },
        )?;
    }
    drop(wanted);
    if let Some(reviewed) = &mut reviewed {
        let mut decided = Vec::new();
        for t in 0..templates.list.len() {
            if let Some((_, put)) = seen.of(t)?.first() {
                decided.extend(reviewed.verdict(&shown.text_of(*put)?).map(|reason| (t, reason)));
            }
        }
        templates.review(&decided);
    }
    let mut entries = Vec::new();
    let strips = |t: usize| templates.list[t].reason.strips() && !options.exact;
    for first in (0..templates.list.len()).step_by(BLOCKS_AT_ONCE) {
        let batch = first..templates.list.len().min(first + BLOCKS_AT_ONCE);
        let made: Vec<Result<Made>> =
            batch.clone().into_par_iter().map(|t| Made::of(seen.of(t)?, strips(t), &shown)).collect();
        for (t, made) in batch.zip(made) {
            let Made { copies, slotted, letters } = made?;
            shown.add(&copies, slotted.as_deref())?;
            let Evidence { documents, tokens, .. } = templates.list[t].evidence;
            let template = u32::try_from(t).expect("there are fewer than 2^32 templates");
            entries.extend(letters.map(|letters| (worth(documents, tokens, template), Entry { template, letters })));
        }
    }
    drop(seen);
    // Of two that say the same the bank keeps the first: what a person listed, then what is worth more.
    entries.sort_unstable_by_key(|e| std::cmp::Reverse(e.0));
    let listed = reviewed.map_or(Ok(Vec::new()), |reviewed| reviewed.add_unmet(templates, &mut shown))?;
    let entries: Vec<Entry> = listed.into_iter().chain(entries.into_iter().map(|e| e.1)).collect();
    let letters = entries.iter().map(|entry| size_of::<Entry>() + 2 * entry.letters.len()).sum();
    let _letters = corpus.hold(letters);
    Ok((Bank::within(corpus.budget(3), entries), shown))
}

/// What is made of all that was seen of a template.
struct Made {
    copies: Vec<Put>,
    /// Its text where its copies differ.
    slotted: Option<String>,
    /// Of one that goes, for the bank.
    letters: Option<Vec<u8>>,
}

impl Made {
    fn of(seen: Vec<(Sight, Put)>, strips: bool, shown: &Shown) -> Result<Self> {
        let (sights, copies): (Vec<Sight>, Vec<Put>) = seen.into_iter().unzip();
        let slotted = shown.slotted(&copies)?;
        Ok(Self { copies, slotted, letters: strips.then(|| extended(&sights)) })
    }
}

/// What is to be seen at one place of a template.
fn look(
    text: &str,
    name: &str,
    reading: &Reading,
    letters: &mut Letters,
    (which, span, wants): (u32, TokenSpan, Wants),
) -> (Sight, Picture) {
    let spans = &reading.body.spans;
    let sight = Sight::read(text, spans, span, wants, letters);
    let bytes = Span::new(spans[span.start as usize].start, spans[span.end as usize - 1].end);
    let mut picture = Picture::of_copy(name.to_owned(), text, bytes);
    if which as usize >= Picture::EXAMPLES {
        picture.examples.clear();
    }
    (sight, picture)
}

/// What is cut from one document.
struct Edit {
    doc: u32,
    name: String,
    /// Bytes of its text.
    text_bytes: u32,
    cuts: Vec<Cut>,
    /// Templates that stand where their words did not lead to, and listed ones, each as often as it does.
    new: Vec<u32>,
    /// All that its letters said, where there is something new.
    matches: Vec<Match>,
}

/// What is cut from all documents.
struct Edited {
    names: Names,
    cuts: Cuts,
    /// [`Edit::new`] of each.
    new: Table<u32>,
    /// [`Edit::matches`] of each.
    matches: Noted,
}

impl Edited {
    fn new(corpus: &Corpus<'_>) -> Self {
        let (names, matches) = (Names::for_corpus(corpus), noted(corpus));
        Self { names, cuts: Cuts::default(), new: Table::default(), matches }
    }

    fn add(&mut self, edit: Edit) -> Result<()> {
        let Edit { doc, name, text_bytes, cuts, new, matches } = edit;
        self.cuts.push(doc, cuts);
        if !new.is_empty() {
            self.matches.push(doc, &matches)?;
        }
        new.into_iter().for_each(|t| self.new.push(doc, t));
        self.names.push(doc, &name, text_bytes)
    }
}

fn noted(corpus: &Corpus<'_>) -> Noted {
    Noted::new(Stash::new(&corpus.area, corpus.budget(16)))
}

/// The reads `search`, `match`, and `rematch` where it is needed: the cuts of every document.
pub(super) fn cut(corpus: &Corpus<'_>, mut found: Found, census: Census) -> Result<Outcome> {
    let held = corpus.hold(found.bytes());
    let mut common = vec![false; found.templates.list.len()];
    let is_needed = !found.bank.is_empty() || !found.templates.copies.is_empty() || found.running.contains(&true);
    let mut edited = Edited::new(corpus);
    if is_needed {
        let earlier = searched(corpus, &mut found)?;
        let (bank, wanted) = (Some(&found.bank).filter(|bank| !bank.is_empty()), |_| true);
        matched(corpus, "match", (&found, &common), Letterwise { earlier: &earlier, bank }, wanted, &mut edited)?;
        let mut counts = vec![0u32; found.templates.list.len()];
        edited.new.iter().for_each(|(_, &t)| counts[t as usize] += 1);
        for (t, template) in found.templates.list.iter().enumerate() {
            common[t] = template.reason != Reason::Listed && bank::is_flood(counts[t], template.evidence.copies);
        }
    }
    found.bank = Bank::default();
    drop(held);
    let _held = corpus.hold(found.bytes());
    let spoilt = edited.new.iter().filter(|&(_, &t)| common[t as usize]).map(|(doc, _)| doc);
    let mut spoilt: Vec<u32> = spoilt.collect();
    spoilt.dedup();
    if !spoilt.is_empty() {
        let mut again = Edited::new(corpus);
        let said = Letterwise { earlier: &[edited.matches], bank: None };
        let wanted = |doc| spoilt.binary_search(&doc).is_ok();
        matched(corpus, "rematch", (&found, &common), said, wanted, &mut again)?;
        edited.cuts = edited.cuts.replaced(&spoilt, &again.cuts);
        let rest = edited.new.iter().filter(|(doc, _)| spoilt.binary_search(doc).is_err());
        let mut new: Vec<(u32, u32)> = rest.chain(again.new.iter()).map(|(doc, &t)| (doc, t)).collect();
        new.sort_by_key(|&(doc, _)| doc);
        edited.new = Table::from_sorted(new);
    }
    let Edited { names, cuts, new, .. } = edited;
    let Templates { mut list, untold, .. } = found.templates;
    count_listed(&mut list, &new);
    let blocks = list.into_iter().map(|told| Block { evidence: told.evidence, reason: told.reason }).collect();
    Ok(Outcome { cuts, blocks, untold, shown: found.shown, names, census })
}

/// What says which blocks stand in a document by its letters.
struct Letterwise<'a> {
    /// What they said in reads before.
    earlier: &'a [Noted],
    /// What is looked for in this one.
    bank: Option<&'a Bank>,
}

/// A read for each part of the bank but the last one: what the letters of all documents say. The bank is then turned to the
/// last one.
fn searched(corpus: &Corpus<'_>, found: &mut Found) -> Result<Vec<Noted>> {
    let mut earlier = Vec::new();
    for part in 1..found.bank.parts() {
        let mut said = noted(corpus);
        let (bank, running) = (&found.bank, &found.running);
        corpus.pass(
            "search",
            || worker(corpus),
            |w, chunk| {
                let mut of_chunk = Vec::new();
                let Worker { parser, reading, letters, search, matches, .. } = w;
                let record = |record: &RecordView<'_>| {
                    reading.read_paged(record.text, running[record.doc as usize]);
                    letters.read(record.text, &reading.body.spans);
                    bank.find(letters, search, matches);
                    if !matches.is_empty() {
                        of_chunk.push((record.doc, matches.clone()));
                    }
                    Ok(())
                };
                corpus.visit(parser, chunk, |_| true, record, |_| {})?;
                Ok(of_chunk)
            },
            |of_chunk| of_chunk.into_iter().try_for_each(|(doc, matches)| said.push(doc, &matches)),
        )?;
        earlier.push(said);
        found.bank.turn_to(part);
    }
    Ok(earlier)
}

/// One read of the documents that `wanted` asks for; `common` says which templates turned out to be common turns of phrase:
/// their letters prove nothing.
fn matched(
    corpus: &Corpus<'_>,
    stage: &'static str,
    (found, common): (&Found, &[bool]),
    said: Letterwise<'_>,
    wanted: impl Fn(u32) -> bool + Sync,
    edited: &mut Edited,
) -> Result<()> {
    let Letterwise { earlier, bank } = said;
    corpus.pass(
        stage,
        || worker(corpus),
        |w, chunk| {
            let mut seen = Vec::new();
            let Worker { parser, reading, letters, search, matches, .. } = w;
            let record = |record: &RecordView<'_>| {
                reading.read_paged(record.text, found.running[record.doc as usize]);
                matches.clear();
                if let Some(bank) = bank {
                    letters.read(record.text, &reading.body.spans);
                    bank.find(letters, search, matches);
                }
                earlier.iter().try_for_each(|earlier| earlier.read(record.doc, matches))?;
                matches.sort_unstable();
                seen.extend(edit(corpus, found, common, (reading, matches), record));
                Ok(())
            };
            let may_match = bank.is_some() || !earlier.is_empty();
            let wanted =
                |doc| wanted(doc) && (may_match || found.running[doc as usize] || found.templates.copies.has(doc));
            corpus.visit(parser, chunk, wanted, record, |_| {})?;
            Ok(seen)
        },
        |seen| seen.into_iter().try_for_each(|edit| edited.add(edit)),
    )
}

/// What goes of one document, by its words and by what its letters say.
fn edit(
    corpus: &Corpus<'_>,
    found: &Found,
    common: &[bool],
    (reading, matches): (&Reading, &[Match]),
    record: &RecordView<'_>,
) -> Option<Edit> {
    let options = &corpus.options.block;
    let doc = record.doc;
    let list = &found.templates.list;
    let known = found.templates.copies.of(doc).iter().map(|&(_, (tokens, block))| Piece { tokens, block });
    let spared: Vec<TokenSpan> = found.templates.spared.of(doc).iter().map(|&(_, (span, _))| span).collect();
    let keeps_first = options.keep_copies == KeepCopies::First;
    let is_listed = |t: u32| list.get(t as usize).is_some_and(|told| told.reason == Reason::Listed);
    let (pieces, new) = edit::pieces(known, &spared, matches, |t| {
        let first = list[t as usize].first.filter(|first| keeps_first && first.doc == doc);
        let is_common = common[t as usize];
        edit::Rule { is_common, is_listed: is_listed(t), stays: first.map(|first| first.span) }
    });
    let running = u32::try_from(list.len()).expect("there are fewer than 2^32 templates");
    let cuts = edit::cuts(options, (record.text, reading), &pieces, running, is_listed)?;
    let text_bytes = u32::try_from(record.text.len()).expect("a document is shorter than 4 GiB");
    let matches = if new.is_empty() { Vec::new() } else { matches.to_vec() };
    Some(Edit { doc, name: name_of(corpus, record), text_bytes, cuts, new, matches })
}

/// Counts the copies of what repeats nowhere and goes because a list says so.
fn count_listed(list: &mut [Told], new: &Table<u32>) {
    let mut listed: Vec<(u32, u32)> = new
        .iter()
        .map(|(doc, &t)| (t, doc))
        .filter(|&(t, _)| list[t as usize].reason == Reason::Listed && list[t as usize].evidence.copies == 0)
        .collect();
    listed.sort_unstable();
    for of_document in listed.chunk_by(|a, b| a == b) {
        let evidence = &mut list[of_document[0].0 as usize].evidence;
        let copies = u32::try_from(of_document.len()).unwrap_or(u32::MAX);
        evidence.copies += copies;
        evidence.documents += 1;
        evidence.within = evidence.within.max(copies);
    }
}
