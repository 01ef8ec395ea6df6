//! Messages on their way to the application: bounded, handed over in batches.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;
use redial::Payload;

use super::shared::Shared;
use crate::engine::Room;

/// What was read and not yet taken by the application.
pub(super) struct Inbox<M> {
    inner: Mutex<Inner<M>>,
    limit: Room,
}

struct Inner<M> {
    queue: VecDeque<M>,
    bytes: usize,
    /// The application, waiting for a message.
    receiver: Option<Waker>,
    /// The task, waiting for room.
    reader: Option<Waker>,
    /// The link rests.
    ended: bool,
    /// There is no task any more.
    closed: bool,
    /// Nobody will take anything any more.
    deaf: bool,
}

impl<M: Payload> Inbox<M> {
    pub(super) const fn new(limit: Room) -> Self {
        Self {
            inner: Mutex::new(Inner {
                queue: VecDeque::new(),
                bytes: 0,
                receiver: None,
                reader: None,
                ended: false,
                closed: false,
                deaf: false,
            }),
            limit,
        }
    }

    /// How much may be read now.
    pub(super) fn room(&self) -> Room {
        let inner = self.lock();
        Room {
            messages: self.limit.messages.saturating_sub(inner.queue.len()),
            bytes: self.limit.bytes.saturating_sub(inner.bytes),
        }
    }

    /// Hands over what was read.
    pub(super) fn deliver(&self, read: &mut VecDeque<M>) {
        if read.is_empty() {
            return;
        }
        let bytes: usize = read.iter().map(Payload::size).sum();
        let mut inner = self.lock();
        if inner.deaf {
            drop(inner);
            read.clear();
            return;
        }
        inner.bytes = inner.bytes.saturating_add(bytes);
        if inner.queue.is_empty() {
            std::mem::swap(&mut inner.queue, read);
        } else {
            inner.queue.append(read);
        }
        let receiver = inner.receiver.take();
        drop(inner);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }

    /// True if there is room; else the waker is called when there is.
    pub(super) fn wait_for_room(&self, waker: &Waker) -> bool {
        let mut inner = self.lock();
        let full = inner.queue.len() >= self.limit.messages || inner.bytes >= self.limit.bytes;
        if full && !inner.deaf {
            inner.reader = Some(waker.clone());
            false
        } else {
            true
        }
    }

    /// Whether the link rests, so that nothing more comes by itself.
    pub(super) fn set_ended(&self, ended: bool) {
        let mut inner = self.lock();
        inner.ended = ended;
        if ended {
            if let Some(receiver) = inner.receiver.take() {
                receiver.wake();
            }
        }
    }

    /// There is no task any more.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        if let Some(receiver) = inner.receiver.take() {
            receiver.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<M>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Receives what comes in, over all connections of a link.
///
/// It holds a bounded number of messages. While the application doesn't take them the adapter
/// stops reading, so that the peer is slowed down; then it can't see pongs either, so it
/// doesn't ping and calls nothing dead until the application reads on. When this is dropped,
/// what comes in is read and thrown away.
pub struct Incoming<M: Payload> {
    shared: Arc<Shared<M>>,
    /// Taken from the inbox, not yet by the application.
    batch: VecDeque<M>,
}

impl<M: Payload> Incoming<M> {
    pub(super) fn new(shared: Arc<Shared<M>>) -> Self {
        Self {
            shared,
            batch: VecDeque::new(),
        }
    }

    /// The next message, or `None` when the link has come to rest, closed or failed.
    ///
    /// If the link is started again, so is this. Cancel-safe: no message is lost when the
    /// future is dropped.
    pub async fn recv(&mut self) -> Option<M> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next message if one is here already.
    pub fn try_recv(&mut self) -> Option<M> {
        if self.batch.is_empty() {
            let shared = Arc::clone(&self.shared);
            self.refill(&mut shared.inbox.lock());
        }
        self.batch.pop_front()
    }

    /// Polls for the next message, as [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<M>> {
        if let Some(message) = self.batch.pop_front() {
            return Poll::Ready(Some(message));
        }
        let shared = Arc::clone(&self.shared);
        let mut inner = shared.inbox.lock();
        self.refill(&mut inner);
        match self.batch.pop_front() {
            Some(message) => Poll::Ready(Some(message)),
            None if inner.ended || inner.closed => Poll::Ready(None),
            None => {
                inner.receiver = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn refill(&mut self, inner: &mut Inner<M>) {
        std::mem::swap(&mut self.batch, &mut inner.queue);
        inner.bytes = 0;
        if let Some(reader) = inner.reader.take() {
            reader.wake();
        }
    }
}

impl<M: Payload> Stream for Incoming<M> {
    type Item = M;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<M>> {
        self.get_mut().poll_recv(cx)
    }
}

// Messages are moved, never pinned.
impl<M: Payload> Unpin for Incoming<M> {}

impl<M: Payload> Drop for Incoming<M> {
    fn drop(&mut self) {
        let mut inner = self.shared.inbox.lock();
        inner.deaf = true;
        inner.queue = VecDeque::new();
        inner.bytes = 0;
        if let Some(reader) = inner.reader.take() {
            reader.wake();
        }
    }
}

impl<M: Payload> std::fmt::Debug for Incoming<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming")
            .field("taken", &self.batch.len())
            .finish_non_exhaustive()
    }
}
