//! What went wrong, where, and what the user can do about it.
//!
//! One opaque [`Error`]; its [`ErrorKind`] says who must act (the command maps it to an exit code), its message
//! names the place (file, line) and the cure. Nothing in this crate panics on input.

use std::fmt;
use std::path::{Path, PathBuf};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who has to act on an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option, or a combination of options, makes no sense.
    Usage,
    /// A record or a file of the input is broken.
    Input,
    /// The machine said no: disk, permission, memory, a file that changed while it was read.
    Resource,
    /// The caller asked to stop.
    Interrupted,
}

/// An error with its place and its cure.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    path: Option<PathBuf>,
    line: Option<u64>,
    message: String,
    cure: Option<String>,
    source: Option<std::io::Error>,
}

impl Error {
    fn new(kind: ErrorKind, message: String) -> Self {
        Self { inner: Box::new(Inner { kind, path: None, line: None, message, cure: None, source: None }) }
    }

    /// An option that cannot be used as given.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message.into())
    }

    /// A broken record or file of the input.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message.into())
    }

    /// A failure of the machine that no I/O call reported.
    pub fn resource(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Resource, message.into())
    }

    /// The caller asked to stop before the work was done.
    #[must_use]
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted; nothing was left half-written".into())
    }

    /// A failed I/O call; `doing` completes "cannot ...", as in `"read"` or `"create the folder"`.
    pub fn io(doing: &str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        let mut error = Self::new(ErrorKind::Resource, format!("cannot {doing}: {source}")).at(path);
        error.inner.source = Some(source);
        error
    }

    /// Adds the file.
    #[must_use]
    pub fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.inner.path = Some(path.as_ref().to_path_buf());
        self
    }

    /// Adds the line or row, counted from 1.
    #[must_use]
    pub fn line(mut self, line: u64) -> Self {
        self.inner.line = Some(line);
        self
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn cure(mut self, cure: impl Into<String>) -> Self {
        self.inner.cure = Some(cure.into());
        self
    }

    /// Adds a second thing the user can do.
    #[must_use]
    pub fn cure_also(mut self, cure: &str) -> Self {
        self.inner.cure = Some(match self.inner.cure.take() {
            Some(first) => format!("{first}; {cure}"),
            None => cure.into(),
        });
        self
    }

    /// Who has to act.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The file it happened in, where there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }
}

/// What is wrong with a line of JSON, without serde's place in it: the error names the line of the file.
pub(crate) fn json_complaint(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).map_or_else(|| text.clone(), str::to_owned)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.inner;
        if let Some(path) = &inner.path {
            write!(f, "{}", path.display())?;
            if let Some(line) = inner.line {
                write!(f, ":{line}")?;
            }
            write!(f, ": ")?;
        }
        write!(f, "{}", inner.message)?;
        if let Some(cure) = &inner.cure {
            write!(f, "\n  help: {cure}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.inner.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_ref().map(|e| e as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_place_message_cure() {
        let error =
            Error::input("the field \"text\" is missing").at("a.jsonl").line(3).cure("name it with --text-field");
        assert_eq!(error.to_string(), "a.jsonl:3: the field \"text\" is missing\n  help: name it with --text-field");
        assert_eq!(error.kind(), ErrorKind::Input);
    }
}
