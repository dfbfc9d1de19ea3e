//! Why was this document dropped or changed; how alike are these two? Read from what a run left behind.

use super::options::{Options, STANDARD_STREAM};
use super::summary::Summary;
use crate::io::{Chunks, Inputs, Nameless, Source};
use crate::near::{Near, verify};
use crate::plan::lines::{Action, PlanLine};
use crate::record::{Fields, Visit};
use crate::text::{Tokens, tokenize_words};
use crate::{Error, Result};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// Why the documents called `ids` were dropped or changed in the run that wrote `dir`, for people to read; of two
/// documents, also how alike they are.
///
/// # Errors
/// When `dir` holds no results, or an id does not occur in the input of that run.
pub fn explain(dir: &Path, ids: &[String]) -> Result<String> {
    let summary = summary(dir)?;
    let plan = plan(dir, ids)?;
    let texts = texts(&summary.options, ids)?;
    let mut out = String::new();
    for (id, text) in ids.iter().zip(&texts) {
        let Some(text) = text else {
            let error = Error::usage(format!("no document is called {id:?} in the input of this run")).at(dir);
            return Err(error.cure("ids stand in the field --id-field names; records without one are called file:row"));
        };
        story(&mut out, id, plan.iter().find(|line| line.id == *id), text);
    }
    if let [Some(a), Some(b)] = &texts[..] {
        alike(&mut out, &Near::new(&summary.options.near)?, a, b);
    }
    Ok(out)
}

pub(super) fn summary(dir: &Path) -> Result<Summary> {
    let path = dir.join("summary.json");
    let file = File::open(&path).map_err(|e| {
        Error::usage(format!("cannot read summary.json: {e}")).at(dir).cure("name the --out folder of a finished run")
    })?;
    serde_json::from_reader(BufReader::new(file)).map_err(|e| Error::input(e.to_string()).at(path))
}

fn plan(dir: &Path, ids: &[String]) -> Result<Vec<PlanLine>> {
    let path = dir.join("plan.jsonl");
    let file = File::open(&path).map_err(|e| Error::io("read", &path, e))?;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.map_err(|e| Error::io("read", &path, e))?;
        let line: PlanLine =
            serde_json::from_str(&line).map_err(|e| Error::input(e.to_string()).at(&path).line(number))?;
        if ids.contains(&line.id) {
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

fn story(out: &mut String, id: &str, line: Option<&PlanLine>, text: &str) {
    // Writing to a String cannot fail.
    let _ = match line {
        None => writeln!(out, "{id}: kept, unchanged"),
        Some(PlanLine { action: Action::Drop, of, similarity, reason, cluster, .. }) => writeln!(
            out,
            "{id}: dropped, {}; {} stays (similarity {:.3}, cluster {})",
            format!("{reason:?}").to_lowercase() + " duplicate",
            of.as_deref().unwrap_or("another document"),
            similarity.unwrap_or(1.0),
            cluster.unwrap_or(0),
        ),
        Some(line) => {
            let bytes: u32 = line.spans.iter().map(|s| s.end - s.start).sum();
            writeln!(out, "{id}: kept, {bytes} of {} bytes cut in {} places", text.len(), line.spans.len())
        }
    };
    for span in line.iter().flat_map(|l| &l.spans) {
        let cut = text.get(span.start as usize..span.end as usize).unwrap_or_default();
        let _ = writeln!(out, "  bytes {}..{}, block {}, {}", span.start, span.end, span.block, span.why);
        for line in cut.lines() {
            let _ = writeln!(out, "  - {line}");
        }
    }
}

fn alike(out: &mut String, near: &Near, a: &str, b: &str) {
    let set = |text: &str| {
        let (mut tokens, mut set) = (Tokens::default(), Vec::new());
        tokenize_words(text, &mut tokens);
        near.shingle_set(&tokens.hashes, &mut set);
        set
    };
    let (a, b) = (set(a), set(b));
    let _ = writeln!(
        out,
        "similarity {:.4} (Jaccard of {}-token shingles, {} and {} of them); {:.1} % of the first lies in the second, {:.1} % of the second in the first",
        verify::jaccard(&a, &b),
        near.options().shingle_tokens,
        a.len(),
        b.len(),
        100.0 * verify::containment(&a, &b),
        100.0 * verify::containment(&b, &a),
    );
}
