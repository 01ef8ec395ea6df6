//! A client that is killed at any moment, again and again, while it sends what its store keeps:
//! this test program starts itself as the victim.
//!
//! `REDIAL_KILL_SEED` repeats a run, as far as the machine lets it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use redial_blocking::redial::rng::{Rng, Seed, Seeded};
use redial_blocking::store::{Options, SyncPolicy};
use redial_blocking::{Wire, tcp};
use redial_faults::sessions::Got;

use crate::{Bench, SOON, config, connected};

const VICTIM: &str = "REDIAL_KILL_VICTIM";
const KILLS: u64 = 100;

/// The numbers of one life begin at its number, this many times over.
const LIFE: u64 = 1_000_000;

fn options() -> Options {
    Options {
        // A kill takes nothing that the system has; and each second the log is written anew.
        sync: SyncPolicy::Never,
        rewrite_bytes: 8_000,
        ..Options::default()
    }
}

/// Not a test of its own: with the variable set it sends until it is killed, and says what is
/// stored.
#[test]
fn victim() {
    let Ok(told) = env::var(VICTIM) else {
        return;
    };
    let told: Vec<_> = told.splitn(3, ' ').collect();
    let [life, addr, path] = told[..] else {
        panic!("{told:?}");
    };
    let mut number = life.parse::<u64>().unwrap() * LIFE;
    let builder = tcp(addr).unwrap().config(config()).protocol(Wire::new());
    let builder = builder.store(path, &options()).unwrap();
    let report = builder.recovery().unwrap();
    assert!(!report.lost, "{report:?}");
    let (handle, _incoming) = builder.spawn().unwrap();
    loop {
        let mut last = None;
        for _ in 0..=number % 5 {
            last = Some(handle.send(number.to_string()).unwrap());
            number += 1;
        }
        handle.stored(last.unwrap()).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nstored {}", number - 1)
            .and_then(|()| out.flush())
            .unwrap();
    }
}

/// One life, until it is killed: the last number that it said to be stored.
fn live(bench: &Bench, life: u64, rng: &mut impl Rng) -> Option<u64> {
    let told = format!("{life} {} {}", bench.server.addr(), bench.path().display());
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "kill::victim", "--nocapture", "--test-threads=1"])
        .env(VICTIM, told)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    let mut hear = || lines.find_map(|line| line.strip_prefix("stored ")?.parse().ok());
    let mut stored = None;
    // Of ten lives one ends anywhere, the others once they have said something.
    let words = if life % 10 == 0 {
        0
    } else {
        rng.next_u64() % 40
    };
    for word in 0..words {
        let heard: u64 = hear().expect("it lives");
        stored = Some(heard);
        if word == 20 {
            bench.server.reset_all();
        }
    }
    let moment = if words == 0 { 40_000 } else { 2_000 };
    thread::sleep(Duration::from_micros(rng.next_u64() % moment));
    victim.kill().unwrap();
    let code = victim.wait().unwrap().code();
    assert_eq!(code, None, "it was not alive when it was killed");
    // What it had said and nobody had read yet.
    while let Some(heard) = hear() {
        stored = Some(heard);
    }
    stored
}

fn random() -> u64 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).unwrap();
    u64::from(u32::from_le_bytes(bytes))
}

#[test]
fn what_was_stored_arrives_once_and_in_order_over_a_hundred_kills() {
    let asked = env::var("REDIAL_KILL_SEED").ok();
    let seed = asked.map_or_else(random, |seed| seed.parse().unwrap());
    println!("REDIAL_KILL_SEED={seed}");
    let mut rng = Seeded::new(Seed::from_number(seed), 0);
    let bench = Bench::new();
    let stored: Vec<_> = (1..=KILLS)
        .map(|life| live(&bench, life, &mut rng))
        .collect();
    let builder = bench.builder().store(bench.path(), &options()).unwrap();
    let left = builder.recovery().unwrap().clone();
    let (handle, _incoming) = builder.spawn().unwrap();
    connected(&handle);
    assert!(handle.drain(SOON).is_empty());

    let clients = bench.server.clients();
    let all = clients.iter().flat_map(|client| &client.got);
    let arrived: Vec<u64> = all
        .map(|got| match got {
            Got::Message {
                content, resent, ..
            } => {
                assert!(!resent);
                std::str::from_utf8(content.bytes())
                    .unwrap()
                    .parse()
                    .unwrap()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let duplicates: u64 = clients.iter().map(|client| client.duplicates).sum();
    println!(
        "{} arrived in {} sessions, {duplicates} replayed and dropped; {left:?}",
        arrived.len(),
        clients.len()
    );
    assert!(arrived.is_sorted_by(|a, b| a < b), "twice, or out of order");
    for (life, last) in (1..=KILLS).zip(stored) {
        let of_life: Vec<_> = arrived.iter().filter(|it| **it / LIFE == life).collect();
        let count = last.map_or(0, |last| last + 1 - life * LIFE);
        assert!(of_life.len() as u64 >= count, "{last:?} of {of_life:?}");
        // And those are the first, without a hole.
        let whole = of_life.iter().zip(life * LIFE..).all(|(a, b)| **a == b);
        assert!(whole, "{of_life:?}");
    }
    assert!(arrived.len() as u64 > KILLS * 10);
    // Some were killed in the midst of a connection, or this shows nothing.
    assert!(clients.iter().map(|it| it.resumed).sum::<u64>() > KILLS / 4);
}
