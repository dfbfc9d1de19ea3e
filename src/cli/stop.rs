//! How the command is stopped: the first signal asks the run to end at the next batch of records, the second ends it.
//!
//! SIGINT (Ctrl-C) and SIGTERM alike. A run that was asked to stop removes what it has written and the command exits with
//! 128 + the signal's number, as a shell would say it of a process that the signal killed. A second signal kills at
//! once; the next run clears away what is left then.

use signal_hook::consts::signal::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The signals that came so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop {
    /// The last one; 0 is none.
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Listens from now on. Where the system does not let it, signals do what they always did.
    pub(super) fn listen() -> Self {
        let stop = Self::default();
        let again = Arc::new(AtomicBool::new(false));
        for (signal, number) in [(SIGINT, 2), (SIGTERM, 15)] {
            // In this order: what ends the process looks at the flag before the first signal sets it.
            let _ = flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again));
            let _ = flag::register(signal, Arc::clone(&again));
            let _ = flag::register_usize(signal, Arc::clone(&stop.signal), number);
        }
        stop
    }

    /// Whether one came.
    pub(super) fn asked(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }

    /// The exit code for the one that came.
    pub(super) fn code(&self) -> Option<u8> {
        let signal = u8::try_from(self.signal.load(Ordering::Relaxed)).ok()?;
        (signal != 0).then_some(128 + signal)
    }
}
