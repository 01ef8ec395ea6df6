//! What lies under the lock of a link: the machine, what it asks for, and what goes to the user.

use std::collections::VecDeque;

use redial::outbox::RefusedReason;
use redial::rng::Seeded;
use redial::{
    Action, Epoch, Event, Fate, Instant, IntentId, Link, MessageId, Outcome, Payload, Phase,
    Refused, SendOptions,
};
use redial_adapter::Books;

use crate::desk::{self, Desk};
use crate::dial::Answer;
use crate::error::Ended;
use crate::inbox::{Inbox, Notice};
use crate::keep::Receipts;

/// What lies under the lock.
pub(crate) struct Core<M> {
    pub(crate) link: Link<M, Seeded>,
    /// What the thread has still to do.
    pub(crate) actions: VecDeque<Action>,
    /// What helper threads have found out.
    pub(crate) answers: VecDeque<(Epoch, Answer)>,
    /// Commands that must wait until the thread has fed what it can read.
    pub(crate) commands: VecDeque<Event>,
    pub(crate) applied: u64,
    pub(crate) sleep: Sleep,
    pub(crate) waiters: usize,
    pub(crate) inbox: Inbox<M>,
    pub(crate) desk: Option<Box<Desk<M>>>,
    /// What is written down of the link, where it has a store.
    pub(crate) books: Option<Box<dyn Books<M>>>,
    /// The books have news for the thread.
    pub(crate) rung: bool,
    /// What was received and is not yet written down.
    pub(crate) receipts: Receipts,
    fates: Fates<M>,
    pub(crate) handles: usize,
    /// The thread has ended.
    pub(crate) gone: bool,
    pub(crate) detail: Option<String>,
    /// How the store has failed.
    pub(crate) broken: Option<String>,
}

/// Whether the thread sleeps, and until when unless it is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    No,
    Until(Option<Instant>),
}

/// Where fates go.
struct Fates<M> {
    /// How many receivers there are.
    subscribers: usize,
    /// How many drains collect what is handed back.
    drains: usize,
    /// Fates that wait here: what a drain has seen pass, for subscribers, and what a process
    /// before this one has left, until somebody asks or a fate is thrown away.
    passed: VecDeque<Fate<M>>,
    collected: Vec<(MessageId, M)>,
    discarded: u64,
}

impl<M: Payload> Core<M> {
    pub(crate) fn new(
        mut link: Link<M, Seeded>,
        (limit, byte_limit): (usize, usize),
        desk: Option<Desk<M>>,
        books: Option<Box<dyn Books<M>>>,
    ) -> Self {
        let left = std::iter::from_fn(|| link.poll_fate()).collect();
        Self {
            link,
            actions: VecDeque::new(),
            answers: VecDeque::new(),
            commands: VecDeque::new(),
            applied: 0,
            sleep: Sleep::No,
            waiters: 0,
            inbox: Inbox::new(limit, byte_limit),
            desk: desk.map(Box::new),
            rung: books.is_some(),
            books,
            receipts: Receipts::default(),
            fates: Fates {
                subscribers: 0,
                drains: 0,
                passed: left,
                collected: Vec::new(),
                discarded: 0,
            },
            handles: 1,
            gone: false,
            detail: None,
            broken: None,
        }
    }

    /// Gives the link an event and takes everything that follows from it.
    pub(crate) fn handle(&mut self, now: Instant, event: Event) {
        self.link.handle(now, event);
        self.collect();
    }

    /// A message of the application came in.
    pub(crate) fn deliver(&mut self, now: Instant, message: M) {
        let message = match &mut self.desk {
            None => Some(message),
            Some(desk) => desk.sort(now, message),
        };
        if let Some(message) = message {
            self.inbox.push(message);
        }
    }

    /// Does what there is to do for requests.
    pub(crate) fn serve(&mut self, now: Instant) {
        if let Some(desk) = &mut self.desk {
            desk.serve(now, &mut self.link, &mut self.books, 0);
            self.collect();
        }
    }

    /// When something is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let requests = self.desk.as_ref().and_then(|desk| desk.poll_timeout());
        match (self.link.poll_timeout(), requests) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Takes actions and fates out of the link.
    pub(crate) fn collect(&mut self) {
        if let Some(books) = &mut self.books {
            books.follow(&self.link);
            self.rung |= books.has_news();
        }
        while let Some(action) = self.link.poll_action() {
            if let (Action::SendAck { epoch, .. }, Some(_)) = (action, &self.books) {
                self.keep_receipt(epoch, true);
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

    /// The protocol's handshake is done, without a word of a session.
    pub(crate) fn ready(&mut self, now: Instant, epoch: Epoch) {
        self.handle(now, Event::Ready(epoch));
        let told = self.link.config().session().is_some() && self.link.state().is_up(epoch);
        if let Some(resumption) = self.link.status().resumption.filter(|_| told) {
            self.inbox.tell(Notice::Session(resumption));
        }
    }

    /// The end of an attempt or connection.
    pub(crate) fn ended(&mut self, now: Instant, epoch: Epoch, ended: Ended) {
        self.detail = Some(ended.detail);
        self.handle(now, Event::Closed(epoch, ended.closure));
    }

    pub(crate) fn send(
        &mut self,
        now: Instant,
        payload: M,
        options: SendOptions,
    ) -> Result<MessageId, Refused<M>> {
        if self.gone {
            let reason = RefusedReason::Closed;
            return Err(Refused { reason, payload });
        }
        let sent = match &mut self.books {
            None => self.link.send(now, payload, options),
            Some(books) => books.send(&mut self.link, now, payload, options),
        };
        self.collect();
        sent
    }

    pub(crate) fn declare(&mut self, now: Instant, payload: M) -> Result<IntentId, Refused<M>> {
        if self.gone {
            let reason = RefusedReason::Closed;
            return Err(Refused { reason, payload });
        }
        let declared = match &mut self.books {
            None => self.link.declare(now, payload),
            Some(books) => books.declare(&mut self.link, now, payload),
        };
        self.collect();
        declared
    }

    /// Whether there is no handle any more, and nothing left to do.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.handles == 0 && self.link.phase().is_final()
    }

    pub(crate) fn withdraw(&mut self, intent: IntentId) -> Option<M> {
        match &mut self.books {
            None => self.link.withdraw(intent),
            Some(books) => books.withdraw(&mut self.link, intent),
        }
    }

    pub(crate) fn refuse_intent(&mut self, now: Instant, epoch: Epoch, number: u64) {
        match &mut self.books {
            None => self.link.refuse_intent(now, epoch, number),
            Some(books) => books.refuse_intent(&mut self.link, now, epoch, number),
        };
        self.collect();
    }

    pub(crate) fn forget_session(&mut self) {
        self.link.forget_session();
        self.collect();
    }

    /// Whether the link would take a message if there is room.
    pub(crate) fn takes(&self) -> bool {
        !matches!(
            self.link.phase(),
            Phase::Closed | Phase::Closing | Phase::Failed | Phase::Draining
        )
    }

    /// Whether a message fits, or is so large that it never will.
    pub(crate) fn has_room(&self, payload: &M) -> bool {
        desk::has_room(&self.link, self.books.as_deref(), 0, payload)
    }

    /// Throws fates away that nobody wants, and gives a drain what is handed back.
    fn sort_fates(&mut self) {
        if self.fates.subscribers > 0 && self.fates.drains == 0 {
            return;
        }
        while let Some(mut fate) = self.link.poll_fate() {
            if self.fates.drains > 0 && fate.outcome == Outcome::Returned {
                let payload = fate.payload.take();
                self.fates.collected.extend(payload.map(|it| (fate.id, it)));
            }
            if self.fates.subscribers > 0 {
                self.fates.passed.push_back(fate);
            } else {
                self.discard_passed();
                self.discard(&fate);
            }
        }
    }

    fn discard_passed(&mut self) {
        for fate in std::mem::take(&mut self.fates.passed) {
            self.discard(&fate);
        }
    }

    /// Nobody takes this fate. What a link that ends had not written, or had written and doesn't
    /// know of, the next process may take over.
    fn discard(&mut self, fate: &Fate<M>) {
        self.fates.discarded = self.fates.discarded.saturating_add(1);
        let unsure = matches!(fate.outcome, Outcome::Returned | Outcome::Unknown);
        let over = !self.takes();
        match &mut self.books {
            Some(books) if unsure && over => books.abandoned(fate.id),
            Some(books) => books.settled(fate.id),
            None => {}
        }
    }

    pub(crate) fn next_fate(&mut self) -> Option<Fate<M>> {
        let passed = self.fates.passed.pop_front();
        let fate = passed.or_else(|| self.link.poll_fate())?;
        if let Some(books) = &mut self.books {
            books.settled(fate.id);
        }
        Some(fate)
    }

    pub(crate) fn subscribe(&mut self) {
        self.fates.subscribers += 1;
    }

    pub(crate) fn unsubscribe(&mut self) {
        self.fates.subscribers -= 1;
        if self.fates.subscribers == 0 {
            self.discard_passed();
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
        let collected = std::mem::take(&mut self.fates.collected);
        if let Some(books) = &mut self.books {
            for (id, _) in &collected {
                books.settled(*id);
            }
        }
        collected.into_iter().map(|(_, message)| message).collect()
    }

    pub(crate) fn discarded_fates(&self) -> u64 {
        self.fates.discarded
    }
}
