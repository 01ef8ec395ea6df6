//! What an application is told in the order in which it happened.

use redial::{Gap, Resumption};

/// What comes in over a link: messages, and between them what an application has to know of
/// their sequence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Received<M> {
    /// A message.
    Message(M),
    /// Messages of the peer are missing here, and will not come.
    Gap(Gap),
    /// A new connection carries what follows; this became of the session. Only where the link
    /// has a session.
    Session(Resumption),
}

impl<M> Received<M> {
    /// The message, if it is one.
    pub fn into_message(self) -> Option<M> {
        match self {
            Self::Message(message) => Some(message),
            Self::Gap(_) | Self::Session(_) => None,
        }
    }
}
