//! A thousand connections killed at random byte positions while messages flow both ways: each
//! arrives once and in order, at both ends. Real sockets, real time: about 10 s.
//!
//! `REDIAL_CHAOS_KILLS` asks for another number of kills, `REDIAL_CHAOS_SEED` repeats a run.

#![cfg(feature = "tungstenite")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use redial_blocking::redial::backoff::{Backoff, Jitter, Schedule};
use redial_blocking::redial::outbox::{Batch, Limits, Overflow, RefusedReason};
use redial_blocking::redial::rng::{Rng, Seed, Seeded};
use redial_blocking::redial::session::{Cadence, Settings};
use redial_blocking::redial::{
    Config, Delivery, Outcome, Payload, Phase, Resumption, SendOptions, Status,
};
use redial_blocking::{Ends, Fates, Handle, Incoming, Message, Received, Wire, tcp, websocket};
use redial_faults::sessions::{Client, Feed, SessionOptions, SessionServer};
use redial_faults::{Mode, Proxy};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// The most bytes that a connection lives in one direction, handshakes included.
const LIFE: u64 = 4 << 10;

/// The time between two messages, in each direction. Without a pace, whoever writes first after a
/// handshake uses up what the connection lives, and the other direction stands still.
const PACE: Duration = Duration::from_micros(100);

fn config(batch: Option<Batch>) -> Config {
    let fixed = Duration::from_millis(5);
    let schedule = Schedule::Fixed { delay: fixed };
    let cadence = Cadence {
        messages: 16,
        delay: Duration::from_millis(5),
        ..Cadence::default()
    };
    Config::builder()
        .backoff(Backoff::new(schedule, Jitter::None, fixed).unwrap())
        .quick(None)
        .session(Some(Settings {
            acks: cadence,
            // While the thread that kills has to wait for a processor, connection after
            // connection may die before its welcome.
            resume_attempts: u8::MAX,
            ..Settings::default()
        }))
        .outbox(Limits {
            messages: 200,
            overflow: Overflow::RejectNew,
            delivery: Delivery::Acknowledged,
            batch,
            ..Limits::default()
        })
        .build()
        .unwrap()
}

fn asked(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

fn seed() -> u64 {
    asked("REDIAL_CHAOS_SEED").unwrap_or_else(|| {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).unwrap();
        u64::from(u32::from_le_bytes(bytes))
    })
}

/// The number in a message; none in the last word.
fn number(message: &[u8]) -> Option<u64> {
    std::str::from_utf8(message).ok()?.parse().ok()
}

/// What the application saw.
#[derive(Debug, Default)]
struct Seen {
    numbers: u64,
    fresh: u64,
    resumed: u64,
}

/// Reads until the last word: numbers in order, and nothing missing between connections.
fn read<M: Payload>(incoming: &Incoming<M>, bytes: fn(&M) -> &[u8]) -> Seen {
    let mut seen = Seen::default();
    loop {
        match incoming.recv_told_timeout(LONG).unwrap() {
            Received::Message(message) => match number(bytes(&message)) {
                Some(number) => {
                    assert_eq!(
                        number, seen.numbers,
                        "out of order, lost or twice: {seen:?}"
                    );
                    seen.numbers += 1;
                }
                None => return seen,
            },
            Received::Session(fresh @ Resumption::Fresh { .. }) => {
                assert_eq!(seen.fresh, 0, "a second session: {fresh:?}, {seen:?}");
                seen.fresh += 1;
            }
            Received::Session(Resumption::Resumed {
                missed, forgotten, ..
            }) => {
                assert_eq!((missed, forgotten), (None, None));
                seen.resumed += 1;
            }
            Received::Gap(gap) => panic!("{gap:?}"),
        }
    }
}

/// Kills connections, then lets them be and has the server say a last word.
fn kill(server: &SessionServer, proxy: &Proxy, kills: u64, seed: u64) {
    let mut rng = Seeded::new(Seed::from_number(seed), 1);
    let first = proxy.accepted();
    for killed in 1..=kills {
        let (up, down) = (rng.next_u64() % LIFE, rng.next_u64() % LIFE);
        proxy.set(Mode::CutAfterBytes { up, down });
        let killed = proxy.wait_accepted(first + killed, LONG);
        assert!(
            killed,
            "nobody dials: {:?}, {:?}, {:?}",
            proxy.stats(),
            proxy.mode(),
            server.clients()
        );
    }
    proxy.set(Mode::Pass);
    server.feed(None);
    let client = server.clients().pop().unwrap();
    loop {
        let acked = server.client(client.session).unwrap().fates.acked;
        match server.send(client.session, "end", SendOptions::new()) {
            Ok(_) => return,
            Err(reason) => assert_eq!(reason, RefusedReason::Full),
        }
        let more = |clients: &[Client]| clients.iter().any(|client| client.fates.acked > acked);
        assert!(server.wait_clients(LONG, more), "the buffer stays full");
    }
}

/// The fates of all messages: each acknowledged.
fn judge<M: Payload>(fates: &Fates<M>) -> u64 {
    let mut acked = 0;
    while let Ok(fate) = fates.recv() {
        assert_eq!(fate.outcome, Outcome::Acked);
        acked += 1;
    }
    acked
}

/// Sends numbers for as long as connections are killed: how many.
fn write<M: Payload + From<Vec<u8>>>(handle: &Handle<M>, over: &AtomicBool) -> u64 {
    let mut sent = 0;
    while !over.load(Ordering::Relaxed) {
        let message = sent.to_string().into_bytes();
        if let Err(refused) = handle.send_timeout(message, LONG) {
            panic!(
                "{refused}: {:?}, {:?} {:?}",
                handle.status(),
                handle.now(),
                handle.last_error()
            );
        }
        sent += 1;
        thread::sleep(PACE);
    }
    sent
}

fn storm<M: Payload + From<Vec<u8>> + Send + 'static>(
    server: &SessionServer,
    bytes: fn(&M) -> &[u8],
    build: impl FnOnce(&Proxy, Seed) -> Ends<M>,
) {
    let (kills, seed) = (asked("REDIAL_CHAOS_KILLS").unwrap_or(1_000), seed());
    println!("REDIAL_CHAOS_KILLS={kills} REDIAL_CHAOS_SEED={seed}");
    let began = Instant::now();
    let proxy = Proxy::start(server.addr()).unwrap();
    server.keep_received(false);
    server.feed(Some(Feed::new(u64::MAX).every(PACE)));
    let (handle, incoming) = build(&proxy, Seed::from_number(seed));
    let fates = handle.fates();
    let judge = thread::spawn(move || judge(&fates));
    // The kills begin in a session, so there is one only.
    let connected = |status: &Status| status.phase == Phase::Connected;
    handle.wait(connected, LONG).unwrap();

    let over = AtomicBool::new(false);
    let (sent, got) = thread::scope(|scope| {
        let writer = scope.spawn(|| write(&handle, &over));
        let reader = scope.spawn(|| read(&incoming, bytes));
        let kills = scope.spawn(|| kill(server, &proxy, kills, seed)).join();
        over.store(true, Ordering::Relaxed);
        kills.unwrap();
        (writer.join().unwrap(), reader.join().unwrap())
    });
    let elapsed = began.elapsed();
    assert!(handle.drain(LONG).is_empty());
    let stats = handle.stats();
    drop(handle);
    let acked = judge.join().unwrap();
    println!("{sent} up, {got:?}, {kills} kills in {elapsed:?}");
    println!("{stats:?}");

    let ledger = server.ledger();
    assert_eq!(ledger.missing(0..sent), 0, "lost");
    assert_eq!((ledger.duplicated(), ledger.late()), (0, 0));
    assert_eq!((ledger.delivered(), acked), (sent, sent));
    assert_eq!((got.fresh, server.sessions().0), (1, 1));
    assert_eq!((stats.fresh, stats.resumed), (1, got.resumed));
    // Connections died in the middle of what was under way, or this shows nothing.
    assert!(got.resumed > kills / 4, "{stats:?}");
    assert!(sent > kills && got.numbers > kills);
}

#[test]
fn once_and_in_order_over_a_thousand_killed_websockets() {
    let server = SessionServer::start().unwrap();
    storm(&server, Message::as_bytes, |proxy, seed| {
        let builder = websocket(&proxy.url()).unwrap().seed(seed);
        let builder = builder.config(config(None)).protocol(Wire::new());
        builder.spawn().unwrap()
    });
}

#[test]
fn once_and_in_order_over_a_thousand_killed_streams_in_batches() {
    let options = SessionOptions {
        framed: true,
        ..SessionOptions::default()
    };
    let server = SessionServer::start_with(&options).unwrap();
    let batch = Batch {
        messages: 8,
        delay: Duration::from_millis(2),
    };
    storm(&server, Vec::as_slice, |proxy, seed| {
        let builder = tcp(&proxy.addr().to_string()).unwrap().seed(seed);
        let protocol = Wire::new().with_pings();
        let builder = builder.config(config(Some(batch))).protocol(protocol);
        builder.spawn().unwrap()
    });
}
