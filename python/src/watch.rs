//! A run under Python's eyes: the work goes on in a thread of its own without the interpreter's lock, while the calling
//! thread wakes up now and then to look for Ctrl-C, pass progress on and give warnings.
//!
//! So Python code only ever runs in the thread that called, and whatever it raises stops the run and is raised there.

use crate::errors;
use descale::engine::Progress;
use pyo3::exceptions::PyUserWarning;
use pyo3::prelude::*;
use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often the calling thread wakes up. People do not notice a tenth of a second.
const TICK: Duration = Duration::from_millis(50);

/// How far a stage is, in bytes of input.
#[derive(Clone, Copy)]
struct Step {
    stage: &'static str,
    done: u64,
    total: u64,
}

#[derive(Default)]
struct Told {
    /// Steps nobody has passed on yet: the last one of each stage.
    steps: Vec<Step>,
    /// The stage that goes on.
    current: Option<Step>,
    warnings: Vec<String>,
    over: bool,
}

#[derive(Default)]
struct Watch {
    told: Mutex<Told>,
    news: Condvar,
    cancelled: AtomicBool,
}

impl Watch {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, step: impl FnOnce(Option<Step>) -> Option<Step>) {
        let mut told = self.told();
        let before = told.current;
        let Some(step) = step(before) else { return };
        told.current = Some(step);
        match told.steps.last_mut() {
            Some(last) if last.stage == step.stage && last.done <= step.done => *last = step,
            _ => told.steps.push(step),
        }
    }

    /// Waits for the end; what Python raised meanwhile, if anything.
    fn attend(&self, callback: Option<&Py<PyAny>>) -> Option<PyErr> {
        let mut raised = None;
        loop {
            let told = self.told();
            let (mut told, _) = match told.over {
                true => (told, None),
                false => match self.news.wait_timeout(told, TICK) {
                    Ok((told, timeout)) => (told, Some(timeout)),
                    Err(poisoned) => (poisoned.into_inner().0, None),
                },
            };
            let (steps, warnings, over) =
                (std::mem::take(&mut told.steps), std::mem::take(&mut told.warnings), told.over);
            drop(told);
            if raised.is_none()
                && let Err(error) = Python::attach(|py| pass_on(py, callback, &steps, &warnings))
            {
                raised = Some(error);
                self.cancelled.store(true, Ordering::Relaxed);
            }
            if over {
                return raised;
            }
        }
    }
}

fn pass_on(py: Python<'_>, callback: Option<&Py<PyAny>>, steps: &[Step], warnings: &[String]) -> PyResult<()> {
    py.check_signals()?;
    for warning in warnings {
        let text = CString::new(warning.replace('\0', "")).unwrap_or_default();
        PyErr::warn(py, &py.get_type::<PyUserWarning>(), &text, 2)?;
    }
    let Some(callback) = callback else { return Ok(()) };
    for step in steps {
        callback.call1(py, (step.stage, step.done, step.total))?;
    }
    Ok(())
}

impl Progress for Watch {
    fn stage(&self, name: &'static str, total_bytes: u64) {
        self.step(|_| Some(Step { stage: name, done: 0, total: total_bytes }));
    }

    fn advance(&self, bytes: u64) {
        self.step(|step| step.map(|step| Step { done: step.done + bytes, ..step }));
    }

    fn warn(&self, message: &str) {
        self.told().warnings.push(message.to_owned());
    }

    fn finish(&self) {}

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// Does the work in another thread and gives its result, or what went wrong, or what Python raised.
pub(crate) fn watched<T: Send>(
    py: Python<'_>,
    callback: Option<&Py<PyAny>>,
    work: impl FnOnce(&dyn Progress) -> descale::Result<T> + Send,
) -> PyResult<T> {
    let watch = Watch::default();
    let (outcome, raised) = py.detach(|| {
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let outcome = catch_unwind(AssertUnwindSafe(|| work(&watch)));
                watch.told().over = true;
                watch.news.notify_one();
                outcome
            });
            let raised = watch.attend(callback);
            (worker.join(), raised)
        })
    });
    if let Some(raised) = raised {
        return Err(raised);
    }
    match outcome {
        Ok(Ok(result)) => result.map_err(|error| errors::exception(&error)),
        Ok(Err(panic)) | Err(panic) => Err(errors::bug(&*panic)),
    }
}

/// Short work without the interpreter's lock.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> descale::Result<T> + Send) -> PyResult<T> {
    match py.detach(|| catch_unwind(AssertUnwindSafe(work))) {
        Ok(result) => result.map_err(|error| errors::exception(&error)),
        Err(panic) => Err(errors::bug(&*panic)),
    }
}
