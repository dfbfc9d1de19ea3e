//! What follows from what was found: which documents go ([`crate::near`] decides that), and what is cut from the rest.

pub mod strip;
