//! The store of a link: opened before the link is, told of to the link by its own thread, closed
//! behind it.

use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use redial::rng::Seeded;
use redial::{Command, Config, Event, Instant, Link, Payload};
use redial_store::{
    Disk, Failure, FileDisk, OpenError, Options, Progress, Record, Recovery, Report, Store, Stored,
};
use tokio::sync::watch;

use super::Books;
use super::received::Receipts;
use super::stored::Told;
use crate::engine::TokioLink;
use crate::handle::inner::Inner;
use crate::handle::shared::Shared;

/// A log, whatever it knows of payloads.
pub(super) trait Keeper<M>: Send {
    fn admit(&self, message: &M) -> bool;

    /// The number of its ticket; `None` if it was not taken.
    fn append(&self, record: &Record<'_, M>) -> Option<u64>;

    /// Waits for the disk.
    fn close(&self) -> Result<(), Failure>;
}

impl<M: Stored> Keeper<M> for Store<M> {
    fn admit(&self, message: &M) -> bool {
        Self::admit(self, message).is_ok()
    }

    fn append(&self, record: &Record<'_, M>) -> Option<u64> {
        match Self::append(self, record) {
            Ok(ticket) => Some(ticket.number()),
            Err(refusal) => {
                tracing::warn!(target: "redial", %refusal, "not written down");
                None
            }
        }
    }

    fn close(&self) -> Result<(), Failure> {
        Self::close(self)
    }
}

type News = Result<Progress, Failure>;

/// Who hears what the store tells, once there is somebody.
type Ear = Arc<OnceLock<Box<dyn Fn(News) + Send + Sync>>>;

/// An open log, and what was in it, for a link that is yet to be.
pub(crate) struct Durable<M> {
    log: Box<dyn Keeper<M>>,
    recovery: Recovery<M>,
    report: Arc<Report>,
    ear: Ear,
}

impl<M: Payload + Stored + 'static> Durable<M> {
    pub(crate) fn open(path: &std::path::Path, options: &Options) -> Result<Self, OpenError> {
        Self::over(FileDisk::open(path)?, options)
    }

    pub(crate) fn over<D: Disk + Send + 'static>(
        disk: D,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let ear = Ear::default();
        let hears = Arc::clone(&ear);
        // Nothing is appended before there is somebody to hear of it.
        let (log, recovery) = Store::over(disk, options, move |news| {
            if let Some(ear) = hears.get() {
                ear(news);
            }
        })?;
        let report = Arc::new(recovery.report.clone());
        Ok(Self {
            log: Box::new(log),
            recovery,
            report,
            ear,
        })
    }
}

impl<M: Payload + Send + 'static> Durable<M> {
    pub(crate) fn report(&self) -> &Report {
        &self.report
    }

    /// The link goes on, with messages that wait for the store.
    #[expect(
        clippy::expect_used,
        reason = "a store gives nothing from which a link can't go on, and tests that"
    )]
    pub(crate) fn revive(
        self,
        config: Config,
        rng: Seeded,
        now: Instant,
    ) -> (TokioLink<M>, Opened<M>) {
        let limits = redial::outbox::Limits {
            durable: true,
            ..config.outbox().clone()
        };
        // No rule speaks of it, so what was valid is.
        let durable = config.to_builder().outbox(limits).build();
        let config = durable.unwrap_or(config);
        let Recovery { carryover, .. } = self.recovery;
        let accepted = carryover.accepted;
        let received = carryover.received;
        let link = Link::revive(config, rng, now, carryover, Duration::ZERO);
        let link = link.expect("a carryover that holds");
        let stats = link.stats();
        let books = Books {
            log: Some(self.log),
            report: self.report,
            told: Arc::new(watch::Sender::new(Told {
                message: accepted,
                failed: None,
                closed: false,
            })),
            session: link.session(),
            fresh: stats.fresh,
            up: None,
            accepted,
            // What was carried over as tried may have been written.
            through: link
                .outbox()
                .last_in_flight()
                .map_or(0, redial::MessageId::number),
            settled: None,
            last: 0,
            gate: 0,
            stored: 0,
            stored_message: accepted,
            receipts: Receipts::after(received),
            stirred: false,
            broken: false,
        };
        let opened = Opened {
            books,
            ear: self.ear,
        };
        (link, opened)
    }
}

/// The books of a link that is to be spawned.
pub(crate) struct Opened<M> {
    pub(in crate::handle) books: Books<M>,
    ear: Ear,
}

impl<M: Payload + Send + 'static> Opened<M> {
    /// The books, and what makes the store's news go to the link.
    pub(in crate::handle) fn split(self) -> (Books<M>, impl FnOnce(&Arc<Shared<M>>)) {
        let Self { books, ear } = self;
        let listen = move |shared: &Arc<Shared<M>>| {
            let shared = Arc::downgrade(shared);
            // It is set once.
            let _ = ear.set(Box::new(move |news| hear(&shared, news)));
        };
        (books, listen)
    }
}

/// On the store's thread.
fn hear<M: Payload + 'static>(shared: &Weak<Shared<M>>, news: News) {
    let Some(shared) = shared.upgrade() else {
        return;
    };
    let now = shared.clock.now();
    let mut inner = shared.lock();
    let Inner { link, books, .. } = &mut *inner;
    let Some(books) = books else {
        return;
    };
    match news {
        Ok(progress) => {
            books.advance(link, now, progress);
            inner.wake();
        }
        Err(failure) => {
            let detail = failure.to_string();
            tracing::error!(target: "redial", %detail, "the store failed");
            books.fail(failure);
            inner.detail = Some(detail);
            drop(inner);
            shared.command(Event::Command(Command::Disconnect));
        }
    }
}

impl<M: Payload + 'static> Books<M> {
    pub(in crate::handle) fn report(&self) -> Arc<Report> {
        Arc::clone(&self.report)
    }

    pub(in crate::handle) fn watch(&self) -> watch::Receiver<Told> {
        self.told.subscribe()
    }

    /// Ends the log in order, on a thread of its own: the disk may be slow.
    pub(in crate::handle) fn close(&mut self) {
        self.settle();
        let Some(log) = self.log.take() else {
            return;
        };
        let told = Arc::clone(&self.told);
        let close = move || {
            let closed = log.close();
            // Another process may have it from here on.
            drop(log);
            told.send_modify(|told| {
                told.failed = closed.err();
                told.closed = true;
            });
        };
        // Without a thread it ends here, though not in order.
        let spawned = thread::Builder::new()
            .name("redial-close".into())
            .spawn(close);
        if spawned.is_err() {
            self.told.send_modify(|told| told.closed = true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use redial::rng::Seed;

    use super::*;
    use crate::clock::Clock;
    use crate::engine::{Room, Seat};
    use crate::handle::inbox::Inbox;
    use crate::handle::shared::Rest;

    #[test]
    fn news_between_the_turn_and_parking_are_not_slept_through() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let durable = Durable::<Vec<u8>>::open(&path, &Options::default()).unwrap();
        let rng = Seeded::new(Seed::from_number(1), 0);
        let (link, opened) = durable.revive(Config::default(), rng, Instant::ORIGIN);
        let (books, _) = opened.split();
        let room = Room {
            messages: 1,
            bytes: 1,
        };
        let inbox = Inbox::new(room);
        let shared = Shared::new(link, Clock::start(), inbox, None, Some(books), false);
        let mut shared = Arc::new(shared);
        let waker = Waker::noop();
        assert!(matches!(shared.park(waker, false, None), Rest::Parked));
        hear(&Arc::downgrade(&shared), Ok(Progress::default()));
        assert!(matches!(shared.park(waker, false, None), Rest::Sooner));
        assert!(shared.released().is_none());
        assert!(matches!(shared.park(waker, false, None), Rest::Parked));
    }
}
