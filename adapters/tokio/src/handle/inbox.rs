//! Messages on their way to the application, and what is told between them: bounded, handed over
//! in batches.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;
use redial::Payload;
use redial_adapter::Received;

use super::shared::Shared;
use crate::engine::{Intake, Notices, Room};

/// What was read and not yet taken by the application.
pub(super) struct Inbox<M> {
    inner: Mutex<Inner<M>>,
    limit: Room,
    /// Where there is a store: how many messages the application is done with, and how many it
    /// has to be done with for the store to be told.
    done: AtomicU64,
    awaited: AtomicU64,
}

struct Inner<M> {
    queue: VecDeque<M>,
    notices: Notices,
    bytes: usize,
    /// Messages that were ever in the queue.
    delivered: u64,
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

impl<M: Payload + 'static> Inbox<M> {
    pub(super) fn new(limit: Room) -> Self {
        Self {
            inner: Mutex::new(Inner {
                queue: VecDeque::new(),
                notices: Notices::new(),
                bytes: 0,
                delivered: 0,
                receiver: None,
                reader: None,
                ended: false,
                closed: false,
                deaf: false,
            }),
            limit,
            done: AtomicU64::new(0),
            awaited: AtomicU64::new(u64::MAX),
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
    pub(super) fn deliver(&self, read: &mut Intake<M>) {
        if read.is_empty() {
            return;
        }
        let bytes: usize = read.messages.iter().map(Payload::size).sum();
        let mut inner = self.lock();
        if inner.deaf {
            drop(inner);
            if !read.messages.is_empty() {
                self.done.store(u64::MAX, Ordering::SeqCst);
            }
            read.discard();
            return;
        }
        inner.bytes = inner.bytes.saturating_add(bytes);
        let count = u64::try_from(read.messages.len()).unwrap_or(u64::MAX);
        inner.delivered = inner.delivered.saturating_add(count);
        let inner_mut = &mut *inner;
        read.pass_on(&mut inner_mut.queue, &mut inner_mut.notices);
        let receiver = inner.receiver.take();
        drop(inner);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }

    /// How many messages were ever handed over.
    pub(super) fn delivered(&self) -> u64 {
        self.lock().delivered
    }

    /// The application is done with so many messages. True if somebody waits for that.
    pub(super) fn set_done(&self, count: u64) -> bool {
        self.done.store(count, Ordering::SeqCst);
        count >= self.awaited.load(Ordering::SeqCst)
    }

    /// Somebody waits for so many. How many the application is done with now: who looks then
    /// misses none.
    pub(super) fn set_awaited(&self, count: Option<u64>) -> u64 {
        let count = count.unwrap_or(u64::MAX);
        self.awaited.store(count, Ordering::SeqCst);
        self.done.load(Ordering::SeqCst)
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
///
/// With a store, a message counts as received once the application comes back for the next, or
/// asks whether there is one: only then is it written down, and acknowledged to the peer. What it
/// had not come back from when the process died, comes again to the next one. A message that is
/// thrown away is received; those that were here when this was dropped are, with the first that
/// comes behind them.
///
/// As a stream it yields messages, as [`recv`](Self::recv) does.
pub struct Incoming<M: Payload + 'static> {
    shared: Arc<Shared<M>>,
    /// Taken from the inbox, not yet by the application.
    batch: Intake<M>,
    /// How many messages the application is known to be done with, where that matters.
    done: u64,
}

impl<M: Payload + 'static> Incoming<M> {
    pub(super) fn new(shared: Arc<Shared<M>>) -> Self {
        Self {
            shared,
            batch: Intake::new(),
            done: 0,
        }
    }

    /// The next message, or `None` when the link has come to rest, closed or failed. What is told
    /// between messages is passed over.
    ///
    /// If the link is started again, so is this. Cancel-safe: no message is lost when the
    /// future is dropped.
    pub async fn recv(&mut self) -> Option<M> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// What comes next: a message, or what happened to the sequence of messages: a new
    /// connection with what became of the session, messages of the peer that will not come. All
    /// of it in the order in which it happened. `None` when the link has come to rest.
    ///
    /// Without a session there is nothing but messages. Of many connections without a message
    /// between them, the last ones are told. Cancel-safe, as [`recv`](Self::recv) is.
    pub async fn recv_told(&mut self) -> Option<Received<M>> {
        std::future::poll_fn(|cx| self.poll_recv_told(cx)).await
    }

    /// The next message if one is here already.
    pub fn try_recv(&mut self) -> Option<M> {
        self.finish_last();
        if self.batch.messages.is_empty() {
            self.refill_now();
        }
        self.batch.next_message()
    }

    /// What comes next if it is here already, as [`recv_told`](Self::recv_told) gives it.
    pub fn try_recv_told(&mut self) -> Option<Received<M>> {
        self.finish_last();
        if self.batch.is_empty() {
            self.refill_now();
        }
        self.batch.next()
    }

    /// Polls for the next message, as [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<M>> {
        self.poll_by(cx, Intake::next_message)
    }

    /// Polls for what comes next, as [`recv_told`](Self::recv_told).
    pub fn poll_recv_told(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received<M>>> {
        self.poll_by(cx, Intake::next)
    }

    #[inline]
    fn poll_by<T>(
        &mut self,
        cx: &mut Context<'_>,
        next: impl Fn(&mut Intake<M>) -> Option<T>,
    ) -> Poll<Option<T>> {
        self.finish_last();
        if let Some(next) = next(&mut self.batch) {
            return Poll::Ready(Some(next));
        }
        let shared = Arc::clone(&self.shared);
        let mut inner = shared.inbox.lock();
        self.refill(&mut inner);
        match next(&mut self.batch) {
            Some(next) => Poll::Ready(Some(next)),
            None if inner.ended || inner.closed => Poll::Ready(None),
            None => {
                inner.receiver = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The application is back: it is done with what it was given.
    #[inline]
    fn finish_last(&mut self) {
        if self.shared.keeps && self.done != self.batch.handed {
            self.done = self.batch.handed;
            self.shared.done(self.done);
        }
    }

    fn refill_now(&mut self) {
        let shared = Arc::clone(&self.shared);
        self.refill(&mut shared.inbox.lock());
    }

    /// Takes all that is there, once no message is left here.
    fn refill(&mut self, inner: &mut Inner<M>) {
        std::mem::swap(&mut self.batch.messages, &mut inner.queue);
        if !inner.notices.is_empty() {
            self.batch.notices.append(&mut inner.notices);
        }
        inner.bytes = 0;
        if let Some(reader) = inner.reader.take() {
            reader.wake();
        }
    }
}

impl<M: Payload + 'static> Stream for Incoming<M> {
    type Item = M;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<M>> {
        self.get_mut().poll_recv(cx)
    }
}

// Messages are moved, never pinned.
impl<M: Payload + 'static> Unpin for Incoming<M> {}

impl<M: Payload + 'static> Drop for Incoming<M> {
    fn drop(&mut self) {
        let mut inner = self.shared.inbox.lock();
        inner.deaf = true;
        inner.queue = VecDeque::new();
        inner.notices.clear();
        inner.bytes = 0;
        if let Some(reader) = inner.reader.take() {
            reader.wake();
        }
    }
}

impl<M: Payload + 'static> std::fmt::Debug for Incoming<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming")
            .field("taken", &self.batch.messages.len())
            .finish_non_exhaustive()
    }
}
