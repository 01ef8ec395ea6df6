//! A TCP proxy whose behaviour can be changed at any moment.
//!
//! - `mode`: the faults it knows, and the HTTP answer that one of them is fed with;
//! - `gate`: the listening socket: open, closed, or with its queue filled up;
//! - `pipe`: one direction of one connection, with its pacing;
//! - `connection`: both directions, and what a mode does to them;
//! - `machine`: all connections, on the one thread that owns them.

mod connection;
mod gate;
mod machine;
mod mode;
mod pipe;

use crate::engine::Engine;
use crate::tally::Tally;
use machine::{Command, Relays};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use mode::{Mode, http_answer};

/// A TCP proxy on loopback that passes, refuses, swallows, stalls, paces or cuts.
///
/// Dropping it closes its listening socket and every connection, and ends its thread.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    engine: Engine<Command>,
    tally: Arc<Tally<Record>>,
}

/// What a proxy has counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyStats {
    /// Connections that it accepted. Those that are refused or never accepted can't be counted.
    pub accepted: u64,
    /// Connections that are open now; not those that it has ended and only lingers on.
    pub open: usize,
    /// Bytes read from clients and not thrown away.
    pub up: u64,
    /// Bytes read from upstream and not thrown away.
    pub down: u64,
}

#[derive(Debug, Default)]
struct Record {
    mode: Mode,
    stats: ProxyStats,
    dials: Vec<Instant>,
}

impl Proxy {
    /// Starts a proxy in [`Mode::Pass`] on a free port of 127.0.0.1.
    ///
    /// `upstream` is dialled once for each accepted connection; when that fails, the client's
    /// connection is reset.
    ///
    /// # Errors
    /// When the socket or the thread can't be had from the system.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), upstream)
    }

    /// Starts a proxy as [`start`](Self::start) does, on an address of the caller's choice.
    ///
    /// # Errors
    /// When the address can't be bound within a second, or the system has no socket or thread.
    pub fn start_on(address: SocketAddr, upstream: SocketAddr) -> io::Result<Self> {
        let tally = Arc::new(Tally::<Record>::default());
        let mut bound = address;
        let engine = Engine::start("faults-proxy", |registry| {
            let relays = Relays::new(address, upstream, registry, Arc::clone(&tally))?;
            bound = relays.address();
            Ok(relays)
        })?;
        Ok(Self {
            address: bound,
            engine,
            tally,
        })
    }

    /// Changes where connections accepted from now on are passed to.
    pub fn set_upstream(&self, upstream: SocketAddr) {
        self.engine.call(Command::Upstream(upstream));
    }

    /// Changes the mode; when this returns, no byte passes any more by the old one.
    pub fn set(&self, mode: Mode) {
        self.engine.call(Command::Mode(mode));
    }

    /// Ends every open connection with an RST on both sides.
    pub fn reset_all(&self) {
        self.engine.call(Command::Reset);
    }

    /// Ends every open connection with a FIN on both sides, without a WebSocket close frame.
    ///
    /// What was read and not yet passed on is lost.
    pub fn close_all(&self) {
        self.engine.call(Command::Close);
    }

    /// The mode that is in force.
    pub fn mode(&self) -> Mode {
        self.tally.read(|record| record.mode.clone())
    }

    /// The address that clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The address as a WebSocket URL, `ws://127.0.0.1:port/`.
    pub fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// What was counted until now.
    pub fn stats(&self) -> ProxyStats {
        self.tally.read(|record| record.stats)
    }

    /// How many connections were accepted until now.
    pub fn accepted(&self) -> u64 {
        self.stats().accepted
    }

    /// When each of them was accepted.
    pub fn dial_times(&self) -> Vec<Instant> {
        self.tally.read(|record| record.dials.clone())
    }

    /// Waits until `n` connections were accepted in all; false when `within` passed first.
    pub fn wait_accepted(&self, n: u64, within: Duration) -> bool {
        self.wait(within, |stats| stats.accepted >= n)
    }

    /// Waits until `condition` holds for the counts; false when `within` passed first.
    pub fn wait(&self, within: Duration, condition: impl Fn(&ProxyStats) -> bool) -> bool {
        self.tally.wait(within, |record| condition(&record.stats))
    }
}
