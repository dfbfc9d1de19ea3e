//! What blocks look like to people: the text of some copies, put aside until `blocks.jsonl` is written.

use super::super::corpus::Corpus;
use crate::plan::lines::Example;
use crate::report::slots;
use crate::shuffle::{Stash, Ticket};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Copies shown of a block.
const EXAMPLES: usize = 3;

/// One copy of a block as it stands in its document.
#[derive(Serialize, Deserialize)]
pub(super) struct Seen {
    /// Its text; of a long one, the beginning.
    pub(super) text: String,
    /// Its place; of a text that only a reviewed list knows, none.
    pub(super) example: Option<Example>,
}

/// The copies seen of every block; texts beyond a share of the budget lie on disk.
pub(in crate::engine) struct Shown {
    stash: Stash,
    /// By block, the representative copy first.
    tickets: Vec<Vec<Ticket>>,
}

impl Shown {
    pub(super) fn new(corpus: &Corpus<'_>) -> Self {
        Self { stash: Stash::new(&corpus.area, corpus.budget(16)), tickets: Vec::new() }
    }

    /// Puts the text of a copy away.
    pub(super) fn put(&mut self, seen: &Seen) -> Result<Ticket> {
        self.stash.put(&serde_json::to_vec(seen).map_err(|e| Error::resource(e.to_string()))?)
    }

    /// Adds the next block: its copies, the representative one first.
    pub(super) fn add(&mut self, copies: Vec<Ticket>) {
        self.tickets.push(copies);
    }

    /// The text of one copy.
    pub(super) fn text(&self, ticket: Ticket) -> Result<String> {
        let mut bytes = Vec::new();
        self.stash.get(ticket, &mut bytes)?;
        serde_json::from_slice(&bytes).map(|seen: Seen| seen.text).map_err(changed)
    }

    /// The text of a block, with slots where its copies differ, and some of them.
    pub(in crate::engine) fn get(&self, block: usize) -> Result<(String, Vec<Example>)> {
        let seen = self.of(block)?;
        let Some((representative, others)) = seen.split_first() else { return Ok(Default::default()) };
        let others: Vec<&str> = others.iter().map(|s| s.text.as_str()).collect();
        let template = slots::template(&representative.text, &others);
        Ok((template, seen.into_iter().take(EXAMPLES).filter_map(|s| s.example).collect()))
    }

    /// The copies seen of a block, the representative one first.
    pub(super) fn of(&self, block: usize) -> Result<Vec<Seen>> {
        let mut bytes = Vec::new();
        let seen = self.tickets[block].iter().map(|&ticket| {
            self.stash.get(ticket, &mut bytes)?;
            serde_json::from_slice(&bytes).map_err(changed)
        });
        seen.collect()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what is mapped")]
fn changed(error: serde_json::Error) -> Error {
    Error::resource(format!("what was spilled has changed: {error}"))
}
