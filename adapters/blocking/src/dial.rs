//! One attempt, step by step: request, addresses, transport, handshake. Nothing here waits.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use redial::cause::SocketError;
use redial::{Cause, Epoch, Instant};
use redial_adapter::{Failure, STAGGER, cause_of_io, in_turns};

use crate::error::Ended;
use crate::request::Request;
use crate::wire::Wire;

/// What a helper thread has found out.
pub(crate) enum Answer {
    Request(Result<Request, Failure>),
    Addresses(io::Result<Vec<SocketAddr>>),
}

/// An attempt, or a probe, under way.
pub(crate) struct Dial<W: Wire> {
    pub(crate) epoch: Epoch,
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
