//! A whole run over any bytes is results or an error, and results give the input back.
#![no_main]
use descale::engine::{self, OnBadRecord, Options, Silent};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let root = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    let [input, out, back] = ["in.jsonl", "out", "back"].map(|name| root.path().join(name));
    std::fs::write(&input, bytes).expect("room in memory");
    let options = Options {
        inputs: vec![input.to_string_lossy().into_owned()],
        out: Some(out.clone()),
        threads: 1,
        memory_bytes: 16 << 20,
        on_bad_record: OnBadRecord::Skip,
        ..Options::default()
    };
    if engine::run(&options, &Silent).is_ok() {
        engine::restore(&out, &back, &Silent).expect("results are restored");
        assert_eq!(std::fs::read(back.join("in.jsonl")).expect("it is there"), bytes);
    }
});
