//! How the messages of a link look on a transport.

use futures_util::{Sink, Stream};
use redial::{Cause, Closure, Payload};

/// Tells data, pings, pongs and closes of a transport apart, and makes them.
///
/// The transport is any `Stream + Sink`. A value of this lives as long as the link and serves
/// one connection after the other.
pub trait Codec: Send + 'static {
    /// What the application sends and receives.
    type Message: Payload + Send + 'static;
    /// What the transport's stream yields.
    type Frame;
    /// What the transport's sink takes.
    type Item;
    /// The error of both.
    type Error;
    /// The transport.
    type Transport: Stream<Item = Result<Self::Frame, Self::Error>>
        + Sink<Self::Item, Error = Self::Error>
        + Unpin
        + Send
        + 'static;

    /// The item that carries a message. Payloads are best reference-counted, so that this does
    /// not copy.
    ///
    /// It may be called while the link is locked: it must not wait, nor call its handle.
    ///
    /// # Errors
    ///
    /// [`TooBig`] if this transport can never carry the message: it is dropped.
    fn encode(&mut self, message: &Self::Message) -> Result<Self::Item, TooBig>;

    /// What came in.
    fn decode(&mut self, frame: Self::Frame) -> Decoded<Self::Message>;

    /// The item that pings the peer; `None` if this transport has no pings. Then the heartbeat
    /// should be off.
    fn ping(&mut self, nonce: u64) -> Option<Self::Item>;

    /// The item that answers the peer's last ping; `None` if the transport answers by itself.
    fn pong(&mut self) -> Option<Self::Item>;

    /// The item that closes in order; `None` if closing the sink is all there is to it.
    fn close(&mut self) -> Option<Self::Item>;

    /// What an error means for the link.
    fn cause(&mut self, error: Self::Error) -> Cause;

    /// How many bytes the transport has handed to the network since it opened, if it knows:
    /// bytes that move let a pong take longer. `None` counts completed flushes only.
    fn written(&self, transport: &Self::Transport) -> Option<u64> {
        let _ = transport;
        None
    }

    /// How many bytes have come in from the network, if the transport knows: a part of a long
    /// frame on a slow line is a sign of life. `None` counts whole frames only.
    fn received(&self, transport: &Self::Transport) -> Option<u64> {
        let _ = transport;
        None
    }
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decoded<M> {
    /// A message for the application.
    Data(M),
    /// A ping of the peer.
    Ping,
    /// A pong, with the nonce that it carries.
    Pong(Option<u64>),
    /// The peer closes.
    Close(Closure),
    /// Something without a meaning here.
    Nothing,
}

/// A message that the transport can never carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooBig;

impl std::fmt::Display for TooBig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the message is larger than the transport can carry")
    }
}

impl std::error::Error for TooBig {}
