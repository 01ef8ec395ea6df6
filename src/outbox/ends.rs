//! How a message leaves the list: its place, its bytes and its fate, in one step.

use core::ops::Range;

use super::entry::Entry;
use super::message::{Fate, MessageId, Outcome};
use super::queue::Outbox;
use crate::time::Instant;

impl<P> Outbox<P> {
    /// Applies `judge` to every queued message, and finds anew when the first of them expires.
    pub(super) fn sweep(&mut self, judge: impl Fn(&Entry<P>) -> Option<Outcome>) {
        let mut first = Instant::NEVER;
        self.end_some(self.held..self.entries.len(), |entry| {
            let outcome = judge(entry);
            if outcome.is_none() {
                first = first.min(entry.expires);
            }
            outcome
        });
        self.first_expiry = first;
    }

    /// Ends those in `range` of which `judge` says so, in one linear pass that keeps the order.
    pub(super) fn end_some(
        &mut self,
        range: Range<usize>,
        mut judge: impl FnMut(&Entry<P>) -> Option<Outcome>,
    ) {
        if range.is_empty() {
            return;
        }
        let mut kept = 0;
        for seen in 0..self.entries.len() {
            let Some(entry) = self.entries.pop_front() else {
                break;
            };
            let judged = range.contains(&seen).then(|| judge(&entry));
            if let Some(outcome) = judged.flatten() {
                self.leave(kept, &entry);
                self.end(entry, outcome);
            } else {
                self.entries.push_back(entry);
                kept += 1;
            }
        }
    }

    /// Takes a message out, wherever it is.
    #[inline]
    pub(super) fn remove(&mut self, index: usize) -> Option<Entry<P>> {
        let entry = if index == 0 {
            self.entries.pop_front()?
        } else {
            self.entries.remove(index)?
        };
        self.leave(index, &entry);
        Some(entry)
    }

    /// Counts out a message that was taken out at this index.
    #[inline]
    fn leave(&mut self, index: usize, entry: &Entry<P>) {
        if index < self.held {
            self.held -= 1;
            self.held_bytes = self.held_bytes.wrapping_sub(entry.size);
            if index < self.cursor {
                self.cursor -= 1;
                if index < self.flushed {
                    self.flushed -= 1;
                } else {
                    self.window_bytes = self.window_bytes.wrapping_sub(entry.size);
                }
            }
        }
        self.live_bytes = self.live_bytes.wrapping_sub(entry.size);
        self.volatile = self.volatile.wrapping_sub(usize::from(entry.volatile));
    }

    /// Ends the first message, which is in flight.
    #[inline]
    pub(super) fn settle_front(&mut self, outcome: Outcome) {
        let Some(entry) = self.entries.pop_front() else {
            return;
        };
        if self.flushed > 0 {
            self.flushed -= 1;
        } else {
            self.window_bytes = self.window_bytes.wrapping_sub(entry.size);
        }
        self.cursor = self.cursor.wrapping_sub(1);
        self.held = self.held.wrapping_sub(1);
        self.held_bytes = self.held_bytes.wrapping_sub(entry.size);
        self.live_bytes = self.live_bytes.wrapping_sub(entry.size);
        self.volatile = self.volatile.wrapping_sub(usize::from(entry.volatile));
        self.decide(entry.id, outcome, None);
    }

    /// Ends a message whose payload is not handed back.
    #[inline]
    pub(super) fn drop_at(&mut self, index: usize, outcome: Outcome) {
        if let Some(entry) = self.remove(index) {
            self.decide(entry.id, outcome, None);
        }
    }

    /// Ends a message whose payload goes back to the user.
    pub(super) fn hand_back(&mut self, index: usize, outcome: Outcome) {
        if let Some(entry) = self.remove(index) {
            self.end(entry, outcome);
        }
    }

    /// Ends a message that was taken out; its payload goes back with the fates that say so.
    fn end(&mut self, entry: Entry<P>, outcome: Outcome) {
        if matches!(outcome, Outcome::Returned | Outcome::Unknown) {
            self.returned_bytes = self.returned_bytes.saturating_add(entry.size);
            self.decide(entry.id, outcome, Some(entry.payload));
        } else {
            self.decide(entry.id, outcome, None);
        }
    }

    #[inline]
    fn decide(&mut self, id: u64, outcome: Outcome, payload: Option<P>) {
        self.fated = self.fated.wrapping_add(1);
        self.fates.push_back(Fate {
            id: MessageId(id),
            outcome,
            payload,
        });
    }
}
