//! The sequence of what comes in: what is new, what was seen, what is missing, and when to
//! acknowledge.
//!
//! Messages of a connection come in order, so one number tells all that was seen: memory is a
//! few integers, whatever the peer sends.

use core::time::Duration;

use crate::session::Cadence;
use crate::time::Instant;

/// What a message says of its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Header {
    /// A message with a place in the sequence of acknowledged messages, from 1.
    Sequence(u64),
    /// An intent with its number, from 1.
    Intent(u64),
}

/// What a message is, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use = "a duplicate is to be dropped, and a gap to be told"]
pub enum Inbound {
    /// It is the next one: give it to the application.
    Deliver,
    /// Some before it are missing, and will not come: tell the application, then give it this.
    Gap(Gap),
    /// It was seen: drop it.
    Duplicate,
    /// It came on a connection that is not up, or without a place: drop it.
    Stale,
}

/// A stretch of a sequence, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Gap {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

impl Gap {
    /// How many there are in it.
    #[expect(clippy::len_without_is_empty, reason = "a gap is never empty")]
    pub const fn len(&self) -> u64 {
        self.to.saturating_sub(self.from).saturating_add(1)
    }
}

/// What was received, and what of it is not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Inbox {
    /// The last sequence that was seen.
    last: u64,
    /// The last intent that was seen.
    intents: u64,
    /// Messages and bytes since the last acknowledgement.
    messages: u32,
    bytes: usize,
    /// When the delay of the acknowledgement ends.
    due: Instant,
    /// An acknowledgement is to be sent now.
    wanted: bool,
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Inbox {
    /// Nothing was received.
    pub const fn new() -> Self {
        Self::after(0, 0)
    }

    /// Everything up to `last` and all intents up to `intents` were received and acknowledged.
    pub const fn after(last: u64, intents: u64) -> Self {
        Self {
            last,
            intents,
            messages: 0,
            bytes: 0,
            due: Instant::NEVER,
            wanted: false,
        }
    }

    /// Judges a message of `size` bytes by its place, and counts it if it is new.
    #[inline]
    pub fn receive(
        &mut self,
        cadence: &Cadence,
        now: Instant,
        header: Header,
        size: usize,
    ) -> Inbound {
        let (last, place) = match header {
            Header::Sequence(place) => (&mut self.last, place),
            Header::Intent(place) => (&mut self.intents, place),
        };
        if place == 0 {
            return Inbound::Stale;
        }
        if place <= *last {
            // The peer repeats what it doesn't know as received: tell it again.
            self.wanted = true;
            return Inbound::Duplicate;
        }
        let from = last.saturating_add(1);
        *last = place;
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(size);
        if self.messages >= cadence.messages || self.bytes >= cadence.bytes {
            self.wanted = true;
        } else if self.messages == 1 {
            self.due = now + cadence.delay;
        }
        if place > from && matches!(header, Header::Sequence(_)) {
            return Inbound::Gap(Gap {
                from,
                to: place.saturating_sub(1),
            });
        }
        Inbound::Deliver
    }

    /// The acknowledgement to send now, if there is one: the last sequence and the last intent.
    /// Taking it counts as sending it.
    #[inline]
    pub fn poll_ack(&mut self) -> Option<(u64, u64)> {
        if !self.wanted {
            return None;
        }
        Some(self.acknowledge())
    }

    #[inline]
    pub(crate) const fn is_ack_wanted(&self) -> bool {
        self.wanted
    }

    /// Acknowledges at once, if there is anything to acknowledge.
    pub fn request_ack(&mut self) {
        self.wanted |= self.messages > 0;
    }

    /// The delay of the acknowledgement, if it has passed.
    pub fn tick(&mut self, now: Instant) {
        if self.due <= now && self.due.known().is_some() {
            self.due = Instant::NEVER;
            self.wanted = true;
        }
    }

    /// The connection has ended: the next handshake says what was seen.
    pub fn lose(&mut self) {
        *self = Self::after(self.last, self.intents);
    }

    /// When the acknowledgement is due.
    #[inline]
    pub const fn next_deadline(&self) -> Option<Instant> {
        self.due.known()
    }

    #[inline]
    pub(crate) const fn alarm(&self) -> Instant {
        self.due
    }

    /// The last sequence that was seen, 0 for none.
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// The number of the last intent that was seen, 0 for none.
    pub const fn intents(&self) -> u64 {
        self.intents
    }

    /// The same, everything `later` by this.
    #[must_use]
    pub fn shifted(mut self, later: Duration) -> Self {
        if let Some(due) = self.due.known() {
            self.due = due + later;
        }
        self
    }

    fn acknowledge(&mut self) -> (u64, u64) {
        self.messages = 0;
        self.bytes = 0;
        self.due = Instant::NEVER;
        self.wanted = false;
        (self.last, self.intents)
    }
}
