//! Servers and hints that make other clients storm: rules 1, 17, 18 and 19.

use std::collections::BTreeSet;

use redial::backoff::{Backoff, Contention, Cursor, Jitter, Ratio, Schedule};
use redial::cause::{Pattern, SocketError};
use redial::rng::{Seed, Seeded};
use redial::{Cause, Closure, Command, Config, Event, Hint, Phase, RetryAfter, Verdict, Verdicts};

use crate::common::{Answer, Driver, against, dials, ms, secs};

const SEEDS: u64 = 200;

fn busy(delay: u64) -> Answer {
    let closure = Closure::hinted(Cause::Http(503), RetryAfter::seconds(delay));
    Answer::Fail(ms(1), closure)
}

#[test]
fn rule_01_accept_then_drop_does_not_storm() {
    let drop = |_, _| Answer::brief(ms(5), false);
    let mut most = [0; 3];
    for seed in 0..SEEDS {
        let driver = against(Config::default(), seed, secs(3600), drop);
        let start = driver.dials[0];
        for (most, window) in most.iter_mut().zip([secs(20), secs(60), secs(3600)]) {
            let dials = driver
                .dials
                .iter()
                .filter(|at| at.since(start) < window)
                .count();
            *most = dials.max(*most);
        }
        let attempt = driver.link.status().attempt as usize;
        assert!(attempt >= driver.dials.len(), "no reset");
        // The schedule goes on: the gaps of the last minutes are those of the cap.
        let late: Vec<_> = driver.dials.windows(2).rev().take(20).collect();
        assert!(late.iter().all(|pair| pair[1].since(pair[0]) >= secs(10)));
    }
    println!("accept-then-drop, {SEEDS} seeds: at most {most:?} dials in 20 s, 60 s, 1 h");
    // Other clients dial 787 to 2477 times in 20 s.
    assert!(most[0] < 12 && most[1] < 16 && most[2] < 260, "{most:?}");
    let bound = Config::default().max_dials(secs(3600));
    assert!(most[2] as u64 <= bound);
}

#[test]
fn rule_01_a_flap_does_not_restart_max_elapsed() {
    let config = Config::builder()
        .max_elapsed(Some(secs(60)))
        .build()
        .expect("valid");
    let driver = against(config, 1, secs(600), |_, _| Answer::brief(secs(2), true));
    assert_eq!(driver.link.phase(), Phase::Failed);
    assert_eq!(driver.link.status().last_cause, Some(Cause::Lost));
    assert_eq!(driver.causes_to(Phase::Failed), [Some(Cause::TimeSpent)]);
    let last = *driver.dials.last().expect("a dial");
    assert!(last.since(driver.dials[0]) < secs(61));
}

#[test]
fn rule_01_only_a_stable_connection_resets_and_a_frame_if_asked() {
    for (needs, frame, lives, resets) in [
        (false, false, secs(9), false),
        (false, false, secs(10), true),
        (true, false, secs(15), false),
        (true, true, secs(15), true),
    ] {
        let config = Config::builder()
            .stable_needs_frame(needs)
            .build()
            .expect("valid");
        let server = |n: usize, _| match n {
            0..=3 => Answer::refuse(),
            4 => Answer::brief(lives, frame),
            _ => Answer::Silence(false),
        };
        let driver = against(config, 3, secs(60), server);
        let attempts: Vec<_> = driver
            .actions
            .iter()
            .filter_map(|(_, action)| match action {
                redial::Action::Connect { attempt, .. } => Some(*attempt),
                _ => None,
            })
            .collect();
        assert_eq!(attempts[..5], [1, 2, 3, 4, 5]);
        let after = attempts[5];
        // A connection that carried frames pays a quick retry, which does not count.
        let expected = match (resets, frame) {
            (true, true) => 1,
            (true, false) => 2,
            (false, _) => 6,
        };
        assert_eq!(
            after, expected,
            "needs {needs}, frame {frame}, lives {lives:?}"
        );
    }
}

#[test]
fn jitter_does_not_disappear_at_the_cap() {
    let forms = [
        Backoff::default(),
        Backoff::new(exponential(30), Jitter::Full, ms(20)).expect("valid"),
        Backoff::new(exponential(30), Jitter::Equal, ms(20)).expect("valid"),
        Backoff::new(exponential(30), Jitter::Decorrelated, ms(20)).expect("valid"),
    ];
    for backoff in forms {
        let mut distinct = BTreeSet::new();
        for stream in 0..200 {
            let mut rng = Seeded::new(Seed::from_number(1), stream);
            let mut cursor = Cursor::new();
            let mut last = ms(0);
            for _ in 0..50 {
                last = backoff.next(&mut cursor, Contention::Down, &mut rng);
            }
            distinct.insert(last);
        }
        assert!(
            distinct.len() > 190,
            "{backoff:?}: {} of 200 differ",
            distinct.len()
        );
    }
}

fn exponential(cap: u64) -> Schedule {
    Schedule::Exponential {
        base: secs(1),
        factor: Ratio::new(2, 1),
        cap: secs(cap),
    }
}

#[test]
fn nothing_overflows_after_days_of_outage() {
    for backoff in [
        Backoff::default(),
        Backoff::new(exponential(30), Jitter::Full, ms(20)).expect("valid"),
    ] {
        let config = Config::builder()
            .backoff(backoff.clone())
            .build()
            .expect("valid");
        let driver = against(config, 5, secs(3 * 86_400), |_, _| Answer::refuse());
        assert!(driver.dials.len() > 10_000, "{} dials", driver.dials.len());
        for pair in driver.dials.windows(2) {
            let gap = pair[1].since(pair[0]);
            assert!(
                gap >= ms(20) && gap <= backoff.max_delay() + ms(2),
                "{gap:?}"
            );
        }
    }
}

#[test]
fn rule_17_retry_after_is_obeyed_within_bounds() {
    for seed in 0..SEEDS {
        let driver = against(Config::default(), seed, secs(20), |_, _| busy(7));
        let gap = driver.dials[1]
            .since(driver.dials[0])
            .checked_sub(ms(1))
            .unwrap();
        assert!(gap >= secs(7) && gap <= secs(8), "{gap:?}");
        assert_eq!(
            driver.link.status().attempt,
            1,
            "the first hints are no failures"
        );
    }
    // 429 is not the end.
    let server = |n: usize, _| match n {
        0 => Answer::Fail(ms(1), Cause::Http(429).into()),
        _ => Answer::open(),
    };
    let driver = against(Config::default(), 1, secs(60), server);
    assert_eq!(driver.link.phase(), Phase::Connected);
}

#[test]
fn rule_17_from_the_fourth_hint_on_the_schedule_counts_too() {
    let driver = against(Config::default(), 1, secs(600), |_, _| busy(0));
    let gaps: Vec<_> = driver
        .dials
        .windows(2)
        .map(|p| p[1].since(p[0]).checked_sub(ms(1)).unwrap())
        .collect();
    assert!(gaps[..3].iter().all(|gap| *gap <= secs(1)), "{gaps:?}");
    // Busy windows are at least 8 s long.
    assert!(driver.dials.len() < 30, "{}", driver.dials.len());
    assert!(driver.link.status().attempt > 5);
}

#[test]
fn rule_17_retry_after_zero_does_not_storm() {
    let mut most = 0;
    for seed in 0..SEEDS {
        let driver = against(Config::default(), seed, secs(20), |_, _| busy(0));
        most = most.max(driver.dials.len());
    }
    println!("503 with Retry-After: 0, {SEEDS} seeds: at most {most} dials in 20 s");
    assert!(most < 12, "{most}");
}

#[test]
fn rule_17_the_greatest_number_of_free_hints_is_no_licence_to_storm() {
    let config = Config::builder().free_hints(u8::MAX).build();
    let driver = against(config.expect("valid"), 1, secs(3600), |_, _| busy(0));
    let attempt = driver.link.status().attempt;
    assert!(attempt > 1, "failures count after 255 hints");
    assert!(driver.dials.len() < 600, "{} dials", driver.dials.len());
}

#[test]
fn rule_03_and_rule_18_the_greatest_limits_are_limits() {
    let config = Config::builder().auth_limit(u8::MAX);
    let refuse = |_, _| Answer::Fail(ms(1), Cause::Http(401).into());
    let driver = against(config.build().expect("valid"), 1, secs(36_000), refuse);
    assert_eq!(driver.link.phase(), Phase::Failed);
    assert_eq!(driver.dials.len(), 256);
    let patient = Verdict::retry().at_most(u8::MAX);
    let verdicts = Verdicts::new().with(Pattern::Any, patient).expect("room");
    let config = Config::builder().verdicts(verdicts).build();
    let fail = |_, _| Answer::Fail(ms(1), Cause::Lost.into());
    let driver = against(config.expect("valid"), 1, secs(36_000), fail);
    assert_eq!(driver.link.phase(), Phase::Failed);
    assert_eq!(driver.dials.len(), 256);
}

#[test]
fn rule_17_a_hint_of_years_does_not_park_the_client() {
    let years = Closure::hinted(Cause::Http(503), RetryAfter::seconds(u64::MAX));
    let mut driver = Driver::default_link();
    let epoch = driver.start();
    driver.tell(Event::Closed(epoch, years));
    let at = driver
        .link
        .status()
        .next_attempt_at
        .expect("a dial is planned");
    assert!(at.since(driver.now) >= secs(300) && at.since(driver.now) <= secs(301));
    // Nor does a resolution of years.
    let vague = RetryAfter::new(secs(1), std::time::Duration::MAX);
    let epoch = driver.dialled();
    driver.tell(Event::Closed(
        epoch,
        Closure::hinted(Cause::Http(503), vague),
    ));
    let at = driver
        .link
        .status()
        .next_attempt_at
        .expect("a dial is planned");
    assert!(at.since(driver.now) <= secs(601));
}

#[test]
fn rule_18_a_fatal_cause_is_final_and_can_be_overridden() {
    let forbidden = |_, _| Answer::Fail(ms(1), Cause::Http(403).into());
    let mut driver = against(Config::default(), 1, secs(86_400), forbidden);
    assert_eq!(driver.link.phase(), Phase::Failed);
    assert_eq!(driver.dials.len(), 1);
    assert_eq!(driver.link.poll_timeout(), None);
    for hint in [Hint::Online, Hint::Visible, Hint::NetworkChanged] {
        assert!(driver.tell(Event::Hint(hint)).is_empty(), "{hint:?}");
    }
    let table = Verdicts::new()
        .with(Pattern::Exactly(Cause::Http(403)), Verdict::retry())
        .expect("room");
    let config = Config::builder().verdicts(table).build().expect("valid");
    let driver = against(config, 1, secs(3600), forbidden);
    assert!(driver.dials.len() > 100);
    let table = Verdicts::new()
        .with(Pattern::Closes(4000, 4099), Verdict::fail())
        .expect("room");
    let config = Config::builder().verdicts(table).build().expect("valid");
    let (mut driver, epoch) = Driver::connected(config);
    driver.close(epoch, Cause::Close(4004));
    assert_eq!(driver.link.phase(), Phase::Failed);
}

#[test]
fn rule_18_a_limit_of_retries_is_for_one_cause_in_a_row() {
    let tls = Cause::Socket(SocketError::Tls);
    let broken = Cause::Close(1002);
    let fails = |causes: &[Cause]| {
        let mut driver = Driver::default_link();
        driver.command(Command::Start);
        for cause in causes {
            let epoch = driver.dialled();
            driver.close(epoch, *cause);
        }
        driver.link.phase() == Phase::Failed
    };
    assert!(!fails(&[broken]));
    assert!(fails(&[broken, broken]));
    assert!(!fails(&[tls, tls, tls]));
    assert!(fails(&[tls, tls, tls, tls]));
    assert!(
        !fails(&[tls, tls, tls, broken]),
        "the first of its kind is retried"
    );
}

#[test]
fn rule_19_never_gives_up_by_itself_and_dials_on_demand() {
    let mut driver = against(Config::default(), 1, secs(30 * 86_400), |_, _| {
        Answer::refuse()
    });
    let last = *driver.dials.last().expect("a dial");
    assert!(
        driver.now.since(last) <= secs(60),
        "still dialling after a month"
    );
    driver.dialled();
    for prepare in [
        None,
        Some(Cause::Lost),
        Some(Cause::Http(403)),
        Some(Cause::Close(1000)),
    ] {
        let mut driver = Driver::default_link();
        let epoch = driver.start();
        if let Some(cause) = prepare {
            driver.close(epoch, cause);
        }
        let actions = driver.command(Command::Reconnect);
        assert!(dials(&actions), "after {prepare:?}: {actions:?}");
    }
}
