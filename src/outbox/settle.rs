//! What the transport and the peer say of messages that were written.

use super::limits::Limits;
use super::message::{DropReason, MessageId, Outcome};
use super::queue::Outbox;
use crate::epoch::Epoch;
use crate::inbox::Gap;
use crate::session::OnFresh;
use crate::time::Instant;

impl<P> Outbox<P> {
    /// The transport reported everything up to `through` flushed.
    #[inline]
    pub fn flushed(&mut self, through: MessageId) {
        while self.flushed < self.cursor {
            let Some(entry) = self.entries.get(self.flushed) else {
                return;
            };
            if entry.id > through.0 {
                return;
            }
            if entry.is_acknowledged() {
                self.window_bytes = self.window_bytes.saturating_sub(entry.size);
                self.flushed += 1;
            } else if self.flushed == 0 {
                self.settle_front(Outcome::Written);
            } else {
                self.drop_at(self.flushed, Outcome::Written);
            }
        }
    }

    /// The peer has every message up to this sequence. False, and nothing changes, if it can't:
    /// nothing so high was ever written.
    ///
    /// What was written before one that has arrived has left the transport too.
    #[inline]
    pub fn acked(&mut self, through: u64) -> bool {
        if through > self.sent {
            return false;
        }
        self.acked = self.acked.max(through);
        while self.cursor > 0 {
            let Some(entry) = self.entries.front() else {
                break;
            };
            if entry.is_acknowledged() {
                if entry.sequence > through {
                    break;
                }
                self.settle_front(Outcome::Acked);
            } else if let Some(ahead) = self.ahead_of_acked(through) {
                for _ in 0..ahead {
                    self.settle_front(Outcome::Written);
                }
            } else {
                break;
            }
        }
        true
    }

    /// The peer has this message, whatever came before it. False, and nothing changes, if it is
    /// not in flight or not to be acknowledged.
    pub fn acked_one(&mut self, id: MessageId) -> bool {
        let Ok(index) = self.entries.binary_search_by_key(&id.0, |entry| entry.id) else {
            return false;
        };
        let acknowledged = self
            .entries
            .get(index)
            .is_some_and(super::entry::Entry::is_acknowledged);
        if index >= self.cursor || !acknowledged {
            return false;
        }
        self.drop_at(index, Outcome::Acked);
        true
    }

    /// How many messages in flight lie before the first that is to be acknowledged, if that is
    /// one of those up to `through`.
    fn ahead_of_acked(&self, through: u64) -> Option<usize> {
        let mut in_flight = self.entries.iter().take(self.cursor).enumerate();
        in_flight
            .find(|(_, entry)| entry.is_acknowledged())
            .filter(|(_, entry)| entry.sequence <= through)
            .map(|(ahead, _)| ahead)
    }

    /// The transport knows that it did not write `from` and what came after: they are queued
    /// again, in their place, as long as they have tries left.
    pub fn take_back(&mut self, limits: &Limits, from: MessageId) {
        let mut kept = self.cursor;
        while let Some(entry) = kept
            .checked_sub(1)
            .filter(|index| *index >= self.flushed)
            .and_then(|index| self.entries.get(index))
        {
            if entry.id < from.0 {
                break;
            }
            self.window_bytes = self.window_bytes.saturating_sub(entry.size);
            // It was never anywhere, unless it was sent on a connection before.
            if !entry.is_held() {
                self.first_expiry = self.first_expiry.min(entry.expires);
                self.held_bytes = self.held_bytes.saturating_sub(entry.size);
                self.held = self.held.saturating_sub(1);
            }
            kept -= 1;
        }
        let back = self.cursor - kept;
        self.cursor = kept;
        let Some(max_tries) = limits.max_tries else {
            return;
        };
        self.end_some(kept..kept.saturating_add(back), |entry| {
            let spent = entry.tries >= max_tries && !entry.is_held();
            spent.then_some(Outcome::Dropped(DropReason::Tries))
        });
    }

    /// The connection ended: at most once, what was in flight has an unknown fate; what is to be
    /// acknowledged stays, to be replayed. What was only meant for that connection expires.
    pub fn lose(&mut self) {
        let mut once = false;
        for entry in self.entries.iter_mut().take(self.cursor) {
            entry.sent = true;
            once |= !entry.is_acknowledged();
        }
        if once {
            self.end_some(0..self.cursor, |entry| {
                (!entry.is_acknowledged()).then_some(Outcome::Unknown)
            });
        }
        self.cursor = 0;
        self.flushed = 0;
        self.window_bytes = 0;
        self.batch = 0;
        self.resume_at = Instant::NEVER;
        self.forget_volatile();
    }

    /// What was only meant for one connection expires.
    pub(crate) fn forget_volatile(&mut self) {
        if self.volatile > 0 {
            self.sweep(|entry| entry.volatile.then_some(Outcome::Expired));
        }
    }

    /// The session goes on, and the peer has seen everything up to `last_seen`: the rest is
    /// replayed. `Err`, and nothing changes, if it can't have: nothing so high was ever written.
    ///
    /// Gives what the peer had acknowledged and has forgotten again.
    ///
    /// # Errors
    ///
    /// The highest sequence that was ever written.
    pub fn resumed(&mut self, last_seen: u64) -> Result<Option<Gap>, u64> {
        if last_seen > self.sent {
            return Err(self.sent);
        }
        let forgotten = (last_seen < self.acked).then_some(Gap {
            from: last_seen.saturating_add(1),
            to: self.acked,
        });
        self.acked = last_seen;
        while self.held > self.cursor {
            match self.entries.front() {
                Some(entry) if entry.sequence <= last_seen => self.drop_at(0, Outcome::Acked),
                _ => break,
            }
        }
        Ok(forgotten)
    }

    /// The session is a new one: nobody knows what became of what was sent in the one before.
    /// Gives how many messages are reported, and how many are sent again.
    pub fn fresh(&mut self, policy: OnFresh) -> (usize, usize) {
        self.acked = 0;
        match policy {
            OnFresh::Report => {
                let mut unknown = 0;
                while self.held > self.cursor {
                    self.hand_back(self.cursor, Outcome::Unknown);
                    unknown += 1;
                }
                (unknown, 0)
            }
            OnFresh::Resend => {
                let again = self.entries.iter_mut().take(self.held);
                let again = again.skip(self.cursor);
                let resent = again.map(|entry| entry.resent = true).count();
                (0, resent)
            }
        }
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
}
