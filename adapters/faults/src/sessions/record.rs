//! What a server of sessions has seen.

use super::content::Got;
use crate::ledger::Ledger;
use redial::Outcome;
use redial::session::SessionId;
use redial::wire::WireError;
use std::collections::HashMap;

/// One session as its server sees it, and what the application behind it got.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// The session.
    pub session: SessionId,
    /// What the application got, in order; with a store, exactly what the store has.
    pub got: Vec<Got>,
    /// Whether a connection carries it now.
    pub connected: bool,
    /// Whether it can't be resumed any more: it ran out, was ended, or was wiped.
    pub over: bool,
    /// How often it was resumed.
    pub resumed: u64,
    /// How many messages and intents came that had been seen, and were dropped.
    pub duplicates: u64,
    /// What became of the messages that were sent in it.
    pub fates: Fates,
}

/// What became of the messages that a server has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fates {
    /// The client has acknowledged them.
    pub acked: u64,
    /// At most once: written.
    pub written: u64,
    /// The client has them or not.
    pub unknown: u64,
    /// Expired, dropped or handed back: certainly not sent.
    pub unsent: u64,
}

impl Fates {
    pub(super) fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Acked => &mut self.acked,
            Outcome::Written => &mut self.written,
            Outcome::Unknown => &mut self.unknown,
            _ => &mut self.unsent,
        } += 1;
    }

    fn add(&mut self, other: &Self) {
        self.acked += other.acked;
        self.written += other.written;
        self.unknown += other.unknown;
        self.unsent += other.unsent;
    }
}

/// What happened in a session and is not told yet.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) got: Vec<Got>,
    pub(super) duplicates: u64,
    pub(super) fates: Fates,
    /// Something else of the session changed.
    pub(super) moved: bool,
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        self.got.is_empty() && self.duplicates == 0 && self.fates == Fates::default() && !self.moved
    }
}

/// Everything that was seen.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) clients: Vec<Client>,
    places: HashMap<SessionId, usize>,
    pub(super) ledger: Ledger,
    pub(super) received: u64,
    pub(super) dials: u64,
    /// Connections that carry a session now.
    pub(super) open: usize,
    pub(super) fresh: u64,
    pub(super) resumed: u64,
    pub(super) refused: Vec<WireError>,
    pub(super) restarts: u64,
    pub(super) writes: u64,
    pub(super) keep: bool,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            clients: Vec::new(),
            places: HashMap::new(),
            ledger: Ledger::new(),
            received: 0,
            dials: 0,
            open: 0,
            fresh: 0,
            resumed: 0,
            refused: Vec::new(),
            restarts: 0,
            writes: 0,
            keep: true,
        }
    }
}

impl Record {
    /// The client of this session, made if it is new.
    pub(super) fn client(&mut self, session: SessionId) -> &mut Client {
        let place = *self.places.entry(session).or_insert_with(|| {
            self.clients.push(Client {
                session,
                got: Vec::new(),
                connected: false,
                over: false,
                resumed: 0,
                duplicates: 0,
                fates: Fates::default(),
            });
            self.clients.len() - 1
        });
        &mut self.clients[place]
    }

    pub(super) fn find(&self, session: SessionId) -> Option<&Client> {
        self.clients.get(*self.places.get(&session)?)
    }

    /// Enters what happened in a session.
    pub(super) fn enter(&mut self, session: SessionId, news: News, open: bool, over: bool) {
        for content in news.got.iter().filter_map(Got::message) {
            self.received += 1;
            self.ledger.record(content.bytes());
        }
        let keep = self.keep;
        let client = self.client(session);
        if keep {
            client.got.extend(news.got);
        }
        client.duplicates += news.duplicates;
        client.fates.add(&news.fates);
        let was_open = std::mem::replace(&mut client.connected, open);
        client.over = over;
        self.open = self.open + usize::from(open) - usize::from(was_open);
    }

    /// All connections are gone, and every session that is not brought back.
    pub(super) fn stopped(&mut self) {
        for client in &mut self.clients {
            client.connected = false;
            client.over = true;
        }
        self.open = 0;
    }

    /// What the application of a session got is what its store says.
    pub(super) fn restored(&mut self, session: SessionId, got: Vec<Got>) {
        let keep = self.keep;
        let client = self.client(session);
        client.over = false;
        if keep {
            client.got = got;
        }
    }

    /// Counts the messages anew, after what was got has changed.
    pub(super) fn recount(&mut self) {
        if !self.keep {
            return;
        }
        self.ledger = Ledger::new();
        self.received = 0;
        let got = self.clients.iter().flat_map(|client| &client.got);
        for content in got.filter_map(Got::message) {
            self.received += 1;
            self.ledger.record(content.bytes());
        }
    }
}
