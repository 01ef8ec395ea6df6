//! Messages on their way in, bounded.

use std::sync::Arc;
use std::sync::mpsc::{RecvError, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant as Moment};

use redial::Payload;

use crate::shared::Shared;

/// The messages that come in, in order, over all connections of the link.
///
/// They are held up to a bound. Beyond it the link stops reading, so that TCP slows the server
/// down, until half of the bound is free again. While it does not read it can't see the answer
/// to its pings either; so they go on, but their silence is not held against the peer. A host
/// that is gone is still noticed then, by the kernel, where it can be asked to (Linux, Android):
/// bytes unacknowledged for as long as the heartbeat would wait end the connection. Elsewhere it
/// is noticed once reading goes on.
///
/// Without this receiver, once dropped, messages are counted and thrown away.
///
/// The methods are those of a receiver of a channel. It counts as disconnected while the link is
/// closed or has failed and nothing is left to take; after a start there may be messages again.
pub struct Incoming<M: Payload> {
    pub(crate) shared: Arc<Shared<M>>,
}

impl<M: Payload> Incoming<M> {
    /// Waits for the next message.
    ///
    /// # Errors
    ///
    /// When there is none and the link is closed or has failed.
    pub fn recv(&self) -> Result<M, RecvError> {
        self.shared.receive(None, true).map_err(|_| RecvError)
    }

    /// Waits for the next message, for so long.
    ///
    /// # Errors
    ///
    /// When the time is up, or as [`recv`](Self::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<M, RecvTimeoutError> {
        let until = Moment::now().checked_add(timeout);
        self.shared.receive(until, true).map_err(|over| {
            if over {
                RecvTimeoutError::Disconnected
            } else {
                RecvTimeoutError::Timeout
            }
        })
    }

    /// The next message, if there is one.
    ///
    /// # Errors
    ///
    /// When there is none now, or as [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<M, TryRecvError> {
        self.shared.receive(None, false).map_err(|over| {
            if over {
                TryRecvError::Disconnected
            } else {
                TryRecvError::Empty
            }
        })
    }
}

/// Messages until the link is closed or has failed.
impl<M: Payload> Iterator for Incoming<M> {
    type Item = M;

    fn next(&mut self) -> Option<M> {
        self.recv().ok()
    }
}

impl<M: Payload> Drop for Incoming<M> {
    fn drop(&mut self) {
        self.shared.deafen();
    }
}

impl<M: Payload> std::fmt::Debug for Incoming<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}
