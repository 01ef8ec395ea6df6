//! The inline face: a `Stream` and `Sink` in the place of a transport, without a task or lock.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use futures_util::{Sink, Stream};
use redial::{
    Command, Event, Fate, Hint, IntentId, MessageId, Payload, Phase, Refused, SendOptions, Stats,
    Status,
};
use redial_adapter::Received;

use crate::clock::Clock;
use crate::codec::Codec;
use crate::connector::Connector;
use crate::engine::{Engine, Intake, Room, Seat, TokioLink, is_timeless};
use crate::error::{Error, Told};

/// A connection that keeps itself alive, as a [`Stream`] of messages and a [`Sink`] for them.
///
/// The stream yields messages over all connections, and ends when the link comes to rest: with
/// an error where it has failed. It is driven by being polled, so somebody has to await the
/// stream, or a flush, for anything to happen. Flushing waits until every accepted message was
/// written, over reconnects if need be, or acknowledged where it is to be; closing the sink drains the link, under the deadline
/// given to the builder, and then closes in order.
///
/// May be [split](futures_util::StreamExt::split): the halves can live in two tasks.
pub struct Reconnecting<C, D: Codec> {
    engine: Engine<C, D>,
    owned: Owned<D::Message>,
    clock: Clock,
    intake: Intake<D::Message>,
    /// The bytes of payload in `intake`.
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

impl<M: Payload> Seat<M> for Owned<M> {
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
        let timeless = is_timeless(link.config().outbox());
        let mut this = Self {
            engine,
            owned: Owned { link, detail: None },
            clock,
            intake: Intake::new(),
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

    /// Declares an intent, such as a subscription: it is written once in each session, ahead of
    /// messages, and again in a fresh one.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the message and the reason: the configuration has no session, the link
    /// drains, or as many intents stand as may.
    pub fn declare(&mut self, message: D::Message) -> Result<IntentId, Refused<D::Message>> {
        let declared = self.owned.link.declare(self.clock.now(), message);
        self.wakers.wake_by_ref();
        declared
    }

    /// Takes an intent back, with its message, if it stands: it is not written again.
    pub fn withdraw(&mut self, id: IntentId) -> Option<D::Message> {
        self.owned.link.withdraw(id)
    }

    /// What comes next: a message, or what happened to the sequence of messages: a new
    /// connection with what became of the session, messages of the peer that will not come. All
    /// of it in the order in which it happened; it ends as the stream does, which yields
    /// messages only.
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    pub async fn recv_told(&mut self) -> Option<Told<D::Message>> {
        std::future::poll_fn(|cx| self.poll_recv_told(cx)).await
    }

    /// Polls for what comes next, as [`recv_told`](Self::recv_told).
    pub fn poll_recv_told(&mut self, cx: &mut Context<'_>) -> Poll<Option<Told<D::Message>>> {
        self.poll_by(cx, Self::take_told)
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
            messages: self
                .room
                .messages
                .saturating_sub(self.intake.messages.len()),
            bytes: self.room.bytes.saturating_sub(self.held),
        };
        let known = self.intake.messages.len();
        let waker = self.waker.clone();
        let cx = &mut Context::from_waker(&waker);
        if self.wakers.stirred.swap(false, Ordering::Acquire) {
            self.engine.stir();
        }
        self.engine
            .turn(cx, &mut self.owned, &mut self.intake, room);
        for message in self.intake.messages.iter().skip(known) {
            self.held = self.held.saturating_add(message.size());
        }
        self.forget_fates();
    }

    /// The next message that was read.
    fn take(&mut self) -> Option<D::Message> {
        let message = self.intake.next_message()?;
        self.held = self.held.saturating_sub(message.size());
        Some(message)
    }

    /// The next message or notice.
    fn take_told(&mut self) -> Option<Received<D::Message>> {
        let told = self.intake.next()?;
        if let Received::Message(message) = &told {
            self.held = self.held.saturating_sub(message.size());
        }
        Some(told)
    }

    /// What is read next, driving the link for it.
    fn poll_by<T>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl Fn(&mut Self) -> Option<T>,
    ) -> Poll<Option<Result<T, Error<D::Message>>>> {
        if let Some(taken) = take(self) {
            return Poll::Ready(Some(Ok(taken)));
        }
        self.wakers.stream.register(cx.waker());
        self.drive();
        if self.has_room() {
            self.wakers.sink.wake();
        }
        if let Some(taken) = take(self) {
            return Poll::Ready(Some(Ok(taken)));
        }
        if !self.owned.link.phase().is_final() {
            return Poll::Pending;
        }
        match self.failed() {
            Some(error) if !self.told => {
                self.told = true;
                Poll::Ready(Some(Err(error)))
            }
            _ => Poll::Ready(None),
        }
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
        self.poll_by(cx, Self::take)
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
        if !this.intake.is_empty() {
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
        if !this.intake.is_empty() || this.owned.link.phase().is_final() {
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
        if !this.intake.is_empty() || this.owned.link.phase().is_final() {
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
