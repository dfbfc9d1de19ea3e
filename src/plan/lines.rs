//! The lines of the files beside the data: plan, blocks, clusters. (`removed.jsonl` is the rewrite's: see `record`.)
//!
//! One JSON object a line, in input order (blocks and clusters: by id). Names are stable. Rows count from 1; byte
//! spans are half-open and count UTF-8 bytes of the decoded text, so that a reader in any language can slice them.
//! Nothing here depends on time, threads or memory.

use crate::block::decide::Reason as Why;
use crate::block::template::Evidence;
use crate::block::{KeepCopies, Options};
use crate::span::ByteSpan;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// A line of `plan.jsonl`: one document that is dropped or changed. A document without a line stays as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The whole record goes.
    Drop,
    /// The record stays, with less text.
    Edit,
}

/// Why it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// What the decision looked at, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<BlockEvidence>,
    /// Some places to look at, the first ones in input order.
    pub examples: Vec<Example>,
}

/// What stands in a template where copies differ.
pub const SLOT: &str = "⟨…⟩";

impl BlockLine {
    /// The line of a block without what it looks like.
    #[must_use]
    pub fn of(id: u64, e: &Evidence, reason: Why, options: &Options) -> Self {
        Self {
            id,
            template: String::new(),
            tokens: e.tokens.into(),
            copies: e.copies.into(),
            documents: e.documents.into(),
            sites: e.sites.into(),
            decision: BlockDecision::of(reason, options),
            why: wording(reason),
            evidence: Some(BlockEvidence {
                most_in_document: e.within.into(),
                variants: e.variants.into(),
                lines: e.lines,
                paragraphs: e.paragraphs,
                quoted: e.quoted,
                code: e.code,
                of_site: e.of_site,
            }),
            examples: Vec::new(),
        }
    }

    /// Tokens of the copies that go.
    #[must_use]
    pub fn removed_tokens(&self) -> u64 {
        let copies = match self.decision {
            BlockDecision::Strip => self.copies,
            BlockDecision::KeepFirst => self.copies.saturating_sub(1),
            BlockDecision::Keep => 0,
        };
        self.tokens.saturating_mul(copies)
    }

    /// Where the block stands among others, the weightiest first: by the tokens that go, then by those that repeat,
    /// then by number. No two blocks stand at one place.
    #[must_use]
    pub fn rank(&self) -> (Reverse<u64>, Reverse<u64>, u64) {
        (Reverse(self.removed_tokens()), Reverse(self.tokens.saturating_mul(self.copies)), self.id)
    }
}

/// What is known about a block besides its counts. Shares lie in `0..=1` and are means over the copies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BlockEvidence {
    /// Most copies in one document.
    pub most_in_document: u64,
    /// Distinct forms among the copies.
    pub variants: u64,
    /// Share of the copies that begin and end at a line.
    pub lines: f32,
    /// Share of the copies that begin and end at a paragraph.
    pub paragraphs: f32,
    /// Share of the text between quotation marks.
    pub quoted: f32,
    /// Share of the text on lines of code.
    pub code: f32,
    /// Share of a site's documents that carry it, on the site where that is largest. Without it, not known: a document
    /// that carries it has no site, or one of fewer than three documents, or there is but one site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_site: Option<f32>,
}

/// What was decided about a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BlockDecision {
    /// Every copy goes.
    Strip,
    /// Every copy but the first goes.
    KeepFirst,
    /// Every copy stays.
    Keep,
}

impl BlockDecision {
    /// What the verdict on a block means under these options.
    #[must_use]
    pub fn of(reason: Why, options: &Options) -> Self {
        match (reason.strips(), options.keep_copies) {
            (false, _) => Self::Keep,
            (true, KeepCopies::First) => Self::KeepFirst,
            (true, _) if options.exact => Self::KeepFirst,
            (true, _) => Self::Strip,
        }
    }
}

/// A reason in the words of the outputs.
#[must_use]
pub fn wording(reason: Why) -> String {
    serde_json::to_value(reason).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// One occurrence of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The document.
    pub id: String,
    /// First byte of its text inside.
    pub start: u32,
    /// First byte after.
    pub end: u32,
    /// The text before it, as much as helps to recognise the place.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub before: String,
    /// The text itself; of a long one, the beginning.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The text after it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
}

/// Bytes of text an example shows on each side.
const CONTEXT_BYTES: usize = 160;
/// Bytes of the occurrence itself that an example shows.
const EXAMPLE_BYTES: usize = 600;

impl Example {
    /// The occurrence at `span` of `text`, with its surroundings. A span that does not lie in the text on character
    /// borders is moved to where it does.
    #[must_use]
    pub fn new(id: String, text: &str, span: ByteSpan) -> Self {
        let start = floor_char(text, span.start as usize);
        let end = floor_char(text, span.end as usize).max(start);
        let before = floor_char(text, start.saturating_sub(CONTEXT_BYTES));
        Self {
            id,
            start: span.start,
            end: span.end,
            before: text[before..start].into(),
            text: Self::shown(&text[start..end]).into(),
            after: beginning(&text[end..], CONTEXT_BYTES).into(),
        }
    }

    /// What an example shows of its own text, or of as much of it as is at hand.
    #[must_use]
    pub fn shown(text: &str) -> &str {
        beginning(text, EXAMPLE_BYTES)
    }
}

/// The last character border at or before `at`.
#[must_use]
pub fn floor_char(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&border| text.is_char_boundary(border)).unwrap_or(0)
}

/// As many characters from the start of a text as `bytes` hold.
#[must_use]
pub fn beginning(text: &str, bytes: usize) -> &str {
    &text[..floor_char(text, bytes)]
}

/// A line of `clusters.jsonl`: documents that are one another's duplicates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClusterLine {
    /// Number of the cluster, from 1, in order of the first member.
    pub id: u64,
    /// The id of the document that stays.
    pub kept: String,
    /// All members in input order, the kept one included.
    pub members: Vec<Member>,
}

impl ClusterLine {
    /// The least similarity of a member to the kept document; 1 of none.
    #[must_use]
    pub fn least_similarity(&self) -> f64 {
        self.members.iter().map(|member| member.similarity).fold(1.0, f64::min)
    }
}

/// A document of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    fn an_example_is_cut_on_characters() {
        let text = format!("{}ä|{}|ö{}", "é".repeat(200), "ß".repeat(500), "û".repeat(3));
        let start = u32::try_from(text.find('|').unwrap() + 1).unwrap();
        let example = Example::new("d".into(), &text, ByteSpan::new(start, start + 1000));
        assert!(example.before.ends_with("éä|") && example.before.len() <= CONTEXT_BYTES + 3);
        assert_eq!((example.text, example.after), ("ß".repeat(300), "|öûûû".into()));
        let beyond = Example::new("d".into(), "aé", ByteSpan::new(2, 90));
        assert_eq!((beyond.before.as_str(), beyond.text.as_str(), beyond.after.as_str()), ("a", "é", ""));
    }

    #[test]
    fn what_goes_ranks_before_what_stays() {
        let block = |id, decision, copies| {
            let text = format!(
                r#"{{"id":{id},"template":"","tokens":10,"copies":{copies},"documents":1,"sites":0,
                "decision":"{decision}","why":"","examples":[]}}"#
            );
            serde_json::from_str::<BlockLine>(&text).unwrap()
        };
        let mut blocks = [block(1, "keep", 9), block(2, "keep-first", 3), block(3, "strip", 2), block(4, "strip", 4)];
        blocks.sort_by_key(BlockLine::rank);
        assert_eq!(blocks.map(|b| (b.id, b.removed_tokens())), [(4, 40), (2, 20), (3, 20), (1, 0)]);
    }

    #[test]
    fn unknown_names_are_refused() {
        assert!(serde_json::from_str::<Member>(r#"{"id":"a","similarity":1.0,"score":2}"#).is_err());
    }
}
