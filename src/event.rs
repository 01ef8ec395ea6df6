//! Inputs: what the world did ([`Event`]), and what the user wants ([`Command`]).
//!
//! Every event is defined in every state, at any time. One that names an epoch that is not
//! alive, or that cannot happen now, changes nothing but a counter.

use core::time::Duration;

use crate::cause::{Cause, RetryAfter};
use crate::epoch::Epoch;
use crate::outbox::MessageId;

/// What happened, told to a link with the time at which it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Event {
    /// Time has passed; nothing else happened. Early, late and repeated ticks are harmless.
    Tick,
    /// The transport is up and its handshake begins. It tells an unreachable host from a
    /// silent handshake; a driver that cannot see it may leave it out.
    Reached(Epoch),
    /// Transport and upgrade are done.
    Opened(Epoch),
    /// The application's handshake is done: messages may flow. Only expected where
    /// [`ready_deadline`](crate::config::Builder::ready_deadline) is set.
    Ready(Epoch),
    /// The attempt failed or the connection ended.
    Closed(Epoch, Closure),
    /// A frame came in. Any frame is a sign of life.
    Frame(Epoch, Frame),
    /// The transport has flushed every message up to and with this one.
    Flushed(Epoch, MessageId),
    /// The peer has acknowledged messages. What it can't have received changes nothing.
    Acked(Epoch, Ack),
    /// The application's store has every message up to and with this one.
    Stored(MessageId),
    /// The transport has moved this many bytes outward, or has room again. It is no sign of
    /// life: it only lets an outstanding pong take longer, within a bound.
    Progress(Epoch, u64),
    /// The answer to [`Action::Preflight`](crate::Action::Preflight): is the server there?
    Probed(Epoch, bool),
    /// The answer to [`Action::WantDial`](crate::Action::WantDial): go ahead.
    Permit(Epoch),
    /// Something outside suggests that dialling now is wise, or useless.
    Hint(Hint),
    /// The user's wish.
    Command(Command),
}

const _: () = assert!(size_of::<Event>() <= 48);

/// What the peer says it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Ack {
    /// Every message up to this sequence, and every intent up to this number.
    Through {
        /// The last sequence, 0 for none.
        sequence: u64,
        /// The last intent, 0 for none.
        intents: u64,
    },
    /// This message, whatever came before it: for protocols that acknowledge one by one.
    One(MessageId),
}

/// What came in. Its content stays with the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Frame {
    /// An application frame.
    Data,
    /// A ping of the peer. The link asks for its answer by
    /// [`Action::AnswerPing`](crate::Action::AnswerPing).
    Ping,
    /// A pong, with the nonce it carries. One without a nonce answers the outstanding ping;
    /// a wrong or late one gives no round trip.
    Pong(Option<u64>),
    /// A part of a frame, or input that waits unread because the application takes nothing: a
    /// sign of life, and nothing else.
    Part,
}

/// How an attempt or a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Closure {
    /// Why.
    pub cause: Cause,
    /// When the server would like to be dialled again, if it said so.
    pub retry_after: Option<RetryAfter>,
}

const _: () = assert!(size_of::<Closure>() <= 40);

impl Closure {
    /// An end with a server's hint.
    pub const fn hinted(cause: Cause, retry_after: RetryAfter) -> Self {
        Self {
            cause,
            retry_after: Some(retry_after),
        }
    }
}

impl From<Cause> for Closure {
    fn from(cause: Cause) -> Self {
        Self {
            cause,
            retry_after: None,
        }
    }
}

/// A suggestion from outside. Hints lie; a link believes them within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Hint {
    /// There is a network: a waiting link dials soon, unless the server said when to come back;
    /// a connected one is checked.
    Online,
    /// There is no network: dialling is parked, but for one dial every
    /// [`offline_recheck`](crate::config::Builder::offline_recheck). An open connection is
    /// pinged; its answer, as a connection that opens, disproves the hint.
    Offline,
    /// A person looks again: a connected link is checked at once, a waiting one dials soon.
    Visible,
    /// Nobody looks: heartbeats are stretched to
    /// [`hidden_interval`](crate::heartbeat::Pulse::hidden_interval).
    Hidden,
    /// The machine moved to another network: what is open there is dead, so dial anew.
    NetworkChanged,
    /// The server announced that it will close this connection within the given time.
    GoingAway(Epoch, Duration),
}

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Command {
    /// Be connected from now on. Ignored where the link already tries.
    Start,
    /// Dial now, whatever the link does: out of a wait, out of `Failed`, in place of an open
    /// connection. Where the link is closed it is the same as [`Start`](Command::Start).
    Reconnect,
    /// Close and stay closed. What is queued is handed back.
    Disconnect,
    /// Take no new messages, flush what is queued for at most this long, then close. What is
    /// left is handed back.
    Drain(Duration),
    /// Drop every queued message.
    Clear,
}
