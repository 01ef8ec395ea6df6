//! What the two ends tell each other when a connection has opened.

use super::id::{ServerId, SessionId};

/// What the client says first on a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Hello {
    /// The session to resume; `None` asks for a new one.
    pub session: Option<SessionId>,
    /// The last sequence that the client has received in that session, 0 for none.
    pub last_seen: u64,
    /// The lowest sequence that the client may still send: all before it is settled.
    pub first: u64,
    /// The number of this connection: it grows with each that the client begins, so that a hello
    /// which was held up on its way can't take the session back from a later one.
    pub connection: u64,
}

/// What the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Welcome {
    /// The session of this connection: the one that was asked for, or a new one.
    pub session: SessionId,
    /// The server's run.
    pub server: ServerId,
    /// Whether the session that was asked for goes on.
    pub resumed: bool,
    /// The last sequence that the server has received in this session; in a fresh one, the one
    /// before the client's `first`.
    pub last_seen: u64,
    /// The number of the last intent that the server has received in this session, 0 for none.
    pub intents: u64,
    /// The lowest sequence that the server may still send.
    pub first: u64,
}
