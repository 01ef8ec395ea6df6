//! An outbox as data that outlives its process, and back.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::entry::Entry;
use super::message::{Fate, MessageId, Outcome, Payload};
use super::queue::Outbox;
use crate::carryover::{Carried, Carryover};
use crate::time::Instant;

impl<P: Payload> Outbox<P> {
    /// All messages without a fate, and all fates not yet taken.
    pub(crate) fn into_carried(self, now: Instant) -> (Vec<Carried<P>>, Vec<Fate<P>>) {
        let in_flight = self.cursor;
        let carry = |(index, entry): (usize, Entry<P>)| Carried {
            id: MessageId(entry.id),
            sequence: entry.is_acknowledged().then_some(entry.sequence),
            // What was taken back was never anywhere.
            tries: if index < in_flight || entry.is_held() {
                entry.tries.max(1)
            } else {
                0
            },
            resent: entry.resent,
            ttl: entry.expires.known().map(|at| at.since(now)),
            payload: entry.payload,
        };
        // What was volatile was meant for a connection that is gone, but has no fate yet.
        let messages = self.entries.into_iter().enumerate().map(carry).collect();
        (messages, self.fates.into_iter().collect())
    }

    /// The outbox that was carried over, `away` later. At most once, what was in flight has an
    /// unknown fate now.
    pub(crate) fn revive(now: Instant, carryover: &mut Carryover<P>, away: Duration) -> Self {
        let mut outbox = Self::new();
        let messages = core::mem::take(&mut carryover.messages);
        outbox.accepted = carryover.accepted;
        outbox.stored = carryover.accepted;
        outbox.fated = carryover.accepted.saturating_sub(messages.len() as u64);
        outbox.sequences = carryover.sequences;
        outbox.fates = VecDeque::from(core::mem::take(&mut carryover.fates));
        let returned = outbox.fates.iter().filter_map(|fate| fate.payload.as_ref());
        outbox.returned_bytes = total(returned.map(Payload::size));
        for message in messages {
            outbox.take_over(now, message, away);
        }
        // Whatever lies before the first message that certainly was not written may have been: a
        // store that has lost its end leaves room for what it may have forgotten.
        let mut waiting = outbox.entries.iter().skip(outbox.held);
        let first = waiting.find(|entry| entry.is_acknowledged());
        outbox.sent = match first {
            Some(entry) => entry.sequence.saturating_sub(1),
            None => outbox.sequences,
        };
        outbox
    }

    fn take_over(&mut self, now: Instant, message: Carried<P>, away: Duration) {
        let size = message.payload.size();
        let expires = match message.ttl {
            Some(left) => now + left.saturating_sub(away),
            None => Instant::NEVER,
        };
        let sent = message.tries > 0;
        let entry = Entry {
            id: message.id.0,
            sequence: message.sequence.unwrap_or(0),
            size,
            accepted_at: now,
            expires,
            tried_on: None,
            tries: message.tries,
            strikes: 0,
            volatile: false,
            sent,
            resent: message.resent,
            payload: message.payload,
        };
        self.live_bytes = self.live_bytes.saturating_add(size);
        if entry.is_held() {
            self.held_bytes = self.held_bytes.saturating_add(size);
            self.held += 1;
        } else {
            self.first_expiry = self.first_expiry.min(expires);
        }
        self.entries.push_back(entry);
        if sent && message.sequence.is_none() {
            let last = self.entries.len().saturating_sub(1);
            self.hand_back(last, Outcome::Unknown);
        }
    }

    /// Whether all counts are those of what is held, as they always are but in data from outside.
    pub(crate) fn is_consistent(&self) -> bool {
        let sizes = |entries: usize, skip: usize| -> usize {
            let held = self.entries.iter().take(entries).skip(skip);
            total(held.map(|entry| entry.size))
        };
        let (mut id, mut sequence) = (0, 0);
        let ordered = self.entries.iter().all(|entry| {
            let follows = entry.id > id && (entry.sequence == 0 || entry.sequence > sequence);
            id = entry.id;
            sequence = sequence.max(entry.sequence);
            follows && entry.size == entry.payload.size()
        });
        let mut replay = self.entries.iter().take(self.held).skip(self.cursor);
        let mut waiting = self.entries.iter().skip(self.held);
        let fates = self.fates.iter().filter_map(|fate| fate.payload.as_ref());
        let live = self.entries.len() as u64;
        ordered
            && id <= self.accepted
            && MessageId(self.accepted).intent().is_none()
            && sequence <= self.sequences
            && self.sent <= self.sequences
            && self.acked <= self.sent
            && self.flushed <= self.cursor
            && self.cursor <= self.held
            && self.held <= self.entries.len()
            && replay.all(Entry::is_held)
            && !waiting.any(Entry::is_held)
            && self.accepted.checked_sub(self.fated) == Some(live)
            && self.live_bytes == sizes(self.entries.len(), 0)
            && self.held_bytes == sizes(self.held, 0)
            && self.window_bytes == sizes(self.cursor, self.flushed)
            && self.returned_bytes == total(fates.map(Payload::size))
            && self.volatile == self.entries.iter().filter(|entry| entry.volatile).count()
    }
}

/// A sum that can't overflow, whatever a payload says of its size.
pub(crate) fn total(sizes: impl Iterator<Item = usize>) -> usize {
    sizes.fold(0, usize::saturating_add)
}
