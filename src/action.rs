//! Outputs: what a link asks its driver to do.
//!
//! Actions are small, `Copy`, and carry numbers only; payloads are peeked from the link.

use crate::cause::Cause;
use crate::epoch::Epoch;
use crate::link::Phase;
use crate::time::Instant;

/// What the driver is asked to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Action {
    /// Drop this attempt or connection at once, without a close handshake and without waiting.
    /// The driver owes nothing more for it.
    Abort(Epoch),
    /// Close this connection in order (WebSocket: close frame 1000). It ends by the driver's
    /// `Closed`, or by an [`Abort`](Action::Abort) at the close deadline.
    Close(Epoch),
    /// The link's phase changed. Told once for each change, in order.
    Changed(Change),
    /// Ask whether the server is there (a TCP connect, a health URL) and answer with
    /// [`Event::Probed`](crate::Event::Probed). At `deadline` the link counts it as a no.
    Preflight {
        /// The name of this probe.
        epoch: Epoch,
        /// When the link stops waiting for the answer.
        deadline: Instant,
    },
    /// A dial is due: ask whoever grants dials, and answer with
    /// [`Event::Permit`](crate::Event::Permit). Asked again if nobody answers.
    WantDial(Epoch),
    /// Dial now. Everything up to the application's first frame is under `deadline`, also
    /// fetching the URL and the credentials.
    Connect {
        /// The name of this attempt.
        epoch: Epoch,
        /// The number of this dial since the last reset, from 1.
        attempt: u32,
        /// Whether the last credentials were refused: fetch fresh ones.
        refresh: bool,
        /// When the link will give this attempt up by an `Abort`.
        deadline: Instant,
    },
    /// Tell the peer what was received: everything up to this sequence and this intent. A driver
    /// with a store writes down what it has received first.
    SendAck {
        /// The connection.
        epoch: Epoch,
        /// The last sequence, 0 for none.
        sequence: u64,
        /// The last intent, 0 for none.
        intents: u64,
    },
    /// Answer the peer's last ping. A transport that answers by itself ignores it.
    AnswerPing(Epoch),
    /// Send a ping that carries this nonce, ahead of queued messages.
    SendPing {
        /// The connection to ping.
        epoch: Epoch,
        /// What the pong should carry.
        nonce: u64,
    },
    /// There are messages to write: peek, encode, write, commit, until there is none or the
    /// transport is full, then flush once.
    Flush(Epoch),
}

const _: () = assert!(size_of::<Action>() <= 32);

/// One change of phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Change {
    /// The phase before.
    pub from: Phase,
    /// The phase after.
    pub to: Phase,
    /// Why, where something caused it that is not simply success or the user's start.
    pub cause: Option<Cause>,
}

const _: () = assert!(size_of::<Change>() <= 8);
