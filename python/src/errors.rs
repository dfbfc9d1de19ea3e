//! What goes wrong in Rust as a Python exception.
//!
//! The classes live in `descale/_errors.py`, where they can have two bases. Messages speak of the command's flags;
//! here they are called by their Python names.

use descale::{Error, ErrorKind};
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use std::any::Any;

static USAGE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static INPUT: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static RESOURCE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static INTERNAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// The exception an error becomes.
pub(crate) fn exception(error: &Error) -> PyErr {
    Python::attach(|py| match error.kind() {
        ErrorKind::Interrupted => PyKeyboardInterrupt::new_err(error.to_string()),
        ErrorKind::Usage => raise(py, &USAGE, "UsageError", &pythonic(&error.to_string())),
        ErrorKind::Input => raise(py, &INPUT, "InputError", &pythonic(&error.to_string())),
        _ => raise(py, &RESOURCE, "ResourceError", &pythonic(&error.to_string())),
    })
}

/// A mistake in the call.
pub(crate) fn usage(message: impl Into<String>, cure: impl Into<String>) -> PyErr {
    exception(&Error::usage(message).cure(cure))
}

/// A broken table or folder.
pub(crate) fn input(message: impl Into<String>) -> PyErr {
    exception(&Error::input(message))
}

/// A panic: a bug, and no reason to take the interpreter down.
pub(crate) fn bug(panic: &(dyn Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    let message = format!("a bug in descale: {text}\n  help: please report it with the input that shows it");
    Python::attach(|py| raise(py, &INTERNAL, "InternalError", &message))
}

fn raise(py: Python<'_>, class: &PyOnceLock<Py<PyType>>, name: &str, message: &str) -> PyErr {
    match class.import(py, "descale._errors", name) {
        Ok(class) => PyErr::from_type(class.clone(), message.to_owned()),
        Err(_) => PyRuntimeError::new_err(message.to_owned()),
    }
}

/// `--shingle-tokens` is called `shingle_tokens` here.
fn pythonic(message: &str) -> String {
    let mut words = message.split("--");
    let mut out = words.next().unwrap_or_default().to_owned();
    for rest in words {
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '-')).unwrap_or(rest.len());
        if end == 0 {
            out.push_str("--");
        }
        out.push_str(&rest[..end].replace('-', "_"));
        out.push_str(&rest[end..]);
    }
    out
}
