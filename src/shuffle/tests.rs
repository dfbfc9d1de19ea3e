//! The whole way, in and out, against a map.

use super::*;
use crate::{ErrorKind, Result};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    pub(super) key: u64,
    pub(super) value: u32,
}

impl Posting for Pair {
    const FIELDS: usize = 2;

    fn key(&self) -> u64 {
        self.key
    }

    fn split(&self, fields: &mut [u64]) {
        fields.copy_from_slice(&[self.key, self.value.into()]);
    }

    #[expect(clippy::cast_possible_truncation, reason = "as split gave them")]
    fn join(fields: &[u64]) -> Self {
        Self { key: fields[0], value: fields[1] as u32 }
    }
}

type Grouped = Vec<(u64, Vec<u32>)>;

fn area() -> Arc<SpillArea> {
    Arc::new(SpillArea::new(None).unwrap())
}

fn oracle(postings: &[Pair]) -> Grouped {
    let mut map: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for posting in postings {
        map.entry(posting.key).or_default().push(posting.value);
    }
    map.values_mut().for_each(|values| values.sort_unstable());
    map.into_iter().collect()
}

fn filled(area: &Arc<SpillArea>, postings: &[Pair], threads: usize, options: Options) -> Result<Shuffle<Pair>> {
    let shuffle = Shuffle::new(area, options)?;
    std::thread::scope(|scope| {
        let push = |part: usize| {
            // Several scatters a thread, the last one dropped with postings in it.
            for batch in postings[part * postings.len() / threads..(part + 1) * postings.len() / threads].chunks(700) {
                let mut scatter = shuffle.scatter();
                batch.iter().try_for_each(|&posting| scatter.push(posting))?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..threads).map(|part| scope.spawn(move || push(part))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap())
    })?;
    Ok(shuffle)
}

fn grouped(partitions: Vec<Partition<Pair>>, budget_bytes: usize) -> Result<Grouped> {
    let mut all = Vec::new();
    for mut partition in partitions {
        let (expected, mut len) = (partition.len(), 0);
        let mut groups = partition.open(budget_bytes)?;
        while let Some(mut group) = groups.next_group()? {
            let (key, mut count, mut values) = (group.key(), 0, Vec::new());
            group.for_each(|_| {
                count += 1;
                Ok(())
            })?;
            group.for_each(|posting| {
                assert_eq!(posting.key, key);
                values.push(posting.value);
                Ok(())
            })?;
            assert_eq!((count, values.len() as u64), (group.len(), group.len()));
            if let Some(slice) = group.as_slice() {
                assert!(slice.iter().map(|p| p.value).eq(values.iter().copied()));
            }
            len += group.len();
            all.push((key, values));
        }
        assert_eq!(len, expected);
    }
    Ok(all)
}

/// Keys of `bits` bits: spread, few, or nearly all the same.
fn postings(bits: u32) -> impl Strategy<Value = Vec<Pair>> {
    let mask = 1u64.checked_shl(bits).map_or(u64::MAX, |top| top - 1);
    let key = move |raw: u64, skew: u64| if raw % 10 < skew { mask / 3 } else { raw & mask };
    (0u64..=10, 0usize..3000).prop_flat_map(move |(skew, n)| {
        proptest::collection::vec((any::<u64>(), 0u32..50), n).prop_map(move |raw| {
            raw.into_iter().map(|(raw, value)| Pair { key: key(raw, skew), value }).collect::<Vec<_>>()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn groups_like_a_map(
        (key_bits, postings) in prop_oneof![Just(0u32), Just(1), Just(9), Just(33), Just(64)]
            .prop_flat_map(|bits| (Just(bits), postings(bits))),
        threads in 1usize..=4,
        push_budget in prop_oneof![Just(0usize), Just(4 << 10), Just(16 << 10), Just(1 << 20)],
        open_budget in prop_oneof![Just(0usize), Just(16 << 10), Just(1 << 20)],
    ) {
        let area = area();
        let options = Options { budget_bytes: push_budget, key_bits };
        let shuffle = filled(&area, &postings, threads, options).unwrap();
        let partitions = shuffle.finish().unwrap();
        prop_assert_eq!(grouped(partitions, open_budget).unwrap(), oracle(&postings));
        prop_assert_eq!(std::fs::read_dir(area.path()).unwrap().count(), 0, "read runs are removed");
        if push_budget == 1 << 20 && open_budget == 1 << 20 {
            prop_assert_eq!(area.bytes_written(), 0, "nothing is spilled while there is room");
        }
    }
}

const TINY: Options = Options { budget_bytes: 4 << 10, key_bits: 64 };

#[test]
fn one_hot_key_far_over_the_budget_is_read_twice() {
    let postings: Vec<Pair> = (0..100_000).rev().map(|value| Pair { key: 42, value }).collect();
    let area = area();
    let partitions = filled(&area, &postings, 4, TINY).unwrap().finish().unwrap();
    assert_eq!(partitions.len(), 1);
    assert!(grouped(partitions, 4 << 10).unwrap() == oracle(&postings));
    assert!(area.bytes_written() >= 2 * 100_000 * 2, "spilled, then spooled");
}

#[test]
fn an_empty_shuffle_has_no_partitions() {
    let area = area();
    assert!(filled(&area, &[], 2, TINY).unwrap().finish().unwrap().is_empty());
    assert_eq!(area.bytes_written(), 0);
}

#[test]
fn memory_stays_within_the_budget_while_pushing() {
    let postings: Vec<Pair> = (0..50_000u32).map(|value| Pair { key: crate::hash::mix(value.into()), value }).collect();
    for budget_bytes in [4 << 10, 64 << 10, 256 << 10] {
        let shuffle = filled(&area(), &postings, 2, Options { budget_bytes, key_bits: 64 }).unwrap();
        assert!(shuffle.bytes_in_chunks() <= budget_bytes);
        assert!(shuffle.bytes_in_chunks() >= budget_bytes / 2, "the budget is used");
    }
}

#[test]
fn keys_that_are_too_wide_are_an_error() {
    let shuffle = Shuffle::new(&area(), Options { budget_bytes: 0, key_bits: 8 }).unwrap();
    let error = shuffle.scatter().push(Pair { key: 256, value: 0 }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(Shuffle::<Pair>::new(&area(), Options { budget_bytes: 0, key_bits: 65 }).is_err());
}

#[test]
fn a_leaked_scatter_is_an_error() {
    let shuffle = Shuffle::new(&area(), TINY).unwrap();
    let mut scatter = shuffle.scatter();
    scatter.push(Pair { key: 1, value: 1 }).unwrap();
    std::mem::forget(scatter);
    assert!(shuffle.finish().unwrap_err().to_string().contains("leaked"));
}

#[test]
fn a_swallowed_panic_is_an_error() {
    let shuffle = Shuffle::<Pair>::new(&area(), TINY).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _scatter = shuffle.scatter();
        std::panic::resume_unwind(Box::new("quietly"));
    }));
    assert!(panicked.is_err() && shuffle.finish().is_err());
}

#[test]
fn more_scatters_than_the_budget_pays_for_still_work() {
    let postings: Vec<Pair> = (0..3000).map(|value| Pair { key: crate::hash::mix(value.into()), value }).collect();
    let shuffle = Shuffle::new(&area(), TINY).unwrap();
    let mut scatters: Vec<_> = std::iter::repeat_with(|| shuffle.scatter()).take(3).collect();
    for (i, &posting) in postings.iter().enumerate() {
        if i % 10 == 0 && scatters.len() < 200 {
            scatters.push(shuffle.scatter());
        }
        let turn = i % scatters.len();
        scatters[turn].push(posting).unwrap();
    }
    drop(scatters);
    assert!(grouped(shuffle.finish().unwrap(), 0).unwrap() == oracle(&postings));
}

#[test]
fn a_failed_spill_fails_every_push_and_the_end() {
    let area = area();
    let postings: Vec<Pair> = (0..9999).map(|value| Pair { key: u64::from(value), value }).collect();
    std::fs::remove_dir(area.path()).unwrap();
    let error = filled(&area, &postings, 3, TINY).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Resource);
    let shuffle = Shuffle::new(&area, TINY).unwrap();
    let mut scatter = shuffle.scatter();
    let failed = postings.iter().find_map(|&posting| scatter.push(posting).err()).unwrap();
    assert!(failed.path().is_some() && failed.to_string().contains("--temp-dir"), "{failed}");
    drop(scatter);
    assert!(shuffle.finish().is_err());
}

#[test]
fn a_damaged_run_is_found_whichever_way_it_is_read() {
    let postings: Vec<Pair> = (0..20_000).map(|value| Pair { key: u64::from(value), value }).collect();
    for open_budget in [4 << 10, 4 << 20] {
        let area = area();
        let partitions = filled(&area, &postings, 1, TINY).unwrap().finish().unwrap();
        let victim = std::fs::read_dir(area.path()).unwrap().next().unwrap().unwrap().path();
        let mut bytes = std::fs::read(&victim).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        std::fs::write(&victim, bytes).unwrap();
        let error = grouped(partitions, open_budget).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Resource, Some(victim.as_path())));
    }
}

#[test]
fn groups_stay_failed_after_a_failure() {
    let postings: Vec<Pair> = (0..20_000).map(|value| Pair { key: u64::from(value), value }).collect();
    let area = area();
    let mut partitions = filled(&area, &postings, 1, TINY).unwrap().finish().unwrap();
    let mut groups = partitions[0].open(4 << 10).unwrap();
    for entry in std::fs::read_dir(area.path()).unwrap() {
        let file = std::fs::OpenOptions::new().write(true).open(entry.unwrap().path()).unwrap();
        file.set_len(100).unwrap();
    }
    while groups.next_group().is_ok_and(|group| group.is_some()) {}
    assert!(groups.next_group().is_err());
}

#[test]
fn parts_can_be_opened_in_other_threads() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    is_send::<Partition<Pair>>();
    is_send::<Groups<'_, Pair>>();
    is_send::<Scatter<'_, Pair>>();
    is_sync::<Shuffle<Pair>>();
    is_sync::<SpillArea>();
}
