//! One attempt, step by step: request, addresses, transport, handshake. Nothing here waits.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
#[cfg(feature = "rustls")]
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use redial::cause::SocketError;
use redial::{Cause, Epoch, Event, Instant};
#[cfg(feature = "tungstenite")]
use redial_adapter::REDIRECTS;
use redial_adapter::{Failure, Opening, STAGGER, cause_of_io, in_turns};

use crate::driver::{Driver, Transport};
use crate::error::Ended;
#[cfg(feature = "tungstenite")]
use crate::health::Question;
use crate::request::Request;
use crate::stream::Stream;
use crate::traffic::Connection;
use crate::wire::{Step, Wire};

/// What a helper thread has found out.
pub(crate) enum Answer {
    Request(Result<Request, Failure>),
    Addresses(io::Result<Vec<SocketAddr>>),
}

/// An attempt, or a probe, under way.
pub(crate) struct Dial<W: Wire> {
    pub(crate) epoch: Epoch,
    pub(crate) opening: Opening,
    /// Only to see whether the server is there.
    pub(crate) probe: bool,
    /// The link was told that the transport is up.
    pub(crate) reached: bool,
    #[cfg(feature = "tungstenite")]
    pub(crate) redirects: u8,
    pub(crate) request: Option<Request>,
    pub(crate) stage: Stage<W>,
}

/// How far it is.
pub(crate) enum Stage<W: Wire> {
    /// A helper thread is at it, or nothing was begun.
    Asked,
    Connecting(Race),
    Shaking(Token, W::Handshake),
    /// A probe whose question is not yet answered.
    #[cfg(feature = "tungstenite")]
    Questioning(Token, Box<Question>),
}

/// Connects to all addresses of a host, the next one when the last fails or takes long; the
/// first that is up wins.
pub(crate) struct Race {
    left: VecDeque<SocketAddr>,
    running: Vec<(Token, SocketAddr, TcpStream)>,
    pub(crate) next_at: Option<Instant>,
    last: Option<Ended>,
}

/// A race after one step.
pub(crate) enum Lap {
    On,
    Won(Token, TcpStream),
    Lost(Ended),
}

impl Race {
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Self {
        Self {
            left: in_turns(addresses).into(),
            running: Vec::new(),
            next_at: None,
            last: None,
        }
    }

    /// Looks which connects have succeeded or failed, and begins others.
    pub(crate) fn step(&mut self, registry: &Registry, tokens: &mut usize, now: Instant) -> Lap {
        let mut index = 0;
        while let Some((_, address, tcp)) = self.running.get(index) {
            match state(tcp) {
                Ok(true) => {
                    let (token, _, tcp) = self.running.swap_remove(index);
                    return Lap::Won(token, tcp);
                }
                Ok(false) => index += 1,
                Err(error) => {
                    self.last = Some(failed(*address, &error));
                    self.running.swap_remove(index);
                }
            }
        }
        while self.running.is_empty() || self.next_at.is_some_and(|at| now >= at) {
            let Some(address) = self.left.pop_front() else {
                break;
            };
            *tokens += 1;
            let token = Token(*tokens);
            match connect(registry, token, address) {
                Ok(tcp) => {
                    self.running.push((token, address, tcp));
                    self.next_at = Some(now + STAGGER);
                }
                Err(error) => self.last = Some(failed(address, &error)),
            }
        }
        if self.left.is_empty() {
            self.next_at = None;
        }
        if self.running.is_empty() {
            let none = || {
                let cause = Cause::Socket(SocketError::NameNotFound);
                Ended::new(cause, "the name has no addresses")
            };
            return Lap::Lost(self.last.take().unwrap_or_else(none));
        }
        Lap::On
    }
}

impl<W: Wire> Driver<W> {
    pub(crate) fn race(&mut self, race: Race) {
        if let Transport::Dialling(dial) = &mut self.transport {
            dial.stage = Stage::Connecting(race);
        }
    }

    /// Takes an attempt as far as it goes now.
    pub(crate) fn dial_on(&mut self, now: Instant) {
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
            #[cfg(feature = "tungstenite")]
            Stage::Questioning(token, question) => self.ask(token, question),
        }
    }

    fn connected(&mut self, token: Token, tcp: mio::net::TcpStream) {
        let Transport::Dialling(dial) = &mut self.transport else {
            return;
        };
        let (epoch, probe) = (dial.epoch, dial.probe);
        let Some(request) = dial.request.clone() else {
            return;
        };
        if probe && !request.target.scheme().is_http() {
            self.transport = Transport::None;
            return self.feed(Event::Probed(epoch, true));
        }
        if !probe && !std::mem::replace(&mut dial.reached, true) {
            self.feed(Event::Reached(epoch));
        }
        let stream = Stream::plain(tcp, self.settings.unsent);
        #[cfg(feature = "rustls")]
        let stream = match &self.settings.tls {
            Some(tls) if request.target.scheme().is_secure() => {
                match stream.secured(Arc::clone(tls), request.target.host()) {
                    Ok(stream) => stream,
                    Err(ended) => return self.fail(ended),
                }
            }
            _ => stream,
        };
        #[cfg(feature = "tungstenite")]
        if probe {
            return self.ask(token, Box::new(Question::new(stream, &request.target)));
        }
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
            #[cfg(feature = "tungstenite")]
            Step::Redirect(next, ended) => {
                dial.redirects += 1;
                if dial.redirects <= REDIRECTS {
                    self.resolve(*next);
                } else {
                    self.fail(ended);
                }
            }
            Step::Open(wire) => {
                let (epoch, opening) = (dial.epoch, dial.opening);
                self.transport =
                    Transport::Open(Box::new(Connection::new(epoch, opening, token, wire)));
                self.opened(opening);
            }
        }
    }
}

fn connect(registry: &Registry, token: Token, address: SocketAddr) -> io::Result<TcpStream> {
    let mut tcp = TcpStream::connect(address)?;
    registry.register(&mut tcp, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(tcp)
}

/// Whether a connect has succeeded, or why it failed.
fn state(tcp: &TcpStream) -> io::Result<bool> {
    if let Some(error) = tcp.take_error()? {
        return Err(error);
    }
    match tcp.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

fn failed(address: SocketAddr, error: &io::Error) -> Ended {
    Ended::new(cause_of_io(error), format!("{address}: {error}"))
}
