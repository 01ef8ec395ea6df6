//! The link under its lock, and who waits for what.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use redial::outbox::RefusedReason;
use redial::{
    Action, Command, Epoch, Event, Fate, Hello, Instant, IntentId, MessageId, Payload, Phase,
    Refused, SendOptions, Status,
};
use tokio::sync::{Notify, watch};

use super::books::{Ack, Books};
use super::desk::Desk;
use super::inbox::Inbox;
use crate::clock::Clock;
use crate::engine::{Seat, TokioLink, is_timeless};

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
}

/// What is under the lock.
pub(super) struct Inner<M> {
    pub(super) link: TokioLink<M>,
    /// The parked task. Whoever takes it wakes it.
    parked: Option<Parked>,
    /// Receivers of fates.
    pub(super) listeners: usize,
    /// The first of them is counted, and yet to come.
    pub(super) expects_listener: bool,
    /// Drains that wait for what they will hand back.
    pub(super) collectors: usize,
    /// Fates that a drain took from the link for the listeners.
    pub(super) fates: VecDeque<Fate<M>>,
    pub(super) detail: Option<String>,
    pub(super) desk: Option<Box<Desk<M>>>,
    /// What the store is given, if there is one.
    pub(super) books: Option<Box<Books<M>>>,
    /// There is no handle any more.
    abandoned: bool,
    /// There is no task any more.
    orphaned: bool,
}

/// The task while it has nothing to do.
struct Parked {
    waker: Waker,
    /// A message that is sent now could be written now.
    takes_messages: bool,
    /// It comes back by itself at this time.
    until: Option<Instant>,
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
        books: Option<Books<M>>,
        keep_fates: bool,
    ) -> Self {
        let limits = link.config().outbox();
        Self {
            keeps: books.is_some(),
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
                desk: desk.map(Box::new),
                books: books.map(Box::new),
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
        if inner.is_open() && !inner.has_room(message.size()) {
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
            if let Some(books) = &mut self.lock().books {
                self.acknowledge(books);
            }
        }
    }

    /// All that was read was handed over.
    pub(super) fn delivered(&self) {
        let delivered = self.inbox.delivered();
        if let Some(books) = &mut self.lock().books {
            books.mark(delivered);
            self.acknowledge(books);
        }
    }

    /// Has written down what the application is done with.
    fn acknowledge(&self, books: &mut Books<M>) {
        while books.done(self.inbox.set_awaited(books.awaited())) {}
    }

    /// Tells the link what a user or the world around wants.
    pub(super) fn command(&self, event: Event) {
        let now = self.clock.now();
        let mut inner = self.lock();
        if inner.orphaned {
            return;
        }
        let begins = matches!(event, Event::Command(Command::Start | Command::Reconnect));
        if begins && inner.books.as_ref().is_some_and(|books| books.is_broken()) {
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
        if let Some(books) = &mut inner.books {
            books.close();
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
        let stirred = inner.books.as_ref().is_some_and(|books| books.is_stirred());
        let busy = inner.desk.as_ref().is_some_and(|desk| desk.is_busy());
        if stirred || busy || inner.is_due_before(until) {
            return Rest::Sooner;
        }
        inner.parked = Some(Parked {
            waker: waker.clone(),
            takes_messages,
            until,
        });
        Rest::Parked
    }

    fn lock_and_publish(&self) {
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

impl<M: Payload + 'static> Inner<M> {
    fn push(
        &mut self,
        now: Instant,
        message: M,
        options: SendOptions,
    ) -> Result<MessageId, Refused<M>> {
        // Fates that wait outside of the link are bounded as those in it are.
        if self.fates.len() >= self.link.config().outbox().messages.saturating_mul(2) {
            let reason = RefusedReason::Full;
            let payload = message;
            return Err(Refused { reason, payload });
        }
        let sent = send(
            &mut self.link,
            self.books.as_deref_mut(),
            now,
            message,
            options,
        );
        // What had to make room has its fate. While there is an outage nobody else looks.
        if self.listeners == 0 && self.collectors == 0 {
            self.forget_fates();
        }
        if sent.is_ok() {
            // What has to be stored first is not written now.
            self.nudge(self.books.is_none() || options == options.volatile());
        }
        sent
    }

    fn declare(&mut self, now: Instant, message: M) -> Result<IntentId, Refused<M>> {
        let Some(books) = &mut self.books else {
            return self.link.declare(now, message);
        };
        if !books.admits(&message) {
            let reason = RefusedReason::NotStored;
            let payload = message;
            return Err(Refused { reason, payload });
        }
        let declared = self.link.declare(now, message);
        if let Ok(id) = declared {
            books.declared(&self.link, id);
        }
        declared
    }

    pub(super) fn withdraw(&mut self, id: IntentId) -> Option<M> {
        let message = self.link.withdraw(id)?;
        if let Some(books) = &mut self.books {
            books.withdrawn(id);
        }
        Some(message)
    }

    /// Lets the store see what happened to the link.
    fn follow(&mut self) {
        if let Some(books) = &mut self.books {
            books.follow(&self.link);
        }
    }

    /// The next fate, which somebody takes, or nobody.
    ///
    /// What the end of the link hands back and nobody takes is not settled in the store: it is for
    /// the next process.
    pub(super) fn poll_fate(&mut self, taken: bool) -> Option<Fate<M>> {
        let fate = self.link.poll_fate()?;
        if let Some(books) = &mut self.books {
            let over = self.abandoned || self.orphaned;
            if taken || !over || fate.payload.is_none() {
                books.settled(fate.id);
            }
        }
        Some(fate)
    }

    fn forget_fates(&mut self) {
        while self.poll_fate(false).is_some() {}
        if let Some(books) = &mut self.books {
            books.settle();
        }
    }

    /// Wakes the parked task if there is something for it to write now.
    fn nudge(&mut self, flows: bool) {
        let Some(parked) = &self.parked else {
            return;
        };
        let sooner = self.is_due_before(parked.until);
        let flows = flows && parked.takes_messages && self.link.phase() == Phase::Connected;
        if flows || sooner {
            self.wake();
        }
    }

    pub(super) fn wake(&mut self) {
        if let Some(parked) = self.parked.take() {
            parked.waker.wake();
        }
    }

    /// Whether the link has a deadline before `until`.
    fn is_due_before(&self, until: Option<Instant>) -> bool {
        match (self.link.poll_timeout(), until) {
            (Some(due), Some(until)) => due < until,
            (due, None) => due.is_some(),
            (None, _) => false,
        }
    }

    /// Whether somebody waits for a fate that is decided.
    fn has_news(&self) -> bool {
        self.listeners > 0 && self.link.outbox().fates_waiting() > 0
    }

    fn is_open(&self) -> bool {
        takes_messages(self.link.phase())
    }

    fn has_room(&self, size: usize) -> bool {
        has_room(&self.link, self.fates.len(), size)
    }

    /// The next fate, for a listener.
    pub(super) fn take_fate(&mut self) -> Option<Fate<M>> {
        // It makes room, for which a request may wait.
        if self.desk.as_ref().is_some_and(|desk| desk.is_blocked()) {
            self.wake();
        }
        match self.fates.pop_front() {
            None if self.collectors == 0 => {
                let fate = self.poll_fate(true);
                if let Some(books) = &mut self.books {
                    books.settle();
                }
                fate
            }
            kept => kept,
        }
    }

    /// Nobody wants to know: forgets every fate, unless a drain waits for some.
    pub(super) fn discard(&mut self) {
        self.fates = VecDeque::new();
        if self.collectors == 0 {
            self.forget_fates();
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        self.orphaned
    }
}

/// Gives a message to the link, and the store has it written down.
pub(super) fn send<M: Payload + 'static>(
    link: &mut TokioLink<M>,
    books: Option<&mut Books<M>>,
    now: Instant,
    message: M,
    options: SendOptions,
) -> Result<MessageId, Refused<M>> {
    let Some(books) = books else {
        return link.send(now, message, options);
    };
    let keeps = takes_messages(link.phase()) && options != options.volatile();
    if keeps && !books.admits(&message) {
        let reason = RefusedReason::NotStored;
        let payload = message;
        return Err(Refused { reason, payload });
    }
    let sent = link.send(now, message, options);
    if sent.is_ok() {
        books.accepted(link, now, options);
    }
    sent
}

fn takes_messages(phase: Phase) -> bool {
    !matches!(
        phase,
        Phase::Closed | Phase::Closing | Phase::Failed | Phase::Draining
    )
}

/// Whether a message of this size fits without another being dropped; one that can never fit is
/// let through to be refused. `fates` wait outside of the link.
pub(super) fn has_room<M: Payload>(link: &TokioLink<M>, fates: usize, size: usize) -> bool {
    let (limits, outbox) = (link.config().outbox(), link.outbox());
    let live = outbox.queued() + outbox.in_flight();
    let slots = live + outbox.fates_waiting() + fates;
    let fits = live < limits.messages
        && slots < limits.messages.saturating_mul(2)
        && outbox.bytes().saturating_add(size) <= limits.bytes;
    fits || size > limits.bytes
}

/// The task's access to the link.
impl<M: Payload + 'static> Seat<M> for Arc<Shared<M>> {
    fn with<R>(&mut self, act: impl FnOnce(&mut TokioLink<M>) -> R) -> R {
        let mut inner = self.lock();
        inner.parked = None;
        let result = act(&mut inner.link);
        inner.follow();
        if inner.link.outbox().fates_waiting() == 0 {
            return result;
        }
        let listened = inner.listeners > 0;
        if !listened && inner.collectors == 0 {
            inner.forget_fates();
        }
        drop(inner);
        if listened {
            self.told.notify_waiters();
        }
        self.room.notify_waiters();
        result
    }

    fn publish(&mut self) {
        self.lock_and_publish();
        self.room.notify_waiters();
    }

    fn note(&mut self, detail: String) {
        self.lock().detail = Some(detail);
    }

    fn hold(&mut self, hello: &mut Hello) -> u64 {
        let mut inner = self.lock();
        inner.books.as_mut().map_or(0, |books| books.hold(hello))
    }

    fn is_past(&mut self, mark: u64) -> bool {
        let inner = self.lock();
        inner.books.as_ref().is_none_or(|books| books.is_past(mark))
    }

    fn may_write(&mut self) -> bool {
        if !self.keeps {
            return true;
        }
        let inner = self.lock();
        inner.books.as_ref().is_none_or(|books| books.may_write())
    }

    fn may_acknowledge(&mut self, epoch: Epoch, sequence: u64, intents: u64) -> bool {
        if !self.keeps {
            return true;
        }
        if let Some(books) = &mut self.lock().books {
            books.want(Ack {
                epoch: Some(epoch),
                sequence,
                intents,
            });
        }
        false
    }

    fn released(&mut self) -> Option<(Epoch, u64, u64)> {
        if !self.keeps {
            return None;
        }
        let ack = self.lock().books.as_mut()?.released()?;
        Some((ack.epoch?, ack.sequence, ack.intents))
    }

    fn numbered(&mut self, intent: IntentId, number: u64) {
        if let Some(books) = &mut self.lock().books {
            books.numbered(intent, number);
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
        let shared = Shared::new(link, clock, Inbox::new(room), None, None, false);
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
