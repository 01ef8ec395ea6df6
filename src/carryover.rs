//! What of a link outlives its process: messages, sequences and the name of the session.
//!
//! A [`Carryover`] holds no time, no epoch that is alive, and nothing of a connection: the first
//! action of a link that is restored from one is a dial. For an exact copy within one process
//! there is a snapshot.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::outbox::{Fate, MessageId};
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
    /// How many epochs were ever handed out, or more: no connection has a number twice.
    pub epochs: u64,
    /// Messages without a fate, in order.
    pub messages: Vec<Carried<P>>,
    /// Intents that stand, in order.
    pub standing: Vec<Standing<P>>,
    /// Fates that were decided and not yet taken, in order.
    pub fates: Vec<Fate<P>>,
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
            fates: Vec::new(),
        }
    }
}

impl<P> Carryover<P> {
    /// Checks every rule that a link needs to go on from this.
    ///
    /// # Errors
    ///
    /// The first rule that is broken, with the offending values.
    pub fn check(&self) -> Result<(), CarryoverError> {
        let names = self.standing.iter().map(|intent| intent.id);
        let counts = [self.accepted, self.sequences, self.epochs];
        if let Some(count) = counts.into_iter().chain(names).find(|count| *count >= MOST) {
            return Err(CarryoverError::Spent { count });
        }
        let (mut id, mut sequence, mut written) = (0, 0, true);
        for message in &self.messages {
            let next = message.id.number();
            // The highest bit marks the names of intents.
            if next <= id || next > self.accepted || message.id.intent().is_some() {
                let (before, last) = (id, self.accepted);
                return Err(CarryoverError::Id { next, before, last });
            }
            id = next;
            if message.tries > 0 && !written {
                return Err(CarryoverError::WrittenBehindUnwritten { id });
            }
            written = message.tries > 0;
            if let Some(next) = message.sequence {
                if next <= sequence || next > self.sequences {
                    let (before, last) = (sequence, self.sequences);
                    return Err(CarryoverError::Sequence { next, before, last });
                }
                sequence = next;
            }
        }
        let mut id = 0;
        for intent in &self.standing {
            if intent.id <= id || intent.number > self.intents {
                let (next, number, last) = (intent.id, intent.number, self.intents);
                return Err(CarryoverError::Intent { next, number, last });
            }
            id = intent.id;
        }
        Ok(())
    }
}

/// The rule that a carryover breaks, with the offending values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CarryoverError {
    /// The names of messages grow, and none is above the last one.
    Id {
        /// The offending one.
        next: u64,
        /// The one before it.
        before: u64,
        /// The last one that was given.
        last: u64,
    },
    /// The sequences of messages grow, and none is above the last one.
    Sequence {
        /// The offending one.
        next: u64,
        /// The one before it.
        before: u64,
        /// The last one that was given.
        last: u64,
    },
    /// Messages are written in order, so none is written behind one that is not.
    WrittenBehindUnwritten {
        /// The offending one.
        id: u64,
    },
    /// The names of intents grow, and no number is above the last one.
    Intent {
        /// The name of the offending one.
        next: u64,
        /// Its number.
        number: u64,
        /// The last number that was given.
        last: u64,
    },
    /// What is counted here has room to grow, and the highest bit is not its own.
    Spent {
        /// The offending count.
        count: u64,
    },
}

/// No link comes here, and a count from here on would repeat itself before long.
const MOST: u64 = 1 << 63;

impl fmt::Display for CarryoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id { next, before, last } => write!(
                f,
                "message {next} must lie above {before} and not above {last}, the last accepted"
            ),
            Self::Sequence { next, before, last } => write!(
                f,
                "sequence {next} must lie above {before} and not above {last}, the last given"
            ),
            Self::WrittenBehindUnwritten { id } => write!(
                f,
                "message {id} was written, so none before it can be unwritten"
            ),
            Self::Intent { next, number, last } => write!(
                f,
                "intent {next} must lie above those before it, and its number {number} not above {last}"
            ),
            Self::Spent { count } => write!(f, "the count {count} must lie below 2^63"),
        }
    }
}

impl core::error::Error for CarryoverError {}

/// A carryover from which no link can go on, unchanged.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Rejected<P> {
    /// Why.
    pub error: CarryoverError,
    /// All that was in it.
    pub carryover: Carryover<P>,
}

impl<P> fmt::Debug for Rejected<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Rejected");
        debug.field("error", &self.error).finish_non_exhaustive()
    }
}

impl<P> fmt::Display for Rejected<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl<P> core::error::Error for Rejected<P> {}
