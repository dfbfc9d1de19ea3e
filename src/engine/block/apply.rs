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
use crate::block::template::{Evidence, Place};
use crate::block::{KeepCopies, Options};
use crate::engine::census::Census;
use crate::engine::corpus::Corpus;
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

/// Read 4, and 5 where it is needed: the cuts of every document.
pub(super) fn cut(corpus: &Corpus<'_>, found: Found, census: Census) -> Result<Outcome> {
    let known = known(&corpus.options.block, &found.templates);
    let spared = spared(&found.templates);
    let mut common = vec![false; found.templates.len()];
    let mut spoilt: Table<Vec<Match>> = Table::default();
    let mut edits: Vec<(u32, Edit)> = Vec::new();
    if !found.bank.is_empty() || !known.is_empty() || found.running.contains(&true) {
        let words = Words { known: &known, spared: &spared, common: &common, noted: &spoilt };
        edits = matched(corpus, "match", &found, &words, |_| true)?;
        let mut counts = vec![0u32; found.templates.len()];
        edits.iter().flat_map(|(_, e)| &e.new).for_each(|&t| counts[t as usize] += 1);
        for (t, template) in found.templates.iter().enumerate() {
            common[t] = template.reason != Reason::Listed && bank::is_flood(counts[t], template.evidence.copies);
        }
        for (doc, edit) in &mut edits {
            if edit.new.iter().any(|&t| common[t as usize]) {
                spoilt.push(*doc, std::mem::take(&mut edit.matches));
            }
        }
    }
    if !spoilt.is_empty() {
        edits.retain(|&(doc, _)| !spoilt.has(doc));
        let words = Words { known: &known, spared: &spared, common: &common, noted: &spoilt };
        edits.extend(matched(corpus, "rematch", &found, &words, |doc| spoilt.has(doc))?);
        edits.sort_by_key(|e| e.0);
    }
    outcome(corpus, found, edits, census)
}

fn outcome(corpus: &Corpus<'_>, mut found: Found, edits: Vec<(u32, Edit)>, census: Census) -> Result<Outcome> {
    let mut edited = Names::new(Stash::new(&corpus.area, corpus.budget(16)));
    let mut rows = Vec::with_capacity(edits.len());
    for (doc, edit) in edits {
        count_listed(&mut found.templates, &edit.new);
        if !edit.cuts.is_empty() {
            edited.push(doc, &edit.name, edit.text_bytes)?;
            rows.push((doc, edit.cuts));
        }
    }
    let blocks = found.templates.into_iter().map(|t| Block { evidence: t.evidence, reason: t.reason }).collect();
    Ok(Outcome { cuts: Table::from_sorted(rows), blocks, untold: 0, shown: found.shown, edited, census })
}

/// The copies found by their words, by document; without the first of each where that one is to stay.
fn known(options: &Options, templates: &[Template]) -> Table<(Place, u32)> {
    let mut rows: Vec<(u32, (Place, u32))> = Vec::new();
    for (t, template) in (0u32..).zip(templates) {
        let copies = template.copies.iter().skip(usize::from(options.spares_first_copy()));
        rows.extend(copies.map(|&c| (c.doc, (c, t))));
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
struct Words<'a> {
    /// The copies that go.
    known: &'a Table<(Place, u32)>,
    /// The copies that stay although their block goes.
    spared: &'a Table<TokenSpan>,
    /// Templates that turned out to be common turns of phrase: their letters prove nothing.
    common: &'a [bool],
    /// What the letters of a document said when it was read before.
    noted: &'a Table<Vec<Match>>,
}

/// One read of the documents that `wanted` asks for.
fn matched(
    corpus: &Corpus<'_>,
    stage: &'static str,
    found: &Found,
    words: &Words<'_>,
    wanted: impl Fn(u32) -> bool + Sync,
) -> Result<Vec<(u32, Edit)>> {
    let mut edits = Vec::new();
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
                if let Some(noted) = words.noted.get(record.doc) {
                    matches.extend_from_slice(noted);
                } else if may_match {
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
        |seen| {
            edits.extend(seen.into_iter().map(|e: Edit| (e.doc, e)));
            Ok(())
        },
    )?;
    Ok(edits)
}

/// What goes of one document, by its words and by what its letters say.
fn edit(
    corpus: &Corpus<'_>,
    found: &Found,
    words: &Words<'_>,
    (reading, matches): (&Reading, &[Match]),
    record: &RecordView<'_>,
) -> Option<Edit> {
    let options = &corpus.options.block;
    let doc = record.doc;
    let known = words.known.of(doc).iter().map(|&(_, (p, t))| Piece { tokens: p.span, block: t });
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

/// Counts the copies in one document of what repeats nowhere and goes because a list says so.
fn count_listed(templates: &mut [Template], new: &[u32]) {
    let mut new = new.to_vec();
    new.sort_unstable();
    for of_template in new.chunk_by(|a, b| a == b) {
        let template = &mut templates[of_template[0] as usize];
        if template.reason == Reason::Listed && template.places.is_empty() {
            let copies = u32::try_from(of_template.len()).unwrap_or(u32::MAX);
            template.evidence.copies += copies;
            template.evidence.documents += 1;
            template.evidence.within = template.evidence.within.max(copies);
        }
    }
}
