//! Law 11 for sessions: whatever a peer says, neither end holds more than it is allowed to.
//!
//! Its own test binary: the allocator counts for the whole process.

use core::time::Duration;

use redial::outbox::{Limits, Overflow};
use redial::rng::{Seed, Seeded};
use redial::server::{self, Session};
use redial::session::{ServerId, SessionId, Settings};
use redial::{
    Ack, Action, Cause, Command, Config, Delivery, Epoch, Event, Frame, Header, Hello, Instant,
    Link, Outcome, SendOptions, Welcome,
};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const MESSAGES: usize = 100;
const BYTES: usize = 64 << 10;
const SIZE: usize = 1 << 10;
/// What a slot of the list may take, with the slack of a growing list: as many messages, as many
/// fates, each list twice as long while it grows.
const OVERHEAD: usize = 2 * 2 * MESSAGES * 128 + (16 << 10);

fn limits() -> Limits {
    Limits {
        messages: MESSAGES,
        bytes: BYTES,
        overflow: Overflow::DropOldest,
        delivery: Delivery::Acknowledged,
        ..Limits::default()
    }
}

fn hold(outbox: &redial::outbox::Outbox<Vec<u8>>, start: usize, what: &str) {
    let live = outbox.queued() + outbox.in_flight();
    assert!(live <= MESSAGES && outbox.bytes() <= BYTES, "{what}");
    let held = dhat::HeapStats::get().curr_bytes - start;
    assert!(held <= BYTES + OVERHEAD, "{what}: {held} bytes");
}

struct Client {
    link: Link<Vec<u8>, Seeded>,
    now: Instant,
    epoch: Option<Epoch>,
}

impl Client {
    fn event(&mut self, event: Event) {
        self.link.handle(self.now, event);
        self.act();
    }

    fn act(&mut self) {
        while let Some(action) = self.link.poll_action() {
            match action {
                Action::Connect { epoch, .. } => self.epoch = Some(epoch),
                Action::Flush(epoch) => {
                    while let Some(next) = self.link.peek(self.now, epoch) {
                        let id = next.id;
                        assert!(self.link.commit(self.now, epoch, id));
                        self.link.handle(self.now, Event::Flushed(epoch, id));
                    }
                }
                _ => {}
            }
        }
    }

    fn dial(&mut self) -> Epoch {
        loop {
            if let Some(epoch) = self.epoch.take() {
                return epoch;
            }
            self.now = self.link.poll_timeout().expect("a dial comes");
            self.event(Event::Tick);
        }
    }
}

const WELCOME: Welcome = Welcome {
    session: SessionId::new([1; 16]),
    server: ServerId::new([2; 16]),
    resumed: false,
    last_seen: 0,
    intents: 0,
    first: 1,
};

/// What a server may say that can't be, or that never ends.
fn lies(round: u64, sequence: u64) -> [Ack; 4] {
    [u64::MAX, sequence + 1, round % 3, 0].map(|sequence| Ack::Through {
        sequence,
        intents: if round % 2 == 0 { 0 } else { u64::MAX },
    })
}

fn client_is_bounded() {
    let start = dhat::HeapStats::get().curr_bytes;
    let config = Config::builder()
        .ready_deadline(Some(Duration::from_secs(5)))
        .outbox(limits())
        .session(Some(Settings {
            max_intents: 10,
            ..Settings::default()
        }));
    let mut client = Client {
        link: Link::new(
            config.build().expect("valid"),
            Seeded::new(Seed::from_number(1), 1),
        ),
        now: Instant::ORIGIN,
        epoch: None,
    };
    client.event(Event::Command(Command::Start));
    let (mut accepted, mut refused, mut fates) = (0_u64, 0_u64, 0_u64);
    for round in 0..50 {
        let epoch = client.dial();
        client.event(Event::Opened(epoch));
        client.link.hello(epoch).expect("a hello is due");
        let answer = Welcome {
            resumed: round > 0,
            last_seen: if round % 5 == 4 { u64::MAX } else { 0 },
            intents: if round % 3 == 2 { u64::MAX } else { 0 },
            first: if round % 2 == 0 { 1 } else { u64::MAX },
            ..WELCOME
        };
        let told = client.link.welcome(client.now, epoch, &answer);
        client.act();
        if told.is_none() {
            // Not believed: the next one is asked for a fresh session.
            let epoch = client.dial();
            client.event(Event::Opened(epoch));
            client.link.hello(epoch).expect("a hello is due");
            let told = client.link.welcome(client.now, epoch, &WELCOME);
            assert!(told.is_some());
            client.epoch = Some(epoch);
        }
        let epoch = client.epoch.take().unwrap_or(epoch);
        for turn in 0..200 {
            match client
                .link
                .send(client.now, vec![0; SIZE], SendOptions::new())
            {
                Ok(_) => accepted += 1,
                Err(_) => refused += 1,
            }
            client.act();
            let declared = client.link.declare(client.now, vec![0; 10]);
            if let (Ok(id), true) = (declared, turn % 2 == 0) {
                client.link.withdraw(id);
            }
            let last = client.link.outbox().last_written();
            let sequence = if turn % 50 == 0 { u64::MAX } else { turn };
            for place in [Header::Sequence(sequence), Header::Intent(sequence)] {
                client.event(Event::Frame(epoch, Frame::Data));
                let _ = client.link.receive(client.now, epoch, place, usize::MAX);
            }
            for ack in lies(turn, last) {
                client.event(Event::Acked(epoch, ack));
            }
            hold(client.link.outbox(), start, "a client");
        }
        while let Some(fate) = client.link.poll_fate() {
            let possible = matches!(
                fate.outcome,
                Outcome::Acked | Outcome::Unknown | Outcome::Dropped(_)
            );
            assert!(possible, "{fate:?}");
            fates += 1;
        }
        client.event(Event::Closed(epoch, Cause::Lost.into()));
    }
    let outbox = client.link.outbox();
    let (queued, in_flight) = (outbox.queued() as u64, outbox.in_flight() as u64);
    let waiting = outbox.fates_waiting() as u64;
    assert_eq!(accepted, queued + in_flight + fates + waiting);
    assert!(accepted > 100 && refused > 1_000, "{accepted}, {refused}");
}

fn server_is_bounded() {
    let start = dhat::HeapStats::get().curr_bytes;
    let settings = server::Settings {
        outbox: limits(),
        ..server::Settings::default()
    };
    let hello = Hello {
        session: None,
        last_seen: u64::MAX,
        first: u64::MAX,
        connection: 0,
    };
    let id = SessionId::new([1; 16]);
    let now = Instant::ORIGIN;
    let run = ServerId::new([2; 16]);
    let (mut session, mut epoch, _) = Session::<Vec<u8>>::open(now, id, run, settings, &hello);
    let mut resumed = 0;
    for round in 0..50_u64 {
        let hello = Hello {
            session: Some(id),
            last_seen: [0, u64::MAX, round, 1][usize::try_from(round % 4).unwrap_or(0)],
            first: [0, u64::MAX, 1, round][usize::try_from(round % 4).unwrap_or(0)],
            connection: round + 1,
        };
        if let Ok(welcomed) = session.resume(now, run, &hello) {
            epoch = welcomed.epoch;
            resumed += 1;
        }
        for turn in 0..200 {
            let _ = session.send(now, vec![0; SIZE], SendOptions::new());
            while let Some(next) = session.peek(now, epoch) {
                let id = next.id;
                assert!(session.commit(now, epoch, id));
                session.handle(now, Event::Flushed(epoch, id));
            }
            let last = session.outbox().last_written();
            for ack in lies(turn, last) {
                session.handle(now, Event::Acked(epoch, ack));
            }
            let sequence = if turn % 50 == 0 { u64::MAX } else { turn };
            for place in [Header::Sequence(sequence), Header::Intent(sequence)] {
                let _ = session.receive(now, epoch, place, usize::MAX);
            }
            while session.poll_action().is_some() {}
            hold(session.outbox(), start, "a session");
        }
        if round % 10 == 9 {
            while session.poll_fate().is_some() {}
        }
    }
    assert!(resumed > 10, "{resumed}");
    session.handle(now, Event::Command(Command::Disconnect));
    assert!(session.outbox().is_empty());
}

/// Intents that the transport can't write have fates; nobody takes them.
fn rejected_intents_are_bounded() {
    let config = Config::builder()
        .ready_deadline(Some(Duration::from_secs(5)))
        .outbox(limits())
        .session(Some(Settings::default()));
    let mut client = Client {
        link: Link::new(
            config.build().expect("valid"),
            Seeded::new(Seed::from_number(1), 1),
        ),
        now: Instant::ORIGIN,
        epoch: None,
    };
    client.event(Event::Command(Command::Start));
    let epoch = client.dial();
    client.event(Event::Opened(epoch));
    client.link.hello(epoch).expect("a hello is due");
    let told = client.link.welcome(client.now, epoch, &WELCOME);
    assert!(told.is_some());
    for _ in 0..10 * MESSAGES {
        if client.link.declare(client.now, vec![0; 10]).is_ok() {
            let next = client.link.peek(client.now, epoch).expect("it stands").id;
            assert!(client.link.reject(epoch, next));
        }
    }
    let waiting = client.link.outbox().fates_waiting();
    assert!(waiting <= 2 * MESSAGES, "{waiting} fates");
}

#[test]
fn a_peer_that_lies_or_never_acknowledges_is_held_within_the_bounds() {
    let _profiler = dhat::Profiler::builder().testing().build();
    client_is_bounded();
    server_is_bounded();
    rejected_intents_are_bounded();
    println!(
        "at most {} bytes held, for a limit of {BYTES} bytes of payload",
        dhat::HeapStats::get().max_bytes
    );
}
