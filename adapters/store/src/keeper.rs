//! The books of a link: which record is appended when, and what waits until one is stored.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use redial::outbox::RefusedReason;
use redial::rng::Seeded;
use redial::session::{Hello, ServerId, SessionId};
use redial::{
    Action, Epoch, Instant, IntentId, Link, MessageId, Payload, Phase, Refused, SendOptions,
};
use redial_adapter::{Books, News, NotStored};

use crate::disk::Disk;
use crate::error::{Failure, OpenError, Refusal};
use crate::file::FileDisk;
use crate::front::{Progress, Ticket};
use crate::options::Options;
use crate::record::Record;
use crate::recovery::Recovery;
use crate::store::Store;
use crate::stored::Stored;

/// The books of one link, in a [`Store`]: a driver's part as this crate describes it.
///
/// The link is [revived](Link::revive) from the recovery that comes with it, and its
/// configuration is [durable](redial::outbox::Limits::durable). What a driver asks is in
/// [`Books`].
pub struct Keeper<P> {
    store: Store<P>,
    bell: Arc<Bell>,
    /// The disk has failed, and whether that was told.
    failed: Option<Failure>,
    told: bool,
    /// What the store was last seen to have, and what of the messages that is: volatile ones
    /// count as what came before them.
    progress: Progress,
    stored: u64,
    /// Something is to be told that the store did not ring for.
    due: bool,
    /// The last message that the link accepted, and the last of those that are in the log.
    accepted: u64,
    recorded: u64,
    /// Volatile messages by the last message of the log before them: the last of each.
    volatile: VecDeque<(u64, u64)>,
    /// What the log says.
    session: (Option<SessionId>, Option<ServerId>),
    up: Option<Epoch>,
    /// The first connection of this session.
    since: Option<Epoch>,
    /// Nothing is written before this is stored.
    gate: Ticket,
    /// The last message that was ever committed.
    through: u64,
    /// Fresh sessions so far.
    fresh: u64,
    /// The intents that stand by the number of their last writing in this session.
    numbers: BTreeMap<u64, u64>,
    /// The last sequence whose record as received is stored.
    received: u64,
    /// Acknowledgements that wait: the next one, and the last one, which stands for all between.
    acks: [Option<Ack>; 2],
    /// Ranges of messages whose fates nobody took.
    abandoned: Vec<(u64, u64)>,
}

/// An acknowledgement that waits until what it says is stored.
#[derive(Clone, Copy)]
struct Ack {
    ticket: Ticket,
    epoch: Epoch,
    sequence: u64,
    intents: u64,
}

/// What the store's thread leaves for the link.
#[derive(Default)]
struct Bell {
    ring: OnceLock<Box<dyn Fn() + Send + Sync>>,
    failed: OnceLock<Failure>,
}

impl<P: Stored> Keeper<P> {
    /// Opens the log at this path, or begins one.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; the file is then as it was.
    pub fn open(
        path: impl AsRef<Path>,
        options: &Options,
    ) -> Result<(Self, Recovery<P>), OpenError> {
        Self::over(FileDisk::open(path)?, options)
    }

    /// The same on a disk of one's own.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; the file is then as it was.
    pub fn over<D: Disk + Send + 'static>(
        disk: D,
        options: &Options,
    ) -> Result<(Self, Recovery<P>), OpenError> {
        let bell = Arc::new(Bell::default());
        let rung = Arc::clone(&bell);
        let (store, recovery) = Store::over(disk, options, move |news| {
            if let Err(failure) = news {
                // Told once.
                let _ = rung.failed.set(failure);
            }
            if let Some(ring) = rung.ring.get() {
                ring();
            }
        })?;
        let carryover = &recovery.carryover;
        let tried = carryover.messages.iter().filter(|it| it.tries > 0);
        let numbered = carryover.standing.iter().filter(|it| it.number > 0);
        let keeper = Self {
            bell,
            failed: None,
            told: false,
            progress: store.stored(),
            stored: carryover.accepted,
            due: false,
            accepted: carryover.accepted,
            recorded: carryover.accepted,
            volatile: VecDeque::new(),
            session: (carryover.session, carryover.server),
            up: None,
            since: None,
            gate: Ticket::default(),
            through: tried.last().map_or(0, |last| last.id.number()),
            fresh: 0,
            numbers: numbered.map(|it| (it.number, it.id)).collect(),
            received: carryover.received,
            acks: [None, None],
            abandoned: Vec::new(),
            store,
        };
        Ok((keeper, recovery))
    }

    fn append(&mut self, record: &Record<'_, P>) -> Option<Ticket> {
        match self.store.append(record) {
            Ok(ticket) => Some(ticket),
            Err(refusal) => {
                if let Refusal::Failed(failure) = refusal {
                    self.failed.get_or_insert(failure);
                }
                None
            }
        }
    }

    /// Nothing is written before this record is stored.
    fn append_first(&mut self, record: &Record<'_, P>) {
        if let Some(ticket) = self.append(record) {
            self.gate = ticket;
        }
    }

    /// A volatile message is in no log: what is stored passes it.
    fn pass(&mut self, id: u64) {
        match self.volatile.back_mut() {
            Some((behind, last)) if *behind == self.recorded => *last = id,
            _ => self.volatile.push_back((self.recorded, id)),
        }
        self.due |= self.recorded <= self.stored;
    }

    fn settle(&mut self, first: u64, last: u64) {
        let (first, last) = (MessageId::from_number(first), MessageId::from_number(last));
        self.append(&Record::Settled { first, last });
    }

    fn withdrawn(&mut self, id: u64) {
        self.numbers.retain(|_, standing| *standing != id);
        self.append(&Record::Withdrawn { id });
    }

    fn failure(&self) -> Option<&Failure> {
        self.failed.as_ref().or_else(|| self.bell.failed.get())
    }
}

impl<P: Stored + Payload> Keeper<P> {
    /// Session, connection, or what nobody took: one of them has changed.
    fn turn(&mut self, link: &Link<P, Seeded>, up: Option<Epoch>) {
        if self.up.is_some() && self.up != up {
            let through = (self.through > 0).then_some(MessageId::from_number(self.through));
            self.append(&Record::Down { through });
        }
        if is_under_way(link.phase()) {
            for (first, last) in std::mem::take(&mut self.abandoned) {
                self.settle(first, last);
            }
        }
        let session = link.session();
        let changed = session != self.session;
        if changed {
            let other = session.0 != self.session.0;
            self.session = session;
            let (session, server) = session;
            self.append(&Record::Session { session, server });
            let (sequence, intents) = (link.inbox().last(), link.inbox().intents());
            if other {
                // What waits was received in another session.
                self.acks = [None, None];
                self.received = 0;
                self.append(&Record::Received { sequence, intents });
            }
        }
        if let Some(epoch) = up.filter(|_| self.up != up) {
            if self.renew(link) || self.since.is_none() {
                self.since = up;
            }
            let epoch = epoch.number();
            self.append_first(&Record::Up { epoch });
        }
        self.up = up;
    }

    /// Whether the session is fresh. What was written before it was written in one that is gone,
    /// whether it is sent again now or, should its fate not be taken, in another process.
    fn renew(&mut self, link: &Link<P, Seeded>) -> bool {
        let fresh = link.stats().fresh;
        if fresh == self.fresh {
            return false;
        }
        self.fresh = fresh;
        self.numbers.clear();
        let written = link.outbox().last_in_flight().map_or(0, MessageId::number);
        let through = written.max(self.through);
        if through > 0 {
            let through = MessageId::from_number(through);
            self.append(&Record::Resent { through });
        }
        true
    }
}

impl<P: Stored + Payload + 'static> Books<P> for Keeper<P> {
    fn attach(&mut self, ring: Box<dyn Fn() + Send + Sync>) {
        // A second one would be for another link.
        let _ = self.bell.ring.set(ring);
    }

    fn send(
        &mut self,
        link: &mut Link<P, Seeded>,
        now: Instant,
        payload: P,
        options: SendOptions,
    ) -> Result<MessageId, Refused<P>> {
        let volatile = options.is_volatile();
        if !volatile && self.store.admit(&payload).is_err() {
            let reason = RefusedReason::NotStored;
            return Err(Refused { reason, payload });
        }
        let id = link.send(now, payload, options)?;
        self.accepted = id.number();
        if volatile {
            self.pass(id.number());
        } else if let Some(newest) = link.outbox().newest() {
            let ttl = options.time_to_live().or(link.config().outbox().ttl);
            self.append(&Record::Accepted {
                id,
                sequence: newest.sequence,
                ttl,
                payload: newest.payload,
            });
            self.recorded = id.number();
        }
        Ok(id)
    }

    fn has_room(&self, payload: &P) -> bool {
        !matches!(self.store.admit(payload), Err(Refusal::Full))
    }

    fn declare(
        &mut self,
        link: &mut Link<P, Seeded>,
        now: Instant,
        payload: P,
    ) -> Result<IntentId, Refused<P>> {
        if self.store.admit(&payload).is_err() {
            let reason = RefusedReason::NotStored;
            return Err(Refused { reason, payload });
        }
        let id = link.declare(now, payload)?;
        let declared = link.intents().find(|(standing, _)| *standing == id);
        if let Some((_, payload)) = declared {
            self.append_first(&Record::Intent {
                id: id.number(),
                number: 0,
                payload,
            });
        }
        Ok(id)
    }

    fn withdraw(&mut self, link: &mut Link<P, Seeded>, intent: IntentId) -> Option<P> {
        let payload = link.withdraw(intent)?;
        self.withdrawn(intent.number());
        Some(payload)
    }

    fn refuse_intent(
        &mut self,
        link: &mut Link<P, Seeded>,
        now: Instant,
        epoch: Epoch,
        number: u64,
    ) -> bool {
        let refused = link.refuse_intent(now, epoch, number);
        if let Some(id) = self.numbers.remove(&number).filter(|_| refused) {
            self.append(&Record::Numbered { id, number: 0 });
        }
        refused
    }

    fn follow(&mut self, link: &Link<P, Seeded>) {
        let state = link.state();
        let up = state.epoch().filter(|&epoch| state.is_up(epoch));
        let same = up == self.up && link.session() == self.session;
        if !same || (!self.abandoned.is_empty() && is_under_way(link.phase())) {
            self.turn(link, up);
        }
    }

    fn may_write(&self, epoch: Epoch) -> bool {
        self.up == Some(epoch) && self.progress.through >= self.gate && self.failure().is_none()
    }

    fn committed(&mut self, id: MessageId, intent: Option<u64>) {
        let Some(standing) = id.intent() else {
            self.through = self.through.max(id.number());
            return;
        };
        if let Some(number) = intent {
            let id = standing.number();
            self.numbers.retain(|_, standing| *standing != id);
            self.numbers.insert(number, id);
            self.append(&Record::Numbered { id, number });
        }
    }

    fn rejected(&mut self, id: MessageId) {
        // That of a message has a fate.
        if let Some(intent) = id.intent() {
            self.withdrawn(intent.number());
        }
    }

    fn hello(&self, hello: Hello) -> Hello {
        Hello {
            last_seen: hello.last_seen.min(self.received),
            ..hello
        }
    }

    fn received(&mut self, epoch: Epoch, sequence: u64, intents: u64) {
        if self.since.is_none_or(|since| epoch < since) {
            // It is of another session.
            return;
        }
        if let Some(ticket) = self.append(&Record::Received { sequence, intents }) {
            let [next, last] = &mut self.acks;
            let place = if next.is_none() { next } else { last };
            *place = Some(Ack {
                ticket,
                epoch,
                sequence,
                intents,
            });
        }
    }

    fn settled(&mut self, id: MessageId) {
        if id.intent().is_none() && id.number() <= self.recorded {
            self.settle(id.number(), id.number());
        }
    }

    fn abandoned(&mut self, id: MessageId) {
        let id = id.number();
        match self.abandoned.last_mut() {
            _ if id > self.recorded => {}
            Some((_, last)) if last.checked_add(1) == Some(id) => *last = id,
            _ => self.abandoned.push((id, id)),
        }
    }

    fn has_failed(&self) -> bool {
        self.failure().is_some()
    }

    fn has_news(&self) -> bool {
        self.due || (self.failure().is_some() && !self.told)
    }

    fn news(&mut self) -> News {
        self.due = false;
        self.progress = self.store.stored();
        let stored = self.progress.message.map_or(0, MessageId::number);
        self.stored = self.stored.max(stored);
        while let Some(&(behind, last)) = self.volatile.front() {
            if behind > self.stored {
                break;
            }
            self.stored = self.stored.max(last);
            self.volatile.pop_front();
        }
        let through = self.progress.through;
        let is_stored = |ack: &mut Ack| ack.ticket <= through;
        let [next, last] = &mut self.acks;
        let mut ack = last.take_if(is_stored);
        if ack.is_some() {
            *next = None;
        } else {
            ack = next.take_if(is_stored);
            if ack.is_some() {
                *next = last.take();
            }
        }
        let failed = self.failure().filter(|_| !self.told).cloned();
        self.told |= failed.is_some();
        let mut news = News::default();
        news.stored = (self.stored > 0).then_some(MessageId::from_number(self.stored));
        news.ack = ack.map(|ack| {
            self.received = ack.sequence;
            Action::SendAck {
                epoch: ack.epoch,
                sequence: ack.sequence,
                intents: ack.intents,
            }
        });
        news.failed = failed.map(|failure| failure.shared());
        news
    }

    fn is_stored(&self, id: MessageId) -> Option<Result<(), NotStored>> {
        let number = id.number();
        if number == 0 || number > self.accepted {
            return Some(Err(NotStored::NotKept));
        }
        let stored = self.store.stored().message.map_or(0, MessageId::number);
        let stored = stored.max(self.stored);
        let mut passed = self.volatile.iter();
        let passed = passed.any(|&(behind, last)| behind <= stored.min(number) && number <= last);
        if number <= stored || passed {
            return Some(Ok(()));
        }
        let failure = self.failure()?;
        Some(Err(NotStored::Failed(failure.shared())))
    }

    fn closer(&self) -> Box<dyn FnOnce() -> Result<(), Arc<io::Error>> + Send> {
        let store = self.store.clone();
        Box::new(move || store.close().map_err(|failure| failure.shared()))
    }
}

impl<P> fmt::Debug for Keeper<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("store", &self.store)
            .field("up", &self.up)
            .finish_non_exhaustive()
    }
}

/// Whether a link tries to be connected, or is.
const fn is_under_way(phase: Phase) -> bool {
    !matches!(
        phase,
        Phase::Draining | Phase::Closing | Phase::Closed | Phase::Failed
    )
}
