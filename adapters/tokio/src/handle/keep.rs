//! A link with a store: what its books hold back, and what they tell the link.
//!
//! The books are kept under the link's lock, and decide what is written down when. Here is what
//! the task has to do for them: what came in is acknowledged when the application is done with it
//! and that is stored, and what the store's thread has to tell is told in the task's next turn.

use std::io;
use std::sync::{Arc, Weak};
use std::thread;

use redial::{Action, Command, Epoch, Event, Instant, MessageId, Payload};
use redial_adapter::{Books, NotStored};
use tokio::sync::watch;

use super::inner::Inner;
use super::shared::Shared;
use crate::engine::TokioLink;

/// What is kept beside a link with a store.
pub(super) struct Kept<M> {
    pub(super) books: Box<dyn Books<M>>,
    receipts: Receipts,
    /// There may be news.
    pub(super) rung: bool,
    told: Arc<watch::Sender<Told>>,
}

/// What those wait for who ask whether something is stored: that there was news, and how the log
/// was closed.
type Told = Option<Result<(), Arc<io::Error>>>;

/// What is to be acknowledged on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ack {
    epoch: Epoch,
    sequence: u64,
    intents: u64,
}

/// What was received, and the application is not known to be done with.
#[derive(Debug, Default)]
struct Receipts {
    up: Option<Epoch>,
    /// Not yet among what the application was given.
    wanted: Option<Ack>,
    /// By the messages that the application has to be done with: the first that waits, and the
    /// last. Each says all that those before it would have said, and the first is not put off by
    /// those that come behind it.
    waiting: [Option<(u64, Ack)>; 2],
}

impl Receipts {
    /// Something happened to the link.
    fn follow<M: Payload>(&mut self, link: &TokioLink<M>) {
        let state = link.state();
        let up = state.epoch().filter(|&epoch| state.is_up(epoch));
        if let Some(epoch) = self.up.filter(|_| self.up != up) {
            // The connection can't ask any more to acknowledge the last of it.
            let inbox = link.inbox();
            self.wanted = Some(Ack {
                epoch,
                sequence: inbox.last(),
                intents: inbox.intents(),
            });
        }
        self.up = up;
    }

    /// What is wanted is among the first so many messages that the application was given.
    fn mark(&mut self, delivered: u64) {
        if let Some(wanted) = self.wanted.take() {
            let [first, last] = &mut self.waiting;
            let place = if first.is_none() { first } else { last };
            *place = Some((delivered, wanted));
        }
    }

    /// How many messages the application has to be done with for something to go on.
    fn awaited(&self) -> Option<u64> {
        self.waiting[0].map(|(at, _)| at)
    }

    /// What is to be written down once the application is done with so many messages.
    fn done(&mut self, count: u64) -> Option<Ack> {
        let mut done = None;
        let [first, last] = &mut self.waiting;
        while let Some((_, ack)) = first.take_if(|(at, _)| *at <= count) {
            done = Some(ack);
            *first = last.take();
        }
        done
    }
}

impl<M: Payload + 'static> Kept<M> {
    pub(super) fn new(books: Box<dyn Books<M>>) -> Self {
        Self {
            books,
            receipts: Receipts::default(),
            // What failed before there was somebody to tell.
            rung: true,
            told: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Something happened to the link.
    pub(super) fn follow(&mut self, link: &TokioLink<M>) {
        if let Some(last) = link.outbox().last_in_flight() {
            self.books.committed(last, None);
        }
        self.receipts.follow(link);
        self.books.follow(link);
        self.rung |= self.books.has_news();
    }

    /// The link wants to acknowledge this. It says all that one before it would have said.
    pub(super) fn want(&mut self, epoch: Epoch, sequence: u64, intents: u64) {
        self.receipts.wanted = Some(Ack {
            epoch,
            sequence,
            intents,
        });
    }

    /// The application was given so many messages: what is wanted lies among them.
    pub(super) fn mark(&mut self, delivered: u64) {
        self.receipts.mark(delivered);
    }

    pub(super) fn awaited(&self) -> Option<u64> {
        self.receipts.awaited()
    }

    /// The application is done with so many messages. False if nothing hung on it.
    pub(super) fn done(&mut self, count: u64) -> bool {
        let Some(ack) = self.receipts.done(count) else {
            return false;
        };
        self.books.received(ack.epoch, ack.sequence, ack.intents);
        true
    }

    /// Ends the log in order, on a thread of its own: the disk may be slow.
    pub(super) fn close(&self) {
        let close = self.books.closer();
        let told = Arc::clone(&self.told);
        let spawned = thread::Builder::new()
            .name("redial-close".into())
            .spawn(move || told.send_replace(Some(close())));
        if let Err(error) = spawned {
            // Then it ends with the link, though not in order.
            self.told.send_replace(Some(Err(Arc::new(error))));
        }
    }
}

impl<M: Payload + 'static> Inner<M> {
    /// Tells the link what is stored by now. Where nothing can be any more the link disconnects:
    /// what it has not written goes back to who sent it. What may be acknowledged now.
    pub(super) fn hear_books(&mut self, now: Instant) -> Option<(Epoch, u64, u64)> {
        let kept = self.kept.as_mut().filter(|kept| kept.rung)?;
        kept.rung = false;
        let news = kept.books.news();
        let stored = news.stored.unwrap_or(MessageId::from_number(0));
        self.link.handle(now, Event::Stored(stored));
        if let Some(error) = news.failed {
            tracing::error!(target: "redial", %error, "the store failed");
            self.broken = Some(NotStored::Failed(error).to_string());
            self.link.handle(now, Event::Command(Command::Disconnect));
        }
        self.follow();
        match news.ack {
            Some(Action::SendAck {
                epoch,
                sequence,
                intents,
            }) => Some((epoch, sequence, intents)),
            _ => None,
        }
    }
}

impl<M: Payload + Send + 'static> Shared<M> {
    /// Lets the books tell the task what is stored, and those who wait for that.
    pub(super) fn attach(self: &Arc<Self>) {
        let shared = Arc::downgrade(self);
        if let Some(kept) = &mut self.lock().kept {
            kept.books.attach(Box::new(move || ring(&shared)));
        }
    }
}

/// On the store's thread.
fn ring<M: Payload + 'static>(shared: &Weak<Shared<M>>) {
    let Some(shared) = shared.upgrade() else {
        return;
    };
    let mut inner = shared.lock();
    if let Some(kept) = &mut inner.kept {
        kept.rung = true;
        kept.told.send_modify(|_| {});
    }
    inner.wake();
    drop(inner);
    // What was written takes no room in memory any more.
    shared.room.notify_waiters();
}

/// What is asked of a store, and of its end.
#[cfg(feature = "store")]
impl<M: Payload + Send + 'static> Shared<M> {
    /// Hears when the books have news, and how the log was closed.
    fn listen(&self) -> Option<watch::Receiver<Told>> {
        self.lock().kept.as_ref().map(|kept| kept.told.subscribe())
    }

    /// Waits until this message is stored.
    pub(super) async fn stored(&self, id: MessageId) -> Result<(), NotStored> {
        let Some(mut told) = self.listen() else {
            return Err(NotStored::NoStore);
        };
        loop {
            let closed = told.borrow_and_update().is_some();
            let stored = match &self.lock().kept {
                Some(kept) => kept.books.is_stored(id),
                None => Some(Err(NotStored::NoStore)),
            };
            if let Some(stored) = stored {
                return stored;
            }
            // The sender lives as long as this link.
            if closed || told.changed().await.is_err() {
                return Err(NotStored::Closed);
            }
        }
    }

    /// What waits until the log is closed, also when this link is there no more.
    pub(super) fn finished(&self) -> impl Future<Output = Result<(), NotStored>> + use<M> {
        let told = self.listen();
        async move {
            let Some(mut told) = told else {
                return Ok(());
            };
            match told.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(Err(error))) => Err(NotStored::Failed(Arc::clone(error))),
                _ => Ok(()),
            }
        }
    }
}

/// With the feature `store`, for a link whose builder was given [one](crate::Builder::store).
#[cfg(feature = "store")]
impl<M: Payload + Send + 'static> super::Handle<M> {
    /// Waits until the store has this message, as far as its
    /// [`SyncPolicy`](redial_store::SyncPolicy) promises: from then on it outlives the process.
    ///
    /// `send` alone says that it is accepted. A message with a fate is as good as stored. A
    /// volatile one is never stored: what this says of one is that all before it is. Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`NotStored`], if it never will be.
    pub fn stored(
        &self,
        id: MessageId,
    ) -> impl Future<Output = Result<(), NotStored>> + Send + use<M> {
        let shared = Arc::clone(self.shared());
        async move { shared.stored(id).await }
    }

    /// What was found in the log when it was opened; `None` without a store.
    pub fn recovery(&self) -> Option<&redial_store::Report> {
        self.shared().report.as_ref()
    }

    /// Drops this handle, and waits until the link is over and its log closed in order. While
    /// there are other handles, that waits for them.
    ///
    /// What is queued stays in the log, for the next process; to have it back, or written out,
    /// [disconnect](Self::disconnect) or [drain](Self::drain) first. A handle that is simply
    /// dropped leads to the same end, a little later: a process that ends meanwhile, or opens the
    /// log anew, is too early. Returns at once without a store.
    ///
    /// Cancel-safe: it all goes on when the future is dropped.
    ///
    /// # Errors
    ///
    /// [`NotStored::Failed`]: the disk failed, now or before.
    pub async fn finish(self) -> Result<(), NotStored> {
        let finished = self.shared().finished();
        drop(self);
        finished.await
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use redial::rng::{Seed, Seeded};
    use redial::{Config, Link};

    use super::*;

    fn link() -> TokioLink<Vec<u8>> {
        Link::new(Config::default(), Seeded::new(Seed::from_number(1), 0))
    }

    #[test]
    fn the_first_is_not_put_off_and_the_last_says_it_all() {
        let mut link = link();
        link.handle(Instant::ORIGIN, Event::Command(Command::Start));
        let epoch = link.status().epoch.expect("an attempt");
        let ack = |sequence| Ack {
            epoch,
            sequence,
            intents: 0,
        };
        let mut receipts = Receipts::default();
        for at in [3, 5, 9] {
            receipts.wanted = Some(ack(at));
            receipts.mark(at);
        }
        assert_eq!((receipts.done(2), receipts.awaited()), (None, Some(3)));
        let done = receipts.done(5);
        assert_eq!((done, receipts.awaited()), (Some(ack(3)), Some(9)));
        receipts.wanted = Some(ack(10));
        receipts.mark(10);
        let done = receipts.done(20);
        assert_eq!((done, receipts.awaited()), (Some(ack(10)), None));
    }

    #[cfg(feature = "store")]
    #[test]
    fn news_between_the_turn_and_parking_are_not_slept_through() {
        use crate::clock::Clock;
        use crate::engine::{Room, Seat};
        use crate::handle::inbox::Inbox;
        use crate::handle::shared::Rest;

        let dir = tempfile::tempdir().unwrap();
        let options = redial_store::Options::default();
        let opened = redial_store::Keeper::open(dir.path().join("log"), &options);
        let (keeper, _) = opened.unwrap();
        let room = Room {
            messages: 1,
            bytes: 1,
        };
        let (clock, inbox) = (Clock::start(), Inbox::new(room));
        let books: Option<Box<dyn Books<_>>> = Some(Box::new(keeper));
        let shared = Shared::new(link(), clock, inbox, None, books, None, false);
        let mut shared = Arc::new(shared);
        let waker = Waker::noop();
        assert!(shared.released().is_none());
        assert!(matches!(shared.park(waker, false, None), Rest::Parked));
        ring(&Arc::downgrade(&shared));
        assert!(matches!(shared.park(waker, false, None), Rest::Sooner));
        assert!(shared.released().is_none());
        assert!(matches!(shared.park(waker, false, None), Rest::Parked));
    }
}
