//! Servers that take connections and drop them: few dials where nothing works, much uptime where
//! something does. All at once, as each takes twenty seconds of wall time.

#![cfg(feature = "tungstenite")]

use std::thread;
use std::time::{Duration, Instant};

use redial_blocking::redial::backoff::{Backoff, Jitter, Schedule};
use redial_blocking::redial::config::{Builder, Config};
use redial_blocking::redial::{Phase, rng::Seed};
use redial_blocking::{Handle, Incoming, Message, websocket};
use redial_faults::{Behaviour, Server};

const WINDOW: Duration = Duration::from_secs(20);

const SEED: u64 = 7;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn link(url: &str, config: Builder) -> (Handle<Message>, Incoming<Message>) {
    let builder = websocket(url).unwrap().config(config.build().unwrap());
    builder.seed(Seed::from_number(SEED)).spawn().unwrap()
}

/// The default schedule, with a first window of 200 ms.
fn brisk() -> Builder {
    let schedule = match Schedule::DEFAULT {
        Schedule::Stratified {
            cap,
            contended_floor,
            contended_cap,
            ..
        } => Schedule::Stratified {
            first: ms(200),
            cap,
            contended_floor,
            contended_cap,
        },
        other => other,
    };
    Config::builder().backoff(Backoff::new(schedule, Jitter::Full, ms(20)).unwrap())
}

/// The dials in twenty seconds of a server that never serves.
fn dials(behaviour: Behaviour, config: Builder) -> u64 {
    let server = Server::start(behaviour).unwrap();
    let (handle, _incoming) = link(&server.url(), config);
    // A number that is not reached: this waits for the time to pass.
    server.wait_dials(10_000, WINDOW);
    handle.disconnect();
    server.dials()
}

/// The dials, and the share of time connected in percent, under a server that is killed every
/// half a second, with traffic in both directions.
fn killed_every_half_second() -> (u64, u128) {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (handle, incoming) = link(&server.url(), brisk());
    let start = Instant::now();
    let end = start + WINDOW;
    let sender = handle.clone();
    let traffic = thread::spawn(move || {
        while Instant::now() < end {
            let _ = sender.try_send("tick");
            // The echo, and then a pause.
            let _ = incoming.recv_timeout(ms(20));
            let _ = incoming.recv_timeout(ms(20));
        }
    });
    let watcher = handle.clone();
    let uptime = thread::spawn(move || {
        let mut up = Duration::ZERO;
        while Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            if watcher
                .wait(|status| status.phase == Phase::Connected, left)
                .is_none()
            {
                break;
            }
            let since = Instant::now();
            let left = end.saturating_duration_since(since);
            watcher.wait(|status| status.phase != Phase::Connected, left);
            up += since.elapsed();
        }
        up
    });
    for kill in 1.. {
        let at = start + ms(500) * kill;
        if at >= end {
            break;
        }
        // Never reached: this waits for the fixed moment.
        server.wait_dials(10_000, at.saturating_duration_since(Instant::now()));
        server.drop_all();
    }
    traffic.join().unwrap();
    let up = uptime.join().unwrap();
    (server.dials(), up.as_millis() * 100 / WINDOW.as_millis())
}

#[test]
fn dials_stay_few_and_uptime_high() {
    let drop_at_once = || Behaviour::DropAfter {
        after: ms(5),
        greet: false,
    };
    let greet_and_drop = || Behaviour::DropAfter {
        after: ms(5),
        greet: true,
    };
    let busy = || Behaviour::Http {
        status: 503,
        headers: vec![("Retry-After".to_owned(), "0".to_owned())],
    };
    let cases = [
        (
            "accept, drop at 5 ms",
            drop_at_once(),
            Config::builder(),
            12,
        ),
        (
            "accept, one frame, drop at 5 ms",
            greet_and_drop(),
            Config::builder(),
            12,
        ),
        ("503 with Retry-After: 0", busy(), Config::builder(), 12),
        (
            "accept, drop at 5 ms, first 200 ms",
            drop_at_once(),
            brisk(),
            16,
        ),
        (
            "accept, one frame, drop at 5 ms, first 200 ms",
            greet_and_drop(),
            brisk(),
            16,
        ),
        ("503 with Retry-After: 0, first 200 ms", busy(), brisk(), 16),
    ];
    println!("seed {SEED}");
    let killed = thread::spawn(killed_every_half_second);
    let cases = cases.map(|(name, behaviour, config, below)| {
        (name, below, thread::spawn(move || dials(behaviour, config)))
    });
    let mut broken = Vec::new();
    for (name, below, case) in cases {
        let dials = case.join().unwrap();
        println!("{name}: {dials} dials in {WINDOW:?}, below {below}");
        if dials >= below {
            broken.push(name);
        }
    }
    let (dials, share) = killed.join().unwrap();
    println!("killed every 500 ms: connected {share} % of {WINDOW:?}, {dials} dials");
    if share < 70 || dials > 45 {
        broken.push("killed every 500 ms");
    }
    assert!(broken.is_empty(), "{broken:?}");
}
