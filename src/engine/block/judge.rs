//! Joins repeated grams into templates, folds the copies of each into evidence, and has it decided.

use super::find::{Hits, too_many};
use super::postings::{Link, Repeat, TemplateCopy};
use crate::block::Options;
use crate::block::chain::{self, Hit};
use crate::block::judge::{Judged, Template};
use crate::block::layout::GramMarks;
use crate::block::sites::Sites;
use crate::block::template::{Copy, copies_of_hits};
use crate::engine::corpus::Corpus;
use crate::engine::near::{bits_of, u32_at};
use crate::near::Components;
use crate::shuffle::{Group, Partition, Shuffle};
use crate::{Error, Result};
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

/// Folds by document, link, document, template: which grams belong together, and what is known of each template. See
/// [`Judged::finish`].
pub(super) fn templates(
    corpus: &Corpus<'_>,
    options: &Options,
    hits: Hits,
    (lengths, sites): (&[u32], &Sites),
) -> Result<(Vec<Template>, u64)> {
    let mut first_of = Vec::with_capacity(hits.copies.len());
    let mut grams = 0u32;
    for table in &hits.copies {
        first_of.push(grams);
        grams = u32::try_from(table.len()).ok().and_then(|n| grams.checked_add(n)).ok_or_else(too_many)?;
    }
    let copies = joined(hits.copies);
    let of_document = OfDocument { first_of: &first_of, copies: &copies };
    let links = corpus.shuffle::<Link>(32 + bits_of(grams))?;
    let reach = options.reach();
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

/// Folds by document and by template: the copies, the evidence, the verdicts. The templates that are told of, in order of
/// the first copy, and how many more there are.
fn judged(
    corpus: &Corpus<'_>,
    options: &Options,
    (mut by_doc, of_document): (Vec<Partition<Repeat>>, &OfDocument<'_>),
    roots: &[u32],
    (lengths, sites): (&[u32], &Sites),
) -> Result<(Vec<Template>, u64)> {
    let grams = u32::try_from(roots.len()).expect("there are fewer than 2^32 grams");
    let by_template = corpus.shuffle::<TemplateCopy>(bits_of(grams))?;
    corpus.fold_kept(&mut by_doc, |_, mut groups| {
        let mut scatter = by_template.scatter();
        let mut hits = Vec::new();
        while let Some(group) = groups.next_group()? {
            let doc = of_document.read(group, &mut hits)?;
            let template = |hit: &Hit| roots[usize::try_from(hit.gram).expect("a gram's number")];
            let mut result = Ok(());
            copies_of_hits(options, (doc, lengths[doc as usize]), &hits, template, |copy| {
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
            if let Some(template) = Template::of(&copies, sites, options) {
                let at = (template.first(), copies[0].template);
                judged.add(at, template.reason, template.evidence.weight(), template);
            }
        }
        Ok(judged)
    })?;
    let mut judged = Judged::default();
    folded.into_iter().for_each(|part| judged.merge(part));
    Ok(judged.finish())
}
