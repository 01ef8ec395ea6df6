//! An outbox that was written down goes on by another clock.

use core::time::Duration;

use super::queue::Outbox;
use crate::time::Instant;

impl<P> Outbox<P> {
    /// Goes on by another clock: what was `then` on the old one is `now`, and `away` has passed
    /// in between. Times to live have run on; batches and the pace begin anew.
    pub(crate) fn rebase(&mut self, then: Instant, now: Instant, away: Duration) {
        let moved = |at: Instant| match at.known() {
            Some(at) => now + at.since(then).saturating_sub(away),
            None => Instant::NEVER,
        };
        for entry in &mut self.entries {
            entry.accepted_at = now;
            entry.expires = moved(entry.expires);
        }
        self.first_expiry = moved(self.first_expiry);
        self.next_write = Instant::ORIGIN;
        self.resume_at = Instant::NEVER;
    }
}
