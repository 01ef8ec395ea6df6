//! What a link tells about itself: status for screens, counts for machines.

use super::phase::Phase;
use super::state::{Stage, State};
use crate::cause::Cause;
use crate::epoch::Epoch;
use crate::session::Resumption;
use crate::time::Instant;
use core::time::Duration;

/// Where a link stands, after all handled inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Status {
    /// The phase.
    pub phase: Phase,
    /// Since when.
    pub since: Instant,
    /// The number of the dial under way, or of the next one, since the last reset; 1 is the
    /// first. While connected, what the next dial would be.
    pub attempt: u32,
    /// When the next dial (or probe) comes by itself, while one is waited for.
    pub next_attempt_at: Option<Instant>,
    /// Why the last attempt or connection ended, or what the user asked for.
    pub last_cause: Option<Cause>,
    /// The epoch that is alive.
    pub epoch: Option<Epoch>,
    /// The last measured round trip of this connection.
    pub round_trip: Option<Duration>,
    /// When the server said that this connection will be gone.
    pub leaving_at: Option<Instant>,
    /// Messages that wait to be written.
    pub queued: usize,
    /// Messages given to a transport and not yet settled: neither reported flushed (at most
    /// once) nor acknowledged.
    pub in_flight: usize,
    /// Bytes of payload held.
    pub bytes: usize,
    /// What became of the session on the last connection, where there are sessions.
    pub resumption: Option<Resumption>,
}

const _: () = assert!(size_of::<Status>() <= 224);

/// What happened so far, in numbers that only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Stats {
    /// Dials begun.
    pub dials: u64,
    /// Times that messages could flow.
    pub connected: u64,
    /// Connections lost or closed after that.
    pub disconnected: u64,
    /// Application frames received.
    pub received: u64,
    /// Pings sent.
    pub pings: u64,
    /// Messages accepted.
    pub accepted: u64,
    /// Messages refused.
    pub refused: u64,
    /// Messages reported flushed by the transport.
    pub written: u64,
    /// Messages acknowledged by the peer.
    pub acked: u64,
    /// Messages whose fate is unknown.
    pub unknown: u64,
    /// Messages that expired unsent.
    pub expired: u64,
    /// Messages dropped.
    pub dropped: u64,
    /// Messages handed back.
    pub returned: u64,
    /// Connections on which a session went on.
    pub resumed: u64,
    /// Connections on which a fresh session began.
    pub fresh: u64,
    /// Messages that came again and were dropped.
    pub duplicates: u64,
    /// Messages of the peer that are missing.
    pub missed: u64,
    /// Inputs that came too late or could not be.
    pub stale: u64,
}

const _: () = assert!(size_of::<Stats>() == 18 * 8);

impl State {
    /// Where the link stands; the outbox's three numbers are 0.
    pub fn status(&self) -> Status {
        let waits = matches!(self.stage, Stage::Due | Stage::Parked | Stage::Pausing);
        let up = matches!(self.stage, Stage::Up | Stage::Closing);
        Status {
            phase: self.phase,
            since: self.since,
            attempt: self.attempt(),
            next_attempt_at: if waits { self.due.known() } else { None },
            last_cause: self.last_cause,
            epoch: self.epoch(),
            round_trip: if up {
                self.current.heartbeat.round_trip()
            } else {
                None
            },
            leaving_at: if up {
                self.current.leaving_at.known()
            } else {
                None
            },
            queued: 0,
            in_flight: 0,
            bytes: 0,
            resumption: None,
        }
    }
}
