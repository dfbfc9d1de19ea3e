//! The templates that are told of, and the places they bear on.
//!
//! There are as many as blocks of the corpus, and all stay in memory: 150 bytes each, 16 to 20 a place, in few large tables,
//! for small pieces would leave no room between them that anything else fits in.

use crate::block::Options;
use crate::block::decide::Reason;
use crate::block::judge::{Judged, Template};
use crate::block::template::{Evidence, Place};
use crate::engine::table::Table;
use crate::span::TokenSpan;

/// One template and the verdict on it.
pub(super) struct Told {
    pub(super) evidence: Evidence,
    pub(super) reason: Reason,
    /// The first of its copies that go.
    pub(super) first: Option<Place>,
    /// How many places are read again, how many copies go, how many are spared.
    counts: [u32; 3],
}

impl Told {
    /// How many of its places are read again.
    pub(super) fn places(&self) -> usize {
        self.counts[0] as usize
    }
}

/// The templates of a part of the corpus.
pub(super) struct Part {
    number: usize,
    judged: Judged<Place, Kept>,
    /// The places of all, one after the other.
    places: Vec<Place>,
}

/// One template of a part.
struct Kept {
    told: Told,
    part: usize,
    /// Where its places begin among those of its part.
    at: usize,
}

impl Part {
    pub(super) fn new(number: usize) -> Self {
        Self { number, judged: Judged::default(), places: Vec::new() }
    }

    pub(super) fn add(&mut self, template: Template) {
        let Template { evidence, reason, first, places, copies, spared } = template;
        let at = self.places.len();
        let lists = [&places, &copies, &spared];
        lists.iter().for_each(|list| self.places.extend_from_slice(list));
        let counts = lists.map(|list| u32::try_from(list.len()).expect("a gram has fewer than 2^32 copies"));
        let weight = evidence.weight();
        let told = Told { evidence, reason, first: copies.first().copied(), counts };
        self.judged.add(first, reason, weight, Kept { told, part: self.number, at });
    }

    /// Without room for more.
    pub(super) fn finished(mut self) -> Self {
        self.judged.shrink();
        self.places.shrink_to_fit();
        self
    }
}

/// The templates of the corpus, in order of the first copy.
#[derive(Default)]
pub(super) struct Templates {
    pub(super) list: Vec<Told>,
    /// The places that are read again: the template, and which of its places it is.
    pub(super) places: Table<(u32, u32, TokenSpan)>,
    /// The copies that go, without the first of each template where that one is to stay.
    pub(super) copies: Table<(TokenSpan, u32)>,
    /// The copies of templates that go which stay all the same, in documents where the block belongs.
    pub(super) spared: Table<(TokenSpan, u32)>,
    /// How many more repeat.
    pub(super) untold: u64,
}

impl Templates {
    /// Of all parts, which are numbered in order.
    pub(super) fn new(options: &Options, parts: Vec<Part>) -> Self {
        let (judged, of_parts): (Vec<_>, Vec<_>) = parts.into_iter().map(|part| (part.judged, part.places)).unzip();
        let (kept, untold) = Judged::of_parts(judged).finish();
        let count = |list: usize| kept.iter().map(|kept| kept.told.counts[list] as usize).sum();
        let mut places = Vec::with_capacity(count(0));
        let [mut copies, mut spared] = [1, 2].map(|list| Vec::with_capacity(count(list)));
        for (t, Kept { told, part, at }) in (0u32..).zip(&kept) {
            let [read, go, stay] = told.counts.map(|count| count as usize);
            let (read, rest) = of_parts[*part][*at..].split_at(read);
            let (go, rest) = rest.split_at(go);
            let copy = |place: &Place| (place.doc, (place.span, t));
            places.extend((0u32..).zip(read).map(|(which, place)| (place.doc, (t, which, place.span))));
            copies.extend(go.iter().skip(usize::from(options.spares_first_copy())).map(copy));
            spared.extend(rest[..stay].iter().map(copy));
        }
        drop(of_parts);
        places.sort_unstable();
        copies.sort_unstable();
        spared.sort_unstable();
        let list = kept.into_iter().map(|kept| kept.told).collect();
        let [copies, spared] = [copies, spared].map(Table::from_sorted);
        Self { list, places: Table::from_sorted(places), copies, spared, untold }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.list) + self.places.bytes() + self.copies.bytes() + self.spared.bytes()
    }

    /// What a person decided goes before what the rules say: reasons by template, ascending.
    pub(super) fn review(&mut self, decided: &[(usize, Reason)]) {
        let Self { list, copies, spared, .. } = self;
        for &(t, reason) in decided {
            list[t].reason = reason;
            if !reason.strips() {
                list[t].first = None;
            }
        }
        copies.retain(|&(_, t)| list[t as usize].reason.strips());
        spared.retain(|&(_, t)| decided.binary_search_by_key(&(t as usize), |decided| decided.0).is_err());
    }

    /// Adds one that only a reviewed list knows; its number.
    pub(super) fn add_listed(&mut self, tokens: u32) -> u32 {
        let template = u32::try_from(self.list.len()).expect("there are fewer than 2^32 templates");
        let evidence = Evidence { tokens, ..Evidence::default() };
        self.list.push(Told { evidence, reason: Reason::Listed, first: None, counts: [0; 3] });
        template
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    proptest! {
        #[test]
        fn tables_say_what_the_templates_did(all in templates(), reviewed in vec((0usize..12, any::<bool>()), 0..4)) {
            let options = Options::default();
            let mut parts: Vec<Part> = (0..3).map(Part::new).collect();
            all.iter().cloned().for_each(|(part, template)| parts[part].add(template));
            let mut found = Templates::new(&options, parts.into_iter().map(Part::finished).collect());
            let mut sorted: Vec<Template> = all.into_iter().map(|(_, template)| template).collect();
            sorted.sort_by_key(|template| template.first);
            let reviewed: std::collections::BTreeMap<usize, bool> = reviewed.into_iter().filter(|(t, _)| *t < sorted.len()).collect();
            let mut decided = Vec::new();
            for (t, goes) in reviewed {
                let reason = if goes { Reason::Listed } else { Reason::Reprieved };
                decided.push((t, reason));
                sorted[t].reason = reason;
                sorted[t].spared.clear();
                if !goes {
                    sorted[t].copies.clear();
                }
            }
            found.review(&decided);
            prop_assert_eq!(found.add_listed(3) as usize, sorted.len());
            let of = |list: fn(&Template) -> &Vec<Place>| {
                let rows = (0u32..).zip(&sorted).flat_map(|(t, template)| list(template).iter().map(move |p| (p.doc, (p.span, t))));
                let mut rows: Vec<_> = rows.collect();
                rows.sort_unstable();
                rows
            };
            let rows = |table: &Table<(TokenSpan, u32)>| table.iter().map(|(doc, &row)| (doc, row)).collect::<Vec<_>>();
            prop_assert_eq!(rows(&found.copies), of(|template| &template.copies));
            prop_assert_eq!(rows(&found.spared), of(|template| &template.spared));
            for (told, template) in found.list.iter().zip(&sorted) {
                prop_assert_eq!((told.reason, told.evidence.tokens), (template.reason, template.evidence.tokens));
                prop_assert_eq!((told.first, told.places()), (template.copies.first().copied(), template.places.len()));
            }
            let read = found.places.iter().map(|(doc, &(t, which, span))| (t, which, Place { doc, span }));
            let mut read: Vec<_> = read.collect();
            read.sort_unstable();
            let expected = (0u32..).zip(&sorted).flat_map(|(t, template)| (0u32..).zip(&template.places).map(move |(which, &place)| (t, which, place)));
            prop_assert_eq!(read, expected.collect::<Vec<_>>());
        }
    }
}
