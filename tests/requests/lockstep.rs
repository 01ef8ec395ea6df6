//! Arbitrary inputs to the machine and to the reference, and the laws after each.
//!
//! `REDIAL_CASES` sets the number of sequences, `REDIAL_SEED` the seed, which is printed.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use redial::Instant;
use redial::requests::{Answer, Event, Requests, Settings, Stats};

use crate::driver::{Driver, Seen, refer};
use crate::inputs::{Input, NEAR, Step, any_settings, any_step};
use crate::model::{Fate, Line, Model};

/// The laws that need no reference.
#[derive(Default)]
struct Laws {
    asked: u64,
    settled: BTreeSet<u64>,
    closed: bool,
    up: bool,
}

impl Laws {
    fn check(&mut self, settings: &Settings, driver: &Driver, step: &Step, seen: &[Seen]) {
        if let Input::Event(event) = step.1 {
            self.closed = event == Event::Closed || (self.closed && event == Event::Tick);
            self.up = matches!(event, Event::Up { .. }) || (self.up && event == Event::Tick);
        }
        let mut last = 0;
        for seen in seen {
            let settled = match seen {
                Seen::Asked(Ok(id)) => {
                    self.asked += 1;
                    assert_eq!(*id, self.asked, "ids grow by one");
                    None
                }
                Seen::Sending(id, ..) => {
                    assert!(self.up, "nothing is sent while down");
                    assert!(*id > last, "{id} is sent after {last}");
                    last = *id;
                    assert!(!self.settled.contains(id), "{id} is settled");
                    None
                }
                Seen::Answered(Answer::Answered(_)) | Seen::Cancelled(Some(_)) => {
                    let (Input::Answer(n) | Input::Cancel(n)) = step.1 else {
                        panic!("only these are told so")
                    };
                    Some(n % (self.asked + 3))
                }
                Seen::Told(id, ..) => Some(*id),
                _ => None,
            };
            if let Some(id) = settled {
                assert!(self.settled.insert(id), "{id} is settled twice");
            }
        }

        let requests = &driver.requests;
        let settled = self.settled.len() + requests.outcomes();
        assert_eq!(
            self.asked,
            (requests.pending() + settled) as u64,
            "conservation"
        );
        let s = requests.stats();
        let ends = s.answered + s.cancelled + s.attempts_spent + s.time_spent + s.closed;
        assert_eq!(
            s.asked,
            requests.pending() as u64 + ends,
            "conservation by count"
        );
        let held = requests.pending() + requests.outcomes();
        assert!(
            held <= settings.requests && requests.bytes() <= settings.bytes,
            "bounds"
        );
        if self.closed {
            assert_eq!(requests.pending(), 0, "nothing hangs after a close");
            assert_eq!(requests.poll_timeout(), None);
        }
        assert!(
            self.up || requests.poll_send().is_none(),
            "no send while down"
        );
        Self::timeout(driver);
    }

    /// Before the timeout a tick changes nothing; at it something; after a tick no deadline has
    /// passed.
    fn timeout(driver: &Driver) {
        let ticked = |now| {
            let mut ticked = driver.clone();
            ticked.requests.handle(now, Event::Tick);
            ticked
        };
        // A call may have come later than any tick: what has passed by it goes first.
        let caught_up = ticked(driver.now);
        let view = caught_up.view();
        let Some(at) = caught_up.requests.poll_timeout() else {
            let never = Instant::from_origin(Duration::MAX);
            assert_eq!(ticked(never).view(), view, "time alone");
            return;
        };
        assert!(at > driver.now, "a deadline that has passed, after a tick");
        let just_before = ticked(at - Duration::from_nanos(1));
        assert_eq!(just_before.view(), view, "a tick before the timeout");
        assert_ne!(ticked(at).view(), view, "a tick at the timeout");
    }
}

fn compare(model: &Model, driver: &Driver) {
    let r = &driver.requests;
    let at = model.deadline().map(Duration::from_nanos);
    assert_eq!(
        r.poll_timeout(),
        at.map(Instant::from_origin),
        "the timeout"
    );
    assert_eq!(r.poll_send().map(|a| a.id.number()), model.next());
    assert_eq!(r.pending(), model.pending().count());
    assert_eq!(r.outcomes(), model.told.len() - model.taken);
    assert_eq!(r.bytes(), model.bytes());
    let s = r.stats();
    let counts = [
        s.answered,
        s.cancelled,
        s.attempts_spent,
        s.time_spent,
        s.closed,
    ];
    let fates = [
        Fate::Answered,
        Fate::Cancelled,
        Fate::AttemptsSpent,
        Fate::TimeSpent,
        Fate::Closed,
    ];
    assert_eq!(counts, fates.map(|fate| model.count(fate)));
    assert_eq!(
        (s.late, s.unknown, s.sent),
        (model.late, model.unknown, model.sent)
    );
}

fn runner() -> TestRunner {
    let number = |name: &str| -> Option<u64> { std::env::var(name).ok()?.parse().ok() };
    let seed = number("REDIAL_SEED").unwrap_or(20_261_120);
    let cases = number("REDIAL_CASES").and_then(|n| u32::try_from(n).ok());
    let config = Config {
        cases: cases.unwrap_or(2_000),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    println!("requests: seed {seed}, {} sequences", config.cases);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

#[test]
fn the_machine_does_what_the_reference_does() {
    let met = std::cell::RefCell::new(Stats::default());
    let strategy = (any_settings(), vec(any_step(u64::MAX), 0..120));
    let result = runner().run(&strategy, |(settings, steps)| {
        let mut driver = Driver::new(settings, Instant::ORIGIN);
        let mut model = Model::new(settings);
        let mut laws = Laws::default();
        for step in &steps {
            let mut before = driver.clone();
            let seen = driver.run(step);
            before.pass(step.0);
            let expected = refer(&mut model, &before, before.now, &step.1);
            assert_eq!(seen, expected, "{step:?}");
            compare(&model, &driver);
            laws.check(&settings, &driver, step, &seen);
        }
        assert_eq!(model.line == Line::Closed, laws.closed);
        let (mut met, stats) = (met.borrow_mut(), driver.requests.stats());
        met.sent += stats.sent;
        met.answered += stats.answered;
        met.attempts_spent += stats.attempts_spent;
        met.time_spent += stats.time_spent;
        met.closed += stats.closed;
        met.late += stats.late;
        Ok(())
    });
    if let Err(why) = result {
        panic!("{why}");
    }
    let met = met.into_inner();
    println!("requests: {met:?}");
    let kinds = [
        met.sent,
        met.answered,
        met.attempts_spent,
        met.time_spent,
        met.closed,
        met.late,
    ];
    assert!(
        kinds.iter().all(|n| *n > 100),
        "the sequences must be worth something"
    );
}

#[test]
fn it_is_a_function_of_its_inputs() {
    let strategy = (any_settings(), vec(any_step(u64::MAX), 0..120));
    let result = runner().run(&strategy, |(settings, steps)| {
        let mut drivers = [(); 2].map(|()| Driver::new(settings, Instant::ORIGIN));
        for step in &steps {
            let [first, second] = &mut drivers;
            assert_eq!(first.run(step), second.run(step));
            assert_eq!(first.requests, second.requests);
        }
        Ok(())
    });
    if let Err(why) = result {
        panic!("{why}");
    }
}

#[test]
fn it_commutes_with_a_shift_in_time() {
    let (border, later) = (any::<prop::sample::Index>(), 0..NEAR);
    let strategy = (any_settings(), vec(any_step(NEAR), 1..120), border, later);
    let result = runner().run(&strategy, |(settings, steps, border, later)| {
        let later = Duration::from_nanos(later);
        // Not at the origin, where going back would saturate.
        let mut plain = Driver::new(settings, Instant::from_origin(Duration::from_secs(1)));
        let border = border.index(steps.len());
        let (before, after) = steps.split_at(border);
        for step in before {
            plain.run(step);
        }
        let mut moved = plain.clone();
        moved.now = moved.now + later;
        moved.requests = moved.requests.shifted(later);
        for step in after {
            assert_eq!(plain.run(step), moved.run(step));
        }
        assert_eq!(plain.requests.shifted(later), moved.requests);
        Ok(())
    });
    if let Err(why) = result {
        panic!("{why}");
    }
}

#[cfg(feature = "serde")]
#[test]
fn what_is_read_back_behaves_as_the_original() {
    let strategy = (any_settings(), vec(any_step(NEAR), 0..60));
    let result = runner().run(&strategy, |(settings, steps)| {
        let mut driver = Driver::new(settings, Instant::ORIGIN);
        for step in &steps {
            driver.run(step);
        }
        let text = serde_json::to_string(&driver.requests).expect("data");
        let read: Requests<Vec<u8>> = serde_json::from_str(&text).expect("data");
        // Equal in all that it holds, what is made anew included, so equal in what it does.
        assert_eq!(read, driver.requests);
        Ok(())
    });
    if let Err(why) = result {
        panic!("{why}");
    }
}
