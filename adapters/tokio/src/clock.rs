//! The one place where this crate reads a clock.

use std::time::Duration;

use redial::Instant;

/// Tokio's clock as the core sees it: time since the engine was made.
///
/// It is tokio's, so `tokio::time::pause` works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: tokio::time::Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            origin: tokio::time::Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    /// The same moment on tokio's clock; one that lies too far ahead for it comes in a year.
    pub(crate) fn when(&self, at: Instant) -> tokio::time::Instant {
        const YEAR: Duration = Duration::from_secs(31_536_000);
        self.origin
            .checked_add(at.since_origin())
            .unwrap_or_else(|| tokio::time::Instant::now() + YEAR)
    }
}
