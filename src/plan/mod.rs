//! What goes and what stays, as a value that can be printed, saved, reviewed and applied.
//!
//! [`lines`] are the rows of the outputs; [`edit`] says which stretches of a document go, [`strip`] turns them into clean
//! cuts. Which documents go is decided by
//! [`crate::near`].

pub mod edit;
pub mod lines;
pub mod strip;
