//! A run file, or a block of one, of any bytes is postings or an error; what is packed comes back.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| descale::shuffle::probe_run(bytes));
