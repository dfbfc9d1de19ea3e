//! Which blocks of text repeat, within a document and across documents, and which of them are boilerplate?
//!
//! Winnow to find, then look at every gram inside what was found before counting and deciding: sparse seeds decide
//! badly. In reading order:
//! [`winnow`] (seeds), [`chain`] (regions, links, stretches), [`layout`] (how a token stands on the page),
//! [`template`] (evidence), [`decide`] (boilerplate or not, and why), [`bank`] (finds the altered copies of a decided
//! block), [`page`] (running heads and feet), [`options`] (every number).
//!
//! Frequent seeds are counted, never dropped and never enumerated in pairs: they are the boilerplate. Everything here
//! is a pure function over slices; `engine::block` runs it over a corpus.

pub mod bank;
pub mod chain;
pub mod decide;
#[cfg(target_arch = "x86_64")]
mod kernel;
pub mod layout;
pub mod letters;
pub mod options;
pub mod page;
pub mod template;
pub mod winnow;

pub use options::{KeepCopies, Options, Protect};
