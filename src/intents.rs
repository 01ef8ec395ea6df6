//! Intents: what the application wants to stand for as long as the session does, such as a
//! subscription.
//!
//! An intent is written once in a session. In a fresh one all of them are written again, in the
//! order in which they were declared and ahead of every message; in a resumed one only those
//! that the peer has not seen. An intent that the peer refuses is tried again by a schedule of
//! its own, whatever the connection does.
//!
//! Each writing has a number in its session, from 1 and growing, so that the peer's
//! acknowledgement tells how far it has come.

use alloc::vec::Vec;

use crate::backoff::{Backoff, Contention, Cursor};
use crate::outbox::{MessageId, Outgoing, Payload, Refused, RefusedReason, total};
use crate::rng::Rng;
use crate::session::Settings;
use crate::time::Instant;

/// The name of an intent: it grows by one with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IntentId(pub(crate) u64);

impl IntentId {
    /// The intent with this number, as a store has kept it.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number of this intent, from 1.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// The intents of a link, in the order of their declaration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Intents<P> {
    list: Vec<Intent<P>>,
    /// Intents ever declared, and the number of the last writing.
    pub(crate) declared: u64,
    pub(crate) written: u64,
    bytes: usize,
    /// How many wait to be written.
    pending: usize,
    /// No refused intent is due before this.
    due: Instant,
    /// The intent that was written last, and the last message before it: also once it is
    /// withdrawn, because the transport may report what it flushed by this name.
    last: (u64, u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Intent<P> {
    id: u64,
    /// The number of its last writing in this session, 0 for none.
    number: u64,
    /// When it is tried again; never unless it was refused.
    retry_at: Instant,
    /// The last message that was committed before it.
    behind: u64,
    cursor: Cursor,
    payload: P,
}

impl<P> Intent<P> {
    const fn is_pending(&self) -> bool {
        self.number == 0 && self.retry_at.known().is_none()
    }
}

/// Marks the name of an intent among those of messages.
const MARK: u64 = 1 << 63;

impl MessageId {
    pub(crate) const fn of_intent(intent: IntentId) -> Self {
        Self(intent.0 | MARK)
    }

    /// The intent whose writing this names, if it is not a message.
    pub const fn intent(self) -> Option<IntentId> {
        if self.0 & MARK == 0 {
            None
        } else {
            Some(IntentId(self.0 & !MARK))
        }
    }
}

impl<P> Default for Intents<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> Intents<P> {
    /// None.
    pub const fn new() -> Self {
        Self {
            list: Vec::new(),
            declared: 0,
            written: 0,
            bytes: 0,
            pending: 0,
            due: Instant::NEVER,
            last: (0, 0),
        }
    }

    /// Declares an intent.
    ///
    /// # Errors
    ///
    /// Refused, with the payload, if there are as many as may stand or no bytes are left.
    pub fn declare(&mut self, settings: &Settings, payload: P) -> Result<IntentId, Refused<P>>
    where
        P: Payload,
    {
        let size = payload.size();
        let limit = settings.intent_bytes;
        let reason = if size > limit {
            Some(RefusedReason::TooLarge { size, limit })
        } else if self.list.len() >= settings.max_intents || self.bytes.saturating_add(size) > limit
        {
            Some(RefusedReason::Full)
        } else {
            None
        };
        if let Some(reason) = reason {
            return Err(Refused { reason, payload });
        }
        self.declared = self.declared.saturating_add(1);
        self.put(self.declared, 0, payload);
        Ok(IntentId(self.declared))
    }

    /// Takes an intent back: it is not written again. What the peer made of it is for a message
    /// of the application to undo.
    pub fn withdraw(&mut self, id: IntentId) -> Option<P>
    where
        P: Payload,
    {
        let index = self.list.iter().position(|intent| intent.id == id.0)?;
        let intent = self.list.remove(index);
        self.bytes = self.bytes.saturating_sub(intent.payload.size());
        self.recount();
        Some(intent.payload)
    }

    /// The next intent to write, in order.
    pub fn peek(&self) -> Option<Outgoing<'_, P>> {
        let next = self.list.iter().find(|intent| intent.is_pending())?;
        Some(Outgoing {
            id: MessageId::of_intent(IntentId(next.id)),
            tries: 0,
            sequence: None,
            intent: Some(self.written.saturating_add(1)),
            resent: false,
            payload: &next.payload,
        })
    }

    /// The peeked intent was given to the transport, behind the message `behind`.
    ///
    /// False, and nothing changes, if it is not the next one.
    pub fn commit(&mut self, id: IntentId, behind: MessageId) -> bool {
        let next = self.list.iter_mut().find(|intent| intent.is_pending());
        let Some(next) = next.filter(|next| next.id == id.0) else {
            return false;
        };
        self.written = self.written.saturating_add(1);
        next.number = self.written;
        next.behind = behind.0;
        self.last = (next.id, behind.0);
        self.pending = self.pending.saturating_sub(1);
        true
    }

    /// The last message that was committed before this intent.
    pub(crate) fn behind(&self, id: IntentId) -> Option<MessageId> {
        let standing = self.list.iter().find(|intent| intent.id == id.0);
        let (last, behind) = self.last;
        let withdrawn = (last == id.0).then_some(behind);
        standing
            .map(|intent| intent.behind)
            .or(withdrawn)
            .map(MessageId)
    }

    /// The peer refuses the intent that was written with this number: it is tried again by its
    /// schedule. False, and nothing changes, if none was. One draw.
    pub fn refused<R: Rng>(
        &mut self,
        backoff: &Backoff,
        rng: &mut R,
        now: Instant,
        number: u64,
    ) -> bool {
        let mut list = self.list.iter_mut();
        let Some(intent) = list.find(|intent| number != 0 && intent.number == number) else {
            return false;
        };
        let delay = backoff.next(&mut intent.cursor, Contention::Down, rng);
        intent.number = 0;
        intent.retry_at = now + delay;
        self.due = self.due.min(intent.retry_at);
        true
    }

    /// The session goes on, and the peer has seen every intent up to the number `seen`: the
    /// others are written again.
    pub fn resumed(&mut self, seen: u64) {
        for intent in &mut self.list {
            if intent.number > seen {
                intent.number = 0;
            }
        }
        // A writing that is lost on both sides must not lend its number to another.
        self.written = self.written.max(seen);
        self.recount();
    }

    /// The session is a new one: all are written again, but for those that wait for their retry.
    pub fn fresh(&mut self) {
        for intent in &mut self.list {
            intent.number = 0;
        }
        // The numbers are the session's: what a peer made up of the one before ends with it.
        self.written = 0;
        self.recount();
    }

    /// Refused intents whose time has come wait to be written. True if there are any.
    pub fn tick(&mut self, now: Instant) -> bool {
        if self.due > now {
            return false;
        }
        for intent in &mut self.list {
            if intent.retry_at <= now {
                intent.retry_at = Instant::NEVER;
            }
        }
        self.recount();
        self.pending > 0
    }

    /// When the next refused intent is tried again.
    #[inline]
    pub const fn next_deadline(&self) -> Option<Instant> {
        self.due.known()
    }

    #[inline]
    pub(crate) const fn alarm(&self) -> Instant {
        self.due
    }

    /// Whether an intent waits to be written.
    #[inline]
    pub const fn has_pending(&self) -> bool {
        self.pending > 0
    }

    /// All that stand, in order.
    pub fn iter(&self) -> impl Iterator<Item = (IntentId, &P)> {
        let list = self.list.iter();
        list.map(|intent| (IntentId(intent.id), &intent.payload))
    }

    /// How many stand.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether none stands.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Bytes of payload held.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts an intent behind the others, as it was carried over.
    pub(crate) fn put(&mut self, id: u64, number: u64, payload: P)
    where
        P: Payload,
    {
        self.bytes = self.bytes.saturating_add(payload.size());
        self.list.push(Intent {
            id,
            number,
            retry_at: Instant::NEVER,
            behind: 0,
            cursor: Cursor::new(),
            payload,
        });
        self.pending += usize::from(number == 0);
    }

    /// All that stand, with the number of their last writing.
    pub(crate) fn into_standing(self) -> impl Iterator<Item = (u64, u64, P)> {
        let list = self.list.into_iter();
        list.map(|intent| (intent.id, intent.number, intent.payload))
    }

    /// Whether all counts are those of what is held, as they always are but in data from outside.
    pub(crate) fn is_consistent(&self) -> bool
    where
        P: Payload,
    {
        let mut last = 0;
        let ordered = self.list.iter().all(|intent| {
            let follows = intent.id > last && intent.number <= self.written;
            last = intent.id;
            follows
        });
        let bytes = self.list.iter().map(|intent| intent.payload.size());
        let pending = self.list.iter().filter(|intent| intent.is_pending());
        ordered
            && last <= self.declared
            && self.declared < MARK
            && self.bytes == total(bytes)
            && self.pending == pending.count()
    }

    fn recount(&mut self) {
        self.pending = self.list.iter().filter(|i| i.is_pending()).count();
        let due = self.list.iter().map(|intent| intent.retry_at).min();
        self.due = due.unwrap_or(Instant::NEVER);
    }
}
