//! The thread of a link: one loop that sleeps until a socket, a deadline or a handle wants it.
//!
//! Its order in each turn is that of the core's contract: first everything that can be read,
//! then commands that waited for it, then the deadlines, then the actions of all of them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll, Token};
use redial::{Action, Cause, Epoch, Event, Frame, Instant, MessageId, Phase};

use crate::dial::{Answer, Dial, Lap, Race, Stage};
use crate::error::Ended;
use crate::provider::{Attempt, Provider};
use crate::request::{Request, Scheme};
use crate::resolve::Resolver;
use crate::shared::{Core, Shared};
use crate::stream::Stream;
use crate::wire::{Inbound, Sizes, Step, Wire};

/// The token of the waker; those of sockets follow.
pub(crate) const WAKER: Token = Token(0);
/// Redirections that one attempt follows.
const REDIRECTS: u8 = 5;
/// Messages read before writing and deadlines have their turn.
const BATCH: usize = 256;
/// Bytes put before they are written.
const CHUNK: usize = 32 << 10;
/// A nonce that no ping carries, as those of the core count up from 1 in 32 bits: a pong with it
/// is a sign of life and nothing else.
const ALIVE: Frame = Frame::Pong(Some(u64::MAX));

/// What a driver is built with.
pub(crate) struct Settings {
    pub(crate) sizes: Sizes,
    pub(crate) unsent: u32,
    /// How long the peer may leave bytes unacknowledged while nothing is read.
    pub(crate) patience: Option<Duration>,
    #[cfg(feature = "rustls")]
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
}

/// Where requests come from.
pub(crate) enum Source {
    Fixed(Request),
    Provided(Provider),
}

pub(crate) struct Driver<W: Wire> {
    pub(crate) shared: Arc<Shared<W::Message>>,
    pub(crate) poll: Poll,
    pub(crate) source: Source,
    pub(crate) settings: Settings,
    pub(crate) resolver: Resolver,
    pub(crate) transport: Transport<W>,
    pub(crate) tokens: usize,
    pub(crate) batch: Vec<Inbound<W::Message>>,
}

pub(crate) enum Transport<W: Wire> {
    None,
    Dialling(Dial<W>),
    Open(Box<Connection<W>>),
}

/// An open connection.
pub(crate) struct Connection<W> {
    epoch: Epoch,
    token: Token,
    wire: W,
    /// The socket may have something to read.
    readable: bool,
    /// Reading stopped as nobody takes what came in.
    paused: bool,
    /// The socket is full.
    blocked: bool,
    /// Something was put and is not yet flushed.
    dirty: bool,
    /// A ping went out and nothing came in since.
    pinged: bool,
    closing: bool,
    last: Option<MessageId>,
    sent: u64,
    received: u64,
}

/// Marks the end of the thread, however it comes.
struct End<M: redial::Payload>(Arc<Shared<M>>);

impl<M: redial::Payload> Drop for End<M> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<W: Wire> Driver<W> {
    pub(crate) fn run(mut self) {
        let _end = End(Arc::clone(&self.shared));
        let mut events = Events::with_capacity(16);
        loop {
            self.act();
            let over = |core: &Core<_>| core.handles == 0 && core.link.phase().is_final();
            if self.shared.read(over) {
                return;
            }
            let again =
                matches!(&self.transport, Transport::Open(open) if open.readable && !open.paused);
            let sleep = if again {
                Some(Duration::ZERO)
            } else {
                self.shared.fall_asleep(self.timer())
            };
            let polled = self.poll.poll(&mut events, sleep);
            self.shared.awake();
            match polled {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(target: "redial", %error, "the poller failed");
                    return;
                }
            }
            // What arrives after this moment can't be held against the peer in this turn.
            let now = self.shared.clock.now();
            for event in &events {
                self.ready(event.token());
            }
            self.take_answers(now);
            self.dial_on(now);
            self.receive(now);
            self.write();
            self.tick(now);
        }
    }

    /// A socket has something to do: whatever it is, both directions are tried.
    fn ready(&mut self, token: Token) {
        if let Transport::Open(open) = &mut self.transport {
            if open.token == token {
                open.readable = true;
                open.blocked = false;
            }
        }
    }

    /// Commands that waited, and the deadlines that `now` has passed.
    fn tick(&mut self, now: Instant) {
        let excused =
            matches!(&self.transport, Transport::Open(open) if open.paused && open.pinged);
        let epoch = self.epoch();
        self.shared.with(|core, _| {
            if core.link.poll_timeout().is_some_and(|due| due <= now) {
                if let (true, Some(epoch)) = (excused, epoch) {
                    // It is we who don't read: an answer may wait behind what nobody takes.
                    core.handle(now, Event::Frame(epoch, ALIVE));
                }
                core.handle(now, Event::Tick);
            }
            core.apply_commands(now);
        });
    }

    /// When this thread itself has something to do.
    fn timer(&self) -> Option<Instant> {
        match &self.transport {
            Transport::Dialling(Dial {
                stage: Stage::Connecting(race),
                ..
            }) => race.next_at,
            _ => None,
        }
    }

    fn epoch(&self) -> Option<Epoch> {
        match &self.transport {
            Transport::None => None,
            Transport::Dialling(dial) => Some(dial.epoch),
            Transport::Open(open) => Some(open.epoch),
        }
    }

    fn is(&self, epoch: Epoch) -> bool {
        self.epoch() == Some(epoch)
    }

    /// Carries out every action, and those that follow from them.
    fn act(&mut self) {
        while let Some(action) = self.shared.with(|core, _| core.actions.pop_front()) {
            match action {
                Action::Abort(epoch) if self.is(epoch) => self.transport = Transport::None,
                Action::Close(epoch) => self.put(epoch, |open| {
                    open.closing = true;
                    open.wire.close()
                }),
                Action::AnswerPing(epoch) => self.put(epoch, |open| open.wire.pong()),
                Action::SendPing { epoch, nonce } => self.put(epoch, |open| {
                    open.pinged = true;
                    open.wire.ping(nonce)
                }),
                Action::Flush(epoch) if self.is(epoch) => self.write(),
                // There is nobody else to ask here.
                Action::WantDial(epoch) => self.feed(Event::Permit(epoch)),
                Action::Preflight { epoch, .. } => {
                    let number = self.shared.read(|core| core.link.status().attempt);
                    self.begin(epoch, true, number, false);
                }
                Action::Connect {
                    epoch,
                    attempt,
                    refresh,
                    ..
                } => self.begin(epoch, false, attempt, refresh),
                // Of a connection that has ended, or told when it was taken.
                _ => {}
            }
        }
    }

    fn feed(&self, event: Event) {
        self.shared.with(|core, now| core.handle(now, event));
    }

    /// Begins an attempt or a probe.
    fn begin(&mut self, epoch: Epoch, probe: bool, number: u32, refresh: bool) {
        self.transport = Transport::Dialling(Dial {
            epoch,
            probe,
            reached: false,
            redirects: 0,
            request: None,
            stage: Stage::Asked,
        });
        match &self.source {
            Source::Fixed(request) => {
                let request = request.clone();
                self.resolve(request);
            }
            Source::Provided(provider) => {
                if !provider.ask(epoch, Attempt { number, refresh }) {
                    self.fail(Ended::new(Cause::Credentials, "the provider has panicked"));
                }
            }
        }
    }

    fn take_answers(&mut self, now: Instant) {
        let next = |core: &mut Core<_>, _| core.answers.pop_front();
        while let Some((epoch, answer)) = self.shared.with(next) {
            if !self.is(epoch) {
                continue;
            }
            match answer {
                Answer::Request(Ok(request)) if Self::speaks(&request) => self.resolve(request),
                Answer::Request(Ok(_)) => self.fail(Ended::new(
                    Cause::Credentials,
                    "the provider gave a request of another protocol",
                )),
                Answer::Request(Err(failure)) => self.fail(Ended {
                    closure: failure.closure,
                    detail: failure.detail,
                }),
                Answer::Addresses(Ok(addresses)) => {
                    self.race(Race::new(addresses));
                    self.dial_on(now);
                }
                Answer::Addresses(Err(error)) => self.fail(Ended::new(
                    Cause::Socket(redial::cause::SocketError::NameNotFound),
                    error,
                )),
            }
        }
    }

    fn speaks(request: &Request) -> bool {
        W::FRAMED == (request.scheme == Scheme::Tcp)
    }

    /// Finds the addresses of a request's host.
    fn resolve(&mut self, request: Request) {
        let Transport::Dialling(dial) = &mut self.transport else {
            return;
        };
        let (epoch, host, port) = (dial.epoch, request.host.clone(), request.port);
        let literal = request.literal();
        dial.request = Some(request);
        dial.stage = Stage::Asked;
        if let Some(address) = literal {
            self.race(Race::new(vec![(address, port).into()]));
            return self.dial_on(self.shared.clock.now());
        }
        let shared = Arc::clone(&self.shared);
        let begun = self.resolver.look_up(host, port, move |found| {
            shared.answer(epoch, Answer::Addresses(found));
        });
        if let Err(error) = begun {
            let cause = Cause::Socket(redial::cause::SocketError::TimedOut);
            self.fail(Ended::new(cause, error));
        }
    }

    fn race(&mut self, race: Race) {
        if let Transport::Dialling(dial) = &mut self.transport {
            dial.stage = Stage::Connecting(race);
        }
    }

    /// Takes an attempt as far as it goes now.
    fn dial_on(&mut self, now: Instant) {
        let Transport::Dialling(dial) = &mut self.transport else {
            return;
        };
        match std::mem::replace(&mut dial.stage, Stage::Asked) {
            Stage::Asked => {}
            Stage::Connecting(mut race) => {
                match race.step(self.poll.registry(), &mut self.tokens, now) {
                    Lap::On => dial.stage = Stage::Connecting(race),
                    Lap::Lost(ended) => self.fail(ended),
                    Lap::Won(token, tcp) => self.connected(token, tcp),
                }
            }
            Stage::Shaking(token, handshake) => self.shaken(token, W::resume(handshake)),
        }
    }

    fn connected(&mut self, token: Token, tcp: mio::net::TcpStream) {
        let Transport::Dialling(dial) = &mut self.transport else {
            return;
        };
        let epoch = dial.epoch;
        if dial.probe {
            self.transport = Transport::None;
            return self.feed(Event::Probed(epoch, true));
        }
        let Some(request) = dial.request.clone() else {
            return;
        };
        if !std::mem::replace(&mut dial.reached, true) {
            self.feed(Event::Reached(epoch));
        }
        let stream = Stream::plain(tcp, self.settings.unsent);
        #[cfg(feature = "rustls")]
        let stream = match (&self.settings.tls, request.scheme) {
            (Some(tls), Scheme::Wss) => match stream.secured(Arc::clone(tls), &request.host) {
                Ok(stream) => stream,
                Err(error) => return self.fail(error.into()),
            },
            _ => stream,
        };
        let step = W::begin(stream, &request, self.settings.sizes);
        self.shaken(token, step);
    }

    fn shaken(&mut self, token: Token, step: Step<W>) {
        let Transport::Dialling(dial) = &mut self.transport else {
            return;
        };
        match step {
            Step::Blocked(handshake) => dial.stage = Stage::Shaking(token, handshake),
            Step::Failed(ended) => self.fail(ended),
            Step::Redirect(location, ended) => {
                dial.redirects += 1;
                let next = dial.request.as_ref().map(|r| r.redirected(&location));
                match next {
                    Some(Ok(next)) if dial.redirects <= REDIRECTS => self.resolve(next),
                    _ => self.fail(ended),
                }
            }
            Step::Open(wire) => {
                let epoch = dial.epoch;
                self.transport = Transport::Open(Box::new(Connection {
                    epoch,
                    token,
                    wire,
                    // The server may have spoken already, behind its answer.
                    readable: true,
                    paused: false,
                    blocked: false,
                    dirty: false,
                    pinged: false,
                    closing: false,
                    last: None,
                    sent: 0,
                    received: 0,
                }));
                self.shared.with(|core, now| {
                    core.handle(now, Event::Opened(epoch));
                    if core.link.phase() != Phase::Connected {
                        // This adapter knows no handshake of the application's own.
                        core.handle(now, Event::Ready(epoch));
                    }
                });
            }
        }
    }

    /// The attempt or connection is over.
    fn fail(&mut self, ended: Ended) {
        let (epoch, probe) = match std::mem::replace(&mut self.transport, Transport::None) {
            Transport::None => return,
            Transport::Dialling(dial) => (dial.epoch, dial.probe),
            Transport::Open(open) => (open.epoch, false),
        };
        self.shared.with(|core, now| {
            if probe {
                core.detail = Some(ended.detail);
                core.handle(now, Event::Probed(epoch, false));
            } else {
                core.ended(now, epoch, ended);
            }
        });
    }

    /// Reads what there is, as far as somebody takes it.
    fn receive(&mut self, now: Instant) {
        let Transport::Open(open) = &mut self.transport else {
            return;
        };
        let (room, byte_room) = self
            .shared
            .read(|core| (core.inbox.room(), core.inbox.byte_room()));
        let low = open.paused && self.shared.read(|core| core.inbox.is_low());
        if room == 0 || (open.paused && !low) {
            return self.pause(true);
        }
        if open.paused {
            self.pause(false);
        }
        let Transport::Open(open) = &mut self.transport else {
            return;
        };
        if !open.readable {
            return;
        }
        let mut bytes = 0;
        let mut messages = 0;
        let mut ended = None;
        while self.batch.len() < BATCH && messages < room && bytes < byte_room {
            match open.wire.next() {
                Ok(Some(inbound)) => {
                    if let Inbound::Message(message) = &inbound {
                        messages += 1;
                        bytes += redial::Payload::size(message);
                    }
                    self.batch.push(inbound);
                }
                Ok(None) => {
                    open.readable = false;
                    break;
                }
                Err(end) => {
                    ended = Some(end);
                    break;
                }
            }
        }
        let received = open.wire.stream().received();
        let moved = received != open.received;
        open.received = received;
        open.pinged &= !moved;
        let epoch = open.epoch;
        let batch = &mut self.batch;
        self.shared.with(|core, _| {
            if moved && batch.is_empty() {
                // A part of a long message is a sign of life too.
                core.handle(now, Event::Frame(epoch, ALIVE));
            }
            for inbound in batch.drain(..) {
                let frame = match inbound {
                    Inbound::Message(message) => {
                        core.inbox.push(message);
                        Frame::Data
                    }
                    Inbound::Ping => Frame::Ping,
                    Inbound::Pong(nonce) => Frame::Pong(nonce),
                };
                core.handle(now, Event::Frame(epoch, frame));
            }
        });
        if let Some(ended) = ended {
            self.fail(ended);
        }
    }

    /// Stops reading, or goes on with it.
    fn pause(&mut self, paused: bool) {
        let patience = self.settings.patience;
        let Transport::Open(open) = &mut self.transport else {
            return;
        };
        if open.paused != paused {
            open.paused = paused;
            let limit = if paused { patience } else { None };
            open.wire.stream().unacknowledged_for(limit);
            self.shared.with(|core, _| core.inbox.paused = paused);
        }
    }

    /// Puts something that goes ahead of queued messages, and writes it.
    fn put(&mut self, epoch: Epoch, put: impl FnOnce(&mut Connection<W>) -> Result<(), Ended>) {
        match &mut self.transport {
            Transport::Open(open) if open.epoch == epoch => {
                open.dirty = true;
                match put(open) {
                    Ok(()) => self.write(),
                    Err(ended) => self.broken(ended),
                }
            }
            _ => {}
        }
    }

    /// Takes messages out of the link and writes them, until there is none or the socket is full.
    fn write(&mut self) {
        loop {
            let Transport::Open(open) = &mut self.transport else {
                return;
            };
            if open.blocked {
                return;
            }
            let filled = self.shared.with(|core, now| open.fill(core, now));
            if !open.dirty {
                return;
            }
            let flushed = filled.and_then(|()| open.wire.flush());
            let sent = open.wire.stream().sent();
            let moved = sent.saturating_sub(open.sent);
            open.sent = sent;
            let epoch = open.epoch;
            let through = match flushed {
                Ok(true) => {
                    open.dirty = false;
                    open.last.take()
                }
                Ok(false) => {
                    open.blocked = true;
                    None
                }
                Err(ended) => return self.broken(ended),
            };
            self.shared.with(|core, now| {
                if moved > 0 {
                    core.handle(now, Event::Progress(epoch, moved));
                }
                if let Some(through) = through {
                    core.handle(now, Event::Flushed(epoch, through));
                }
            });
        }
    }

    /// A write failed: what the peer said before it ended is worth more than how the write failed.
    fn broken(&mut self, ended: Ended) {
        if let Transport::Open(open) = &mut self.transport {
            open.readable = true;
            open.blocked = true;
        }
        self.receive(self.shared.clock.now());
        self.fail(ended);
    }
}

impl<W: Wire> Connection<W> {
    /// Puts messages up to a chunk; it only fills memory, as the lock is held.
    fn fill(&mut self, core: &mut Core<W::Message>, now: Instant) -> Result<(), Ended> {
        if self.closing {
            return Ok(());
        }
        let mut rejected = false;
        let mut result = Ok(());
        while self.wire.pending() < CHUNK {
            let Some(outgoing) = core.link.peek(now, self.epoch) else {
                break;
            };
            let id = outgoing.id;
            match self.wire.put(outgoing.payload) {
                Ok(true) => {
                    core.link.commit(now, self.epoch, id);
                    self.last = Some(id);
                    self.dirty = true;
                }
                Ok(false) => {
                    core.link.reject(self.epoch, id);
                    rejected = true;
                }
                Err(ended) => {
                    self.dirty = true;
                    result = Err(ended);
                    break;
                }
            }
        }
        if rejected {
            // It may have been the last that a drain waited for.
            core.handle(now, Event::Tick);
        }
        core.collect();
        result
    }
}
