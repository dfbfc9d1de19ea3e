//! The lines of the files beside the data: plan, blocks, clusters. (`removed.jsonl` is the rewrite's: see `record`.)
//!
//! One JSON object a line, in input order (blocks and clusters: by id). Names are stable. Rows count from 1; byte
//! spans are half-open and count UTF-8 bytes of the decoded text, so that a reader in any language can slice them.
//! Nothing here depends on time, threads or memory.

use serde::{Deserialize, Serialize};

/// A line of `plan.jsonl`: one document that is dropped or changed. A document without a line stays as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanLine {
    /// The input file, relative to the input it was found under.
    pub file: String,
    /// The record's row in that file, from 1.
    pub row: u64,
    /// The record's id; `file:row` where it has none.
    pub id: String,
    /// What happens to it.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The id of the document that stays in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Similarity to that document, in `0..=1`: Jaccard, or containment when that is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f64>,
    /// The cluster both belong to: [`ClusterLine::id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<u64>,
    /// What is cut out of an edited document, ascending, without overlap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<PlanSpan>,
}

/// What happens to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The whole record goes.
    Drop,
    /// The record stays, with less text.
    Edit,
}

/// Why it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Another document has the same tokens in the same order.
    Exact,
    /// Another document is similar enough.
    Near,
    /// A larger document holds this one.
    Contained,
    /// It carries repeated blocks.
    Blocks,
}

/// A piece of text that is cut out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanSpan {
    /// First byte of the text inside.
    pub start: u32,
    /// First byte after.
    pub end: u32,
    /// The block it is a copy of: [`BlockLine::id`].
    pub block: u64,
    /// The rule that let it go, in a few words.
    pub why: String,
}

/// A line of `blocks.jsonl`: one repeated passage and what was decided about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockLine {
    /// Number of the block, from 1, in order of first occurrence.
    pub id: u64,
    /// Its text, with a slot where copies differ.
    pub template: String,
    /// Tokens of the template.
    pub tokens: u64,
    /// Occurrences.
    pub copies: u64,
    /// Documents it occurs in.
    pub documents: u64,
    /// Sites it occurs in; without a site field, 0.
    pub sites: u64,
    /// What was decided.
    pub decision: BlockDecision,
    /// The rule that decided, in a few words.
    pub why: String,
    /// Some places to look at, the first ones in input order.
    pub examples: Vec<Example>,
}

/// What was decided about a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockDecision {
    /// Every copy goes.
    Strip,
    /// Every copy but the first goes.
    KeepFirst,
    /// Every copy stays.
    Keep,
}

/// One occurrence of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The document.
    pub id: String,
    /// First byte of its text inside.
    pub start: u32,
    /// First byte after.
    pub end: u32,
}

/// A line of `clusters.jsonl`: documents that are one another's duplicates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterLine {
    /// Number of the cluster, from 1, in order of the first member.
    pub id: u64,
    /// The id of the document that stays.
    pub kept: String,
    /// All members in input order, the kept one included.
    pub members: Vec<Member>,
}

/// A document of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The document.
    pub id: String,
    /// Similarity to the kept document, in `0..=1`; 1 for itself.
    pub similarity: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_only_what_there_is_to_say() {
        let text = r#"{"file":"a.jsonl","row":2,"id":"d2","action":"drop","reason":"near","of":"d1","similarity":0.9,"cluster":1}"#;
        let line: PlanLine = serde_json::from_str(text).unwrap();
        assert_eq!((line.action, line.reason, line.spans.len()), (Action::Drop, Reason::Near, 0));
        assert_eq!(serde_json::to_string(&line).unwrap(), text);
    }

    #[test]
    fn unknown_names_are_refused() {
        assert!(serde_json::from_str::<Member>(r#"{"id":"a","similarity":1.0,"score":2}"#).is_err());
    }
}
