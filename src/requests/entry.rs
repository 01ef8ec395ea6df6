//! One request: where it stands and when its time is up.

use core::time::Duration;

use super::request::Settled;
use crate::time::Instant;

/// A request that is not settled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Entry<P> {
    pub(super) payload: P,
    pub(super) size: usize,
    pub(super) stage: Stage,
    /// The attempt under way or to be begun, from 1.
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    /// How long this attempt may take.
    pub(super) timeout: Duration,
    /// When the whole ends.
    pub(super) total: Option<Instant>,
    /// It was sent at least once.
    pub(super) sent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Stage {
    /// To be sent when there is a connection.
    Waiting,
    /// Sent on the connection that is up.
    Sent { due: Instant },
    /// Sent on a connection that has ended.
    Paused,
}

/// An outcome that nobody has taken yet, with the bytes that it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Kept<P> {
    pub(super) size: usize,
    pub(super) settled: Settled<P>,
}

impl<P> Entry<P> {
    /// The first of its deadlines.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match (self.stage, self.total) {
            (Stage::Sent { due }, Some(total)) => Some(due.min(total)),
            (Stage::Sent { due }, None) => Some(due),
            (Stage::Waiting | Stage::Paused, total) => total,
        }
    }
}
