//! A link with a store: what its books hold back, and what they tell the link's thread.

use redial::{Command, Epoch, Event, Instant, MessageId, Payload};

use crate::core::Core;
use crate::fill::Named;

impl<M: Payload> Core<M> {
    /// Whether the books let messages and intents be written.
    pub(crate) fn may_write(&self, epoch: Epoch) -> bool {
        let books = self.books.as_ref();
        books.is_none_or(|books| books.may_write(epoch))
    }

    /// What was peeked was given to the transport.
    pub(crate) fn commit(&mut self, now: Instant, epoch: Epoch, named: Named) {
        let committed = self.link.commit(now, epoch, named.id);
        if let Some(books) = self.books.as_mut().filter(|_| committed) {
            books.committed(named.id, named.intent);
        }
    }

    /// What was peeked is too long for the transport.
    pub(crate) fn reject(&mut self, epoch: Epoch, id: MessageId) {
        let rejected = self.link.reject(epoch, id);
        if let Some(books) = self.books.as_mut().filter(|_| rejected) {
            books.rejected(id);
        }
    }

    /// Tells the link what is stored by now. Where nothing can be any more the link disconnects:
    /// what it has not written goes back to who sent it.
    pub(crate) fn hear_books(&mut self, now: Instant) {
        let Some(books) = self.books.as_mut().filter(|_| self.rung) else {
            return;
        };
        self.rung = false;
        let news = books.news();
        let stored = news.stored.unwrap_or(MessageId::from_number(0));
        self.handle(now, Event::Stored(stored));
        self.actions.extend(news.ack);
        if let Some(error) = news.failed {
            tracing::error!(target: "redial", %error, "the store failed");
            self.broken = Some(format!("the store failed: {error}"));
            self.handle(now, Event::Command(Command::Disconnect));
        }
    }
}
