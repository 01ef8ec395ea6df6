//! What a link needs of a protocol on a stream.

use redial::Payload;

use crate::error::Ended;
use crate::request::Request;
use crate::stream::Stream;

/// What came in.
#[derive(Debug)]
pub(crate) enum Inbound<M> {
    Message(M),
    Ping,
    Pong(Option<u64>),
}

/// The limits of messages, in bytes of payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) outgoing: usize,
    pub(crate) incoming: usize,
}

/// A handshake after one step.
#[cfg_attr(
    not(feature = "tungstenite"),
    expect(
        dead_code,
        reason = "framed TCP alone has no handshake that blocks or fails"
    )
)]
pub(crate) enum Step<W: Wire> {
    /// Messages can flow.
    Open(W),
    /// The socket has to do something first.
    Blocked(W::Handshake),
    /// The server sends us elsewhere; or that was a refusal.
    #[cfg(feature = "tungstenite")]
    Redirect(Box<Request>, Ended),
    /// It failed.
    Failed(Ended),
}

/// One connection on which messages flow, without ever waiting.
pub(crate) trait Wire: Sized + Send + 'static {
    type Message: Payload + Send + 'static;
    /// Whether its requests are those of framed TCP.
    const FRAMED: bool;
    /// A handshake under way.
    type Handshake: Send;

    /// Begins the handshake on a stream that has just been connected.
    fn begin(stream: Stream, request: &Request, sizes: Sizes) -> Step<Self>;

    /// Goes on with it.
    fn resume(handshake: Self::Handshake) -> Step<Self>;

    /// The next thing that came in; `None` while nothing more has.
    fn next(&mut self) -> Result<Option<Inbound<Self::Message>>, Ended>;

    /// Puts a message behind what waits to be written; false if it is over the limit.
    ///
    /// It only fills memory: nothing is written before [`flush`](Self::flush).
    fn put(&mut self, message: &Self::Message) -> Result<bool, Ended>;

    /// The longest message that can be put, in bytes.
    fn longest(&self) -> usize;

    /// Bytes put since all was last written.
    fn pending(&self) -> usize;

    /// Puts a ping.
    fn ping(&mut self, nonce: u64) -> Result<(), Ended>;

    /// Puts the answer to the peer's last ping, if the protocol doesn't do so by itself.
    fn pong(&mut self) -> Result<(), Ended>;

    /// Puts a close frame; nothing may be put after it.
    fn close(&mut self) -> Result<(), Ended>;

    /// Writes what was put; false while the socket is full.
    fn flush(&mut self) -> Result<bool, Ended>;

    fn stream(&mut self) -> &mut Stream;
}
