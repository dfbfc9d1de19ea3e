//! Finds near-duplicate documents and repeated blocks of text in big corpora, and strips them.
pub mod block;
pub mod engine;
pub mod error;
pub mod hash;
pub mod io;
mod lease;
pub mod near;
pub mod plan;
pub mod record;
pub mod shuffle;
pub mod span;
pub mod text;

pub use error::{Error, ErrorKind, Result};
