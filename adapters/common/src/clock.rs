//! The one place where drivers read the wall clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time since 1970, for dates in `Retry-After`; `None` where the clock stands before.
pub fn unix_now() -> Option<Duration> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the drivers' one look at the calendar; the core is told the result"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).ok()
}
