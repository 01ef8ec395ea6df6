//! The thread of a link: one loop that sleeps until a socket, a deadline or a handle wants it.
//!
//! Its order in each turn is that of the core's contract: first everything that can be read,
//! then commands that waited for it, then the deadlines, then the actions of all of them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll, Token};
use redial::{Action, Cause, Epoch, Event, Instant};
use redial_adapter::Opening;
use redial_adapter::Scheme;
#[cfg(feature = "tungstenite")]
use redial_adapter::Target;
#[cfg(feature = "rustls")]
use redial_adapter::rustls;

use crate::core::Core;
use crate::dial::{Answer, Dial, Race, Stage};
use crate::error::Ended;
use crate::greet::Greeter;
use crate::provider::{Attempt, Provider};
use crate::request::Request;
use crate::resolve::Resolver;
use crate::shared::Shared;
use crate::talk::Talk;
use crate::traffic::Connection;
use crate::wire::{Inbound, Sizes, Wire};

/// The token of the waker; those of sockets follow.
pub(crate) const WAKER: Token = Token(0);

/// What a driver is built with.
pub(crate) struct Settings {
    pub(crate) sizes: Sizes,
    pub(crate) unsent: u32,
    /// How long the peer may leave bytes unacknowledged while nothing is read.
    pub(crate) patience: Option<Duration>,
    /// Where a probe asks by HTTP.
    #[cfg(feature = "tungstenite")]
    pub(crate) health: Option<Target>,
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
    /// What is said on each new connection, if anything.
    pub(crate) handshake: Option<Greeter<W::Message>>,
    /// What the peer and the link understand each other by, if it is not the transport alone.
    pub(crate) talk: Option<Talk<W::Message>>,
    pub(crate) transport: Transport<W>,
    pub(crate) tokens: usize,
    pub(crate) batch: Vec<Inbound<W::Message>>,
}

pub(crate) enum Transport<W: Wire> {
    None,
    Dialling(Box<Dial<W>>),
    Open(Box<Connection<W>>),
}

/// Marks the end of the thread, however it comes.
struct End<M: redial::Payload>(Arc<Shared<M>>);

impl<M: redial::Payload> Drop for End<M> {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.closer().map(|close| close()) {
            tracing::error!(target: "redial", %error, "the log was not closed in order");
        }
        self.0.end();
    }
}

impl<W: Wire> Driver<W> {
    pub(crate) fn run(mut self) {
        let _end = End(Arc::clone(&self.shared));
        // It is set here only.
        let _ = self.shared.thread.set(std::thread::current().id());
        let mut events = Events::with_capacity(16);
        loop {
            self.act();
            if self.shared.read(Core::is_abandoned) {
                return;
            }
            let paused = matches!(&self.transport, Transport::Open(open) if open.paused);
            let again = matches!(&self.transport, Transport::Open(open) if open.hungry());
            let sleep = if again {
                Some(Duration::ZERO)
            } else {
                self.shared.fall_asleep(self.timer(), paused)
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
        let mut open = match &mut self.transport {
            Transport::Open(open) if open.paused => Some(open),
            _ => None,
        };
        self.shared.with(|core, _| {
            if core.link.poll_timeout().is_some_and(|due| due <= now) {
                if let Some(open) = open.take_if(|open| open.pinged) {
                    // It is we who don't read: the answer may wait behind what nobody takes.
                    open.pinged = false;
                    core.handle(now, Event::Frame(open.epoch, redial::Frame::Part));
                }
                core.handle(now, Event::Tick);
            }
            if let Some(desk) = &mut core.desk {
                desk.tick(now);
            }
            core.apply_commands(now);
            core.hear_books(now);
        });
    }

    /// When this thread itself has something to do.
    fn timer(&self) -> Option<Instant> {
        let Transport::Dialling(dial) = &self.transport else {
            return None;
        };
        match &dial.stage {
            Stage::Connecting(race) => race.next_at,
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
        loop {
            while let Some(action) = self.shared.with(|core, _| core.actions.pop_front()) {
                self.carry_out(action);
            }
            // One acknowledgement stands for all of this turn.
            match &self.transport {
                Transport::Open(open) if open.owes() => self.write(),
                _ => return,
            }
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Changed(change) => log(change),
            Action::Abort(epoch) if self.is(epoch) => drop(self.take_transport()),
            Action::Close(epoch) => self.put(epoch, |open, talk| {
                if let Some(talk) = talk {
                    open.pay(talk)?;
                }
                open.closing = true;
                open.wire.close()
            }),
            Action::AnswerPing(epoch) => self.put(epoch, |open, talk| {
                open.asked = talk.is_some();
                if open.asked { Ok(()) } else { open.wire.pong() }
            }),
            Action::SendPing { epoch, nonce } => self.put(epoch, |open, talk| {
                open.pinged = true;
                match talk.and_then(|talk| talk.protocol.ping(nonce)) {
                    Some(ping) => open.say(&ping),
                    None => open.wire.ping(nonce),
                }
            }),
            Action::SendAck {
                epoch,
                sequence,
                intents,
            } => {
                if let Transport::Open(open) = &mut self.transport {
                    if open.epoch == epoch && !open.closing {
                        open.ack = Some((sequence, intents));
                    }
                }
            }
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
            // Of a connection that has ended.
            _ => {}
        }
    }

    pub(crate) fn feed(&self, event: Event) {
        self.shared.with(|core, now| core.handle(now, event));
    }

    /// Begins an attempt or a probe.
    fn begin(&mut self, epoch: Epoch, probe: bool, number: u32, refresh: bool) {
        self.transport = Transport::Dialling(Box::new(Dial {
            epoch,
            opening: Opening::new(number, refresh),
            probe,
            reached: false,
            #[cfg(feature = "tungstenite")]
            redirects: 0,
            request: None,
            stage: Stage::Asked,
        }));
        #[cfg(feature = "tungstenite")]
        if let Some(target) = self.settings.health.clone().filter(|_| probe) {
            return self.resolve(Request::new(target));
        }
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
                Answer::Request(Err(failure)) => self.fail(failure),
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
        W::FRAMED == (request.target.scheme() == Scheme::Tcp)
    }

    /// Finds the addresses of a request's host.
    pub(crate) fn resolve(&mut self, request: Request) {
        let Transport::Dialling(dial) = &mut self.transport else {
            return;
        };
        let (epoch, target) = (dial.epoch, &request.target);
        let (host, port, literal) = (target.host().to_owned(), target.port(), target.literal());
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

    /// Lets go of the attempt or connection.
    fn take_transport(&mut self) -> Transport<W> {
        self.shared.with(|core, _| core.inbox.paused = false);
        std::mem::replace(&mut self.transport, Transport::None)
    }

    /// The attempt or connection is over.
    pub(crate) fn fail(&mut self, ended: Ended) {
        let (epoch, probe) = match self.take_transport() {
            Transport::None => return,
            Transport::Dialling(dial) => (dial.epoch, dial.probe),
            Transport::Open(open) => (open.epoch, false),
        };
        let cause = ended.closure.cause;
        tracing::debug!(target: "redial", %epoch, %cause, detail = ended.detail, "ended");
        self.shared.with(|core, now| {
            if probe {
                core.detail = Some(ended.detail);
                core.handle(now, Event::Probed(epoch, false));
            } else {
                core.ended(now, epoch, ended);
            }
        });
    }
}

fn log(change: redial::Change) {
    let (from, to) = (change.from.name(), change.to.name());
    if let Some(cause) = change.cause {
        tracing::info!(target: "redial", from, to, %cause, "changed");
    } else {
        tracing::info!(target: "redial", from, to, "changed");
    }
}
