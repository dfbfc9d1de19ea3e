//! Every number of the block way, in one place.

use super::{MAX_GAP, REGION_MARGIN};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How repeated blocks are found and judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Options {
    /// Strip every token that lies in a run of `min_tokens` tokens that occurs again, and no other: no altered copies,
    /// no running heads, no judgement.
    pub exact: bool,
    /// Tokens in a gram, the unit whose copies are counted.
    pub gram_tokens: usize,
    /// Grams in a winnowing window. Every repeat of `gram_tokens + window - 1` tokens is found.
    pub window: usize,
    /// Shortest block, in tokens.
    pub min_tokens: u32,
    /// Fewest copies of a block.
    pub min_copies: u32,
    /// Fewest documents with a block; 1 strips what only one document repeats.
    pub min_documents: u32,
    /// Which copies of a block that goes stay all the same.
    pub keep_copies: KeepCopies,
    /// What stays although it repeats.
    pub protect: Vec<Protect>,
}

/// Which copies of a block that goes stay all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum KeepCopies {
    /// None of boilerplate; the first of a passage that goes only because every repeat was asked for.
    #[default]
    Auto,
    /// None at all.
    None,
    /// The first of each block, in input order.
    First,
}

impl std::fmt::Display for KeepCopies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::First => "first",
        })
    }
}

/// Kinds of text that repeat and belong where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Protect {
    /// Passages between quotation marks.
    Quotes,
    /// Program code.
    Code,
    /// Passages that relatives share in the same order: sister laws, versions, translations.
    Relatives,
    /// A document's own refrains.
    Refrains,
}

impl Protect {
    /// All kinds, the default.
    pub const ALL: [Self; 4] = [Self::Quotes, Self::Code, Self::Relatives, Self::Refrains];
}

impl Default for Options {
    fn default() -> Self {
        Self {
            exact: false,
            gram_tokens: 5,
            window: 8,
            min_tokens: 8,
            min_copies: 2,
            min_documents: 1,
            keep_copies: KeepCopies::Auto,
            protect: Protect::ALL.to_vec(),
        }
    }
}

impl Options {
    /// Says what makes no sense.
    ///
    /// # Errors
    /// A usage error that names the option and its range.
    pub fn check(&self) -> Result<()> {
        let within = |name: &str, value: usize, low: usize, high: usize| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(Error::usage(format!("--{name} is {value}")).cure(format!("choose a value from {low} to {high}")))
        };
        within("gram-tokens", self.gram_tokens, 2, 64)?;
        within("window", self.window, 1, 256)?;
        within("min-tokens", self.min_tokens as usize, 1, 1_000_000)?;
        within("min-copies", self.min_copies as usize, 2, 1_000_000_000)?;
        within("min-documents", self.min_documents as usize, 1, 1_000_000_000)
    }

    /// The shortest repeat that is surely found, in tokens; of every repeat, the shortest that goes.
    #[must_use]
    pub fn guarantee_tokens(&self) -> usize {
        if self.exact { self.min_tokens as usize } else { self.gram_tokens + self.window - 1 }
    }

    /// Tokens in a winnowed gram.
    #[must_use]
    pub fn seed_tokens(&self) -> usize {
        if self.exact { self.gram_tokens.min(self.min_tokens as usize) } else { self.gram_tokens }
    }

    /// Grams in a winnowing window: no more than let a repeat of [`Self::guarantee_tokens`] through.
    #[must_use]
    pub fn seed_window(&self) -> usize {
        self.window.min(self.guarantee_tokens() + 1 - self.seed_tokens())
    }

    /// Tokens in a gram whose copies are counted. Where every repeat goes it is as long as the shortest repeat that
    /// does: the tokens that lie in a repeated one are then those that a suffix array finds at this length.
    #[must_use]
    pub fn counted_tokens(&self) -> usize {
        if self.exact { self.min_tokens as usize } else { self.gram_tokens }
    }

    /// Bits of the hash of such a gram and of a seed. Each is a hundredth of what is spilled of them. Of `n` grams the share
    /// `n / 2^46` has the hash of another one, one in a thousand in a terabyte, and such a gram stands alone, like five words
    /// that two texts share by chance: no block is one gram long, but where every repeat goes. Such a seed is looked at in vain.
    #[must_use]
    pub fn hash_bits(&self) -> u32 {
        if self.exact { u64::BITS } else { 46 }
    }

    /// Tokens on both sides of a repeated seed that are looked at gram by gram.
    ///
    /// # Panics
    /// Never on options that were checked.
    #[must_use]
    pub fn region_margin(&self) -> u32 {
        REGION_MARGIN.max(u32::try_from(self.guarantee_tokens()).expect("checked options are small"))
    }

    /// Most tokens from one gram of a template to the next one in the text.
    ///
    /// # Panics
    /// Never on options that were checked.
    #[must_use]
    pub fn reach(&self) -> u32 {
        let counted = || u32::try_from(self.counted_tokens()).expect("checked options are small");
        if self.exact { counted() } else { MAX_GAP }
    }

    /// Most tokens between two stretches of a template that are one copy.
    #[must_use]
    pub fn gap(&self) -> u32 {
        if self.exact { 0 } else { MAX_GAP }
    }

    /// Whether the first place of each gram is no repeat: where every repeat goes but the first copy.
    #[must_use]
    pub fn spares_first_gram(&self) -> bool {
        self.exact && self.keep_copies != KeepCopies::None
    }

    /// Whether the first copy of a template that goes stays. (Where every repeat goes, its grams were spared.)
    #[must_use]
    pub fn spares_first_copy(&self) -> bool {
        self.keep_copies == KeepCopies::First && !self.exact
    }

    /// Whether a kind of text is protected.
    #[must_use]
    pub fn protects(&self, kind: Protect) -> bool {
        self.protect.contains(&kind)
    }
}
