//! Reads the decided templates, finds them everywhere, and says what is cut.

use super::judge::Template;
use super::reviewed::Reviewed;
use super::shown::{Picture, Shown};
use super::{Block, Outcome, Worker, worker};
use crate::Result;
use crate::block::bank::{self, Bank, Entry, Match};
use crate::block::decide::Reason;
use crate::block::letters::{Letters, agreed, extend};
use crate::block::template::Place;
use crate::block::{EXTEND_BELOW_EQUAL, KeepCopies, MIN_EXTENSION, Options};
use crate::engine::census::Census;
use crate::engine::corpus::Corpus;
use crate::engine::near::name_of;
use crate::engine::reading::Reading;
use crate::engine::table::{Names, Table};
use crate::plan::lines::{Example, beginning};
use crate::plan::strip::{Cut, Piece, cuts, exact_cuts};
use crate::record::RecordView;
use crate::shuffle::{Stash, Ticket};
use crate::span::{ByteSpan, Span, TokenSpan};

/// Tokens beside a copy that are read to find a template's true ends.
const CONTEXT_TOKENS: u32 = 60;
/// Of a longer block only the beginning is shown.
const MAX_SHOWN_BYTES: usize = 4000;

/// What is known before the documents are cut.
pub(super) struct Found {
    pub(super) templates: Vec<Template>,
    /// Whether a document has running lines.
    pub(super) running: Vec<bool>,
    pub(super) bank: Bank,
    pub(super) shown: Shown,
}

/// The letters beside and inside one place of a template, and where its text was put aside.
struct Sight {
    template: u32,
    /// Which of the template's places.
    which: u32,
    left: Vec<u8>,
    letters: Vec<u8>,
    right: Vec<u8>,
    shown: Ticket,
}

/// Read 3: the letters of the templates that go, moved to their true ends, and the texts of all.
pub(super) fn read_templates(
    corpus: &Corpus<'_>,
    options: &Options,
    templates: &mut Vec<Template>,
    running: &[bool],
    mut reviewed: Option<Reviewed>,
) -> Result<(Bank, Shown)> {
    let wanted = wanted(templates);
    let mut sights: Vec<Vec<Sight>> = templates.iter().map(|_| Vec::new()).collect();
    let mut shown = Shown::new(corpus);
    // A list may let a block go that the rules keep.
    let reads_all = reviewed.is_some();
    if !wanted.is_empty() {
        corpus.pass(
            "templates",
            || worker(corpus),
            |w, chunk| {
                let mut seen: Vec<(Sight, Picture)> = Vec::new();
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
                for (mut sight, text) in seen {
                    sight.shown = shown.put(&text)?;
                    sights[sight.template as usize].push(sight);
                }
                Ok(())
            },
        )?;
    }
    let mut entries = Vec::new();
    for (t, (mut sights, template)) in (0u32..).zip(sights.into_iter().zip(&mut *templates)) {
        sights.sort_unstable_by_key(|s| s.which);
        shown.add(&sights.iter().map(|s| s.shown).collect::<Vec<_>>())?;
        if let (Some(reviewed), Some(sight)) = (&mut reviewed, sights.first()) {
            reviewed.verdict(&shown.at(sight.shown)?.template).into_iter().for_each(|reason| template.review(reason));
        }
        if template.reason.strips() && !options.exact {
            let letters = extended(&sights, template.evidence.equal);
            let rank = (template.evidence.documents, template.evidence.tokens, t);
            entries.push((rank, Entry { template: t, letters }));
        }
    }
    // Of two that say the same the bank keeps the first: what a person listed, the one in more documents, then the longer.
    entries.sort_unstable_by_key(|e| std::cmp::Reverse(e.0));
    let listed = reviewed.map_or(Ok(Vec::new()), |reviewed| reviewed.add_unmet(templates, &mut shown))?;
    Ok((Bank::new(listed.into_iter().chain(entries.into_iter().map(|e| e.1)).collect()), shown))
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
) -> (Sight, Picture) {
    let (number, which, span) = at;
    let spans = &reading.body.spans;
    let mut read = |wanted: bool, from: u32, to: u32| {
        if !wanted {
            return Vec::new();
        }
        letters.read(text, &spans[from as usize..(to as usize).min(spans.len())]);
        letters.codes.clone()
    };
    let goes = template.reason.strips();
    let unsure = goes && template.evidence.equal <= EXTEND_BELOW_EQUAL;
    let bytes = Span::new(spans[span.start as usize].start, spans[span.end as usize - 1].end);
    let seen = Picture {
        template: beginning(&text[bytes.range()], MAX_SHOWN_BYTES).to_owned(),
        examples: vec![Example::new(name.to_owned(), text, bytes)],
    };
    let sight = Sight {
        template: number,
        which,
        left: read(unsure, span.start.saturating_sub(CONTEXT_TOKENS), span.start),
        letters: read((goes || reads_all) && which == 0, span.start, span.end),
        right: read(unsure, span.end, span.end + CONTEXT_TOKENS),
        shown: Ticket::default(),
    };
    (sight, seen)
}

/// The letters of the representative copy; where few copies are equal, as far beyond as others agree: a misread word at
/// the edge ends the common grams, not the block.
fn extended(sights: &[Sight], equal: u32) -> Vec<u8> {
    let Some((medoid, partners)) = sights.split_first() else { return Vec::new() };
    if equal > EXTEND_BELOW_EQUAL {
        return medoid.letters.clone();
    }
    let reach = |along: &dyn Fn(&Sight) -> usize| {
        let length = agreed(partners.iter().map(along).collect());
        if length < MIN_EXTENSION { 0 } else { length }
    };
    let left = reach(&|p| extend(medoid.left.iter().rev().copied(), p.left.iter().rev().copied()).0);
    let right = reach(&|p| extend(medoid.right.iter().copied(), p.right.iter().copied()).0);
    [&medoid.left[medoid.left.len() - left..], &medoid.letters, &medoid.right[..right]].concat()
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
    let mut text_bytes = Table::default();
    for (doc, edit) in edits {
        count_listed(&mut found.templates, &edit.new);
        if !edit.cuts.is_empty() {
            edited.push(doc, &edit.name)?;
            text_bytes.push(doc, edit.text_bytes);
            rows.push((doc, edit.cuts));
        }
    }
    let blocks = found.templates.into_iter().map(|t| Block { evidence: t.evidence, reason: t.reason }).collect();
    Ok(Outcome { cuts: Table::from_sorted(rows), blocks, untold: 0, shown: found.shown, edited, text_bytes, census })
}

/// The copies found by their words, by document; without the first of each where that one is to stay.
fn known(options: &Options, templates: &[Template]) -> Table<(Place, u32)> {
    let keeps_first = options.keep_copies == KeepCopies::First && !options.exact;
    let mut rows: Vec<(u32, (Place, u32))> = Vec::new();
    for (t, template) in (0u32..).zip(templates) {
        let copies = template.copies.iter().skip(usize::from(keeps_first));
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
                let pieces = pieces(corpus, found, words, matches, record.doc);
                let noted = if pieces.1.is_empty() { &[][..] } else { matches.as_slice() };
                seen.extend(
                    edit(corpus, found, reading, pieces, record).map(|e| Edit { matches: noted.to_vec(), ..e }),
                );
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

/// The stretches of the body that go, and the templates among them that only their letters led to.
fn pieces(
    corpus: &Corpus<'_>,
    found: &Found,
    words: &Words<'_>,
    matches: &[Match],
    doc: u32,
) -> (Vec<Piece>, Vec<u32>) {
    let mut pieces: Vec<Piece> =
        words.known.of(doc).iter().map(|&(_, (p, t))| Piece { tokens: p.span, block: t }).collect();
    let by_words = pieces.len();
    let mut new = Vec::new();
    let keeps_first = corpus.options.block.keep_copies == KeepCopies::First;
    let spared = words.spared.of(doc);
    for m in matches.iter().filter(|m| !words.common[m.template as usize]) {
        let first = found.templates[m.template as usize].copies.first();
        let stays = keeps_first && first.is_some_and(|c| c.doc == doc && c.span.overlaps(m.span));
        let is_known = pieces[..by_words].iter().any(|p| p.tokens.overlaps(m.span));
        let is_spared = spared.iter().any(|(_, s)| s.overlaps(m.span));
        if stays || is_spared || !(is_known || m.is_sure()) {
            continue;
        }
        if !is_known || found.templates[m.template as usize].reason == Reason::Listed {
            new.push(m.template);
        }
        pieces.push(Piece { tokens: m.span, block: m.template });
    }
    (pieces, new)
}

fn edit(
    corpus: &Corpus<'_>,
    found: &Found,
    reading: &Reading,
    (pieces, new): (Vec<Piece>, Vec<u32>),
    record: &RecordView<'_>,
) -> Option<Edit> {
    let running = u32::try_from(found.templates.len()).expect("there are fewer than 2^32 templates");
    let body = pieces.iter().map(|p| Piece { tokens: reading.among_all(p.tokens), ..*p });
    let heads = reading.running.iter().map(|&tokens| Piece { tokens, block: running });
    let pieces: Vec<Piece> = body.chain(heads).collect();
    if pieces.is_empty() {
        return None;
    }
    let block = &corpus.options.block;
    let cut = if block.exact { exact_cuts } else { cuts };
    let mut cuts = cut(record.text, reading.spans(), &pieces);
    if !block.exact && leaves_nothing(reading.spans(), &cuts, block.min_tokens) {
        let is_listed = |p: &Piece| found.templates.get(p.block as usize).is_some_and(|t| t.reason == Reason::Listed);
        let listed: Vec<Piece> = pieces.into_iter().filter(is_listed).collect();
        cuts = cut(record.text, reading.spans(), &listed);
    }
    let text_bytes = u32::try_from(record.text.len()).expect("a document is shorter than 4 GiB");
    Some(Edit { doc: record.doc, name: name_of(corpus, record), text_bytes, cuts, new, matches: Vec::new() })
}

/// Whether fewer tokens are left than make up a block. A document that is repeated whole is another's duplicate, not
/// boilerplate: whether it stays is not for this way to say, only for a person.
fn leaves_nothing(tokens: &[ByteSpan], cuts: &[Cut], min_tokens: u32) -> bool {
    let within = |cut: &Cut| {
        let first = tokens.partition_point(|t| t.start < cut.span.start);
        tokens.partition_point(|t| t.start < cut.span.end) - first
    };
    tokens.len() - cuts.iter().map(within).sum::<usize>() < min_tokens as usize && !cuts.is_empty()
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
