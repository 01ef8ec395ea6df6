//! What a driver asks of the store that keeps a link's messages over the end of its process.
//!
//! Here it is only named, so that a driver is the same with and without a store, whatever its
//! payloads are. The crate `redial-store` has the one that writes.

use std::fmt;
use std::io;
use std::sync::Arc;

use redial::rng::Seeded;
use redial::session::Hello;
use redial::{Action, Epoch, Instant, IntentId, Link, MessageId, Refused, SendOptions};

/// The books of a link: what is written down of it, and what waits for that.
///
/// A driver asks them under the lock under which it uses the link, and never changes messages,
/// intents or fates past them. They wait for nothing.
pub trait Books<P>: Send {
    /// Calls this whenever there is [news](Self::news) from now on, on any thread and under no
    /// lock of the store. It must not wait for the store.
    fn attach(&mut self, ring: Box<dyn Fn() + Send + Sync>);

    /// [`Link::send`], written down.
    ///
    /// # Errors
    ///
    /// Those of the link, and [`NotStored`](redial::outbox::RefusedReason::NotStored).
    fn send(
        &mut self,
        link: &mut Link<P, Seeded>,
        now: Instant,
        payload: P,
        options: SendOptions,
    ) -> Result<MessageId, Refused<P>>;

    /// Whether there is room for a message; true also where it is refused for another reason.
    fn has_room(&self, payload: &P) -> bool;

    /// [`Link::declare`], written down.
    ///
    /// # Errors
    ///
    /// Those of the link, and [`NotStored`](redial::outbox::RefusedReason::NotStored).
    fn declare(
        &mut self,
        link: &mut Link<P, Seeded>,
        now: Instant,
        payload: P,
    ) -> Result<IntentId, Refused<P>>;

    /// [`Link::withdraw`], written down.
    fn withdraw(&mut self, link: &mut Link<P, Seeded>, intent: IntentId) -> Option<P>;

    /// [`Link::refuse_intent`], written down.
    fn refuse_intent(
        &mut self,
        link: &mut Link<P, Seeded>,
        now: Instant,
        epoch: Epoch,
        number: u64,
    ) -> bool;

    /// Writes down what became of session and connection. To be called after everything that was
    /// done to the link, before its actions are taken.
    fn follow(&mut self, link: &Link<P, Seeded>);

    /// Whether messages and intents may be written now. To be asked before [`Link::peek`]; what
    /// comes in the way of it ends with news, and a flush of the link.
    fn may_write(&self, epoch: Epoch) -> bool;

    /// A message, or the intent that has this number now, was committed.
    fn committed(&mut self, id: MessageId, intent: Option<u64>);

    /// A message or an intent was rejected: [`Link::reject`].
    fn rejected(&mut self, id: MessageId);

    /// What is to be said of this link's hello: no more is seen than the log has as received, as
    /// the peer forgets the rest.
    fn hello(&self, hello: Hello) -> Hello;

    /// The application is done with what the link wants to acknowledge
    /// ([`Action::SendAck`]), which comes back as news when it may be carried out.
    fn received(&mut self, epoch: Epoch, sequence: u64, intents: u64);

    /// The fate of this message was taken: it won't come back.
    fn settled(&mut self, id: MessageId);

    /// The fate of this message was thrown away as nobody took it, and its payload with it: it is
    /// kept for the next process, unless this link goes on.
    fn abandoned(&mut self, id: MessageId);

    /// Whether the disk has failed. Nothing is ever written again, so there is no use in starting
    /// the link.
    fn has_failed(&self) -> bool;

    /// Whether there is news.
    fn has_news(&self) -> bool;

    /// What there is to tell the link, for the driver to do.
    fn news(&mut self) -> News;

    /// Whether this message is stored; `None` if not yet. One that is volatile is in no store,
    /// and counts as what came before it.
    fn is_stored(&self, id: MessageId) -> Option<Result<(), NotStored>>;

    /// What ends the log in order. It waits for the store, so it must not be called under a lock
    /// that what was [attached](Self::attach) takes.
    fn closer(&self) -> Box<dyn FnOnce() -> Result<(), Arc<io::Error>> + Send>;
}

/// What books have to tell their driver.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct News {
    /// For [`Event::Stored`](redial::Event::Stored), which goes to the link with any news.
    pub stored: Option<MessageId>,
    /// The acknowledgement that may be carried out now.
    pub ack: Option<Action>,
    /// The disk has failed, told once: the link is to be
    /// [disconnected](redial::Command::Disconnect), so that what was not written is handed back.
    pub failed: Option<Arc<io::Error>>,
}

/// Why a message is not stored, and won't be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NotStored {
    /// The link has no store.
    NoStore,
    /// It is no message of this link.
    NotKept,
    /// The disk has failed.
    Failed(Arc<io::Error>),
    /// The link has ended before.
    Closed,
}

impl fmt::Display for NotStored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStore => f.write_str("the link has no store"),
            Self::NotKept => f.write_str("it is no message of the link"),
            Self::Failed(error) => write!(f, "the disk failed under the store: {error}"),
            Self::Closed => f.write_str("the link ended before the message was stored"),
        }
    }
}

impl std::error::Error for NotStored {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(&**error),
            _ => None,
        }
    }
}
