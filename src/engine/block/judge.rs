//! Joins repeated grams into templates, folds the copies of each into evidence, and has it decided.

use super::find::Hits;
use super::firsts::Numbers;
use super::meetings::{Meetings, Strands};
use super::postings::{Link, Repeat, TemplateCopy};
use super::told::{Judging, Part, Templates};
use crate::block::Options;
use crate::block::chain::{self, Hit};
use crate::block::judge::Template;
use crate::block::marks::GramMarks;
use crate::block::sites::Sites;
use crate::block::template::{Copy, copies_of_hits};
use crate::engine::corpus::Corpus;
use crate::engine::near::{bits_of, narrow};
use crate::near::Components;
use crate::shuffle::{Group, Partition, Shuffle};
use crate::{Error, Result};
use std::sync::Mutex;

/// Replaces `hits` by those of a document's group, which is read twice; the document.
fn read(numbers: &Numbers, mut group: Group<'_, Repeat>, hits: &mut Vec<Hit>) -> Result<u32> {
    hits.clear();
    group.for_each(|r| {
        let gram = numbers.of(r.doc, r.position, r.back).into();
        hits.push(Hit { position: r.position, gram, copies: r.copies, marks: GramMarks(r.marks) });
        Ok(())
    })?;
    Ok(u32::try_from(group.key()).expect("the key is a document"))
}

/// Folds by document, link, document, template: which grams belong together, and what is known of each template.
pub(super) fn templates(
    corpus: &Corpus<'_>,
    options: &Options,
    hits: Hits,
    (lengths, sites): (&[u32], &Sites),
) -> Result<Templates> {
    let Hits { by_doc, numbers, held } = hits;
    let held = [held, corpus.hold(numbers.count() as usize)];
    let links = corpus.shuffle::<Link>(32 + bits_of(numbers.count()))?;
    let meetings = Meetings::new(numbers.count());
    let reach = options.reach();
    let mut by_doc = by_doc.finish()?;
    corpus.fold_kept(&mut by_doc, |_, mut groups| {
        let mut scatter = links.scatter();
        let mut hits = Vec::new();
        while let Some(group) = groups.next_group()? {
            read(&numbers, group, &mut hits)?;
            let mut result = Ok(());
            chain::links(&hits, reach, |a, b| {
                let [gram, next] = [a.gram, b.gram].map(narrow);
                let link = Link { gram, next, copies: a.copies.max(b.copies) };
                if result.is_ok() && !meetings.count(&link) {
                    result = scatter.push(link);
                }
            });
            result?;
        }
        Ok(())
    })?;
    let joined = linked(corpus, links, meetings)?;
    let copies = copies(corpus, options, (by_doc, &numbers), &joined, lengths)?;
    drop((numbers, joined, held));
    let documents = u32::try_from(lengths.len()).expect("documents are numbered by u32");
    judged(corpus, options, copies, (sites, bits_of(documents)))
}

/// Which grams belong together.
struct Joined {
    strands: Strands,
    /// Of each strand, the first of those it is joined to.
    roots: Vec<u32>,
}

impl Joined {
    /// The template of a gram.
    fn template(&self, gram: u32) -> u32 {
        self.roots[self.strands.of(gram) as usize]
    }
}

/// Fold by link: the template of each gram.
fn linked(corpus: &Corpus<'_>, links: Shuffle<Link>, meetings: Meetings) -> Result<Joined> {
    let strands = meetings.strands(corpus.options.block.exact);
    let components = Mutex::new(Components::new(strands.count()));
    corpus.fold(links, |_, mut groups| {
        while let Some(mut group) = groups.next_group()? {
            let mut link = None;
            let count = group.len();
            group.for_each(|of_copy| {
                link = Some(*of_copy);
                Ok(())
            })?;
            let Some(Link { gram, next, copies }) = link else { continue };
            if corpus.options.block.exact || chain::is_linked(count, copies, copies) {
                let [gram, next] = [gram, next].map(|gram| strands.of(gram));
                components.lock().map_err(|_| Error::resource("a worker failed"))?.union(gram, next);
            }
        }
        Ok(())
    })?;
    let components = components.into_inner().map_err(|_| Error::resource("a worker failed"))?;
    Ok(Joined { strands, roots: components.into_roots() })
}

/// Fold by document: the copies of the templates.
fn copies(
    corpus: &Corpus<'_>,
    options: &Options,
    (mut by_doc, numbers): (Vec<Partition<Repeat>>, &Numbers),
    joined: &Joined,
    lengths: &[u32],
) -> Result<Shuffle<TemplateCopy>> {
    let by_template = corpus.shuffle::<TemplateCopy>(bits_of(joined.strands.count()))?;
    corpus.fold_kept(&mut by_doc, |_, mut groups| {
        let mut scatter = by_template.scatter();
        let mut hits = Vec::new();
        while let Some(group) = groups.next_group()? {
            let doc = read(numbers, group, &mut hits)?;
            let template = |hit: &Hit| joined.template(narrow(hit.gram));
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
    Ok(by_template)
}

/// Fold by template: the evidence, the verdicts.
fn judged(
    corpus: &Corpus<'_>,
    options: &Options,
    by_template: Shuffle<TemplateCopy>,
    (sites, documents): (&Sites, u32),
) -> Result<Templates> {
    let judging = Judging::new(corpus, options, documents)?;
    let parts = corpus.fold(by_template, |_, mut groups| {
        let (mut part, mut scatter) = (Part::default(), judging.scatter());
        let mut copies: Vec<Copy> = Vec::new();
        while let Some(mut group) = groups.next_group()? {
            copies.clear();
            group.for_each(|c| {
                copies.push(c.unpack());
                Ok(())
            })?;
            if let Some(template) = Template::of(&copies, sites, options) {
                judging.add(&mut part, template, &mut scatter)?;
            }
        }
        part.shrink();
        Ok(part)
    })?;
    judging.finish(corpus, parts)
}
