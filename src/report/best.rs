//! The first rows of a stream by rank, in bounded memory.

/// Keeps the rows that rank first, whatever the order in which they come. No two rows may have the same rank.
///
/// The very first ones are kept in full; a row that falls behind them is made light, and can never come back. At most
/// `limit` light and twice `full` full rows are held. `O(log limit)` amortised a row where `full` is a fixed part of `limit`.
pub(super) struct Best<R, T> {
    limit: usize,
    full: usize,
    lighten: fn(&mut T),
    rows: Vec<(R, T)>,
    pending: usize,
    seen: u64,
}

impl<R: Ord, T> Best<R, T> {
    /// Of `limit` rows.
    pub(super) fn new(limit: usize) -> Self {
        Self::lightened(limit, limit, |_| ())
    }

    /// Of `limit` rows, of which those behind the first `full` are made light.
    pub(super) fn lightened(limit: usize, full: usize, lighten: fn(&mut T)) -> Self {
        Self { limit, full, lighten, rows: Vec::new(), pending: 0, seen: 0 }
    }

    /// Offers a row; it is made only if it may stay.
    pub(super) fn offer(&mut self, rank: R, row: impl FnOnce() -> T) {
        self.seen += 1;
        let sorted = self.rows.len() - self.pending;
        let last = sorted.checked_sub(1).filter(|_| sorted == self.limit).map(|at| &self.rows[at].0);
        if last.is_some_and(|last| *last < rank) || self.limit == 0 {
            return;
        }
        self.rows.push((rank, row()));
        self.pending += 1;
        if self.pending >= self.full.max(1) {
            self.compact();
        }
    }

    /// Rows offered so far.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// The best, first rank first.
    pub(super) fn finish(mut self) -> Vec<T> {
        self.compact();
        self.rows.into_iter().map(|(_, row)| row).collect()
    }

    fn compact(&mut self) {
        self.rows.sort_by(|a, b| a.0.cmp(&b.0));
        self.rows.truncate(self.limit);
        self.rows.iter_mut().skip(self.full).for_each(|(_, row)| (self.lighten)(row));
        self.pending = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_best_are_those_that_sorting_puts_first(
            ranks in proptest::collection::hash_set(0u32..99, 0..40),
            limit in 0usize..12,
            full in 0usize..12,
        ) {
            let mut best = Best::lightened(limit, full, |row: &mut (u32, bool)| row.1 = true);
            let mut all: Vec<u32> = ranks.into_iter().collect();
            all.iter().for_each(|&rank| best.offer(rank, || (rank, false)));
            prop_assert_eq!(best.seen(), all.len() as u64);
            all.sort_unstable();
            all.truncate(limit);
            let expected: Vec<_> = all.into_iter().enumerate().map(|(at, rank)| (rank, at >= full)).collect();
            prop_assert_eq!(best.finish(), expected);
        }
    }
}
