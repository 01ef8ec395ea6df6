//! What the records of a log come to: which messages and intents live, where they stand, and
//! the numbers of the link.

use std::collections::{BTreeMap, VecDeque};

use redial::MessageId;
use redial::session::{ServerId, SessionId};

use crate::format::FRAME;
use crate::record::Raw;

/// What is known of a link apart from its messages and intents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) session: Option<SessionId>,
    pub(crate) server: Option<ServerId>,
    pub(crate) received: u64,
    pub(crate) received_intents: u64,
    pub(crate) sequences: u64,
    pub(crate) intents: u64,
    pub(crate) accepted: u64,
    pub(crate) epochs: u64,
    /// Messages up to this one may have been written.
    pub(crate) written: u64,
    /// Messages up to this one were written in a session that is gone.
    pub(crate) resent: u64,
    /// A connection is up: all messages may be written.
    pub(crate) up: bool,
}

impl Numbers {
    /// Takes what is higher of the numbers that must never be given twice.
    pub(crate) fn raise(&mut self, raw: &Raw<'_>) {
        match *raw {
            Raw::Accepted { id, sequence, .. } => {
                self.accepted = self.accepted.max(id);
                self.sequences = self.sequences.max(sequence.unwrap_or(0));
            }
            Raw::Intent { number, .. } | Raw::Numbered { number, .. } => {
                self.intents = self.intents.max(number);
            }
            Raw::Up { epoch } => self.epochs = self.epochs.max(epoch),
            _ => {}
        }
    }
}

/// A message that has no fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    /// Where its record stands in the file.
    pub(crate) at: u64,
    /// The length of the record's body.
    pub(crate) len: u32,
}

/// An intent that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) at: u64,
    pub(crate) len: u32,
}

/// A record that can't follow those before it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutOfOrder;

/// What the records so far come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) numbers: Numbers,
    messages: VecDeque<Entry>,
    standing: BTreeMap<u64, Stand>,
    live: u64,
    /// What the next accepted message must be above: its id and its sequence.
    above: (u64, u64),
}

impl Ledger {
    /// One to read a file into whose head says this. The file's messages may be from before that
    /// head was written, so they are only in order among themselves, until it is
    /// [`read`](Self::read).
    pub(crate) fn reading(numbers: Numbers) -> Self {
        Self {
            numbers,
            ..Self::default()
        }
    }

    /// The whole file was read: what follows is new.
    pub(crate) fn read(&mut self) {
        self.above = (self.numbers.accepted, self.numbers.sequences);
    }

    /// Counts a record that stands at `at` and whose body has `len` bytes.
    pub(crate) fn apply(&mut self, raw: &Raw<'_>, at: u64, len: u32) -> Result<(), OutOfOrder> {
        self.check(raw)?;
        self.numbers.raise(raw);
        match *raw {
            Raw::Accepted { id, sequence, .. } => {
                self.above = (id, sequence.unwrap_or(self.above.1));
                self.live = self.live.saturating_add(framed(len));
                self.messages.push_back(Entry { id, at, len });
            }
            Raw::Settled { first, last } => self.settle(first, last),
            Raw::Session { session, server } => {
                if session != self.numbers.session {
                    self.numbers.received = 0;
                    self.numbers.received_intents = 0;
                    self.standing.values_mut().for_each(|it| it.number = 0);
                }
                self.numbers.session = session;
                self.numbers.server = server;
            }
            Raw::Received { sequence, intents } => {
                self.numbers.received = sequence;
                self.numbers.received_intents = intents;
            }
            Raw::Intent { id, number, .. } => {
                let stand = Stand {
                    id,
                    number,
                    at,
                    len,
                };
                self.live = self.live.saturating_add(framed(len));
                let old = self.standing.insert(id, stand);
                self.bury(old);
            }
            Raw::Numbered { id, number } => {
                if let Some(stand) = self.standing.get_mut(&id) {
                    stand.number = number;
                }
            }
            Raw::Withdrawn { id } => {
                let old = self.standing.remove(&id);
                self.bury(old);
            }
            Raw::Up { .. } => self.numbers.up = true,
            Raw::Down { through } => {
                self.numbers.up = false;
                // No more than there is, should it name something else.
                let through = through.min(self.numbers.accepted);
                self.numbers.written = self.numbers.written.max(through);
            }
            Raw::Resent { through } => {
                let through = through.min(self.numbers.accepted);
                self.numbers.resent = self.numbers.resent.max(through);
            }
            Raw::Clean => {}
        }
        Ok(())
    }

    /// Moves every record that lives: `place` is told its old place and length, and for an intent
    /// its number, in the order of a new file, and answers the new place.
    pub(crate) fn relocate<E>(
        &mut self,
        mut place: impl FnMut(u64, u32, Option<u64>) -> Result<u64, E>,
    ) -> Result<(), E> {
        for stand in self.standing.values_mut() {
            stand.at = place(stand.at, stand.len, Some(stand.number))?;
        }
        for entry in &mut self.messages {
            entry.at = place(entry.at, entry.len, None)?;
        }
        Ok(())
    }

    /// Whether a record can follow.
    pub(crate) fn check(&self, raw: &Raw<'_>) -> Result<(), OutOfOrder> {
        let fits = match *raw {
            Raw::Accepted { id, sequence, .. } => {
                id > self.above.0
                    && !is_intent(id)
                    && sequence.is_none_or(|sequence| sequence > self.above.1)
            }
            Raw::Settled { first, last } => first <= last && last <= self.numbers.accepted,
            Raw::Intent { id, .. } => id > 0 && !is_intent(id),
            _ => true,
        };
        if fits { Ok(()) } else { Err(OutOfOrder) }
    }

    /// The messages without a fate, in order.
    pub(crate) fn messages(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.messages.iter()
    }

    /// The intents that stand, in order.
    pub(crate) fn standing(&self) -> impl ExactSizeIterator<Item = &Stand> {
        self.standing.values()
    }

    /// The bytes of all that lives, as records.
    pub(crate) const fn live(&self) -> u64 {
        self.live
    }

    /// What stood does not live any more.
    fn bury(&mut self, old: Option<Stand>) {
        let bytes = old.map_or(0, |old| framed(old.len));
        self.live = self.live.saturating_sub(bytes);
    }

    fn settle(&mut self, first: u64, last: u64) {
        let from = self.messages.partition_point(|entry| entry.id < first);
        let to = self.messages.partition_point(|entry| entry.id <= last);
        let settled = self.messages.drain(from..to);
        let bytes = settled.map(|entry| framed(entry.len)).sum();
        self.live = self.live.saturating_sub(bytes);
    }
}

/// Whether this names the writing of an intent, which shares its numbers with messages.
fn is_intent(id: u64) -> bool {
    MessageId::from_number(id).intent().is_some()
}

/// The length of a record whose body has this length.
pub(crate) fn framed(len: u32) -> u64 {
    u64::from(len).saturating_add(FRAME as u64)
}
