//! What the page's script gets to see of blocks and clusters.
//!
//! A row is cut to size as soon as it is seen, so that memory does not depend on the corpus: a full row holds at most a
//! few KB, a light one a few hundred bytes. The page knows from a row what was left out and says so.

use super::diff::hunks;
use super::gallery::{Cluster, Excerpt};
use crate::plan::lines::{BlockDecision, BlockEvidence, BlockLine, ClusterLine, Example, beginning};
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// Bytes of an id or a reason.
const NAME_BYTES: usize = 200;
/// Bytes of a template in a full and in a light row.
const TEMPLATE_BYTES: (usize, usize) = (2000, 200);
/// Examples of a full row.
const EXAMPLES: usize = 3;
/// Members of a cluster in a full row; a light one has none.
const MEMBERS: usize = 20;

/// A text of which perhaps only the beginning is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    text: String,
    /// Bytes left out.
    more: usize,
}

impl Cut {
    fn new(text: &str, limit: usize) -> Self {
        let shown = beginning(text, limit);
        Self { text: shown.into(), more: text.len() - shown.len() }
    }

    fn shorten(&mut self, limit: usize) {
        let shown = beginning(&self.text, limit).len();
        self.more += self.text.len() - shown;
        self.text.truncate(shown);
    }
}

/// A string, or a pair of string and bytes left out.
impl Serialize for Cut {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.more == 0 { self.text.serialize(serializer) } else { (&self.text, self.more).serialize(serializer) }
    }
}

/// A block.
#[derive(serde::Serialize)]
pub(super) struct BlockRow {
    id: u64,
    template: Cut,
    tokens: u64,
    copies: u64,
    documents: u64,
    sites: u64,
    decision: BlockDecision,
    /// Tokens that go.
    removed: u64,
    why: Cut,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<BlockEvidence>,
    examples: Vec<ExampleRow>,
    /// Whether details were left out.
    light: bool,
}

#[derive(serde::Serialize)]
struct ExampleRow {
    id: Cut,
    start: u32,
    end: u32,
    before: String,
    text: String,
    after: String,
}

impl From<&BlockLine> for BlockRow {
    fn from(line: &BlockLine) -> Self {
        Self {
            id: line.id,
            template: Cut::new(&line.template, TEMPLATE_BYTES.0),
            tokens: line.tokens,
            copies: line.copies,
            documents: line.documents,
            sites: line.sites,
            decision: line.decision,
            removed: line.removed_tokens(),
            why: Cut::new(&line.why, NAME_BYTES),
            evidence: line.evidence.clone(),
            examples: line.examples.iter().take(EXAMPLES).map(ExampleRow::from).collect(),
            light: false,
        }
    }
}

impl From<&Example> for ExampleRow {
    fn from(example: &Example) -> Self {
        let Example { id, start, end, before, text, after } = example;
        let short = |text: &str| beginning(text, TEMPLATE_BYTES.0).to_string();
        let (before, text, after) = (short(before), short(text), short(after));
        Self { id: Cut::new(id, NAME_BYTES), start: *start, end: *end, before, text, after }
    }
}

impl BlockRow {
    /// Leaves out the details.
    pub(super) fn lighten(&mut self) {
        self.light = true;
        self.evidence = None;
        self.examples = Vec::new();
        self.template.shorten(TEMPLATE_BYTES.1);
    }
}

/// A cluster.
#[derive(serde::Serialize)]
pub(super) struct ClusterRow {
    id: u64,
    kept: Cut,
    /// Members, the kept one included.
    size: u64,
    /// Least similarity to the kept one.
    least: f64,
    members: Vec<MemberRow>,
    #[serde(skip_serializing_if = "Pairs::is_empty")]
    pairs: Pairs,
    light: bool,
}

#[derive(serde::Serialize)]
struct MemberRow {
    id: Cut,
    similarity: f64,
}

impl From<Cluster> for ClusterRow {
    fn from(cluster: Cluster) -> Self {
        let line: &ClusterLine = &cluster.line;
        // Ids need not be unique: only one of those called like the kept document is it.
        let kept = line.members.iter().position(|m| m.id == line.kept);
        let members = line.members.iter().enumerate().filter(|(i, _)| Some(*i) != kept).map(|(_, m)| m).take(MEMBERS);
        Self {
            id: line.id,
            kept: Cut::new(&line.kept, NAME_BYTES),
            size: line.members.len() as u64,
            least: line.least_similarity(),
            members: members.map(|m| MemberRow { id: Cut::new(&m.id, NAME_BYTES), similarity: m.similarity }).collect(),
            pairs: Pairs { kept: cluster.kept, gone: cluster.dropped },
            light: false,
        }
    }
}

impl ClusterRow {
    /// Leaves out the details.
    pub(super) fn lighten(&mut self) {
        if self.pairs.is_empty() {
            self.light = true;
            self.members = Vec::new();
        }
    }
}

/// A kept document beside some of those that go.
struct Pairs {
    kept: Option<Excerpt>,
    gone: Vec<(Excerpt, f64)>,
}

impl Pairs {
    fn is_empty(&self) -> bool {
        self.kept.is_none() || self.gone.is_empty()
    }
}

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kept = self.kept.as_ref();
        serializer.collect_seq(kept.iter().flat_map(|kept| self.gone.iter().map(|gone| Pair { kept, gone })))
    }
}

struct Pair<'a> {
    kept: &'a Excerpt,
    gone: &'a (Excerpt, f64),
}

/// The difference is worked out on the way into the page, so that no more than one is held.
impl Serialize for Pair<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kept, (gone, similarity)) = (self.kept, self.gone);
        let (hunks, alike) = hunks(&kept.text, &gone.text);
        let mut pair = serializer.serialize_struct("Pair", 6)?;
        pair.serialize_field("id", &Cut::new(&gone.id, NAME_BYTES))?;
        pair.serialize_field("similarity", similarity)?;
        pair.serialize_field("hunks", &hunks)?;
        pair.serialize_field("alike", &alike)?;
        pair.serialize_field("cut", &(kept.more || gone.more))?;
        pair.serialize_field("equal", &(kept.text == gone.text))?;
        pair.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_was_left_out() {
        let mut line: BlockLine = serde_json::from_str(
            r#"{"id":1,"template":"","tokens":9,"copies":2,"documents":1,"sites":0,"decision":"strip","why":"w",
                "examples":[{"id":"a","start":0,"end":1}]}"#,
        )
        .unwrap();
        line.template = "é".repeat(3000);
        let mut row = BlockRow::from(&line);
        assert_eq!((row.template.text.len(), row.template.more, row.examples.len()), (2000, 4000, 1));
        row.lighten();
        assert_eq!((row.template.text.len(), row.template.more, row.examples.len(), row.light), (200, 5800, 0, true));
        assert!(serde_json::to_string(&row).unwrap().contains("\",5800],"));
    }

    #[test]
    fn a_pair_is_a_difference() {
        let excerpt = |id: &str, text| Excerpt::new(id.into(), text);
        let (kept, gone) = (excerpt("a", "one two three"), (excerpt("b", "one 2 three"), 0.9));
        let expected = r#"{"id":"b","similarity":0.9,"hunks":[{"skipped":0,"parts":[{"op":"same","text":"one "},{"op":"first","text":"two "},{"op":"second","text":"2 "},{"op":"same","text":"three"}]}],"alike":0,"cut":false,"equal":false}"#;
        assert_eq!(serde_json::to_string(&Pair { kept: &kept, gone: &gone }).unwrap(), expected);
    }
}
