//! Requests that have no answer.

use std::fmt;

use redial::outbox::RefusedReason;
use redial::requests::RefusedRequestReason;

/// A request that has no answer, with its message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RequestFailed<M> {
    /// Why.
    pub reason: RequestFailure,
    /// It was sent at least once, so the peer may have done what it asks.
    pub sent: bool,
    /// The message, unchanged.
    pub message: M,
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestFailure {
    /// The link was built without a way to find answers.
    NoCorrelation,
    /// It was not accepted.
    Refused(RefusedRequestReason),
    /// The link's queue can never take it.
    Unfit(RefusedReason),
    /// Its last attempt timed out, or its total deadline has passed.
    TimedOut,
    /// The link was closed, or has failed for good.
    Closed,
}

impl<M> RequestFailed<M> {
    /// A request that failed for this reason.
    pub const fn new(reason: RequestFailure, sent: bool, message: M) -> Self {
        Self {
            reason,
            sent,
            message,
        }
    }
}

impl fmt::Display for RequestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCorrelation => f.write_str("the link was built without a way to find answers"),
            Self::Refused(reason) => reason.fmt(f),
            Self::Unfit(reason) => reason.fmt(f),
            Self::TimedOut => f.write_str("no answer came in time"),
            Self::Closed => f.write_str("the link is closed; nobody will answer"),
        }
    }
}

impl<M> fmt::Debug for RequestFailed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestFailed")
            .field("reason", &self.reason)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl<M> fmt::Display for RequestFailed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<M> std::error::Error for RequestFailed<M> {}
