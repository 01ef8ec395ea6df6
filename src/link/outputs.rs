//! What waits to be taken by the driver: a few bits, one abort, a few changes.

use super::phase::Phase;
use crate::action::Change;
use crate::cause::Cause;
use crate::epoch::Epoch;

/// One kind of pending action; the details are read from the state when it is taken.
pub(super) mod bit {
    pub(in crate::link) const CLOSE: u8 = 1;
    pub(in crate::link) const PREFLIGHT: u8 = 1 << 1;
    pub(in crate::link) const WANT_DIAL: u8 = 1 << 2;
    pub(in crate::link) const CONNECT: u8 = 1 << 3;
    pub(in crate::link) const ANSWER_PING: u8 = 1 << 4;
    pub(in crate::link) const SEND_PING: u8 = 1 << 5;
    pub(in crate::link) const FLUSH: u8 = 1 << 6;
    /// There is a change or an abort to take.
    pub(in crate::link) const OTHER: u8 = 1 << 7;
    /// All that belongs to the current connection.
    pub(in crate::link) const OF_CONNECTION: u8 =
        CLOSE | PREFLIGHT | WANT_DIAL | CONNECT | ANSWER_PING | SEND_PING | FLUSH;
}

/// How many changes one input can cause: an event, and the deadlines that have passed.
const CHANGES: usize = 3;

/// Pending actions. One input can cause at most one abort and [`CHANGES`] changes. A driver
/// that gives the next input before it took all finds later changes merged into the last one:
/// the chain of phases stays unbroken, its middle is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Outputs {
    pub(super) bits: u8,
    count: u8,
    changes: [Change; CHANGES],
    abort: Option<Epoch>,
}

impl Outputs {
    pub(super) const NONE: Self = Self {
        bits: 0,
        count: 0,
        changes: [Change {
            from: Phase::Closed,
            to: Phase::Closed,
            cause: None,
        }; CHANGES],
        abort: None,
    };

    pub(super) const fn has(&self, bit: u8) -> bool {
        self.bits & bit != 0
    }

    /// Whether this kind of action was pending; it no longer is.
    pub(super) const fn take(&mut self, bit: u8) -> bool {
        let was = self.has(bit);
        self.bits &= !bit;
        was
    }

    /// Whether nothing but this kind of action was pending; it no longer is.
    #[inline]
    pub(super) const fn take_only(&mut self, bit: u8) -> bool {
        let only = self.bits == bit;
        if only {
            self.bits = 0;
        }
        only
    }

    pub(super) const fn abort(&mut self, epoch: Epoch) {
        self.abort = Some(epoch);
        self.bits |= bit::OTHER;
    }

    pub(super) fn change(&mut self, from: Phase, to: Phase, cause: Option<Cause>) {
        let index = usize::from(self.count);
        if let Some(slot) = self.changes.get_mut(index) {
            *slot = Change { from, to, cause };
            self.count += 1;
        } else if let Some(last) = self.changes.last_mut() {
            last.to = to;
            last.cause = cause;
            if last.from == to {
                // There and back: nothing is left to tell.
                self.count -= 1;
            }
        }
        self.bits |= bit::OTHER;
    }

    /// The abort, which goes before everything.
    pub(super) const fn take_abort(&mut self) -> Option<Epoch> {
        let abort = self.abort.take();
        self.settle();
        abort
    }

    /// The oldest change.
    pub(super) fn take_change(&mut self) -> Option<Change> {
        if self.count == 0 {
            return None;
        }
        let first = self.changes.first().copied();
        self.changes.rotate_left(1);
        self.count -= 1;
        self.settle();
        first
    }

    const fn settle(&mut self) {
        if self.count == 0 && self.abort.is_none() {
            self.bits &= !bit::OTHER;
        }
    }
}
