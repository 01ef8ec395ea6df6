//! One connection through a proxy, and what a mode does to it.

use super::gate::ROOMY;
use super::mode::Mode;
use super::pipe::{Pipe, Pumped, Side};
use crate::net::{self, LINGER};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::time::Instant;

/// The head of a request is given up at this length, and answered all the same.
const HEAD_LIMIT: usize = 64 * 1024;

/// A client's connection.
pub(super) struct Connection {
    client: Side,
    role: Role,
    // When it was accepted or the mode was set, whichever was later.
    since: Instant,
}

enum Role {
    Relay(Box<Relay>),
    Answer {
        head: Vec<u8>,
        reply: Vec<u8>,
    },
    Silent,
    Leaving {
        server: Option<Side>,
        until: Instant,
    },
}

struct Relay {
    server: Side,
    linked: bool,
    up: Pipe,
    down: Pipe,
    // What had passed when the mode was set.
    base: (u64, u64),
}

/// What is to become of a connection.
#[derive(PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    /// It has come to its end by itself.
    Gone,
    /// Both sides are to be reset.
    Reset,
}

/// What a connection asks for, and what it did, in one turn.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) again: bool,
    pub(super) wake: Option<Instant>,
    pub(super) up: u64,
    pub(super) down: u64,
}

impl Connection {
    pub(super) fn relay(client: Side, server: Side, now: Instant) -> Self {
        let (up, down) = (Pipe::new(now), Pipe::new(now));
        let relay = Relay {
            server,
            linked: false,
            up,
            down,
            base: (0, 0),
        };
        Self {
            client,
            role: Role::Relay(Box::new(relay)),
            since: now,
        }
    }

    pub(super) fn answer(client: Side, reply: Vec<u8>, now: Instant) -> Self {
        Self {
            client,
            role: Role::Answer {
                head: Vec::new(),
                reply,
            },
            since: now,
        }
    }

    pub(super) fn silent(client: Side, now: Instant) -> Self {
        Self {
            client,
            role: Role::Silent,
            since: now,
        }
    }

    /// Begins to live under `mode`; `before` is the one that it leaves.
    pub(super) fn adopt(&mut self, mode: &Mode, before: &Mode, now: Instant) {
        self.since = now;
        let Role::Relay(relay) = &mut self.role else {
            return;
        };
        relay.base = (relay.up.passed, relay.down.passed);
        relay.up.restart(now);
        relay.down.restart(now);
        if mode.buffer().is_some() || before.buffer().is_some() {
            narrow(&self.client, mode.buffer());
            narrow(&relay.server, mode.buffer());
        }
    }

    /// Goes as far as the sockets and the mode allow.
    pub(super) fn drive(&mut self, mode: &Mode, now: Instant, scratch: &mut [u8]) -> (Fate, Turn) {
        let mut turn = Turn::default();
        if *mode == Mode::BlackHole {
            return (Fate::Keep, turn);
        }
        let fate = match &mut self.role {
            Role::Relay(relay) => {
                match relay.drive(&mut self.client, mode, self.since, now, scratch, &mut turn) {
                    Ok(Next::Stay) => Fate::Keep,
                    Ok(Next::Done) => Fate::Gone,
                    Ok(Next::Leave) => {
                        self.leave(now);
                        return self.drive(mode, now, scratch);
                    }
                    Ok(Next::Cut) | Err(_) => Fate::Reset,
                }
            }
            Role::Answer { head, reply } => match answer(&mut self.client, head, reply) {
                Ok(true) => {
                    self.leave(now);
                    return self.drive(mode, now, scratch);
                }
                Ok(false) => Fate::Keep,
                Err(_) => Fate::Gone,
            },
            Role::Silent => ended(&mut self.client, scratch),
            Role::Leaving { server, until } => {
                let client = ended(&mut self.client, scratch);
                let server = server
                    .as_mut()
                    .map_or(Fate::Gone, |side| ended(side, scratch));
                turn.wake = Some(*until);
                if now >= *until || (client == Fate::Gone && server == Fate::Gone) {
                    Fate::Gone
                } else {
                    Fate::Keep
                }
            }
        };
        (fate, turn)
    }

    /// Sends a FIN to both sides and reads on for a while, so that it stays one.
    pub(super) fn leave(&mut self, now: Instant) {
        if self.is_leaving() {
            return;
        }
        let until = now + LINGER;
        net::finish(&self.client.stream);
        self.role = match std::mem::replace(&mut self.role, Role::Silent) {
            Role::Relay(relay) => {
                net::finish(&relay.server.stream);
                Role::Leaving {
                    server: Some(relay.server),
                    until,
                }
            }
            _ => Role::Leaving {
                server: None,
                until,
            },
        };
    }

    /// Makes the drop that follows an RST to both sides.
    pub(super) fn reset(&self) {
        net::reset(&self.client.stream);
        if let Role::Relay(relay) = &self.role {
            net::reset(&relay.server.stream);
        }
    }

    /// The client's side, or the upstream's where the connection has one.
    pub(super) fn side(&mut self, upstream: bool) -> Option<&mut Side> {
        match &mut self.role {
            _ if !upstream => Some(&mut self.client),
            Role::Relay(relay) => Some(&mut relay.server),
            Role::Leaving { server, .. } => server.as_mut(),
            _ => None,
        }
    }

    /// Whether it has been ended and only waits for the peers to notice.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.role, Role::Leaving { .. })
    }
}

enum Next {
    Stay,
    Done,
    Leave,
    Cut,
}

impl Relay {
    fn drive(
        &mut self,
        client: &mut Side,
        mode: &Mode,
        since: Instant,
        now: Instant,
        scratch: &mut [u8],
        turn: &mut Turn,
    ) -> io::Result<Next> {
        if let Mode::AcceptThenDrop { after } | Mode::ResetAfter { after } = mode {
            let end = since + *after;
            if now >= end {
                let drop = matches!(mode, Mode::AcceptThenDrop { .. });
                return Ok(if drop { Next::Leave } else { Next::Cut });
            }
            turn.wake = Some(end);
        }
        if !self.link()? {
            return Ok(Next::Stay);
        }
        if *mode == Mode::BlackHoleSwallow {
            self.up.swallow(client, scratch);
            self.down.swallow(&mut self.server, scratch);
            return Ok(Next::Stay);
        }
        let mut next_lot = None;
        let (up, down) = match *mode {
            Mode::Slow {
                bytes_per_second,
                buffer,
            } => {
                let (up, at) = self.up.earn(bytes_per_second, buffer, now);
                let (down, _) = self.down.earn(bytes_per_second, buffer, now);
                next_lot = at;
                (up, down)
            }
            Mode::CutAfterBytes { up, down } => (
                up.saturating_sub(self.up.passed - self.base.0),
                down.saturating_sub(self.down.passed - self.base.1),
            ),
            _ => (u64::MAX, u64::MAX),
        };
        let before = (self.up.passed, self.down.passed);
        let pumped = [
            self.up.pump(client, &mut self.server, up, scratch),
            self.down.pump(&mut self.server, client, down, scratch),
        ];
        turn.up = self.up.passed - before.0;
        turn.down = self.down.passed - before.1;
        if let Mode::CutAfterBytes { .. } = mode {
            let cut = (turn.up == up && self.up.is_empty())
                || (turn.down == down && self.down.is_empty());
            if cut {
                return Ok(Next::Cut);
            }
        } else {
            self.up.spend(turn.up);
            self.down.spend(turn.down);
        }
        for pumped in pumped {
            match pumped? {
                Pumped::Idle => {}
                Pumped::Held => turn.wake = next_lot,
                Pumped::Busy => turn.again = true,
            }
        }
        Ok(if self.up.is_done() && self.down.is_done() {
            Next::Done
        } else {
            Next::Stay
        })
    }

    /// Whether the connection to upstream stands.
    fn link(&mut self) -> io::Result<bool> {
        if !self.linked && self.server.writable {
            if let Some(error) = self.server.stream.take_error()? {
                return Err(error);
            }
            self.linked = self.server.stream.peer_addr().is_ok();
            self.server.writable = self.linked;
        }
        Ok(self.linked)
    }
}

/// Reads the head of a request, then writes the reply; true when all of it is written.
fn answer(client: &mut Side, head: &mut Vec<u8>, reply: &mut Vec<u8>) -> io::Result<bool> {
    let mut byte = [0; 1024];
    loop {
        let complete = head.windows(4).any(|end| end == b"\r\n\r\n") || head.len() > HEAD_LIMIT;
        let mut gone = false;
        let step = if complete && reply.is_empty() {
            return Ok(true);
        } else if complete {
            client
                .stream
                .write(reply)
                .map(|count| drop(reply.drain(..count)))
        } else {
            client.stream.read(&mut byte).map(|count| {
                head.extend_from_slice(&byte[..count]);
                // A client that ends before its request does gets no answer.
                gone = count == 0;
            })
        };
        if gone {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match step {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => other?,
        }
    }
}

fn ended(side: &mut Side, scratch: &mut [u8]) -> Fate {
    if net::discard(&mut side.stream, scratch) {
        Fate::Gone
    } else {
        Fate::Keep
    }
}

/// Makes the kernel's buffers small, or again as large as it allows.
fn narrow(side: &Side, buffer: Option<usize>) {
    let socket = SockRef::from(&side.stream);
    // A size out of bounds is adjusted, and a socket that is gone needs none.
    let _ = socket.set_recv_buffer_size(buffer.unwrap_or(ROOMY));
    let _ = socket.set_send_buffer_size(buffer.unwrap_or(ROOMY));
}
