//! Finds near-duplicate documents and repeated blocks of text in big corpora, and strips them.
//!
//! The command `descale` is a thin face of this library. Whole corpora on disk go through [`engine::run`]:
//!
//! ```
//! use descale::engine::{self, Options, Silent};
//!
//! let folder = tempfile::tempdir()?;
//! let input = folder.path().join("pages.jsonl");
//! let notice = "We use cookies to keep this site running. By staying you agree that we count your visits.";
//! std::fs::write(
//!     &input,
//!     ["A bakery reopens.", "A bridge is closed.", "A lamp went out."]
//!         .map(|text| format!("{{\"text\":\"{text}\\n\\n{notice}\"}}\n"))
//!         .concat(),
//! )?;
//! let options = Options {
//!     inputs: vec![input.display().to_string()],
//!     out: Some(folder.path().join("out")),
//!     ..Options::default()
//! };
//! let summary = engine::run(&options, &Silent)?;
//! assert_eq!(summary.inputs.records, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The parts are there on their own, pure functions over slices. How alike are two texts?
//!
//! ```
//! use descale::near::{Near, Options, verify};
//! use descale::text::{Tokens, tokenize};
//!
//! let near = Near::new(&Options { shingle_tokens: 2, ..Options::default() })?;
//! let set = |text: &str| {
//!     let (mut tokens, mut set) = (Tokens::default(), Vec::new());
//!     tokenize(text, &mut tokens);
//!     near.shingle_set(&tokens.hashes, &mut set);
//!     set
//! };
//! let similarity = verify::jaccard(&set("One, two, three, four."), &set("one two three five"));
//! assert_eq!(similarity, 0.5);
//! # Ok::<(), descale::Error>(())
//! ```
//!
//! In reading order: the words [`error`], [`span`], [`record`], [`hash`]; the pure core [`text`], [`near`], [`block`],
//! [`plan`]; the machinery [`shuffle`]; the borders [`io`]; the conductors [`engine`].

pub mod block;
#[cfg(feature = "cli")]
pub mod cli;
pub mod cpu;
pub mod engine;
pub mod error;
pub mod hash;
pub mod io;
mod lease;
pub mod near;
pub mod plan;
mod ranked;
pub mod record;
pub mod report;
pub mod shuffle;
pub mod span;
pub mod text;

pub use error::{Error, ErrorKind, Result};
