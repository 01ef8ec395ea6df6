//! What goes into an outbox, what comes back, and what became of it.

use core::fmt;
use core::time::Duration;

/// The name of an accepted message: it grows by one with each, and order is order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MessageId(pub(crate) u64);

const _: () = assert!(size_of::<MessageId>() == 8);

impl MessageId {
    /// The message with this number, as a store has kept it.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number of this message, from 1.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A payload whose size an outbox can count.
pub trait Payload {
    /// The bytes that this payload takes, as the outbox should count them. It must not change
    /// while the outbox holds it.
    fn size(&self) -> usize;
}

/// Whatever is bytes: `Vec<u8>`, `String`, `&str`, `Arc<[u8]>`, `bytes::Bytes`, ..
impl<T: AsRef<[u8]>> Payload for T {
    fn size(&self) -> usize {
        self.as_ref().len()
    }
}

/// How one message is to be sent. The default is to keep it until it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SendOptions {
    pub(crate) ttl: Option<Duration>,
    pub(crate) delivery: Option<Delivery>,
    pub(crate) volatile: bool,
}

/// What is promised of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Delivery {
    /// It is written once and never again: if the connection dies before the transport has
    /// flushed it, nobody knows what became of it.
    #[default]
    AtMostOnce,
    /// It is kept until the peer has acknowledged it and replayed, in order, after a reconnect;
    /// the peer drops what it has seen. As long as both ends remember their session it arrives
    /// exactly once.
    Acknowledged,
}

impl SendOptions {
    /// Kept until written, or for the configured time to live; delivered as configured.
    pub const fn new() -> Self {
        Self {
            ttl: None,
            delivery: None,
            volatile: false,
        }
    }

    /// Whether it is only worth sending on the connection that is open now.
    pub const fn is_volatile(self) -> bool {
        self.volatile
    }

    /// Its own time to live, if it has one.
    pub const fn time_to_live(self) -> Option<Duration> {
        self.ttl
    }

    /// Delivered like this; overrides the configured delivery.
    #[must_use]
    pub const fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = Some(delivery);
        self
    }

    /// Expires unsent after this long; overrides the configured time to live.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Only worth sending on the connection that is open now, as a typing indicator is:
    /// refused while there is none, expired when it ends. Always at most once.
    #[must_use]
    pub const fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }
}

/// A message that was not accepted, with its payload.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Refused<P> {
    /// Why.
    pub reason: RefusedReason,
    /// The payload, unchanged.
    pub payload: P,
}

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum RefusedReason {
    /// The link is closed: it was not started, was disconnected, or closes.
    Closed,
    /// The link has failed for good; reconnect it first.
    Failed,
    /// The link drains and takes nothing new.
    Draining,
    /// A volatile message while there is no connection.
    NotConnected,
    /// It is to be acknowledged, and the link has no session in which it could be.
    NoSession,
    /// The store that keeps messages over the end of the process can't take it.
    NotStored,
    /// The queue is full and the policy is to refuse, or nothing can be dropped for it.
    Full,
    /// The message alone is larger than the queue's byte limit.
    TooLarge {
        /// The size of the message in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

impl fmt::Display for RefusedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the link is closed; start it first"),
            Self::Failed => f.write_str("the link has failed; reconnect it first"),
            Self::Draining => f.write_str("the link drains and takes no new messages"),
            Self::NotConnected => f.write_str("a volatile message is only taken while connected"),
            Self::NoSession => f.write_str("a message is only acknowledged in a session"),
            Self::NotStored => f.write_str("the store can't take the message"),
            Self::Full => f.write_str("the queue is full"),
            Self::TooLarge { size, limit } => write!(
                f,
                "the message has {size} bytes, more than the queue's limit of {limit}"
            ),
        }
    }
}

impl<P> fmt::Debug for Refused<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<P> fmt::Display for Refused<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.reason, f)
    }
}

impl<P> core::error::Error for Refused<P> {}

/// The next message to write, borrowed from the outbox.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outgoing<'a, P> {
    /// Its name, for the commit.
    pub id: MessageId,
    /// How often it was written before, 0 the first time.
    pub tries: u16,
    /// Its place in the sequence of acknowledged messages; `None` at most once.
    pub sequence: Option<u64>,
    /// Its number, if it is an intent.
    pub intent: Option<u64>,
    /// It was written in a session that is gone, so the peer may have it already.
    pub resent: bool,
    /// What to encode.
    pub payload: &'a P,
}

/// What became of one accepted message. Each has exactly one, told once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fate<P> {
    /// Which message.
    pub id: MessageId,
    /// What became of it.
    pub outcome: Outcome,
    /// The payload, with [`Outcome::Returned`] and [`Outcome::Unknown`].
    pub payload: Option<P>,
}

const _: () = assert!(size_of::<Fate<()>>() <= 16);

/// The kinds of fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Outcome {
    /// At most once: the transport reported it flushed. It says nothing of the peer.
    Written,
    /// The peer has acknowledged it.
    Acked,
    /// Its time to live passed, or it was volatile and its connection ended, before it was
    /// written; or its time passed before it could be replayed, and the peer doesn't have it.
    Expired,
    /// Taken out of the queue unsent.
    Dropped(DropReason),
    /// Handed back unsent by a drain or a disconnect.
    Returned,
    /// The peer may have it or not. At most once: the connection ended before the transport
    /// reported it flushed. Acknowledged: it was written, and its session is gone, or the link
    /// was closed, before the peer acknowledged it.
    Unknown,
}

/// Why a message was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DropReason {
    /// The queue was full and the policy chose this one.
    Overflow,
    /// The user cleared the queue.
    Cleared,
    /// It was tried as often as the configuration allows.
    Tries,
    /// The peer or the transport refused it for its size.
    TooBig,
}
