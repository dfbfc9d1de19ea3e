//! How a run tells what it is doing, and how it is told to stop.
//!
//! The library prints nothing. It calls a [`Progress`], from any thread, at most once per batch of records; the
//! command draws a bar from these calls, a test counts them, [`Silent`] ignores them.

/// Someone who watches a run.
pub trait Progress: Sync {
    /// A stage begins; it will pass over `total_bytes` of input, 0 when nobody knows.
    fn stage(&self, name: &'static str, total_bytes: u64);

    /// `bytes` more of the stage are done.
    fn advance(&self, bytes: u64);

    /// Something the user should know that does not stop the run, as a bad record that was passed over.
    fn warn(&self, message: &str);

    /// Something worth knowing that is no cause for worry, as how much will be written.
    fn note(&self, message: &str) {
        let _ = message;
    }

    /// The run is over, well or not.
    fn finish(&self);

    /// Whether to stop. Asked for every chunk; a run that is told so ends with
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) and leaves nothing half-written.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &'static str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn warn(&self, _: &str) {}
    fn finish(&self) {}
}
