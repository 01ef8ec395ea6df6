//! The server's half of a session.

use core::time::Duration;

use crate::action::Action;
use crate::epoch::Epoch;
use crate::event::{Ack, Command, Event};
use crate::inbox::{Gap, Header, Inbound, Inbox};
use crate::outbox::{
    Fate, MessageId, Outbox, Outgoing, Payload, Refused, RefusedReason, SendOptions,
};
use crate::session::{Hello, ServerId, SessionId, Welcome};
use crate::time::Instant;

use super::settings::Settings;

/// The server's half of a session: one client, over all its connections.
///
/// The server keeps its sessions by their [`SessionId`]. For each connection that says
/// [`Hello`]: find the session it names and [`resume`](Self::resume) it, or
/// [`open`](Self::open) a new one; send the [`Welcome`]; then drive it as a link:
///
/// ```text
/// session.handle(now, event)                                      // 1  exactly one event
/// while let Some(action) = session.poll_action() { do(action) }   // 2  take every action
/// wait for input, or until session.poll_timeout() -> Tick         // 3
/// ```
///
/// The events it knows are `Closed`, `Flushed`, `Acked`, `Progress`, `Stored`, `Tick` and the
/// command `Clear` and `Disconnect`; others change nothing. Its actions are `Flush`, `SendAck`,
/// `Abort` (of a connection that another has replaced) and `Close`.
///
/// A session ends when its client has been away for longer than the window, or by `Disconnect`;
/// then [`is_over`](Self::is_over), and every message has a fate.
///
/// To survive a restart of the server it is written down: what was received before the next
/// `SendAck` is carried out, together with what the application makes of it, and what was
/// committed before it is written to the connection. [`restored`](Self::restored) brings it back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Session<P> {
    id: SessionId,
    settings: Settings,
    pub(super) outbox: Outbox<P>,
    pub(super) inbox: Inbox,
    now: Instant,
    /// The connection that carries messages.
    epoch: Option<Epoch>,
    pub(super) next_epoch: Epoch,
    /// The number that the client gave its last connection.
    connection: u64,
    /// When the window closes, while no connection is there.
    expires: Instant,
    abort: Option<Epoch>,
    close: Option<Epoch>,
    flush: bool,
    over: bool,
    stale: u64,
}

/// A session goes on, on a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resumed {
    /// The name of the new connection.
    pub epoch: Epoch,
    /// What to answer.
    pub welcome: Welcome,
    /// Messages of the client that are gone and will not come: they were dropped, or expired.
    pub missed: Option<Gap>,
    /// Own messages that the client had acknowledged and has forgotten again: it came back from
    /// an older state.
    pub forgotten: Option<Gap>,
}

/// Why a session can't be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denied {
    /// The client asks for another session, or for a new one.
    NotThis,
    /// The window has passed, or the session was ended.
    Over,
    /// The client has begun a later connection since, which has the session.
    Overtaken {
        /// The number of this connection.
        connection: u64,
        /// That of the later one.
        last: u64,
    },
    /// The client says that it has seen what was never sent: this end came back from an older
    /// state than the client's.
    Ahead {
        /// What the client says to have seen.
        last_seen: u64,
        /// What was sent last.
        sent: u64,
    },
}

impl core::fmt::Display for Denied {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotThis => f.write_str("the client asks for another session"),
            Self::Over => f.write_str("the session is over"),
            Self::Overtaken { connection, last } => write!(
                f,
                "connection {connection} was overtaken by connection {last} of the same client"
            ),
            Self::Ahead { last_seen, sent } => write!(
                f,
                "the client has seen message {last_seen}, but the last one sent is {sent}"
            ),
        }
    }
}

impl core::error::Error for Denied {}

impl<P: Payload> Session<P> {
    /// A new session named `id`, for a client that has said `hello`: its first connection, and
    /// what to answer. `server` names this run of the server.
    ///
    /// `id` must not be guessable: who knows it can take the session over.
    pub fn open(
        now: Instant,
        id: SessionId,
        server: ServerId,
        settings: Settings,
        hello: &Hello,
    ) -> (Self, Epoch, Welcome) {
        let mut session = Self {
            id,
            settings,
            outbox: Outbox::new(),
            inbox: Inbox::after(hello.first.saturating_sub(1), 0),
            now,
            epoch: None,
            next_epoch: Epoch::FIRST,
            connection: hello.connection,
            expires: Instant::NEVER,
            abort: None,
            close: None,
            flush: false,
            over: false,
            stale: 0,
        };
        let epoch = session.attach();
        let welcome = session.welcome(server, false);
        (session, epoch, welcome)
    }

    /// A session that was written down goes on in another process: `away` has passed since, and
    /// `now` is a time of the new one's clock.
    ///
    /// No connection is attached, and the window begins anew, at `now`: a server that was away
    /// gives its clients all of it. What was to be acknowledged is kept and replayed. At most
    /// once, nobody knows what became of a message that was committed and not flushed. Times to
    /// live have run on while the server was away.
    #[must_use]
    pub fn restored(mut self, now: Instant, away: Duration) -> Self {
        self.outbox.lose();
        self.outbox.rebase(self.now, now, away);
        self.inbox.lose();
        self.now = now;
        self.epoch = None;
        self.abort = None;
        self.close = None;
        self.flush = false;
        if !self.over {
            self.expires = now + self.settings.window;
        }
        self
    }

    /// The session goes on, on the new connection that said `hello`. An old connection that is
    /// still there is aborted: there is one line at a time. Take every action after it, before
    /// the next one comes.
    ///
    /// # Errors
    ///
    /// [`Denied`], and nothing changes, if it can't: open a new session in its place, but for
    /// [`Denied::Overtaken`], where the connection is to be closed.
    pub fn resume(
        &mut self,
        now: Instant,
        server: ServerId,
        hello: &Hello,
    ) -> Result<Resumed, Denied> {
        self.pass(now);
        if hello.session != Some(self.id) {
            return Err(Denied::NotThis);
        }
        if self.over {
            return Err(Denied::Over);
        }
        if hello.connection <= self.connection {
            return Err(Denied::Overtaken {
                connection: hello.connection,
                last: self.connection,
            });
        }
        let last_seen = hello.last_seen;
        if last_seen > self.outbox.last_written() {
            let sent = self.outbox.last_written();
            return Err(Denied::Ahead { last_seen, sent });
        }
        if let Some(old) = self.epoch {
            self.lose();
            self.abort = Some(old);
        }
        let forgotten = self.outbox.resumed(last_seen).unwrap_or_default();
        let from = self.inbox.last().saturating_add(1);
        let missed = (hello.first > from).then(|| Gap {
            from,
            to: hello.first.saturating_sub(1),
        });
        if let Some(gap) = missed {
            self.inbox = Inbox::after(gap.to, self.inbox.intents());
        }
        self.connection = hello.connection;
        let epoch = self.attach();
        Ok(Resumed {
            epoch,
            welcome: self.welcome(server, true),
            missed,
            forgotten,
        })
    }

    /// Applies one event, then every deadline that `now` has passed. Total, as a link's.
    pub fn handle(&mut self, now: Instant, event: Event) {
        self.now = self.now.max(now);
        match event {
            Event::Closed(epoch, _) if self.epoch == Some(epoch) => self.lose(),
            Event::Flushed(epoch, through) if self.epoch == Some(epoch) => {
                self.outbox.flushed(through);
                self.request_flush();
            }
            Event::Acked(epoch, ack) if self.epoch == Some(epoch) => {
                let possible = match ack {
                    // A server declares no intents.
                    Ack::Through { sequence, intents } => {
                        intents == 0 && self.outbox.acked(sequence)
                    }
                    Ack::One(id) => self.outbox.acked_one(id),
                };
                if !possible {
                    self.stale = self.stale.saturating_add(1);
                }
                self.request_flush();
            }
            Event::Progress(epoch, _) if self.epoch == Some(epoch) => self.request_flush(),
            Event::Stored(through) => {
                self.outbox.stored(through);
                self.request_flush();
            }
            Event::Command(Command::Clear) => self.outbox.clear(),
            Event::Command(Command::Disconnect) => self.end(),
            Event::Tick => {}
            _ => self.stale = self.stale.saturating_add(1),
        }
        self.fire();
    }

    /// The next action, until there is none.
    pub fn poll_action(&mut self) -> Option<Action> {
        if let Some(old) = self.abort.take() {
            return Some(Action::Abort(old));
        }
        if let Some(epoch) = self.epoch.or(self.close) {
            if let Some((sequence, intents)) = self.inbox.poll_ack() {
                return Some(Action::SendAck {
                    epoch,
                    sequence,
                    intents,
                });
            }
            if self.flush {
                self.flush = false;
                return Some(Action::Flush(epoch));
            }
        }
        self.close.take().map(Action::Close)
    }

    /// When to come back with a tick if nothing else happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let window = self.expires.min(self.outbox.alarm());
        window.min(self.inbox.alarm()).known()
    }

    /// Accepts a message: it is written once the client is there, in order.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the payload: the session is over, the message is volatile and the client
    /// is not there, or the replay buffer cannot take it.
    pub fn send(
        &mut self,
        now: Instant,
        payload: P,
        options: SendOptions,
    ) -> Result<MessageId, Refused<P>> {
        self.pass(now);
        let reason = if self.over {
            Some(RefusedReason::Closed)
        } else if options.is_volatile() && self.epoch.is_none() {
            Some(RefusedReason::NotConnected)
        } else {
            None
        };
        if let Some(reason) = reason {
            return Err(Refused { reason, payload });
        }
        let sent = self
            .outbox
            .push(&self.settings.outbox, self.now, payload, options);
        self.request_flush();
        sent
    }

    /// The next message to write on `epoch`, if there is one that may go now.
    pub fn peek(&mut self, now: Instant, epoch: Epoch) -> Option<Outgoing<'_, P>> {
        self.pass(now);
        if self.epoch != Some(epoch) {
            return None;
        }
        self.outbox.peek(&self.settings.outbox, self.now)
    }

    /// The peeked message was given to the transport. False if it is not the next one of `epoch`.
    pub fn commit(&mut self, now: Instant, epoch: Epoch, id: MessageId) -> bool {
        self.now = self.now.max(now);
        self.epoch == Some(epoch)
            && self
                .outbox
                .commit(&self.settings.outbox, self.now, epoch, id)
    }

    /// The peeked message can never be written: it is dropped as too big.
    pub fn reject(&mut self, epoch: Epoch, id: MessageId) -> bool {
        self.epoch == Some(epoch) && self.outbox.reject(id)
    }

    /// The transport knows that it did not write `from` and those after it.
    pub fn take_back(&mut self, epoch: Epoch, from: MessageId) {
        if self.epoch == Some(epoch) {
            self.outbox.take_back(&self.settings.outbox, from);
        }
    }

    /// A message or an intent of `size` bytes came in on `epoch`: what it is, by its place.
    ///
    /// To remember it over a restart, write the session down before the next
    /// [`SendAck`](Action::SendAck) is carried out.
    pub fn receive(&mut self, now: Instant, epoch: Epoch, header: Header, size: usize) -> Inbound {
        self.pass(now);
        if self.epoch != Some(epoch) {
            self.stale = self.stale.saturating_add(1);
            return Inbound::Stale;
        }
        self.inbox
            .receive(&self.settings.acks, self.now, header, size)
    }

    /// What became of a message: the oldest fate not yet taken. Taking it frees its slot.
    pub fn poll_fate(&mut self) -> Option<Fate<P>> {
        self.outbox.poll_fate()
    }

    /// The session's name.
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// The connection that carries messages, while there is one.
    pub const fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    /// Whether the session has ended: forget it once its fates are taken.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// When the window closes, while the client is away.
    pub const fn expires_at(&self) -> Option<Instant> {
        self.expires.known()
    }

    /// The messages on their way out.
    pub const fn outbox(&self) -> &Outbox<P> {
        &self.outbox
    }

    /// What was received.
    pub const fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Inputs that came too late or could not be.
    pub const fn stale(&self) -> u64 {
        self.stale
    }

    fn attach(&mut self) -> Epoch {
        let epoch = self.next_epoch;
        self.next_epoch = epoch.next();
        self.epoch = Some(epoch);
        self.expires = Instant::NEVER;
        self.close = None;
        self.request_flush();
        epoch
    }

    fn welcome(&mut self, server: ServerId, resumed: bool) -> Welcome {
        Welcome {
            session: self.id,
            server,
            resumed,
            last_seen: self.inbox.last(),
            intents: self.inbox.intents(),
            first: self.outbox.announce_first(),
        }
    }

    /// The connection is gone: the window opens.
    fn lose(&mut self) {
        self.epoch = None;
        self.flush = false;
        self.close = None;
        self.outbox.lose();
        self.inbox.lose();
        self.expires = self.now + self.settings.window;
    }

    /// Nobody can resume it any more: every message gets its fate.
    fn end(&mut self) {
        if self.over {
            return;
        }
        self.over = true;
        // The last word, ahead of the close.
        self.inbox.request_ack();
        self.close = self.epoch;
        self.epoch = None;
        self.expires = Instant::NEVER;
        self.flush = false;
        self.outbox.lose();
        self.outbox.return_queued();
    }

    fn pass(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.fire();
    }

    fn fire(&mut self) {
        let now = self.now;
        if self.expires <= now && self.expires.known().is_some() {
            self.end();
        }
        if self.outbox.alarm() <= now {
            self.outbox.expire(now);
            if self.outbox.resume(now) {
                self.request_flush();
            }
        }
        self.inbox.tick(now);
    }

    fn request_flush(&mut self) {
        self.flush |= self.epoch.is_some() && self.outbox.unwritten() > 0;
    }
}
