//! How often servers are dialled that accept and drop, and how long a link is up on a line that
//! is cut every half second. Real sockets, real time: about 20 s.

use std::time::{Duration, Instant};

use redial::backoff::{Backoff, Jitter, Schedule};
use redial::{Config, Phase, Stats};
use redial_faults::{Behaviour, Server};
use redial_tokio::{Handle, Message, redial, websocket};

const WINDOW: Duration = Duration::from_secs(20);
const FLOOR: Duration = Duration::from_millis(20);

/// Windows from 0.2 s to 20 s.
fn eager() -> Config {
    let Schedule::Stratified {
        contended_floor,
        contended_cap,
        cap,
        ..
    } = Schedule::DEFAULT
    else {
        panic!("the default is stratified");
    };
    let schedule = Schedule::Stratified {
        first: Duration::from_millis(200),
        cap,
        contended_floor,
        contended_cap,
    };
    let backoff = Backoff::new(schedule, Jitter::Full, FLOOR).expect("the windows grow");
    let config = Config::builder().backoff(backoff).build();
    config.expect("a configuration")
}

fn storms() -> [(&'static str, Behaviour); 3] {
    let after = Duration::from_millis(5);
    let retry = vec![("Retry-After".to_owned(), "0".to_owned())];
    [
        (
            "accept, drop after 5 ms",
            Behaviour::DropAfter {
                after,
                greet: false,
            },
        ),
        (
            "accept, one frame, drop after 5 ms",
            Behaviour::DropAfter { after, greet: true },
        ),
        (
            "503 with Retry-After: 0",
            Behaviour::Http {
                status: 503,
                headers: retry,
            },
        ),
    ]
}

/// The dials at a server within the window.
async fn dials(behaviour: Behaviour, config: Config, seed: u64) -> u64 {
    let server = Server::start(behaviour).unwrap();
    let link = websocket(server.url()).unwrap().config(config).seed(seed);
    let (_handle, mut incoming) = link.spawn();
    let end = tokio::time::Instant::now() + WINDOW;
    // It never ends by itself, so this is the whole window.
    let read = async { while incoming.recv().await.is_some() {} };
    assert!(tokio::time::timeout_at(end, read).await.is_err());
    server.dials()
}

/// The share of the window in which a link was connected, and what it counted.
async fn cut_every(period: Duration, seed: u64) -> (f64, u64, Stats) {
    let server = Server::start(Behaviour::Echo).unwrap();
    let link = websocket(server.url()).unwrap().config(eager()).seed(seed);
    let (handle, mut incoming) = link.spawn();
    let talking = tokio::spawn(talk(handle.clone()));
    let reading = tokio::spawn(async move { while incoming.recv().await.is_some() {} });
    let began = Instant::now();
    let mut watch = handle.watch();
    let mut cuts = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    let (mut connected, mut since) = (Duration::ZERO, None);
    while began.elapsed() < WINDOW {
        tokio::select! {
            _ = cuts.tick() => server.reset_all(),
            _ = watch.changed() => {
                let up = watch.borrow_and_update().phase == Phase::Connected;
                match since {
                    None if up => since = Some(Instant::now()),
                    Some(at) if !up => {
                        connected += at.elapsed();
                        since = None;
                    }
                    _ => {}
                }
            }
        }
    }
    connected += since.map_or(Duration::ZERO, |at| at.elapsed());
    talking.abort();
    reading.abort();
    let share = connected.as_secs_f64() / began.elapsed().as_secs_f64();
    (share, server.dials(), handle.stats())
}

/// Sends a message every 20 ms.
async fn talk(handle: Handle<Message>) {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    for number in 0_u64.. {
        pace.tick().await;
        if handle.send(number.to_string().into()).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_not_stormed_and_flapping_lines_are_used() {
    let mut running = Vec::new();
    for seed in 1..=3 {
        for (name, behaviour) in storms() {
            for (config, most) in [(Config::default(), 12), (eager(), 16)] {
                let dialled = tokio::spawn(dials(behaviour.clone(), config, seed));
                running.push((name, seed, most, dialled));
            }
        }
    }
    let cut = Duration::from_millis(500);
    let flapping: Vec<_> = (1..=3)
        .map(|seed| (seed, tokio::spawn(cut_every(cut, seed))))
        .collect();
    let mut broken = Vec::new();
    for (name, seed, most, dialled) in running {
        let dialled = dialled.await.unwrap();
        let line = format!("{name}, seed {seed}: {dialled} dials in 20 s, below {most}");
        println!("{line}");
        if dialled >= most {
            broken.push(line);
        }
    }
    for (seed, run) in flapping {
        let (share, dials, stats) = run.await.unwrap();
        let line = format!(
            "cut every 0.5 s, seed {seed}: connected {:.1} % with {dials} dials, {stats:?}",
            share * 100.0
        );
        println!("{line}");
        if share < 0.7 || dials > 45 {
            broken.push(line);
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
