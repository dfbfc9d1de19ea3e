//! For the fuzzer: bytes as a run file, as a block of one, and as postings to pack.

use super::Posting;
use super::area::SpillArea;
use super::pack::{pack, unpack};
use super::run::{RunReader, RunWriter};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Probe(u64, u32);

impl Posting for Probe {
    const FIELDS: usize = 2;
    fn key(&self) -> u64 {
        self.0
    }
    fn split(&self, fields: &mut [u64]) {
        fields.copy_from_slice(&[self.0, self.1.into()]);
    }
    #[expect(clippy::cast_possible_truncation, reason = "as split gave them")]
    fn join(fields: &[u64]) -> Self {
        Self(fields[0], fields[1] as u32)
    }
}

/// Whatever the bytes: postings or an error, and what is packed comes back.
pub fn probe_run(bytes: &[u8]) {
    let mut block = bytes.to_vec();
    let _ = unpack::<Probe>(&mut block, bytes.len().min(300), &mut Vec::new());
    let of =
        |chunk: &[u8]| Probe::join(&[0, 8].map(|at| u64::from_le_bytes(std::array::from_fn(|i| chunk[(at + i) % 12]))));
    let postings: Vec<Probe> = bytes.chunks_exact(12).map(of).collect();
    if !postings.is_empty() {
        let (mut packed, mut back): (Vec<u8>, Vec<Probe>) = (Vec::new(), Vec::new());
        pack(&postings, &mut packed);
        assert!(unpack(&mut packed, postings.len(), &mut back).is_some() && back == postings);
    }
    if bytes.first().is_some_and(|first| first % 16 != b'd' % 16) {
        return;
    }
    let area = Arc::new(SpillArea::new(Some("/dev/shm".as_ref())).expect("memory"));
    let mut writer = RunWriter::<Probe>::create(&area, 8).expect("memory");
    postings.iter().for_each(|posting| writer.push(posting).expect("memory"));
    let run = writer.finish().expect("memory");
    let whole: Vec<Probe> = run.read().and_then(Iterator::collect).expect("as it was written");
    assert_eq!(whole, postings);
    let path = area.path().join("fuzzed");
    std::fs::write(&path, bytes).expect("memory");
    if let Ok(reader) = RunReader::<Probe>::open(&path, bytes.len() as u64, 8) {
        reader.take(1000).take_while(Result::is_ok).for_each(drop);
    }
}
