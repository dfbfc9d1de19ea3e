//! What a person looks at: `report.html`, one page that needs nothing else.
//!
//! [`html`] writes the page from the lines of the outputs, in one pass over blocks and clusters and in constant memory.
//! The page holds the weightiest rows (`best`), at most [`MAX_ROWS`] of each kind, and says so; of the first
//! [`MAX_FULL_ROWS`] it shows everything: evidence, examples in context, texts side by side. Which texts it compares a
//! [`Gallery`] chooses before the input is read for the last time.
//!
//! Texts are foreign and may be hostile. They travel as JSON in which no markup can occur, the page's script puts them
//! in place as text nodes, the Content-Security-Policy allows that script and that style sheet by their hashes and
//! nothing else, and control characters are shown, not obeyed. What is not JSON goes through `escape`.
//!
//! The same plan gives the same bytes: the page says nothing of times, threads or memory.

mod best;
mod chart;
pub mod diff;
mod escape;
mod gallery;
mod html;
mod picture;
mod rows;
pub mod schema;
pub mod slots;

pub(crate) use escape::commands;
pub use gallery::{Cluster, Excerpt, Gallery, Group};
pub use html::html;
pub use picture::Picture;

/// Most blocks, and most clusters, that the page holds.
pub const MAX_ROWS: usize = 10_000;
/// Most of them that come with all details: a page of a few MB opens at once on a phone.
pub const MAX_FULL_ROWS: usize = 500;
