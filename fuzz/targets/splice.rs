//! Cutting raw JSON is cutting its text: whatever the escapes and wherever the cuts.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, Vec<(u16, u16)>)| descale::io::probe_splice(input.0, &input.1));
