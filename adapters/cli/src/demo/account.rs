//! What became of each message: what the link said of it, against what the server's application
//! got.
//!
//! There are two kinds. Those of the first kind are promised to arrive exactly once. The others
//! were under way when the server lost its store: the link says that nobody can know what became
//! of them, and the server's new session tells them as a gap. They stand apart.

use redial::{Gap, Resumption};
use redial_faults::Ledger;
use std::collections::HashMap;
use std::ops::Range;

/// What the link said became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The server has acknowledged it.
    Acked,
    /// Given away and never acknowledged: it may have arrived or not.
    Unknown,
    /// Never given away.
    Unsent,
}

/// What the application of a server's session got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// The message with this number.
    Message(u64),
    /// Word that these will not come.
    Gap(Gap),
}

// A message of the account.
#[derive(Clone, Copy, Debug)]
struct Entry {
    told: Option<Told>,
    // Its fate was told while the server was without its store.
    wiped: bool,
}

/// The account of numbered messages, from 1. A message's number is its place in the link's
/// sequence too, as every one that is accepted is acknowledged or given up.
#[derive(Debug, Default)]
pub(super) struct Account {
    // By number less one.
    entries: Vec<Entry>,
    arrivals: Ledger,
    // What each session's application got, as far as it was told.
    sessions: HashMap<String, Vec<Item>>,
    gaps: Vec<Gap>,
    // Of sessions that are not the first one, what the link said when they began.
    given_up: u64,
    resent: u64,
    acked: u64,
    wiping: bool,
    wrong: u64,
}

/// The account at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Messages of the first kind that the link accepted.
    pub(super) sent: u64,
    /// Those that arrived.
    pub(super) delivered: u64,
    /// Arrivals of one that had arrived before, of either kind.
    pub(super) duplicated: u64,
    /// First arrivals after one with a greater number, of either kind.
    pub(super) late: u64,
    /// Told acknowledged, and never arrived.
    pub(super) lost: u64,
    /// Told unknown, arrived or not.
    pub(super) unknown: u64,
    /// Of those, the ones that arrived.
    pub(super) unknown_delivered: u64,
    /// Told unsent.
    pub(super) unsent: u64,
    /// Not yet told of.
    pub(super) open: u64,
    /// What can't be: told twice, arrived though unsent, arrived and never accepted, or another
    /// story of a session than the one told before.
    pub(super) wrong: u64,
    /// Those of the other kind.
    pub(super) wiped: Wiped,
}

/// The messages that were under way when the server lost its store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wiped {
    /// Told unknown, one by one.
    pub(super) unknown: u64,
    /// Of those, the ones that had arrived.
    pub(super) delivered: u64,
    /// As many the link said to be unknown when the new session began.
    pub(super) given_up: u64,
    /// Sent again by the link's word: none, as the demonstration asks for a report instead.
    pub(super) resent: u64,
    /// What the server's new session said will not come.
    pub(super) gaps: Vec<Gap>,
    /// In the gap and not told unknown.
    pub(super) strangers: u64,
}

impl Account {
    /// The number of the next message.
    pub(super) fn next(&self) -> u64 {
        self.sent() + 1
    }

    /// The link accepted the next message.
    pub(super) fn accepted(&mut self) {
        self.entries.push(Entry {
            told: None,
            wiped: false,
        });
    }

    /// The link told what became of a message.
    pub(super) fn told(&mut self, number: u64, told: Told) {
        let wiped = self.wiping && told == Told::Unknown;
        let entry = usize::try_from(number)
            .ok()
            .and_then(|number| self.entries.get_mut(number.checked_sub(1)?));
        match entry {
            Some(entry) if entry.told.is_none() => {
                let told = Some(told);
                *entry = Entry { told, wiped };
            }
            _ => self.wrong += 1,
        }
        self.acked += u64::from(told == Told::Acked);
    }

    /// The link told what became of the session on a new connection.
    pub(super) fn resumption(&mut self, resumption: &Resumption) {
        if let Resumption::Fresh {
            unknown, resent, ..
        } = *resumption
        {
            self.given_up += unknown as u64;
            self.resent += resent as u64;
        }
    }

    /// From now on, or no longer, the server is without its store: what becomes unknown is of
    /// the other kind.
    pub(super) fn wiping(&mut self, wiping: bool) {
        self.wiping = wiping;
    }

    /// The server told what the application of a session got, from the one at `at`. A server that
    /// comes back with its store tells it all again: that has to be the same.
    pub(super) fn got(&mut self, session: &str, at: usize, items: &[Item]) {
        let known = self.sessions.entry(session.to_owned()).or_default();
        for (place, item) in (at..).zip(items) {
            match known.get(place) {
                Some(before) => self.wrong += u64::from(before != item),
                None if place > known.len() => self.wrong += 1,
                None => {
                    known.push(*item);
                    match *item {
                        Item::Message(number) => self.arrivals.enter(number),
                        Item::Gap(gap) => self.gaps.push(gap),
                    }
                }
            }
        }
    }

    /// How many messages were accepted until now, of either kind.
    pub(super) fn sent(&self) -> u64 {
        self.entries.len() as u64
    }

    /// How many messages were acknowledged until now.
    pub(super) fn acked(&self) -> u64 {
        self.acked
    }

    /// How many of these messages were given away and did not arrive, of either kind.
    pub(super) fn missing(&self, numbers: Range<u64>) -> u64 {
        let given = (1..).zip(&self.entries).filter(|(number, entry)| {
            let given = matches!(entry.told, Some(Told::Acked | Told::Unknown));
            numbers.contains(number) && given
        });
        given.map(|(n, _)| self.arrivals.missing(n..n + 1)).sum()
    }

    /// The account now.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals {
            duplicated: self.arrivals.duplicated(),
            late: self.arrivals.late(),
            wrong: self.wrong,
            wiped: Wiped {
                given_up: self.given_up,
                resent: self.resent,
                gaps: self.gaps.clone(),
                ..Wiped::default()
            },
            ..Totals::default()
        };
        let in_gap = |number| self.gaps.iter().any(|g| (g.from..=g.to).contains(&number));
        let mut of_gap = 0;
        for (number, entry) in (1..).zip(&self.entries) {
            let here = u64::from(self.arrivals.missing(number..number + 1) == 0);
            if entry.wiped {
                totals.wiped.unknown += 1;
                totals.wiped.delivered += here;
                of_gap += u64::from(in_gap(number));
                continue;
            }
            totals.sent += 1;
            totals.delivered += here;
            match entry.told {
                Some(Told::Acked) => totals.lost += 1 - here,
                Some(Told::Unknown) => {
                    totals.unknown += 1;
                    totals.unknown_delivered += here;
                }
                Some(Told::Unsent) => {
                    totals.unsent += 1;
                    totals.wrong += here;
                }
                None => totals.open += 1,
            }
        }
        let known = totals.delivered + totals.wiped.delivered;
        totals.wrong += self.arrivals.delivered() - known;
        totals.wiped.strangers = totals.wiped.gap() - of_gap;
        totals
    }
}

impl Totals {
    /// Whether every message is accounted for, exactly once.
    pub(super) fn adds_up(&self) -> bool {
        let away = self.lost + (self.unknown - self.unknown_delivered) + self.unsent;
        self.open == 0
            && self.wrong == 0
            && self.sent == self.delivered + away
            && self.wiped.adds_up()
    }

    /// Whether everything of the first kind arrived, once and in order.
    pub(super) fn is_clean(&self) -> bool {
        self.sent == self.delivered
            && (self.lost, self.unknown, self.duplicated, self.late) == (0, 0, 0, 0)
    }
}

impl Wiped {
    /// How many messages the server's new session said will not come.
    pub(super) fn gap(&self) -> u64 {
        self.gaps.iter().map(Gap::len).sum()
    }

    /// Whether three witnesses agree: the fates, what the link said when the new session began,
    /// and the gap that the server told.
    pub(super) fn adds_up(&self) -> bool {
        self.unknown == self.given_up
            && self.unknown == self.gap()
            && self.strangers == 0
            && self.resent == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redial::session::Fresh;

    fn fresh(unknown: usize, resent: usize) -> Resumption {
        Resumption::Fresh {
            reason: Fresh::Forgotten,
            server: None,
            restarted: true,
            unknown,
            resent,
        }
    }

    /// Eight messages; 4 to 6 were under way when the store was wiped, and 4 had arrived.
    fn account() -> Account {
        let mut account = Account::default();
        for _ in 1..=8 {
            account.accepted();
        }
        let one_to_four = [1, 2, 3, 4].map(Item::Message);
        account.got("a", 0, &one_to_four);
        // The same from the store, and no more.
        account.got("a", 0, &one_to_four[..3]);
        for number in 1..=3 {
            account.told(number, Told::Acked);
        }
        account.wiping(true);
        account.resumption(&fresh(3, 0));
        for number in 4..=6 {
            account.told(number, Told::Unknown);
        }
        account.wiping(false);
        account.got("b", 0, &[Item::Gap(Gap { from: 4, to: 6 })]);
        account.got("b", 1, &[7, 8].map(Item::Message));
        account.told(7, Told::Acked);
        account.told(8, Told::Acked);
        account
    }

    #[test]
    fn the_two_kinds_stand_apart() {
        let totals = account().totals();
        let expected = Totals {
            sent: 5,
            delivered: 5,
            wiped: Wiped {
                unknown: 3,
                delivered: 1,
                given_up: 3,
                gaps: vec![Gap { from: 4, to: 6 }],
                ..Wiped::default()
            },
            ..Totals::default()
        };
        assert_eq!(totals, expected);
        assert!(totals.adds_up() && totals.is_clean());
        assert_eq!(account().missing(1..9), 2);
        assert_eq!(account().missing(1..6), 1);
        assert_eq!((account().sent(), account().acked()), (8, 5));
    }

    #[test]
    fn losses_of_the_first_kind_add_up_and_are_not_clean() {
        for told in [Told::Acked, Told::Unknown] {
            let mut account = account();
            account.accepted();
            account.told(9, told);
            let totals = account.totals();
            assert!(totals.adds_up() && !totals.is_clean(), "{totals:?}");
            assert_eq!(totals.lost + totals.unknown, 1);
        }
    }

    #[test]
    fn what_cannot_be_does_not_add_up() {
        for wrong in [
            |account: &mut Account| account.accepted(),
            |account: &mut Account| account.told(1, Told::Unknown),
            |account: &mut Account| account.told(9, Told::Acked),
            |account: &mut Account| account.got("b", 3, &[Item::Message(9)]),
            |account: &mut Account| account.got("b", 4, &[Item::Message(8)]),
            |account: &mut Account| account.got("a", 1, &[Item::Message(3)]),
            |account: &mut Account| account.got("b", 3, &[Item::Gap(Gap { from: 8, to: 8 })]),
            |account: &mut Account| account.resumption(&fresh(1, 0)),
            |account: &mut Account| account.resumption(&fresh(0, 1)),
            |account: &mut Account| {
                account.accepted();
                account.told(9, Told::Unsent);
                account.got("b", 3, &[Item::Message(9)]);
            },
            |account: &mut Account| {
                account.accepted();
                account.wiping(true);
                account.told(9, Told::Unknown);
            },
        ] {
            let mut account = account();
            wrong(&mut account);
            assert!(!account.totals().adds_up(), "{account:?}");
        }
    }

    #[test]
    fn a_gap_of_others_does_not_add_up() {
        let mut account = account();
        account.gaps = vec![Gap { from: 5, to: 7 }];
        assert_eq!(account.totals().wiped.strangers, 1);
        assert!(!account.totals().adds_up());
    }

    #[test]
    fn a_second_arrival_is_a_duplicate() {
        let mut account = account();
        account.got("b", 3, &[Item::Message(4)]);
        assert_eq!(account.totals().duplicated, 1);
        assert!(!account.totals().is_clean());
    }
}
