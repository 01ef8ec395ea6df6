//! What a valid configuration is: one rule, one variant of [`BackoffError`].

use core::fmt;
use core::time::Duration;

use super::jitter::Range;
use super::{Backoff, Jitter, Ratio, Schedule};
use crate::time::nanos;

/// Why a [`Backoff`] can't be made of these values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackoffError {
    /// The floor is zero, so that a hot loop would be possible.
    FloorZero,
    /// The floor cuts off more than half of what the jitter draws, or, without jitter, lies
    /// above the delay that the schedule ends at.
    FloorTooHigh {
        /// The given floor.
        floor: Duration,
        /// The highest floor that goes with this schedule and jitter: the middle of its
        /// last range, or half of the first window of a stratified schedule.
        limit: Duration,
    },
    /// A duration is longer than [`Backoff::LONGEST`].
    TooLong {
        /// The given duration.
        given: Duration,
    },
    /// The first window or the base is zero.
    FirstZero,
    /// The first window of a stratified schedule isn't below its cap.
    FirstNotBelowCap {
        /// The given first window.
        first: Duration,
        /// The given cap.
        cap: Duration,
    },
    /// The cap under contention is below the cap.
    ContendedCapBelowCap {
        /// The given cap under contention.
        contended_cap: Duration,
        /// The given cap.
        cap: Duration,
    },
    /// The shortest window under contention is longer than the cap under contention.
    ContendedFloorAboveCap {
        /// The given shortest window under contention.
        contended_floor: Duration,
        /// The given cap under contention.
        contended_cap: Duration,
    },
    /// A table without delays.
    TableEmpty,
    /// The base of an exponential schedule is above its cap.
    BaseAboveCap {
        /// The given base.
        base: Duration,
        /// The given cap.
        cap: Duration,
    },
    /// The factor's denominator is zero, or the factor is below one.
    FactorBelowOne {
        /// The given factor.
        factor: Ratio,
    },
    /// More than 100 percent of jitter.
    PercentAbove100 {
        /// The given percentage.
        percent: u8,
    },
    /// A stratified schedule is its own jitter and goes with [`Jitter::Full`] only.
    StratifiedNeedsFull {
        /// The given jitter.
        jitter: Jitter,
    },
    /// [`Jitter::Decorrelated`] goes with an exponential schedule only.
    DecorrelatedNeedsExponential,
    /// The jitter spreads nothing; say [`Jitter::None`] if that is meant.
    NoSpread {
        /// The given jitter.
        jitter: Jitter,
    },
}

impl fmt::Display for BackoffError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FloorZero => f.write_str("the floor must be above zero"),
            Self::FloorTooHigh { floor, limit } => {
                write!(f, "the floor {floor:?} leaves no spread: at most {limit:?}")
            }
            Self::TooLong { given } => {
                write!(f, "{given:?} is longer than {:?}", Backoff::LONGEST)
            }
            Self::FirstZero => f.write_str("the first window or base must be above zero"),
            Self::FirstNotBelowCap { first, cap } => {
                write!(
                    f,
                    "the first window {first:?} must be below the cap {cap:?}"
                )
            }
            Self::ContendedCapBelowCap { contended_cap, cap } => write!(
                f,
                "the cap under contention {contended_cap:?} must be at least the cap {cap:?}"
            ),
            Self::ContendedFloorAboveCap {
                contended_floor,
                contended_cap,
            } => write!(
                f,
                "windows under contention from {contended_floor:?} must begin at or below \
                 their cap {contended_cap:?}"
            ),
            Self::TableEmpty => f.write_str("a table needs at least one delay"),
            Self::BaseAboveCap { base, cap } => {
                write!(f, "the base {base:?} must be at most the cap {cap:?}")
            }
            Self::FactorBelowOne { factor } => write!(
                f,
                "the factor {}/{} must be a number of at least one",
                factor.numerator, factor.denominator
            ),
            Self::PercentAbove100 { percent } => {
                write!(f, "{percent} % of jitter: at most 100 %")
            }
            Self::StratifiedNeedsFull { jitter } => write!(
                f,
                "a stratified schedule goes with full jitter only, not with {jitter:?}"
            ),
            Self::DecorrelatedNeedsExponential => {
                f.write_str("decorrelated jitter goes with an exponential schedule only")
            }
            Self::NoSpread { jitter } => write!(f, "{jitter:?} spreads nothing here"),
        }
    }
}

impl core::error::Error for BackoffError {}

/// Whether these values make a [`Backoff`].
pub(super) fn check(
    schedule: &Schedule,
    jitter: Jitter,
    floor: Duration,
) -> Result<(), BackoffError> {
    not_too_long(floor)?;
    check_schedule(schedule)?;
    check_jitter(schedule, jitter)?;
    if floor.is_zero() {
        return Err(BackoffError::FloorZero);
    }
    let limit = match schedule {
        Schedule::Stratified { first, .. } => nanos(*first) / 2,
        _ => last_range(schedule, jitter).middle(),
    };
    if nanos(floor) > limit {
        return Err(BackoffError::FloorTooHigh {
            floor,
            limit: Duration::from_nanos(limit),
        });
    }
    Ok(())
}

fn check_schedule(schedule: &Schedule) -> Result<(), BackoffError> {
    match schedule {
        &Schedule::Stratified {
            first,
            cap,
            contended_floor,
            contended_cap,
        } => {
            not_too_long(contended_cap)?;
            if first.is_zero() {
                Err(BackoffError::FirstZero)
            } else if first >= cap {
                Err(BackoffError::FirstNotBelowCap { first, cap })
            } else if contended_cap < cap {
                Err(BackoffError::ContendedCapBelowCap { contended_cap, cap })
            } else if contended_floor > contended_cap {
                Err(BackoffError::ContendedFloorAboveCap {
                    contended_floor,
                    contended_cap,
                })
            } else {
                Ok(())
            }
        }
        Schedule::Fixed { delay } => not_too_long(*delay),
        Schedule::Table { delays } if delays.is_empty() => Err(BackoffError::TableEmpty),
        Schedule::Table { delays } => delays.iter().try_for_each(|delay| not_too_long(*delay)),
        &Schedule::Exponential { base, factor, cap } => {
            not_too_long(cap)?;
            if base.is_zero() {
                Err(BackoffError::FirstZero)
            } else if base > cap {
                Err(BackoffError::BaseAboveCap { base, cap })
            } else if factor.denominator == 0 || factor.numerator < factor.denominator {
                Err(BackoffError::FactorBelowOne { factor })
            } else {
                Ok(())
            }
        }
    }
}

fn check_jitter(schedule: &Schedule, jitter: Jitter) -> Result<(), BackoffError> {
    if matches!(schedule, Schedule::Stratified { .. }) {
        return match jitter {
            Jitter::Full => Ok(()),
            _ => Err(BackoffError::StratifiedNeedsFull { jitter }),
        };
    }
    match jitter {
        Jitter::None => return Ok(()),
        Jitter::Proportional { percent } if percent > 100 => {
            return Err(BackoffError::PercentAbove100 { percent });
        }
        Jitter::Additive { below, above } => {
            not_too_long(below)?;
            not_too_long(above)?;
        }
        Jitter::Decorrelated if !matches!(schedule, Schedule::Exponential { .. }) => {
            return Err(BackoffError::DecorrelatedNeedsExponential);
        }
        _ => {}
    }
    let range = last_range(schedule, jitter);
    if range.least() == range.greatest() {
        return Err(BackoffError::NoSpread { jitter });
    }
    Ok(())
}

/// What the delays of the last step are drawn from.
fn last_range(schedule: &Schedule, jitter: Jitter) -> Range {
    match schedule {
        Schedule::Exponential { base, cap, .. } if jitter == Jitter::Decorrelated => {
            Range::new(nanos(*base), nanos(*cap).saturating_sub(nanos(*base)))
        }
        _ => jitter.range(schedule.last()),
    }
}

fn not_too_long(given: Duration) -> Result<(), BackoffError> {
    if given > Backoff::LONGEST {
        Err(BackoffError::TooLong { given })
    } else {
        Ok(())
    }
}

/// A [`Backoff`] as it is read, before its rules are checked.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(rename = "Backoff")]
pub(super) struct Unchecked {
    schedule: Schedule,
    jitter: Jitter,
    floor: Duration,
}

#[cfg(feature = "serde")]
impl TryFrom<Unchecked> for Backoff {
    type Error = BackoffError;

    fn try_from(unchecked: Unchecked) -> Result<Self, BackoffError> {
        Self::new(unchecked.schedule, unchecked.jitter, unchecked.floor)
    }
}
