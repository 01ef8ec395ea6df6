//! What a link with a store writes down, and what waits until it is.
//!
//! The books are kept beside the link, under its lock. They look at the link after each thing that
//! happened to it, and append what is new, so the log has everything in the order in which it
//! happened. They hold back what may only be said once something is stored:
//!
//! - a message until it is stored, by [`Event::Stored`];
//! - every message and intent of a connection until its `Up` is stored, and the intents are;
//! - an acknowledgement until the application is done with what it acknowledges, and that is
//!   stored;
//! - a hello until all that happened before is stored; and it says no more than what was received
//!   as far as that is stored.

mod durable;
mod queue;
mod received;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use redial::outbox::{Limits, Outbox};
use redial::session::{OnFresh, ServerId, SessionId};
use redial::{Event, Hello, Instant, IntentId, MessageId, Payload, SendOptions};
use redial_store::{Failure, Progress, Record, Report};
use tokio::sync::watch;

pub(crate) use self::durable::{Durable, Opened};
pub use self::stored::NotStored;

pub(super) use self::queue::Ack;

use self::durable::Keeper;
use self::received::Receipts;
use self::stored::Told;
use crate::engine::TokioLink;

/// The books of one link.
pub(super) struct Books<M> {
    /// `None` once it was closed.
    log: Option<Box<dyn Keeper<M>>>,
    report: Arc<Report>,
    told: Arc<watch::Sender<Told>>,
    /// What the log has of the link: its session, and its count of fresh sessions.
    session: (Option<SessionId>, Option<ServerId>),
    fresh: u64,
    /// The log says that messages may be written on this connection, by its count.
    up: Option<u64>,
    /// The last message that the log was given, and the last that may ever have been written.
    accepted: u64,
    through: u64,
    /// Fates that were taken and are not in the log yet: the first and the last.
    settled: Option<(u64, u64)>,
    /// The last ticket, and the one before which nothing may be written.
    last: u64,
    gate: u64,
    /// What is stored: tickets and messages.
    stored: u64,
    stored_message: u64,
    receipts: Receipts,
    /// Something was stored since the task has looked.
    stirred: bool,
    /// Something that had to be written down was not: nothing more is stored.
    broken: bool,
}

impl<M: Payload + 'static> Books<M> {
    /// Whether the store would take this message now.
    pub(super) fn admits(&self, message: &M) -> bool {
        let log = self.log.as_ref().filter(|_| !self.broken);
        log.is_some_and(|log| log.admit(message))
    }

    /// The link has accepted a message.
    pub(super) fn accepted(&mut self, link: &mut TokioLink<M>, now: Instant, options: SendOptions) {
        if options == options.volatile() {
            // It is only in the way of what is stored.
            self.tell(link, now);
            return;
        }
        // Without one it has a fate already.
        let Some(newest) = link.outbox().newest() else {
            return;
        };
        let id = newest.id;
        let record = Record::Accepted {
            id,
            sequence: newest.sequence,
            ttl: time_to_live(link.config().outbox(), options),
            payload: newest.payload,
        };
        if self.require(&record) {
            self.accepted = id.number();
        }
    }

    /// The link has accepted an intent.
    pub(super) fn declared(&mut self, link: &TokioLink<M>, id: IntentId) {
        let Some((_, payload)) = link.intents().find(|(declared, _)| *declared == id) else {
            return;
        };
        let record = Record::Intent {
            id: id.number(),
            number: 0,
            payload,
        };
        if self.require(&record) {
            self.gate = self.last;
        }
    }

    pub(super) fn withdrawn(&mut self, id: IntentId) {
        self.append(&Record::Withdrawn { id: id.number() });
    }

    /// An intent was written with this number.
    pub(super) fn numbered(&mut self, id: IntentId, number: u64) {
        let id = id.number();
        self.append(&Record::Numbered { id, number });
    }

    /// A fate was taken, or nobody will ever want it.
    pub(super) fn settled(&mut self, id: MessageId) {
        if let Some(intent) = id.intent() {
            return self.withdrawn(intent);
        }
        let id = id.number();
        // One that is not in the log was volatile.
        if id > self.accepted {
            return;
        }
        match &mut self.settled {
            Some((_, last)) if last.checked_add(1) == Some(id) => *last = id,
            _ => {
                self.settle();
                self.settled = Some((id, id));
            }
        }
    }

    /// Something happened to the link.
    pub(super) fn follow(&mut self, link: &TokioLink<M>) {
        self.settle();
        let last = link.outbox().last_in_flight().map_or(0, MessageId::number);
        self.through = self.through.max(last);
        let stats = link.stats();
        let open = (stats.connected > stats.disconnected).then_some(stats.connected);
        if self.up.is_some() && self.up != open {
            self.up = None;
            self.down();
            // The connection can't ask any more to acknowledge the last of it.
            self.receipts.want(Ack::of_all(link.inbox()));
        }
        let begins = self.up != open;
        if begins {
            self.up = open;
            let epoch = link.state().epoch().map_or(0, redial::Epoch::number);
            self.require(&Record::Up { epoch });
        }
        let session = link.session();
        if session != self.session {
            let (session, server) = session;
            self.append(&Record::Session { session, server });
            if session != self.session.0 {
                let base = self.receipts.begin(link.inbox());
                if base.sequence > 0 {
                    self.append(&base.record());
                }
            }
            self.session = (session, server);
        }
        if stats.fresh != self.fresh {
            self.fresh = stats.fresh;
            let settings = link.config().session();
            let resends = settings.is_some_and(|it| it.on_fresh == OnFresh::Resend);
            if let Some(through) = link.outbox().last_in_flight().filter(|_| resends) {
                self.append(&Record::Resent { through });
            }
        }
        if begins {
            self.gate = self.last;
        }
    }

    /// Writes down the fates that were taken.
    pub(super) fn settle(&mut self) {
        if let Some((first, last)) = self.settled.take() {
            self.put(&Record::Settled {
                first: MessageId::from_number(first),
                last: MessageId::from_number(last),
            });
        }
    }

    /// Makes a hello say what is stored. It may be said when this ticket is.
    pub(super) fn hold(&mut self, hello: &mut Hello) -> u64 {
        self.settle();
        hello.last_seen = hello.last_seen.min(self.receipts.stored());
        self.last
    }

    pub(super) const fn is_past(&self, ticket: u64) -> bool {
        self.stored >= ticket && !self.broken
    }

    /// Whether messages and intents may be written.
    pub(super) const fn may_write(&self) -> bool {
        self.up.is_some() && self.is_past(self.gate)
    }

    /// The link wants to acknowledge this.
    pub(super) fn want(&mut self, ack: Ack) {
        self.receipts.want(ack);
    }

    /// The application was given so many messages: what was wanted lies among them.
    pub(super) fn mark(&mut self, delivered: u64) {
        self.receipts.mark(delivered);
    }

    /// How many messages the application has to be done with for something to go on.
    pub(super) fn awaited(&self) -> Option<u64> {
        self.receipts.awaited()
    }

    /// The application is done with so many messages. False if nothing hung on it.
    pub(super) fn done(&mut self, count: u64) -> bool {
        let Some(ack) = self.receipts.done(count) else {
            return false;
        };
        self.append(&ack.record());
        self.receipts.append(self.last, ack);
        true
    }

    /// What may be acknowledged by now.
    pub(super) fn released(&mut self) -> Option<Ack> {
        self.stirred = false;
        self.receipts.released()
    }

    /// Whether something was stored since the task has looked.
    pub(super) const fn is_stirred(&self) -> bool {
        self.stirred
    }

    /// Whether nothing more is stored, as the disk failed.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// The log has got so far.
    fn advance(&mut self, link: &mut TokioLink<M>, now: Instant, progress: Progress) {
        self.stored = progress.through.number();
        self.stored_message = progress.message.map_or(0, MessageId::number);
        self.stirred = true;
        self.receipts.advance(self.stored);
        self.tell(link, now);
        let message = self.stored_message;
        self.told.send_modify(|told| told.message = message);
    }

    /// The disk failed.
    fn fail(&mut self, failure: Failure) {
        self.broken = true;
        self.told.send_modify(|told| told.failed = Some(failure));
    }

    /// Tells the link what is stored. What is not to be stored counts as stored behind it.
    fn tell(&self, link: &mut TokioLink<M>, now: Instant) {
        if self.broken {
            return;
        }
        let through = if self.stored_message >= self.accepted {
            link.outbox().account().0
        } else {
            self.stored_message
        };
        link.handle(now, Event::Stored(MessageId::from_number(through)));
    }

    /// No more is written than what was.
    fn down(&mut self) {
        let through = MessageId::from_number(self.through);
        self.append(&Record::Down {
            through: (self.through > 0).then_some(through),
        });
    }

    fn append(&mut self, record: &Record<'_, M>) {
        self.settle();
        self.put(record);
    }

    /// Appends what nothing may go on without.
    fn require(&mut self, record: &Record<'_, M>) -> bool {
        self.settle();
        let taken = self.put(record);
        self.broken |= !taken;
        taken
    }

    fn put(&mut self, record: &Record<'_, M>) -> bool {
        let ticket = self.log.as_ref().and_then(|log| log.append(record));
        if let Some(ticket) = ticket {
            self.last = ticket;
        }
        ticket.is_some()
    }
}

/// How long a message with these options may wait.
fn time_to_live(limits: &Limits, options: SendOptions) -> Option<Duration> {
    if options == SendOptions::new() {
        return limits.ttl;
    }
    // Options don't say; a queue does.
    let mut outbox = Outbox::new();
    let limits = Limits {
        ttl: limits.ttl,
        ..Limits::default()
    };
    let sent = outbox.push(&limits, Instant::ORIGIN, [], options);
    sent.ok()
        .and(outbox.next_deadline())
        .map(Instant::since_origin)
}
