//! What goes into the requests, what comes back, and what became of each.

use core::fmt;
use core::time::Duration;

/// The name of an accepted request: it grows by one with each, and goes over the wire so that
/// the answer can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestId(pub(super) u64);

impl RequestId {
    /// The request with this number, as an answer names it.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number of this request, from 1.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How one request is to be asked. The default is as the settings say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestOptions {
    pub(super) timeout: Option<Duration>,
    pub(super) total: Option<Duration>,
    pub(super) max_attempts: Option<u32>,
}

impl RequestOptions {
    /// As the settings say.
    pub const fn new() -> Self {
        Self {
            timeout: None,
            total: None,
            max_attempts: None,
        }
    }

    /// The first attempt may take this long, at most 366 days. Above the settings' cap it does
    /// not grow.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The request may take this long in all, at most 366 days, outages included.
    #[must_use]
    pub const fn total(mut self, total: Duration) -> Self {
        self.total = Some(total);
        self
    }

    /// It may time out this often while connected; 0 counts as 1.
    #[must_use]
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }
}

/// A request that was not accepted, with its payload.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RefusedRequest<P> {
    /// Why.
    pub reason: RefusedRequestReason,
    /// The payload, unchanged.
    pub payload: P,
}

/// Why a request was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum RefusedRequestReason {
    /// The link is closed or has failed: nobody would answer.
    Closed,
    /// As many requests or bytes are pending as may be, outcomes not yet taken included.
    Full,
    /// The request alone is larger than the limit.
    TooLarge {
        /// The size of the request in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

impl fmt::Display for RefusedRequestReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the link is closed; nobody would answer"),
            Self::Full => f.write_str("too many requests are pending"),
            Self::TooLarge { size, limit } => write!(
                f,
                "the request has {size} bytes, more than the limit of {limit}"
            ),
        }
    }
}

impl<P> fmt::Debug for RefusedRequest<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefusedRequest")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<P> fmt::Display for RefusedRequest<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.reason, f)
    }
}

impl<P> core::error::Error for RefusedRequest<P> {}

/// The next request to send, borrowed.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asking<'a, P> {
    /// Its name, for the wire and for [`sent`](super::Requests::sent).
    pub id: RequestId,
    /// Which attempt this is, from 1. An attempt that an outage cut short is the same one
    /// again.
    pub attempt: u32,
    /// It was sent before, so the peer may have it already.
    pub resent: bool,
    /// What to encode.
    pub payload: &'a P,
}

/// What an inbound answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Answer<P> {
    /// The answer to a request that was pending, which is settled by it; with its payload.
    Answered(P),
    /// The request is settled already: a second answer, or one after its end. Counted; drop it.
    Late,
    /// No such request was ever sent. Counted; drop it.
    Unknown,
}

/// What became of a request that nobody answered or cancelled. Told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Settled<P> {
    /// Which request.
    pub id: RequestId,
    /// What became of it.
    pub outcome: Outcome,
    /// It was sent at least once, so the peer may have done what it asks.
    pub sent: bool,
    /// The payload, unchanged.
    pub payload: P,
}

/// How a request ended that has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Outcome {
    /// Its last attempt timed out.
    AttemptsSpent,
    /// Its total deadline passed, connected or not.
    TimeSpent,
    /// The link was closed, or has failed for good.
    Closed,
}
