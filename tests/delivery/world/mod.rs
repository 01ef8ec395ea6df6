//! Both halves of a session over a hostile network, against a naive model of what they promise.
//!
//! A client is a real [`Link`], a server a map of real [`Session`](redial::server::Session)s;
//! between them are pipes that break anywhere, losing any end of what is in transit, and of which
//! several are there at once. Either end is restarted, with its memory or without. The model
//! ([`ledger`]) keeps lists of what was sent and what was got. Shared by the property test and
//! the fuzzer: a case is a list of words, the first ones the configuration, the others one step
//! each.

mod client;
mod draw;
mod hears;
mod ledger;
mod net;
mod probes;
mod restarts;
mod server;
mod steps;

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;

use redial::server::Settings;
use redial::session::{ServerId, SessionId};
use redial::{Command, Event, Instant, Outcome, Phase};

use self::client::Client;
pub use self::draw::CONFIG_WORDS;
use self::draw::Draw;
use self::ledger::Writer;
use self::net::Pipe;
use self::server::Seat;

/// Which law is broken, and how.
pub type Broken = String;
pub type Tested = Result<(), Broken>;

/// The law `number` holds here.
pub fn law(number: u8, holds: bool, how: impl FnOnce() -> String) -> Tested {
    if holds {
        Ok(())
    } else {
        Err(format!("law {number}: {}", how()))
    }
}

/// Whether cases are told step by step, as a broken one should be.
pub static TOLD: AtomicBool = AtomicBool::new(false);

fn tell(what: impl FnOnce() -> String) {
    if TOLD.load(Ordering::Relaxed) {
        println!("{}", what());
    }
}

/// What a case did, for statistics over many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub steps: u64,
    pub connections: u64,
    pub resumed: u64,
    pub fresh: u64,
    pub missed: u64,
    pub duplicates: u64,
    /// Messages by their outcome: written, acknowledged, expired, dropped, returned, unknown.
    pub fates: [u64; 6],
    /// Messages that came twice, marked as such.
    pub doubled: u64,
    pub intents: u64,
}

impl Report {
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.connections += other.connections;
        self.resumed += other.resumed;
        self.fresh += other.fresh;
        self.missed += other.missed;
        self.duplicates += other.duplicates;
        for (to, from) in self.fates.iter_mut().zip(other.fates) {
            *to += from;
        }
        self.doubled += other.doubled;
        self.intents += other.intents;
    }
}

/// Any bytes as a case, as the fuzzer gives them.
pub fn words(bytes: &[u8]) -> Vec<u64> {
    let word = |chunk: &[u8]| {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(chunk) {
            *to = *from;
        }
        u64::from_le_bytes(bytes)
    };
    bytes.chunks(8).map(word).collect()
}

/// Runs a case to its end, and then until everything accepted has its fate.
///
/// # Errors
///
/// The first law that is broken, after how many steps, and how.
pub fn run(words: &[u64]) -> Result<Report, Broken> {
    let mut head = [0; CONFIG_WORDS];
    for (to, from) in head.iter_mut().zip(words) {
        *to = *from;
    }
    let mut world = World::new(head);
    world.client_event(Event::Command(Command::Start))?;
    let mut steps = 0;
    for word in words.iter().skip(head.len()) {
        steps += 1;
        let step = world.step(Draw::new(*word)).and_then(|()| world.check());
        step.map_err(|broken| format!("step {steps}: {broken}"))?;
    }
    world
        .heal()
        .map_err(|broken| format!("at rest: {broken}"))?;
    Ok(world.report(steps))
}

/// All there is.
pub struct World {
    now: Instant,
    client: Client,
    calm: bool,
    /// How often in a row a resume may fail.
    attempts: u8,
    settings: Settings,
    server: ServerId,
    /// Runs of the server, and sessions that were named.
    runs: u64,
    names: u64,
    sessions: BTreeMap<SessionId, Seat>,
    /// Sessions that the server has forgotten, with their writers.
    past: BTreeMap<SessionId, usize>,
    pipes: Vec<Pipe>,
    /// Everything that was ever written, by whom.
    writers: Vec<Writer>,
    totals: Report,
}

impl World {
    fn new(head: [u64; CONFIG_WORDS]) -> Self {
        let (config, settings) = draw::config(head);
        tell(|| {
            format!(
                "{:?}\n{:?}\n{settings:?}",
                config.outbox(),
                config.session()
            )
        });
        Self {
            now: Instant::ORIGIN + Duration::from_secs(1000),
            calm: !Draw::new(head[2] >> 40).once_in(4),
            attempts: config.session().map_or(0, |s| s.resume_attempts),
            client: Client::new(config, 0, 0),
            settings,
            server: ServerId::new([0; 16]),
            runs: 0,
            names: 0,
            sessions: BTreeMap::new(),
            past: BTreeMap::new(),
            pipes: Vec::new(),
            writers: vec![Writer::default()],
            totals: Report::default(),
        }
    }

    /// The network heals, nothing new is sent, and time passes: everything accepted reaches its
    /// fate, and what was acknowledged has arrived.
    fn heal(&mut self) -> Tested {
        tell(|| "heal".into());
        for turn in 0.. {
            law(6, turn < 3_000, || {
                let outbox = self.client.link.outbox();
                let status = self.client.link.status();
                format!("no rest: {status:?}, {outbox:?}, {:?}", self.pipes.last())
            })?;
            if self.client.link.phase().is_final() {
                self.client_event(Event::Command(Command::Start))?;
            }
            self.client.room = usize::MAX;
            self.store()?;
            self.settle_pipes()?;
            self.flush_client(true)?;
            for id in self.sessions.keys().copied().collect::<Vec<_>>() {
                self.seat(id)?.room = usize::MAX;
                self.flush_server(id, true)?;
            }
            if self.pipes.iter().any(|pipe| {
                !(pipe.up.is_empty() && pipe.down.is_empty()) || pipe.cut && pipe.client.is_some()
            }) {
                self.check()?;
                continue;
            }
            let waits = self
                .sessions
                .values()
                .any(|seat| !seat.session.outbox().is_empty());
            let unwritten = self.client.wants.iter().any(|want| want.number.is_none());
            let rests = self.client.link.outbox().is_empty() && !waits && !unwritten;
            if rests && self.client.link.phase() == Phase::Connected {
                break;
            }
            if self.client.link.phase().is_final() {
                continue;
            }
            let due = self.due();
            law(6, due.is_some(), || {
                format!("at rest, and not done: {:?}", self.client.link.status())
            })?;
            self.now = self.now.max(due.unwrap_or(self.now));
            self.tick()?;
            self.check()?;
        }
        self.audit()
    }

    /// Everything has its fate; what stands is known to the server.
    fn audit(&mut self) -> Tested {
        for (at, writer) in self.writers.iter().enumerate().filter(|(_, w)| !w.wiped) {
            for (index, letter) in writer.letters.iter().enumerate() {
                law(6, letter.fate.is_some(), || {
                    format!("message {index} of {at} has no fate: {letter:?}")
                })?;
            }
        }
        let session = self.client.session.map(|(id, _)| id);
        let seat = session.and_then(|id| self.sessions.get(&id));
        let Some(seat) = seat else {
            return Err("law 8: connected, and the server knows no session".into());
        };
        for want in &self.client.wants {
            let got = seat.reader.intents.iter().any(|i| i.0 == want.index);
            law(8, got, || format!("{want:?} never came"))?;
        }
        Ok(())
    }

    fn report(&self, steps: u64) -> Report {
        let mut report = self.totals;
        report.steps = steps;
        report.connections = self.pipes.len() as u64;
        let letters = self.writers.iter().flat_map(|writer| &writer.letters);
        for letter in letters {
            report.doubled += u64::from(letter.got > 1);
            let index = match letter.fate {
                Some(Outcome::Written) => 0,
                Some(Outcome::Acked) => 1,
                Some(Outcome::Expired) => 2,
                Some(Outcome::Dropped(_)) => 3,
                Some(Outcome::Returned) => 4,
                Some(Outcome::Unknown) => 5,
                _ => continue,
            };
            report.fates[index] += 1;
        }
        let stats = self.client.link.stats();
        report.resumed += stats.resumed;
        report.fresh += stats.fresh;
        report.missed += stats.missed;
        report.duplicates += stats.duplicates;
        report.intents += self.client.declared as u64;
        report
    }
}
