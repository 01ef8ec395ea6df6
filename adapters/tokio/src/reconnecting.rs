//! The inline face: a `Stream` and `Sink` in the place of a transport, without a task or lock.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use futures_util::{Sink, Stream};
use redial::{
    Cause, Command, Event, Fate, Hint, MessageId, Payload, Phase, Refused, SendOptions, Stats,
    Status,
};

use crate::clock::Clock;
use crate::codec::Codec;
use crate::connector::Connector;
use crate::engine::{Engine, Room, Seat, TokioLink};

/// A connection that keeps itself alive, as a [`Stream`] of messages and a [`Sink`] for them.
///
/// The stream yields messages over all connections, and ends when the link comes to rest: with
/// an error where it has failed. It is driven by being polled, so somebody has to await the
/// stream, or a flush, for anything to happen. Flushing waits until every accepted message was
/// written, over reconnects if need be; closing the sink drains the link, under the deadline
/// given to the builder, and then closes in order.
///
/// May be [split](futures_util::StreamExt::split): the halves can live in two tasks.
pub struct Reconnecting<C, D: Codec> {
    engine: Engine<C, D>,
    owned: Owned<D::Message>,
    clock: Clock,
    inbox: VecDeque<D::Message>,
    /// The bytes of payload in `inbox`.
    held: usize,
    room: Room,
    wakers: Arc<Wakers>,
    waker: Waker,
    options: Options,
    timeless: bool,
    closing: bool,
    /// The failure was told.
    told: bool,
}

/// The link, owned.
struct Owned<M> {
    link: TokioLink<M>,
    detail: Option<String>,
}

impl<M> Seat<M> for Owned<M> {
    fn with<R>(&mut self, act: impl FnOnce(&mut TokioLink<M>) -> R) -> R {
        act(&mut self.link)
    }

    fn publish(&mut self) {}

    fn note(&mut self, detail: String) {
        self.detail = Some(detail);
    }
}

/// Who polls the two halves. Input, timers and room wake both, as either drives everything.
#[derive(Default)]
struct Wakers {
    stream: AtomicWaker,
    sink: AtomicWaker,
    /// Woken since the last turn.
    stirred: AtomicBool,
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.stirred.store(true, Ordering::Release);
        self.stream.wake();
        self.sink.wake();
    }
}

/// Why a message or a flush was not taken, or the stream ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error<M> {
    /// The message was not accepted; here it is.
    Refused(Refused<M>),
    /// The link has failed, for this reason.
    Failed(Option<Cause>),
}

impl<M> fmt::Display for Error<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Failed(Some(cause)) => write!(f, "the link has failed: {cause}"),
            Self::Failed(None) => f.write_str("the link has failed"),
        }
    }
}

impl<M: fmt::Debug> std::error::Error for Error<M> {}

impl<C, D> Reconnecting<C, D>
where
    C: Connector<D::Transport>,
    D: Codec,
{
    pub(crate) fn new(
        engine: Engine<C, D>,
        link: TokioLink<D::Message>,
        clock: Clock,
        room: Room,
        options: Options,
    ) -> Self {
        let wakers = Arc::new(Wakers::default());
        let limits = link.config().outbox();
        let timeless = limits.ttl.is_none() && limits.pace.is_none();
        let mut this = Self {
            engine,
            owned: Owned { link, detail: None },
            clock,
            inbox: VecDeque::new(),
            held: 0,
            room,
            waker: Waker::from(Arc::clone(&wakers)),
            wakers,
            options,
            timeless,
            closing: false,
            told: false,
        };
        if options.start {
            this.start();
        }
        this
    }

    /// Accepts a message with options, as [`Sink::start_send`] does without.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the message and the reason.
    pub fn send_with(
        &mut self,
        message: D::Message,
        options: SendOptions,
    ) -> Result<MessageId, Refused<D::Message>> {
        let now = if self.timeless && options == SendOptions::new() {
            // Nothing hangs on the time; the link takes this for the latest that it has seen.
            redial::Instant::ORIGIN
        } else {
            self.clock.now()
        };
        let sent = self.owned.link.send(now, message, options);
        self.forget_fates();
        sent
    }

    /// Is connected from now on. Does nothing where the link already tries.
    pub fn start(&mut self) {
        self.command(Event::Command(Command::Start));
    }

    /// Dials now, whatever the link does.
    pub fn reconnect(&mut self) {
        self.command(Event::Command(Command::Reconnect));
    }

    /// Closes in order and stays closed; await the stream's end.
    pub fn disconnect(&mut self) {
        self.command(Event::Command(Command::Disconnect));
    }

    /// Tells the link what something outside suggests.
    pub fn hint(&mut self, hint: Hint) {
        self.command(Event::Hint(hint));
    }

    /// What became of a message: the oldest fate not yet taken. Only where the builder was told
    /// to keep them; then somebody must take them.
    pub fn take_fate(&mut self) -> Option<Fate<D::Message>> {
        self.owned.link.poll_fate()
    }

    /// Where the link stands now.
    pub fn status(&self) -> Status {
        self.owned.link.status()
    }

    /// What happened so far, in numbers.
    pub fn stats(&self) -> Stats {
        self.owned.link.stats()
    }

    /// Why the last failed attempt failed, in words.
    pub fn last_error(&self) -> Option<&str> {
        self.owned.detail.as_deref()
    }

    fn command(&mut self, event: Event) {
        self.told = false;
        self.owned.link.handle(self.clock.now(), event);
        self.wakers.wake_by_ref();
    }

    /// Does everything that can be done now.
    fn drive(&mut self) {
        let room = Room {
            messages: self.room.messages.saturating_sub(self.inbox.len()),
            bytes: self.room.bytes.saturating_sub(self.held),
        };
        let known = self.inbox.len();
        let waker = self.waker.clone();
        let cx = &mut Context::from_waker(&waker);
        if self.wakers.stirred.swap(false, Ordering::Acquire) {
            self.engine.stir();
        }
        self.engine.turn(cx, &mut self.owned, &mut self.inbox, room);
        for message in self.inbox.iter().skip(known) {
            self.held = self.held.saturating_add(message.size());
        }
        self.forget_fates();
    }

    /// The next message that was read.
    fn take(&mut self) -> Option<D::Message> {
        let message = self.inbox.pop_front()?;
        self.held = self.held.saturating_sub(message.size());
        Some(message)
    }

    /// Throws fates away that nobody will take.
    fn forget_fates(&mut self) {
        if !self.options.keep_fates {
            while self.owned.link.poll_fate().is_some() {}
        }
    }

    fn has_room(&self) -> bool {
        let (limits, outbox) = (self.owned.link.config().outbox(), self.owned.link.outbox());
        let live = outbox.queued() + outbox.in_flight();
        live < limits.messages
            && live + outbox.fates_waiting() < limits.messages.saturating_mul(2)
            && outbox.bytes() < limits.bytes
    }

    fn failed(&self) -> Option<Error<D::Message>> {
        let status = self.owned.link.status();
        (status.phase == Phase::Failed).then_some(Error::Failed(status.last_cause))
    }
}

/// What a builder says beside the configuration.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) start: bool,
    pub(crate) drain_within: Duration,
    pub(crate) keep_fates: bool,
}

impl<C, D: Codec> Unpin for Reconnecting<C, D> {}

impl<C, D> Stream for Reconnecting<C, D>
where
    C: Connector<D::Transport>,
    D: Codec,
{
    type Item = Result<D::Message, Error<D::Message>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(message) = this.take() {
            return Poll::Ready(Some(Ok(message)));
        }
        this.wakers.stream.register(cx.waker());
        this.drive();
        if this.has_room() {
            this.wakers.sink.wake();
        }
        if let Some(message) = this.take() {
            return Poll::Ready(Some(Ok(message)));
        }
        if !this.owned.link.phase().is_final() {
            return Poll::Pending;
        }
        match this.failed() {
            Some(error) if !this.told => {
                this.told = true;
                Poll::Ready(Some(Err(error)))
            }
            _ => Poll::Ready(None),
        }
    }
}

impl<C, D> Sink<D::Message> for Reconnecting<C, D>
where
    C: Connector<D::Transport>,
    D: Codec,
{
    type Error = Error<D::Message>;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = &mut *self;
        // A link at rest is ready to refuse.
        if this.has_room() || this.owned.link.phase().is_final() {
            return Poll::Ready(Ok(()));
        }
        this.wakers.sink.register(cx.waker());
        this.drive();
        if !this.inbox.is_empty() {
            this.wakers.stream.wake();
        }
        if this.has_room() || this.owned.link.phase().is_final() {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    fn start_send(mut self: Pin<&mut Self>, message: D::Message) -> Result<(), Self::Error> {
        match self.send_with(message, SendOptions::new()) {
            Ok(_) => Ok(()),
            Err(refused) => Err(Error::Refused(refused)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = &mut *self;
        this.wakers.sink.register(cx.waker());
        this.drive();
        if !this.inbox.is_empty() || this.owned.link.phase().is_final() {
            this.wakers.stream.wake();
        }
        if this.owned.link.outbox().is_empty() {
            return Poll::Ready(Ok(()));
        }
        match this.failed() {
            Some(error) => Poll::Ready(Err(error)),
            None => Poll::Pending,
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = &mut *self;
        this.wakers.sink.register(cx.waker());
        if !this.closing {
            this.closing = true;
            let drain = Command::Drain(this.options.drain_within);
            this.command(Event::Command(drain));
        }
        this.drive();
        if !this.inbox.is_empty() || this.owned.link.phase().is_final() {
            this.wakers.stream.wake();
        }
        if this.owned.link.phase().is_final() {
            this.closing = false;
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }
}

impl<C, D: Codec> fmt::Debug for Reconnecting<C, D>
where
    D::Message: Payload,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnecting")
            .field("status", &self.owned.link.status())
            .finish_non_exhaustive()
    }
}
