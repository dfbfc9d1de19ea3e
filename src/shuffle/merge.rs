//! How sorted streams become one: a loser tree, one comparison a level.
//!
//! A tournament over the heads of `k` streams keeps in every inner node the loser of the match played there; taking
//! the winner replays only its own path (Knuth, *The Art of Computer Programming* 3, 5.4.1). `log2 k` comparisons a
//! posting, half of what a binary heap asks. Equal postings are identical, so their order needs no tie-break.

use super::Posting;
use super::area::SpillArea;
use super::run::{Run, RunReader, RunWriter};
use crate::Result;
use std::sync::Arc;

/// The most runs read at once, where memory has a block for each; more are merged in rounds.
pub(super) const MAX_FAN_IN: usize = 1024;

/// The merge of sorted streams.
#[derive(Debug)]
pub(super) struct Merge<P, S> {
    streams: Vec<S>,
    /// Next posting of every stream; `None` when it has ended.
    heads: Vec<Option<P>>,
    /// The tree, heap-shaped: node `n` has the children `2n` and `2n + 1`, stream `s` is the leaf `k + s`.
    losers: Vec<usize>,
    winner: usize,
}

impl<P: Posting, S: Iterator<Item = Result<P>>> Merge<P, S> {
    /// Reads the first posting of every stream.
    pub(super) fn new(mut streams: Vec<S>) -> Result<Self> {
        let heads = streams.iter_mut().map(|s| s.next().transpose()).collect::<Result<Vec<_>>>()?;
        let k = streams.len();
        let mut merge = Self { streams, heads, losers: vec![0; k], winner: 0 };
        let mut winners: Vec<usize> = (0..2 * k).map(|leaf| leaf.saturating_sub(k)).collect();
        for node in (1..k).rev() {
            let (left, right) = (winners[2 * node], winners[2 * node + 1]);
            let (winner, loser) = if merge.beats(right, left) { (right, left) } else { (left, right) };
            winners[node] = winner;
            merge.losers[node] = loser;
        }
        merge.winner = winners.get(1).copied().unwrap_or(0);
        Ok(merge)
    }

    /// The smallest posting left.
    #[inline]
    pub(super) fn peek(&self) -> Option<P> {
        self.heads.get(self.winner).copied().flatten()
    }

    /// Takes the smallest posting and refills its stream.
    #[inline]
    pub(super) fn pop(&mut self) -> Result<Option<P>> {
        let Some(posting) = self.peek() else { return Ok(None) };
        let mut playing = self.winner;
        self.heads[playing] = self.streams[playing].next().transpose()?;
        let mut node = usize::midpoint(playing, self.streams.len());
        while node > 0 {
            if self.beats(self.losers[node], playing) {
                std::mem::swap(&mut self.losers[node], &mut playing);
            }
            node /= 2;
        }
        self.winner = playing;
        Ok(Some(posting))
    }

    /// Writes all that is left as one run.
    pub(super) fn write(mut self, area: &Arc<SpillArea>, block: usize) -> Result<Run> {
        let mut writer = RunWriter::create(area, block)?;
        while let Some(posting) = self.pop()? {
            writer.push(&posting)?;
        }
        writer.finish()
    }

    #[inline]
    fn beats(&self, a: usize, b: usize) -> bool {
        match (&self.heads[a], &self.heads[b]) {
            (Some(a), Some(b)) => a < b,
            (head, _) => head.is_some(),
        }
    }
}

/// Merges the smallest runs until at most `fan_in` are left; every posting is rewritten as rarely as can be.
pub(super) fn reduce<P: Posting>(
    runs: &mut Vec<Run>,
    fan_in: usize,
    area: &Arc<SpillArea>,
    block: usize,
) -> Result<()> {
    while runs.len() > fan_in {
        runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
        let merged = fan_in.min(runs.len() - fan_in + 1);
        let smallest = runs.split_off(runs.len() - merged);
        let readers = smallest.iter().map(Run::read).collect::<Result<Vec<RunReader<P>>>>()?;
        runs.push(Merge::new(readers)?.write(area, block)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::Pair;
    use super::*;
    use proptest::prelude::*;

    fn drained(lists: &[Vec<Pair>]) -> Vec<Pair> {
        let streams = lists.iter().map(|list| list.iter().copied().map(Ok)).collect();
        let mut merge = Merge::new(streams).unwrap();
        std::iter::from_fn(|| merge.pop().unwrap()).collect()
    }

    proptest! {
        #[test]
        fn merges_any_number_of_lists(
            raw in proptest::collection::vec(proptest::collection::vec((0u64..50, 0u32..3), 0..20), 0..20),
        ) {
            let lists: Vec<Vec<Pair>> = raw
                .iter()
                .map(|list| {
                    let mut list: Vec<_> = list.iter().map(|&(key, value)| Pair { key, value }).collect();
                    list.sort_unstable();
                    list
                })
                .collect();
            let mut expected = lists.concat();
            expected.sort_unstable();
            prop_assert_eq!(drained(&lists), expected);
        }
    }

    #[test]
    fn rounds_lose_nothing_and_clean_up() {
        let area = Arc::new(SpillArea::new(None).unwrap());
        for fan_in in 2..5 {
            let single = |value| Merge::new(vec![std::iter::once(Ok(Pair { key: 1, value }))]).unwrap();
            let mut runs: Vec<Run> = (0..23).map(|value| single(value).write(&area, 4).unwrap()).collect();
            reduce::<Pair>(&mut runs, fan_in, &area, 4).unwrap();
            assert_eq!(runs.len(), fan_in);
            assert_eq!(std::fs::read_dir(area.path()).unwrap().count(), fan_in, "merged runs are removed");
            let mut values: Vec<u32> =
                runs.iter().flat_map(|run| run.read::<Pair>().unwrap()).map(|p| p.unwrap().value).collect();
            values.sort_unstable();
            assert_eq!(values, (0..23).collect::<Vec<_>>());
        }
    }
}
