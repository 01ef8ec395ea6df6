//! Connections that stay alive, for programs of threads.
//!
//! One thread per link drives the state machine of [`redial`]; there is no async runtime. Any
//! thread sends through a cheap [`Handle`]; what comes in is taken from [`Incoming`].
//!
//! ```no_run
//! # #[cfg(feature = "tungstenite")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (handle, incoming) = redial_blocking::websocket("ws://127.0.0.1:9001/feed")?
//!     .header("Authorization", "Bearer s3cret")?
//!     .spawn()?;
//! handle.try_send("hello")?;
//! for message in incoming {
//!     println!("{:?}", message.as_text());
//! }
//! println!("ended: {:?}", handle.status().last_cause);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "tungstenite"))]
//! # fn main() {}
//! ```
//!
//! # How it works
//!
//! The thread sleeps in `mio`'s poller until the socket, a deadline of the link or a handle wants
//! it, so a send from another thread goes out at once and a silent peer is noticed on time. `mio`
//! rather than `polling`: a socket is registered once for its life instead of after each event,
//! and its edges ("there may be more") are what reading and writing until the socket blocks need;
//! its waker is one system call.
//!
//! Names are resolved, and a [provider](Builder::provider) is called, on helper threads: one that
//! hangs costs an attempt its deadline and holds up nothing else. All addresses of a host are
//! tried, the next one beside the last after 250 ms (RFC 8305). Bytes that wait unsent below the
//! link are bounded ([`Builder::unsent_limit`]), and pings go ahead of queued messages, so that a
//! slow line is not taken for a dead one.
//!
//! A login or a hello that has to be over before messages flow is a [`Handshake`], given to
//! [`Builder::handshake`]: said anew on each connection, ahead of the queue, and never seen by
//! [`Incoming`].
//!
//! # Sessions
//!
//! A configuration with a [session](redial::config::Builder::session) and a [`Protocol`] that
//! carries it, such as [`Wire`], make delivery acknowledged: what the peer has not acknowledged is
//! kept and replayed in order on the next connection, and what it has seen does not come twice.
//! What became of the session on each connection, and which messages are missing, is told between
//! messages by [`Incoming::recv_told`]. Subscriptions are [declared](Handle::declare) once and
//! stand as long as sessions come and go; a [request](Handle::request) waits for its answer
//! through outages.
//!
//! ```no_run
//! use redial_blocking::redial::outbox::Limits;
//! use redial_blocking::redial::session::Settings;
//! use redial_blocking::redial::{Config, Delivery};
//! use redial_blocking::{Received, Wire, tcp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::builder()
//!     .session(Some(Settings::default()))
//!     .outbox(Limits { delivery: Delivery::Acknowledged, ..Limits::default() })
//!     .build()?;
//! let (handle, incoming) =
//!     tcp("127.0.0.1:9002")?.config(config).protocol(Wire::new()).spawn()?;
//! handle.declare("subscribe news")?;
//! handle.try_send("kept until it is acknowledged")?;
//! while let Ok(received) = incoming.recv_told() {
//!     match received {
//!         Received::Message(message) => println!("{}", String::from_utf8_lossy(&message)),
//!         Received::Session(resumption) => println!("connected: {resumption:?}"),
//!         Received::Gap(gap) => println!("{} messages are missing", gap.len()),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What lives here: threads, sockets, clocks, TLS, framing. What may not: any decision about when
//! to dial, what an error means, or what becomes of a message; those are the core's.

mod builder;
mod clock;
mod core;
mod desk;
mod dial;
mod driver;
mod error;
mod fill;
mod framed;
mod greet;
mod handle;
#[cfg(feature = "tungstenite")]
mod health;
mod inbox;
mod incoming;
mod keep;
mod provider;
mod request;
mod resolve;
mod shared;
mod stream;
mod talk;
mod traffic;
#[cfg(feature = "tungstenite")]
mod websocket;
mod wire;

pub use redial;
#[cfg(feature = "rustls")]
pub use redial_adapter::rustls;
#[cfg(feature = "store")]
pub use redial_store as store;

#[cfg(feature = "tungstenite")]
pub use self::builder::WebSocket;
pub use self::builder::{Builder, Ends, Tcp, Transport};
pub use self::handle::{Fates, Handle};
pub use self::incoming::Incoming;
pub use self::provider::Attempt;
pub use self::request::Request;
#[cfg(feature = "store")]
pub use redial_adapter::NotStored;
#[cfg(feature = "json")]
pub use redial_adapter::json;
pub use redial_adapter::wire::{Carrier, Wire};
#[cfg(feature = "tungstenite")]
pub use redial_adapter::{Bytes, Message, Utf8Bytes};
pub use redial_adapter::{
    Correlate, Failure, Greeting, Handshake, Heard, Opening, Protocol, Received, RequestError,
    RequestFailed, RequestFailure,
};

/// A link to a WebSocket server, by a URL of the scheme `ws`, or `wss` with the feature `rustls`.
///
/// # Errors
///
/// Whatever makes it no such URL, before anything is dialled.
#[cfg(feature = "tungstenite")]
pub fn websocket(url: &str) -> Result<Builder<WebSocket>, RequestError> {
    Request::websocket(url).map(Builder::new)
}

/// A link to a server that speaks framed TCP, as `host:port` or `[v6 address]:port`.
///
/// Each frame is a length of 4 bytes, big endian, and that many bytes: a tag of one byte (0 data,
/// 1 ping, 2 pong, 3 close) and the body, which is the payload of data, the nonce of 8 bytes of a
/// ping, brought back by its pong, and nothing of a close, after which the connection ends. A server's
/// close frame counts as the WebSocket code 1005, a close without a code: the link dials again.
///
/// # Errors
///
/// Whatever makes it no address, before anything is dialled.
pub fn tcp(address: &str) -> Result<Builder<Tcp>, RequestError> {
    Request::tcp(address).map(Builder::new)
}

/// The README is tested.
#[cfg(all(doctest, feature = "rustls"))]
#[doc = include_str!("../README.md")]
struct Readme;
