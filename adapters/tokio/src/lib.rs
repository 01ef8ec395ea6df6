//! Connections that stay alive, on tokio: WebSocket, framed TCP, or any `Stream + Sink`.
//!
//! The core, [`redial`], decides everything and does no I/O; this crate does it. One engine
//! lives here, polled and free of decisions, with two faces: [`Handle`] with a task behind it,
//! and [`Reconnecting`], a `Stream + Sink` without one. Both come from a [`Builder`]; for
//! WebSocket it is made by `websocket` or `websocket_with`. For another transport give it a
//! [`Connector`] and a [`Codec`].
//!
//! Everything that is awaited is cancel-safe, each says so. Transitions are traced under the
//! target `redial`: changes at level info, actions at debug.
//!
//! # A handshake of your own
//!
//! A login or a hello that has to be over before messages flow is a [`Handshake`], given to
//! [`Builder::handshake`]: said anew on each connection, ahead of the queue, unseen by what
//! receives.
//!
//! # Nothing lost, nothing twice
//!
//! A configuration with a [session](redial::config::Builder::session) and a [`Protocol`] given to
//! [`Builder::protocol`] deliver messages with acknowledgement, and replay them on the next
//! connection. [`Incoming::recv_told`] tells between messages what became of the session, and
//! what is missing; [`Handle::declare`] keeps subscriptions standing; [`Fates`] tell what was
//! acknowledged.
//!
//! # A store
//!
//! With the feature `store`, `Builder::store` keeps messages, intents and the session in a log on
//! disk, and goes on with what is in it after any end of the process. A message that is accepted is
//! in memory; `Handle::stored` tells when it is on disk, and only then is it written to the peer.
//! With acknowledged delivery, and a peer that keeps its sessions, each message that was stored
//! arrives once, whatever became of the processes that sent it.
//!
//! The other way it is at least once over a crash. A message counts as received when the
//! application comes back for the next one; what it was at when the process died comes again. An
//! application to which that matters keeps with its own data how far it has come.
//!
//! The store is a [`Handle`]'s. [`Reconnecting`] has none: it lives in the task that polls it, and
//! nobody would poll it for the disk.
//!
//! # When the application doesn't read
//!
//! What comes in waits in a bounded inbox. When it is full the adapter stops reading, so that
//! the peer is slowed down by TCP. It can't see pongs then, so it sends no pings and calls
//! nothing dead until the application reads on.
//!
//! It can't see acknowledgements either: what this end has sent stays in its queue, within the
//! queue's bounds, until the application reads. What is in the inbox is acknowledged all the
//! same, unless there is a store, which waits for the application. So two ends that both don't read hold what they have and wait; nothing is lost, nothing
//! grows, and when either reads, both go on. An application that waits for room in its queue
//! before it reads on may wait for ever, as with any two ends that only write: read in one task
//! and send in another.

mod builder;
mod clock;
mod codec;
mod connector;
mod engine;
mod error;
mod handle;
#[cfg(any(feature = "tungstenite", feature = "tcp"))]
mod net;
mod reconnecting;
#[cfg(feature = "tcp")]
pub mod tcp;
#[cfg(feature = "tungstenite")]
pub mod websocket;

pub use self::builder::Builder;
pub use self::codec::{Codec, Decoded, TooBig};
pub use self::connector::{Attempt, Connector, Failure, cause_of_io};
pub use self::error::Error;
pub use self::handle::{Fates, Handle, Incoming, Reply};
#[cfg(any(feature = "tungstenite", feature = "tcp"))]
pub use self::net::Wire;
pub use self::reconnecting::Reconnecting;
#[cfg(feature = "tungstenite")]
pub use self::websocket::{Message, websocket, websocket_with};

pub use redial;
#[cfg(feature = "store")]
pub use redial_adapter::NotStored;
#[cfg(feature = "json")]
pub use redial_adapter::json;
pub use redial_adapter::wire;
pub use redial_adapter::{
    Correlate, Greeting, Handshake, Heard, Opening, Protocol, Received, RequestFailed,
    RequestFailure,
};
#[cfg(feature = "store")]
pub use redial_store as store;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The front page of the workspace shows both adapters; it is tested here.
#[cfg(all(doctest, feature = "tungstenite"))]
#[doc = include_str!("../../../README.md")]
struct FrontPage;
