//! Messages on their way in, bounded.

use std::sync::Arc;
use std::sync::mpsc::{RecvError, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant as Moment};

use redial::Payload;
use redial_adapter::Received;

use crate::inbox::Inbox;
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
/// Acknowledgements and answers to requests wait in the same line: while nothing is taken here
/// they are not read either.
///
/// Without this receiver, once dropped, messages are counted and thrown away.
///
/// Where the link has a session, [`recv_told`](Self::recv_told) and its two siblings also tell,
/// between messages, what became of the session on each new connection and which messages are
/// missing. The other methods give messages only, and pass those notices over.
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
        self.wait(None, Inbox::take).map_err(|_| RecvError)
    }

    /// Waits for the next message, for so long.
    ///
    /// # Errors
    ///
    /// When the time is up, or as [`recv`](Self::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<M, RecvTimeoutError> {
        self.wait_for(timeout, Inbox::take)
    }

    /// The next message, if there is one.
    ///
    /// # Errors
    ///
    /// When there is none now, or as [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<M, TryRecvError> {
        self.look(Inbox::take)
    }

    /// Waits for what comes next, with what is told of the session and of gaps.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_told(&self) -> Result<Received<M>, RecvError> {
        self.wait(None, Inbox::take_told).map_err(|_| RecvError)
    }

    /// Waits for what comes next, with what is told of the session and of gaps, for so long.
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](Self::recv_timeout).
    pub fn recv_told_timeout(&self, timeout: Duration) -> Result<Received<M>, RecvTimeoutError> {
        self.wait_for(timeout, Inbox::take_told)
    }

    /// What comes next, with what is told of the session and of gaps, if there is something.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_told(&self) -> Result<Received<M>, TryRecvError> {
        self.look(Inbox::take_told)
    }

    fn wait<T>(
        &self,
        until: Option<Moment>,
        take: impl Fn(&mut Inbox<M>) -> Option<T>,
    ) -> Result<T, bool> {
        self.shared.receive(until, true, take)
    }

    fn wait_for<T>(
        &self,
        timeout: Duration,
        take: impl Fn(&mut Inbox<M>) -> Option<T>,
    ) -> Result<T, RecvTimeoutError> {
        let until = Moment::now().checked_add(timeout);
        self.wait(until, take).map_err(|over| {
            if over {
                RecvTimeoutError::Disconnected
            } else {
                RecvTimeoutError::Timeout
            }
        })
    }

    fn look<T>(&self, take: impl Fn(&mut Inbox<M>) -> Option<T>) -> Result<T, TryRecvError> {
        self.shared.receive(None, false, take).map_err(|over| {
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
