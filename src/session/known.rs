//! What a client knows of its session, and how resuming it went.

use super::hello::Welcome;
use super::id::{ServerId, SessionId};
use super::resumption::{Fresh, Resumption};
use crate::cause::Cause;
use crate::epoch::Epoch;

/// A resume that the peer turned down counts as so many that ended without its word.
const TURNED_DOWN: u16 = 64;

/// What a client knows of its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Known {
    pub(crate) session: Option<SessionId>,
    pub(crate) server: Option<ServerId>,
    /// Where the hello was said, as long as it is not answered.
    said_on: Option<Epoch>,
    /// It asked for the session to be resumed.
    offered: bool,
    /// How often resuming failed since it last succeeded, in parts of [`TURNED_DOWN`].
    failed: u16,
    /// The last answer could not be.
    mismatched: bool,
    /// The session of the connection that gets ready is settled.
    settled: bool,
    /// The last connection on which it was settled.
    on: Option<Epoch>,
    /// What became of the session on it.
    pub(crate) resumption: Option<Resumption>,
}

impl Known {
    pub(crate) const fn carried(session: Option<SessionId>, server: Option<ServerId>) -> Self {
        Self {
            session,
            server,
            said_on: None,
            offered: false,
            failed: 0,
            mismatched: false,
            settled: false,
            on: None,
            resumption: None,
        }
    }

    /// The session to ask for on this connection.
    pub(crate) fn offer(&mut self, epoch: Epoch, attempts: u8) -> Option<SessionId> {
        self.said_on = Some(epoch);
        let spent = self.failed >= u16::from(attempts).saturating_mul(TURNED_DOWN);
        let offer = self.session.filter(|_| !spent && !self.mismatched);
        self.offered = offer.is_some();
        offer
    }

    /// The connection on which the hello was said and not yet answered.
    pub(crate) const fn said_on(&self) -> Option<Epoch> {
        self.said_on
    }

    /// That connection has ended, without an answer.
    pub(crate) fn unanswered(&mut self, cause: Option<Cause>) {
        self.said_on = None;
        if self.offered {
            let weight = match cause {
                None => 0,
                // It goes away, restarts, or is busy: that is not about this session.
                Some(Cause::Close(1001 | 1012 | 1013)) => 1,
                Some(Cause::Close(_) | Cause::Protocol(_) | Cause::Local(_)) => TURNED_DOWN,
                // A line that is cut, or a server that is too slow to say anything.
                Some(_) => 1,
            };
            self.failed = self.failed.saturating_add(weight);
        }
    }

    /// Whether this answer resumes what was asked for; `Err` if it resumes what was not.
    pub(crate) fn judge(&self, welcome: &Welcome) -> Result<bool, ()> {
        let asked = self.offered && self.session == Some(welcome.session);
        if welcome.resumed && !asked {
            Err(())
        } else {
            Ok(welcome.resumed)
        }
    }

    /// The answer can't be: the next hello asks for a fresh session.
    pub(crate) fn mismatch(&mut self) {
        self.mismatched = true;
        self.said_on = None;
    }

    /// Whether this is another run of the server than that of the session before.
    pub(crate) fn restarted(&self, server: ServerId) -> bool {
        self.server.is_some_and(|before| before != server)
    }

    /// Why the session that begins is a fresh one.
    pub(crate) const fn why_fresh(&self) -> Fresh {
        if self.mismatched {
            Fresh::Mismatch
        } else if self.session.is_none() {
            Fresh::First
        } else if self.offered {
            Fresh::Forgotten
        } else {
            Fresh::GaveUp
        }
    }

    /// Whether the session of the connection that gets ready was settled; asked once.
    pub(crate) const fn take_welcomed(&mut self) -> bool {
        let settled = self.settled;
        self.settled = false;
        settled
    }

    /// Whether the session was settled on this connection: before that, nothing that comes in on
    /// it is of a session that is known.
    pub(crate) fn is_on(&self, epoch: Epoch) -> bool {
        self.on == Some(epoch)
    }

    /// The session of this connection is settled.
    pub(crate) fn settle(
        &mut self,
        on: Option<Epoch>,
        session: Option<(SessionId, ServerId)>,
        outcome: Resumption,
    ) {
        *self = Self {
            on,
            resumption: Some(outcome),
            settled: true,
            ..Self::carried(session.map(|s| s.0), session.map(|s| s.1))
        };
    }
}
