//! All connections of a server of sessions, on the one thread that owns them.

use super::content::Content;
use super::house::{Asked, House};
use super::options::{Feed, Memory, SessionOptions};
use super::peer::Peer;
use super::record::Record;
use crate::engine::{Context, LISTENER, Machine};
use crate::net::{self, CHUNK};
use crate::server::Stream;
use crate::tally::Tally;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use redial::outbox::RefusedReason;
use redial::session::SessionId;
use redial::wire::Refusal;
use redial::{MessageId, SendOptions};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

/// How soon the system is asked again after it had no descriptor to spare.
const RETRY: Duration = Duration::from_millis(10);

/// What became of messages that the application sends: one for each session.
pub(super) type Sent = Vec<Result<MessageId, RefusedReason>>;

/// What a server can be asked. Where there is an answer, it goes where the command says.
#[derive(Debug)]
pub(super) enum Command {
    /// To one session, or to all.
    Send(Option<SessionId>, Content, SendOptions, SyncSender<Sent>),
    Feed(Option<Feed>),
    Refuse(Option<Refusal>),
    Decline(u64),
    End(SessionId),
    Drop,
    Reset,
    Stop,
    Start(Memory, SyncSender<io::Result<()>>),
    Tear(u64, usize, SyncSender<bool>),
}

/// The connections and the sessions.
pub(super) struct Peers {
    address: SocketAddr,
    framed: bool,
    listener: Option<TcpListener>,
    connections: HashMap<usize, Peer>,
    next: usize,
    house: House,
    scratch: Vec<u8>,
    tally: Arc<Tally<Record>>,
}

/// Connections have the even keys, and the timers of sessions the odd ones.
const fn key_of(connection: usize) -> usize {
    2 * connection
}

impl Peers {
    pub(super) fn new(
        options: &SessionOptions,
        registry: &Registry,
        tally: Arc<Tally<Record>>,
    ) -> io::Result<Self> {
        let house = House::new(options, Arc::clone(&tally))?;
        let mut peers = Self {
            address: options.address,
            framed: options.framed,
            listener: None,
            connections: HashMap::new(),
            next: 0,
            house,
            scratch: vec![0; CHUNK],
            tally,
        };
        peers.listen(registry)?;
        Ok(peers)
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens, from the second time on where it did before.
    fn listen(&mut self, registry: &Registry) -> io::Result<()> {
        let mut listener = net::listen(net::bind_again(self.address)?)?;
        self.address = listener.local_addr()?;
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        self.listener = Some(listener);
        Ok(())
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
        self.tally.update(|record| record.dials += 1);
        // Only latency is lost without it.
        let _ = tcp.set_nodelay(true);
        let id = self.next;
        self.next += 1;
        let both = Interest::READABLE | Interest::WRITABLE;
        let token = Token(key_of(id));
        if cx.registry.register(&mut tcp, token, both).is_ok() {
            let peer = Peer::new(id, Stream::Plain(tcp), self.framed);
            self.connections.insert(id, peer);
            self.drive(cx, id);
        }
    }

    fn drive(&mut self, cx: &mut Context, id: usize) {
        if let Some(peer) = self.connections.get_mut(&id) {
            let turn = peer.drive(cx.now, &mut self.house, &mut self.scratch);
            if turn.again {
                cx.again(key_of(id));
            }
            if let Some(at) = turn.wake {
                cx.wake_at(at, key_of(id));
            }
            if peer.is_gone() {
                self.connections.remove(&id);
            }
        }
        self.answer(cx);
    }

    /// Does what the sessions ask for.
    fn answer(&mut self, cx: &mut Context) {
        if self.house.has_crashed() {
            self.stop();
            // A store that can't be read either leaves a server that is down.
            let _ = self.start(cx, Memory::Keep);
        }
        for asked in self.house.asked() {
            match asked {
                Asked::Abort(id) => {
                    if let Some(mut peer) = self.connections.remove(&id) {
                        peer.reset(cx.now, &mut self.house);
                    }
                }
                Asked::Close(id) => {
                    if let Some(peer) = self.connections.get_mut(&id) {
                        peer.close(cx.now, &mut self.house);
                        cx.again(key_of(id));
                    }
                }
                Asked::Wake(slot, at) => {
                    cx.wake_at(self.house.moment(at), key_of(slot) + 1);
                }
            }
        }
    }

    /// The end of the process, as seen from outside.
    fn stop(&mut self) {
        self.listener = None;
        self.connections.clear();
        self.house.down();
    }

    fn start(&mut self, cx: &mut Context, memory: Memory) -> io::Result<()> {
        if self.listener.is_some() {
            return Err(io::Error::other("the server is up"));
        }
        self.house.up(self.house.at(cx.now), memory)?;
        self.listen(&cx.registry)?;
        self.tally.update(|record| record.restarts += 1);
        self.answer(cx);
        Ok(())
    }

    fn each(&mut self, cx: &mut Context, mut act: impl FnMut(&mut Peer, &mut House)) {
        let ids: Vec<usize> = self.connections.keys().copied().collect();
        for id in ids {
            if let Some(peer) = self.connections.get_mut(&id) {
                act(peer, &mut self.house);
                self.drive(cx, id);
            }
        }
    }

    fn send(
        &mut self,
        cx: &mut Context,
        to: Option<SessionId>,
        content: &Content,
        options: SendOptions,
    ) -> Sent {
        let to = to.map_or_else(|| self.house.names(), |session| vec![session]);
        let at = self.house.at(cx.now);
        let mut all = Vec::new();
        for session in to {
            let (sent, connection) = self.house.send(at, session, content.clone(), options);
            all.push(sent);
            if let Some(id) = connection {
                self.drive(cx, id);
            }
        }
        self.answer(cx);
        all
    }

    fn tick(&mut self, cx: &mut Context, slot: usize) {
        let at = self.house.at(cx.now);
        if let Some(id) = self.house.tick(at, slot) {
            self.drive(cx, id);
        }
        self.answer(cx);
    }
}

impl Machine for Peers {
    type Command = Command;

    fn command(&mut self, cx: &mut Context, command: Command) {
        let now = cx.now;
        // Whoever asked may have gone.
        match command {
            Command::Send(to, content, options, answer) => {
                let _ = answer.send(self.send(cx, to, &content, options));
            }
            Command::Feed(feed) => {
                self.house.set_feed(self.house.at(now), feed);
                for slot in self.house.slots() {
                    self.tick(cx, slot);
                }
            }
            Command::Refuse(refusal) => self.house.set_refusal(refusal),
            Command::Decline(count) => self.house.set_declines(count),
            Command::End(session) => {
                self.house.end(self.house.at(now), session);
                self.answer(cx);
            }
            Command::Drop => self.each(cx, |peer, house| peer.leave(now, house)),
            Command::Reset => {
                for (_, mut peer) in std::mem::take(&mut self.connections) {
                    peer.reset(now, &mut self.house);
                }
                self.answer(cx);
            }
            Command::Stop => self.stop(),
            Command::Start(memory, answer) => {
                let _ = answer.send(self.start(cx, memory));
            }
            Command::Tear(after, bytes, answer) => {
                let _ = answer.send(self.house.tear(after, bytes));
            }
        }
    }

    fn ready(&mut self, cx: &mut Context, event: &Event) {
        self.run(cx, event.token().0);
    }

    fn run(&mut self, cx: &mut Context, key: usize) {
        if key == LISTENER.0 {
            self.accept(cx);
        } else if key % 2 == 0 {
            self.drive(cx, key / 2);
        } else {
            self.tick(cx, key / 2);
        }
    }
}
