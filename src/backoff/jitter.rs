//! The forms of jitter: how a delay is spread so that many links don't dial in step.

use core::time::Duration;

use crate::rng::{Rng, up_to};
use crate::time::nanos;

/// How a delay is spread.
///
/// `d` is the delay of the schedule, after its cap. `U(a, b)` is uniform in `[a, b]`. Each
/// form but `None` takes exactly one `next_u64` a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Jitter {
    /// `d` itself. Many links with this dial in step after a common outage.
    None,
    /// `U(0, d)`: the fewest dials for a crowd (AWS, "Exponential Backoff And Jitter").
    Full,
    /// `U(d / 2, d)`: at least half of the delay is kept.
    Equal,
    /// `U(d * (1 - p), d * (1 + p))`; gRPC takes 20 %.
    Proportional {
        /// The share `p` in percent, 1 to 100.
        percent: u8,
    },
    /// `U(d - below, d + above)`, cut off at the floor.
    Additive {
        /// How far below `d` a delay may lie.
        below: Duration,
        /// How far above `d` a delay may lie.
        above: Duration,
    },
    /// `U(base, min(cap, 3 * previous))`, where the delay before the first one counts as
    /// `base`; only with an exponential schedule, whose factor it ignores.
    ///
    /// The text by AWS draws from `U(base, 3 * previous)` and then cuts off at the cap, so
    /// that after a while up to two thirds of all delays are the cap itself. Here the bound
    /// is cut off first and the draw made below it: delays at the cap are still spread.
    Decorrelated,
}

impl Jitter {
    /// A delay around `delay`, in nanoseconds.
    ///
    /// [`Decorrelated`](Self::Decorrelated) is not a function of the schedule's delay, see
    /// [`decorrelated`]; here it stands for `Equal`, so that this is total.
    pub(super) fn apply<R: Rng>(self, delay: u64, rng: &mut R) -> u64 {
        if self == Self::None {
            return delay;
        }
        let Range { offset, width, cut } = self.range(delay);
        offset.saturating_add(up_to(rng, width)).saturating_sub(cut)
    }

    /// What [`Jitter::apply`] draws from.
    pub(super) fn range(self, delay: u64) -> Range {
        match self {
            Self::None => Range::new(delay, 0),
            Self::Full => Range::new(0, delay),
            Self::Equal | Self::Decorrelated => Range::new(delay / 2, delay - delay / 2),
            Self::Proportional { percent } => {
                let share = share(delay, percent);
                Range::new(delay.saturating_sub(share), share.saturating_mul(2))
            }
            Self::Additive { below, above } => {
                let (below, above) = (nanos(below), nanos(above));
                Range {
                    offset: delay,
                    width: below.saturating_add(above),
                    cut: below,
                }
            }
        }
    }
}

/// The integers `offset - cut ..= offset - cut + width`, cut off at zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    offset: u64,
    width: u64,
    cut: u64,
}

impl Range {
    pub(super) const fn new(offset: u64, width: u64) -> Self {
        Self {
            offset,
            width,
            cut: 0,
        }
    }

    /// The least value.
    pub(super) const fn least(self) -> u64 {
        self.offset.saturating_sub(self.cut)
    }

    /// The value that half of the draws lie below.
    pub(super) const fn middle(self) -> u64 {
        self.offset
            .saturating_add(self.width / 2)
            .saturating_sub(self.cut)
    }

    /// The greatest value.
    pub(super) const fn greatest(self) -> u64 {
        self.offset
            .saturating_add(self.width)
            .saturating_sub(self.cut)
    }
}

/// `U(base, min(cap, 3 * previous))`, in nanoseconds.
pub(super) fn decorrelated<R: Rng>(base: u64, cap: u64, previous: u64, rng: &mut R) -> u64 {
    let bound = previous.max(base).saturating_mul(3).min(cap).max(base);
    base.saturating_add(up_to(rng, bound.saturating_sub(base)))
}

/// `percent` of `delay`.
fn share(delay: u64, percent: u8) -> u64 {
    let share = u128::from(delay) * u128::from(percent) / 100;
    u64::try_from(share).unwrap_or(u64::MAX)
}
