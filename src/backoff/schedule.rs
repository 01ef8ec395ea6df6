//! The forms of a schedule: the delay of a step before jitter.

use alloc::vec::Vec;
use core::time::Duration;

use crate::time::nanos;

/// The sequence of delays, before jitter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Schedule {
    /// One dial at random inside each of a sequence of windows, then regular polls.
    ///
    /// The windows are `first * (1, 2, 1, 4, 2, 8, 4, 16, 8, ..)`: two halves of a sawtooth,
    /// so that early dials are quick and a crowd still thins out. The rest of a window is
    /// waited before the next one begins. From the first window that would reach the cap
    /// on, each delay is `cap * U(0.5, 1)`. The position in the window is the jitter, so the
    /// only jitter that goes with it is [`Full`](super::Jitter::Full).
    Stratified {
        /// The first window; above zero and below `cap`.
        first: Duration,
        /// The longest delay between two polls of a server that is down.
        cap: Duration,
        /// Under contention windows are at least this long; at most `contended_cap`.
        contended_floor: Duration,
        /// What takes the place of `cap` under contention; at least `cap`.
        contended_cap: Duration,
    },
    /// The same delay each time.
    Fixed {
        /// The delay.
        delay: Duration,
    },
    /// Delays written down; the last one repeats.
    Table {
        /// At least one delay. Zeros are raised to the floor.
        delays: Vec<Duration>,
    },
    /// `min(base * factor^step, cap)`.
    ///
    /// The product is rounded up to a nanosecond at each step, so that any factor above one
    /// reaches the cap.
    Exponential {
        /// The first delay; above zero, at most `cap`.
        base: Duration,
        /// What each delay is multiplied by to get the next one; at least one.
        factor: Ratio,
        /// The longest delay, before jitter.
        cap: Duration,
    },
}

impl Schedule {
    /// Windows from 0.5 s, cap 20 s; under contention from 8 s to 20 min.
    pub const DEFAULT: Self = Self::Stratified {
        first: Duration::from_millis(500),
        cap: Duration::from_secs(20),
        contended_floor: Duration::from_secs(8),
        contended_cap: Duration::from_secs(20 * 60),
    };

    /// The delay of `step` before jitter, in nanoseconds; zero for a stratified schedule.
    pub(super) fn delay(&self, step: u32, carry: u64) -> u64 {
        match self {
            Self::Stratified { .. } => 0,
            Self::Fixed { delay } => nanos(*delay),
            Self::Table { delays } => usize::try_from(step)
                .ok()
                .and_then(|step| delays.get(step))
                .or(delays.last())
                .map_or(0, |delay| nanos(*delay)),
            Self::Exponential { base, factor, cap } => {
                let (base, cap) = (nanos(*base), nanos(*cap));
                match (step, carry) {
                    (0, _) => base,
                    (_, 0) => factor.power(base, step, cap),
                    // Not above what this schedule can come to, whoever left the cursor.
                    (_, carry) => carry.max(base).min(self.last()),
                }
            }
        }
    }

    /// What the cursor carries after the delay `delay`, in nanoseconds.
    pub(super) fn carry_after(&self, delay: u64) -> u64 {
        match self {
            Self::Exponential { factor, cap, .. } => factor.times(delay).min(nanos(*cap)),
            _ => 0,
        }
    }

    /// The delay before jitter that the schedule ends at, in nanoseconds.
    pub(super) fn last(&self) -> u64 {
        match self {
            Self::Exponential { base, factor, .. } if factor.is_one() => nanos(*base),
            Self::Stratified { cap, .. } | Self::Exponential { cap, .. } => nanos(*cap),
            Self::Fixed { .. } | Self::Table { .. } => self.delay(u32::MAX, 0),
        }
    }
}

/// A factor as a fraction of integers: `3 / 2` for 1.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ratio {
    /// The upper part; at least `denominator`.
    pub numerator: u32,
    /// The lower part; not zero.
    pub denominator: u32,
}

impl Ratio {
    /// The most steps that [`Ratio::power`] takes one by one.
    const WALK: u32 = 64;

    /// The ratio `numerator / denominator`, checked where a [`Backoff`](super::Backoff) is made.
    pub const fn new(numerator: u32, denominator: u32) -> Self {
        Self {
            numerator,
            denominator,
        }
    }

    /// Whether multiplying changes nothing.
    pub(super) const fn is_one(self) -> bool {
        self.numerator == self.denominator
    }

    /// `value` times this ratio, rounded up, saturating.
    pub(crate) fn times(self, value: u64) -> u64 {
        let product = u128::from(value) * u128::from(self.numerator);
        let quotient = product.div_ceil(u128::from(self.denominator.max(1)));
        u64::try_from(quotient).unwrap_or(u64::MAX)
    }

    /// `base` multiplied `step` times, at most `cap`; taken as `cap` after 64 steps.
    fn power(self, base: u64, step: u32, cap: u64) -> u64 {
        if self.is_one() {
            return base;
        }
        if step > Self::WALK {
            return cap;
        }
        let mut value = base;
        for _ in 0..step {
            value = self.times(value).min(cap);
        }
        value
    }
}
