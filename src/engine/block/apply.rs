//! Reads the decided templates, finds them everywhere, and says what is cut.

use super::reviewed::Reviewed;
use super::shown::{Put, Shown};
use super::{Block, Outcome, Worker, worker};
use crate::Result;
use crate::block::bank::{self, Bank, Entry, Match};
use crate::block::decide::Reason;
use crate::block::judge::{Sight, Template, Wants, extended, worth};
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
use crate::span::{Span, TokenSpan};
use rayon::prelude::*;

/// What is known before the documents are cut.
pub(super) struct Found {
    pub(super) templates: Vec<Template>,
    /// Whether a document has running lines.
    pub(super) running: Vec<bool>,
    pub(super) bank: Bank,
    pub(super) shown: Shown,
}

/// What is to be seen at one place of a template, and where its picture was put aside.
struct Seen {
    template: u32,
    /// Which of the template's places.
    which: u32,
    sight: Sight,
    shown: Put,
}

/// Templates of which something is made at once: bounds what waits to be put aside.
const BLOCKS_AT_ONCE: usize = 4096;

/// Read 3: the letters of the templates that go, moved to their true ends, and the texts of all.
pub(super) fn read_templates(
    corpus: &Corpus<'_>,
    options: &Options,
    templates: &mut Vec<Template>,
    running: &[bool],
    mut reviewed: Option<Reviewed>,
) -> Result<(Bank, Shown)> {
    let wanted = wanted(templates);
    let mut sights: Vec<Vec<Seen>> = templates.iter().map(|_| Vec::new()).collect();
    let mut shown = Shown::new(corpus);
    // A list may let a block go that the rules keep.
    let reads_all = reviewed.is_some();
    if !wanted.is_empty() {
        corpus.pass(
            "templates",
            || worker(corpus),
            |w, chunk| {
                let mut seen: Vec<(Seen, Picture)> = Vec::new();
                let Worker { parser, reading, letters, .. } = w;
                let record = |record: &RecordView<'_>| {
                    reading.read_paged(record.text, running[record.doc as usize]);
                    let name = name_of(corpus, record);
                    let look = |&(_, at): &(u32, (u32, u32, TokenSpan))| {
                        sight(record.text, &name, reading, letters, (&templates[at.0 as usize], reads_all), at)
                    };
                    seen.extend(wanted.of(record.doc).iter().map(look));
                    Ok(())
                };
                corpus.visit(parser, chunk, |doc| wanted.has(doc), record, |_| {})?;
                Ok(seen)
            },
            |seen| {
                for (mut one, picture) in seen {
                    let of_template = &mut sights[one.template as usize];
                    one.shown = shown.put(&picture, of_template.iter().map(|other| other.shown))?;
                    of_template.push(one);
                }
                Ok(())
            },
        )?;
    }
    for (sights, template) in sights.iter_mut().zip(&mut *templates) {
        sights.sort_unstable_by_key(|s| s.which);
        if let (Some(reviewed), Some(sight)) = (&mut reviewed, sights.first()) {
            reviewed.verdict(&shown.text_of(sight.shown)?).into_iter().for_each(|reason| template.review(reason));
        }
    }
    let mut entries = Vec::new();
    let mut rest = sights.into_iter().zip(0u32..);
    loop {
        let batch: Vec<(Vec<Seen>, u32)> = rest.by_ref().take(BLOCKS_AT_ONCE).collect();
        if batch.is_empty() {
            break;
        }
        let strips = |t: u32| templates[t as usize].reason.strips() && !options.exact;
        let made: Vec<Result<Made>> =
            batch.into_par_iter().map(|(sights, t)| Made::of(t, sights, strips(t), &shown)).collect();
        for made in made {
            let Made { template: t, copies, slotted, letters } = made?;
            shown.add(&copies, slotted.as_deref())?;
            let Evidence { documents, tokens, .. } = templates[t as usize].evidence;
            entries.extend(letters.map(|letters| (worth(documents, tokens, t), Entry { template: t, letters })));
        }
    }
    // Of two that say the same the bank keeps the first: what a person listed, then what is worth more.
    entries.sort_unstable_by_key(|e| std::cmp::Reverse(e.0));
    let listed = reviewed.map_or(Ok(Vec::new()), |reviewed| reviewed.add_unmet(templates, &mut shown))?;
    Ok((Bank::new(listed.into_iter().chain(entries.into_iter().map(|e| e.1)).collect()), shown))
}

/// What is made of all that was seen of a template.
struct Made {
    template: u32,
    copies: Vec<Put>,
    /// Its text where its copies differ.
    slotted: Option<String>,
    /// Of one that goes, for the bank.
    letters: Option<Vec<u8>>,
}

impl Made {
    fn of(template: u32, sights: Vec<Seen>, strips: bool, shown: &Shown) -> Result<Self> {
        let copies: Vec<Put> = sights.iter().map(|s| s.shown).collect();
        let slotted = shown.slotted(&copies)?;
        let letters = strips.then(|| extended(&sights.into_iter().map(|s| s.sight).collect::<Vec<_>>()));
        Ok(Self { template, copies, slotted, letters })
    }
}

/// The places to look at, by document.
fn wanted(templates: &[Template]) -> Table<(u32, u32, TokenSpan)> {
    let mut wanted: Vec<(u32, (u32, u32, TokenSpan))> = Vec::new();
    for (t, template) in (0u32..).zip(templates) {
        wanted.extend((0u32..).zip(&template.places).map(|(which, p)| (p.doc, (t, which, p.span))));
    }
    wanted.sort_unstable();
    Table::from_sorted(wanted)
}

/// What is to be seen at one place of a template. Letters are read only where the bank needs them.
fn sight(
    text: &str,
    name: &str,
    reading: &Reading,
    letters: &mut Letters,
    (template, reads_all): (&Template, bool),
    at: (u32, u32, TokenSpan),
) -> (Seen, Picture) {
    let (number, which, span) = at;
    let spans = &reading.body.spans;
    let wants = template.wants(which);
    let wants = Wants { own: wants.own || (reads_all && which == 0), ..wants };
    let sight = Sight::read(text, spans, span, wants, letters);
    let bytes = Span::new(spans[span.start as usize].start, spans[span.end as usize - 1].end);
    let mut picture = Picture::of_copy(name.to_owned(), text, bytes);
    if which as usize >= Picture::EXAMPLES {
        picture.examples.clear();
    }
    (Seen { template: number, which, sight, shown: Put::default() }, picture)
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
    /// [`Edit::matches`] of each, of as many as there is room for: a document without is searched again.
    matches: Table<Match>,
    most_matches_bytes: usize,
}

impl Edited {
    fn new(corpus: &Corpus<'_>) -> Self {
        let (cuts, new, matches) = (Cuts::default(), Table::default(), Table::default());
        let most_matches_bytes = corpus.budget(16);
        Self { names: Names::for_corpus(corpus), cuts, new, matches, most_matches_bytes }
    }

    fn add(&mut self, edit: Edit) -> Result<()> {
        let Edit { doc, name, text_bytes, cuts, new, matches } = edit;
        self.cuts.push(doc, cuts);
        new.into_iter().for_each(|t| self.new.push(doc, t));
        if self.matches.bytes() < self.most_matches_bytes {
            matches.into_iter().for_each(|found| self.matches.push(doc, found));
        }
        self.names.push(doc, &name, text_bytes)
    }
}

/// Read 4, and 5 where it is needed: the cuts of every document.
pub(super) fn cut(corpus: &Corpus<'_>, mut found: Found, census: Census) -> Result<Outcome> {
    let known = known(&corpus.options.block, &mut found.templates);
    let spared = spared(&found.templates);
    let common = vec![false; found.templates.len()];
    let mut words = Words { known, spared, common, noted: Table::default() };
    let is_needed = !found.bank.is_empty() || !words.known.is_empty() || found.running.contains(&true);
    let mut edited = Edited::new(corpus);
    if is_needed {
        matched(corpus, "match", &found, &words, |_| true, &mut edited)?;
        let mut counts = vec![0u32; found.templates.len()];
        edited.new.iter().for_each(|(_, &t)| counts[t as usize] += 1);
        for (t, template) in found.templates.iter().enumerate() {
            words.common[t] = template.reason != Reason::Listed && bank::is_flood(counts[t], template.evidence.copies);
        }
    }
    let spoilt = edited.new.iter().filter(|&(_, &t)| words.common[t as usize]).map(|(doc, _)| doc);
    let mut spoilt: Vec<u32> = spoilt.collect();
    spoilt.dedup();
    if !spoilt.is_empty() {
        words.noted = std::mem::take(&mut edited.matches);
        let mut again = Edited::new(corpus);
        matched(corpus, "rematch", &found, &words, |doc| spoilt.binary_search(&doc).is_ok(), &mut again)?;
        edited.cuts = edited.cuts.replaced(&spoilt, &again.cuts);
        let rest = edited.new.iter().filter(|(doc, _)| spoilt.binary_search(doc).is_err());
        let mut new: Vec<(u32, u32)> = rest.chain(again.new.iter()).map(|(doc, &t)| (doc, t)).collect();
        new.sort_by_key(|&(doc, _)| doc);
        edited.new = Table::from_sorted(new);
    }
    let Edited { names, cuts, new, .. } = edited;
    count_listed(&mut found.templates, &new);
    let blocks = found.templates.into_iter().map(|t| Block { evidence: t.evidence, reason: t.reason }).collect();
    Ok(Outcome { cuts, blocks, untold: 0, shown: found.shown, names, census })
}

/// The copies found by their words, by document; without the first of each where that one is to stay. Templates keep no
/// more than their first.
fn known(options: &Options, templates: &mut [Template]) -> Table<(TokenSpan, u32)> {
    let mut rows: Vec<(u32, (TokenSpan, u32))> = Vec::with_capacity(templates.iter().map(|t| t.copies.len()).sum());
    for (t, template) in (0u32..).zip(templates) {
        let copies = template.copies.iter().skip(usize::from(options.spares_first_copy()));
        rows.extend(copies.map(|&c| (c.doc, (c.span, t))));
        template.copies.truncate(1);
        template.copies.shrink_to_fit();
    }
    rows.sort_unstable();
    Table::from_sorted(rows)
}

/// The copies of templates that go, spared ones, in documents where the block belongs.
fn spared(templates: &[Template]) -> Table<TokenSpan> {
    let mut rows: Vec<(u32, TokenSpan)> =
        templates.iter().flat_map(|t| &t.spared).map(|place| (place.doc, place.span)).collect();
    rows.sort_unstable();
    Table::from_sorted(rows)
}

/// What words alone say of the documents.
struct Words {
    /// The copies that go.
    known: Table<(TokenSpan, u32)>,
    /// The copies that stay although their block goes.
    spared: Table<TokenSpan>,
    /// Templates that turned out to be common turns of phrase: their letters prove nothing.
    common: Vec<bool>,
    /// What the letters of a document said when it was read before.
    noted: Table<Match>,
}

/// One read of the documents that `wanted` asks for.
fn matched(
    corpus: &Corpus<'_>,
    stage: &'static str,
    found: &Found,
    words: &Words,
    wanted: impl Fn(u32) -> bool + Sync,
    edited: &mut Edited,
) -> Result<()> {
    let may_match = !found.bank.is_empty();
    corpus.pass(
        stage,
        || worker(corpus),
        |w, chunk| {
            let mut seen = Vec::new();
            let Worker { parser, reading, letters, search, matches, .. } = w;
            let record = |record: &RecordView<'_>| {
                reading.read_paged(record.text, found.running[record.doc as usize]);
                matches.clear();
                matches.extend(words.noted.of(record.doc).iter().map(|&(_, found)| found));
                if may_match && matches.is_empty() {
                    letters.read(record.text, &reading.body.spans);
                    found.bank.find(letters, search, matches);
                }
                seen.extend(edit(corpus, found, words, (reading, matches), record));
                Ok(())
            };
            let wanted = |doc| wanted(doc) && (may_match || found.running[doc as usize] || words.known.has(doc));
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
    words: &Words,
    (reading, matches): (&Reading, &[Match]),
    record: &RecordView<'_>,
) -> Option<Edit> {
    let options = &corpus.options.block;
    let doc = record.doc;
    let known = words.known.of(doc).iter().map(|&(_, (tokens, block))| Piece { tokens, block });
    let spared: Vec<TokenSpan> = words.spared.of(doc).iter().map(|&(_, span)| span).collect();
    let keeps_first = options.keep_copies == KeepCopies::First;
    let is_listed = |t: u32| found.templates.get(t as usize).is_some_and(|t| t.reason == Reason::Listed);
    let (pieces, new) = edit::pieces(known, &spared, matches, |t| {
        let first = found.templates[t as usize].copies.first().filter(|c| keeps_first && c.doc == doc);
        let is_common = words.common[t as usize];
        edit::Rule { is_common, is_listed: is_listed(t), stays: first.map(|c| c.span) }
    });
    let running = u32::try_from(found.templates.len()).expect("there are fewer than 2^32 templates");
    let cuts = edit::cuts(options, (record.text, reading), &pieces, running, is_listed)?;
    let text_bytes = u32::try_from(record.text.len()).expect("a document is shorter than 4 GiB");
    let matches = if new.is_empty() { Vec::new() } else { matches.to_vec() };
    Some(Edit { doc, name: name_of(corpus, record), text_bytes, cuts, new, matches })
}

/// Counts the copies of what repeats nowhere and goes because a list says so.
fn count_listed(templates: &mut [Template], new: &Table<u32>) {
    let mut listed: Vec<(u32, u32)> = new
        .iter()
        .map(|(doc, &t)| (t, doc))
        .filter(|&(t, _)| templates[t as usize].reason == Reason::Listed && templates[t as usize].places.is_empty())
        .collect();
    listed.sort_unstable();
    for of_document in listed.chunk_by(|a, b| a == b) {
        let evidence = &mut templates[of_document[0].0 as usize].evidence;
        let copies = u32::try_from(of_document.len()).unwrap_or(u32::MAX);
        evidence.copies += copies;
        evidence.documents += 1;
        evidence.within = evidence.within.max(copies);
    }
}
