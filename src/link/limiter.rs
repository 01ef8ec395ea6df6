//! A token bucket in one number: the generic cell rate algorithm (ITU-T I.371).

use core::time::Duration;

use crate::time::Instant;

/// How much of a bucket is spent, as the time when it will be full again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Limiter {
    full_at: Instant,
}

impl Limiter {
    /// A full bucket.
    pub(super) const FULL: Self = Self {
        full_at: Instant::ORIGIN,
    };

    /// Takes a token if there is one.
    pub(super) fn take(&mut self, now: Instant, burst: u16, refill: Duration) -> bool {
        let allowed = burst > 0 && self.next(now, burst, refill) <= now;
        if allowed {
            self.charge(now, refill);
        }
        allowed
    }

    /// Takes a token that was waited for.
    pub(super) fn charge(&mut self, now: Instant, refill: Duration) {
        self.full_at = self.full_at.max(now) + refill;
    }

    /// When there will be a token, `now` if there is one.
    pub(super) fn next(self, now: Instant, burst: u16, refill: Duration) -> Instant {
        // One token is back when the rest of the bucket could already be full.
        let spare = refill.saturating_mul(u32::from(burst.saturating_sub(1)));
        (self.full_at - spare).max(now)
    }

    pub(super) fn shift(&mut self, shift: impl Fn(&mut Instant)) {
        shift(&mut self.full_at);
    }
}
