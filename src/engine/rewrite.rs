//! Conducts the end: the plan is written, then the records.
//!
//! The plan needs no further read: names and places are known. It stands complete, on disk under a temporary name, before the
//! first record is written.

use super::block;
use super::census::Census;
use super::corpus::Corpus;
use super::cuts::Few;
use super::flow::{ahead, in_order};
use super::landing::Stream;
use super::near;
use super::summary::{Distributions, Highlights, Summary};
use super::verdicts::Numbers;
use crate::Result;
use crate::block::decide::Reason as Why;
use crate::io::{Chunk, OutDir, OutPart, Parser, json_line, pack, removed_line, rewrite};
use crate::near::{Reason as NearReason, Verdict};
use crate::plan::lines::{
    Action as PlanAction, BlockDecision, BlockLine, ClusterLine, Member, PlanLine, PlanSpan, Reason, wording,
};
use crate::record::{Action, RecordView, Removed};
use crate::report::{self, Excerpt, Gallery, Group, Picture};
use std::io::Write;
use std::ops::Range;

/// Everything that was decided.
pub(super) struct Decided {
    pub(super) near: Option<near::Outcome>,
    pub(super) block: Option<block::Outcome>,
}

/// What the plan amounts to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) dropped: u64,
    pub(super) edited: u64,
    pub(super) occurrences: u64,
    pub(super) removed_text_bytes: u64,
    pub(super) cut_bytes: u64,
}

impl Decided {
    fn dropped(&self, doc: u32) -> Option<Verdict> {
        self.near.as_ref().and_then(|n| n.verdicts.get(doc)).filter(|v| !v.kept)
    }

    /// What is cut from some documents.
    fn cuts(&self, docs: Range<u32>) -> Result<Few> {
        self.block.as_ref().map_or_else(|| Ok(Few::default()), |block| block.cuts.within(docs))
    }

    /// Those of some documents that are dropped or have cuts, ascending.
    fn changed(&self, docs: Range<u32>, cuts: &Few) -> Vec<u32> {
        let dropped = self.near.iter().flat_map(|near| near.verdicts.within(docs.clone())).filter(|v| !v.kept);
        let mut changed: Vec<u32> = dropped.map(|v| v.doc).chain(cuts.docs()).collect();
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// What was read; both ways count the same.
    pub(super) fn census(&self) -> &Census {
        let of_near = self.near.as_ref().map(|n| &n.census);
        self.block.as_ref().map(|b| &b.census).or(of_near).expect("one of the two ways ran")
    }

    /// What a document that is dropped or edited is called, and the bytes of its text.
    fn name(&self, doc: u32) -> Result<(String, u32)> {
        match (&self.near, &self.block) {
            (Some(near), _) if self.dropped(doc).is_some() => near.names.get(doc),
            (_, Some(block)) => block.names.get(doc),
            _ => Ok(Default::default()),
        }
    }

    /// The clusters with their members by number, for the page.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group> + '_ {
        self.near.iter().flat_map(|near| near.verdicts.clusters().into_iter()).map(|(cluster, members)| Group {
            cluster,
            kept: kept_of(&members),
            dropped: members.iter().filter(|v| !v.kept).map(|v| (v.doc, v.similarity)).collect(),
        })
    }

    fn why(&self, block: u32) -> Why {
        let blocks = self.block.as_ref().map_or(&[][..], |b| &b.blocks);
        blocks.get(block as usize).map_or(Why::RunningLine, |b| b.reason)
    }
}

/// Documents whose lines of the plan are made together.
const DOCS_AT_ONCE: u32 = 4096;

/// Writes `plan.jsonl`, or only adds it up where there is no folder.
pub(super) fn plan(
    corpus: &Corpus<'_>,
    decided: &Decided,
    out: Option<&OutDir>,
    spread: &mut Distributions,
) -> Result<Totals> {
    let clusters = decided.near.as_ref().map(|near| near.verdicts.numbers());
    let mut file = out.map(|o| o.json_lines("plan.jsonl")).transpose()?;
    let mut totals = Totals::default();
    let rows = decided.census().rows;
    let docs = (0..rows).step_by(DOCS_AT_ONCE as usize);
    in_order(
        rayon::current_num_threads(),
        docs.map(|first| first..rows.min(first.saturating_add(DOCS_AT_ONCE))),
        |docs| {
            let cuts = decided.cuts(docs.clone())?;
            let (mut totals, mut spread, mut json) = (Totals::default(), Distributions::default(), Vec::new());
            for doc in decided.changed(docs, &cuts) {
                let (line, text_bytes) = line(corpus, decided, (clusters.as_ref(), &cuts), doc)?;
                totals.add(&line, text_bytes.into(), &mut spread);
                json_line(&line, &mut json)?;
            }
            Ok((totals, spread, json))
        },
        |(of_docs, spread_of_docs, json)| {
            totals.merge(of_docs);
            spread.merge(&spread_of_docs);
            file.as_mut().map_or(Ok(()), |f| f.write_lines(&json))
        },
    )?;
    file.map_or(Ok(()), crate::io::JsonLines::finish)?;
    Ok(totals)
}

impl Totals {
    fn merge(&mut self, other: Self) {
        let Self { dropped, edited, occurrences, removed_text_bytes, cut_bytes } = other;
        self.dropped += dropped;
        self.edited += edited;
        self.occurrences += occurrences;
        self.removed_text_bytes += removed_text_bytes;
        self.cut_bytes += cut_bytes;
    }

    fn add(&mut self, line: &PlanLine, text_bytes: u64, spread: &mut Distributions) {
        match line.action {
            PlanAction::Drop => {
                self.dropped += 1;
                self.removed_text_bytes += text_bytes;
                spread.add_similarity(line.similarity.unwrap_or(1.0));
            }
            PlanAction::Edit => {
                let bytes: u64 = line.spans.iter().map(|s| u64::from(s.end - s.start)).sum();
                self.edited += 1;
                self.occurrences += line.spans.len() as u64;
                self.removed_text_bytes += bytes;
                self.cut_bytes += bytes;
                spread.add_document(bytes, text_bytes);
            }
        }
    }
}

/// The line of a document, and the bytes of its text.
fn line(
    corpus: &Corpus<'_>,
    decided: &Decided,
    (clusters, cuts): (Option<&Numbers>, &Few),
    doc: u32,
) -> Result<(PlanLine, u32)> {
    let (file, row) = decided.census().place(doc);
    let (file, row) = (corpus.inputs.files()[file].name.clone(), row + 1);
    let (id, text_bytes) = decided.name(doc)?;
    let (Some(near), Some(verdict)) = (&decided.near, decided.dropped(doc)) else {
        let spans = cuts.of_doc(doc).map(|c| PlanSpan {
            start: c.span.start,
            end: c.span.end,
            block: u64::from(c.block) + 1,
            why: wording(decided.why(c.block)),
        });
        let (action, reason) = (PlanAction::Edit, Reason::Blocks);
        let (of, similarity, cluster, spans) = (None, None, None, spans.collect());
        return Ok((PlanLine { file, row, id, action, reason, of, similarity, cluster, spans }, text_bytes));
    };
    let (reason, similarity) = match verdict.reason {
        Some(NearReason::Exact) => (Reason::Exact, verdict.similarity),
        Some(NearReason::Contained) => (Reason::Contained, verdict.contained),
        _ => (Reason::Near, verdict.similarity),
    };
    let of = verdict.of.map(|doc| near.names.get(doc)).transpose()?.map(|name| name.0);
    let cluster = clusters.and_then(|clusters| clusters.of(verdict.cluster_root));
    let (action, similarity, spans) = (PlanAction::Drop, Some(similarity), Vec::new());
    Ok((PlanLine { file, row, id, action, reason, of, similarity, cluster, spans }, text_bytes))
}

/// The member that stays; every cluster has one.
fn kept_of(members: &[Verdict]) -> u32 {
    members.iter().find(|v| v.kept).map_or(members[0].doc, |v| v.doc)
}

/// The lines of `clusters.jsonl`.
pub(super) fn cluster_lines(decided: &Decided) -> impl Iterator<Item = Result<ClusterLine>> + '_ {
    let near = decided.near.iter();
    near.flat_map(|near| near.verdicts.clusters().into_iter().map(move |cluster| (near, cluster))).map(
        |(near, (id, members))| {
            let named = |v: &Verdict| Ok(Member { id: near.names.get(v.doc)?.0, similarity: v.similarity });
            let kept = near.names.get(kept_of(&members))?.0;
            Ok(ClusterLine { id, kept, members: members.iter().map(named).collect::<Result<_>>()? })
        },
    )
}

/// Writes `clusters.jsonl`; how many there are.
pub(super) fn clusters(decided: &Decided, out: Option<&OutDir>, seen: &mut Highlights) -> Result<u64> {
    let mut file = out.map(|o| o.json_lines("clusters.jsonl")).filter(|_| decided.near.is_some()).transpose()?;
    let mut clusters = 0;
    for line in cluster_lines(decided) {
        let line = line?;
        clusters += 1;
        seen.see_cluster(&line);
        file.as_mut().map_or(Ok(()), |f| f.write(&line))?;
    }
    file.map_or(Ok(()), crate::io::JsonLines::finish)?;
    Ok(clusters)
}

/// A line of `blocks.jsonl`.
fn block_line(corpus: &Corpus<'_>, found: &block::Outcome, (i, block): (usize, &block::Block)) -> Result<BlockLine> {
    let Picture { template, examples } = found.shown.get(i)?;
    let line = BlockLine::of(i as u64 + 1, &block.evidence, block.reason, &corpus.options.block);
    Ok(BlockLine { template, examples, ..line })
}

/// Writes `blocks.jsonl`; how many there are, and how many go.
pub(super) fn blocks(
    corpus: &Corpus<'_>,
    decided: &Decided,
    out: Option<&OutDir>,
    summary: (&mut Distributions, &mut Highlights),
) -> Result<(u64, u64)> {
    let Some(outcome) = &decided.block else { return Ok((0, 0)) };
    let mut file = out.map(|o| o.json_lines("blocks.jsonl")).transpose()?;
    let (mut found, mut stripped) = (outcome.untold, 0);
    let writes = file.is_some();
    in_order(
        ahead(),
        outcome.blocks.iter().enumerate(),
        |block| {
            let line = block_line(corpus, outcome, block)?;
            let mut json = Vec::new();
            if writes {
                json_line(&line, &mut json)?;
            }
            Ok((line, json))
        },
        |(line, json)| {
            found += 1;
            stripped += u64::from(line.decision != BlockDecision::Keep);
            summary.0.add_block(line.tokens);
            summary.1.see_block(&line);
            file.as_mut().map_or(Ok(()), |f| f.write_lines(&json))
        },
    )?;
    file.map_or(Ok(()), crate::io::JsonLines::finish)?;
    Ok((found, stripped))
}

/// Writes `data/` and `removed.jsonl`; the documents that the page shows are read on the way. Bytes of `data/`.
pub(super) fn records(corpus: &Corpus<'_>, decided: &Decided, out: &OutDir, gallery: &mut Gallery) -> Result<u64> {
    let mut writer = out.data_writer()?;
    let mut removed_file = out.json_lines("removed.jsonl")?;
    let wanted = gallery.wanted();
    corpus.pass(
        "write",
        || corpus.parser(),
        |parser, chunk| {
            let (mut bytes, mut removed) = (Vec::with_capacity(chunk.bytes.len()), Vec::new());
            let cuts = decided.cuts(chunk.docs())?;
            let action = |doc| action(decided, &cuts, doc);
            let mut take = |row: Removed<'_>| removed_line(&row, &mut removed);
            let mut parts: Vec<OutPart> = rewrite(chunk, &corpus.fields, action, &mut bytes, &mut take)?;
            pack(&mut parts, &mut bytes);
            Ok((parts, bytes, removed, excerpts(corpus, &wanted, parser, chunk)?))
        },
        |(parts, bytes, removed, seen)| {
            writer.write(&parts, &bytes)?;
            seen.into_iter().for_each(|(doc, text)| gallery.put(doc, text));
            removed_file.write_lines(&removed)
        },
    )?;
    removed_file.finish()?;
    out.data_bytes()
}

/// Writes the records that are left to a stream, decompressed, and nothing else; how many bytes that were.
pub(super) fn stream(corpus: &Corpus<'_>, decided: &Decided, to: &mut (dyn Write + Send)) -> Result<u64> {
    let mut stream = Stream::new(to);
    corpus.pass(
        "write",
        || (),
        |(), chunk| {
            let mut bytes = Vec::with_capacity(chunk.bytes.len());
            let cuts = decided.cuts(chunk.docs())?;
            let action = |doc| action(decided, &cuts, doc);
            let parts = rewrite(chunk, &corpus.fields, action, &mut bytes, &mut |_| Ok(()))?;
            Ok((parts, bytes))
        },
        |(parts, bytes)| stream.write(&parts, &bytes),
    )?;
    stream.finish()
}

/// What happens to a document.
fn action<'a>(decided: &Decided, cuts: &'a Few, doc: u32) -> Action<'a> {
    match (decided.dropped(doc), cuts.spans(doc)) {
        (Some(_), _) => Action::Drop,
        (None, []) => Action::Keep,
        (None, spans) => Action::Cut(spans),
    }
}

/// Reads the documents that the page shows, where no records are written.
pub(super) fn pictures(corpus: &Corpus<'_>, gallery: &mut Gallery) -> Result<()> {
    let wanted = gallery.wanted();
    if wanted.is_empty() {
        return Ok(());
    }
    corpus.pass(
        "examples",
        || corpus.parser(),
        |parser, chunk| excerpts(corpus, &wanted, parser, chunk),
        |seen| {
            seen.into_iter().for_each(|(doc, text)| gallery.put(doc, text));
            Ok(())
        },
    )
}

/// The beginnings of the wanted documents of a chunk; `wanted` ascends.
fn excerpts(corpus: &Corpus<'_>, wanted: &[u32], parser: &mut Parser, chunk: &Chunk) -> Result<Vec<(u32, Excerpt)>> {
    let first = chunk.parts.first().map_or(0, |part| part.first_doc);
    let at = wanted.partition_point(|&doc| doc < first);
    let mut seen = Vec::new();
    if wanted.get(at).is_some_and(|&doc| doc - first < chunk.rows()) {
        let record = |record: &RecordView<'_>| {
            seen.push((record.doc, Excerpt::new(near::name_of(corpus, record), record.text)));
            Ok(())
        };
        corpus.visit(parser, chunk, |doc| wanted.binary_search(&doc).is_ok(), record, |_| {})?;
    }
    Ok(seen)
}

/// Writes `report.html`.
pub(super) fn page(
    corpus: &Corpus<'_>,
    decided: &Decided,
    summary: &Summary,
    gallery: &Gallery,
    out: &OutDir,
) -> Result<()> {
    let mut file = out.file("report.html")?;
    let clusters = cluster_lines(decided).map(|line| Ok(gallery.show(line?)));
    let blocks = decided
        .block
        .iter()
        .flat_map(|found| found.blocks.iter().enumerate().map(move |block| block_line(corpus, found, block)));
    report::html(summary, blocks, clusters, &mut file)?;
    file.finish()
}
