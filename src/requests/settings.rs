//! How long requests wait, how often they are asked, and how many there may be.

use core::fmt;
use core::time::Duration;

use crate::backoff::{Backoff, Ratio};
use crate::time::nanos;

/// The bounds of all requests and the deadlines of each, checked by
/// [`Requests::new`](super::Requests::new).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Settings {
    /// How long the first attempt may take, from the moment it was sent. Default 10 s.
    pub timeout: Duration,
    /// What the timeout of each attempt is multiplied by to get that of the next one; at least
    /// one. Default 2.
    pub factor: Ratio,
    /// The longest timeout of an attempt; at least `timeout`. Default 60 s.
    pub cap: Duration,
    /// How long a request may take in all, from the moment it was accepted, outages included.
    /// It also ends a request that kills each connection it is asked on, which no attempt
    /// counts. Default none.
    pub total: Option<Duration>,
    /// How often a request may time out while connected. Default 5.
    pub max_attempts: u32,
    /// Requests pending, and outcomes not yet taken. Default 1,000.
    pub requests: usize,
    /// Bytes of payload that these hold. Default 4 MiB.
    pub bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            factor: Ratio::new(2, 1),
            cap: Duration::from_secs(60),
            total: None,
            max_attempts: 5,
            requests: 1_000,
            bytes: 4 << 20,
        }
    }
}

impl Settings {
    /// Checks every rule.
    ///
    /// # Errors
    ///
    /// The first rule that is broken, with the offending values.
    pub fn check(&self) -> Result<(), SettingsError> {
        let durations = [
            ("timeout", Some(self.timeout)),
            ("cap", Some(self.cap)),
            ("total", self.total),
        ];
        for (setting, value) in durations {
            let Some(given) = value else { continue };
            if given.is_zero() {
                return Err(SettingsError::Zero { setting });
            }
            if given > Backoff::LONGEST {
                return Err(SettingsError::TooLong { setting, given });
            }
        }
        let counts = [
            ("max_attempts", self.max_attempts == 0),
            ("requests", self.requests == 0),
            ("bytes", self.bytes == 0),
        ];
        for (setting, zero) in counts {
            if zero {
                return Err(SettingsError::Zero { setting });
            }
        }
        if self.cap < self.timeout {
            return Err(SettingsError::CapBelowTimeout {
                cap: self.cap,
                timeout: self.timeout,
            });
        }
        let factor = self.factor;
        if factor.denominator == 0 || factor.numerator < factor.denominator {
            return Err(SettingsError::FactorBelowOne { factor });
        }
        Ok(())
    }

    /// The timeout of the attempt after one of `timeout`, which may be above the cap already
    /// by a request's own options: then it stays.
    pub(super) fn after(&self, timeout: Duration) -> Duration {
        let longest = nanos(self.cap.max(timeout));
        Duration::from_nanos(self.factor.times(nanos(timeout)).min(longest))
    }
}

/// The rule that settings of requests break, with the offending values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SettingsError {
    /// A duration, a count or a bound of zero.
    Zero {
        /// The setting.
        setting: &'static str,
    },
    /// A duration above [`Backoff::LONGEST`], 366 days.
    TooLong {
        /// The setting.
        setting: &'static str,
        /// The given duration.
        given: Duration,
    },
    /// The longest timeout is shorter than the first.
    CapBelowTimeout {
        /// The longest timeout.
        cap: Duration,
        /// The first timeout.
        timeout: Duration,
    },
    /// A factor that is below one, or not a number.
    FactorBelowOne {
        /// The factor.
        factor: Ratio,
    },
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero { setting } => write!(f, "{setting} must not be zero"),
            Self::TooLong { setting, given } => {
                write!(f, "{setting} ({given:?}) must not be above 366 days")
            }
            Self::CapBelowTimeout { cap, timeout } => {
                write!(f, "cap ({cap:?}) must not be below timeout ({timeout:?})")
            }
            Self::FactorBelowOne { factor } => write!(
                f,
                "factor ({}/{}) must not be below one",
                factor.numerator, factor.denominator
            ),
        }
    }
}

impl core::error::Error for SettingsError {}
