//! One source, many workers, one sink, all at once: what is taken from the source is worked on by all threads and handed on
//! in the order in which it was taken.
//!
//! No thread waits until others are done: each takes the next thing when it has put its last one down, as long as what was
//! taken and not handed on stays within bounds. Whoever puts down what is next in order hands on what is ready, while the
//! others work. So nothing downstream depends on threads, an error neither: it is that of the first thing in order that has
//! one, and all before it were handed on.

use crate::shuffle::lock;
use crate::{Error, Result};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

/// Things that may be out for each thread: enough that nobody waits for a slow one.
const AHEAD: usize = 4;

/// How many things may be out where nothing else bounds them.
pub(super) fn ahead() -> usize {
    AHEAD * rayon::current_num_threads()
}

/// How much may be taken and not handed on; one thing may always be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) things: usize,
    /// Nothing is taken while so many are out, as the source counts them: what is taken last may go beyond.
    pub(super) bytes: usize,
}

/// Takes from `next`, with its bytes, until there is none; `work` on it by all threads of the pool, each at a desk of its
/// own; `each` of the results in order. None of the three may call it again: all threads are taken.
///
/// # Errors
/// The first in order, of whichever of the three.
pub(super) fn flow<D: Default, T, R: Send>(
    bounds: Bounds,
    next: impl FnMut(&mut D) -> Result<Option<(T, usize)>> + Send,
    work: impl Fn(&mut D, T) -> Result<R> + Sync,
    each: impl FnMut(R) -> Result<()> + Send,
) -> Result<()> {
    let (next, each) = (Mutex::new(next), Mutex::new(each));
    let belt = Belt { bounds, state: Mutex::default(), room: Condvar::new() };
    rayon::broadcast(|_| {
        let _stop = StopsOnPanic(&belt);
        let mut desk = D::default();
        let take = |desk: &mut D| {
            let mut next = next.lock().ok()?;
            belt.wait_for_room().then(|| belt.took(next(desk))).flatten()
        };
        let hand_on = || belt.hand_on(|result| lock(&each)(result));
        while let Some((number, thing)) = take(&mut desk) {
            belt.put(number, work(&mut desk, thing));
            hand_on();
        }
        // What ended the source may be an error, and no thing after it.
        hand_on();
    });
    belt.state.into_inner().unwrap_or_else(PoisonError::into_inner).error.map_or(Ok(()), Err)
}

/// [`flow`] of things that are at hand, of which `most` may be out.
///
/// # Errors
/// The first in order, of either.
pub(super) fn in_order<T, R: Send>(
    most: usize,
    mut things: impl Iterator<Item = T> + Send,
    make: impl Fn(T) -> Result<R> + Sync,
    each: impl FnMut(R) -> Result<()> + Send,
) -> Result<()> {
    let bounds = Bounds { things: most, bytes: usize::MAX };
    flow(bounds, |(): &mut ()| Ok(things.next().map(|thing| (thing, 0))), |(), thing| make(thing), each)
}

/// What is under way.
struct Belt<R> {
    bounds: Bounds,
    state: Mutex<State<R>>,
    /// Something was handed on, or nothing more is taken.
    room: Condvar,
}

struct State<R> {
    /// What was taken and not handed on, in order: the bytes, and the result when it is there.
    places: VecDeque<(usize, Option<Result<R>>)>,
    /// The number of the first of them.
    first: u64,
    /// Their bytes.
    bytes: usize,
    is_handing: bool,
    /// Nothing more is taken.
    is_over: bool,
    error: Option<Error>,
}

impl<R> Default for State<R> {
    fn default() -> Self {
        Self { places: VecDeque::new(), first: 0, bytes: 0, is_handing: false, is_over: false, error: None }
    }
}

impl<R> State<R> {
    fn has_room(&self, bounds: Bounds) -> bool {
        self.places.is_empty() || (self.places.len() < bounds.things && self.bytes < bounds.bytes)
    }

    /// Nothing more is taken, worked on or handed on.
    fn stop(&mut self) {
        self.is_over = true;
        self.places.clear();
    }

    /// The first result in order, where it is there.
    fn ready(&mut self) -> Option<Result<R>> {
        self.places.front()?.1.as_ref()?;
        let (bytes, result) = self.places.pop_front()?;
        self.first += 1;
        self.bytes -= bytes;
        result
    }
}

impl<R> Belt<R> {
    /// Whether something more is to be taken, once there is room for it. Some other thread is at work where there is none.
    fn wait_for_room(&self) -> bool {
        let full = |state: &mut State<R>| !state.is_over && !state.has_room(self.bounds);
        let state = self.room.wait_while(lock(&self.state), full).unwrap_or_else(PoisonError::into_inner);
        !state.is_over
    }

    /// Gives what was taken a number. An error is a result, and the last one.
    fn took<T>(&self, taken: Result<Option<(T, usize)>>) -> Option<(u64, T)> {
        let mut state = lock(&self.state);
        if state.is_over {
            return None;
        }
        let number = state.first + state.places.len() as u64;
        match taken {
            Ok(Some((thing, bytes))) => {
                state.places.push_back((bytes, None));
                state.bytes += bytes;
                return Some((number, thing));
            }
            Ok(None) => {}
            Err(error) => state.places.push_back((0, Some(Err(error)))),
        }
        state.is_over = true;
        None
    }

    fn put(&self, number: u64, result: Result<R>) {
        let mut state = lock(&self.state);
        // Nobody asks for it any more where there was an error.
        let at = number.checked_sub(state.first).and_then(|at| usize::try_from(at).ok());
        if let Some(place) = at.and_then(|at| state.places.get_mut(at)) {
            place.1 = Some(result);
        }
    }

    /// Hands on what is ready, if nobody does.
    fn hand_on(&self, mut each: impl FnMut(R) -> Result<()>) {
        let mut state = lock(&self.state);
        if state.is_handing {
            return;
        }
        state.is_handing = true;
        while let Some(result) = state.ready() {
            drop(state);
            self.room.notify_all();
            let handed = result.and_then(&mut each);
            state = lock(&self.state);
            if let Err(error) = handed {
                state.stop();
                state.error = Some(error);
            }
        }
        state.is_handing = false;
        self.room.notify_all();
    }
}

/// Ends the work of the others where that of one panics: its result will never come.
struct StopsOnPanic<'a, R>(&'a Belt<R>);

impl<R> Drop for StopsOnPanic<'_, R> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(&self.0.state).stop();
            self.0.room.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Where a run goes wrong: at which thing, in which of the three.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum At {
        Next(usize),
        Work(usize),
        Each(usize),
    }

    fn at() -> impl Strategy<Value = At> {
        prop_oneof![(0usize..40).prop_map(At::Next), (0usize..40).prop_map(At::Work), (0usize..40).prop_map(At::Each)]
    }

    /// What was handed on, the error, and how many things and bytes were out at most.
    fn run(
        sizes: &[usize],
        threads: usize,
        bounds: Bounds,
        wrong: &[At],
    ) -> (Vec<usize>, Option<String>, usize, usize) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (things, bytes, most) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new((0, 0)));
        let fail = |at: At| if wrong.contains(&at) { Err(Error::input(format!("{at:?}"))) } else { Ok(()) };
        let (mut at, mut handed) = (0, Vec::new());
        let next = |_: &mut ()| {
            fail(At::Next(at))?;
            let Some(&size) = sizes.get(at) else { return Ok(None) };
            let out = (things.fetch_add(1, Ordering::SeqCst) + 1, bytes.fetch_add(size, Ordering::SeqCst) + size);
            let mut most = most.lock().unwrap();
            *most = (most.0.max(out.0), most.1.max(out.1));
            at += 1;
            Ok(Some((at - 1, size)))
        };
        let work = |(): &mut (), thing: usize| {
            (0..sizes[thing]).for_each(|_| std::thread::yield_now());
            fail(At::Work(thing)).map(|()| thing)
        };
        let each = |thing: usize| {
            fail(At::Each(thing))?;
            things.fetch_sub(1, Ordering::SeqCst);
            bytes.fetch_sub(sizes[thing], Ordering::SeqCst);
            handed.push(thing);
            Ok(())
        };
        let error = pool.install(|| flow(bounds, next, work, each)).err();
        let most = *most.lock().unwrap();
        (handed, error.map(|error| error.to_string()), most.0, most.1)
    }

    proptest! {
        #[test]
        fn all_is_handed_on_in_order_up_to_the_first_error(
            sizes in proptest::collection::vec(0usize..9, 0..40),
            threads in 1usize..5,
            (things, bytes) in (1usize..9, 1usize..30),
            wrong in proptest::collection::vec(at(), 0..3),
        ) {
            let (handed, error, most_things, most_bytes) = run(&sizes, threads, Bounds { things, bytes }, &wrong);
            let of = |at: &At| match *at {
                At::Next(at) if at <= sizes.len() => Some((at, 0)),
                At::Work(at) if at < sizes.len() => Some((at, 1)),
                At::Each(at) if at < sizes.len() => Some((at, 2)),
                _ => None,
            };
            let first = wrong.iter().filter(|at| of(at).is_some()).min_by_key(|at| of(at));
            let expected = first.and_then(of).map_or(sizes.len(), |first| first.0);
            prop_assert_eq!(handed, (0..expected).collect::<Vec<_>>());
            match (first, &error) {
                (Some(at), Some(error)) => prop_assert!(error.contains(&format!("{at:?}")), "{} for {:?}", error, at),
                (first, error) => prop_assert!(first.is_none() && error.is_none(), "{:?} {:?}", first, error),
            }
            // What is being handed on is no longer counted.
            prop_assert!(most_things <= things + 1, "{} of {}", most_things, things);
            prop_assert!(most_bytes <= bytes + 16, "{} of {}", most_bytes, bytes);
        }
    }

    #[test]
    fn several_are_worked_on_at_once() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let together = std::sync::Barrier::new(3);
        let meet = |_: usize| {
            together.wait();
            Ok(())
        };
        pool.install(|| in_order(3, 0..9, meet, |()| Ok(()))).unwrap();
    }

    #[test]
    fn a_panic_reaches_the_caller_and_nobody_waits_for_what_never_comes() {
        for threads in [1, 2, 4] {
            for part in 0..3 {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let fail = |of: usize, at: usize| assert!(of != part || at != 5, "as is to be seen");
                let mut at = 0;
                let next = |_: &mut ()| {
                    at += 1;
                    fail(0, at);
                    Ok((at < 1000).then_some((at, 1)))
                };
                let work = |(): &mut (), at: usize| {
                    fail(1, at);
                    Ok(at)
                };
                let each = |at: usize| {
                    fail(2, at);
                    Ok(())
                };
                let bounds = Bounds { things: 3, bytes: 99 };
                let run = std::panic::AssertUnwindSafe(|| pool.install(|| flow(bounds, next, work, each)));
                assert!(std::panic::catch_unwind(run).is_err(), "{threads} threads, part {part}");
            }
        }
    }
}
