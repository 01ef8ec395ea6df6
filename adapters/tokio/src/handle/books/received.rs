//! From received to acknowledged: the application has to be done with it, and then it has to be
//! stored.

use redial::inbox::Inbox;

use super::queue::{Ack, Queue};

/// What was received and is not acknowledged yet.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    /// Not yet among what the application was given.
    wanted: Option<Ack>,
    /// By the messages that the application has to be done with.
    taken: Queue,
    /// By the ticket of its record.
    appended: Queue,
    /// To be said on its connection.
    released: Option<Ack>,
    /// The last sequence whose record is stored.
    stored: u64,
}

impl Receipts {
    /// Goes on where the log ends.
    pub(super) fn after(stored: u64) -> Self {
        Self {
            stored,
            ..Self::default()
        }
    }

    /// A session begins, and this is what it begins with. What is not acknowledged in the one
    /// before never will be.
    pub(super) fn begin(&mut self, inbox: &Inbox) -> Ack {
        *self = Self::after(inbox.last());
        Ack::of_all(inbox)
    }

    /// This is to be acknowledged. It says all that one before it would have said.
    pub(super) fn want(&mut self, ack: Ack) {
        self.wanted = Some(ack);
    }

    /// What is wanted is among the first so many messages that the application was given.
    pub(super) fn mark(&mut self, delivered: u64) {
        if let Some(wanted) = self.wanted.take() {
            self.taken.push(delivered, wanted);
        }
    }

    pub(super) fn awaited(&self) -> Option<u64> {
        self.taken.awaited()
    }

    /// What is to be written down once the application is done with so many messages.
    pub(super) fn done(&mut self, count: u64) -> Option<Ack> {
        self.taken.pass(count)
    }

    /// It was given to the log, with this ticket.
    pub(super) fn append(&mut self, ticket: u64, ack: Ack) {
        self.appended.push(ticket, ack);
    }

    /// Everything up to this ticket is stored.
    pub(super) fn advance(&mut self, ticket: u64) {
        if let Some(ack) = self.appended.pass(ticket) {
            self.stored = ack.sequence;
            self.released = Some(ack);
        }
    }

    pub(super) fn released(&mut self) -> Option<Ack> {
        self.released.take()
    }

    pub(super) const fn stored(&self) -> u64 {
        self.stored
    }
}
