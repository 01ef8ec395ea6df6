//! All connections of a server, on the one thread that owns them.

use super::Framing;
use super::connection::Connection;
use super::counts::Counts;
use super::stream::{Security, Stream};
use crate::behaviour::Behaviour;
use crate::engine::{Context, LISTENER, Machine};
use crate::net::{self, CHUNK};
use crate::tally::Tally;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tungstenite::Message;

/// How soon the system is asked again after it had no descriptor to spare.
const RETRY: Duration = Duration::from_millis(10);

/// What a server can be asked.
#[derive(Debug)]
pub(super) enum Command {
    Behave(Behaviour),
    Close(u16, String),
    Drop,
    Reset,
    Send(String),
    Ping,
    Unlisten,
}

/// The connections of a server.
pub(super) struct Peers {
    listener: Option<TcpListener>,
    behaviour: Behaviour,
    framing: Framing,
    security: Option<Security>,
    connections: HashMap<usize, Connection>,
    next: usize,
    scratch: Vec<u8>,
    tally: Arc<Tally<Counts>>,
}

impl Peers {
    pub(super) fn new(
        address: SocketAddr,
        behaviour: Behaviour,
        framing: Framing,
        security: Option<Security>,
        registry: &Registry,
        tally: Arc<Tally<Counts>>,
    ) -> io::Result<Self> {
        let mut listener = net::listen(net::bind_again(address)?)?;
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            listener: Some(listener),
            behaviour,
            framing,
            security,
            connections: HashMap::new(),
            next: 0,
            scratch: vec![0; CHUNK],
            tally,
        })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener
            .as_ref()
            .ok_or(io::ErrorKind::NotConnected)?
            .local_addr()
    }

    fn accept(&mut self, cx: &mut Context) {
        while let Some(listener) = &self.listener {
            match listener.accept() {
                Ok((stream, _)) => self.welcome(cx, stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    // Readiness is not told twice.
                    cx.wake_at(cx.now + RETRY, LISTENER.0);
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, cx: &mut Context, mut tcp: TcpStream) {
        self.tally.update(|counts| counts.dials.push(cx.now));
        // Only latency is lost without it.
        let _ = tcp.set_nodelay(true);
        let id = self.next;
        self.next += 1;
        let both = Interest::READABLE | Interest::WRITABLE;
        let made = cx
            .registry
            .register(&mut tcp, Token(id), both)
            .and_then(|()| match &self.security {
                None => Ok(Stream::Plain(tcp)),
                Some(security) => security.secure(tcp),
            });
        if let Ok(stream) = made {
            let connection = Connection::new(self.framing, stream, self.behaviour.clone());
            self.connections.insert(id, connection);
            self.drive(cx, id);
        }
    }

    fn drive(&mut self, cx: &mut Context, id: usize) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let scratch = &mut self.scratch;
        let turn = self
            .tally
            .update(|counts| connection.drive(cx.now, counts, scratch));
        if turn.again {
            cx.again(id);
        }
        if let Some(at) = turn.wake {
            cx.wake_at(at, id);
        }
        if connection.is_gone() {
            self.connections.remove(&id);
        }
    }

    fn each(&mut self, cx: &mut Context, mut act: impl FnMut(&mut Connection, &mut Counts)) {
        let ids: Vec<usize> = self.connections.keys().copied().collect();
        for id in ids {
            if let Some(connection) = self.connections.get_mut(&id) {
                self.tally.update(|counts| act(connection, counts));
                self.drive(cx, id);
            }
        }
    }
}

impl Machine for Peers {
    type Command = Command;

    fn command(&mut self, cx: &mut Context, command: Command) {
        let now = cx.now;
        match command {
            Command::Behave(behaviour) => self.behaviour = behaviour,
            Command::Close(code, reason) => {
                self.each(cx, |connection, _| connection.close(code, &reason, now));
            }
            Command::Drop => self.each(cx, |connection, counts| connection.leave(now, counts)),
            Command::Reset => {
                for (_, connection) in self.connections.drain() {
                    connection.reset();
                }
                self.tally.update(|counts| counts.open = 0);
            }
            Command::Send(text) => {
                self.each(cx, |connection, _| {
                    connection.send(Message::text(text.as_str()));
                });
            }
            Command::Ping => {
                self.each(cx, |connection, _| {
                    connection.send(Message::Ping("redial".into()));
                });
            }
            Command::Unlisten => self.listener = None,
        }
    }

    fn ready(&mut self, cx: &mut Context, event: &Event) {
        self.run(cx, event.token().0);
    }

    fn run(&mut self, cx: &mut Context, key: usize) {
        if key == LISTENER.0 {
            self.accept(cx);
        } else {
            self.drive(cx, key);
        }
    }
}
