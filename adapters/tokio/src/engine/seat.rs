//! Where the link sits: owned by a face, or shared with handles under a lock.

use super::TokioLink;

/// Access to the link for the time of one call.
pub(crate) trait Seat<M> {
    /// Does something with the link. Short: others may wait for it.
    fn with<R>(&mut self, act: impl FnOnce(&mut TokioLink<M>) -> R) -> R;

    /// The link's status changed.
    fn publish(&mut self);

    /// An attempt failed, in words.
    fn note(&mut self, detail: String);
}
