//! The one place that reads clocks.

use std::time::Duration;
#[cfg(feature = "tungstenite")]
use std::time::{SystemTime, UNIX_EPOCH};

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

/// The time since 1970, for dates in `Retry-After`; `None` where the clock says it is earlier.
#[cfg(feature = "tungstenite")]
pub(crate) fn unix_now() -> Option<Duration> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the adapter's one look at the calendar; the core is told the result"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).ok()
}
