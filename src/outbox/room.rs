//! Room for a new message: what may be dropped for it, and what may not.

use super::limits::{Limits, Overflow};
use super::message::{DropReason, Outcome};
use super::queue::Outbox;

impl<P> Outbox<P> {
    /// Whether the next `size` bytes fit, dropping by policy if need be.
    #[inline]
    pub(super) fn make_room(&mut self, limits: &Limits, size: usize) -> bool {
        // Fates keep slots too; nothing but taking them frees those.
        let slots = self.entries.len().saturating_add(self.fates.len());
        if slots >= limits.messages.saturating_mul(2) {
            return false;
        }
        let full = self.entries.len() >= limits.messages
            || self.bytes().saturating_add(size) > limits.bytes;
        !full || self.drop_for(limits, size)
    }

    /// Drops queued messages until the next `size` bytes fit.
    #[inline(never)]
    fn drop_for(&mut self, limits: &Limits, size: usize) -> bool {
        // Drop nothing unless dropping helps: what the peer may have or is handed back stays.
        let fixed = self.held_bytes.saturating_add(self.returned_bytes);
        if self.held >= limits.messages || fixed.saturating_add(size) > limits.bytes {
            return false;
        }
        while self.entries.len() >= limits.messages
            || self.bytes().saturating_add(size) > limits.bytes
        {
            let victim = match limits.overflow {
                Overflow::RejectNew => return false,
                Overflow::DropOldest => self.held,
                Overflow::DropNewest => self.entries.len().saturating_sub(1),
            };
            self.drop_at(victim, Outcome::Dropped(DropReason::Overflow));
        }
        true
    }
}
