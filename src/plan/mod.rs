//! What goes and what stays, as a value that can be printed, saved, reviewed and applied.

pub mod lines;
