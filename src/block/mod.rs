//! Which blocks of text repeat, within a document and across documents, and which of them are boilerplate?
//!
//! Winnow to find, then look at every gram inside what was found before counting and deciding: sparse seeds decide
//! badly. In reading order:
//! [`winnow`] (seeds), [`chain`] (regions, links, stretches), [`marks`] and [`layout`] (how a token stands on the page), [`strange`] (words a document uses nowhere else), [`passage`]
//! (the run of repeated text a stretch lies in), [`template`] and [`sites`] (evidence), [`decide`] (boilerplate or not, and why),
//! [`judge`] (the verdict with the places it bears on), [`bank`] (finds the altered copies of a decided block), [`page`] (running
//! heads and feet), [`reading`] (a document without them), [`dense`] (its grams worth counting), [`options`] (every number).
//!
//! What feeds what, a document or a group of one key at a time:
//!
//! 1. document -> [`reading::Reading`] (running lines set aside), [`winnow::seeds`] over what is left.
//! 2. seed -> count; document -> [`chain::regions`] ([`Options::region_margin`]), [`dense::Dense`]; gram -> count: hits,
//!    numbered.
//! 3. document -> [`chain::links`] ([`Options::reach`]); link -> [`chain::is_linked`]; components of links are templates.
//! 4. document -> [`template::copies_of_hits`], which looks the passages up ([`PASSAGE_GAP`]).
//! 5. template -> [`judge::Template::of`]: [`template::evidence`], [`sites::Sites::spread`], [`decide::decide`],
//!    [`template::sprees`]. Of a template
//!    that goes, the copies that are whole ([`template::Evidence::is_whole`]) and in no spree are stripped; those in a
//!    spree are spared.
//! 6. accepted templates, most documents first, then longest ([`judge::worth`]) -> their medoids' letters, where
//!    at most [`EXTEND_BELOW_EQUAL`] copies are equal extended to what [`letters::agreed`] of four other copies, over the
//!    numbers and lines that differ ([`letters::follow`], [`judge::extended`]) -> [`bank::Bank`].
//! 7. document -> [`bank::Bank::find`]; a match is stripped if it touches no spared copy and overlaps a stripped one or
//!    [`bank::Match::is_sure`]; a template with too many of the latter kind ([`bank::is_flood`]) adds none.
//! 8. document -> [`crate::plan::edit::pieces`] and [`crate::plan::edit::cuts`], which leave program code at the ends of
//!    a block where it is ([`crate::plan::strip::without_code`]).
//!
//! Frequent seeds are counted, never dropped and never enumerated in pairs: they are the boilerplate. Everything here
//! is a pure function over slices; `engine::block` runs it over a corpus, the Python package over a table that Spark holds.

pub mod bank;
pub mod chain;
pub mod decide;
pub mod dense;
pub mod judge;
#[cfg(target_arch = "x86_64")]
mod kernel;
pub mod layout;
pub mod letters;
pub mod marks;
pub mod options;
pub mod page;
pub mod passage;
pub mod reading;
pub mod sites;
pub mod strange;
pub mod template;
pub mod winnow;

pub use options::{KeepCopies, Options, Protect};

/// Tokens on both sides of a repeated seed that are looked at gram by gram: two windows' guarantee, so that the words
/// behind a changed name or number at the end of a block are seen as well.
pub const REGION_MARGIN: u32 = 24;
/// Most tokens without a repeated gram inside a passage: one changed word hides four grams, two near ones eight.
/// At 12, blocks run into the text beside them (paged text: damage .010 against .007).
pub const PASSAGE_GAP: u32 = 8;
/// Stretches of a template at most this many tokens apart are one copy; the same reach joins grams into templates.
/// On text with planted altered blocks 12 and 24 find the same; a longer reach bridges more foreign words.
pub const MAX_GAP: u32 = 12;
/// Up to so many equal copies, the representative may be cut short by errors near its ends; more show the true ends. At 5,
/// what follows a block in many documents goes with it (paged text: tables of contents, damage .0066 against .0058).
pub const EXTEND_BELOW_EQUAL: u32 = 2;
/// Fewest letters by which a representative is extended on one side; less is chance.
pub const MIN_EXTENSION: usize = 10;
