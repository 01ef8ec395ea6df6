//! Time as data: a monotonic [`Instant`] that the driver chooses the origin of.
//!
//! Nothing here reads a clock. Arithmetic saturates, so no input can overflow.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A point on the driver's monotonic clock: time since an origin that the driver chose.
///
/// Resolution is one nanosecond, range is 584 years. All arithmetic saturates. A driver
/// usually takes the moment of its own start as the origin and passes
/// `Instant::from_origin(started.elapsed())`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Instant(u64);

const _: () = assert!(size_of::<Instant>() == 8);

impl Instant {
    /// The driver's origin.
    pub const ORIGIN: Self = Self(0);
    /// The latest instant; used inside the machines as "never".
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// The instant that lies `elapsed` after the origin, saturating at 584 years.
    pub const fn from_origin(elapsed: Duration) -> Self {
        Self(nanos(elapsed))
    }

    /// The time from the origin to this instant.
    pub const fn since_origin(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The time from `earlier` to this instant, zero where `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// `None` where this is the internal "never".
    pub(crate) const fn known(self) -> Option<Self> {
        if self.0 == u64::MAX { None } else { Some(self) }
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(nanos(later)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(earlier)))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some(_) => write!(f, "{:?}", self.since_origin()),
            None => f.write_str("never"),
        }
    }
}

/// A duration as nanoseconds, saturating at `u64::MAX` (584 years).
pub(crate) const fn nanos(duration: Duration) -> u64 {
    // Saturating in parts: the same as by `as_nanos`, without its 128 bits.
    let whole = duration.as_secs().saturating_mul(1_000_000_000);
    whole.saturating_add(duration.subsec_nanos() as u64)
}
