//! What a server has seen.

use super::request::Request;
use crate::ledger::Ledger;
use std::time::Instant;

/// Payloads are kept until they take up so many bytes.
const KEPT_LIMIT: usize = 64 << 20;

/// The counts of a server, and of one turn of a connection before they are added up.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) dials: Vec<Instant>,
    pub(super) handshakes: u64,
    pub(super) open: usize,
    pub(super) received: u64,
    pub(super) pings: u64,
    pub(super) pongs: u64,
    pub(super) closes: Vec<Option<u16>>,
    pub(super) requests: Vec<Request>,
    pub(super) kept: Vec<Vec<u8>>,
    pub(super) ledger: Ledger,
    room: usize,
    keep: bool,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            dials: Vec::new(),
            handshakes: 0,
            open: 0,
            received: 0,
            pings: 0,
            pongs: 0,
            closes: Vec::new(),
            requests: Vec::new(),
            kept: Vec::new(),
            ledger: Ledger::new(),
            room: KEPT_LIMIT,
            keep: true,
        }
    }
}

impl Counts {
    pub(super) fn keep(&mut self, keep: bool) {
        self.keep = keep;
    }

    pub(super) fn message(&mut self, payload: &[u8]) {
        self.received += 1;
        self.ledger.record(payload);
        if self.keep && payload.len() <= self.room {
            self.room -= payload.len();
            self.kept.push(payload.to_vec());
        } else if self.keep {
            // What is kept has no holes.
            self.room = 0;
        }
    }
}
