//! A link's session: what is said on a new connection, what is received in it, and its intents.

use super::{Link, Phase};
use crate::cause::{Cause, ProtocolError};
use crate::epoch::Epoch;
use crate::event::{Ack, Event};
use crate::inbox::{Gap, Header, Inbound, Inbox};
use crate::intents::IntentId;
use crate::outbox::{DropReason, MessageId, Outcome, Payload, Refused, RefusedReason};
use crate::rng::Rng;
use crate::session::{Fresh, Hello, OnFresh, Resumption, ServerId, SessionId, Welcome};
use crate::time::Instant;

impl<P: Payload, R: Rng> Link<P, R> {
    /// What to say on `epoch` once it has opened, where the peer knows sessions; `None` where
    /// that connection is not waiting for its handshake, or the link has no session.
    pub fn hello(&mut self, epoch: Epoch) -> Option<Hello> {
        let settings = self.config.session()?;
        if !self.state.is_opened(epoch) {
            return None;
        }
        let session = self.known.offer(epoch, settings.resume_attempts);
        Some(Hello {
            session,
            last_seen: if session.is_some() {
                self.inbox.last()
            } else {
                0
            },
            first: self.outbox.announce_first(),
            connection: epoch.number(),
        })
    }

    /// The peer's answer to [`hello`](Self::hello): the link is ready, and this is what became of
    /// the session. Tell the application before any message of this connection.
    ///
    /// `None` where that connection is not waiting for it; or where the answer can't be: then the
    /// link gives the connection up (an [`Abort`](crate::Action::Abort) follows) and asks for a
    /// fresh session on the next one.
    pub fn welcome(&mut self, now: Instant, epoch: Epoch, welcome: &Welcome) -> Option<Resumption> {
        self.state.now = self.state.now.max(now);
        if self.known.said_on() != Some(epoch) || !self.state.is_opened(epoch) {
            self.state.ignore();
            return None;
        }
        let resumption = match self.known.judge(welcome) {
            Ok(true) => self.resume(welcome),
            Ok(false) => Some(self.renew(welcome)),
            Err(()) => None,
        };
        let Some(resumption) = resumption else {
            self.known.mismatch();
            let backlog = self.backlog();
            let cause = Cause::Protocol(ProtocolError::Frame);
            let state = &mut self.state;
            let effects = state.break_off(&self.config, &mut self.rng, cause, backlog);
            self.follow(effects);
            return None;
        };
        let session = Some((welcome.session, welcome.server));
        self.known.settle(Some(epoch), session, resumption);
        self.apply(Event::Ready(epoch));
        Some(resumption)
    }

    /// A message or an intent of `size` bytes came in on `epoch`: what it is, by its place. Its
    /// frame is an event of its own.
    #[inline]
    pub fn receive(&mut self, now: Instant, epoch: Epoch, header: Header, size: usize) -> Inbound {
        self.state.now = self.state.now.max(now);
        let inbound = match self.config.session() {
            Some(settings) if self.is_settled(epoch) => {
                let now = self.state.now;
                let inbound = self.inbox.receive(&settings.acks, now, header, size);
                self.alarm = self.alarm.min(self.inbox.alarm());
                inbound
            }
            _ => Inbound::Stale,
        };
        match inbound {
            Inbound::Deliver => {}
            Inbound::Gap(gap) => self.stats.missed = self.stats.missed.wrapping_add(gap.len()),
            Inbound::Duplicate => self.stats.duplicates = self.stats.duplicates.wrapping_add(1),
            Inbound::Stale => self.state.ignore(),
        }
        inbound
    }

    /// Declares an intent: it is written once in each session, ahead of messages.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the payload: the link has no session, or drains, there are as many intents
    /// as may stand, or too many fates wait to be taken.
    pub fn declare(&mut self, now: Instant, payload: P) -> Result<IntentId, Refused<P>> {
        self.state.now = self.state.now.max(now);
        // An intent that is rejected has a fate, and no slot that bounds it.
        let fates = self.outbox.fates_waiting();
        let most = self.config.outbox().messages.saturating_mul(2);
        let reason = match (self.config.session(), self.state.phase) {
            (None, _) => RefusedReason::NoSession,
            (_, Phase::Draining) => RefusedReason::Draining,
            _ if fates >= most => RefusedReason::Full,
            (Some(settings), _) => {
                let declared = self.intents.declare(settings, payload);
                if declared.is_ok() {
                    self.state.request_flush();
                }
                return declared;
            }
        };
        Err(Refused { reason, payload })
    }

    /// Takes an intent back, with its payload, if it stands: it is not written again.
    pub fn withdraw(&mut self, id: IntentId) -> Option<P> {
        self.intents.withdraw(id)
    }

    /// The peer refuses the intent that was written with this number on `epoch`: it is tried
    /// again by its own schedule. False, and nothing changes, if there is none.
    pub fn refuse_intent(&mut self, now: Instant, epoch: Epoch, number: u64) -> bool {
        self.state.now = self.state.now.max(now);
        let refused = match self.config.session() {
            Some(settings) if self.is_settled(epoch) => {
                let (backoff, now) = (&settings.intent_backoff, self.state.now);
                let refused = self.intents.refused(backoff, &mut self.rng, now, number);
                self.alarm = self.alarm.min(self.intents.alarm());
                refused
            }
            _ => false,
        };
        if !refused {
            self.state.ignore();
        }
        refused
    }

    /// The intents that stand, in order.
    pub fn intents(&self) -> impl Iterator<Item = (IntentId, &P)> {
        self.intents.iter()
    }

    /// What was received.
    pub const fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The session, and the server's run, as they were last told.
    pub const fn session(&self) -> (Option<SessionId>, Option<ServerId>) {
        (self.known.session, self.known.server)
    }

    /// Forgets the session: the next connection begins a fresh one.
    pub fn forget_session(&mut self) {
        self.known.session = None;
    }

    /// The peer has acknowledged something.
    #[inline]
    pub(super) fn acked(&mut self, epoch: Epoch, ack: Ack) {
        if !self.is_settled(epoch) {
            return;
        }
        let possible = match ack {
            Ack::Through { sequence, intents } => {
                intents <= self.intents.written && self.outbox.acked(sequence)
            }
            Ack::One(id) => self.outbox.acked_one(id),
        };
        if !possible {
            self.state.ignore();
        }
    }

    /// The transport has flushed everything up to a message or an intent.
    #[inline]
    pub(super) fn flushed(&mut self, through: MessageId) {
        let through = match through.intent() {
            None => Some(through),
            Some(intent) => self.intents.behind(intent),
        };
        if let Some(through) = through {
            self.outbox.flushed(through);
        }
    }

    pub(super) fn reject_intent(&mut self, id: IntentId) -> bool {
        let is_next = self.intents.peek().and_then(|next| next.id.intent()) == Some(id);
        if is_next {
            self.intents.withdraw(id);
            let outcome = Outcome::Dropped(DropReason::TooBig);
            self.outbox.tell(MessageId::of_intent(id), outcome);
        }
        is_next
    }

    /// The connection on which the hello was said may have ended without an answer.
    pub(super) fn note_unanswered(&mut self, event: Event) {
        if let Some(epoch) = self.known.said_on() {
            if !self.state.is_opened(epoch) {
                // What the user or a hint has cut short says nothing of the peer.
                let own = matches!(event, Event::Command(_) | Event::Hint(_));
                let cause = self.state.last_cause.filter(|_| !own);
                self.known.unanswered(cause);
            }
        }
    }

    /// Messages flow, and nobody has said what became of the session: the peer has none.
    pub(super) fn begin_sessionless(&mut self) {
        let Some(policy) = self.config.session().map(|s| s.on_fresh) else {
            return;
        };
        if self.known.take_welcomed() {
            return;
        }
        let (unknown, resent) = self.begin_fresh(policy);
        let outcome = Resumption::Fresh {
            reason: Fresh::Sessionless,
            server: None,
            restarted: false,
            unknown,
            resent,
        };
        self.inbox = Inbox::new();
        self.known.settle(self.state.epoch(), None, outcome);
        self.known.take_welcomed();
    }

    /// Whether this connection carries messages of the session, or did until its close was asked
    /// for. One that is closed before its welcome carries none that could be judged.
    #[inline]
    fn is_settled(&self, epoch: Epoch) -> bool {
        self.state.carries(epoch) && self.known.is_on(epoch)
    }

    fn resume(&mut self, welcome: &Welcome) -> Option<Resumption> {
        let forgotten = self.outbox.resumed(welcome.last_seen).ok()?;
        self.intents.resumed(welcome.intents);
        let from = self.inbox.last().saturating_add(1);
        let missed = (welcome.first > from).then(|| Gap {
            from,
            to: welcome.first.saturating_sub(1),
        });
        if let Some(gap) = missed {
            self.stats.missed = self.stats.missed.wrapping_add(gap.len());
            self.inbox = Inbox::after(gap.to, self.inbox.intents());
        }
        self.stats.resumed = self.stats.resumed.wrapping_add(1);
        Some(Resumption::Resumed {
            server: welcome.server,
            restarted: self.known.restarted(welcome.server),
            missed,
            forgotten,
        })
    }

    fn renew(&mut self, welcome: &Welcome) -> Resumption {
        let policy = self
            .config
            .session()
            .map_or(OnFresh::Report, |s| s.on_fresh);
        let (unknown, resent) = self.begin_fresh(policy);
        self.inbox = Inbox::after(welcome.first.saturating_sub(1), 0);
        Resumption::Fresh {
            reason: self.known.why_fresh(),
            server: Some(welcome.server),
            restarted: self.known.restarted(welcome.server),
            unknown,
            resent,
        }
    }

    fn begin_fresh(&mut self, policy: OnFresh) -> (usize, usize) {
        self.intents.fresh();
        self.stats.fresh = self.stats.fresh.wrapping_add(1);
        self.outbox.fresh(policy)
    }
}
