//! The other direction: the numbered messages that the server sends, as the client's application
//! gets them.

use redial::Resumption;
use redial_faults::Ledger;

/// The account of the server's messages. They are numbered from 0 in each session.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    // Of the session that goes on.
    ledger: Ledger,
    before: Heard,
}

/// What was heard of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Messages that arrived.
    pub(super) delivered: u64,
    /// Messages that did not, though a later one of their session did.
    pub(super) lost: u64,
    /// Arrivals of one that had arrived before.
    pub(super) duplicated: u64,
    /// First arrivals after one with a greater number.
    pub(super) late: u64,
}

impl Ticks {
    /// A message has arrived.
    pub(super) fn heard(&mut self, payload: &[u8]) {
        self.ledger.record(payload);
    }

    /// A new connection carries what follows. A fresh session begins at 0.
    pub(super) fn session(&mut self, resumption: &Resumption) {
        if !resumption.is_resumed() {
            self.before = self.total();
            self.ledger = Ledger::new();
        }
    }

    /// The account of all sessions.
    pub(super) fn total(&self) -> Heard {
        let end = self.ledger.max().map_or(0, |max| max + 1);
        Heard {
            delivered: self.before.delivered + self.ledger.delivered(),
            lost: self.before.lost + self.ledger.missing(0..end),
            duplicated: self.before.duplicated + self.ledger.duplicated(),
            late: self.before.late + self.ledger.late(),
        }
    }
}

impl Heard {
    /// Whether there were some, each once and in order.
    pub(super) fn is_clean(&self) -> bool {
        self.delivered > 0 && (self.lost, self.duplicated, self.late) == (0, 0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redial::session::{Fresh, ServerId};

    const FRESH: Resumption = Resumption::Fresh {
        reason: Fresh::Forgotten,
        server: None,
        restarted: true,
        unknown: 0,
        resent: 0,
    };
    const RESUMED: Resumption = Resumption::Resumed {
        server: ServerId::new([0; 16]),
        restarted: true,
        missed: None,
        forgotten: None,
    };

    fn ticks(pieces: &[&[u64]], between: Resumption) -> Heard {
        let mut ticks = Ticks::default();
        for piece in pieces {
            ticks.session(&between);
            for number in *piece {
                ticks.heard(number.to_string().as_bytes());
            }
        }
        ticks.total()
    }

    #[test]
    fn numbers_begin_anew_in_a_fresh_session_only() {
        assert!(ticks(&[&[0, 1], &[0, 1, 2]], FRESH).is_clean());
        assert!(ticks(&[&[0, 1], &[2, 3]], RESUMED).is_clean());
        assert_eq!(ticks(&[&[0, 1], &[0]], RESUMED).duplicated, 1);
        assert_eq!(ticks(&[&[0, 1], &[1, 2]], FRESH).lost, 1);
        assert_eq!(ticks(&[&[1], &[0]], RESUMED).late, 1);
        assert!(!ticks(&[&[]], FRESH).is_clean());
    }
}
