//! What is under the lock: the link, its store's books, and who waits. Every message goes in here,
//! and every fate comes out.

use std::collections::VecDeque;
use std::task::Waker;

use redial::outbox::RefusedReason;
use redial::{Fate, Instant, IntentId, MessageId, Outcome, Payload, Phase, Refused, SendOptions};

use super::desk::Desk;
use super::keep::Kept;
use crate::engine::TokioLink;

/// What is under the lock.
pub(super) struct Inner<M> {
    pub(super) link: TokioLink<M>,
    /// The parked task. Whoever takes it wakes it.
    pub(super) parked: Option<Parked>,
    /// Receivers of fates.
    pub(super) listeners: usize,
    /// The first of them is counted, and yet to come.
    pub(super) expects_listener: bool,
    /// Drains that wait for what they will hand back.
    pub(super) collectors: usize,
    /// Fates that a drain took from the link for the listeners.
    pub(super) fates: VecDeque<Fate<M>>,
    pub(super) detail: Option<String>,
    /// How the store has failed.
    pub(super) broken: Option<String>,
    pub(super) desk: Option<Box<Desk<M>>>,
    /// What is written down, if there is a store.
    pub(super) kept: Option<Box<Kept<M>>>,
    /// There is no handle any more.
    pub(super) abandoned: bool,
    /// There is no task any more.
    pub(super) orphaned: bool,
}

/// The task while it has nothing to do.
pub(super) struct Parked {
    pub(super) waker: Waker,
    /// A message that is sent now could be written now.
    pub(super) takes_messages: bool,
    /// It comes back by itself at this time.
    pub(super) until: Option<Instant>,
}

impl<M: Payload + 'static> Inner<M> {
    pub(super) fn push(
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
        let kept = self.kept.as_deref_mut();
        let sent = send(&mut self.link, kept, now, message, options);
        // What had to make room has its fate. While there is an outage nobody else looks.
        if self.listeners == 0 && self.collectors == 0 {
            self.forget_fates();
        }
        if sent.is_ok() {
            // What has to be stored first is not written now.
            self.nudge(self.kept.is_none() || options.is_volatile());
        }
        sent
    }

    pub(super) fn declare(&mut self, now: Instant, message: M) -> Result<IntentId, Refused<M>> {
        match &mut self.kept {
            None => self.link.declare(now, message),
            Some(kept) => kept.books.declare(&mut self.link, now, message),
        }
    }

    pub(super) fn withdraw(&mut self, id: IntentId) -> Option<M> {
        match &mut self.kept {
            None => self.link.withdraw(id),
            Some(kept) => kept.books.withdraw(&mut self.link, id),
        }
    }

    /// Lets the store see what happened to the link.
    pub(super) fn follow(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.follow(&self.link);
        }
    }

    /// The next fate, which somebody takes, or nobody.
    ///
    /// What a link that ends had not written, or had written and doesn't know of, is for the next
    /// process where nobody takes it, unless this link goes on.
    pub(super) fn poll_fate(&mut self, taken: bool) -> Option<Fate<M>> {
        let fate = self.link.poll_fate()?;
        if let Some(kept) = &mut self.kept {
            let unsure = matches!(fate.outcome, Outcome::Returned | Outcome::Unknown);
            if !taken && unsure && !takes_messages(self.link.phase()) {
                kept.books.abandoned(fate.id);
            } else {
                kept.books.settled(fate.id);
            }
        }
        Some(fate)
    }

    pub(super) fn forget_fates(&mut self) {
        while self.poll_fate(false).is_some() {}
    }

    /// Wakes the parked task if there is something for it to write now.
    pub(super) fn nudge(&mut self, flows: bool) {
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
    pub(super) fn is_due_before(&self, until: Option<Instant>) -> bool {
        match (self.link.poll_timeout(), until) {
            (Some(due), Some(until)) => due < until,
            (due, None) => due.is_some(),
            (None, _) => false,
        }
    }

    /// Whether somebody waits for a fate that is decided.
    pub(super) fn has_news(&self) -> bool {
        self.listeners > 0 && self.link.outbox().fates_waiting() > 0
    }

    pub(super) fn is_open(&self) -> bool {
        takes_messages(self.link.phase())
    }

    pub(super) fn has_room(&self, message: &M, options: SendOptions) -> bool {
        let kept = self.kept.as_ref().filter(|_| !options.is_volatile());
        has_room(&self.link, self.fates.len(), message.size())
            && kept.is_none_or(|kept| kept.books.has_room(message))
    }

    /// The next fate, for a listener.
    pub(super) fn take_fate(&mut self) -> Option<Fate<M>> {
        // It makes room, for which a request may wait.
        if self.desk.as_ref().is_some_and(|desk| desk.is_blocked()) {
            self.wake();
        }
        match self.fates.pop_front() {
            None if self.collectors == 0 => self.poll_fate(true),
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
    kept: Option<&mut Kept<M>>,
    now: Instant,
    message: M,
    options: SendOptions,
) -> Result<MessageId, Refused<M>> {
    let Some(kept) = kept else {
        return link.send(now, message, options);
    };
    let sent = kept.books.send(link, now, message, options);
    kept.rung |= kept.books.has_news();
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
