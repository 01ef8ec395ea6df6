//! What the thread of a link shares with its handles: the link itself, under one short lock.
//!
//! A handle changes the link at once, under the lock, and leaves the actions that follow for the
//! thread, which it wakes only where it sleeps. The lock is never held over a system call.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as Moment};

use mio::Waker;
use redial::outbox::RefusedReason;
use redial::rng::Seeded;
use redial::{
    Action, Epoch, Event, Fate, Instant, Link, MessageId, Outcome, Payload, Phase, Refused,
    SendOptions,
};

use crate::clock::Clock;
use crate::dial::Answer;
use crate::error::Ended;

/// What is shared.
pub(crate) struct Shared<M> {
    core: Mutex<Core<M>>,
    /// The status may have changed, or there is room, or a fate.
    changed: Condvar,
    /// A message came in, or none will.
    arrived: Condvar,
    waker: Waker,
    pub(crate) clock: Clock,
}

/// What lies under the lock.
pub(crate) struct Core<M> {
    pub(crate) link: Link<M, Seeded>,
    /// What the thread has still to do.
    pub(crate) actions: VecDeque<Action>,
    /// What helper threads have found out.
    pub(crate) answers: VecDeque<(Epoch, Answer)>,
    /// Commands that must wait until the thread has fed what it can read.
    pub(crate) commands: VecDeque<Event>,
    applied: u64,
    /// The thread sleeps until then unless it is woken; `None` while it is busy.
    asleep: Option<Option<Instant>>,
    waiters: usize,
    pub(crate) inbox: Inbox<M>,
    fates: Fates<M>,
    pub(crate) handles: usize,
    /// The thread has ended.
    pub(crate) gone: bool,
    pub(crate) detail: Option<String>,
}

/// Messages that came in and were not yet taken.
pub(crate) struct Inbox<M> {
    messages: VecDeque<M>,
    bytes: usize,
    limit: usize,
    byte_limit: usize,
    readers: usize,
    /// Nobody will take them: they are thrown away.
    pub(crate) deaf: bool,
    /// The thread reads no more until there is room.
    pub(crate) paused: bool,
}

/// Where fates go.
struct Fates<M> {
    /// How many receivers there are.
    subscribers: usize,
    /// How many drains collect what is handed back.
    drains: usize,
    /// Fates that a drain has seen pass, for subscribers.
    passed: VecDeque<Fate<M>>,
    collected: Vec<M>,
    discarded: u64,
}

impl<M: Payload> Shared<M> {
    pub(crate) fn new(
        link: Link<M, Seeded>,
        waker: Waker,
        clock: Clock,
        limit: usize,
        byte_limit: usize,
    ) -> Self {
        Self {
            core: Mutex::new(Core {
                link,
                actions: VecDeque::new(),
                answers: VecDeque::new(),
                commands: VecDeque::new(),
                applied: 0,
                asleep: None,
                waiters: 0,
                inbox: Inbox {
                    messages: VecDeque::new(),
                    bytes: 0,
                    limit,
                    byte_limit,
                    readers: 0,
                    deaf: false,
                    paused: false,
                },
                fates: Fates {
                    subscribers: 0,
                    drains: 0,
                    passed: VecDeque::new(),
                    collected: Vec::new(),
                    discarded: 0,
                },
                handles: 1,
                gone: false,
                detail: None,
            }),
            changed: Condvar::new(),
            arrived: Condvar::new(),
            waker,
            clock,
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
        if core.gone {
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
        let size = payload.size();
        let mut core = self.lock();
        loop {
            if core.gone || !core.takes() || core.has_room(size) {
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

    /// Waits for a message: `Ok` with it, or whether none will come (true) or the time is up.
    pub(crate) fn receive(&self, until: Option<Moment>, block: bool) -> Result<M, bool> {
        let mut core = self.lock();
        loop {
            if let Some(message) = core.inbox.take() {
                if core.inbox.paused && core.inbox.is_low() {
                    self.wake(&mut core);
                }
                return Ok(message);
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
        core.inbox.deaf = true;
        core.inbox.messages = VecDeque::new();
        core.inbox.bytes = 0;
        self.wake(&mut core);
    }

    /// Makes the thread look whether it is still wanted.
    pub(crate) fn nudge(&self) {
        let mut core = self.lock();
        self.wake(&mut core);
    }

    /// The thread has nothing to do: how long it may sleep; zero if there is something after all.
    pub(crate) fn fall_asleep(&self, timer: Option<Instant>) -> Option<Duration> {
        let mut core = self.lock();
        let busy = !core.actions.is_empty()
            || !core.answers.is_empty()
            || !core.commands.is_empty()
            || (core.inbox.paused && core.inbox.is_low());
        if busy {
            return Some(Duration::ZERO);
        }
        let until = match (core.link.poll_timeout(), timer) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        core.asleep = Some(until);
        until.map(|at| self.clock.until(at))
    }

    pub(crate) fn awake(&self) {
        self.lock().asleep = None;
    }

    /// The thread ends, whatever the reason.
    pub(crate) fn end(&self) {
        let mut core = self.lock();
        core.gone = true;
        drop(core);
        self.changed.notify_all();
        self.arrived.notify_all();
    }

    fn settle(&self, mut core: MutexGuard<'_, Core<M>>) {
        if core.waiters > 0 {
            self.changed.notify_all();
        }
        let over = core.link.phase().is_final();
        if core.inbox.readers > 0 && (over || !core.inbox.messages.is_empty()) {
            self.arrived.notify_all();
        }
        if let Some(until) = core.asleep {
            let due = core.link.poll_timeout();
            let sooner = due.is_some_and(|due| until.is_none_or(|until| due < until));
            if sooner || !core.actions.is_empty() {
                self.wake(&mut core);
            }
        }
    }

    fn wake(&self, core: &mut Core<M>) {
        if core.asleep.take().is_some() {
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

impl<M: Payload> Core<M> {
    /// Gives the link an event and takes everything that follows from it.
    pub(crate) fn handle(&mut self, now: Instant, event: Event) {
        self.link.handle(now, event);
        self.collect();
    }

    /// Takes actions and fates out of the link.
    pub(crate) fn collect(&mut self) {
        while let Some(action) = self.link.poll_action() {
            if let Action::Changed(change) = action {
                log(change, self.link.status().attempt, self.detail.as_deref());
                continue;
            }
            let again = matches!(action, Action::Flush(_)) && self.actions.back() == Some(&action);
            if !again {
                self.actions.push_back(action);
            }
        }
        self.sort_fates();
    }

    /// The commands that waited, now that everything readable was fed.
    pub(crate) fn apply_commands(&mut self, now: Instant) {
        while let Some(event) = self.commands.pop_front() {
            self.handle(now, event);
            self.applied += 1;
        }
    }

    /// The end of an attempt or connection.
    pub(crate) fn ended(&mut self, now: Instant, epoch: Epoch, ended: Ended) {
        tracing::debug!(target: "redial", %epoch, cause = %ended.closure.cause, detail = ended.detail, "ended");
        self.detail = Some(ended.detail);
        self.handle(now, Event::Closed(epoch, ended.closure));
    }

    fn send(
        &mut self,
        now: Instant,
        payload: M,
        options: SendOptions,
    ) -> Result<MessageId, Refused<M>> {
        if self.gone {
            let reason = RefusedReason::Closed;
            return Err(Refused { reason, payload });
        }
        let sent = self.link.send(now, payload, options);
        self.collect();
        sent
    }

    /// Whether the link would take a message if there is room.
    fn takes(&self) -> bool {
        !matches!(
            self.link.phase(),
            Phase::Closed | Phase::Closing | Phase::Failed | Phase::Draining
        )
    }

    /// Whether a message fits, or is so large that it never will.
    fn has_room(&self, size: usize) -> bool {
        let (outbox, limits) = (self.link.outbox(), self.link.config().outbox());
        let messages = outbox.queued() + outbox.in_flight();
        let slots = messages + outbox.fates_waiting();
        let fits = messages < limits.messages
            && slots < limits.messages.saturating_mul(2)
            && outbox.bytes().saturating_add(size) <= limits.bytes;
        fits || size > limits.bytes
    }

    /// Throws fates away that nobody wants, and gives a drain what is handed back.
    fn sort_fates(&mut self) {
        let fates = &mut self.fates;
        if fates.subscribers > 0 && fates.drains == 0 {
            return;
        }
        while let Some(mut fate) = self.link.poll_fate() {
            if fates.drains > 0 && fate.outcome == Outcome::Returned {
                fates.collected.extend(fate.payload.take());
            }
            if fates.subscribers > 0 {
                fates.passed.push_back(fate);
            } else {
                fates.discarded = fates.discarded.saturating_add(1);
            }
        }
    }

    pub(crate) fn next_fate(&mut self) -> Option<Fate<M>> {
        self.fates
            .passed
            .pop_front()
            .or_else(|| self.link.poll_fate())
    }

    pub(crate) fn subscribe(&mut self) {
        self.fates.subscribers += 1;
    }

    pub(crate) fn unsubscribe(&mut self) {
        self.fates.subscribers -= 1;
        if self.fates.subscribers == 0 {
            self.fates.passed = VecDeque::new();
            self.sort_fates();
        }
    }

    pub(crate) fn begin_drain(&mut self) {
        self.fates.drains += 1;
        self.sort_fates();
    }

    /// What was handed back since the drain began.
    pub(crate) fn end_drain(&mut self) -> Vec<M> {
        self.fates.drains -= 1;
        std::mem::take(&mut self.fates.collected)
    }

    pub(crate) fn discarded_fates(&self) -> u64 {
        self.fates.discarded
    }
}

impl<M: Payload> Inbox<M> {
    /// How many messages may be read now.
    pub(crate) fn room(&self) -> usize {
        if self.deaf {
            usize::MAX
        } else if self.bytes >= self.byte_limit {
            0
        } else {
            self.limit.saturating_sub(self.messages.len())
        }
    }

    /// How many bytes may be read before the next look.
    pub(crate) fn byte_room(&self) -> usize {
        self.byte_limit.saturating_sub(self.bytes)
    }

    pub(crate) fn push(&mut self, message: M) {
        if !self.deaf {
            self.bytes = self.bytes.saturating_add(message.size());
            self.messages.push_back(message);
        }
    }

    fn take(&mut self) -> Option<M> {
        let message = self.messages.pop_front()?;
        self.bytes = self.bytes.saturating_sub(message.size());
        Some(message)
    }

    /// Whether a pause of reading may end: half of the room is free again.
    pub(crate) fn is_low(&self) -> bool {
        self.deaf || self.messages.len() <= self.limit / 2 && self.bytes <= self.byte_limit / 2
    }
}

fn log(change: redial::Change, attempt: u32, detail: Option<&str>) {
    let (from, to) = (change.from.name(), change.to.name());
    match change.cause {
        Some(cause) => {
            tracing::info!(target: "redial", from, to, attempt, %cause, detail, "changed");
        }
        None => tracing::info!(target: "redial", from, to, attempt, "changed"),
    }
}
