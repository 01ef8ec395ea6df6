//! An open connection, and the room for what it brings.

use std::collections::VecDeque;

use redial::{Epoch, MessageId, Payload};

/// An open connection.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about two directions"
)]
pub(super) struct Line<T, M> {
    pub(super) epoch: Epoch,
    pub(super) transport: T,
    /// The application's handshake is not done.
    pub(super) greeting: bool,
    /// What the handshake says and is to be written.
    pub(super) hello: VecDeque<M>,
    /// The nonce of a ping to be written.
    pub(super) ping: Option<u64>,
    /// A pong is to be written.
    pub(super) pong: bool,
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
    pub(super) fn new(epoch: Epoch, transport: T) -> Self {
        Self {
            epoch,
            transport,
            greeting: false,
            hello: VecDeque::new(),
            ping: None,
            pong: false,
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
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(message.size().max(1));
    }
}
