//! The settings of a server's session, as plain data.

use core::time::Duration;

use crate::outbox::{Delivery, Limits, Overflow};
use crate::session::Cadence;

/// How a server's session behaves.
///
/// Any values make a session that works: a bound of 0 messages holds none, a window of zero
/// ends with its connection. A [`durable`](Limits::durable) outbox writes nothing but what
/// [`Event::Stored`](crate::Event::Stored) has told of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Settings {
    /// How long the session waits for its client to come back. Default 2 min.
    pub window: Duration,
    /// The bounds of what is kept for the client, unacknowledged messages included: the window
    /// in bytes. Default 1,000 messages and 1 MiB, acknowledged; what finds it full is refused.
    pub outbox: Limits,
    /// When what was received is acknowledged.
    pub acks: Cadence,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(120),
            outbox: Limits {
                bytes: 1 << 20,
                overflow: Overflow::RejectNew,
                delivery: Delivery::Acknowledged,
                ..Limits::default()
            },
            acks: Cadence::default(),
        }
    }
}
