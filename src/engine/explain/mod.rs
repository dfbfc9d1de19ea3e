//! Why was this document dropped or changed; how alike are these two? Read from what a run left behind and from its
//! input, in one pass over each.
//!
//! Told for people, on a screen of so many columns ([`page`]): what was decided and what is cut, with the text around
//! it; of two documents their exact similarity, the passages they share and the places where they differ
//! ([`passages`]). A single document that went is set beside the one that stays.

mod page;
mod passages;

use super::options::{Options, STANDARD_STREAM};
use super::summary::Summary;
use crate::error::json_complaint;
use crate::io::{Chunks, Inputs, Nameless, Results, Source};
use crate::near::Near;
use crate::plan::lines::{Action, ClusterLine, PlanLine, Reason};
use crate::record::{Fields, Visit};
use crate::{Error, Result};
use page::Page;
use passages::Alike;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// Why the documents called `ids` were dropped, changed or kept in the run that wrote `dir`, for people to read on
/// `columns` columns; of two documents, also how alike they are.
///
/// `dir` may be the URL of a place in an object store.
///
/// # Errors
/// When `dir` holds no results, or an id does not occur in the input of that run.
pub fn explain(dir: &Path, ids: &[String], columns: usize) -> Result<String> {
    let results = Results::open(dir, &["summary.json", "plan.jsonl", "clusters.jsonl"], &Nameless::default())?;
    let read = results.folder();
    let summary = summary(read)?;
    let plan: Vec<PlanLine> = lines(&read.join("plan.jsonl"), ids, |line: &PlanLine, id| line.id == id)?;
    let has = |line: &ClusterLine, id: &str| line.members.iter().any(|member| member.id == id);
    let clusters: Vec<ClusterLine> = lines(&read.join("clusters.jsonl"), ids, has)?;
    let mut names = ids.to_vec();
    if let ([_], [PlanLine { of: Some(of), .. }]) = (ids, &plan[..]) {
        names.push(of.clone());
    }
    let texts = texts(&summary.options, &names)?;
    let mut page = Page::new(columns);
    for (id, text) in ids.iter().zip(&texts) {
        let Some(text) = text else {
            let error = Error::usage(format!("no document is called {id:?} in the input of this run")).at(dir);
            return Err(error.cure("ids stand in the field --id-field names; records without one are called file:row"));
        };
        let cluster = clusters.iter().find(|cluster| has(cluster, id));
        fate(&mut page, &summary, id, plan.iter().find(|line| line.id == *id), cluster, text);
    }
    if let ([a, b], [Some(first), Some(second)]) = (&names[..], &texts[..]) {
        let near = Near::new(&summary.options.near)?;
        let pair = [(a.as_str(), first.as_str()), (b.as_str(), second.as_str())];
        let planned =
            plan.iter().find(|line| names.contains(&line.id) && line.of.as_ref().is_some_and(|of| names.contains(of)));
        passages::tell(&mut page, &Alike::measure(&near, pair.map(|(_, text)| text)), pair, planned);
    }
    Ok(page.finish())
}

pub(super) fn summary(dir: &Path) -> Result<Summary> {
    let path = dir.join("summary.json");
    let file = File::open(&path).map_err(|e| {
        Error::usage(format!("cannot read summary.json: {e}")).at(dir).cure("name the --out folder of a finished run")
    })?;
    serde_json::from_reader(BufReader::new(file)).map_err(|e| Error::input(e.to_string()).at(path))
}

/// The lines that are about one of the ids. Only those that mention one are parsed.
fn lines<T: DeserializeOwned>(path: &Path, ids: &[String], about: impl Fn(&T, &str) -> bool) -> Result<Vec<T>> {
    let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
    let mentions: Vec<String> = ids.iter().map(|id| serde_json::Value::from(id.as_str()).to_string()).collect();
    let mut found = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.map_err(|e| Error::io("read", path, e))?;
        if !mentions.iter().any(|mention| line.contains(mention)) {
            continue;
        }
        let line: T =
            serde_json::from_str(&line).map_err(|e| Error::input(json_complaint(&e)).at(path).line(number))?;
        if ids.iter().any(|id| about(&line, id)) {
            found.push(line);
        }
    }
    Ok(found)
}

/// The texts of the documents, from the input of the run.
fn texts(options: &Options, ids: &[String]) -> Result<Vec<Option<String>>> {
    if options.inputs.iter().any(|input| input == STANDARD_STREAM) {
        let error = Error::usage("this run read standard input, which is gone");
        return Err(error.cure("rebuild it with `descale restore`, and run again on the file"));
    }
    let nameless = Nameless { format: options.format, ..Nameless::default() };
    let inputs = Inputs::resolve_with(&options.inputs, &nameless)?;
    let id = Some(options.id_field.clone());
    let mut parser = options.parser(&Fields { text: options.text_field.clone(), id, site: None, rank: None });
    let mut source = Chunks::new(&inputs, options.limits());
    let mut texts = vec![None; ids.len()];
    let mut buffer = Vec::new();
    while let Some(chunk) = source.next_chunk(buffer)? {
        parser.visit(&chunk, |visit| {
            if let Visit::Record(record) = visit {
                let file = &inputs.files()[record.file as usize].name;
                let is =
                    |id: &str| record.id.map_or_else(|| id == format!("{file}:{}", record.row + 1), |own| own == id);
                for (text, id) in texts.iter_mut().zip(ids) {
                    if text.is_none() && is(id) {
                        *text = Some(record.text.to_owned());
                    }
                }
            }
            Ok(())
        })?;
        buffer = chunk.bytes;
    }
    Ok(texts)
}

/// What was decided about a document, and why.
fn fate(
    page: &mut Page,
    summary: &Summary,
    id: &str,
    line: Option<&PlanLine>,
    cluster: Option<&ClusterLine>,
    text: &str,
) {
    match line {
        Some(PlanLine { action: Action::Drop, of, similarity, reason, cluster, .. }) => page.line(&format!(
            "{id}: dropped, {} {}; it stays (similarity {:.3}, cluster {})",
            kind(*reason),
            of.as_deref().unwrap_or("another document"),
            similarity.unwrap_or(1.0),
            cluster.unwrap_or(0),
        )),
        Some(line) => {
            let bytes: u32 = line.spans.iter().map(|s| s.end - s.start).sum();
            let places = line.spans.len();
            let places = if places == 1 { "1 place".into() } else { format!("{places} places") };
            page.line(&format!("{id}: kept, {bytes} of {} bytes cut in {places}", text.len()));
        }
        None => page.line(&format!("{id}: kept, unchanged")),
    }
    if summary.near.is_some() && line.is_none_or(|line| line.action == Action::Edit) {
        page.line(&format!("  {}", company(summary, id, cluster)));
    }
    for span in line.iter().flat_map(|l| &l.spans) {
        page.line(&format!("  bytes {}..{}, block {}, {}", span.start, span.end, span.block, span.why));
        page.cut(text, span.start as usize..span.end as usize);
    }
}

fn kind(reason: Reason) -> &'static str {
    match reason {
        Reason::Exact => "an exact duplicate of",
        Reason::Contained => "contained in",
        Reason::Near | Reason::Blocks => "a near-duplicate of",
    }
}

/// Why a document was not dropped.
fn company(summary: &Summary, id: &str, cluster: Option<&ClusterLine>) -> String {
    let threshold = summary.options.near.threshold;
    match cluster {
        None => format!("no other document was found that is alike by {threshold}"),
        Some(cluster) if cluster.kept == id => {
            let others = cluster.members.len() - 1;
            let others = if others == 1 { "1 other".into() } else { format!("{others} others") };
            format!(
                "it stays for {others} of cluster {}, alike by {:.3} at least",
                cluster.id,
                cluster.least_similarity()
            )
        }
        Some(cluster) => {
            format!(
                "in cluster {}, but alike by {threshold} only to documents that went, to none that stays",
                cluster.id
            )
        }
    }
}

#[cfg(test)]
mod tests;
