//! Where the link sits: owned by a face, or shared with handles under a lock, perhaps with a store.

use redial::{Epoch, Hello, Instant, MessageId, Payload};

use super::TokioLink;

/// Access to the link for the time of one call.
///
/// What has to wait for a store is asked here too. Without one nothing does.
pub(crate) trait Seat<M: Payload> {
    /// Does something with the link. Short: others may wait for it.
    fn with<R>(&mut self, act: impl FnOnce(&mut TokioLink<M>) -> R) -> R;

    /// The link's status changed.
    fn publish(&mut self);

    /// An attempt failed, in words.
    fn note(&mut self, detail: String);

    /// Makes a hello say only what is stored.
    fn hold(&mut self, hello: Hello) -> Hello {
        hello
    }

    /// Whether messages and intents may be written on this connection.
    fn may_write(&mut self, epoch: Epoch) -> bool {
        let _ = epoch;
        true
    }

    /// Whether this may be acknowledged now; else it is [released](Self::released) in time.
    fn may_acknowledge(&mut self, epoch: Epoch, sequence: u64, intents: u64) -> bool {
        let _ = (epoch, sequence, intents);
        true
    }

    /// What may be acknowledged by now: a sequence, and the number of an intent.
    fn released(&mut self) -> Option<(Epoch, u64, u64)> {
        None
    }

    /// An intent was written with this number; without one, it can't be.
    fn numbered(&mut self, intent: MessageId, number: Option<u64>) {
        let _ = (intent, number);
    }

    /// The peer has refused the intent with this number.
    fn refuse_intent(&mut self, now: Instant, epoch: Epoch, number: u64) {
        self.with(|link| link.refuse_intent(now, epoch, number));
    }
}
