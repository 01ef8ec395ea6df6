//! What became of a session on a new connection.

use super::id::ServerId;
use crate::inbox::Gap;

/// What became of the session: told on each new connection before the first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Resumption {
    /// The session goes on: what was missing is replayed, nothing comes twice.
    Resumed {
        /// The server's run.
        server: ServerId,
        /// The server was restarted since, and remembers the session all the same.
        restarted: bool,
        /// Messages of the server that are gone and will not come: they were dropped, or expired.
        missed: Option<Gap>,
        /// Own messages that the server had acknowledged and has forgotten again: it came back
        /// from an older state.
        forgotten: Option<Gap>,
    },
    /// A new session begins.
    Fresh {
        /// Why.
        reason: Fresh,
        /// The server's run; `None` from a peer that has no sessions.
        server: Option<ServerId>,
        /// It is another run than that of the session before.
        restarted: bool,
        /// Own messages whose fate can't be known any more: reported as
        /// [`Unknown`](crate::Outcome::Unknown), by [`OnFresh::Report`](super::OnFresh::Report).
        unknown: usize,
        /// Own messages that are sent again and may be duplicates, by
        /// [`OnFresh::Resend`](super::OnFresh::Resend).
        resent: usize,
    },
}

/// Why a session is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Fresh {
    /// It is the first.
    First,
    /// The server doesn't know the one before any more: it ran out, or the server has lost it.
    Forgotten,
    /// Resuming the one before failed as often as is tried.
    GaveUp,
    /// What the server says of the one before can't be: it has seen what was never sent.
    Mismatch,
    /// The peer has no sessions: each connection is a new one.
    Sessionless,
}

impl Resumption {
    /// Whether the session goes on.
    pub const fn is_resumed(&self) -> bool {
        matches!(self, Self::Resumed { .. })
    }

    /// Whether the server was restarted since the last connection, as far as its name tells.
    pub const fn restarted(&self) -> bool {
        match self {
            Self::Resumed { restarted, .. } | Self::Fresh { restarted, .. } => *restarted,
        }
    }
}
