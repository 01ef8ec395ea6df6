//! What of a link outlives its process: messages, sequences and the name of the session.
//!
//! A [`Carryover`] holds no time, no epoch that is alive, and nothing of a connection: the first
//! action of a link that is restored from one is a dial. For an exact copy within one process
//! there is a snapshot.

use alloc::vec::Vec;
use core::time::Duration;

use crate::outbox::MessageId;
use crate::session::{ServerId, SessionId};

/// What a link needs to go on in another process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Carryover<P> {
    /// The session to resume.
    pub session: Option<SessionId>,
    /// The server's run, as it was last told.
    pub server: Option<ServerId>,
    /// The last sequence that was received in the session, 0 for none.
    pub received: u64,
    /// The last intent that was received in it (a server's side), 0 for none.
    pub received_intents: u64,
    /// The last sequence that was given to a message, 0 for none.
    pub sequences: u64,
    /// The number of the last intent, 0 for none.
    pub intents: u64,
    /// How many messages were ever accepted: the number of the last one.
    pub accepted: u64,
    /// How many epochs were ever handed out.
    pub epochs: u64,
    /// Messages without a fate, in order.
    pub messages: Vec<Carried<P>>,
    /// Intents that stand, in order.
    pub standing: Vec<Standing<P>>,
}

/// A message without a fate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Carried<P> {
    /// Its name.
    pub id: MessageId,
    /// Its place in the sequence of acknowledged messages; `None` at most once.
    pub sequence: Option<u64>,
    /// How often it was written, as far as is known; 0 only if it certainly was not.
    pub tries: u16,
    /// It was written in a session before this one.
    pub resent: bool,
    /// What is left of its time to live.
    pub ttl: Option<Duration>,
    /// What it carries.
    pub payload: P,
}

/// An intent that stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Standing<P> {
    /// Its name, for the application.
    pub id: u64,
    /// The number under which it was last written in the session, 0 for not yet.
    pub number: u64,
    /// What it carries.
    pub payload: P,
}

impl<P> Default for Carryover<P> {
    fn default() -> Self {
        Self {
            session: None,
            server: None,
            received: 0,
            received_intents: 0,
            sequences: 0,
            intents: 0,
            accepted: 0,
            epochs: 0,
            messages: Vec::new(),
            standing: Vec::new(),
        }
    }
}
