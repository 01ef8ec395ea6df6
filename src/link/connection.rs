//! All that belongs to one connection, and to no other.

use crate::epoch::Epoch;
use crate::heartbeat::Heartbeat;
use crate::time::Instant;

/// One attempt and the connection that it yields. A new one starts from nothing, so no timer,
/// pending pong or mark of an old connection can reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Connection {
    pub(super) epoch: Epoch,
    /// When messages could flow; the time of the dial before that.
    pub(super) since: Instant,
    pub(super) heartbeat: Heartbeat,
    /// When the server said that it will be gone.
    pub(super) leaving_at: Instant,
    /// An application frame came in.
    pub(super) useful: bool,
    /// Proved stable: the counts were reset.
    pub(super) stable: bool,
    /// The driver was told to begin it (the action was taken), so it must be told of its end.
    pub(super) told: bool,
}

impl Connection {
    pub(super) const fn begin(epoch: Epoch, now: Instant) -> Self {
        Self {
            epoch,
            since: now,
            heartbeat: Heartbeat::fresh(now),
            leaving_at: Instant::NEVER,
            useful: false,
            stable: false,
            told: false,
        }
    }

    pub(super) fn shift(&mut self, shift: impl Fn(&mut Instant) + Copy) {
        shift(&mut self.since);
        shift(&mut self.leaving_at);
        self.heartbeat.shift(shift);
    }
}
