//! The handle: a cheap clone that sends, asks and commands while a task drives the engine.
//!
//! - `shared`, `inner`, `seat`: the link under its lock, and who waits for what;
//! - `task`: what is spawned;
//! - `inbox`: messages on their way to the application;
//! - `fates`: what became of sent messages;
//! - `desk`, `reply`: requests, and their answers;
//! - `keep`: what waits for a store, if there is one.

mod desk;
mod fates;
mod inbox;
mod inner;
mod keep;
mod reply;
mod seat;
mod shared;
mod task;

use std::sync::Arc;
use std::time::Duration;

use redial::requests::RequestOptions;
use redial::{
    Cause, Command, Event, Hint, IntentId, MessageId, Outcome, Payload, Refused, SendOptions,
    Stats, Status,
};
use tokio::sync::watch;

pub use self::fates::Fates;
pub use self::inbox::Incoming;
pub use self::reply::Reply;

pub(crate) use self::desk::Asking;
pub(crate) use self::task::{Wishes, spawn};

use self::shared::Shared;

/// Sends on a link and commands it. Clones are handles of the same link.
///
/// The link lives in a task of its own. When the last handle is dropped the link disconnects:
/// what is open is closed in order, under the close deadline, and the task ends. What is queued
/// then is lost, or stays in the store if there is one.
pub struct Handle<M: Payload + Send + 'static> {
    owner: Arc<Owner<M>>,
}

impl<M: Payload + Send + 'static> Clone for Handle<M> {
    fn clone(&self) -> Self {
        Self {
            owner: Arc::clone(&self.owner),
        }
    }
}

/// What all handles of a link own together.
struct Owner<M: Payload + Send + 'static> {
    shared: Arc<Shared<M>>,
}

impl<M: Payload + Send + 'static> Drop for Owner<M> {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

impl<M: Payload + Send + 'static> Handle<M> {
    fn new(shared: Arc<Shared<M>>) -> Self {
        Self {
            owner: Arc::new(Owner { shared }),
        }
    }

    /// Sends a message, without waiting: it is accepted now, and written as soon as messages
    /// flow, in order.
    ///
    /// Where the queue is full, its overflow policy decides, see
    /// [`Limits`](redial::outbox::Limits).
    ///
    /// # Errors
    ///
    /// [`Refused`], with the message and the reason.
    pub fn try_send(&self, message: M) -> Result<MessageId, Refused<M>> {
        self.try_send_with(message, SendOptions::new())
    }

    /// Sends a message as [`try_send`](Self::try_send) does, with options.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the message and the reason.
    pub fn try_send_with(&self, message: M, options: SendOptions) -> Result<MessageId, Refused<M>> {
        self.shared().push(message, options)
    }

    /// Sends a message, waiting until the queue has room for it without dropping another.
    ///
    /// Cancel-safe: a message is accepted in the moment in which this returns its name, and
    /// not at all if the future is dropped before.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the message and the reason; never for want of room.
    pub async fn send(&self, message: M) -> Result<MessageId, Refused<M>> {
        self.send_with(message, SendOptions::new()).await
    }

    /// Sends a message as [`send`](Self::send) does, with options.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the message and the reason; never for want of room.
    pub async fn send_with(
        &self,
        message: M,
        options: SendOptions,
    ) -> Result<MessageId, Refused<M>> {
        let shared = self.shared();
        let mut message = match shared.push_if_room(message, options) {
            Ok(sent) => return sent,
            Err(message) => message,
        };
        loop {
            let room = shared.room.notified();
            tokio::pin!(room);
            // What becomes free between the look and the wait counts.
            room.as_mut().enable();
            message = match shared.push_if_room(message, options) {
                Ok(sent) => return sent,
                Err(message) => message,
            };
            room.await;
        }
    }

    /// Asks something of the peer, and waits for the answer. Its message is asked again when an
    /// attempt times out, and on a new connection if need be, so the peer may see it more than
    /// once, always under the same number.
    ///
    /// Only where the builder was given [`requests`](crate::Builder::requests). The answer does
    /// not go to the [`Incoming`]. A store keeps no requests. Requests go through the queue behind what is there, drop nothing
    /// for it, and have fates there as any message. Dropping the future cancels it.
    pub fn request(&self, message: M) -> Reply<M> {
        self.request_with(message, RequestOptions::new())
    }

    /// Asks as [`request`](Self::request) does, with options.
    pub fn request_with(&self, message: M, options: RequestOptions) -> Reply<M> {
        match self.shared().ask(message, options) {
            Ok(id) => Reply::waiting(Arc::clone(self.shared()), id),
            Err(failed) => Reply::failed(failed),
        }
    }

    /// Declares an intent, such as a subscription: it is written once in each session, ahead of
    /// messages, and again in a fresh one. It stands, also while the link is closed, until it is
    /// [withdrawn](Self::withdraw).
    ///
    /// # Errors
    ///
    /// [`Refused`], with the message and the reason: the configuration has no session, the link
    /// drains, or as many intents stand as may.
    pub fn declare(&self, message: M) -> Result<IntentId, Refused<M>> {
        self.shared().declare(message)
    }

    /// Takes an intent back, with its message, if it stands: it is not written again. What the
    /// peer made of it is for a message of the application to undo.
    pub fn withdraw(&self, id: IntentId) -> Option<M> {
        self.shared().lock().withdraw(id)
    }

    /// What becomes of sent messages, from now on.
    ///
    /// While there is a receiver a message keeps its slot until its fate is received, so a
    /// receiver that is not read stops the queue at twice its limit. Without one fates are
    /// counted and discarded. With several, each fate goes to one of them.
    pub fn fates(&self) -> Fates<M> {
        Fates::new(Arc::clone(self.shared()))
    }

    /// Where the link stands now.
    pub fn status(&self) -> Status {
        self.shared().lock().link.status()
    }

    /// The status at each change of phase, the latest one first. Between two changes its
    /// numbers stand still; [`status`](Self::status) has the current ones.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.shared().watch.subscribe()
    }

    /// What happened so far, in numbers.
    pub fn stats(&self) -> Stats {
        self.shared().lock().link.stats()
    }

    /// Why the last failed attempt failed, in words, as the system or the server put it; or how
    /// the store has failed, once it has.
    pub fn last_error(&self) -> Option<String> {
        let inner = self.shared().lock();
        inner.broken.as_ref().or(inner.detail.as_ref()).cloned()
    }

    /// The time of the link's clock now, in which [`Status`] tells its instants.
    pub fn now(&self) -> redial::Instant {
        self.shared().clock.now()
    }

    /// Is connected from now on. Does nothing where the link already tries.
    pub fn start(&self) {
        self.shared().command(Event::Command(Command::Start));
    }

    /// Dials now, whatever the link does: out of a wait, out of `Failed`, in place of an open
    /// connection.
    pub fn reconnect(&self) {
        self.shared().command(Event::Command(Command::Reconnect));
    }

    /// Tells the link what something outside suggests: online, visible, another network.
    pub fn hint(&self, hint: Hint) {
        self.shared().command(Event::Hint(hint));
    }

    /// Drops every queued message.
    pub fn clear(&self) {
        self.shared().command(Event::Command(Command::Clear));
    }

    /// Takes no new messages, writes out what is queued for at most this long, waits within that
    /// time for the acknowledgement of what is to be acknowledged, then closes. Gives back what
    /// was not sent in time; what was sent and not acknowledged is told as a fate.
    ///
    /// Cancel-safe: the drain goes on when the future is dropped. What it would have given back
    /// then is told as a fate.
    pub async fn drain(&self, within: Duration) -> Vec<M> {
        self.end(Command::Drain(within)).await
    }

    /// Closes in order and stays closed, until [`start`](Self::start). Gives back what was
    /// queued.
    ///
    /// Cancel-safe, as [`drain`](Self::drain) is.
    pub async fn disconnect(&self) -> Vec<M> {
        self.end(Command::Disconnect).await
    }

    /// Waits until the link is at rest, closed or failed, and says why.
    pub async fn closed(&self) -> Option<Cause> {
        let mut watch = self.watch();
        let status = watch.wait_for(|status| status.phase.is_final()).await;
        // The sender lives as long as this handle.
        status.ok().and_then(|status| status.last_cause)
    }

    async fn end(&self, command: Command) -> Vec<M> {
        let shared = self.shared();
        let collecting = shared.collect();
        shared.command(Event::Command(command));
        self.closed().await;
        let mut back = Vec::new();
        let mut inner = shared.lock();
        let listened = inner.listeners > 0;
        while let Some(mut fate) = inner.poll_fate(true) {
            if fate.outcome == Outcome::Returned {
                back.extend(fate.payload.take());
            }
            if listened {
                inner.fates.push_back(fate);
            }
        }
        drop(inner);
        shared.told.notify_waiters();
        shared.room.notify_waiters();
        drop(collecting);
        back
    }

    fn shared(&self) -> &Arc<Shared<M>> {
        &self.owner.shared
    }
}

impl<M: Payload + Send + 'static> std::fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
