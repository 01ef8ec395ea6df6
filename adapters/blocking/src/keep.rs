//! A link with a store: what its books hold back, and what they tell the link's thread.

use std::collections::VecDeque;

use redial::session::Hello;
use redial::{Command, Epoch, Event, Instant, MessageId, Payload};

use crate::core::Core;
use crate::fill::Named;

/// What the application has once it is done with so many messages.
#[derive(Clone, Copy)]
pub(crate) struct Receipt {
    pushed: u64,
    epoch: Epoch,
    sequence: u64,
    intents: u64,
    /// The link wants to acknowledge it.
    wanted: bool,
}

/// From received to written down.
#[derive(Default)]
pub(crate) struct Receipts {
    /// One for each message at most.
    waiting: VecDeque<Receipt>,
    /// What the application is done with.
    done: Option<Receipt>,
}

impl<M: Payload> Core<M> {
    /// What the link says on a new connection.
    pub(crate) fn hello(&mut self, epoch: Epoch) -> Option<Hello> {
        let hello = self.link.hello(epoch)?;
        Some(match &self.books {
            None => hello,
            Some(books) => books.hello(hello),
        })
    }

    /// Whether there is use in this: where the disk has failed, there is none in another start.
    pub(crate) fn may_follow(&self, event: Event) -> bool {
        let begins = matches!(event, Event::Command(Command::Start | Command::Reconnect));
        let books = self.books.as_ref().filter(|_| begins);
        books.is_none_or(|books| !books.has_failed())
    }

    /// What the link has received by now is with the application.
    pub(crate) fn keep_receipt(&mut self, epoch: Epoch, wanted: bool) {
        if self.books.is_none() {
            return;
        }
        let inbox = self.link.inbox();
        let mut receipt = Receipt {
            pushed: self.inbox.pushed,
            epoch,
            sequence: inbox.last(),
            intents: inbox.intents(),
            wanted,
        };
        let last = self.receipts.waiting.back();
        if let Some(last) = last.filter(|last| last.pushed == receipt.pushed) {
            receipt.wanted |= last.wanted;
            self.receipts.waiting.pop_back();
        }
        self.receipts.waiting.push_back(receipt);
        self.pass_receipts();
    }

    /// Looks what the application is done with, and writes down what is wanted of it.
    pub(crate) fn pass_receipts(&mut self) {
        let (done, waiting) = (self.inbox.done(), &mut self.receipts.waiting);
        let mut wanted = false;
        while waiting.front().is_some_and(|next| next.pushed <= done) {
            self.receipts.done = waiting.pop_front();
            wanted |= self.receipts.done.is_some_and(|done| done.wanted);
        }
        if wanted {
            self.note_received();
        }
    }

    /// The last word of the books: what the application took it is done with, as the link has
    /// ended.
    pub(crate) fn balance(&mut self) {
        self.inbox.come();
        self.pass_receipts();
        self.note_received();
    }

    fn note_received(&mut self) {
        if let (Some(books), Some(done)) = (&mut self.books, self.receipts.done) {
            books.received(done.epoch, done.sequence, done.intents);
        }
    }

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
