//! What two ends say to each other over a transport's messages: sequences, acknowledgements,
//! heartbeats and the handshake of a session, in the words of one protocol.

use redial::Ack;
use redial::inbox::Header;
use redial::outbox::Outgoing;
use redial::session::{Hello, Welcome};

use crate::{Failure, Greeting, Opening};

/// A protocol between two ends: its own handshake, ids, acknowledgements and heartbeats, mapped
/// to what a link knows.
///
/// One value serves a link for all its connections, one after the other; it is told of each by
/// [`begin`](Self::begin). It translates and decides nothing: what is sent when, what is kept and
/// what is seen twice is the link's to know. It is called on the way of all messages and under
/// the link's lock, so it must not wait, nor call its handle.
pub trait Protocol<M>: Send + 'static {
    /// A connection has opened: what is said first. `hello` is what a session needs to be
    /// resumed; a protocol without sessions ignores it and is ready when it likes. Under the
    /// `ready_deadline`, as any handshake.
    fn begin(&mut self, opening: Opening, hello: Hello) -> Greeting<M>;

    /// A message came in. What it means goes to `heard`, in order; nothing, if it means nothing.
    fn receive(&mut self, message: M, heard: &mut Vec<Heard<M>>);

    /// The message of the transport that carries this one of the application, with its
    /// [`sequence`](Outgoing::sequence) or its number as an [`intent`](Outgoing::intent).
    fn send(&mut self, outgoing: &Outgoing<'_, M>) -> M;

    /// Whether this message, which [`send`](Self::send) has made, may stand in a batch. One that
    /// may not goes alone, and what was gathered before it goes first. Only called where batching
    /// is configured.
    fn joins(&self, message: &M) -> bool {
        let _ = message;
        true
    }

    /// One message of the transport that carries several which [`send`](Self::send) has made, in
    /// their order: at least two, all of which [`join`](Self::joins). Only called where batching
    /// is configured.
    fn batch(&mut self, messages: Vec<M>) -> M;

    /// The message that acknowledges everything up to this sequence and this intent; `None` if
    /// the protocol has no acknowledgements.
    fn acknowledge(&mut self, sequence: u64, intents: u64) -> Option<M> {
        let _ = (sequence, intents);
        None
    }

    /// The message that pings the peer; `None` leaves it to the transport's own ping.
    fn ping(&mut self, nonce: u64) -> Option<M> {
        let _ = nonce;
        None
    }

    /// The message that answers the peer's last ping; `None` leaves it to the transport, also
    /// where the last ping was one of the transport's own.
    fn pong(&mut self) -> Option<M> {
        None
    }
}

/// What a message means that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard<M> {
    /// A message for the application, with its place if it has one.
    Message(Option<Header>, M),
    /// The peer acknowledges.
    Acked(Ack),
    /// The peer refuses this intent: it is tried again by a schedule of its own.
    IntentRefused(u64),
    /// A ping of the peer.
    Ping,
    /// A pong, with the nonce that it carries.
    Pong(Option<u64>),
    /// To be said at once, ahead of messages.
    Say(M),
    /// The session's handshake is done: messages may flow.
    Welcome(Welcome),
    /// The handshake of a protocol without sessions is done: messages may flow.
    Ready,
    /// This can't go on: the connection is dropped, and the cause decides what follows.
    Refused(Failure),
}
