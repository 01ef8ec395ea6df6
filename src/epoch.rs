//! The name of one physical attempt and of the connection that it yields.

use core::fmt;
use core::num::NonZeroU64;

/// One physical attempt and the connection that it yields.
///
/// Opaque: only a link hands epochs out, in the actions that begin an attempt, and never
/// the same one twice. A driver gives it back with every event of that attempt; an event
/// with an epoch that has ended changes nothing but a counter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Epoch(NonZeroU64);

const _: () = assert!(size_of::<Option<Epoch>>() == 8);

impl Epoch {
    /// The number of this epoch, from 1, for logs.
    pub const fn number(self) -> u64 {
        self.0.get()
    }

    /// The epoch after so many were handed out.
    pub(crate) const fn after(count: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(count))
    }

    pub(crate) const FIRST: Self = Self(NonZeroU64::MIN);

    /// The epoch after this one; it would take 584 years at a dial a nanosecond to run out.
    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({})", self.0)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
