//! What became of each message: what the link said of it, against what the server counted.

use redial_faults::Ledger;
use std::ops::Range;

/// What the link said became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Given to the operating system, which says nothing of the peer.
    Written,
    /// Given away when the connection ended: it may have arrived or not.
    Unknown,
    /// Expired, dropped or handed back: never given away.
    Unsent,
}

/// The account of numbered messages, from 1.
#[derive(Debug, Default)]
pub(super) struct Account {
    // What was told of each accepted message, by its number less one.
    told: Vec<Option<Told>>,
    arrivals: Ledger,
    twice: u64,
}

/// The account at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Messages that the link accepted.
    pub(super) sent: u64,
    /// Those that arrived.
    pub(super) delivered: u64,
    /// Arrivals of one that had arrived before.
    pub(super) duplicated: u64,
    /// First arrivals after one with a greater number.
    pub(super) late: u64,
    /// Told written, and never arrived.
    pub(super) lost: u64,
    /// Told unknown, arrived or not.
    pub(super) unknown: u64,
    /// Of those, the ones that arrived.
    pub(super) unknown_delivered: u64,
    /// Told unsent.
    pub(super) unsent: u64,
    /// Not yet told of.
    pub(super) open: u64,
    /// What can't be: told twice, arrived though unsent, or arrived and never accepted.
    pub(super) wrong: u64,
}

impl Account {
    /// The number of the next message.
    pub(super) fn next(&self) -> u64 {
        self.told.len() as u64 + 1
    }

    /// The link accepted the next message.
    pub(super) fn accepted(&mut self) {
        self.told.push(None);
    }

    /// The link told what became of a message.
    pub(super) fn told(&mut self, number: u64, told: Told) {
        let slot = usize::try_from(number)
            .ok()
            .and_then(|number| self.told.get_mut(number.checked_sub(1)?));
        match slot {
            Some(slot @ None) => *slot = Some(told),
            _ => self.twice += 1,
        }
    }

    /// The server counted a message.
    pub(super) fn arrived(&mut self, number: u64) {
        self.arrivals.enter(number);
    }

    /// How many messages arrived until now.
    pub(super) fn delivered(&self) -> u64 {
        self.arrivals.delivered()
    }

    /// How many messages were accepted until now.
    pub(super) fn sent(&self) -> u64 {
        self.told.len() as u64
    }

    /// How many of these messages were given away and did not arrive, lost or unknown.
    pub(super) fn missing(&self, numbers: Range<u64>) -> u64 {
        let slots = (1..).zip(&self.told);
        let given = slots.filter(|(number, told)| {
            numbers.contains(number) && matches!(told, Some(Told::Written | Told::Unknown))
        });
        given.map(|(n, _)| self.arrivals.missing(n..n + 1)).sum()
    }

    /// The account now.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals {
            sent: self.sent(),
            delivered: self.delivered(),
            duplicated: self.arrivals.duplicated(),
            late: self.arrivals.late(),
            wrong: self.twice,
            ..Totals::default()
        };
        let mut arrived = 0;
        for (number, told) in (1..).zip(&self.told) {
            let here = self.arrivals.missing(number..number + 1) == 0;
            arrived += u64::from(here);
            match told {
                Some(Told::Written) => totals.lost += u64::from(!here),
                Some(Told::Unknown) => {
                    totals.unknown += 1;
                    totals.unknown_delivered += u64::from(here);
                }
                Some(Told::Unsent) => {
                    totals.unsent += 1;
                    totals.wrong += u64::from(here);
                }
                None => totals.open += 1,
            }
        }
        totals.wrong += totals.delivered - arrived;
        totals
    }
}

impl Totals {
    /// Whether every message is accounted for, exactly once.
    pub(super) fn adds_up(&self) -> bool {
        let away = self.lost + (self.unknown - self.unknown_delivered) + self.unsent;
        self.open == 0 && self.wrong == 0 && self.sent == self.delivered + away
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        let mut account = Account::default();
        for _ in 1..=6 {
            account.accepted();
        }
        account.told(1, Told::Written);
        account.told(2, Told::Written);
        account.told(3, Told::Unknown);
        account.told(4, Told::Unknown);
        account.told(5, Told::Unsent);
        account.told(6, Told::Written);
        for number in [1, 6, 4] {
            account.arrived(number);
        }
        account
    }

    #[test]
    fn every_message_is_in_one_place() {
        let totals = account().totals();
        let expected = Totals {
            sent: 6,
            delivered: 3,
            duplicated: 0,
            late: 1,
            lost: 1,
            unknown: 2,
            unknown_delivered: 1,
            unsent: 1,
            open: 0,
            wrong: 0,
        };
        assert_eq!(totals, expected);
        assert!(totals.adds_up());
        assert_eq!(account().missing(1..7), 2);
        assert_eq!(account().missing(1..3), 1);
        assert_eq!(account().missing(4..7), 0);
    }

    #[test]
    fn what_cannot_be_does_not_add_up() {
        let mut untold = account();
        untold.accepted();
        assert!(!untold.totals().adds_up());
        for wrong in [
            |account: &mut Account| account.told(1, Told::Unknown),
            |account: &mut Account| account.told(7, Told::Written),
            |account: &mut Account| account.arrived(5),
            |account: &mut Account| account.arrived(7),
        ] {
            let mut account = account();
            wrong(&mut account);
            assert!(!account.totals().adds_up(), "{account:?}");
        }
    }

    #[test]
    fn a_second_arrival_is_a_duplicate() {
        let mut account = account();
        account.arrived(1);
        assert_eq!(account.totals().duplicated, 1);
    }
}
