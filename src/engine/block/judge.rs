//! Joins repeated grams into templates, folds the copies of each into evidence, and has it decided.

use super::find::{Hits, too_many};
use super::postings::{Link, Repeat, TemplateCopy};
use super::{MAX_GAP, PARTNERS};
use crate::block::chain::{self, Hit};
use crate::block::decide::{Reason, decide};
use crate::block::layout::GramMarks;
use crate::block::sites::{Sites, Spread};
use crate::block::template::{self, Copy, Evidence, Place};
use crate::block::{Options, PASSAGE_GAP};
use crate::engine::corpus::Corpus;
use crate::engine::near::{bits_of, u32_at};
use crate::near::Components;
use crate::shuffle::{Group, Partition, Shuffle};
use crate::{Error, Result};
use std::cmp::Reverse;
use std::sync::Mutex;

/// The hits of one document; a group of them is read twice.
struct OfDocument<'a> {
    /// The number of each part's first gram.
    first_of: &'a [u32],
    copies: &'a [u32],
}

impl OfDocument<'_> {
    /// Replaces `hits` by those of a group; the document.
    fn read(&self, mut group: Group<'_, Repeat>, hits: &mut Vec<Hit>) -> Result<u32> {
        hits.clear();
        group.for_each(|r| {
            let gram = self.first_of[usize::from(r.part)] + r.gram;
            let copies = self.copies[gram as usize];
            hits.push(Hit { position: r.position, gram: gram.into(), copies, marks: GramMarks(r.marks) });
            Ok(())
        })?;
        Ok(u32::try_from(group.key()).expect("the key is a document"))
    }
}

/// Folds by document, link, document, template: which grams belong together, and what is known of each template.
pub(super) fn templates(
    corpus: &Corpus<'_>,
    options: &Options,
    hits: Hits,
    (lengths, sites): (&[u32], &Sites),
) -> Result<Judged> {
    let mut first_of = Vec::with_capacity(hits.copies.len());
    let mut grams = 0u32;
    for table in &hits.copies {
        first_of.push(grams);
        grams = u32::try_from(table.len()).ok().and_then(|n| grams.checked_add(n)).ok_or_else(too_many)?;
    }
    let copies = joined(hits.copies);
    let of_document = OfDocument { first_of: &first_of, copies: &copies };
    let links = corpus.shuffle::<Link>(32 + bits_of(grams))?;
    let reach = if options.exact { counted(options) } else { MAX_GAP };
    let mut by_doc = hits.by_doc.finish()?;
    corpus.fold_kept(&mut by_doc, |_, mut groups| {
        let mut scatter = links.scatter();
        let mut hits = Vec::new();
        while let Some(group) = groups.next_group()? {
            of_document.read(group, &mut hits)?;
            let mut result = Ok(());
            chain::links(&hits, reach, |a, b| {
                if result.is_ok() {
                    result = scatter.push(Link { grams: a.gram << 32 | b.gram });
                }
            });
            result?;
        }
        Ok(())
    })?;
    let roots = linked(corpus, links, &copies)?;
    judged(corpus, options, (by_doc, &of_document), &roots, (lengths, sites))
}

/// Tokens of a gram.
fn counted(options: &Options) -> u32 {
    u32::try_from(options.counted_tokens()).expect("checked options are small")
}

/// One table after the other; each is freed when it was copied.
fn joined(tables: Vec<Vec<u32>>) -> Vec<u32> {
    let mut all = Vec::with_capacity(tables.iter().map(Vec::len).sum());
    tables.into_iter().for_each(|table| all.extend(table));
    all
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
pub(super) struct Template {
    pub(super) evidence: Evidence,
    pub(super) reason: Reason,
    /// Its first copies, the representative one first.
    pub(super) places: Vec<Place>,
    /// All copies of one that goes.
    pub(super) copies: Vec<Place>,
    /// The copies that stay all the same, where the document is about the block.
    pub(super) spared: Vec<Place>,
}

impl Template {
    /// The first of its places.
    fn first(&self) -> Option<Place> {
        self.places.iter().min().copied()
    }

    /// One that only a reviewed list knows.
    pub(super) fn listed(evidence: Evidence) -> Self {
        Self { evidence, reason: Reason::Listed, places: Vec::new(), copies: Vec::new(), spared: Vec::new() }
    }

    /// What a person decided goes before what the rules say.
    pub(super) fn review(&mut self, reason: Reason) {
        self.reason = reason;
        self.spared.clear();
        if !reason.strips() {
            self.copies.clear();
        }
    }
}

/// The templates that are told of: all that go, and the weightiest of those that stay.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) templates: Vec<Template>,
    stays: Vec<Template>,
    /// How many stay that are not told of.
    pub(super) untold: u64,
}

impl Judged {
    fn add(&mut self, template: Template) {
        if template.reason.strips() {
            self.templates.push(template);
        } else {
            self.stays.push(template);
            if self.stays.len() >= 2 * MAX_TOLD {
                self.thin();
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.templates.extend(other.templates);
        self.untold += other.untold;
        other.stays.into_iter().for_each(|template| self.add(template));
    }

    /// Forgets those beyond [`MAX_TOLD`].
    fn thin(&mut self) {
        if self.stays.len() > MAX_TOLD {
            let weight = |t: &Template| u64::from(t.evidence.tokens) * u64::from(t.evidence.copies);
            self.stays.select_nth_unstable_by_key(MAX_TOLD, |t| (Reverse(weight(t)), t.first()));
            self.untold += (self.stays.len() - MAX_TOLD) as u64;
            self.stays.truncate(MAX_TOLD);
        }
    }

    /// In order of the first copy.
    fn finish(mut self) -> Self {
        self.thin();
        self.templates.append(&mut self.stays);
        self.templates.sort_unstable_by_key(Template::first);
        self
    }
}

/// Folds by document and by template: the copies, the evidence, the verdicts. In order of the first copy.
fn judged(
    corpus: &Corpus<'_>,
    options: &Options,
    (mut by_doc, of_document): (Vec<Partition<Repeat>>, &OfDocument<'_>),
    roots: &[u32],
    (lengths, sites): (&[u32], &Sites),
) -> Result<Judged> {
    let k = counted(options);
    let grams = u32::try_from(roots.len()).expect("there are fewer than 2^32 grams");
    let by_template = corpus.shuffle::<TemplateCopy>(bits_of(grams))?;
    let gap = if options.exact { 0 } else { MAX_GAP };
    corpus.fold_kept(&mut by_doc, |_, mut groups| {
        let mut scatter = by_template.scatter();
        let mut hits = Vec::new();
        while let Some(group) = groups.next_group()? {
            let doc = of_document.read(group, &mut hits)?;
            let template = |hit: &Hit| roots[usize::try_from(hit.gram).expect("a gram's number")];
            let stretches = chain::occurrences(&hits, k, gap, template);
            let mut result = Ok(());
            template::copies(doc, lengths[doc as usize], k, PASSAGE_GAP, &hits, &stretches, |copy| {
                if result.is_ok() {
                    result = scatter.push(TemplateCopy::pack(&copy));
                }
            });
            result?;
        }
        Ok(())
    })?;
    drop(by_doc);
    let folded = corpus.fold(by_template, |_, mut groups| {
        let mut judged = Judged::default();
        let mut copies: Vec<Copy> = Vec::new();
        while let Some(mut group) = groups.next_group()? {
            copies.clear();
            group.for_each(|c| {
                copies.push(c.unpack());
                Ok(())
            })?;
            judge(&copies, sites, options).into_iter().for_each(|template| judged.add(template));
        }
        Ok(judged)
    })?;
    let mut judged = Judged::default();
    folded.into_iter().for_each(|part| judged.merge(part));
    Ok(judged.finish())
}

/// A passage that stays is told of from this length on: a big corpus repeats more short phrases than it has documents.
const MIN_TOLD_TOKENS: u32 = 32;
/// Passages that stay and are told of, the weightiest: of a corpus with many versions of its documents there are as many
/// as documents, and their texts take more room than the corpus.
const MAX_TOLD: usize = 10_000;

/// The verdict on one template; none on one below the limits.
fn judge(copies: &[Copy], sites: &Sites, options: &Options) -> Option<Template> {
    let Spread { sites, of_site } = sites.spread(copies);
    let evidence = Evidence { sites, of_site, ..template::evidence(copies) };
    let reason = if options.exact { Reason::EveryRepeat } else { decide(&evidence, options) };
    let told = reason.strips() || evidence.tokens >= MIN_TOLD_TOKENS;
    if reason == Reason::BelowLimits || !told {
        return None;
    }
    // Of what stays only the representative copy is ever shown.
    let partners = if reason.strips() { partners(copies, evidence.medoid) } else { Vec::new() };
    let place = |c: &Copy| Place { doc: c.doc, span: c.span };
    let places = std::iter::once(evidence.medoid).chain(partners).collect();
    let goes = |c: &&Copy| if options.exact { c.span.len() >= options.min_tokens } else { evidence.is_whole(c) };
    let (mut going, mut spared) = (Vec::new(), Vec::new());
    if reason.strips() {
        let sprees = if options.exact { Vec::new() } else { template::sprees(copies) };
        let (stay, go): (Vec<&Copy>, Vec<&Copy>) = copies.iter().partition(|c| sprees.binary_search(&c.doc).is_ok());
        going.extend(go.iter().copied().filter(goes).map(place));
        spared.extend(stay.into_iter().map(place));
    }
    Some(Template { evidence, reason, places, copies: going, spared })
}

/// Some other copies to compare the representative one with: those of other forms first, each the first of its form.
fn partners(copies: &[Copy], medoid: Place) -> Vec<Place> {
    let mut forms: Vec<u64> = Vec::new();
    let (mut new, mut seen) = (Vec::new(), Vec::new());
    for copy in copies.iter().filter(|c| c.doc != medoid.doc || !c.span.overlaps(medoid.span)) {
        let list = if forms.contains(&copy.content) { &mut seen } else { &mut new };
        if list.len() < PARTNERS {
            forms.push(copy.content);
            list.push(Place { doc: copy.doc, span: copy.passage });
        }
        if new.len() == PARTNERS {
            break;
        }
    }
    new.into_iter().chain(seen).take(PARTNERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn template(doc: u32, copies: u32, reason: Reason) -> Template {
        let evidence = Evidence { tokens: 40, copies, ..Evidence::default() };
        let places = vec![Place { doc, span: crate::span::Span::new(0, 40) }];
        Template { evidence, reason, places, copies: Vec::new(), spared: Vec::new() }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn whatever_the_parts_all_that_goes_and_the_weightiest_of_the_rest_are_told_of(
            copies in proptest::collection::vec(2u32..50, 3 * MAX_TOLD),
            cut in 0..3 * MAX_TOLD,
        ) {
            let all = |range: std::ops::Range<usize>| {
                let mut part = Judged::default();
                for i in range {
                    let reason = if copies[i] == 7 { Reason::EveryRepeat } else { Reason::Relatives };
                    part.add(template(u32::try_from(i).expect("few"), copies[i], reason));
                }
                part
            };
            let mut parted = Judged::default();
            parted.merge(all(cut..copies.len()));
            parted.merge(all(0..cut));
            let docs = |judged: Judged| {
                (judged.untold, judged.templates.iter().map(|t| t.places[0].doc as usize).collect::<Vec<_>>())
            };
            let (untold, told) = docs(parted.finish());
            let (goes, mut stays): (Vec<usize>, Vec<usize>) = (0..copies.len()).partition(|&i| copies[i] == 7);
            stays.sort_by_key(|&i| Reverse(copies[i]));
            let mut expected = [&goes, &stays[..MAX_TOLD]].concat();
            expected.sort_unstable();
            prop_assert_eq!(untold, (stays.len() - MAX_TOLD) as u64);
            prop_assert_eq!(told, expected);
        }
    }
}
