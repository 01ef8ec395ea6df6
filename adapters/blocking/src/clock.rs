//! The one place that reads a clock.

use std::time::Duration;

use redial::Instant;

/// The monotonic clock of one link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            origin: std::time::Instant::now(),
        }
    }

    pub(crate) fn now(self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    /// The time left until `at`, zero if it has passed.
    pub(crate) fn until(self, at: Instant) -> Duration {
        at.since(self.now())
    }
}
