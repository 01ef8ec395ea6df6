//! Delivery account: which numbered messages arrived, how often, and in what order.

use std::collections::BTreeMap;
use std::ops::Range;

/// An account of numbered messages: what arrived once, twice, late or not at all.
///
/// A message counts when its payload begins with a number: decimal digits up to the first
/// white space or the end. Memory grows with the number of gaps, not with the number of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    // Start to end (exclusive) of every run of numbers seen; runs never touch.
    runs: BTreeMap<u64, u64>,
    delivered: u64,
    duplicated: u64,
    late: u64,
    max: Option<u64>,
}

impl Ledger {
    /// An empty account.
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters the message if it begins with a number, and returns that number.
    pub fn record(&mut self, payload: &[u8]) -> Option<u64> {
        let number = number(payload)?;
        self.enter(number);
        Some(number)
    }

    /// Enters `number` as arrived.
    pub fn enter(&mut self, number: u64) {
        let before = self
            .runs
            .range(..=number)
            .next_back()
            .map(|(&start, &end)| (start, end));
        if before.is_some_and(|(_, end)| number < end) {
            self.duplicated += 1;
            return;
        }
        self.delivered += 1;
        if self.max.is_some_and(|max| number < max) {
            self.late += 1;
        }
        self.max = self.max.max(Some(number));
        let end = match self.runs.remove(&(number + 1)) {
            Some(end) => end,
            None => number + 1,
        };
        match before {
            Some((start, run)) if run == number => self.runs.insert(start, end),
            _ => self.runs.insert(number, end),
        };
    }

    /// How many different numbers arrived.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// How many arrivals were of a number that had arrived before.
    pub fn duplicated(&self) -> u64 {
        self.duplicated
    }

    /// How many numbers arrived for the first time after a greater one: zero means in order.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// The greatest number that arrived; `None` before the first.
    pub fn max(&self) -> Option<u64> {
        self.max
    }

    /// How many of `sent` have not arrived.
    pub fn missing(&self, sent: Range<u64>) -> u64 {
        let total = sent.end.saturating_sub(sent.start);
        let seen: u64 = self
            .runs
            .range(..sent.end)
            .map(|(&start, &end)| end.min(sent.end).saturating_sub(start.max(sent.start)))
            .sum();
        total - seen
    }
}

fn number(payload: &[u8]) -> Option<u64> {
    let token = payload.split(u8::is_ascii_whitespace).next()?;
    if token.is_empty() {
        return None;
    }
    let mut number = 0_u64;
    for &byte in token {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number = number.checked_mul(10)?.checked_add(digit)?;
    }
    // The greatest number has no successor to end its run with.
    (number < u64::MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_gaps_repeats_and_late_arrivals() {
        let mut ledger = Ledger::new();
        for payload in [
            "0", "1 hello", "4\tx", "2", "1", "9", "nine", "", "-3", "3x",
        ] {
            ledger.record(payload.as_bytes());
        }
        assert_eq!(ledger.delivered(), 5);
        assert_eq!(ledger.duplicated(), 1);
        assert_eq!(ledger.late(), 1);
        assert_eq!(ledger.max(), Some(9));
        assert_eq!(ledger.missing(0..10), 5);
        assert_eq!(ledger.missing(0..3), 0);
        assert_eq!(ledger.missing(3..5), 1);
        assert_eq!(ledger.missing(7..7), 0);
        ledger.enter(3);
        assert_eq!(ledger.runs, BTreeMap::from([(0, 5), (9, 10)]));
    }

    #[test]
    fn refuses_numbers_that_do_not_fit() {
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(number(b"18446744073709551615"), None);
        assert_eq!(number(b"18446744073709551614"), Some(u64::MAX - 1));
    }
}
