//! What the thread of a link shares with its handles: the link itself, under one short lock.
//!
//! A handle changes the link at once, under the lock, and leaves the actions that follow for the
//! thread, which it wakes only where it sleeps. The lock is never held over a system call.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant as Moment};

use mio::Waker;
use redial::outbox::RefusedReason;
use redial::requests::RequestOptions;
use redial::rng::Seeded;
use redial::{Epoch, Event, Instant, Link, MessageId, Payload, Refused, SendOptions};
#[cfg(feature = "store")]
use redial_adapter::NotStored;
use redial_adapter::{Books, RequestFailed, RequestFailure};
#[cfg(feature = "store")]
use redial_store::Report;

use crate::clock::Clock;
use crate::core::{Core, Sleep};
use crate::desk::{Desk, Reply};
use crate::dial::Answer;
use crate::inbox::Inbox;

/// What is shared.
pub(crate) struct Shared<M> {
    core: Mutex<Core<M>>,
    /// The status may have changed, or there is room, or a fate.
    changed: Condvar,
    /// A message came in, or none will.
    arrived: Condvar,
    waker: Waker,
    pub(crate) clock: Clock,
    /// The link's thread, once it runs.
    pub(crate) thread: OnceLock<ThreadId>,
    #[cfg(feature = "store")]
    pub(crate) report: Option<Report>,
}

/// What closes a log and waits for it.
type Closer = Box<dyn FnOnce() -> Result<(), Arc<io::Error>> + Send>;

impl<M: Payload> Shared<M> {
    pub(crate) fn new(
        link: Link<M, Seeded>,
        waker: Waker,
        clock: Clock,
        limits: (usize, usize),
        desk: Option<Desk<M>>,
        books: Option<Box<dyn Books<M>>>,
        #[cfg(feature = "store")] report: Option<Report>,
    ) -> Self {
        Self {
            core: Mutex::new(Core::new(link, limits, desk, books)),
            changed: Condvar::new(),
            arrived: Condvar::new(),
            waker,
            clock,
            thread: OnceLock::new(),
            #[cfg(feature = "store")]
            report,
        }
    }

    /// Does something under the lock, then wakes whom it concerns.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Core<M>, Instant) -> T) -> T {
        let mut core = self.lock();
        let now = self.clock.now();
        let result = work(&mut core, now);
        self.settle(core);
        result
    }

    /// Reads something under the lock; nobody is woken.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Core<M>) -> T) -> T {
        work(&self.lock())
    }

    /// Carries out a command or a hint; when this returns it has taken effect on the link.
    pub(crate) fn command(&self, event: Event) {
        let mut core = self.lock();
        let now = self.clock.now();
        if core.gone || !core.may_follow(event) {
            return;
        }
        if core.link.poll_timeout().is_none_or(|due| now < due) {
            core.handle(now, event);
            return self.settle(core);
        }
        // A deadline has passed and the thread has not yet looked whether its answer lies in the
        // socket: first the input, then the command.
        core.commands.push_back(event);
        let turn = core.applied + core.commands.len() as u64;
        self.wake(&mut core);
        while core.applied < turn && !core.gone {
            core = self.wait_changed(core, None);
        }
    }

    pub(crate) fn answer(&self, epoch: Epoch, answer: Answer) {
        let mut core = self.lock();
        core.answers.push_back((epoch, answer));
        self.wake(&mut core);
    }

    pub(crate) fn try_send(
        &self,
        payload: M,
        options: SendOptions,
    ) -> Result<MessageId, Refused<M>> {
        self.with(|core, now| core.send(now, payload, options))
    }

    /// Sends once there is room without dropping anything.
    pub(crate) fn send(
        &self,
        payload: M,
        options: SendOptions,
        timeout: Option<Duration>,
    ) -> Result<MessageId, Refused<M>> {
        let until = timeout.and_then(|timeout| Moment::now().checked_add(timeout));
        let mut core = self.lock();
        loop {
            if core.gone || !core.takes() || core.has_room(&payload) {
                let now = self.clock.now();
                let sent = core.send(now, payload, options);
                self.settle(core);
                return sent;
            }
            if until.is_some_and(|until| Moment::now() >= until) {
                let reason = RefusedReason::Full;
                return Err(Refused { reason, payload });
            }
            core = self.wait_changed(core, until);
        }
    }

    /// Waits until `found` gives something; `None` when `until` passed first.
    pub(crate) fn wait_for<T>(
        &self,
        until: Option<Moment>,
        mut found: impl FnMut(&mut Core<M>) -> Option<T>,
    ) -> Option<T> {
        let mut core = self.lock();
        loop {
            if let Some(found) = found(&mut core) {
                self.settle(core);
                return Some(found);
            }
            if core.gone || until.is_some_and(|until| Moment::now() >= until) {
                return None;
            }
            core = self.wait_changed(core, until);
        }
    }

    /// Asks something of the peer, and waits for what becomes of it.
    pub(crate) fn request(&self, message: M, options: RequestOptions) -> Reply<M> {
        let asked = self.with(|core, now| {
            let gone = core.gone;
            match &mut core.desk {
                Some(_) if gone => Err((RequestFailure::Closed, message)),
                Some(desk) => Ok(desk.ask(now, message, options)),
                None => Err((RequestFailure::NoCorrelation, message)),
            }
        });
        let id = match asked {
            Ok(asked) => asked?,
            Err((reason, message)) => return Err(RequestFailed::new(reason, false, message)),
        };
        // Whatever becomes of the link, a request is settled.
        let mut core = self.lock();
        loop {
            if let Some(reply) = core.desk.as_mut().and_then(|desk| desk.take(id)) {
                return reply;
            }
            core = self.wait_changed(core, None);
        }
    }

    /// Waits until `take` finds something: `Ok` with it, or whether there will be nothing (true)
    /// or the time is up.
    pub(crate) fn receive<T>(
        &self,
        until: Option<Moment>,
        block: bool,
        take: impl Fn(&mut Inbox<M>) -> Option<T>,
    ) -> Result<T, bool> {
        let mut core = self.lock();
        core.inbox.come();
        core.pass_receipts();
        loop {
            if let Some(taken) = take(&mut core.inbox) {
                if core.inbox.paused && core.inbox.is_low() {
                    self.wake(&mut core);
                }
                return Ok(taken);
            }
            if core.gone || core.link.phase().is_final() {
                return Err(true);
            }
            if !block || until.is_some_and(|until| Moment::now() >= until) {
                return Err(false);
            }
            core.inbox.readers += 1;
            core = wait_on(&self.arrived, core, until);
            core.inbox.readers -= 1;
        }
    }

    /// Nothing will be taken out of the inbox any more.
    pub(crate) fn deafen(&self) {
        let mut core = self.lock();
        core.inbox.deafen();
        core.pass_receipts();
        self.wake(&mut core);
    }

    /// The books have news: for the thread, as a deadline that has passed is judged by what lies
    /// in the socket, and for who waits until something is stored.
    pub(crate) fn ring(&self) {
        let mut core = self.lock();
        core.rung = true;
        if core.waiters > 0 {
            self.changed.notify_all();
        }
        self.wake(&mut core);
    }

    #[cfg(feature = "store")]
    pub(crate) fn stored(&self, message: MessageId) -> Result<(), NotStored> {
        let mut core = self.lock();
        loop {
            let Some(books) = &core.books else {
                return Err(NotStored::NoStore);
            };
            if let Some(stored) = books.is_stored(message) {
                return stored;
            }
            if core.gone {
                return Err(NotStored::Closed);
            }
            core = self.wait_changed(core, None);
        }
    }

    /// What closes the log. Not to be called under the lock, which the log's thread takes too.
    pub(crate) fn closer(&self) -> Option<Closer> {
        let mut core = self.lock();
        core.balance();
        core.books.as_ref().map(|books| books.closer())
    }

    /// Waits for the end of the thread where there is a log that it closes.
    pub(crate) fn await_log(&self) {
        if self.thread.get() == Some(&thread::current().id()) {
            return;
        }
        let mut core = self.lock();
        while core.books.is_some() && !core.gone {
            core = self.wait_changed(core, None);
        }
    }

    /// Makes the thread look whether it is still wanted.
    pub(crate) fn nudge(&self) {
        let mut core = self.lock();
        self.wake(&mut core);
    }

    /// The thread has nothing to do: how long it may sleep; zero if there is something after all.
    pub(crate) fn fall_asleep(&self, timer: Option<Instant>, paused: bool) -> Option<Duration> {
        let mut core = self.lock();
        let busy = !core.actions.is_empty()
            || !core.answers.is_empty()
            || !core.commands.is_empty()
            || core.rung
            || (paused && core.inbox.is_low())
            // The last handle was dropped after the thread has looked, and found it awake.
            || core.is_abandoned();
        if busy {
            return Some(Duration::ZERO);
        }
        let until = match (core.poll_timeout(), timer) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        core.sleep = Sleep::Until(until);
        until.map(|at| self.clock.until(at))
    }

    pub(crate) fn awake(&self) {
        self.lock().sleep = Sleep::No;
    }

    /// The thread ends, whatever the reason.
    pub(crate) fn end(&self) {
        let mut core = self.lock();
        core.gone = true;
        if let Some(desk) = &mut core.desk {
            desk.close(self.clock.now());
        }
        drop(core);
        self.changed.notify_all();
        self.arrived.notify_all();
    }

    fn settle(&self, mut core: MutexGuard<'_, Core<M>>) {
        if core.desk.is_some() {
            core.serve(self.clock.now());
        }
        if core.waiters > 0 {
            self.changed.notify_all();
        }
        let over = core.link.phase().is_final();
        if core.inbox.readers > 0 && (over || !core.inbox.is_empty()) {
            self.arrived.notify_all();
        }
        if let Sleep::Until(until) = core.sleep {
            let due = core.poll_timeout();
            let sooner = due.is_some_and(|due| until.is_none_or(|until| due < until));
            if sooner || core.rung || !core.actions.is_empty() {
                self.wake(&mut core);
            }
        }
    }

    fn wake(&self, core: &mut Core<M>) {
        if std::mem::replace(&mut core.sleep, Sleep::No) != Sleep::No {
            // It fails only where the thread is gone.
            let _ = self.waker.wake();
        }
    }

    fn wait_changed<'a>(
        &self,
        mut core: MutexGuard<'a, Core<M>>,
        until: Option<Moment>,
    ) -> MutexGuard<'a, Core<M>> {
        core.waiters += 1;
        let mut core = wait_on(&self.changed, core, until);
        core.waiters -= 1;
        core
    }

    // What the link holds is whole after each call, so a panic elsewhere leaves it usable.
    fn lock(&self) -> MutexGuard<'_, Core<M>> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait_on<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    until: Option<Moment>,
) -> MutexGuard<'a, T> {
    match until {
        None => condition
            .wait(guard)
            .unwrap_or_else(PoisonError::into_inner),
        Some(until) => {
            let left = until.saturating_duration_since(Moment::now());
            condition
                .wait_timeout(guard, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token};
    use redial::Config;
    use redial::rng::Seed;

    #[test]
    fn the_thread_does_not_fall_asleep_once_nobody_wants_it() {
        let poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(0)).unwrap();
        let link = Link::new(Config::default(), Seeded::new(Seed::from_number(1), 0));
        let shared: Shared<Vec<u8>> = Shared::new(
            link,
            waker,
            Clock::start(),
            (1, 1),
            None,
            None,
            #[cfg(feature = "store")]
            None,
        );
        // A closed link has no deadlines, and is there for its handles only.
        assert_eq!(shared.fall_asleep(None, false), None);
        shared.awake();
        shared.with(|core, _| core.handles = 0);
        shared.nudge();
        assert_eq!(shared.fall_asleep(None, false), Some(Duration::ZERO));
    }
}
