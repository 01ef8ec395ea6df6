//! All connections of a proxy, on the one thread that owns them.

use super::Record;
use super::connection::{Connection, Fate};
use super::gate::Gate;
use super::mode::Mode;
use super::pipe::Side;
use crate::engine::{Context, LISTENER, Machine};
use crate::net::{self, CHUNK};
use crate::tally::Tally;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, SockRef, Socket, Type};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How soon something that the system refused for the moment is tried again.
const RETRY: Duration = Duration::from_millis(10);

/// What a proxy can be asked.
#[derive(Debug)]
pub(super) enum Command {
    Mode(Mode),
    Upstream(SocketAddr),
    Reset,
    Close,
}

/// The connections of a proxy.
pub(super) struct Relays {
    gate: Gate,
    mode: Mode,
    upstream: SocketAddr,
    connections: HashMap<usize, Connection>,
    next: usize,
    scratch: Vec<u8>,
    tally: Arc<Tally<Record>>,
}

impl Relays {
    pub(super) fn new(
        address: SocketAddr,
        upstream: SocketAddr,
        registry: &Registry,
        tally: Arc<Tally<Record>>,
    ) -> io::Result<Self> {
        Ok(Self {
            gate: Gate::new(address, registry)?,
            mode: Mode::Pass,
            upstream,
            connections: HashMap::new(),
            next: 0,
            scratch: vec![0; CHUNK],
            tally,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.gate.address()
    }

    fn set(&mut self, cx: &mut Context, mode: Mode) {
        self.tally.update(|record| record.mode = mode.clone());
        let before = std::mem::replace(&mut self.mode, mode);
        for connection in self.connections.values_mut() {
            connection.adopt(&self.mode, &before, cx.now);
        }
        self.arrange(cx);
        self.drive_all(cx);
    }

    /// Brings the listening socket to where the mode wants it.
    fn arrange(&mut self, cx: &mut Context) {
        let arranged = match self.mode {
            Mode::Refuse => self.gate.shut(),
            Mode::BlackHole if cfg!(target_os = "linux") => {
                self.gate.open(&cx.registry).and_then(|()| self.gate.fill())
            }
            _ => self.gate.open(&cx.registry),
        };
        if arranged.is_err() {
            cx.wake_at(cx.now + RETRY, LISTENER.0);
        }
        self.gate.narrow(self.mode.buffer());
        self.accept(cx);
    }

    fn accept(&mut self, cx: &mut Context) {
        while self.mode.accepts() {
            match self.gate.accept() {
                Ok(stream) => self.welcome(cx, stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    // Out of descriptors: readiness is not told twice.
                    cx.wake_at(cx.now + RETRY, LISTENER.0);
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, cx: &mut Context, stream: TcpStream) {
        let id = self.next;
        self.next += 1;
        let now = cx.now;
        self.tally.update(|record| {
            record.stats.accepted += 1;
            record.stats.open += 1;
            record.dials.push(now);
        });
        // Only latency is lost without it.
        let _ = stream.set_nodelay(true);
        let both = Interest::READABLE | Interest::WRITABLE;
        let register = |stream: TcpStream, token| {
            let mut side = Side::new(stream);
            cx.registry
                .register(&mut side.stream, Token(token), both)
                .map(|()| side)
        };
        let Ok(client) = register(stream, 2 * id) else {
            self.tally.update(|record| record.stats.open -= 1);
            return;
        };
        let connection = match &self.mode {
            Mode::Answer(reply) => Connection::answer(client, reply.clone(), now),
            Mode::StallHandshake | Mode::BlackHoleSwallow => Connection::silent(client, now),
            mode => {
                if let Some(buffer) = mode.buffer() {
                    // The receive buffer came with the listening socket.
                    let _ = SockRef::from(&client.stream).set_send_buffer_size(buffer);
                }
                let dialled = dial(self.upstream, mode.buffer());
                let Ok(server) = dialled.and_then(|stream| register(stream, 2 * id + 1)) else {
                    net::reset(&client.stream);
                    self.tally.update(|record| record.stats.open -= 1);
                    return;
                };
                Connection::relay(client, server, now)
            }
        };
        self.connections.insert(id, connection);
        self.drive(cx, id);
    }

    fn drive(&mut self, cx: &mut Context, id: usize) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let was_open = !connection.is_leaving();
        // Under the lock: who has seen a byte or an end finds it counted.
        let (fate, turn) = self.tally.update(|record| {
            let (fate, turn) = connection.drive(&self.mode, cx.now, &mut self.scratch);
            let shut = was_open && (fate != Fate::Keep || connection.is_leaving());
            record.stats.up += turn.up;
            record.stats.down += turn.down;
            record.stats.open -= usize::from(shut);
            (fate, turn)
        });
        if turn.again {
            cx.again(id);
        }
        if let Some(at) = turn.wake {
            cx.wake_at(at, id);
        }
        if fate == Fate::Reset {
            connection.reset();
        }
        if fate != Fate::Keep {
            self.connections.remove(&id);
        }
    }

    fn drive_all(&mut self, cx: &mut Context) {
        let ids: Vec<usize> = self.connections.keys().copied().collect();
        for id in ids {
            self.drive(cx, id);
        }
    }
}

impl Machine for Relays {
    type Command = Command;

    fn command(&mut self, cx: &mut Context, command: Command) {
        match command {
            Command::Mode(mode) => self.set(cx, mode),
            Command::Upstream(upstream) => self.upstream = upstream,
            Command::Reset => {
                for (_, connection) in self.connections.drain() {
                    connection.reset();
                }
                self.tally.update(|record| record.stats.open = 0);
            }
            Command::Close => {
                for connection in self.connections.values_mut() {
                    connection.leave(cx.now);
                }
                self.tally.update(|record| record.stats.open = 0);
                self.drive_all(cx);
            }
        }
    }

    fn ready(&mut self, cx: &mut Context, event: &Event) {
        if event.token() == LISTENER {
            self.accept(cx);
            return;
        }
        let (id, upstream) = (event.token().0 / 2, event.token().0 % 2 == 1);
        if let Some(side) = self.connections.get_mut(&id).and_then(|c| c.side(upstream)) {
            side.note(event);
            self.drive(cx, id);
        }
    }

    fn run(&mut self, cx: &mut Context, key: usize) {
        if key == LISTENER.0 {
            self.arrange(cx);
        } else {
            self.drive(cx, key);
        }
    }
}

/// Begins to connect, with small buffers if asked: the window is told with the first packet.
fn dial(upstream: SocketAddr, buffer: Option<usize>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(upstream), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(buffer) = buffer {
        socket.set_recv_buffer_size(buffer)?;
        socket.set_send_buffer_size(buffer)?;
    }
    match socket.connect(&upstream.into()) {
        // Whether it stands or fails is asked when the socket becomes writable.
        Err(error) if net::is_under_way(&error) => {}
        other => other?,
    }
    Ok(TcpStream::from_std(socket.into()))
}
