//! What a block looks like: its text, with slots where copies differ, and some places to look at.

use super::slots;
use crate::plan::lines::{Example, beginning};
use crate::span::ByteSpan;
use serde::{Deserialize, Serialize};

/// Of a longer block only the beginning is shown.
const MAX_SHOWN_BYTES: usize = 4000;

/// What is shown of a block, or of one copy of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Its text; of a long one, the beginning. Of a block, with slots where its copies differ.
    pub template: String,
    /// Some places; none of a text that only a reviewed list knows.
    pub examples: Vec<Example>,
}

impl Picture {
    /// Copies shown of a block.
    pub const EXAMPLES: usize = 3;

    /// Of the copy at `bytes` of the text of a document with this id.
    #[must_use]
    pub fn of_copy(id: String, text: &str, bytes: ByteSpan) -> Self {
        Self {
            template: beginning(&text[bytes.range()], MAX_SHOWN_BYTES).to_owned(),
            examples: vec![Example::new(id, text, bytes)],
        }
    }

    /// Of a block, from those of some copies, the representative one first.
    #[must_use]
    pub fn of_block(mut copies: Vec<Self>) -> Self {
        let template = copies.split_first().map_or(String::new(), |(representative, others)| {
            let others: Vec<&str> = others.iter().map(|other| other.template.as_str()).collect();
            slots::template(&representative.template, &others)
        });
        let examples = copies.iter_mut().flat_map(|p| p.examples.drain(..)).take(Self::EXAMPLES).collect();
        Self { template, examples }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_its_representative_copy_with_slots() {
        let text = "Call Ann now, or call Bob now.";
        let copy = |start, end| Picture::of_copy("d".into(), text, ByteSpan::new(start, end));
        let block = Picture::of_block(vec![copy(0, 12), copy(17, 29), copy(17, 29), copy(0, 12)]);
        assert_eq!((block.template.as_str(), block.examples.len()), ("Call ⟨…⟩ now", 3));
        assert_eq!(Picture::of_block(Vec::new()), Picture::default());
    }
}
