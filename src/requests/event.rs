//! What the requests are told, what they know of their link, and what they count.

/// What happened, told to the requests with the time at which it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Event {
    /// Time has passed; nothing else happened. Early, late and repeated ticks are harmless.
    Tick,
    /// A connection is up and messages flow on it. If there was one before it has ended.
    Up {
        /// The peer remembers nothing of the session before: what is unanswered is asked
        /// again. Always true without acknowledged delivery.
        fresh: bool,
    },
    /// There is no connection now, and there may be one again. After [`Closed`](Self::Closed):
    /// the link was started anew.
    Down,
    /// The link is closed or has failed for good: nothing that is pending will be answered.
    Closed,
}

/// What the requests know of their link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Line {
    Up,
    Down,
    Closed,
}

/// What happened to requests so far. Counters wrap.
///
/// `asked = pending + answered + cancelled + attempts_spent + time_spent + closed`, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Stats {
    /// Accepted.
    pub asked: u64,
    /// Sent, each attempt and each repetition counted.
    pub sent: u64,
    /// Settled by an answer.
    pub answered: u64,
    /// Settled by the user.
    pub cancelled: u64,
    /// Settled because the last attempt timed out.
    pub attempts_spent: u64,
    /// Settled because the total deadline passed.
    pub time_spent: u64,
    /// Settled because the link was closed.
    pub closed: u64,
    /// Answers to what was settled already.
    pub late: u64,
    /// Answers to what was never sent.
    pub unknown: u64,
}
