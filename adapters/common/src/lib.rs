//! What drivers of [`redial`] share: messages, targets, redirects, causes of errors, the framing
//! of plain TCP.
//!
//! Nothing here waits, reads or writes a socket, or needs a runtime; two things touch the system:
//! [`unix_now`] reads the wall clock, and `tune` sets a socket's options. What may not live here:
//! any decision about when to dial or what becomes of a message; those are the core's.

mod addresses;
mod books;
mod cause;
mod clock;
mod correlate;
mod error;
mod failure;
pub mod framed;
mod handshake;
#[cfg(feature = "tungstenite")]
pub mod health;
#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "tungstenite")]
mod message;
mod protocol;
mod received;
mod request_failed;
#[cfg(feature = "socket2")]
mod socket;
mod target;
#[cfg(feature = "rustls")]
pub mod tls;
#[cfg(feature = "tungstenite")]
pub mod upgrade;
#[cfg(feature = "tungstenite")]
mod url;
#[cfg(feature = "tungstenite")]
pub mod websocket;
pub mod wire;

pub use redial;
#[cfg(feature = "rustls")]
pub use rustls;
#[cfg(feature = "socket2")]
pub use socket2;
#[cfg(feature = "tungstenite")]
pub use tungstenite;

pub use self::addresses::in_turns;
pub use self::books::{Books, News, NotStored};
pub use self::cause::cause_of_io;
pub use self::clock::unix_now;
pub use self::correlate::Correlate;
pub use self::error::RequestError;
pub use self::failure::Failure;
pub use self::handshake::{Greeting, Handshake, Opening, with_ready_deadline};
#[cfg(feature = "tungstenite")]
pub use self::message::{Bytes, Message, Utf8Bytes};
pub use self::protocol::{Heard, Protocol};
pub use self::received::Received;
pub use self::request_failed::{RequestFailed, RequestFailure};
#[cfg(feature = "socket2")]
pub use self::socket::tune;
pub use self::target::{Scheme, Target};

use std::time::Duration;

/// How long an address is tried before the next one is tried beside it (RFC 8305 section 5).
pub const STAGGER: Duration = Duration::from_millis(250);

/// How many bytes may wait unsent below a link by default: a ping waits behind them.
pub const UNSENT: usize = 64 << 10;

/// The longest message by default, in bytes, of every protocol and in either direction: 16 MiB,
/// which is what an outbox holds by default. It bounds what a peer can make a link hold at once.
pub const LONGEST: usize = 16 << 20;

/// How many redirects are followed in one attempt by default.
pub const REDIRECTS: u8 = 5;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
