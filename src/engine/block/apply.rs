//! Reads the decided templates, finds them everywhere, and says what is cut.

use super::postings::{Going, New, Reread, Said};
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
use crate::engine::corpus::{Corpus, of_chunk};
use crate::engine::cuts::{Cuts, replaced};
use crate::engine::names::Names;
use crate::engine::near::name_of;
use crate::plan::edit;
use crate::plan::strip::{Cut, Piece};
use crate::record::RecordView;
use crate::report::Picture;
use crate::shuffle::{Ledger, Stash, of_key};
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
    let places = templates.list.iter().map(|told| told.places as usize);
    let mut seen = Seen::new(Stash::new(&corpus.area, corpus.budget(3)).packing(), places);
    let mut shown = Shown::new(corpus);
    // A list may let a block go that the rules keep.
    let reads_all = reviewed.is_some();
    if !templates.reread.is_empty() {
        corpus.pass(
            "templates",
            || worker(corpus),
            |w, chunk| {
                let mut seen: Vec<(u32, u32, Sight, Picture)> = Vec::new();
                let wanted = of_chunk(&templates.reread, chunk)?;
                let Worker { parser, reading, letters, .. } = w;
                let record = |record: &RecordView<'_>| {
                    reading.read_paged(record.text, running[record.doc as usize]);
                    let name = name_of(corpus, record);
                    let places = of_key(&wanted, record.doc.into());
                    seen.extend(places.iter().map(|&Reread { template, which, start, end, .. }| {
                        let Told { reason, evidence, .. } = &templates.list[template as usize];
                        let wants = Wants::new(*reason, evidence, which);
                        let wants = Wants { own: wants.own || (reads_all && which == 0), ..wants };
                        let place = (which, Span::new(start, end), wants);
                        let (sight, picture) = look(record.text, &name, reading, letters, place);
                        (template, which, sight, picture)
                    }));
                    Ok(())
                };
                corpus.visit(parser, chunk, |doc| !of_key(&wanted, doc.into()).is_empty(), record, |_| {})?;
                Ok(seen)
            },
            |of_chunk| {
                of_chunk.into_iter().try_for_each(|(t, which, sight, picture)| {
                    let put = shown.put(&picture, seen.texts(t as usize))?;
                    seen.put(t as usize, which as usize, &sight, put)
                })
            },
        )?;
    }
    templates.reread = corpus.ledger();
    if let Some(reviewed) = &mut reviewed {
        for t in 0..templates.list.len() {
            if let Some((_, put)) = seen.of(t)?.first()
                && let Some(reason) = reviewed.verdict(&shown.text_of(*put)?)
            {
                templates.review(t, reason);
            }
        }
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
    new: Ledger<New>,
    /// [`Edit::matches`] of each.
    said: Ledger<Said>,
}

impl Edited {
    fn new(corpus: &Corpus<'_>) -> Self {
        Self { names: Names::new(corpus), cuts: Cuts::new(corpus), new: corpus.ledger(), said: corpus.ledger() }
    }

    fn add(&mut self, edit: Edit) -> Result<()> {
        let Edit { doc, name, text_bytes, cuts, new, matches } = edit;
        cuts.into_iter().try_for_each(|cut| self.cuts.push(doc, cut))?;
        if !new.is_empty() {
            matches.iter().try_for_each(|m| self.said.push(Said::of(doc, m)))?;
        }
        new.into_iter().try_for_each(|template| self.new.push(New { doc, template }))?;
        self.names.push(doc, &name, text_bytes)
    }

    /// With what `again` says of some documents, which ascend.
    fn replaced(self, corpus: &Corpus<'_>, docs: &[u32], again: Self) -> Result<Self> {
        let cuts = self.cuts.replaced(corpus, docs, &again.cuts)?;
        let new = replaced(corpus, docs, (&self.new, &again.new))?;
        Ok(Self { cuts, new, ..self })
    }
}

/// The reads `search`, `match`, and `rematch` where it is needed: the cuts of every document.
pub(super) fn cut(corpus: &Corpus<'_>, mut found: Found, census: Census) -> Result<Outcome> {
    let held = corpus.hold(found.bytes());
    let mut common = vec![false; found.templates.list.len()];
    let is_needed = !found.bank.is_empty() || !found.templates.going.is_empty() || found.running.contains(&true);
    let mut edited = Edited::new(corpus);
    if is_needed {
        let earlier = searched(corpus, &mut found)?;
        let (bank, wanted) = (Some(&found.bank).filter(|bank| !bank.is_empty()), |_| true);
        matched(corpus, "match", (&found, &common), Letterwise { earlier: &earlier, bank }, wanted, &mut edited)?;
        let mut counts = vec![0u32; found.templates.list.len()];
        edited.new.iter().try_for_each(|new| new.map(|new| counts[new.template as usize] += 1))?;
        for (t, template) in found.templates.list.iter().enumerate() {
            common[t] = template.reason != Reason::Listed && bank::is_flood(counts[t], template.evidence.copies);
        }
    }
    found.bank = Bank::default();
    drop(held);
    let _held = corpus.hold(found.bytes());
    let mut spoilt = Vec::new();
    edited
        .new
        .iter()
        .try_for_each(|new| new.map(|new| spoilt.extend(common[new.template as usize].then_some(new.doc))))?;
    spoilt.dedup();
    if !spoilt.is_empty() {
        let mut again = Edited::new(corpus);
        let said = Letterwise { earlier: std::slice::from_ref(&edited.said), bank: None };
        let wanted = |doc| spoilt.binary_search(&doc).is_ok();
        matched(corpus, "rematch", (&found, &common), said, wanted, &mut again)?;
        edited = edited.replaced(corpus, &spoilt, again)?;
    }
    let Edited { names, cuts, new, .. } = edited;
    let Templates { mut list, untold, .. } = found.templates;
    count_listed(&mut list, &new)?;
    let blocks = list.into_iter().map(|told| Block { evidence: told.evidence, reason: told.reason }).collect();
    Ok(Outcome { cuts, blocks, untold, shown: found.shown, names, census })
}

/// What says which blocks stand in a document by its letters.
struct Letterwise<'a> {
    /// What they said in reads before.
    earlier: &'a [Ledger<Said>],
    /// What is looked for in this one.
    bank: Option<&'a Bank>,
}

/// A read for each part of the bank but the last one: what the letters of all documents say. The bank is then turned to the
/// last one.
fn searched(corpus: &Corpus<'_>, found: &mut Found) -> Result<Vec<Ledger<Said>>> {
    let mut earlier = Vec::new();
    for part in 1..found.bank.parts() {
        let mut said = corpus.ledger();
        let (bank, running) = (&found.bank, &found.running);
        corpus.pass(
            "search",
            || worker(corpus),
            |w, chunk| {
                let mut said = Vec::new();
                let Worker { parser, reading, letters, search, matches, .. } = w;
                let record = |record: &RecordView<'_>| {
                    reading.read_paged(record.text, running[record.doc as usize]);
                    letters.read(record.text, &reading.body.spans);
                    bank.find(letters, search, matches);
                    said.extend(matches.iter().map(|m| Said::of(record.doc, m)));
                    Ok(())
                };
                corpus.visit(parser, chunk, |_| true, record, |_| {})?;
                Ok(said)
            },
            |of_chunk| of_chunk.into_iter().try_for_each(|m| said.push(m)),
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
            let going = of_chunk(&found.templates.going, chunk)?;
            let spared = of_chunk(&found.templates.spared, chunk)?;
            let earlier = earlier.iter().map(|earlier| of_chunk(earlier, chunk)).collect::<Result<Vec<_>>>()?;
            let Worker { parser, reading, letters, search, matches, .. } = w;
            let record = |record: &RecordView<'_>| {
                reading.read_paged(record.text, found.running[record.doc as usize]);
                matches.clear();
                if let Some(bank) = bank {
                    letters.read(record.text, &reading.body.spans);
                    bank.find(letters, search, matches);
                }
                let [going, spared] = [&going, &spared].map(|places| of_key(places, record.doc.into()));
                let said = earlier.iter().flat_map(|said| of_key(said, record.doc.into()));
                matches.extend(said.map(Said::what));
                matches.sort_unstable();
                seen.extend(edit(corpus, (found, common), (going, spared), (reading, matches), record));
                Ok(())
            };
            let may_match = bank.is_some() || !earlier.is_empty();
            let wanted = |doc| {
                wanted(doc) && (may_match || found.running[doc as usize] || !of_key(&going, doc.into()).is_empty())
            };
            corpus.visit(parser, chunk, wanted, record, |_| {})?;
            Ok(seen)
        },
        |seen| seen.into_iter().try_for_each(|edit| edited.add(edit)),
    )
}

/// What goes of one document, by its words and by what its letters say.
fn edit(
    corpus: &Corpus<'_>,
    (found, common): (&Found, &[bool]),
    (going, spared): (&[Going], &[Going]),
    (reading, matches): (&Reading, &[Match]),
    record: &RecordView<'_>,
) -> Option<Edit> {
    let options = &corpus.options.block;
    let doc = record.doc;
    let list = &found.templates.list;
    let goes = |place: &&Going| list[place.template as usize].reason.strips();
    let known = going.iter().filter(goes).map(|p| Piece { tokens: Span::new(p.start, p.end), block: p.template });
    let spared = spared.iter().filter(|place| !list[place.template as usize].is_reviewed);
    let spared: Vec<TokenSpan> = spared.map(|place| Span::new(place.start, place.end)).collect();
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
fn count_listed(list: &mut [Told], new: &Ledger<New>) -> Result<()> {
    let mut listed: Vec<(u32, u32)> = Vec::new();
    for new in new.iter() {
        let New { doc, template } = new?;
        let told = &list[template as usize];
        if told.reason == Reason::Listed && told.evidence.copies == 0 {
            listed.push((template, doc));
        }
    }
    listed.sort_unstable();
    for of_document in listed.chunk_by(|a, b| a == b) {
        let evidence = &mut list[of_document[0].0 as usize].evidence;
        let copies = u32::try_from(of_document.len()).unwrap_or(u32::MAX);
        evidence.copies += copies;
        evidence.documents += 1;
        evidence.within = evidence.within.max(copies);
    }
    Ok(())
}
