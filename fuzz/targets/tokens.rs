//! Every vector kernel makes the tokens of the portable one; a token keeps a span of whole characters.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| descale::text::probe_kernels(text));
