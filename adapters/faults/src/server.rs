//! A WebSocket server with a script per connection, which counts everything that it sees.
//!
//! - `request`: the head of a client's request, and the answers to it;
//! - `stream`, `channel`: the transport, and messages on it in one of two framings;
//! - `connection`: one client, from acceptance to the end of its script;
//! - `machine`: all of them, on the one thread that owns them;
//! - `counts`: what was seen.

mod channel;
mod connection;
mod counts;
mod machine;
mod request;
mod stream;

use crate::behaviour::Behaviour;
use crate::engine::Engine;
use crate::ledger::Ledger;
use crate::tally::Tally;
use counts::Counts;
use machine::{Command, Peers};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(feature = "sessions")]
pub(crate) use channel::{Channel, Stop};
pub use request::Request;
pub(crate) use stream::Security;
#[cfg(feature = "sessions")]
pub(crate) use stream::Stream;

/// How the bytes of a connection become messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    WebSocket,
    LengthPrefix,
}

/// A WebSocket server on loopback that follows a [`Behaviour`] and counts everything.
///
/// A plain HTTP request without an upgrade is answered too: 200 for `/health`, 426 for any other
/// path, so that a readiness check has something to ask. Dropping the server is as
/// [`shutdown`](Self::shutdown).
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    certificate: Option<Vec<u8>>,
    engine: Engine<Command>,
    tally: Arc<Tally<Counts>>,
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When the socket or the thread can't be had from the system.
    pub fn start(behaviour: Behaviour) -> io::Result<Self> {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), behaviour)
    }

    /// Starts a server on an address of the caller's choice, such as that of an earlier one.
    ///
    /// # Errors
    /// When the address can't be bound within a second, or the system has no socket or thread.
    pub fn start_on(address: SocketAddr, behaviour: Behaviour) -> io::Result<Self> {
        Self::launch(address, behaviour, Framing::WebSocket, None)
    }

    /// Starts a server behind TLS on a free port of 127.0.0.1.
    ///
    /// Its certificate is made now, signed by itself and good for `localhost` and 127.0.0.1;
    /// [`certificate`](Self::certificate) returns it for the client to trust.
    ///
    /// # Errors
    /// When the socket, the thread or the certificate can't be had.
    #[cfg(feature = "tls")]
    pub fn start_tls(behaviour: Behaviour) -> io::Result<Self> {
        Self::start_tls_on(SocketAddr::from(([127, 0, 0, 1], 0)), behaviour)
    }

    /// Starts a server behind TLS, with a new certificate, on an address of the caller's choice.
    ///
    /// # Errors
    /// When the address can't be bound within a second, or the socket, the thread or the
    /// certificate can't be had.
    #[cfg(feature = "tls")]
    pub fn start_tls_on(address: SocketAddr, behaviour: Behaviour) -> io::Result<Self> {
        Self::launch(
            address,
            behaviour,
            Framing::WebSocket,
            Some(Security::new()?),
        )
    }

    pub(crate) fn launch(
        address: SocketAddr,
        behaviour: Behaviour,
        framing: Framing,
        security: Option<Security>,
    ) -> io::Result<Self> {
        let tally = Arc::new(Tally::new(Counts::default()));
        let scheme = match (framing, &security) {
            (Framing::LengthPrefix, _) => "tcp",
            (Framing::WebSocket, None) => "ws",
            (Framing::WebSocket, Some(_)) => "wss",
        };
        let certificate = security
            .as_ref()
            .map(|security| security.certificate().to_vec());
        let mut bound = address;
        let engine = Engine::start("faults-server", |registry| {
            let counts = Arc::clone(&tally);
            let peers = Peers::new(address, behaviour, framing, security, registry, counts)?;
            bound = peers.address()?;
            Ok(peers)
        })?;
        Ok(Self {
            address: bound,
            scheme,
            certificate,
            engine,
            tally,
        })
    }

    /// Changes the behaviour for connections accepted from now on.
    pub fn set(&self, behaviour: Behaviour) {
        self.engine.call(Command::Behave(behaviour));
    }

    /// Sends a close frame on every open connection; each ends when the peer has answered, or
    /// after 2 s.
    ///
    /// Code 1005 stands for a close frame without a code.
    pub fn close_all(&self, code: u16, reason: &str) {
        self.engine.call(Command::Close(code, reason.to_owned()));
    }

    /// Ends every connection with a FIN and no close frame.
    pub fn drop_all(&self) {
        self.engine.call(Command::Drop);
    }

    /// Ends every connection with an RST.
    pub fn reset_all(&self) {
        self.engine.call(Command::Reset);
    }

    /// Sends a text message on every open connection.
    pub fn send_all(&self, text: &str) {
        self.engine.call(Command::Send(text.to_owned()));
    }

    /// Sends a ping on every open connection.
    pub fn ping_all(&self) {
        self.engine.call(Command::Ping);
    }

    /// Whether payloads are kept for [`received`](Self::received) from now on; they are at first.
    ///
    /// Counts and the ledger go on either way. Switch it off to measure throughput.
    pub fn keep_received(&self, keep: bool) {
        self.tally.update(|counts| counts.keep(keep));
    }

    /// Stops listening and ends every connection with a FIN.
    pub fn shutdown(self) {
        self.engine.call(Command::Unlisten);
        self.drop_all();
    }

    /// Stops listening and ends every connection with an RST.
    pub fn kill(self) {
        self.engine.call(Command::Unlisten);
        self.reset_all();
    }

    /// The address that clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL, such as `ws://127.0.0.1:port/`; `wss` behind TLS, `tcp` if framed.
    pub fn url(&self) -> String {
        format!("{}://{}/", self.scheme, self.address)
    }

    /// The DER of the certificate that a client has to trust; `None` without TLS.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// How many TCP connections were accepted until now.
    pub fn dials(&self) -> u64 {
        self.tally.read(|counts| counts.dials.len() as u64)
    }

    /// When each of them was accepted.
    pub fn dial_times(&self) -> Vec<Instant> {
        self.tally.read(|counts| counts.dials.clone())
    }

    /// How many connections came to be open until now.
    pub fn handshakes(&self) -> u64 {
        self.tally.read(|counts| counts.handshakes)
    }

    /// How many connections are open now.
    pub fn open(&self) -> usize {
        self.tally.read(|counts| counts.open)
    }

    /// The payloads of all data messages, in order of arrival over all connections.
    ///
    /// They are kept until they take up 64 MiB; later ones are only counted.
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.tally.read(|counts| counts.kept.clone())
    }

    /// What [`received`](Self::received) gives, without its first `skip` payloads.
    pub fn received_after(&self, skip: usize) -> Vec<Vec<u8>> {
        self.tally
            .read(|counts| counts.kept.get(skip..).unwrap_or_default().to_vec())
    }

    /// How many data messages arrived until now.
    pub fn received_count(&self) -> u64 {
        self.tally.read(|counts| counts.received)
    }

    /// How many pings arrived until now.
    pub fn pings(&self) -> u64 {
        self.tally.read(|counts| counts.pings)
    }

    /// How many pongs arrived until now.
    pub fn pongs(&self) -> u64 {
        self.tally.read(|counts| counts.pongs)
    }

    /// The codes of all close frames that arrived, answers to the server's own included; `None`
    /// for one without a code.
    pub fn closes(&self) -> Vec<Option<u16>> {
        self.tally.read(|counts| counts.closes.clone())
    }

    /// The requests of all handshakes, in order, whether they were granted or not.
    pub fn requests(&self) -> Vec<Request> {
        self.tally.read(|counts| counts.requests.clone())
    }

    /// The account of all messages that begin with a number.
    pub fn ledger(&self) -> Ledger {
        self.tally.read(|counts| counts.ledger.clone())
    }

    /// Waits until `n` connections were accepted in all; false when `within` passed first.
    pub fn wait_dials(&self, n: u64, within: Duration) -> bool {
        self.tally
            .wait(within, |counts| counts.dials.len() as u64 >= n)
    }

    /// Waits until `n` connections have come to be open in all; false when `within` passed first.
    pub fn wait_handshakes(&self, n: u64, within: Duration) -> bool {
        self.tally.wait(within, |counts| counts.handshakes >= n)
    }

    /// Waits until at least `n` connections are open; false when `within` passed first.
    pub fn wait_open(&self, n: usize, within: Duration) -> bool {
        self.tally.wait(within, |counts| counts.open >= n)
    }

    /// Waits until no connection is open; false when `within` passed first.
    pub fn wait_closed(&self, within: Duration) -> bool {
        self.tally.wait(within, |counts| counts.open == 0)
    }

    /// Waits until `n` data messages have arrived in all; false when `within` passed first.
    pub fn wait_received(&self, n: u64, within: Duration) -> bool {
        self.tally.wait(within, |counts| counts.received >= n)
    }

    /// Waits until `n` pings have arrived in all; false when `within` passed first.
    pub fn wait_pings(&self, n: u64, within: Duration) -> bool {
        self.tally.wait(within, |counts| counts.pings >= n)
    }

    /// Waits until `n` pongs have arrived in all; false when `within` passed first.
    pub fn wait_pongs(&self, n: u64, within: Duration) -> bool {
        self.tally.wait(within, |counts| counts.pongs >= n)
    }

    /// Waits until `n` close frames have arrived in all; false when `within` passed first.
    pub fn wait_closes(&self, n: usize, within: Duration) -> bool {
        self.tally.wait(within, |counts| counts.closes.len() >= n)
    }

    /// Waits until `condition` holds for the ledger; false when `within` passed first.
    pub fn wait_ledger(&self, within: Duration, condition: impl Fn(&Ledger) -> bool) -> bool {
        self.tally.wait(within, |counts| condition(&counts.ledger))
    }
}
