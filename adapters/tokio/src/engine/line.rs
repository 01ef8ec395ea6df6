//! An open connection, and the room for what it brings.

use std::collections::VecDeque;

use redial::{Epoch, MessageId, Payload};
use redial_adapter::Opening;

/// An open connection.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about two directions"
)]
pub(super) struct Line<T, M> {
    pub(super) epoch: Epoch,
    pub(super) transport: T,
    pub(super) opening: Opening,
    pub(super) stage: Stage,
    /// What the handshake and the protocol say and is to be written.
    pub(super) says: VecDeque<M>,
    /// The nonce of a ping to be written.
    pub(super) ping: Option<u64>,
    /// A pong is to be written.
    pub(super) pong: bool,
    /// A ping of the transport, and one of the protocol, came in and has no pong.
    pub(super) pinged: (bool, bool),
    /// What is to be acknowledged: a sequence, and the number of an intent.
    pub(super) ack: Option<(u64, u64)>,
    /// A message that the protocol has made already, as it could not join a batch.
    pub(super) aside: Option<(MessageId, M)>,
    /// So many messages go one by one, as they are too long together.
    pub(super) singly: usize,
    pub(super) closing: Closing,
    /// The link has messages to write.
    pub(super) wanted: bool,
    /// Something was given to the transport since the last completed flush.
    pub(super) dirty: bool,
    /// The transport can't take or move more now.
    pub(super) stalled: bool,
    /// The last message that was given to the transport and is not flushed.
    pub(super) committed: Option<MessageId>,
    /// The bytes that the transport had moved at the last look.
    pub(super) written: u64,
    /// The bytes that had come in at the last look.
    pub(super) received: u64,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The application's handshake hears what comes in.
    Greeting,
    /// The protocol is to begin.
    Begin,
    /// The protocol's own handshake is under way.
    Talking,
    /// Messages flow.
    Ready,
}

/// How far a close in order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// Not asked for.
    No,
    /// Asked for; the close frame is to be written.
    Wanted,
    /// Written and to be flushed; then the sink is closed.
    Sent,
    /// The sink is closed; the peer's end is awaited.
    Done,
}

impl<T, M> Line<T, M> {
    pub(super) fn new(epoch: Epoch, opening: Opening, stage: Stage, transport: T) -> Self {
        Self {
            epoch,
            transport,
            opening,
            stage,
            says: VecDeque::new(),
            ping: None,
            pong: false,
            pinged: (false, false),
            ack: None,
            aside: None,
            singly: 0,
            closing: Closing::No,
            wanted: false,
            dirty: false,
            stalled: false,
            committed: None,
            written: 0,
            received: 0,
        }
    }
}

/// How much may be read until the application takes some of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Messages.
    pub(crate) messages: usize,
    /// Bytes of payload; one message may always exceed them.
    pub(crate) bytes: usize,
}

impl Room {
    pub(crate) const fn is_empty(self) -> bool {
        self.messages == 0 || self.bytes == 0
    }

    pub(super) fn take<M: Payload>(&mut self, message: &M) {
        self.take_size(message.size());
    }

    pub(super) fn take_size(&mut self, size: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size.max(1));
    }
}
