//! Quick retries: a credit that useful uptime earns, and that nothing else can.

use redial::backoff::{Backoff, Jitter, Schedule};
use redial::config::Quick;
use redial::{Cause, Closure, Config, Instant, RetryAfter};

use crate::common::{Answer, Driver, against, ms, secs};

const SEEDS: u64 = 200;

fn quick() -> Config {
    let schedule = Schedule::Stratified {
        first: ms(200),
        cap: secs(20),
        contended_floor: secs(8),
        contended_cap: secs(1200),
    };
    let backoff = Backoff::new(schedule, Jitter::Full, ms(20)).expect("valid");
    Config::builder().backoff(backoff).build().expect("valid")
}

/// The least and the greatest over all seeds.
fn range(mut measure: impl FnMut(u64) -> u128) -> (u128, u128) {
    let all: Vec<_> = (0..SEEDS).map(&mut measure).collect();
    let least = all.iter().min().copied().expect("seeds");
    (least, all.iter().max().copied().expect("seeds"))
}

fn dials(config: &Config, server: impl Fn(usize, Instant) -> Answer + Copy) -> (u128, u128) {
    range(|seed| against(config.clone(), seed, secs(20), server).dials.len() as u128)
}

#[test]
fn killed_every_half_second_it_stays_connected_most_of_the_time() {
    // A fault injector kills whatever is open, by the clock.
    let killer = |_, now: Instant| {
        let into = now.since_origin().as_millis() % 500;
        let left = ms(500 - u64::try_from(into).expect("below 500"));
        Answer::brief(left, true)
    };
    let share = |driver: &Driver| driver.connected_for().as_millis() * 100 / 20_000;
    let (least, most) = range(|seed| share(&against(quick(), seed, secs(20), killer)));
    let (fewest, dials) = dials(&quick(), killer);
    println!("killed every 500 ms, {SEEDS} seeds: connected {least} to {most} %");
    println!("killed every 500 ms, {SEEDS} seeds: {fewest} to {dials} dials in 20 s");
    assert!(least >= 70, "connected {least} %");
    assert!(dials <= 45, "{dials} dials");
    // The same without the credit is what a rule that looks at uptime alone can do.
    let uptime_alone = quick().to_builder().quick(None).build().expect("valid");
    let (poor, best) = range(|seed| share(&against(uptime_alone.clone(), seed, secs(20), killer)));
    println!("the same without credit, {SEEDS} seeds: connected {poor} to {best} %");
    assert!(best < least, "the credit is what keeps it connected");
}

#[test]
fn no_server_can_make_it_storm() {
    let frame_then_drop = |_, _| Answer::brief(ms(5), true);
    let accept_then_drop = |_, _| Answer::brief(ms(5), false);
    let hint = Closure::hinted(Cause::Http(503), RetryAfter::seconds(0));
    let busy = |_, _| Answer::Fail(ms(1), hint);
    for (config, name, below) in [(quick(), "quick", 16), (Config::default(), "default", 12)] {
        let counts = [
            ("accept, frame, drop", dials(&config, frame_then_drop)),
            ("accept, drop", dials(&config, accept_then_drop)),
            ("503, Retry-After: 0", dials(&config, busy)),
        ];
        for (server, (least, most)) in counts {
            println!("{name}, {server}, {SEEDS} seeds: {least} to {most} dials in 20 s");
            assert!(most < below, "{name}, {server}: {most} dials");
        }
    }
}

#[test]
fn credit_is_earned_by_frames_and_capped() {
    // Hours of uptime pay three quick retries in a row, not more.
    let server = |n: usize, _| match n {
        0 => Answer::brief(secs(7200), true),
        _ => Answer::brief(ms(0), true),
    };
    let driver = against(Config::default(), 1, secs(7300), server);
    let attempts: Vec<_> = driver
        .actions
        .iter()
        .filter_map(|(_, action)| match action {
            redial::Action::Connect { attempt, .. } => Some(*attempt),
            _ => None,
        })
        .collect();
    assert_eq!(
        attempts[..6],
        [1, 1, 1, 1, 2, 3],
        "three that don't count, then the schedule"
    );
    // Without an inbound frame uptime earns nothing.
    let silent = |n: usize, _| match n {
        0 => Answer::brief(secs(7200), false),
        _ => Answer::brief(ms(0), true),
    };
    let driver = against(Config::default(), 1, secs(7230), silent);
    let second = driver
        .actions
        .iter()
        .rev()
        .find_map(|(_, action)| match action {
            redial::Action::Connect { attempt, .. } => Some(*attempt),
            _ => None,
        });
    assert_eq!(
        second,
        Some(u32::try_from(driver.dials.len()).expect("few"))
    );
}

#[test]
fn credit_pays_for_lost_connections_and_not_for_failed_dials() {
    let server = |n: usize, _| match n {
        0 => Answer::brief(secs(7200), true),
        _ => Answer::refuse(),
    };
    let driver = against(Config::default(), 1, secs(7300), server);
    let attempts: Vec<_> = driver
        .actions
        .iter()
        .filter_map(|(_, action)| match action {
            redial::Action::Connect { attempt, .. } => Some(*attempt),
            _ => None,
        })
        .collect();
    assert_eq!(
        attempts[..4],
        [1, 1, 2, 3],
        "the loss is free, the refusals count"
    );
}

#[test]
fn a_price_below_a_millisecond_is_a_price() {
    let micros = std::time::Duration::from_micros(1);
    let cheap = Quick {
        cost: micros,
        ..Quick::default()
    };
    let schedule = Schedule::Fixed { delay: secs(60) };
    let backoff = Backoff::new(schedule, Jitter::None, ms(20)).expect("valid");
    let config = |quick| {
        let builder = Config::builder().backoff(backoff.clone()).quick(quick);
        builder.build().expect("valid")
    };
    let drop = |_, _| Answer::brief(ms(5), true);
    let paid = against(config(Some(cheap)), 1, secs(50), drop);
    // All quick retries are of the first delay too, but they leave the count alone.
    assert_eq!(paid.link.status().attempt, 1);
    let unpaid = against(config(None), 1, secs(50), drop);
    assert_eq!(unpaid.link.status().attempt, 2);
}
