//! The half of a log that callers meet: it takes records into memory, bounded, and knows what
//! lives.

use std::io;
use std::mem;

use redial::MessageId;

use crate::bytes::put_u32;
use crate::error::{Failure, Refusal};
use crate::format::FRAME;
use crate::ledger::{Ledger, framed};
use crate::options::Options;
use crate::record::{Raw, Record};
use crate::stored::Stored;

/// Bytes of records other than messages that may wait in memory. They are never refused for want
/// of room, so a disk that hangs while connections come and go counts as failed from here on.
const CONTROL: usize = 1 << 20;

/// What an accepted message takes beside its payload, at most.
const OVERHEAD: usize = 34;

/// The length of a body before each body that waits.
const LENGTH: usize = 4;

/// The name of an appended record: they are stored in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

impl Ticket {
    /// The number of this ticket, from 1, for logs.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// How far a log has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Every record up to and with this one is stored.
    pub through: Ticket,
    /// Every message up to and with this one is stored; `None` before the first. This is what
    /// [`Event::Stored`](redial::Event::Stored) is told.
    pub message: Option<MessageId>,
}

pub(crate) struct Front {
    options: Options,
    ledger: Ledger,
    ticket: u64,
    /// Length and body of each record that waits.
    pending: Vec<u8>,
    /// What of it is not messages.
    control: usize,
    /// Where in it the last `Received` of this session has its body.
    received: Option<usize>,
    /// Where a `Settled` that is the last of it has its body, and its last message.
    settled: Option<(usize, u64)>,
    closed: Option<Refusal>,
}

impl Front {
    pub(crate) fn new(options: Options, ledger: Ledger) -> Self {
        Self {
            options,
            ledger,
            ticket: 0,
            pending: Vec::new(),
            control: 0,
            received: None,
            settled: None,
            closed: None,
        }
    }

    pub(crate) fn append<P: Stored>(&mut self, record: &Record<'_, P>) -> Result<Ticket, Refusal> {
        if let Some(closed) = &self.closed {
            return Err(closed.clone());
        }
        let raw = record.raw(|| self.options.clock.now());
        if self.ledger.check(&raw).is_err() {
            return Err(Refusal::OutOfOrder);
        }
        let start = self.pending.len();
        put_u32(&mut self.pending, 0);
        raw.encode(&mut self.pending);
        record.encode_payload(&mut self.pending);
        let body = start.saturating_add(LENGTH);
        let len = self.pending.len().saturating_sub(body);
        if record.is_message() {
            if let Err(refusal) = self.room(start, len) {
                self.pending.truncate(start);
                return Err(refusal);
            }
        } else if self.merge(&raw, body) {
            self.pending.truncate(start);
            return Ok(self.count(&raw, 0));
        } else {
            self.control = self.control.saturating_add(len).saturating_add(LENGTH);
            if self.control > CONTROL {
                return Err(self.fail_stuck());
            }
        }
        match raw {
            Raw::Received { .. } => self.received = Some(body),
            Raw::Session { .. } => self.received = None,
            _ => {}
        }
        self.settled = match raw {
            Raw::Settled { last, .. } => Some((body, last)),
            _ => None,
        };
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        if let Some(prefix) = self.pending.get_mut(start..body) {
            prefix.copy_from_slice(&len.to_le_bytes());
        }
        Ok(self.count(&raw, len))
    }

    /// Takes what waits into `batch`, which must be empty, and says how far it goes.
    pub(crate) fn take(&mut self, batch: &mut Vec<u8>) -> Progress {
        mem::swap(&mut self.pending, batch);
        self.control = 0;
        self.received = None;
        self.settled = None;
        self.progress()
    }

    /// Takes nothing more, for this reason. What waits still does.
    pub(crate) fn close(&mut self, why: Refusal) {
        self.closed.get_or_insert(why);
    }

    /// The disk failed: nothing that waits will be written.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.closed = Some(Refusal::Failed(failure));
        self.pending = Vec::new();
        self.control = 0;
    }

    /// Whether a message with this payload would be taken now.
    pub(crate) fn admit<P: Stored>(&self, payload: &P) -> Result<(), Refusal> {
        if let Some(closed) = &self.closed {
            return Err(closed.clone());
        }
        let len = payload.stored_len().saturating_add(OVERHEAD);
        self.room(self.pending.len(), len)
    }

    /// How far everything that was appended goes.
    pub(crate) fn progress(&self) -> Progress {
        let accepted = self.ledger.numbers.accepted;
        Progress {
            through: Ticket(self.ticket),
            message: (accepted > 0).then_some(MessageId::from_number(accepted)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The failure, if one was found on this side and not yet told.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match &self.closed {
            Some(Refusal::Failed(failure)) => Some(failure),
            _ => None,
        }
    }

    pub(crate) const fn live(&self) -> u64 {
        self.ledger.live()
    }

    fn count(&mut self, raw: &Raw<'_>, len: u32) -> Ticket {
        // It was checked when it came.
        let _ = self.ledger.apply(raw, 0, len);
        self.ticket = self.ticket.saturating_add(1);
        Ticket(self.ticket)
    }

    /// Whether a message whose body has `len` bytes fits behind `waiting` bytes.
    fn room(&self, waiting: usize, len: usize) -> Result<(), Refusal> {
        // The length of a record has 32 bits.
        let limit = self.options.max_bytes.min(framed(u32::MAX));
        let size = (len as u64).saturating_add(FRAME as u64);
        if size > limit {
            return Err(Refusal::TooLarge { size, limit });
        }
        let end = waiting.saturating_add(len).saturating_add(LENGTH);
        let crowded = waiting > 0 && end > self.options.pending;
        if crowded || self.ledger.live().saturating_add(size) > limit {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// Lets a record that waits say what this one says, whose body stands at the end: a peer
    /// that sends much must not fill the memory while the disk is slow.
    fn merge(&mut self, raw: &Raw<'_>, body: usize) -> bool {
        let into = match *raw {
            Raw::Received { .. } => self.received,
            Raw::Settled { first, last } => match self.settled {
                Some((at, end)) if end.checked_add(1) == Some(first) => {
                    self.settled = Some((at, last));
                    // The first stays, behind the kind.
                    let from = body.saturating_add(9);
                    self.pending.copy_within(from.., at.saturating_add(9));
                    return true;
                }
                _ => None,
            },
            _ => None,
        };
        let Some(at) = into else {
            return false;
        };
        self.pending.copy_within(body.., at);
        true
    }

    fn fail_stuck(&mut self) -> Refusal {
        let stuck = io::Error::new(
            io::ErrorKind::TimedOut,
            "the disk does not keep up with what happens",
        );
        self.fail(Failure::from(stuck));
        self.closed.clone().unwrap_or(Refusal::Closed)
    }
}
