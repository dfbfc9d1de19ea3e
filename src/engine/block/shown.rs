//! What blocks look like to people: the text of some copies, put aside until `blocks.jsonl` is written.

use super::super::corpus::Corpus;
use crate::report::Picture;
use crate::shuffle::{Stash, Ticket};
use crate::{Error, Result};

/// The pictures of all blocks; what is beyond a share of the budget lies on disk.
pub(in crate::engine) struct Shown {
    stash: Stash,
    blocks: Vec<Ticket>,
}

impl Shown {
    pub(super) fn new(corpus: &Corpus<'_>) -> Self {
        Self { stash: Stash::new(&corpus.area, corpus.budget(16)), blocks: Vec::new() }
    }

    /// Puts a picture away.
    pub(super) fn put(&mut self, picture: &Picture) -> Result<Ticket> {
        self.stash.put(&serde_json::to_vec(picture).map_err(|e| Error::resource(e.to_string()))?)
    }

    /// Adds the next block by the pictures of its copies, the representative one first.
    pub(super) fn add(&mut self, copies: &[Ticket]) -> Result<()> {
        let block = if let &[copy] = copies {
            copy
        } else {
            let pictures = copies.iter().map(|&ticket| self.at(ticket)).collect::<Result<Vec<_>>>()?;
            self.put(&Picture::of_block(pictures))?
        };
        self.blocks.push(block);
        Ok(())
    }

    /// The picture of a block.
    pub(in crate::engine) fn get(&self, block: usize) -> Result<Picture> {
        self.at(self.blocks[block])
    }

    /// A picture that was put away.
    pub(super) fn at(&self, ticket: Ticket) -> Result<Picture> {
        let mut bytes = Vec::new();
        self.stash.get(ticket, &mut bytes)?;
        serde_json::from_slice(&bytes).map_err(changed)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what is mapped")]
fn changed(error: serde_json::Error) -> Error {
    Error::resource(format!("what was spilled has changed: {error}"))
}
