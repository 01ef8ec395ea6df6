//! A server that keeps sessions: acknowledged delivery both ways, resume, restarts.
//!
//! It is the other end of a link with a session: it speaks [`redial::wire`], keeps one
//! [`redial::server::Session`] for each client, and writes them to disk if it is told where. What
//! the application behind a session got is a part of what is written, so that each message is got
//! once, also where the server dies at the worst moment.
//!
//! - `content`, `options`, `record`: what goes in and out;
//! - `house`, `held`: the sessions, and one of them;
//! - `disk`: what survives a restart;
//! - `peer`, `machine`: one connection, and all of them on the one thread that owns them.
//!
//! The order of a turn is what makes it safe: read, judge, write down, and only then say or show.

mod content;
mod disk;
mod held;
mod house;
mod ids;
mod machine;
mod options;
mod peer;
mod record;

use crate::engine::Engine;
use crate::ledger::Ledger;
use crate::tally::Tally;
use machine::{Command, Peers, Sent};
use record::Record;
use redial::outbox::RefusedReason;
use redial::session::SessionId;
use redial::wire::{Refusal, WireError};
use redial::{MessageId, SendOptions};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

pub use content::{Content, Got};
pub use options::{Feed, Memory, SessionOptions, Store};
pub use record::{Client, Fates};

/// A server on loopback that keeps a session for each client and records what it got.
///
/// Dropping it ends every connection; what is on disk stays.
#[derive(Debug)]
pub struct SessionServer {
    address: SocketAddr,
    scheme: &'static str,
    stored: bool,
    engine: Engine<Command>,
    tally: Arc<Tally<Record>>,
}

impl SessionServer {
    /// Starts a WebSocket server on a free port of 127.0.0.1, with no store.
    ///
    /// # Errors
    /// When the socket or the thread can't be had from the system.
    pub fn start() -> io::Result<Self> {
        Self::start_with(&SessionOptions::default())
    }

    /// Starts a server like this. Sessions that its store has go on.
    ///
    /// # Errors
    /// When the address can't be bound within a second, the store can't be read, or the system
    /// has no socket or thread.
    pub fn start_with(options: &SessionOptions) -> io::Result<Self> {
        let tally = Arc::new(Tally::new(Record::default()));
        let mut address = options.address;
        let engine = Engine::start("session-server", |registry| {
            let peers = Peers::new(options, registry, Arc::clone(&tally))?;
            address = peers.address();
            Ok(peers)
        })?;
        Ok(Self {
            address,
            scheme: if options.framed { "tcp" } else { "ws" },
            stored: options.store.is_some(),
            engine,
            tally,
        })
    }

    /// Ends every connection as the end of a process does, forgets all that is not on disk, and
    /// comes up again at once, on the same address, as another run of the server.
    ///
    /// # Errors
    /// As [`start_again`](Self::start_again).
    pub fn restart(&self, memory: Memory) -> io::Result<()> {
        self.stop();
        self.start_again(memory)
    }

    /// Ends every connection as the end of a process does, forgets all that is not on disk, and
    /// stops listening: whoever dials is refused.
    pub fn stop(&self) {
        self.engine.call(Command::Stop);
    }

    /// Comes up again after [`stop`](Self::stop), on the same address, as another run of the
    /// server.
    ///
    /// # Errors
    /// When it is up, when it is to keep what it has no store for, when the store can't be read
    /// or emptied, or when the address is taken.
    pub fn start_again(&self, memory: Memory) -> io::Result<()> {
        if memory == Memory::Keep && !self.stored {
            return Err(io::Error::other("there is no store to keep sessions in"));
        }
        self.ask(|answer| Command::Start(memory, answer))
            .unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
    }

    /// Crashes the server in the middle of a write: after `after` further writes of the store,
    /// one comes no further than its first `bytes` bytes, and the server restarts at once with
    /// what it has on disk. False without a store.
    pub fn crash_in_write(&self, after: u64, bytes: usize) -> bool {
        self.ask(|answer| Command::Tear(after, bytes, answer))
            .unwrap_or_default()
    }

    /// Sends a message in a session, whether its client is there or not. With a store, it is
    /// stored when this returns.
    ///
    /// # Errors
    /// Why it was refused; `NoSession` if there is no such session, or not any more.
    pub fn send(
        &self,
        session: SessionId,
        content: impl Into<Content>,
        options: SendOptions,
    ) -> Result<MessageId, RefusedReason> {
        let sent = self.deliver(Some(session), content.into(), options);
        sent.into_iter()
            .next()
            .unwrap_or(Err(RefusedReason::Closed))
    }

    /// Sends a message in every session that is not over; gives how many have accepted it.
    pub fn send_all(&self, content: impl Into<Content>, options: SendOptions) -> usize {
        let sent = self.deliver(None, content.into(), options);
        sent.iter().filter(|sent| sent.is_ok()).count()
    }

    /// Sends numbered messages in each session from now on, also in those to come; `None` ends it.
    pub fn feed(&self, feed: Option<Feed>) {
        self.engine.call(Command::Feed(feed));
    }

    /// Refuses every hello for this reason from now on; `None` ends it.
    pub fn refuse(&self, refusal: Option<Refusal>) {
        self.engine.call(Command::Refuse(refusal));
    }

    /// Declines the next `count` intents that arrive. They are recorded all the same.
    pub fn decline(&self, count: u64) {
        self.engine.call(Command::Decline(count));
    }

    /// Ends a session: its connection is closed with code 1000, and it can't be resumed.
    pub fn end(&self, session: SessionId) {
        self.engine.call(Command::End(session));
    }

    /// Ends every connection with a FIN. The sessions wait.
    pub fn drop_all(&self) {
        self.engine.call(Command::Drop);
    }

    /// Ends every connection with an RST. The sessions wait.
    pub fn reset_all(&self) {
        self.engine.call(Command::Reset);
    }

    /// Whether what applications get is kept from now on, in memory and on disk; it is at first.
    ///
    /// Counts and the ledger go on either way. Switch it off, before the first message, to
    /// measure throughput.
    pub fn keep_received(&self, keep: bool) {
        self.tally.update(|record| record.keep = keep);
    }

    /// The address that clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL, such as `ws://127.0.0.1:port/`; `tcp` if framed.
    pub fn url(&self) -> String {
        format!("{}://{}/", self.scheme, self.address)
    }

    /// Every session ever, in the order in which they began.
    pub fn clients(&self) -> Vec<Client> {
        self.tally.read(|record| record.clients.clone())
    }

    /// One session.
    pub fn client(&self, session: SessionId) -> Option<Client> {
        self.tally.read(|record| record.find(session).cloned())
    }

    /// The payloads of all messages, session after session, each in the order in which its
    /// application got them.
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.tally.read(|record| {
            let got = record.clients.iter().flat_map(|client| &client.got);
            got.filter_map(Got::message)
                .map(|content| content.bytes().to_vec())
                .collect()
        })
    }

    /// How many messages applications got.
    pub fn received_count(&self) -> u64 {
        self.tally.read(|record| record.received)
    }

    /// The account of all messages that applications got and that begin with a number.
    pub fn ledger(&self) -> Ledger {
        self.tally.read(|record| record.ledger.clone())
    }

    /// How many TCP connections were accepted until now.
    pub fn dials(&self) -> u64 {
        self.tally.read(|record| record.dials)
    }

    /// How many connections carry a session now.
    pub fn open(&self) -> usize {
        self.tally.read(|record| record.open)
    }

    /// How many sessions were opened, and how often one was resumed.
    pub fn sessions(&self) -> (u64, u64) {
        self.tally.read(|record| (record.fresh, record.resumed))
    }

    /// How often the server came up again, by command or after a crash.
    pub fn restarts(&self) -> u64 {
        self.tally.read(|record| record.restarts)
    }

    /// How often something was written to the store.
    pub fn writes(&self) -> u64 {
        self.tally.read(|record| record.writes)
    }

    /// What came in that was no frame, in order.
    pub fn malformed(&self) -> Vec<WireError> {
        self.tally.read(|record| record.refused.clone())
    }

    /// Waits until `n` messages were got in all; false when `within` passed first.
    pub fn wait_received(&self, n: u64, within: Duration) -> bool {
        self.tally.wait(within, |record| record.received >= n)
    }

    /// Waits until at least `n` connections carry a session; false when `within` passed first.
    pub fn wait_open(&self, n: usize, within: Duration) -> bool {
        self.tally.wait(within, |record| record.open >= n)
    }

    /// Waits until no connection carries a session; false when `within` passed first.
    pub fn wait_closed(&self, within: Duration) -> bool {
        self.tally.wait(within, |record| record.open == 0)
    }

    /// Waits until `condition` holds for the ledger; false when `within` passed first.
    pub fn wait_ledger(&self, within: Duration, condition: impl Fn(&Ledger) -> bool) -> bool {
        self.tally.wait(within, |record| condition(&record.ledger))
    }

    /// Waits until `condition` holds for the sessions; false when `within` passed first.
    pub fn wait_clients(&self, within: Duration, condition: impl Fn(&[Client]) -> bool) -> bool {
        self.tally.wait(within, |record| condition(&record.clients))
    }

    fn deliver(&self, to: Option<SessionId>, content: Content, options: SendOptions) -> Sent {
        self.ask(|answer| Command::Send(to, content, options, answer))
            .unwrap_or_default()
    }

    /// The answer to a command; `None` if the thread is gone.
    fn ask<T>(&self, command: impl FnOnce(SyncSender<T>) -> Command) -> Option<T> {
        let (answer, wait) = sync_channel(1);
        self.engine.call(command(answer));
        wait.recv().ok()
    }
}
