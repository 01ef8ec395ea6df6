//! Five scenarios that a person once walked through by hand, in virtual time: a server that is
//! not up yet, a lost connection, a restarted server, many rapid attempts, a long downtime.
//!
//! Asked for: more than 95 % of the connections succeed, and recovery takes less than 30 s.

mod common;

use std::time::Duration;

use common::{Answer, Driver, against, ms, secs};
use redial::{Cause, Command, Config, Event, Instant, Phase};

const SEEDS: u64 = 200;

/// A server that is there or not by the clock, and is killed at given times.
fn server(up: impl Fn(Duration) -> bool, kills: &[Duration], now: Instant) -> Answer {
    let into = now.since(Instant::ORIGIN + secs(1000));
    if !up(into) {
        return Answer::refuse();
    }
    let next = kills.iter().find(|kill| **kill > into);
    let until = next.map(|kill| ((*kill).checked_sub(into).unwrap(), Cause::Lost.into()));
    Answer::Open {
        after: ms(0),
        frame: Some(ms(0)),
        until,
        pongs: true,
    }
}

/// The time from each moment until the link is connected again, over all seeds.
fn recoveries(up: impl Fn(Duration) -> bool + Copy, kills: &[Duration]) -> Vec<Duration> {
    let mut all = Vec::new();
    let back = kills.to_vec();
    for seed in 0..SEEDS {
        let last = back.last().copied().unwrap_or_default() + secs(7 * 3600);
        let driver = against(Config::default(), seed, last, |_, now| {
            server(up, kills, now)
        });
        let begun = Instant::ORIGIN + secs(1000);
        for kill in &back {
            // From when the server is there again.
            let mut there = *kill;
            while !up(there) {
                there += ms(100);
            }
            let there = begun + there;
            let connected = driver
                .changes
                .iter()
                .find(|(at, change)| *at >= there && change.to == Phase::Connected);
            all.push(connected.map_or(Duration::MAX, |(at, _)| at.since(there)));
        }
    }
    all
}

fn report(scenario: &str, all: &[Duration]) {
    let within = all.iter().filter(|time| **time < secs(30)).count();
    let share = within * 100 / all.len();
    let worst = all.iter().max().expect("recoveries");
    let mean = all.iter().sum::<Duration>() / u32::try_from(all.len()).expect("few");
    println!(
        "virtual time: {scenario}: {} recoveries, {share} % within 30 s, mean {mean:.2?}, \
         worst {worst:.2?}",
        all.len(),
    );
    assert!(share > 95, "{scenario}: {share} % recovered");
    assert!(*worst < secs(30), "{scenario}: {worst:?}");
}

#[test]
fn a_server_that_is_not_up_yet() {
    let up = |at| at >= secs(45);
    report("server up after 45 s", &recoveries(up, &[Duration::ZERO]));
}

#[test]
fn a_connection_that_is_lost() {
    let kills: Vec<_> = (1..=20).map(|n| secs(60 * n)).collect();
    report("connection lost each minute", &recoveries(|_| true, &kills));
}

#[test]
fn a_server_that_is_restarted() {
    let kills: Vec<_> = (1..=10).map(|n| secs(300 * n)).collect();
    // Each restart takes 8 s.
    let up = |at: Duration| at < secs(300) || at.as_millis() % 300_000 >= 8_000;
    report("server restarted in 8 s", &recoveries(up, &kills));
}

#[test]
fn a_server_that_is_down_for_long() {
    let kills = [secs(60)];
    let up = |at: Duration| at < secs(60) || at >= secs(60 + 6 * 3600);
    report("server down for six hours", &recoveries(up, &kills));
}

#[test]
fn many_rapid_attempts() {
    let (mut connected, mut asked) = (0, 0);
    for seed in 0..SEEDS {
        let mut driver = Driver::new(Config::default(), seed);
        for _ in 0..50 {
            driver.command(Command::Reconnect);
            driver.command(Command::Start);
            let epoch = driver.dialled();
            driver.pass(ms(10));
            driver.tell(Event::Opened(epoch));
            asked += 1;
            connected += u32::from(driver.link.phase() == Phase::Connected);
            driver.pass(ms(40));
        }
        // One connection at a time, and each dial ended before the next began.
        assert_eq!(driver.dials.len(), 50);
    }
    println!("virtual time: many rapid attempts: {connected} of {asked} connected");
    assert!(connected * 100 > asked * 95);
}
