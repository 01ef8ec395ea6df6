//! The link under its lock, and who waits for what.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use redial::outbox::RefusedReason;
use redial::{
    Action, Command, Event, Instant, IntentId, MessageId, Payload, Refused, SendOptions, Status,
};
use redial_adapter::Books;
use tokio::sync::{Notify, watch};

use super::desk::Desk;
use super::inbox::Inbox;
use super::inner::{Inner, Parked};
use super::keep::Kept;
use crate::clock::Clock;
use crate::engine::{TokioLink, is_timeless};

/// What handles, receivers and the task share.
pub(super) struct Shared<M> {
    inner: Mutex<Inner<M>>,
    pub(super) inbox: Inbox<M>,
    pub(super) watch: watch::Sender<Status>,
    /// The queue may have room.
    pub(super) room: Notify,
    /// There may be a fate.
    pub(super) told: Notify,
    pub(super) clock: Clock,
    /// No message expires or waits for its turn or for company, so sending needs no clock.
    timeless: bool,
    /// There may be requests.
    pub(super) asks: bool,
    /// There is a store.
    pub(super) keeps: bool,
    /// What was found in it.
    #[cfg(feature = "store")]
    pub(super) report: Option<redial_store::Report>,
}

/// What the task finds when it wants to park.
pub(super) enum Rest {
    /// It may.
    Parked,
    /// There is something to do first.
    Action(Action),
    /// Since its last turn a deadline has come forward, which its timer doesn't know.
    Sooner,
    /// Nobody needs it any more.
    Over,
}

impl<M: Payload + 'static> Shared<M> {
    pub(super) fn new(
        link: TokioLink<M>,
        clock: Clock,
        inbox: Inbox<M>,
        desk: Option<Desk<M>>,
        books: Option<Box<dyn Books<M>>>,
        #[cfg(feature = "store")] report: Option<redial_store::Report>,
        keep_fates: bool,
    ) -> Self {
        let limits = link.config().outbox();
        Self {
            keeps: books.is_some(),
            #[cfg(feature = "store")]
            report,
            timeless: is_timeless(limits),
            asks: desk.is_some(),
            watch: watch::Sender::new(link.status()),
            inner: Mutex::new(Inner {
                link,
                parked: None,
                listeners: usize::from(keep_fates),
                expects_listener: keep_fates,
                collectors: 0,
                fates: VecDeque::new(),
                detail: None,
                broken: None,
                desk: desk.map(Box::new),
                kept: books.map(|books| Box::new(Kept::new(books))),
                abandoned: false,
                orphaned: false,
            }),
            inbox,
            room: Notify::new(),
            told: Notify::new(),
            clock,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner<M>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a message to the link.
    pub(super) fn push(&self, message: M, options: SendOptions) -> Result<MessageId, Refused<M>> {
        let now = self.now_for(options);
        let mut inner = self.lock();
        let sent = inner.push(now, message, options);
        let news = inner.has_news();
        drop(inner);
        if news {
            self.told.notify_waiters();
        }
        sent
    }

    /// Gives a message to the link if there is room for it, or if it would refuse it anyway;
    /// else gives it back.
    pub(super) fn push_if_room(
        &self,
        message: M,
        options: SendOptions,
    ) -> Result<Result<MessageId, Refused<M>>, M> {
        let now = self.now_for(options);
        let mut inner = self.lock();
        if inner.is_open() && !inner.has_room(&message, options) {
            return Err(message);
        }
        Ok(inner.push(now, message, options))
    }

    /// Gives an intent to the link.
    pub(super) fn declare(&self, message: M) -> Result<IntentId, Refused<M>> {
        let now = self.clock.now();
        let mut inner = self.lock();
        if inner.orphaned {
            return Err(Refused {
                reason: RefusedReason::Closed,
                payload: message,
            });
        }
        let declared = inner.declare(now, message);
        if declared.is_ok() {
            inner.nudge(true);
        }
        declared
    }

    /// The application is done with so many messages.
    pub(super) fn done(&self, count: u64) {
        if self.inbox.set_done(count) {
            if let Some(kept) = &mut self.lock().kept {
                self.acknowledge(kept);
            }
        }
    }

    /// All that was read was handed over.
    pub(super) fn delivered(&self) {
        let delivered = self.inbox.delivered();
        if let Some(kept) = &mut self.lock().kept {
            kept.mark(delivered);
            self.acknowledge(kept);
        }
    }

    /// Has written down what the application is done with.
    fn acknowledge(&self, kept: &mut Kept<M>) {
        while kept.done(self.inbox.set_awaited(kept.awaited())) {}
    }

    /// Tells the link what a user or the world around wants.
    pub(super) fn command(&self, event: Event) {
        let now = self.clock.now();
        let mut inner = self.lock();
        if inner.orphaned {
            return;
        }
        let begins = matches!(event, Event::Command(Command::Start | Command::Reconnect));
        let failed = |kept: &Kept<M>| kept.books.has_failed();
        if begins && inner.kept.as_deref().is_some_and(failed) {
            // Nothing could be said any more.
            return;
        }
        inner.link.handle(now, event);
        inner.follow();
        self.tell(&inner);
        inner.wake();
        drop(inner);
        self.room.notify_waiters();
    }

    /// The last handle is gone.
    pub(super) fn abandon(&self) {
        let now = self.clock.now();
        let mut inner = self.lock();
        inner.abandoned = true;
        inner.link.handle(now, Event::Command(Command::Disconnect));
        inner.follow();
        self.tell(&inner);
        inner.wake();
    }

    /// The task is gone: the link rests for ever.
    pub(super) fn orphan(&self) {
        let now = self.clock.now();
        let mut inner = self.lock();
        inner.orphaned = true;
        inner.link.handle(now, Event::Command(Command::Disconnect));
        if let Some(epoch) = inner.link.status().epoch {
            let lost = redial::Cause::Lost.into();
            inner.link.handle(now, Event::Closed(epoch, lost));
        }
        if let Some(desk) = &mut inner.desk {
            desk.close(now);
        }
        inner.follow();
        if let Some(kept) = &inner.kept {
            kept.close();
        }
        self.tell(&inner);
        drop(inner);
        self.room.notify_waiters();
        self.told.notify_waiters();
        self.inbox.close();
    }

    /// Parks the task, which comes back by itself at `until`, unless there is something to do.
    pub(super) fn park(&self, waker: &Waker, takes_messages: bool, until: Option<Instant>) -> Rest {
        let mut inner = self.lock();
        if let Some(action) = inner.link.poll_action() {
            return Rest::Action(action);
        }
        // All that was read is delivered by now.
        self.inbox.set_ended(inner.link.phase().is_final());
        if inner.abandoned && inner.link.phase().is_final() {
            return Rest::Over;
        }
        let rung = inner.kept.as_ref().is_some_and(|kept| kept.rung);
        let busy = inner.desk.as_ref().is_some_and(|desk| desk.is_busy());
        if rung || busy || inner.is_due_before(until) {
            return Rest::Sooner;
        }
        inner.parked = Some(Parked {
            waker: waker.clone(),
            takes_messages,
            until,
        });
        Rest::Parked
    }

    pub(super) fn lock_and_publish(&self) {
        let inner = self.lock();
        self.watch.send_replace(inner.link.status());
    }

    /// Under the lock, so that what watchers see last is what happened last.
    fn tell(&self, inner: &Inner<M>) {
        let status = inner.link.status();
        if !status.phase.is_final() {
            self.inbox.set_ended(false);
        }
        self.watch.send_replace(status);
    }

    /// The time for a new message. Where nothing hangs on it, any time in the past will do:
    /// the link takes it for the latest that it has seen.
    fn now_for(&self, options: SendOptions) -> Instant {
        if self.timeless && options == SendOptions::new() {
            Instant::ORIGIN
        } else {
            self.clock.now()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use redial::rng::{Seed, Seeded};
    use redial::{Config, Link};

    use super::*;
    use crate::engine::Room;

    #[test]
    fn a_deadline_that_came_forward_after_the_turn_is_not_slept_through() {
        let room = Room {
            messages: 1,
            bytes: 1,
        };
        let rng = Seeded::new(Seed::from_number(1), 0);
        let mut link: TokioLink<Vec<u8>> = Link::new(Config::default(), rng);
        let clock = Clock::start();
        link.handle(clock.now(), Event::Command(Command::Start));
        let shared = Shared::new(
            link,
            clock,
            Inbox::new(room),
            None,
            None,
            #[cfg(feature = "store")]
            None,
            false,
        );
        let waker = Waker::noop();
        assert!(matches!(shared.park(waker, false, None), Rest::Action(_)));
        while let Rest::Action(_) = shared.park(waker, false, None) {}
        let until = shared.lock().link.poll_timeout();
        assert!(until.is_some());
        assert!(matches!(shared.park(waker, false, until), Rest::Parked));
        // A message sent between turn and parking finds nobody to wake.
        shared.lock().parked = None;
        let soon = SendOptions::new().ttl(Duration::from_millis(1));
        shared.push(Vec::new(), soon).unwrap();
        assert!(matches!(shared.park(waker, false, until), Rest::Sooner));
        assert!(matches!(shared.park(waker, false, None), Rest::Sooner));
    }
}
