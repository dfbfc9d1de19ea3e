//! Everything that is tested from outside, in one binary: a module per promise.
//!
//! - `borders`: formats, pipes, options from a file, the first walk of a new user.
//! - `cases`: what goes and what stays, as TOML in `fixtures/cases`; a new case needs no Rust.
//! - `cli`: every command in the README and in `tests/cmd` is run and its output compared.
//! - `faults`: killed, stopped, out of room, changed under its feet: nothing half-made, and the next run is the same.
//! - `faults_calls`: the same when a call of the system fails, each in its turn.
//! - `report`: hostile text in the HTML report stays text; opened in Chromium where there is one.
//! - `reviewed`: what a person decided about blocks goes before every rule; stripping twice is stripping once.
//! - `hostile`: loads and files made to hurt; no panic, no hang, nothing lost.
//! - `near`: who goes because of whom: exact similarities, any order, any threshold, preferred sources, site chrome.
//! - `oracle`: what the fast way finds is what the definition says; nothing is lost.
//! - `steady`: same input and options, same bytes, whatever the threads, the memory and the files.
//! - `stores`: object stores and web servers; the S3 server is got by `tests/servers.sh`.
//! - `tidy`: who may name whom in `src`, and other rules of the house.
//!
//! Run all with `cargo test`, one module with `cargo test --test main cases`. After a wanted change of what the command
//! prints, `TRYCMD=overwrite cargo test --test main cli` writes the new output into `tests/cmd`.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its fixtures must fail")]

mod borders;
mod cases;
mod cli;
#[path = "../benches/corpus/mod.rs"]
mod corpus;
mod faults;
mod faults_calls;
mod hostile;
mod near;
mod oracle;
mod report;
mod reviewed;
mod steady;
mod stores;
mod tidy;

/// The command that is tested.
fn binary() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_BIN_EXE_descale"))
}
