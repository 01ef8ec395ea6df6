//! One logical connection, kept alive through many physical ones.
//!
//! [`Link`] is what a driver of a single connection uses: the [`State`], its configuration,
//! its generator and its [`Outbox`] in one. What may happen when is in [`Phase::successors`].
//! The lifecycle lives here and only here; schedules, verdicts, heartbeat and outbox are
//! machines of their own, each useful alone.

mod carry;
mod connection;
mod failure;
mod input;
mod limiter;
mod moves;
mod outputs;
mod phase;
mod resume;
mod state;
mod status;

pub use self::carry::{Snapshot, SnapshotError};
pub use self::phase::Phase;
pub use self::state::{Backlog, Effects, State};
pub use self::status::{Stats, Status};

use crate::action::Action;
use crate::config::Config;
use crate::epoch::Epoch;
use crate::event::{Command, Event, Frame};
use crate::inbox::Inbox;
use crate::intents::Intents;
use crate::outbox::{
    Delivery, Fate, MessageId, Outbox, Outcome, Outgoing, Payload, Refused, RefusedReason,
    SendOptions,
};
use crate::rng::Rng;
use crate::session::Known;
use crate::time::Instant;

/// One logical connection with its messages.
///
/// A driver runs this loop; see the crate's front page for a whole one.
///
/// ```text
/// link.handle(now, event)                                      // 1  exactly one event
/// while let Some(action) = link.poll_action() { do(action) }   // 2  take every action
/// wait for input, or until link.poll_timeout() -> event = Tick // 3
/// ```
///
/// Whoever sends also takes the fates: a message keeps its slot until its fate is taken.
#[derive(Clone, Debug)]
pub struct Link<P, R> {
    state: State,
    outbox: Outbox<P>,
    inbox: Inbox,
    intents: Intents<P>,
    known: Known,
    stats: Stats,
    config: Config,
    rng: R,
    /// Nothing is due beside the state before this. What is taken out doesn't move it, so it may
    /// be earlier than the truth.
    alarm: Instant,
}

impl<P: Payload, R: Rng> Link<P, R> {
    /// A closed link. Its first action follows on
    /// [`Command::Start`].
    pub fn new(config: Config, rng: R) -> Self {
        Self {
            state: State::new(),
            outbox: Outbox::new(),
            inbox: Inbox::new(),
            intents: Intents::new(),
            known: Known::default(),
            stats: Stats::default(),
            config,
            rng,
            alarm: Instant::NEVER,
        }
    }

    /// Applies one event, then every deadline that `now` has passed.
    ///
    /// Total: any event, at any time, in any state; one that names an epoch which is not alive
    /// changes nothing but a counter. A `now` before the latest one seen counts as that one.
    /// Feed all readable input before a `Tick`: a late tick with fresh input in hand must not
    /// declare a peer dead.
    #[expect(
        clippy::inline_always,
        reason = "the event is known where it is made; what is not absorbed stays out of line"
    )]
    #[inline(always)]
    pub fn handle(&mut self, now: Instant, event: Event) {
        if let Event::Frame(epoch, Frame::Data) = event {
            if self.state.is_up(epoch) {
                self.stats.received = self.stats.received.wrapping_add(1);
            }
        }
        if let Event::Flushed(epoch, through) = event {
            if self.state.epoch() == Some(epoch) {
                self.flushed(through);
                if self.outbox.unwritten() > 0 {
                    // What the window had stopped can go on.
                    self.state.request_flush();
                }
            }
        }
        if let Event::Acked(epoch, ack) = event {
            self.acked(epoch, ack);
        }
        if !self.state.absorb(&self.config, now, event) {
            self.apply(event);
        }
        if self.alarm <= self.state.now {
            self.fire();
        }
    }

    /// The next action, until there is none. Take them all before the next event.
    #[inline]
    pub fn poll_action(&mut self) -> Option<Action> {
        if self.inbox.is_ack_wanted() {
            if let Some(ack) = self.next_ack() {
                return Some(ack);
            }
        }
        let action = self.state.poll_action()?;
        match action {
            Action::Connect { .. } => self.stats.dials = self.stats.dials.wrapping_add(1),
            Action::SendPing { .. } => self.stats.pings = self.stats.pings.wrapping_add(1),
            _ => {}
        }
        Some(action)
    }

    /// When to come back with a [`Tick`](Event::Tick) if nothing else happens; `None` while
    /// only input can change anything.
    #[inline]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.state.wake.min(self.alarm).known()
    }

    /// Accepts a message: it will be written once messages flow, in order.
    ///
    /// Poll for actions after it: while connected it asks for a flush.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the payload and the reason: the link is closed, failed or drains, the
    /// message is volatile and there is no connection, or the outbox cannot take it.
    pub fn send(
        &mut self,
        now: Instant,
        payload: P,
        options: SendOptions,
    ) -> Result<MessageId, Refused<P>> {
        self.state.now = self.state.now.max(now);
        let reason = match self.state.phase {
            Phase::Closed | Phase::Closing => Some(RefusedReason::Closed),
            Phase::Failed => Some(RefusedReason::Failed),
            Phase::Draining => Some(RefusedReason::Draining),
            Phase::Connected => None,
            _ if options.volatile => Some(RefusedReason::NotConnected),
            _ => None,
        };
        let limits = self.config.outbox();
        let reason = match options.delivery {
            Some(Delivery::Acknowledged)
                if !options.volatile && self.config.session().is_none() =>
            {
                Some(RefusedReason::NoSession)
            }
            _ => reason,
        };
        let sent = match reason {
            Some(reason) => Err(Refused { reason, payload }),
            None => self.outbox.push(limits, self.state.now, payload, options),
        };
        match &sent {
            Ok(_) => {
                self.alarm = self.alarm.min(self.outbox.first_expiry());
                self.stats.accepted = self.stats.accepted.wrapping_add(1);
                self.state.request_flush();
            }
            Err(_) => self.stats.refused = self.stats.refused.wrapping_add(1),
        }
        sent
    }

    /// The next message to write on `epoch`, if there is one that may go now.
    ///
    /// After [`Action::Flush`]: peek, encode, write, [`commit`](Self::commit), until this gives
    /// `None` or the transport is full.
    pub fn peek(&mut self, now: Instant, epoch: Epoch) -> Option<Outgoing<'_, P>> {
        self.state.now = self.state.now.max(now);
        if !self.state.is_up(epoch) {
            return None;
        }
        if self.alarm <= self.state.now {
            self.fire();
            if !self.state.is_up(epoch) {
                return None;
            }
        }
        if self.intents.has_pending() {
            return self.intents.peek();
        }
        if !self.outbox.prepare(self.config.outbox(), self.state.now) {
            // There may be a time to ask again.
            self.alarm = self.alarm.min(self.outbox.alarm());
            // The last message of a drain may have been one that can't be replayed any more.
            self.settle_drain();
            return None;
        }
        self.outbox.front()
    }

    /// The peeked message was given to the transport: it is in flight.
    ///
    /// False, and nothing changes, where `id` is not the next message of `epoch`.
    pub fn commit(&mut self, now: Instant, epoch: Epoch, id: MessageId) -> bool {
        self.state.now = self.state.now.max(now);
        if !self.state.is_up(epoch) {
            return false;
        }
        match id.intent() {
            None => {
                let limits = self.config.outbox();
                self.outbox.commit(limits, self.state.now, epoch, id)
            }
            Some(intent) => self.intents.commit(intent, self.outbox.last_committed()),
        }
    }

    /// The peeked message can never be written, being over the transport's limit: it is
    /// dropped as too big.
    ///
    /// False, and nothing changes, where `id` is not the next message of `epoch`.
    pub fn reject(&mut self, epoch: Epoch, id: MessageId) -> bool {
        let rejected = self.state.is_up(epoch)
            && match id.intent() {
                None => self.outbox.reject(id),
                Some(intent) => self.reject_intent(intent),
            };
        self.settle_drain();
        rejected
    }

    /// The transport knows that it did not write message `from` and those after it: they are
    /// queued again in their old place. Call it before the `Closed` of `epoch`.
    ///
    /// Only for what the peer cannot have got: at most once holds no further than this word.
    ///
    /// Where `from` is the writing of an intent it is the messages behind it that are queued
    /// again. The intent is written again on the next connection, if the peer hasn't seen it.
    pub fn take_back(&mut self, epoch: Epoch, from: MessageId) {
        if self.state.is_up(epoch) {
            let from = match from.intent() {
                None => from,
                Some(intent) => match self.intents.behind(intent) {
                    Some(MessageId(before)) => MessageId(before.saturating_add(1)),
                    None => return,
                },
            };
            self.outbox.take_back(self.config.outbox(), from);
            self.settle_drain();
            self.set_alarm();
        }
    }

    /// What became of a message: the oldest fate not yet taken. Taking it frees its slot.
    pub fn poll_fate(&mut self) -> Option<Fate<P>> {
        let fate = self.outbox.poll_fate()?;
        let count = match fate.outcome {
            Outcome::Written => &mut self.stats.written,
            Outcome::Acked => &mut self.stats.acked,
            Outcome::Unknown => &mut self.stats.unknown,
            Outcome::Expired => &mut self.stats.expired,
            Outcome::Dropped(_) => &mut self.stats.dropped,
            Outcome::Returned => &mut self.stats.returned,
        };
        *count = count.wrapping_add(1);
        Some(fate)
    }

    /// Where the link stands after all handled inputs.
    pub fn status(&self) -> Status {
        Status {
            queued: self.outbox.queued(),
            in_flight: self.outbox.in_flight(),
            bytes: self.outbox.bytes(),
            resumption: self.known.resumption,
            ..self.state.status()
        }
    }

    /// The phase after all handled inputs.
    pub const fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// The state alone.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The messages.
    pub const fn outbox(&self) -> &Outbox<P> {
        &self.outbox
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The generator, with its position.
    pub const fn rng(&self) -> &R {
        &self.rng
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        Stats {
            stale: u64::from(self.state.stale),
            ..self.stats
        }
    }

    /// What is not absorbed: the state first, then what it means for the outbox.
    #[inline(never)]
    fn apply(&mut self, event: Event) {
        match event {
            Event::Command(Command::Clear) => self.outbox.clear(),
            Event::Command(Command::Drain(_)) if self.config.outbox().batch.is_some() => {
                self.outbox.close_batch();
                self.state.request_flush();
            }
            Event::Stored(through) => {
                self.outbox.stored(through);
                self.state.request_flush();
            }
            _ => {}
        }
        let backlog = self.backlog();
        let state = &mut self.state;
        let effects = state.apply(&self.config, &mut self.rng, event, backlog);
        self.follow(effects);
        self.note_unanswered(event);
        if let Event::Progress(epoch, _) = event {
            if self.state.is_up(epoch) && self.outbox.unwritten() > 0 {
                // What a full transport had stopped can go on.
                self.state.request_flush();
            }
        }
        self.settle_drain();
        // A tick before the alarm leaves it where it is: what it does makes nothing due sooner.
        if event != Event::Tick {
            self.set_alarm();
        }
    }

    /// Something may be due beside the state.
    #[cold]
    fn fire(&mut self) {
        let now = self.state.now;
        self.outbox.expire(now);
        if self.outbox.resume(now) | self.intents.tick(now) {
            self.state.request_flush();
        }
        self.inbox.tick(now);
        self.settle_drain();
        self.set_alarm();
    }

    /// Looks anew when something is due beside the state.
    fn set_alarm(&mut self) {
        let outbox = self.outbox.alarm();
        self.alarm = outbox.min(self.inbox.alarm()).min(self.intents.alarm());
    }

    #[cold]
    fn next_ack(&mut self) -> Option<Action> {
        let (sequence, intents) = self.inbox.poll_ack()?;
        // Behind a close nothing can be said any more.
        let epoch = self.state.epoch()?;
        let says = self.state.is_up(epoch) || self.state.is_close_pending();
        says.then_some(Action::SendAck {
            epoch,
            sequence,
            intents,
        })
    }

    fn backlog(&self) -> Backlog {
        if self.outbox.is_empty() {
            Backlog::Empty
        } else {
            Backlog::Some
        }
    }

    /// Does to the outbox what the input meant for it.
    fn follow(&mut self, effects: Effects) {
        if let Some(epoch) = effects.lost {
            // A close before messages could flow is no loss.
            self.stats.disconnected = self.stats.connected;
            if effects.struck {
                self.outbox.strike(epoch);
            }
            self.outbox.lose();
            self.inbox.lose();
        }
        if effects.hand_back {
            // The last word, ahead of the close.
            self.inbox.request_ack();
        }
        // What was in flight when a closed link lost its connection has no other end either.
        if effects.hand_back || (effects.lost.is_some() && self.state.phase() == Phase::Closed) {
            self.outbox.return_queued();
        }
        if effects.ready {
            self.stats.connected = self.stats.connected.wrapping_add(1);
            self.begin_sessionless();
            if self.outbox.unwritten() > 0 || self.intents.has_pending() {
                self.state.request_flush();
            }
        }
    }

    /// Once the last message of a drain got its fate, the drain is over.
    fn settle_drain(&mut self) {
        if self.state.draining && self.outbox.is_empty() {
            let state = &mut self.state;
            let effects = state.apply(&self.config, &mut self.rng, Event::Tick, Backlog::Empty);
            self.follow(effects);
        }
    }
}
