//! Values by document, in document order: what one pass finds and the next one looks up.

use crate::{
    Result,
    shuffle::{Stash, Ticket},
};

/// Rows sorted by document; a document may have several.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    rows: Vec<(u32, T)>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

impl<T> Table<T> {
    /// From rows that ascend by document.
    pub(super) fn from_sorted(rows: Vec<(u32, T)>) -> Self {
        debug_assert!(rows.is_sorted_by_key(|r| r.0), "rows ascend by document");
        Self { rows }
    }

    /// Appends a row; documents ascend.
    pub(super) fn push(&mut self, doc: u32, value: T) {
        debug_assert!(self.rows.last().is_none_or(|r| r.0 <= doc), "rows ascend by document");
        self.rows.push((doc, value));
    }

    /// The rows of a document.
    pub(super) fn of(&self, doc: u32) -> &[(u32, T)] {
        let start = self.rows.partition_point(|r| r.0 < doc);
        let len = self.rows[start..].partition_point(|r| r.0 == doc);
        &self.rows[start..start + len]
    }

    /// Whether a document has a row.
    pub(super) fn has(&self, doc: u32) -> bool {
        let start = self.rows.partition_point(|r| r.0 < doc);
        self.rows.get(start).is_some_and(|r| r.0 == doc)
    }

    /// The one row of a document.
    pub(super) fn get(&self, doc: u32) -> Option<&T> {
        self.of(doc).first().map(|r| &r.1)
    }

    /// All rows in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.rows.iter().map(|(doc, value)| (*doc, value))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// The names of documents that the plan speaks of.
pub(super) struct Names {
    stash: Stash,
    tickets: Table<Ticket>,
}

impl Names {
    pub(super) fn new(stash: Stash) -> Self {
        Self { stash, tickets: Table::default() }
    }

    /// Adds a name; documents ascend.
    pub(super) fn push(&mut self, doc: u32, name: &str) -> Result<()> {
        let ticket = self.stash.put(name.as_bytes())?;
        self.tickets.push(doc, ticket);
        Ok(())
    }

    /// The documents with a name, ascending.
    pub(super) fn docs(&self) -> impl Iterator<Item = u32> + '_ {
        self.tickets.iter().map(|(doc, _)| doc)
    }

    /// The name of a document, empty if it was never added.
    pub(super) fn get(&self, doc: u32) -> Result<String> {
        let mut bytes = Vec::new();
        if let Some(&ticket) = self.tickets.get(doc) {
            self.stash.get(ticket, &mut bytes)?;
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
