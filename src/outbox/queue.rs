//! The list itself: accept, peek, commit, flushed, take back, expire, hand back.

use alloc::collections::VecDeque;

use super::limits::{Limits, Overflow};
use super::message::{
    DropReason, Fate, MessageId, Outcome, Outgoing, Payload, Refused, RefusedReason, SendOptions,
};
use crate::epoch::Epoch;
use crate::time::Instant;

/// Messages queued and in flight, and fates not yet taken.
#[derive(Clone, Debug)]
pub struct Outbox<P> {
    /// In flight first, then queued.
    entries: VecDeque<Entry<P>>,
    /// How many of `entries` are in flight.
    in_flight: usize,
    in_flight_bytes: usize,
    /// Bytes of the payloads in `entries`.
    live_bytes: usize,
    fates: VecDeque<Fate<P>>,
    /// Bytes of the payloads in `fates`.
    returned_bytes: usize,
    accepted: u64,
    fated: u64,
    volatile: usize,
    /// No queued message expires before this.
    first_expiry: Instant,
    /// When the pace lets the next message go.
    next_write: Instant,
    /// A peek was turned down by the pace: the flush has to be asked for again.
    paced: bool,
}

#[derive(Clone, Debug)]
struct Entry<P> {
    id: u64,
    size: usize,
    expires: Instant,
    /// The last epoch it was written on.
    tried_on: Option<Epoch>,
    tries: u16,
    /// How often the peer refused for its size a connection on which this was written.
    strikes: u8,
    volatile: bool,
    payload: P,
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
            in_flight: 0,
            in_flight_bytes: 0,
            live_bytes: 0,
            fates: VecDeque::new(),
            returned_bytes: 0,
            accepted: 0,
            fated: 0,
            volatile: 0,
            first_expiry: Instant::NEVER,
            next_write: Instant::ORIGIN,
            paced: false,
        }
    }

    /// Takes a message in.
    ///
    /// # Errors
    ///
    /// Refused, with the payload, if it is larger than all of the queue, if the queue is full
    /// and nothing may be dropped, or if too many fates wait to be taken.
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
        self.first_expiry = self.first_expiry.min(expires);
        self.accepted = self.accepted.saturating_add(1);
        self.live_bytes = self.live_bytes.saturating_add(size);
        self.volatile += usize::from(options.volatile);
        self.entries.push_back(Entry {
            id: self.accepted,
            size,
            expires,
            tried_on: None,
            tries: 0,
            strikes: 0,
            volatile: options.volatile,
            payload,
        });
        Ok(MessageId(self.accepted))
    }

    /// The next message to write, unless the window is full or the pace says to wait.
    pub fn peek(&mut self, limits: &Limits, now: Instant) -> Option<Outgoing<'_, P>> {
        if now >= self.first_expiry {
            self.expire(now);
        }
        let next = self.entries.get(self.in_flight)?;
        // A message larger than the window goes alone.
        let fits = self.in_flight_bytes.saturating_add(next.size) <= limits.window;
        if !fits && self.in_flight > 0 {
            return None;
        }
        if limits.pace.is_some() && now < self.next_write {
            self.paced = true;
            return None;
        }
        Some(Outgoing {
            id: MessageId(next.id),
            tries: next.tries,
            sequence: None,
            intent: None,
            resent: false,
            payload: &next.payload,
        })
    }

    /// The peeked message was given to the transport: it is in flight now.
    ///
    /// False, and nothing changes, if `id` is not the next message.
    pub fn commit(&mut self, limits: &Limits, now: Instant, epoch: Epoch, id: MessageId) -> bool {
        let Some(next) = self.entries.get_mut(self.in_flight) else {
            return false;
        };
        if next.id != id.0 {
            return false;
        }
        next.tries = next.tries.saturating_add(1);
        next.tried_on = Some(epoch);
        self.in_flight += 1;
        self.in_flight_bytes = self.in_flight_bytes.saturating_add(next.size);
        if let Some(pace) = limits.pace {
            self.next_write = now + pace;
        }
        true
    }

    /// The peeked message cannot be written, being over the transport's limit: drop it.
    ///
    /// False, and nothing changes, if `id` is not the next message.
    pub fn reject(&mut self, id: MessageId) -> bool {
        match self.entries.get(self.in_flight) {
            Some(next) if next.id == id.0 => {
                self.drop_at(self.in_flight, Outcome::Dropped(DropReason::TooBig));
                true
            }
            _ => false,
        }
    }

    /// The transport reported everything up to `through` flushed.
    pub fn flushed(&mut self, through: MessageId) {
        while self.in_flight > 0 && self.entries.front().is_some_and(|e| e.id <= through.0) {
            self.drop_at(0, Outcome::Written);
        }
    }

    /// The transport knows that it did not write `from` and what came after: they are queued
    /// again, in their place, as long as they have tries left.
    pub fn take_back(&mut self, limits: &Limits, from: MessageId) {
        let mut kept = self.in_flight;
        while let Some(entry) = kept.checked_sub(1).and_then(|i| self.entries.get(i)) {
            if entry.id < from.0 {
                break;
            }
            self.in_flight_bytes = self.in_flight_bytes.saturating_sub(entry.size);
            self.first_expiry = self.first_expiry.min(entry.expires);
            kept -= 1;
        }
        let back = self.in_flight - kept;
        self.in_flight = kept;
        let Some(max_tries) = limits.max_tries else {
            return;
        };
        let mut index = kept;
        for _ in 0..back {
            match self.entries.get(index) {
                Some(entry) if entry.tries >= max_tries => {
                    self.drop_at(index, Outcome::Dropped(DropReason::Tries));
                }
                _ => index += 1,
            }
        }
    }

    /// The connection ended: what was in flight has an unknown fate, and what was only meant
    /// for that connection expires.
    pub fn lose(&mut self) {
        while self.in_flight > 0 {
            self.hand_back(0, Outcome::Unknown);
        }
        if self.volatile > 0 {
            self.sweep(|entry| entry.volatile.then_some(Outcome::Expired));
        }
        self.paced = false;
    }

    /// The peer closed `epoch` because a message was too big. The second time that this meets
    /// the same messages, the largest of them is dropped. Call it before [`lose`](Self::lose).
    pub fn strike(&mut self, epoch: Epoch) {
        let mut largest: Option<(usize, usize)> = None;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if entry.tried_on != Some(epoch) {
                continue;
            }
            entry.strikes = entry.strikes.saturating_add(1);
            if entry.strikes >= 2 && largest.is_none_or(|(_, size)| entry.size > size) {
                largest = Some((index, entry.size));
            }
        }
        if let Some((index, _)) = largest {
            self.drop_at(index, Outcome::Dropped(DropReason::TooBig));
        }
    }

    /// Expires every queued message whose time has come.
    pub fn expire(&mut self, now: Instant) {
        if now < self.first_expiry {
            return;
        }
        self.sweep(|entry| (entry.expires <= now).then_some(Outcome::Expired));
    }

    /// Drops every queued message.
    pub fn clear(&mut self) {
        while self.entries.len() > self.in_flight {
            self.drop_at(self.in_flight, Outcome::Dropped(DropReason::Cleared));
        }
        self.first_expiry = Instant::NEVER;
    }

    /// Hands every queued message back.
    pub fn return_queued(&mut self) {
        while self.entries.len() > self.in_flight {
            self.hand_back(self.in_flight, Outcome::Returned);
        }
        self.first_expiry = Instant::NEVER;
        self.paced = false;
    }

    /// The next fate that was decided, oldest first. Taking it frees the message's slot.
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

    /// When something here is due: the earliest expiry, or the pace of a flush. It may be
    /// earlier than the truth after a message left, never later.
    pub fn next_deadline(&self) -> Option<Instant> {
        let pace = if self.paced {
            self.next_write
        } else {
            Instant::NEVER
        };
        self.first_expiry.min(pace).known()
    }

    /// Whether something here is due.
    #[inline]
    pub fn is_due(&self, now: Instant) -> bool {
        self.first_expiry <= now || (self.paced && self.next_write <= now)
    }

    /// Whether a flush that the pace had stopped may go on; asked once.
    pub fn resume_pace(&mut self, now: Instant) -> bool {
        let resume = self.paced && now >= self.next_write;
        self.paced &= !resume;
        resume
    }

    /// Messages that wait to be written.
    pub fn queued(&self) -> usize {
        self.entries.len().saturating_sub(self.in_flight)
    }

    /// Messages given to the transport and not yet reported flushed.
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether no message is queued or in flight.
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

    /// Whether the next `size` bytes fit, dropping by policy if need be.
    fn make_room(&mut self, limits: &Limits, size: usize) -> bool {
        // Fates keep slots too; nothing but taking them frees those.
        let slots = self.entries.len().saturating_add(self.fates.len());
        if slots >= limits.messages.saturating_mul(2) {
            return false;
        }
        // Drop nothing unless dropping helps: what is in flight or handed back stays.
        let fixed = self.in_flight_bytes.saturating_add(self.returned_bytes);
        if self.in_flight >= limits.messages || fixed.saturating_add(size) > limits.bytes {
            return false;
        }
        while self.entries.len() >= limits.messages
            || self.bytes().saturating_add(size) > limits.bytes
        {
            let victim = match limits.overflow {
                Overflow::RejectNew => return false,
                Overflow::DropOldest => self.in_flight,
                Overflow::DropNewest => self.entries.len().saturating_sub(1),
            };
            self.drop_at(victim, Outcome::Dropped(DropReason::Overflow));
        }
        true
    }

    /// Applies `judge` to every queued message, in one linear pass that keeps the order.
    fn sweep(&mut self, judge: impl Fn(&Entry<P>) -> Option<Outcome>) {
        let in_flight = self.in_flight;
        self.first_expiry = Instant::NEVER;
        for seen in 0..self.entries.len() {
            let Some(entry) = self.entries.pop_front() else {
                break;
            };
            let queued = seen >= in_flight;
            if let Some(outcome) = queued.then(|| judge(&entry)).flatten() {
                self.live_bytes = self.live_bytes.saturating_sub(entry.size);
                self.volatile = self.volatile.saturating_sub(usize::from(entry.volatile));
                self.decide(entry.id, outcome, None);
            } else {
                if queued {
                    self.first_expiry = self.first_expiry.min(entry.expires);
                }
                self.entries.push_back(entry);
            }
        }
    }

    fn remove(&mut self, index: usize) -> Option<Entry<P>> {
        let entry = if index == 0 {
            self.entries.pop_front()?
        } else {
            self.entries.remove(index)?
        };
        if index < self.in_flight {
            self.in_flight -= 1;
            self.in_flight_bytes = self.in_flight_bytes.saturating_sub(entry.size);
        }
        self.live_bytes = self.live_bytes.saturating_sub(entry.size);
        self.volatile = self.volatile.saturating_sub(usize::from(entry.volatile));
        Some(entry)
    }

    /// Ends a message whose payload is not handed back.
    fn drop_at(&mut self, index: usize, outcome: Outcome) {
        if let Some(entry) = self.remove(index) {
            self.decide(entry.id, outcome, None);
        }
    }

    /// Ends a message whose payload goes back to the user.
    fn hand_back(&mut self, index: usize, outcome: Outcome) {
        if let Some(entry) = self.remove(index) {
            self.returned_bytes = self.returned_bytes.saturating_add(entry.size);
            self.decide(entry.id, outcome, Some(entry.payload));
        }
    }

    fn decide(&mut self, id: u64, outcome: Outcome, payload: Option<P>) {
        self.fated = self.fated.saturating_add(1);
        self.fates.push_back(Fate {
            id: MessageId(id),
            outcome,
            payload,
        });
    }
}
