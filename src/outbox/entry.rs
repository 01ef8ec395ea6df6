//! One message in the list.

use super::message::{MessageId, Outgoing};
use crate::epoch::Epoch;
use crate::time::Instant;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Entry<P> {
    pub(super) id: u64,
    /// Its place in the sequence of acknowledged messages; 0 at most once.
    pub(super) sequence: u64,
    pub(super) size: usize,
    pub(super) accepted_at: Instant,
    pub(super) expires: Instant,
    /// The last epoch it was written on.
    pub(super) tried_on: Option<Epoch>,
    pub(super) tries: u16,
    /// How often the peer refused for its size a connection on which this was written.
    pub(super) strikes: u8,
    pub(super) volatile: bool,
    /// The peer may have it: it was given to a transport that has ended since. What is in flight
    /// now is told by its place in the list.
    pub(super) sent: bool,
    /// It was sent in a session that is gone.
    pub(super) resent: bool,
    pub(super) payload: P,
}

impl<P> Entry<P> {
    #[inline]
    pub(super) const fn outgoing(&self) -> Outgoing<'_, P> {
        let acknowledged = self.is_acknowledged();
        Outgoing {
            id: MessageId(self.id),
            tries: self.tries,
            sequence: if acknowledged {
                Some(self.sequence)
            } else {
                None
            },
            intent: None,
            resent: self.resent,
            payload: &self.payload,
        }
    }

    #[inline]
    pub(super) const fn is_acknowledged(&self) -> bool {
        self.sequence != 0
    }

    /// Whether it must stay although it is not in flight: the peer may have it, and will say.
    #[inline]
    pub(super) const fn is_held(&self) -> bool {
        self.sent && self.is_acknowledged()
    }
}
