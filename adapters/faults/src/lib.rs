//! Servers and proxies that misbehave on command, for clients that must survive it.
//!
//! - [`Proxy`] stands between a client and any TCP server and changes its [`Mode`] at any moment:
//!   pass, refuse, swallow, stall, pace, cut.
//! - [`Server`] is a WebSocket server with one [`Behaviour`] per connection, which counts
//!   everything that it sees; [`FramedServer`] is the same for length-prefixed TCP.
//! - `sessions::SessionServer` (feature `sessions`) keeps sessions with its clients, over
//!   connections and, on disk, over restarts.
//! - [`Ledger`] accounts for numbered messages: which arrived, twice, or not at all.
//!
//! Everything listens on loopback, runs on one thread each, and ends when it is dropped. A call
//! that changes something returns when the change is in force, so that a test needs no pause
//! after it; a call named `wait_..` waits for a count to be reached, with a deadline.
//!
//! What lives here: faults of the network and of servers. What may not: anything that knows how
//! the client under test works.

mod behaviour;
mod engine;
mod flood;
mod framed;
mod ledger;
mod net;
mod proxy;
mod server;
#[cfg(feature = "sessions")]
pub mod sessions;
mod tally;
#[cfg(feature = "tls")]
mod tls;

pub use behaviour::{Behaviour, Frame};
pub use flood::PingFlood;
pub use framed::FramedServer;
pub use ledger::Ledger;
pub use proxy::{Mode, Proxy, ProxyStats, http_answer};
pub use server::{Request, Server};

/// Compiles and runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
