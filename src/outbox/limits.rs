//! The bounds of an outbox, as plain data.

use core::time::Duration;

use super::message::Delivery;

/// What happens to a message that finds the queue full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Overflow {
    /// The oldest queued messages make room.
    #[default]
    DropOldest,
    /// The newest queued messages make room.
    DropNewest,
    /// The new message is refused.
    RejectNew,
}

/// When messages that wait for company are written together: as soon as there are so many, or
/// the first of them has waited so long. What is replayed doesn't wait.
///
/// The outbox holds them back; the driver makes one message of the transport of up to so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Batch {
    /// Messages. Default 10.
    pub messages: u16,
    /// The longest time. Default 100 ms.
    pub delay: Duration,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            messages: 10,
            delay: Duration::from_millis(100),
        }
    }
}

/// The bounds of an outbox. Built and checked as a part of [`Config`](crate::Config).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Limits {
    /// Messages queued and in flight. Default 1,000.
    pub messages: usize,
    /// Bytes of payload held. Default 16 MiB.
    pub bytes: usize,
    /// What to do when one of the two is reached.
    pub overflow: Overflow,
    /// Bytes committed to the transport and not yet reported flushed; one message may always
    /// go. Default 64 KiB. It bounds how much becomes `Unknown` when a connection dies, and
    /// how long a ping waits behind data.
    pub window: usize,
    /// How long a message may wait in the queue. Default none.
    pub ttl: Option<Duration>,
    /// How often a message may be given to a transport, that which was taken back included.
    /// Default none.
    pub max_tries: Option<u16>,
    /// The least time between two messages of a flush; with batches, between two of those.
    /// Default none.
    pub pace: Option<Duration>,
    /// What is promised of a message that doesn't say otherwise. Default at most once.
    pub delivery: Delivery,
    /// Whether a message waits for the store before it is written, see
    /// [`Event::Stored`](crate::Event::Stored). Only for a driver with a store, which sets it:
    /// where nobody tells what is stored, nothing is ever written. Default no.
    pub durable: bool,
    /// Messages that are written together. Default none.
    pub batch: Option<Batch>,
}

impl Limits {
    /// Whether anything but the window may hold a message back.
    #[inline]
    pub(super) const fn is_gated(&self) -> bool {
        self.durable | self.pace.is_some() | self.batch.is_some()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages: 1_000,
            bytes: 16 << 20,
            overflow: Overflow::DropOldest,
            window: 64 << 10,
            ttl: None,
            max_tries: None,
            pace: None,
            delivery: Delivery::AtMostOnce,
            durable: false,
            batch: None,
        }
    }
}
