//! Where the link sits: owned by a face, or shared with handles under a lock, perhaps with a store.

use redial::{Epoch, Hello, IntentId};

use super::TokioLink;

/// Access to the link for the time of one call.
///
/// What has to wait for a store is asked here too. Without one nothing does.
pub(crate) trait Seat<M> {
    /// Does something with the link. Short: others may wait for it.
    fn with<R>(&mut self, act: impl FnOnce(&mut TokioLink<M>) -> R) -> R;

    /// The link's status changed.
    fn publish(&mut self);

    /// An attempt failed, in words.
    fn note(&mut self, detail: String);

    /// Makes a hello say only what is stored. It may be said when this mark is
    /// [passed](Self::is_past).
    fn hold(&mut self, hello: &mut Hello) -> u64 {
        let _ = hello;
        0
    }

    /// Whether everything up to this mark is stored.
    fn is_past(&mut self, mark: u64) -> bool {
        let _ = mark;
        true
    }

    /// Whether messages and intents may be written on the connection that is up.
    fn may_write(&mut self) -> bool {
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

    /// An intent was written with this number.
    fn numbered(&mut self, intent: IntentId, number: u64) {
        let _ = (intent, number);
    }
}
