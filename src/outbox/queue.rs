//! The list itself: accept, peek, commit, expire, hand back. What the transport and the peer say
//! of what was written is in `settle`, what makes room in `room`,
//! how a message leaves in `ends`.

use alloc::collections::VecDeque;

use super::entry::Entry;
use super::limits::Limits;
use super::message::{
    Delivery, DropReason, Fate, MessageId, Outcome, Outgoing, Payload, Refused, RefusedReason,
    SendOptions,
};
use crate::epoch::Epoch;
use crate::time::Instant;

/// Messages queued and in flight, and fates not yet taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Outbox<P> {
    /// In flight first, then what was sent and is to be replayed, then what is queued.
    pub(super) entries: VecDeque<Entry<P>>,
    /// How many of `entries` are flushed and wait for their acknowledgement.
    pub(super) flushed: usize,
    /// How many of `entries` were committed on this connection: the cursor of the next write.
    pub(super) cursor: usize,
    /// How many of `entries` are in flight or to be replayed: nothing may drop them.
    pub(super) held: usize,
    /// Bytes committed and not flushed.
    pub(super) window_bytes: usize,
    pub(super) held_bytes: usize,
    /// Bytes of the payloads in `entries`.
    pub(super) live_bytes: usize,
    pub(super) fates: VecDeque<Fate<P>>,
    /// Bytes of the payloads in `fates`.
    pub(super) returned_bytes: usize,
    pub(super) accepted: u64,
    pub(super) fated: u64,
    /// The last sequence that was given to a message, that the peer can know of, that it has
    /// acknowledged.
    pub(super) sequences: u64,
    pub(super) sent: u64,
    pub(super) acked: u64,
    /// What the store has, where there is one: the last message.
    pub(super) stored: u64,
    pub(super) volatile: usize,
    /// No queued message expires before this.
    pub(super) first_expiry: Instant,
    /// When the pace lets the next message go.
    pub(super) next_write: Instant,
    /// A peek was turned down, by the pace or for a batch that is not full: the flush has to be
    /// asked for again at this time.
    pub(super) resume_at: Instant,
    /// How many more messages the open batch takes.
    pub(super) batch: usize,
}

impl<P> Default for Outbox<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> Outbox<P> {
    /// An empty outbox. It allocates with the first message.
    pub const fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            flushed: 0,
            cursor: 0,
            held: 0,
            window_bytes: 0,
            held_bytes: 0,
            live_bytes: 0,
            fates: VecDeque::new(),
            returned_bytes: 0,
            accepted: 0,
            fated: 0,
            sequences: 0,
            sent: 0,
            acked: 0,
            stored: 0,
            volatile: 0,
            first_expiry: Instant::NEVER,
            next_write: Instant::ORIGIN,
            resume_at: Instant::NEVER,
            batch: 0,
        }
    }

    /// Takes a message in.
    ///
    /// # Errors
    ///
    /// Refused, with the payload, if it is larger than all of the queue, if the queue is full
    /// and nothing may be dropped, or if too many fates wait to be taken.
    #[inline]
    pub fn push(
        &mut self,
        limits: &Limits,
        now: Instant,
        payload: P,
        options: SendOptions,
    ) -> Result<MessageId, Refused<P>>
    where
        P: Payload,
    {
        let size = payload.size();
        if size > limits.bytes {
            let limit = limits.bytes;
            let reason = RefusedReason::TooLarge { size, limit };
            return Err(Refused { reason, payload });
        }
        if !self.make_room(limits, size) {
            let reason = RefusedReason::Full;
            return Err(Refused { reason, payload });
        }
        let expires = match options.ttl.or(limits.ttl) {
            Some(ttl) => now + ttl,
            None => Instant::NEVER,
        };
        let sequence = match options.delivery.unwrap_or(limits.delivery) {
            Delivery::Acknowledged if !options.volatile => {
                self.sequences = self.sequences.saturating_add(1);
                self.sequences
            }
            _ => 0,
        };
        self.first_expiry = self.first_expiry.min(expires);
        self.accepted = self.accepted.wrapping_add(1);
        self.live_bytes = self.live_bytes.wrapping_add(size);
        self.volatile += usize::from(options.volatile);
        self.entries.push_back(Entry {
            id: self.accepted,
            sequence,
            size,
            accepted_at: now,
            expires,
            tried_on: None,
            tries: 0,
            strikes: 0,
            volatile: options.volatile,
            sent: false,
            resent: false,
            payload,
        });
        Ok(MessageId(self.accepted))
    }

    /// The next message to write, unless the window is full, the pace says to wait, a batch is
    /// to be filled first, or the store doesn't have it yet.
    pub fn peek(&mut self, limits: &Limits, now: Instant) -> Option<Outgoing<'_, P>> {
        self.expire(now);
        if self.prepare(limits, now) {
            self.front()
        } else {
            None
        }
    }

    /// Whether the next message may be written now. What is queued was expired already.
    #[inline]
    pub(crate) fn prepare(&mut self, limits: &Limits, now: Instant) -> bool {
        if self.cursor < self.held {
            self.weed(limits, now);
        }
        let Some(next) = self.entries.get(self.cursor) else {
            // What comes next begins a batch of its own.
            self.batch = 0;
            return false;
        };
        // A message larger than the window goes alone.
        let fits = self.window_bytes.saturating_add(next.size) <= limits.window;
        if !fits && self.cursor > self.flushed {
            return false;
        }
        !limits.is_gated() || self.pass_gate(limits, now)
    }

    /// What may hold a message back beside the window: the store, the pace, the batch.
    #[inline(never)]
    fn pass_gate(&mut self, limits: &Limits, now: Instant) -> bool {
        let unwritten = self.unwritten();
        let Some(next) = self.entries.get(self.cursor) else {
            return false;
        };
        if limits.durable && next.id > self.stored {
            return false;
        }
        if limits.pace.is_some() && now < self.next_write && self.batch == 0 {
            self.resume_at = self.next_write;
            return false;
        }
        if let Some(batch) = limits.batch.filter(|_| self.batch == 0) {
            let most = usize::from(batch.messages);
            let due = next.accepted_at + batch.delay;
            if unwritten >= most {
                self.batch = most;
            } else if next.is_held() || due <= now {
                self.batch = unwritten;
            } else {
                self.resume_at = due;
                return false;
            }
        }
        true
    }

    /// The next message.
    #[inline]
    pub(crate) fn front(&self) -> Option<Outgoing<'_, P>> {
        self.entries.get(self.cursor).map(Entry::outgoing)
    }

    /// The message that was accepted last, as long as it has no fate: what a store writes down.
    pub fn newest(&self) -> Option<Outgoing<'_, P>> {
        let newest = self.entries.back()?;
        (newest.id == self.accepted).then(|| newest.outgoing())
    }

    /// The last message of those in flight, or to be replayed.
    pub fn last_in_flight(&self) -> Option<MessageId> {
        let last = self.entries.get(self.held.checked_sub(1)?)?;
        Some(MessageId(last.id))
    }

    /// The peeked message was given to the transport: it is in flight now.
    ///
    /// False, and nothing changes, if `id` is not the next message.
    #[inline]
    pub fn commit(&mut self, limits: &Limits, now: Instant, epoch: Epoch, id: MessageId) -> bool {
        let Some(next) = self.entries.get_mut(self.cursor) else {
            return false;
        };
        if next.id != id.0 {
            return false;
        }
        next.tries = next.tries.saturating_add(1);
        next.tried_on = Some(epoch);
        self.sent = self.sent.max(next.sequence);
        // All that is held is within the limit of bytes, so no sum overflows.
        self.window_bytes = self.window_bytes.wrapping_add(next.size);
        if self.cursor >= self.held {
            self.held_bytes = self.held_bytes.wrapping_add(next.size);
            self.held += 1;
        }
        self.cursor += 1;
        if limits.is_gated() {
            self.batch = self.batch.saturating_sub(1);
            if let Some(pace) = limits.pace.filter(|_| self.batch == 0) {
                self.next_write = now + pace;
            }
        }
        true
    }

    /// The peeked message cannot be written, being over the transport's limit: drop it.
    ///
    /// False, and nothing changes, if `id` is not the next message.
    pub fn reject(&mut self, id: MessageId) -> bool {
        match self.entries.get(self.cursor) {
            Some(next) if next.id == id.0 => {
                self.drop_at(self.cursor, Outcome::Dropped(DropReason::TooBig));
                true
            }
            _ => false,
        }
    }

    /// Ends what is next in the replay and may not be written again: its time has passed, or it
    /// has no tries left. The peer doesn't have it, or it would not be replayed; unless the
    /// session is new, where nobody knows.
    fn weed(&mut self, limits: &Limits, now: Instant) {
        while let Some(next) = self.entries.get(self.cursor) {
            let outcome = if !next.is_held() {
                return;
            } else if next.expires <= now {
                Outcome::Expired
            } else if limits.max_tries.is_some_and(|most| next.tries >= most) {
                Outcome::Dropped(DropReason::Tries)
            } else {
                return;
            };
            if next.resent {
                self.hand_back(self.cursor, Outcome::Unknown);
            } else {
                self.drop_at(self.cursor, outcome);
            }
        }
    }

    /// Expires every queued message whose time has come.
    pub fn expire(&mut self, now: Instant) {
        if now < self.first_expiry {
            return;
        }
        self.sweep(|entry| (entry.expires <= now).then_some(Outcome::Expired));
    }

    /// Drops every queued message that the peer can't have.
    pub fn clear(&mut self) {
        let queued = self.held..self.entries.len();
        self.end_some(queued, |_| Some(Outcome::Dropped(DropReason::Cleared)));
        self.first_expiry = Instant::NEVER;
    }

    /// Hands every message back that is not in flight. One that was sent before and is to be
    /// replayed has an unknown fate.
    pub fn return_queued(&mut self) {
        self.end_some(self.cursor..self.entries.len(), |entry| {
            Some(if entry.is_held() {
                Outcome::Unknown
            } else {
                Outcome::Returned
            })
        });
        self.first_expiry = Instant::NEVER;
        self.resume_at = Instant::NEVER;
    }

    /// The next fate that was decided, oldest first. Taking it frees the message's slot.
    #[inline]
    pub fn poll_fate(&mut self) -> Option<Fate<P>>
    where
        P: Payload,
    {
        let fate = self.fates.pop_front()?;
        if let Some(payload) = &fate.payload {
            self.returned_bytes = self.returned_bytes.saturating_sub(payload.size());
        }
        Some(fate)
    }

    /// Gives the memory of empty slots back to the allocator.
    pub fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        self.fates.shrink_to_fit();
    }

    /// Lets the batch go that is not full yet.
    pub fn close_batch(&mut self) {
        self.batch = self.unwritten();
        if self.batch > 0 && self.resume_at.known().is_some() {
            self.resume_at = self.resume_at.min(self.next_write);
        }
    }

    /// The store has every message up to this one. The name of an intent says nothing of messages.
    pub fn stored(&mut self, through: MessageId) {
        if through.intent().is_none() {
            self.stored = self.stored.max(through.0.min(self.accepted));
        }
    }

    /// When something here is due: the earliest expiry, or a flush that was put off. It may be
    /// earlier than the truth after a message left, never later.
    #[inline]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.alarm().known()
    }

    #[inline]
    pub(crate) const fn first_expiry(&self) -> Instant {
        self.first_expiry
    }

    #[inline]
    pub(crate) fn alarm(&self) -> Instant {
        self.first_expiry.min(self.resume_at)
    }

    /// Whether a flush that was put off may go on; asked once.
    pub fn resume(&mut self, now: Instant) -> bool {
        let resume = now >= self.resume_at;
        if resume {
            self.resume_at = Instant::NEVER;
        }
        resume
    }

    /// Messages that wait to be written for the first time.
    #[inline]
    pub fn queued(&self) -> usize {
        self.entries.len().saturating_sub(self.held)
    }

    /// Messages given to a transport and not yet settled: neither reported flushed (at most
    /// once) nor acknowledged. Those that wait to be replayed count too.
    #[inline]
    pub const fn in_flight(&self) -> usize {
        self.held
    }

    /// Messages that are to be written on this connection: queued, or to be replayed.
    #[inline]
    pub fn unwritten(&self) -> usize {
        self.entries.len().saturating_sub(self.cursor)
    }

    /// Whether no message is queued or in flight.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of payload held, also by fates that hand one back.
    pub const fn bytes(&self) -> usize {
        self.live_bytes.saturating_add(self.returned_bytes)
    }

    /// Fates that wait to be taken.
    pub fn fates_waiting(&self) -> usize {
        self.fates.len()
    }

    /// Messages ever accepted, and messages whose fate was ever decided. The difference is
    /// always what is queued and in flight.
    pub const fn account(&self) -> (u64, u64) {
        (self.accepted, self.fated)
    }

    /// The last sequence that was given to a message, 0 for none.
    pub const fn last_sequence(&self) -> u64 {
        self.sequences
    }

    /// The highest sequence that the peer can know of, 0 for none: it was written, or was told to
    /// be gone.
    pub const fn last_written(&self) -> u64 {
        self.sent
    }

    /// The lowest sequence that may still be written: all before it is settled.
    pub fn first_sequence(&self) -> u64 {
        let next = self.sequences.saturating_add(1);
        let live = self.entries.iter().find(|entry| entry.is_acknowledged());
        live.map_or(next, |entry| entry.sequence)
    }

    /// The same, to be told to the peer: it passes over all before it.
    pub(crate) fn announce_first(&mut self) -> u64 {
        let first = self.first_sequence();
        self.sent = self.sent.max(first.saturating_sub(1));
        first
    }

    /// The last message that was committed on this connection and has no fate.
    pub(crate) fn last_committed(&self) -> MessageId {
        let last = self.cursor.checked_sub(1);
        let last = last.and_then(|index| self.entries.get(index));
        MessageId(last.map_or(0, |entry| entry.id))
    }

    /// Tells the end of a payload that was never a message of this list.
    pub(crate) fn tell(&mut self, id: MessageId, outcome: Outcome) {
        self.fates.push_back(Fate {
            id,
            outcome,
            payload: None,
        });
    }
}
