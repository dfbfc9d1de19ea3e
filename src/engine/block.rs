//! Conducts the block way: from seeds to the cuts of every document.
//!
//! | pass or fold | by | gives |
//! |---|---|---|
//! | read 1 `seeds` | document | winnowed seeds |
//! | fold | seed | places of the seeds that repeat |
//! | fold | document | regions worth a dense look |
//! | read 2 `grams` | document | every gram in the regions, with its marks |
//! | fold | gram | places of the grams that repeat, with their copies |
//! | fold | document | links between neighbours; the hits are put aside |
//! | fold | link | templates: components of linked grams |
//! | fold | document | copies of templates |
//! | fold | template | evidence, verdicts |
//! | read 3 `templates` | document | the letters and texts of the decided templates |
//! | read 4 `match` | document | occurrences of the bank |
//! | read 5 `cut` | document | cuts |
//!
//! No stage holds text; what grows with the corpus goes through a shuffle or a stash.

use super::census::{Census, Share};
use super::corpus::Corpus;
use super::near::{bits_of, name_of, u32_at};
use super::reading::Reading;
use super::table::{Names, Table};
use crate::block::bank::{Bank, Entry, Match};
use crate::block::chain::{self, Hit};
use crate::block::decide::{Reason, decide};
use crate::block::layout::{Marks, marks};
use crate::block::letters::{Letters, extend};
use crate::block::template::{self, Copy, Evidence, Place};
use crate::block::{KeepCopies, Options, winnow};
use crate::io::Parser;
use crate::near::Components;
use crate::plan::strip::{Cut, Piece, cuts};
use crate::record::RecordView;
use crate::shuffle::{Posting, Shuffle, Stash, Ticket};
use crate::span::{Span, TokenSpan};
use crate::{Error, Result};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Stretches of a template at most this many tokens apart are one copy; the same reach joins grams into templates.
/// On text with planted altered blocks 12 and 24 find the same; a longer reach bridges more foreign words.
const MAX_GAP: u32 = 12;
/// Tokens beside a copy that are read to find a template's true ends.
const CONTEXT_TOKENS: u32 = 60;
/// Copies that a template's ends are compared with.
const PARTNERS: usize = 4;
/// Letters that must align beyond a template's end before the end moves.
const MIN_EXTENSION: usize = 10;
/// Copies shown of a block.
const EXAMPLES: usize = 3;

/// What the block way decided.
pub(super) struct Outcome {
    /// The cuts of every document that has some.
    pub(super) cuts: Table<Vec<Cut>>,
    /// All blocks worth telling of, in order of first occurrence. A cut's block is an index into it.
    pub(super) blocks: Vec<Block>,
    /// Names of the documents with an example.
    pub(super) names: Names,
    /// Names of the documents with a cut.
    pub(super) edited: Names,
    /// What was read.
    pub(super) census: Census,
}

/// One repeated passage.
pub(super) struct Block {
    pub(super) evidence: Evidence,
    pub(super) reason: Reason,
    /// The representative copy's text.
    pub(super) text: String,
    /// Some copies: document and bytes.
    pub(super) examples: Vec<(u32, Span)>,
}

macro_rules! posting {
    ($(#[$doc:meta])* $name:ident { $key:ident: $key_type:ty $(, $field:ident: $type:ty)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        struct $name { $key: $key_type $(, $field: $type)* }

        impl Posting for $name {
            const BYTES: usize = size_of::<$key_type>() $(+ size_of::<$type>())*;
            fn key(&self) -> u64 {
                self.$key.into()
            }
            #[allow(unused_assignments, reason = "the last field leaves the offset unused")]
            fn encode(&self, out: &mut [u8]) {
                let mut at = 0;
                let bytes = self.$key.to_le_bytes();
                out[at..at + bytes.len()].copy_from_slice(&bytes);
                at += bytes.len();
                $(let bytes = self.$field.to_le_bytes();
                out[at..at + bytes.len()].copy_from_slice(&bytes);
                at += bytes.len();)*
            }
            fn decode(bytes: &[u8]) -> Self {
                let mut at = 0;
                let mut take = |n: usize| { at += n; &bytes[at - n..at] };
                let $key = <$key_type>::from_le_bytes(take(size_of::<$key_type>()).try_into().expect("its size"));
                $(let $field = <$type>::from_le_bytes(take(size_of::<$type>()).try_into().expect("its size"));)*
                Self { $key $(, $field)* }
            }
        }
    };
}

posting! {
    /// A gram at its place: a winnowed seed, or a dense gram with the marks of its first and last token.
    Gram { hash: u64, doc: u32, position: u32, marks: u32 }
}
posting! {
    /// A seed that repeats, by document.
    Seed { doc: u32, position: u32 }
}
posting! {
    /// A dense gram that repeats, by document. `gram` is the partition and the number in it.
    Repeat { doc: u32, position: u32, gram: u64, copies: u32, marks: u32 }
}
posting! {
    /// Two grams that stand side by side somewhere.
    Link { grams: u64 }
}
posting! {
    /// A copy of a template; `shape` and `shares` are the small fields of [`Copy`].
    TemplateCopy { template: u32, doc: u32, start: u32, end: u32, content: u64, shape: u32, shares: u32 }
}

impl TemplateCopy {
    fn pack(c: &Copy) -> Self {
        Self {
            template: c.template,
            doc: c.doc,
            start: c.span.start,
            end: c.span.end,
            content: c.content,
            shape: u32::from_le_bytes([c.edges[0], c.edges[1], c.quoted, c.code]),
            shares: u32::from_le_bytes([c.contact, c.of_document, c.rare, 0]),
        }
    }

    fn unpack(&self) -> Copy {
        let [first, last, quoted, code] = self.shape.to_le_bytes();
        let [contact, of_document, rare, _] = self.shares.to_le_bytes();
        let span = Span::new(self.start, self.end);
        let edges = [first, last];
        Copy {
            template: self.template,
            doc: self.doc,
            span,
            content: self.content,
            edges,
            quoted,
            code,
            contact,
            of_document,
            rare,
        }
    }
}

/// Buffers of one worker.
struct Worker {
    parser: Parser,
    reading: Reading,
    grams: Vec<u64>,
    marks: Vec<Marks>,
    letters: Letters,
    matches: Vec<Match>,
}

fn worker(corpus: &Corpus<'_>) -> Worker {
    Worker {
        parser: Parser::new(&corpus.fields),
        reading: Reading::default(),
        grams: Vec::new(),
        marks: Vec::new(),
        letters: Letters::default(),
        matches: Vec::new(),
    }
}

/// Runs the way over the corpus.
pub(super) fn run(corpus: &Corpus<'_>) -> Result<Outcome> {
    let options = &corpus.options.block;
    let Seeds { postings, lengths, running, census } = seeds(corpus, options)?;
    let regions = regions(corpus, options, postings, &lengths)?;
    let hits = hits(corpus, options, &regions, census.rows)?;
    let templates = templates(corpus, options, hits, &lengths)?;
    let found = Found { templates, running };
    let (bank, texts) = read_templates(corpus, options, &found)?;
    let matched = occurrences(corpus, options, &found, &bank)?;
    cut(corpus, found, texts, &matched, census)
}

/// What the first read gives.
struct Seeds {
    postings: Shuffle<Gram>,
    /// Each document's length in tokens of its body.
    lengths: Vec<u32>,
    /// Whether a document has running lines.
    running: Vec<bool>,
    census: Census,
}

/// Read 1: the winnowed seeds.
fn seeds(corpus: &Corpus<'_>, options: &Options) -> Result<Seeds> {
    let postings = corpus.shuffle::<Gram>(64)?;
    let (mut lengths, mut running, mut census) = (Vec::new(), Vec::new(), Census::default());
    corpus.pass(
        "seeds",
        || worker(corpus),
        |w, chunk| {
            let mut scatter = postings.scatter();
            let rows = chunk.rows() as usize;
            let (mut lengths, mut running) = (vec![0; rows], vec![false; rows]);
            let (mut share, mut bad) = (Share::of(chunk), Vec::new());
            let Worker { parser, reading, grams, .. } = w;
            let record = |record: &RecordView<'_>| {
                reading.read(record.text);
                let tokens = &reading.body.hashes;
                let at = (record.doc - chunk.first_doc()) as usize;
                lengths[at] = u32::try_from(tokens.len()).expect("a document has fewer than 2^32 tokens");
                running[at] = !reading.running.is_empty();
                share.count(record, reading.spans().len());
                push_seeds(options, record.doc, tokens, grams, |gram| scatter.push(gram))
            };
            corpus.visit(parser, chunk, |_| true, record, |error| bad.push(error))?;
            share.bad = bad;
            Ok((share, lengths, running))
        },
        |(share, of_lengths, of_running)| {
            lengths.extend(of_lengths);
            running.extend(of_running);
            corpus.warn(&census.add(share));
            Ok(())
        },
    )?;
    Ok(Seeds { postings, lengths, running, census })
}

fn push_seeds(
    options: &Options,
    doc: u32,
    tokens: &[u64],
    grams: &mut Vec<u64>,
    mut push: impl FnMut(Gram) -> Result<()>,
) -> Result<()> {
    let mut result = Ok(());
    winnow::seeds(options, tokens, grams, |hash, i| {
        if result.is_ok() {
            let position = u32::try_from(i).expect("a document has fewer than 2^32 tokens");
            result = push(Gram { hash, doc, position, marks: 0 });
        }
    });
    result
}

/// Folds by seed, then by document: the stretches around seeds that repeat.
fn regions(corpus: &Corpus<'_>, options: &Options, seeds: Shuffle<Gram>, lengths: &[u32]) -> Result<Table<TokenSpan>> {
    let rows = u32::try_from(lengths.len()).expect("documents are numbered by u32");
    let repeated = corpus.shuffle::<Seed>(bits_of(rows))?;
    corpus.fold(seeds, |_, mut groups| {
        let mut scatter = repeated.scatter();
        while let Some(mut group) = groups.next_group()? {
            if group.len() > 1 {
                group.for_each(|g| scatter.push(Seed { doc: g.doc, position: g.position }))?;
            }
        }
        Ok(())
    })?;
    let margin = u32::try_from(options.gram_tokens + options.window).expect("checked options are small");
    let folded = corpus.fold(repeated, |_, mut groups| {
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
            rows.extend(regions.into_iter().map(|region| (doc, region)));
        }
        Ok(rows)
    })?;
    Ok(Table::from_sorted(folded.into_iter().flatten().collect()))
}

/// The dense grams that repeat, by document.
struct Hits {
    by_doc: Shuffle<Repeat>,
    /// Copies of each gram, by partition.
    copies: Vec<Vec<u32>>,
}

/// Read 2 and the fold by gram.
fn hits(corpus: &Corpus<'_>, options: &Options, regions: &Table<TokenSpan>, rows: u32) -> Result<Hits> {
    let dense = corpus.shuffle::<Gram>(64)?;
    let k = options.gram_tokens;
    corpus.pass(
        "grams",
        || worker(corpus),
        |w, chunk| {
            let mut scatter = dense.scatter();
            let Worker { parser, reading, grams, marks: layout, .. } = w;
            let record = |record: &RecordView<'_>| {
                reading.read(record.text);
                let tokens = &reading.body.hashes;
                marks(record.text, &reading.body.spans, layout);
                for &(doc, region) in regions.of(record.doc) {
                    let end = (region.end as usize + k - 1).min(tokens.len());
                    let start = region.start as usize;
                    winnow::grams(&tokens[start..end], k, grams);
                    for (position, (&hash, gram)) in
                        (region.start..).zip(grams.iter().zip(tokens[start..end].windows(k)))
                    {
                        if options.exact || !winnow::is_low_complexity(gram) {
                            let at = position as usize;
                            let marks = u32::from(layout[at].0) | u32::from(layout[at + k - 1].0) << 16;
                            scatter.push(Gram { hash, doc, position, marks })?;
                        }
                    }
                }
                Ok(())
            };
            corpus.visit(parser, chunk, |doc| regions.has(doc), record, |_| {})
        },
        |()| Ok(()),
    )?;
    let by_doc = corpus.shuffle::<Repeat>(bits_of(rows))?;
    let copies = corpus.fold(dense, |partition, mut groups| {
        let mut scatter = by_doc.scatter();
        let mut table = Vec::new();
        while let Some(mut group) = groups.next_group()? {
            if group.len() < 2 {
                continue;
            }
            let copies = u32::try_from(group.len()).unwrap_or(u32::MAX);
            let gram = (partition as u64) << 32 | table.len() as u64;
            table.push(copies);
            // Where every repeat goes but the first copy, the first place of each gram is no repeat.
            let mut kept = u32::from(options.exact && options.keep_copies != KeepCopies::None);
            group.for_each(|g| {
                if kept > 0 {
                    kept -= 1;
                    return Ok(());
                }
                scatter.push(Repeat { doc: g.doc, position: g.position, gram, copies, marks: g.marks })
            })?;
        }
        Ok(table)
    })?;
    Ok(Hits { by_doc, copies })
}

/// The hits of one document, put aside.
type Aside = Vec<(u32, Ticket)>;

/// Folds by document, link, document, template: which grams belong together, and what is known of each template.
fn templates(corpus: &Corpus<'_>, options: &Options, hits: Hits, lengths: &[u32]) -> Result<Vec<Template>> {
    let mut first_of = Vec::with_capacity(hits.copies.len());
    let mut grams = 0u64;
    for table in &hits.copies {
        first_of.push(grams);
        grams += table.len() as u64;
    }
    let grams = u32::try_from(grams).map_err(|_| {
        Error::resource("more than 2^32 distinct passages repeat").cure("split the corpus, or raise --min-tokens")
    })?;
    let number = |gram: u64| {
        let dense = first_of[usize::try_from(gram >> 32).expect("a partition")] + (gram & u64::from(u32::MAX));
        u32::try_from(dense).expect("there are fewer than 2^32 grams")
    };
    let k = u32::try_from(options.gram_tokens).expect("checked options are small");
    let stash = Mutex::new(Stash::new(&corpus.area, corpus.budget(4)));
    let links = corpus.shuffle::<Link>(32 + bits_of(grams))?;
    let aside = corpus.fold(hits.by_doc, |_, mut groups| {
        let mut scatter = links.scatter();
        let mut aside: Aside = Vec::new();
        let mut of_doc: Vec<Hit> = Vec::new();
        let mut bytes = Vec::new();
        while let Some(mut group) = groups.next_group()? {
            of_doc.clear();
            let doc = u32::try_from(group.key()).expect("the key is a document");
            group.for_each(|r| {
                of_doc.push(hit(r, number(r.gram)));
                Ok(())
            })?;
            let mut result = Ok(());
            let reach = if options.exact { k } else { MAX_GAP };
            chain::links(&of_doc, reach, |a, b| {
                if result.is_ok() {
                    result = scatter.push(Link { grams: a.gram << 32 | b.gram });
                }
            });
            result?;
            bytes.clear();
            of_doc.iter().for_each(|h| write_hit(h, &mut bytes));
            let ticket = stash.lock().map_err(|_| Error::resource("a worker failed"))?.put(&bytes)?;
            aside.push((doc, ticket));
        }
        Ok(aside)
    })?;
    let copies: Vec<u32> = hits.copies.into_iter().flatten().collect();
    let roots = linked(corpus, links, &copies)?;
    drop(copies);
    let stash = stash.into_inner().map_err(|_| Error::resource("a worker failed"))?;
    judged(corpus, options, &aside, &stash, &roots, lengths)
}

fn hit(r: &Repeat, gram: u32) -> Hit {
    let [a, b, c, d] = r.marks.to_le_bytes();
    let marks = |low, high| Marks(u16::from_le_bytes([low, high]));
    Hit { position: r.position, gram: gram.into(), copies: r.copies, first: marks(a, b), last: marks(c, d) }
}

const HIT_BYTES: usize = 16;

#[expect(clippy::cast_possible_truncation, reason = "gram numbers are u32")]
fn write_hit(hit: &Hit, out: &mut Vec<u8>) {
    out.extend_from_slice(&hit.position.to_le_bytes());
    out.extend_from_slice(&(hit.gram as u32).to_le_bytes());
    out.extend_from_slice(&hit.copies.to_le_bytes());
    out.extend_from_slice(&hit.first.0.to_le_bytes());
    out.extend_from_slice(&hit.last.0.to_le_bytes());
}

fn read_hit(bytes: &[u8]) -> Hit {
    let marks = |at| Marks(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let gram = u32_at(bytes, 4).into();
    Hit { position: u32_at(bytes, 0), gram, copies: u32_at(bytes, 8), first: marks(12), last: marks(14) }
}

/// Fold by link: the template of each gram.
fn linked(corpus: &Corpus<'_>, links: Shuffle<Link>, copies: &[u32]) -> Result<Vec<u32>> {
    let grams = u32::try_from(copies.len()).expect("there are fewer than 2^32 grams");
    let components = Mutex::new(Components::new(grams));
    corpus.fold(links, |_, mut groups| {
        while let Some(group) = groups.next_group()? {
            let [a, b] = [u32_at(&group.key().to_le_bytes(), 4), u32_at(&group.key().to_le_bytes(), 0)];
            if corpus.options.block.exact || chain::is_linked(group.len(), copies[a as usize], copies[b as usize]) {
                components.lock().map_err(|_| Error::resource("a worker failed"))?.union(a, b);
            }
        }
        Ok(())
    })?;
    Ok(components.into_inner().map_err(|_| Error::resource("a worker failed"))?.into_roots())
}

/// One template and the verdict on it.
struct Template {
    evidence: Evidence,
    reason: Reason,
    /// Its first copies, the representative one first.
    places: Vec<Place>,
    /// All copies of one that goes.
    copies: Vec<Place>,
}

/// Folds by document and by template: the copies, the evidence, the verdicts. In order of the first copy.
fn judged(
    corpus: &Corpus<'_>,
    options: &Options,
    aside: &[Aside],
    stash: &Stash,
    roots: &[u32],
    lengths: &[u32],
) -> Result<Vec<Template>> {
    let k = u32::try_from(options.gram_tokens).expect("checked options are small");
    let grams = u32::try_from(roots.len()).expect("there are fewer than 2^32 grams");
    let by_template = corpus.shuffle::<TemplateCopy>(bits_of(grams))?;
    aside.par_iter().try_for_each(|docs| {
        let mut scatter = by_template.scatter();
        let (mut bytes, mut hits) = (Vec::new(), Vec::new());
        for &(doc, ticket) in docs {
            stash.get(ticket, &mut bytes)?;
            hits.clear();
            hits.extend(bytes.chunks_exact(HIT_BYTES).map(read_hit));
            let template = |hit: &Hit| roots[usize::try_from(hit.gram).expect("a gram's number")];
            let gap = if options.exact { 0 } else { MAX_GAP };
            let stretches = chain::occurrences(&hits, k, gap, template);
            let mut result = Ok(());
            template::copies(doc, lengths[doc as usize], k, &hits, &stretches, |copy| {
                if result.is_ok() {
                    result = scatter.push(TemplateCopy::pack(&copy));
                }
            });
            result?;
        }
        Ok::<(), Error>(())
    })?;
    let folded = corpus.fold(by_template, |_, mut groups| {
        let mut templates = Vec::new();
        let mut copies: Vec<Copy> = Vec::new();
        while let Some(mut group) = groups.next_group()? {
            copies.clear();
            group.for_each(|c| {
                copies.push(c.unpack());
                Ok(())
            })?;
            templates.extend(judge(&copies, options));
        }
        Ok(templates)
    })?;
    let mut templates: Vec<Template> = folded.into_iter().flatten().collect();
    templates.sort_unstable_by_key(|t| t.places.iter().min().copied());
    Ok(templates)
}

/// The verdict on one template; none on one below the limits.
fn judge(copies: &[Copy], options: &Options) -> Option<Template> {
    let evidence = template::evidence(copies);
    let reason = if options.exact { Reason::EveryRepeat } else { decide(&evidence, options) };
    if reason == Reason::BelowLimits {
        return None;
    }
    let place = |c: &Copy| Place { doc: c.doc, span: c.span };
    let medoid = evidence.medoid;
    let others = copies.iter().map(place).filter(|p| *p != medoid).take(PARTNERS);
    let places = std::iter::once(medoid).chain(others).collect();
    let long = |c: &&Copy| !options.exact || c.span.len() >= options.min_tokens;
    let copies = if reason.strips() { copies.iter().filter(long).map(place).collect() } else { Vec::new() };
    Some(Template { evidence, reason, places, copies })
}

/// What is known before the bank is built.
struct Found {
    templates: Vec<Template>,
    /// Whether a document has running lines.
    running: Vec<bool>,
}

/// The text beside and inside one place of a template.
struct Sight {
    template: u32,
    /// Which of the template's places.
    which: u32,
    left: Vec<u8>,
    letters: Vec<u8>,
    right: Vec<u8>,
    text: String,
    bytes: Span,
}

/// What a template looks like to people.
struct Shown {
    text: String,
    examples: Vec<(u32, Span)>,
}

struct Texts {
    shown: Vec<Shown>,
    names: Names,
}

/// Read 3: the letters of the templates that go, moved to their true ends, and the texts of all.
fn read_templates(corpus: &Corpus<'_>, options: &Options, found: &Found) -> Result<(Bank, Texts)> {
    let mut wanted: Vec<(u32, (u32, u32, TokenSpan))> = Vec::new();
    for (t, template) in (0u32..).zip(&found.templates) {
        let places = if template.reason.strips() {
            &template.places[..]
        } else {
            &template.places[..EXAMPLES.min(template.places.len())]
        };
        wanted.extend((0u32..).zip(places).map(|(which, place)| (place.doc, (t, which, place.span))));
    }
    wanted.sort_unstable();
    let wanted = Table::from_sorted(wanted);
    let mut sights: Vec<Vec<Sight>> = (0..found.templates.len()).map(|_| Vec::new()).collect();
    let mut names = Names::new(Stash::new(&corpus.area, corpus.budget(16)));
    if !wanted.is_empty() {
        corpus.pass(
            "templates",
            || worker(corpus),
            |w, chunk| {
                let mut seen: Vec<(u32, String, Vec<Sight>)> = Vec::new();
                let Worker { parser, reading, letters, .. } = w;
                let record = |record: &RecordView<'_>| {
                    reading.read(record.text);
                    let look = |&(_, (t, which, span)): &(u32, (u32, u32, TokenSpan))| {
                        sight(record.text, reading, letters, t, which, span)
                    };
                    seen.push((record.doc, name_of(corpus, record), wanted.of(record.doc).iter().map(look).collect()));
                    Ok(())
                };
                corpus.visit(parser, chunk, |doc| wanted.has(doc), record, |_| {})?;
                Ok(seen)
            },
            |seen| {
                for (doc, name, of_doc) in seen {
                    names.push(doc, &name)?;
                    of_doc.into_iter().for_each(|s| sights[s.template as usize].push(s));
                }
                Ok(())
            },
        )?;
    }
    let mut entries = Vec::new();
    let mut shown = Vec::with_capacity(sights.len());
    for (t, mut of_template) in (0u32..).zip(sights) {
        of_template.sort_unstable_by_key(|s| s.which);
        let template = &found.templates[t as usize];
        if template.reason.strips() && !options.exact {
            entries.extend(extended(&of_template).map(|letters| Entry { template: t, letters }));
        }
        let examples = of_template.iter().take(EXAMPLES).map(|s| (template.places[s.which as usize].doc, s.bytes));
        let text = of_template.first().map(|s| s.text.clone()).unwrap_or_default();
        shown.push(Shown { text, examples: examples.collect() });
    }
    Ok((Bank::new(entries), Texts { shown, names }))
}

fn sight(text: &str, reading: &Reading, letters: &mut Letters, template: u32, which: u32, span: TokenSpan) -> Sight {
    let spans = &reading.body.spans;
    let mut read = |from: u32, to: u32| {
        letters.read(text, &spans[from as usize..(to as usize).min(spans.len())]);
        letters.codes.clone()
    };
    let bytes = Span::new(spans[span.start as usize].start, spans[span.end as usize - 1].end);
    Sight {
        template,
        which,
        left: read(span.start.saturating_sub(CONTEXT_TOKENS), span.start),
        letters: read(span.start, span.end),
        right: read(span.end, span.end + CONTEXT_TOKENS),
        text: text[bytes.range()].to_owned(),
        bytes,
    }
}

/// The letters of the representative copy, and as far beyond as another copy runs along it: a misread word at the
/// edge ends the common grams, not the block.
fn extended(sights: &[Sight]) -> Option<Vec<u8>> {
    let (medoid, partners) = sights.split_first()?;
    let furthest =
        |reach: &dyn Fn(&Sight) -> usize| partners.iter().map(reach).max().filter(|&n| n >= MIN_EXTENSION).unwrap_or(0);
    let left = furthest(&|p| extend(medoid.left.iter().rev().copied(), p.left.iter().rev().copied()).0);
    let right = furthest(&|p| extend(medoid.right.iter().copied(), p.right.iter().copied()).0);
    Some([&medoid.left[medoid.left.len() - left..], &medoid.letters, &medoid.right[..right]].concat())
}

/// Read 4: where the bank's templates stand. Rows of document, template and tokens of the body.
fn occurrences(corpus: &Corpus<'_>, options: &Options, found: &Found, bank: &Bank) -> Result<Table<Piece>> {
    let mut rows: Vec<(u32, Piece)> = Vec::new();
    for (t, template) in (0u32..).zip(&found.templates) {
        let kept_first = match options.keep_copies {
            KeepCopies::First => !options.exact,
            KeepCopies::Auto | KeepCopies::None => false,
        };
        let copies = template.copies.iter().skip(usize::from(kept_first));
        rows.extend(copies.map(|c| (c.doc, Piece { tokens: c.span, block: t })));
    }
    if !bank.is_empty() {
        let mut matches: Vec<(u32, Match)> = Vec::new();
        corpus.pass(
            "match",
            || worker(corpus),
            |w, chunk| {
                let mut seen = Vec::new();
                let Worker { parser, reading, letters, matches, .. } = w;
                let record = |record: &RecordView<'_>| {
                    reading.read(record.text);
                    letters.read(record.text, &reading.body.spans);
                    bank.find(letters, matches);
                    seen.extend(matches.iter().map(|&m| (record.doc, m)));
                    Ok(())
                };
                corpus.visit(parser, chunk, |_| true, record, |_| {})?;
                Ok(seen)
            },
            |seen| {
                matches.extend(seen);
                Ok(())
            },
        )?;
        rows.extend(plausible(found, options, &matches));
    }
    rows.sort_unstable();
    Ok(Table::from_sorted(rows))
}

/// The matches of templates that do not match far more than they have copies: such a one is a common turn of phrase.
fn plausible(found: &Found, options: &Options, matches: &[(u32, Match)]) -> Vec<(u32, Piece)> {
    let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
    for (_, m) in matches {
        *counts.entry(m.template).or_default() += 1;
    }
    let keeps_first = options.keep_copies == KeepCopies::First;
    let kept = |doc: u32, m: &Match| {
        let copies = &found.templates[m.template as usize].copies;
        keeps_first && copies.first().is_some_and(|c| c.doc == doc && c.span.overlaps(m.span))
    };
    let is_plausible = |m: &Match| {
        let copies = u64::from(found.templates[m.template as usize].evidence.copies);
        counts[&m.template] * 2 <= copies * 5 + 8
    };
    let sound = matches.iter().filter(|(doc, m)| is_plausible(m) && !kept(*doc, m));
    sound.map(|&(doc, m)| (doc, Piece { tokens: m.span, block: m.template })).collect()
}

/// Read 5: the cuts, in bytes.
fn cut(corpus: &Corpus<'_>, found: Found, texts: Texts, pieces: &Table<Piece>, census: Census) -> Result<Outcome> {
    let Found { templates, running } = found;
    let running_block = u32::try_from(templates.len()).expect("there are fewer than 2^32 templates");
    let names = texts.names;
    let mut edited = Names::new(Stash::new(&corpus.area, corpus.budget(16)));
    let mut rows: Vec<(u32, Vec<Cut>)> = Vec::new();
    if !pieces.is_empty() || running.contains(&true) {
        corpus.pass(
            "cut",
            || worker(corpus),
            |w, chunk| {
                let mut seen = Vec::new();
                let Worker { parser, reading, .. } = w;
                let record = |record: &RecordView<'_>| {
                    reading.read(record.text);
                    let of_doc = pieces.of(record.doc).iter();
                    let blocks = of_doc.map(|&(_, p)| Piece { tokens: reading.among_all(p.tokens), ..p });
                    let heads = reading.running.iter().map(|&tokens| Piece { tokens, block: running_block });
                    let cuts = cuts(record.text, reading.spans(), &blocks.chain(heads).collect::<Vec<_>>());
                    if !cuts.is_empty() {
                        seen.push((record.doc, name_of(corpus, record), cuts));
                    }
                    Ok(())
                };
                corpus.visit(parser, chunk, |doc| running[doc as usize] || pieces.has(doc), record, |_| {})?;
                Ok(seen)
            },
            |seen| {
                for (doc, name, cuts) in seen {
                    edited.push(doc, &name)?;
                    rows.push((doc, cuts));
                }
                Ok(())
            },
        )?;
    }
    let blocks = templates.into_iter().zip(texts.shown);
    let blocks =
        blocks.map(|(t, s)| Block { evidence: t.evidence, reason: t.reason, text: s.text, examples: s.examples });
    Ok(Outcome { cuts: Table::from_sorted(rows), blocks: blocks.collect(), names, edited, census })
}
