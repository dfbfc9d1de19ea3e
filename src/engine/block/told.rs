//! The templates that are told of, and the places they bear on.
//!
//! There are as many as blocks of the corpus, and all stay in memory, 150 bytes each; their places are sorted by document and
//! lie in lists.

use super::postings::{Going, Placed, Reread};
use crate::Result;
use crate::block::Options;
use crate::block::decide::Reason;
use crate::block::judge::{Judged, Template};
use crate::block::template::{Evidence, Place};
use crate::engine::corpus::Corpus;
use crate::shuffle::{Groups, Ledger, Scatter, Shuffle};
use std::sync::atomic::{AtomicU32, Ordering};

/// One template and the verdict on it.
pub(super) struct Told {
    pub(super) evidence: Evidence,
    pub(super) reason: Reason,
    /// The first of its copies that go.
    pub(super) first: Option<Place>,
    /// How many of its places are read again.
    pub(super) places: u32,
    /// Whether a person decided on it.
    pub(super) is_reviewed: bool,
}

/// What becomes of a place.
const READ_AGAIN: u8 = 0;
const GOES: u8 = 1;
const SPARED: u8 = 2;

/// Templates while they are judged: their places are on the way to their documents.
pub(super) struct Judging {
    by_doc: Shuffle<Placed>,
    judged: AtomicU32,
    spares_first_copy: bool,
}

/// The templates of a part of the corpus, each with its number in the order in which they were judged.
pub(super) type Part = Judged<Place, (Told, u32)>;

impl Judging {
    pub(super) fn new(corpus: &Corpus<'_>, options: &Options, key_bits: u32) -> Result<Self> {
        let spares_first_copy = options.spares_first_copy();
        Ok(Self { by_doc: corpus.small_shuffle(key_bits)?, judged: AtomicU32::new(0), spares_first_copy })
    }

    pub(super) fn scatter(&self) -> Scatter<'_, Placed> {
        self.by_doc.scatter()
    }

    /// Adds a template to a part.
    pub(super) fn add(&self, part: &mut Part, template: Template, scatter: &mut Scatter<'_, Placed>) -> Result<()> {
        let Template { evidence, reason, first, places, copies, spared } = template;
        let judged = self.judged.fetch_add(1, Ordering::Relaxed);
        let going = copies.iter().skip(usize::from(self.spares_first_copy));
        let placed = (0u32..).zip(&places).map(|(which, place)| (READ_AGAIN, which, place));
        let placed =
            placed.chain(going.map(|place| (GOES, 0, place))).chain(spared.iter().map(|place| (SPARED, 0, place)));
        for (role, which, &Place { doc, span }) in placed {
            scatter.push(Placed { doc, judged, role, which, start: span.start, end: span.end })?;
        }
        let places = u32::try_from(places.len()).expect("a few places are read again");
        let told = Told { evidence, reason, first: copies.first().copied(), places, is_reviewed: false };
        part.add(first, reason, told.evidence.weight(), (told, judged));
        Ok(())
    }

    /// The templates of the corpus.
    pub(super) fn finish(self, corpus: &Corpus<'_>, parts: Vec<Part>) -> Result<Templates> {
        let (told, untold) = Judged::of_parts(parts).finish();
        let mut numbers = vec![None; self.judged.into_inner() as usize];
        (0u32..).zip(&told).for_each(|(t, (_, judged))| numbers[*judged as usize] = Some(t));
        let list = told.into_iter().map(|(told, _)| told).collect();
        let [going, spared] = [(); 2].map(|()| corpus.ledger());
        let mut templates = Templates { list, reread: corpus.ledger(), going, spared, untold };
        let places = |mut groups: Groups<'_, Placed>| -> Result<_> {
            let (mut reread, mut stays_or_goes) = (Vec::new(), Vec::new());
            while let Some(mut group) = groups.next_group()? {
                group.for_each(|placed| {
                    let Placed { doc, judged, role, which, start, end } = *placed;
                    match numbers[judged as usize] {
                        Some(template) if role == READ_AGAIN => {
                            reread.push(Reread { doc, template, which, start, end })
                        }
                        Some(template) => stays_or_goes.push((Going { doc, start, end, template }, role == GOES)),
                        None => {}
                    }
                    Ok(())
                })?;
            }
            reread.sort_unstable();
            stays_or_goes.sort_unstable();
            Ok((reread, stays_or_goes))
        };
        corpus.fold_in_order(
            self.by_doc,
            |_, groups| places(groups),
            |(reread, stays_or_goes)| {
                reread.into_iter().try_for_each(|place| templates.reread.push(place))?;
                stays_or_goes.into_iter().try_for_each(|(place, goes)| {
                    let list = if goes { &mut templates.going } else { &mut templates.spared };
                    list.push(place)
                })
            },
        )?;
        Ok(templates)
    }
}

/// The templates of the corpus, in order of the first copy.
pub(super) struct Templates {
    pub(super) list: Vec<Told>,
    /// The places that are read again.
    pub(super) reread: Ledger<Reread>,
    /// The copies that go, without the first of each template where that one is to stay.
    pub(super) going: Ledger<Going>,
    /// The copies of templates that go which stay all the same, in documents where the block belongs.
    pub(super) spared: Ledger<Going>,
    /// How many more repeat.
    pub(super) untold: u64,
}

impl Templates {
    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.list) + self.reread.bytes() + self.going.bytes() + self.spared.bytes()
    }

    /// What a person decided goes before what the rules say, and spares no copy.
    pub(super) fn review(&mut self, template: usize, reason: Reason) {
        let told = &mut self.list[template];
        (told.reason, told.is_reviewed) = (reason, true);
        told.first = told.first.filter(|_| reason.strips());
    }

    /// Adds one that only a reviewed list knows; its number.
    pub(super) fn add_listed(&mut self, tokens: u32) -> u32 {
        let template = u32::try_from(self.list.len()).expect("there are fewer than 2^32 templates");
        let evidence = Evidence { tokens, ..Evidence::default() };
        self.list.push(Told { evidence, reason: Reason::Listed, first: None, places: 0, is_reviewed: true });
        template
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Options as EngineOptions, Silent};
    use crate::io::Format;
    use crate::span::Span;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn place() -> impl Strategy<Value = Place> {
        (0u32..30, 0u32..90).prop_map(|(doc, start)| Place { doc, span: Span::new(start, start + 9) })
    }

    fn templates() -> impl Strategy<Value = Vec<(usize, Template)>> {
        let lists = (vec(place(), 1..5), vec(place(), 0..6), vec(place(), 0..3));
        let one = (0usize..4, any::<bool>(), lists).prop_map(|(part, goes, (places, copies, spared))| {
            let reason = if goes { Reason::EveryRepeat } else { Reason::Relatives };
            let [copies, spared] = [copies, spared].map(|list| if goes { list } else { Vec::new() });
            (part, Template { evidence: Evidence::default(), reason, first: Place::default(), places, copies, spared })
        });
        vec(one, 0..12).prop_map(|mut all| {
            // No two begin at the same place.
            (0u32..).zip(&mut all).for_each(|(i, (part, template))| {
                template.first = Place { doc: i * 7 % 12, span: Span::new(i, i + 1) };
                template.evidence.tokens = i;
                *part %= 3;
            });
            all
        })
    }

    fn rows(list: &Ledger<Going>, stays: impl Fn(u32) -> bool) -> Vec<(u32, u32, u32, u32)> {
        let rows = list.iter().map(|row| row.map(|p| (p.doc, p.start, p.end, p.template)).unwrap());
        rows.filter(|row| stays(row.3)).collect()
    }

    proptest! {
        #[test]
        fn lists_say_what_the_templates_did(all in templates(), reviewed in vec((0usize..12, any::<bool>()), 0..4)) {
            let options = EngineOptions { inputs: vec!["Cargo.toml".into()], format: Some(Format::Text), dry_run: true, ..EngineOptions::default() };
            let corpus = Corpus::open(&options, &Silent, None).unwrap();
            let judging = Judging::new(&corpus, &Options::default(), 5).unwrap();
            let mut parts: Vec<Part> = (0..3).map(|_| Part::default()).collect();
            for (part, template) in all.iter().cloned() {
                judging.add(&mut parts[part], template, &mut judging.scatter()).unwrap();
            }
            let mut found = judging.finish(&corpus, parts).unwrap();
            let mut sorted: Vec<Template> = all.into_iter().map(|(_, template)| template).collect();
            sorted.sort_by_key(|template| template.first);
            let reviewed: std::collections::BTreeMap<usize, bool> = reviewed.into_iter().filter(|(t, _)| *t < sorted.len()).collect();
            for (t, goes) in reviewed {
                let reason = if goes { Reason::Listed } else { Reason::Reprieved };
                found.review(t, reason);
                sorted[t].reason = reason;
                sorted[t].spared.clear();
                if !goes {
                    sorted[t].copies.clear();
                }
            }
            prop_assert_eq!(found.add_listed(3) as usize, sorted.len());
            let of = |list: fn(&Template) -> &Vec<Place>| {
                let rows = (0u32..).zip(&sorted).flat_map(|(t, template)| list(template).iter().map(move |p| (p.doc, p.span.start, p.span.end, t)));
                let mut rows: Vec<_> = rows.collect();
                rows.sort_unstable();
                rows
            };
            prop_assert_eq!(rows(&found.going, |t| found.list[t as usize].reason.strips()), of(|template| &template.copies));
            prop_assert_eq!(rows(&found.spared, |t| !found.list[t as usize].is_reviewed), of(|template| &template.spared));
            for (told, template) in found.list.iter().zip(&sorted) {
                prop_assert_eq!((told.reason, told.evidence.tokens), (template.reason, template.evidence.tokens));
                prop_assert_eq!((told.first, told.places as usize), (template.copies.first().copied(), template.places.len()));
            }
            let read = found.reread.iter().map(|row| row.map(|r| (r.template, r.which, Place { doc: r.doc, span: Span::new(r.start, r.end) })).unwrap());
            let mut read: Vec<_> = read.collect();
            prop_assert!(read.is_sorted_by_key(|row| row.2.doc));
            read.sort_unstable();
            let expected = (0u32..).zip(&sorted).flat_map(|(t, template)| (0u32..).zip(&template.places).map(move |(which, &place)| (t, which, place)));
            prop_assert_eq!(read, expected.collect::<Vec<_>>());
        }
    }
}
