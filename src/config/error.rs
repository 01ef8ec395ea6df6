//! Which rule a configuration breaks.

use core::fmt;
use core::time::Duration;

/// The rule that a configuration breaks, with the offending values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigError {
    /// A deadline or an interval of zero.
    ZeroDuration {
        /// The setting.
        setting: &'static str,
    },
    /// A duration above [`Backoff::LONGEST`](crate::backoff::Backoff::LONGEST), 366 days: no
    /// deadline may come near the end of time, where it would be none.
    TooLong {
        /// The setting.
        setting: &'static str,
        /// The given duration.
        given: Duration,
    },
    /// A count or a bound of zero.
    Zero {
        /// The setting.
        setting: &'static str,
    },
    /// Messages are to be acknowledged, and there is no session in which they could be.
    NoSession,
    /// The longest handshake is shorter than the usual one.
    PatienceBelowDeadline {
        /// The longest time for an attempt.
        patience: Duration,
        /// The usual time for an attempt.
        connect_deadline: Duration,
    },
    /// Hidden links would ping more often than visible ones.
    HiddenBelowInterval {
        /// The interval while hidden.
        hidden: Duration,
        /// The interval otherwise.
        interval: Duration,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroDuration { setting } | Self::Zero { setting } => {
                write!(f, "{setting} must not be zero")
            }
            Self::TooLong { setting, given } => {
                write!(f, "{setting} ({given:?}) must not be above 366 days")
            }
            Self::NoSession => {
                f.write_str("outbox.delivery is Acknowledged, so session must be set")
            }
            Self::PatienceBelowDeadline {
                patience,
                connect_deadline,
            } => write!(
                f,
                "patience ({patience:?}) must not be below connect_deadline ({connect_deadline:?})"
            ),
            Self::HiddenBelowInterval { hidden, interval } => write!(
                f,
                "heartbeat.hidden_interval ({hidden:?}) must not be below heartbeat.interval ({interval:?})"
            ),
        }
    }
}

impl core::error::Error for ConfigError {}
