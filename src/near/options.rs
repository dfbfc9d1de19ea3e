//! What a user may set for near-duplicates: the one home of the numbers and of their checks.

use crate::error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// How alike is a duplicate, how surely it must be found, and who stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Options {
    /// Two documents are near-duplicates if the exact Jaccard similarity of their shingle sets is at least this;
    /// above 0, at most 1.
    pub threshold: f64,
    /// The probability with which a pair exactly at the threshold is found; above 0, below 1.
    /// Pairs above the threshold are found more surely.
    pub recall: f64,
    /// What a shingle is made of.
    pub shingle_unit: Unit,
    /// Units a shingle; 1 to 64. Five words is what most published corpora used; six letters suit noisy copies.
    pub shingle_tokens: usize,
    /// Seed of the sketches. Sketches of different seeds cannot be compared.
    pub seed: u64,
    /// Which document of a cluster stays.
    #[cfg_attr(test, schemars(with = "String"))]
    pub keep: Keep,
    /// Sources in order of trust: a document of one that comes earlier stays rather than one of a later, and one of any
    /// of them rather than one of none; among documents of one source [`Options::keep`] decides. A source is an input
    /// file, or a folder of input files. Empty: where a document comes from does not matter.
    pub prefer: Vec<String>,
    /// If set: also drop a document if at least this share of its shingles lies inside a longer kept document
    /// that comes before it in keep order (combine with [`Keep::Longest`] to make every longer one come before).
    pub contain: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threshold: 0.8,
            recall: 0.99,
            shingle_unit: Unit::Words,
            shingle_tokens: 5,
            seed: 1,
            keep: Keep::First,
            prefer: Vec::new(),
            contain: None,
        }
    }
}

impl Options {
    /// Widest shingle; beyond it a single changed word in a paragraph leaves nothing in common.
    pub const MAX_SHINGLE_TOKENS: usize = 64;

    /// Checks every range.
    ///
    /// # Errors
    /// Usage, naming the option and what it may be.
    pub fn check(&self) -> Result<()> {
        check_share("threshold", self.threshold)?;
        if !(self.recall > 0.0 && self.recall < 1.0) {
            return Err(Error::usage(format!("--recall is {}, which no sketch can promise", self.recall))
                .cure("give a number above 0 and below 1, such as 0.99"));
        }
        if !(1..=Self::MAX_SHINGLE_TOKENS).contains(&self.shingle_tokens) {
            return Err(Error::usage(format!("--shingle-tokens is {}", self.shingle_tokens))
                .cure(format!("give a number from 1 to {}; 5 suits most text", Self::MAX_SHINGLE_TOKENS)));
        }
        if self.prefer.iter().any(String::is_empty) {
            return Err(
                Error::usage("a source of --prefer has no name").cure("name input files or folders: a.jsonl,b/")
            );
        }
        self.contain.map_or(Ok(()), |share| check_share("contain", share))
    }

    /// Whether documents are kept in input order: the first of a cluster stays.
    #[must_use]
    pub fn keeps_in_order(&self) -> bool {
        self.keep == Keep::First && self.prefer.is_empty()
    }
}

fn check_share(name: &str, share: f64) -> Result<()> {
    if share > 0.0 && share <= 1.0 {
        return Ok(());
    }
    Err(Error::usage(format!("--{name} is {share}, which is not a share")).cure("give a number above 0 and up to 1"))
}

/// What a shingle is made of.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Words, and single characters in scripts without spaces.
    #[default]
    Words,
    /// Letters and digits, whatever stands between them: one wrong letter spoils a few letters' worth of shingles,
    /// not five words' worth. For text from character recognition.
    Letters,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Words => "words",
            Self::Letters => "letters",
        })
    }
}

/// Which document of a cluster of near-duplicates stays. Ties go to the one that came first.
///
/// Written `first`, `longest` or `field:NAME`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Keep {
    /// The first in input order.
    #[default]
    First,
    /// The one with the most tokens.
    Longest,
    /// The one with the highest number in this field; documents without one come last.
    Highest(String),
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("first"),
            Self::Longest => f.write_str("longest"),
            Self::Highest(name) => write!(f, "field:{name}"),
        }
    }
}

impl FromStr for Keep {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "first" => Ok(Self::First),
            "longest" => Ok(Self::Longest),
            _ => match text.strip_prefix("field:") {
                Some(name) if !name.is_empty() => Ok(Self::Highest(name.into())),
                _ => Err(Error::usage(format!("cannot keep by {text:?}")).cure("say first, longest or field:NAME")),
            },
        }
    }
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// What [`Keep`] looks at in a document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rank {
    /// The place of its source in [`Options::prefer`]; [`Rank::NO_SOURCE`] if it is from none of them.
    pub source: u32,
    /// The document's number in input order.
    pub doc: u32,
    /// How many tokens it has.
    pub tokens: u32,
    /// The number in the field of [`Keep::Highest`]; NaN if it has none.
    pub value: f64,
}

impl Rank {
    /// The source of a document that comes from none of those preferred: after all of them.
    pub const NO_SOURCE: u32 = u32::MAX;
}

impl Keep {
    /// Keep order: `Less` if `a` is to be kept rather than `b`: by source, then by this rule, then by number. A total
    /// order; equal only for the same document.
    #[must_use]
    pub fn compare(&self, a: &Rank, b: &Rank) -> Ordering {
        let preference = match self {
            Keep::First => Ordering::Equal,
            Keep::Longest => b.tokens.cmp(&a.tokens),
            Keep::Highest(_) => compare_values(b.value, a.value),
        };
        a.source.cmp(&b.source).then(preference).then(a.doc.cmp(&b.doc))
    }
}

/// By value; NaN is below everything, the two zeros are equal.
fn compare_values(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keep_order_is_total_and_puts_the_missing_value_last() {
        let rank = |doc, tokens, value| Rank { source: Rank::NO_SOURCE, doc, tokens, value };
        let mut ranks = [rank(0, 5, f64::NAN), rank(1, 9, 2.0), rank(2, 9, 7.0), rank(3, 1, -0.0), rank(4, 2, 0.0)];
        let mut order = |keep: &Keep| {
            ranks.sort_by(|a, b| keep.compare(a, b));
            ranks.map(|r| r.doc)
        };
        assert_eq!(order(&Keep::Longest), [1, 2, 0, 4, 3]);
        assert_eq!(order(&Keep::Highest("score".into())), [2, 1, 3, 4, 0]);
        assert_eq!(order(&Keep::First), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_preferred_source_comes_before_the_rule() {
        let rank = |source, doc, tokens| Rank { source, doc, tokens, value: f64::NAN };
        let mut ranks = [rank(Rank::NO_SOURCE, 0, 9), rank(1, 1, 3), rank(1, 2, 5), rank(0, 3, 1)];
        ranks.sort_by(|a, b| Keep::Longest.compare(a, b));
        assert_eq!(ranks.map(|r| r.doc), [3, 2, 1, 0]);
    }
}
