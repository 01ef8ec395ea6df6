//! What a program holds of a link: sending, waiting, commands.

use std::sync::Arc;
use std::sync::mpsc::{RecvError, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant as Moment};

use redial::requests::RequestOptions;
use redial::session::{ServerId, SessionId};
use redial::{
    Command, Event, Fate, Hint, Instant, IntentId, MessageId, Payload, Phase, Refused, SendOptions,
    Stats, Status,
};
#[cfg(feature = "store")]
use redial_adapter::NotStored;
use redial_adapter::RequestFailed;
#[cfg(feature = "store")]
use redial_store::Report;

use crate::shared::Shared;

/// How long the last handle's drop lets queued messages flow on an open connection.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A link: send on it, watch it, tell it what to do. A clone is another handle of the same link.
///
/// When the last one is dropped the link closes: an open connection writes what is queued, for a
/// second at most, and ends with a close frame (WebSocket: 1000). A program that wants to know
/// what became of its messages calls [`drain`](Self::drain) before that.
///
/// Where the link has a store, that drop waits until the link has ended and its log is closed;
/// what is not written then, and nobody took the fate of, is there in the next process.
pub struct Handle<M: Payload> {
    pub(crate) shared: Arc<Shared<M>>,
}

impl<M: Payload> Handle<M> {
    /// Sends at once or not at all; what happens at a full queue is the configuration's
    /// [`Overflow`](redial::outbox::Overflow).
    ///
    /// # Errors
    ///
    /// [`Refused`], with the payload and the reason.
    pub fn try_send(&self, message: impl Into<M>) -> Result<MessageId, Refused<M>> {
        self.shared.try_send(message.into(), SendOptions::new())
    }

    /// Sends at once or not at all, with options of this one message.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the payload and the reason.
    pub fn send_with(
        &self,
        message: impl Into<M>,
        options: SendOptions,
    ) -> Result<MessageId, Refused<M>> {
        self.shared.try_send(message.into(), options)
    }

    /// Sends, waiting for room in the queue as long as it takes; nothing is dropped for it.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the payload: the link is closed, has failed or drains, now or while
    /// this waits, or the message is larger than all of the queue.
    pub fn send(&self, message: impl Into<M>) -> Result<MessageId, Refused<M>> {
        self.shared.send(message.into(), SendOptions::new(), None)
    }

    /// Sends, waiting for room in the queue for so long.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`Full`](redial::outbox::RefusedReason::Full) when the time
    /// is up.
    pub fn send_timeout(
        &self,
        message: impl Into<M>,
        timeout: Duration,
    ) -> Result<MessageId, Refused<M>> {
        let options = SendOptions::new();
        self.shared.send(message.into(), options, Some(timeout))
    }

    /// Asks something of the peer, and waits for the answer. Its message is asked again when an
    /// attempt times out, and on a new connection if need be, so the peer may see it more than
    /// once, always under the same number.
    ///
    /// Only where the builder was given [`requests`](crate::Builder::requests). The answer does
    /// not go to [`Incoming`](crate::Incoming); but while that is full nothing is read, answers
    /// neither. Requests go through the queue behind what is there, drop nothing for it, and have
    /// fates there as any message.
    ///
    /// # Errors
    ///
    /// [`RequestFailed`], with the message and the reason. It always ends: with the answer, at
    /// the last deadline, or with the link.
    pub fn request(&self, message: impl Into<M>) -> Result<M, RequestFailed<M>> {
        self.request_with(message, RequestOptions::new())
    }

    /// Asks as [`request`](Self::request) does, with options.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub fn request_with(
        &self,
        message: impl Into<M>,
        options: RequestOptions,
    ) -> Result<M, RequestFailed<M>> {
        self.shared.request(message.into(), options)
    }

    /// Declares an intent, such as a subscription: it is written once in each session, ahead of
    /// messages, until it is taken back by [`withdraw`](Self::withdraw).
    ///
    /// It waits for a connection as a message does, and outlives them. In a resumed session it is
    /// not written again; one that the peer refuses is tried again by a schedule of its own.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the payload: the link has no session, drains or has ended, or there are
    /// as many intents as may stand.
    pub fn declare(&self, intent: impl Into<M>) -> Result<IntentId, Refused<M>> {
        let intent = intent.into();
        self.shared.with(|core, now| core.declare(now, intent))
    }

    /// Takes an intent back: it is not written again. What the peer has made of it is for a
    /// message to undo. Gives its payload; `None` if it doesn't stand.
    pub fn withdraw(&self, intent: IntentId) -> Option<M> {
        self.shared.with(|core, _| core.withdraw(intent))
    }

    /// The session, and the run of the server, as they were last told.
    pub fn session(&self) -> (Option<SessionId>, Option<ServerId>) {
        self.shared.read(|core| core.link.session())
    }

    /// Forgets the session: the next connection begins a fresh one.
    pub fn forget_session(&self) {
        self.shared.with(|core, _| core.forget_session());
    }

    /// What becomes of messages from now on.
    ///
    /// A message keeps its slot in the queue until its fate is taken from here, so whoever asks
    /// for fates takes them. Several receivers share them: each fate goes to one. While there is
    /// no receiver, fates are thrown away and counted.
    pub fn fates(&self) -> Fates<M> {
        self.shared.with(|core, _| core.subscribe());
        Fates {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Fates that nobody wanted.
    pub fn discarded_fates(&self) -> u64 {
        self.shared.read(crate::core::Core::discarded_fates)
    }

    /// Where the link stands.
    pub fn status(&self) -> Status {
        self.shared.read(|core| core.link.status())
    }

    /// What happened so far, in numbers.
    pub fn stats(&self) -> Stats {
        self.shared.read(|core| core.link.stats())
    }

    /// The link's own clock, on which the instants of a [`Status`] lie.
    pub fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    /// The words that go with the end of the last attempt or connection; or with that of the
    /// store, once it has failed.
    pub fn last_error(&self) -> Option<String> {
        self.shared
            .read(|core| core.broken.as_ref().or(core.detail.as_ref()).cloned())
    }

    /// Waits until this message is stored: it is there in the next process, should this one end.
    ///
    /// A message with a fate is as good as stored. One that is volatile is in no store, and counts
    /// as what came before it.
    ///
    /// # Errors
    ///
    /// [`NotStored`]: it never will be.
    #[cfg(feature = "store")]
    pub fn stored(&self, message: MessageId) -> Result<(), NotStored> {
        self.shared.stored(message)
    }

    /// What was found in the log as it was opened; `None` without a
    /// [store](crate::Builder::store).
    #[cfg(feature = "store")]
    pub fn recovery(&self) -> Option<&Report> {
        self.shared.report.as_ref()
    }

    /// Waits until the status satisfies `condition`; `None` when `timeout` passed first.
    ///
    /// It is asked after every change, but what comes and goes within one turn of the link's
    /// thread is not seen; [`stats`](Self::stats) counts that too. It is asked under the link's
    /// lock: it must not use a handle.
    pub fn wait(&self, condition: impl Fn(&Status) -> bool, timeout: Duration) -> Option<Status> {
        self.shared
            .wait_for(Moment::now().checked_add(timeout), |core| {
                let status = core.link.status();
                condition(&status).then_some(status)
            })
    }

    /// Be connected from now on; nothing changes where the link tries already.
    pub fn start(&self) {
        self.command(Command::Start);
    }

    /// Dials now, out of a wait, out of failure, in place of an open connection.
    pub fn reconnect(&self) {
        self.command(Command::Reconnect);
    }

    /// Tells the link what the surroundings suggest.
    pub fn hint(&self, hint: Hint) {
        self.shared.command(Event::Hint(hint));
    }

    /// Drops every queued message.
    pub fn clear(&self) {
        self.command(Command::Clear);
    }

    /// Takes no new messages, writes the queued ones for at most this long, closes, and returns
    /// what could not be written.
    ///
    /// It waits for the end of all that, the close handshake included. A message of which nobody
    /// knows whether it arrived is not returned: its fate is
    /// [`Unknown`](redial::Outcome::Unknown). A receiver of [`fates`](Self::fates) is told
    /// `Returned` without the payload, which is here.
    pub fn drain(&self, within: Duration) -> Vec<M> {
        self.shared.with(|core, _| core.begin_drain());
        self.command(Command::Drain(within));
        self.shared.wait_for(None, |core| {
            let under_way = matches!(core.link.phase(), Phase::Draining | Phase::Closing);
            (!under_way).then_some(())
        });
        self.shared.with(|core, _| core.end_drain())
    }

    /// Closes and stays closed. What is queued is handed back as fates.
    ///
    /// This does not wait; [`wait`](Self::wait) for a phase that
    /// [is final](redial::Phase::is_final).
    pub fn disconnect(&self) {
        self.command(Command::Disconnect);
    }

    fn command(&self, command: Command) {
        self.shared.command(Event::Command(command));
    }
}

impl<M: Payload> Clone for Handle<M> {
    fn clone(&self) -> Self {
        self.shared.with(|core, _| core.handles += 1);
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<M: Payload> Drop for Handle<M> {
    fn drop(&mut self) {
        let (last, open) = self.shared.with(|core, _| {
            core.handles -= 1;
            (core.handles == 0, core.link.phase() == Phase::Connected)
        });
        if last {
            self.command(if open {
                Command::Drain(LAST_WORDS)
            } else {
                Command::Disconnect
            });
            self.shared.nudge();
            self.shared.await_log();
        }
    }
}

impl<M: Payload> std::fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// What became of messages, in order of decision.
///
/// Its methods are those of a receiver of a channel, which is disconnected when the link's thread
/// has ended.
pub struct Fates<M: Payload> {
    shared: Arc<Shared<M>>,
}

impl<M: Payload> Fates<M> {
    /// Waits for the next fate.
    ///
    /// # Errors
    ///
    /// When there are no more, and no handle that could bring any.
    pub fn recv(&self) -> Result<Fate<M>, RecvError> {
        self.next_until(None).ok_or(RecvError)
    }

    /// Waits for the next fate, for so long.
    ///
    /// # Errors
    ///
    /// When the time is up, or as [`recv`](Self::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Fate<M>, RecvTimeoutError> {
        self.next_until(Moment::now().checked_add(timeout))
            .ok_or_else(|| {
                if self.shared.read(|core| core.gone) {
                    RecvTimeoutError::Disconnected
                } else {
                    RecvTimeoutError::Timeout
                }
            })
    }

    /// The next fate, if there is one.
    ///
    /// # Errors
    ///
    /// When there is none now, or as [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<Fate<M>, TryRecvError> {
        self.shared
            .with(|core, _| core.next_fate().ok_or(core.gone))
            .map_err(|gone| {
                if gone {
                    TryRecvError::Disconnected
                } else {
                    TryRecvError::Empty
                }
            })
    }

    fn next_until(&self, until: Option<Moment>) -> Option<Fate<M>> {
        self.shared.wait_for(until, crate::core::Core::next_fate)
    }
}

impl<M: Payload> Drop for Fates<M> {
    fn drop(&mut self) {
        self.shared.with(|core, _| core.unsubscribe());
    }
}

impl<M: Payload> std::fmt::Debug for Fates<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fates").finish_non_exhaustive()
    }
}
