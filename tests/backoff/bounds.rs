//! Every delay lies within its bounds, and no more dials happen than the bound says.

use std::collections::HashSet;

use super::*;

#[test]
fn one_draw_a_decision_and_none_without_jitter() {
    for (name, backoff) in forms() {
        let mut rng = seeded(0);
        let mut cursor = Cursor::new();
        for contention in [Contention::Down, Contention::Busy, Contention::Silent] {
            for _ in 0..40 {
                backoff.next(&mut cursor, contention, &mut rng);
            }
        }
        backoff.first(&mut rng);
        let expected = if backoff.jitter() == Jitter::None {
            0
        } else {
            121
        };
        assert_eq!(rng.draws().taken(), expected, "{name}");
    }
}

#[test]
fn jitter_survives_at_the_cap_and_at_the_last_step() {
    for (name, backoff) in forms() {
        if backoff.jitter() == Jitter::None {
            continue;
        }
        for step in [0, 1, 12, 1000, 100_000, u32::MAX - 1, u32::MAX] {
            for contention in [Contention::Down, Contention::Busy, Contention::Silent] {
                if step == 0 && name.starts_with("table") {
                    // The table begins with "at once", which the floor is.
                    continue;
                }
                let mut rng = seeded(u64::from(step));
                let distinct: HashSet<_> = (0..2000)
                    .map(|_| backoff.next(&mut Cursor::at(step), contention, &mut rng))
                    .collect();
                let count = distinct.len();
                assert!(count >= 1000, "{name}, step {step}: {count} distinct");
            }
        }
    }
}

#[test]
fn a_hundred_thousand_failures_overflow_nothing() {
    let mut all = forms();
    let longest = Backoff::LONGEST;
    let jitter = Jitter::Additive {
        below: longest,
        above: longest,
    };
    all.push((
        "longest, additive",
        exponential(longest, Ratio::new(u32::MAX, 1), longest, jitter),
    ));
    all.push((
        "slowest growth, decorrelated",
        exponential(
            secs(1),
            Ratio::new(u32::MAX, u32::MAX - 1),
            longest,
            Jitter::Decorrelated,
        ),
    ));
    all.push((
        "widest windows",
        Backoff::new(
            Schedule::Stratified {
                first: Duration::from_nanos(2),
                cap: longest,
                contended_floor: longest,
                contended_cap: longest,
            },
            Jitter::Full,
            Duration::from_nanos(1),
        )
        .unwrap(),
    ));
    for (name, backoff) in all {
        let max_delay = backoff.max_delay();
        for contention in [Contention::Down, Contention::Busy] {
            if contention == Contention::Busy
                && !matches!(backoff.schedule(), Schedule::Stratified { .. })
            {
                continue;
            }
            let (mut rng, mut cursor) = (seeded(9), Cursor::new());
            let mut final_delays = HashSet::new();
            for step in 0..100_000_u64 {
                // Cheap draws on the way, real ones where the spread is counted.
                let delay = if step < 98_000 {
                    let draw = step.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                    backoff.next(&mut cursor, contention, &mut Always(draw))
                } else {
                    backoff.next(&mut cursor, contention, &mut rng)
                };
                assert!(delay >= backoff.floor(), "{name}, step {step}");
                assert!(delay <= max_delay, "{name}, step {step}");
                if step >= 98_000 {
                    final_delays.insert(delay);
                }
            }
            let least = if backoff.jitter() == Jitter::None {
                1
            } else {
                1000
            };
            assert!(
                final_delays.len() >= least,
                "{name}: {} distinct",
                final_delays.len()
            );
        }
    }
}

#[test]
fn a_factor_near_one_still_reaches_the_cap() {
    let nanos = Duration::from_nanos;
    let slow = Backoff::new(
        Schedule::Exponential {
            base: nanos(5),
            factor: Ratio::new(11, 10),
            cap: nanos(1000),
        },
        Jitter::None,
        nanos(1),
    )
    .unwrap();
    let grown = delays(&slow, Contention::Down, &mut Always(0), 60);
    assert_eq!(grown[..4], [5, 6, 7, 8].map(nanos));
    assert_eq!(grown[59], nanos(1000));
}

#[test]
fn a_cursor_at_a_step_is_as_after_so_many_delays() {
    for (name, backoff) in forms() {
        if backoff.jitter() != Jitter::None {
            continue;
        }
        let walked = delays(&backoff, Contention::Down, &mut Always(0), 70);
        for (step, delay) in (0..).zip(walked) {
            let mut cursor = Cursor::at(step);
            let jumped = backoff.next(&mut cursor, Contention::Down, &mut Always(0));
            assert_eq!(jumped, delay, "{name}, step {step}");
            assert_eq!(cursor.step(), step + 1);
        }
    }
    let flat = exponential(secs(3), Ratio::new(7, 7), secs(30), Jitter::None);
    for step in [1, 64, 65, u32::MAX] {
        let delay = flat.next(&mut Cursor::at(step), Contention::Down, &mut Always(0));
        assert_eq!(delay, secs(3), "a factor of one never grows");
    }
    assert!(Cursor::new().is_fresh() && !Cursor::at(1).is_fresh());
}

#[test]
fn decorrelated_draws_below_three_times_the_previous_delay() {
    let backoff = doubling(Jitter::Decorrelated);
    let greatest = delays(&backoff, Contention::Down, &mut Always(u64::MAX), 5);
    assert_eq!(greatest, [3, 9, 27, 30, 30].map(secs));
    let least = delays(&backoff, Contention::Down, &mut Always(0), 3);
    assert_eq!(least, [1, 1, 1].map(secs));
    for step in [1, 9, u32::MAX] {
        let draw = &mut Always(u64::MAX);
        let late = backoff.next(&mut Cursor::at(step), Contention::Down, draw);
        assert_eq!(late, secs(30), "as after a delay of the cap");
    }
    // At the cap less than one delay in a hundred is the cap itself, or near it.
    let mut rng = seeded(5);
    let near = (0..10_000)
        .map(|_| backoff.next(&mut Cursor::at(9), Contention::Down, &mut rng))
        .filter(|delay| *delay > millis(29_900))
        .count();
    assert!(near < 100, "{near} of 10,000 at the cap");
}

#[test]
fn max_dials_of_the_default_is_near_the_earliest_dials() {
    let backoff = Backoff::default();
    let bound = |seconds| backoff.max_dials(secs(seconds));
    // Windows of 0.5, 1, 0.5, 2, 1, 4, 2, 8, 4 s begin within 23 s, the next one at 23 s.
    assert_eq!([bound(1), bound(2), bound(22), bound(23)], [2, 4, 9, 10]);
    // Those of 16 and 8 s end at 47 s; from there on there is a dial each 10 s at most.
    assert_eq!(
        [bound(38), bound(39), bound(46), bound(47)],
        [10, 11, 11, 12]
    );
    assert_eq!(bound(3600), 12 + (3600 - 47) / 10);
    assert_eq!(backoff.max_dials(Duration::ZERO), 0);
    assert_eq!(doubling(Jitter::None).max_dials(secs(61)), 6);
    assert_eq!(doubling(Jitter::None).max_dials(secs(60)), 5);
    assert_eq!(doubling(Jitter::Equal).max_dials(secs(61)), 8);
    assert_eq!(doubling(Jitter::Full).max_dials(secs(1)), 50);
    assert_eq!(forms()[3].1.max_dials(secs(50)), 4);
    assert_eq!(
        forms()[1].1.max_dials(Duration::MAX),
        u64::MAX / 5_000_000_000
    );
}

#[test]
fn a_table_that_grows_shorter_is_bounded_where_it_is_shortest() {
    let delays = vec![secs(60), secs(1)];
    let table = Backoff::new(
        Schedule::Table { delays },
        Jitter::None,
        Duration::from_millis(20),
    )
    .unwrap();
    // A window may begin behind the long delay.
    assert_eq!(table.max_dials(secs(30)), 30);
}

#[test]
fn a_delay_left_by_another_schedule_is_cut_off() {
    let mut cursor = Cursor::new();
    doubling(Jitter::None).next(&mut cursor, Contention::Down, &mut Always(0));
    let flat = exponential(secs(1), Ratio::new(1, 1), secs(30), Jitter::None);
    assert_eq!(flat.max_delay(), secs(1));
    let delay = flat.next(&mut cursor, Contention::Down, &mut Always(0));
    assert_eq!(delay, secs(1));
}

proptest! {
    #[test]
    fn delays_lie_between_floor_and_max_delay(
        backoff in any_backoff(),
        step in prop_oneof![0_u32..200, any::<u32>(), Just(u32::MAX)],
        contentions in prop::collection::vec(any_contention(), 1..40),
        stream: u64,
    ) {
        for draw in [None, Some(0), Some(u64::MAX)] {
            let mut cursor = Cursor::at(step);
            let mut rng = seeded(stream);
            for &contention in &contentions {
                let delay = match draw {
                    None => backoff.next(&mut cursor, contention, &mut rng),
                    Some(end) => backoff.next(&mut cursor, contention, &mut Always(end)),
                };
                prop_assert!(delay >= backoff.floor());
                prop_assert!(delay <= backoff.max_delay(), "{delay:?}");
            }
            let first = backoff.first(&mut rng);
            prop_assert!(first >= backoff.floor() && first <= backoff.max_delay());
        }
    }

    #[test]
    fn a_cursor_of_another_schedule_is_harmless(
        backoffs in [any_backoff(), any_backoff()],
        stream: u64,
    ) {
        let (mut cursor, mut rng) = (Cursor::new(), seeded(stream));
        for turn in 0..30 {
            let backoff = &backoffs[turn % 2];
            let delay = backoff.next(&mut cursor, Contention::Busy, &mut rng);
            prop_assert!(delay >= backoff.floor() && delay <= backoff.max_delay());
        }
    }

    #[test]
    fn max_dials_is_never_exceeded(
        backoff in any_backoff(),
        contentions in prop::collection::vec(any_contention(), 1..200),
        often_down: bool,
        draw in prop_oneof![Just(None), Just(Some(0)), any::<u64>().prop_map(Some)],
        stream: u64,
    ) {
        let (mut cursor, mut rng) = (Cursor::new(), seeded(stream));
        let mut elapsed = Duration::ZERO;
        let mut times = vec![elapsed];
        for (dials, contention) in (1_u64..).zip(contentions) {
            let contention = if often_down && dials % 16 != 3 {
                Contention::Down
            } else {
                contention
            };
            elapsed += match draw {
                None => backoff.next(&mut cursor, contention, &mut rng),
                Some(draw) => backoff.next(&mut cursor, contention, &mut Always(draw)),
            };
            // In every window of the run, not only in those from its beginning on.
            for (before, since) in (0..).zip(&times) {
                let (dials, window) = (dials - before, elapsed.saturating_sub(*since));
                let bound = backoff.max_dials(window) + u64::from(before > 0);
                prop_assert!(dials <= bound, "{dials} dials in {window:?}, bound {bound}");
            }
            times.push(elapsed);
        }
    }
}

#[cfg(feature = "serde")]
#[test]
fn configuration_is_data_and_is_checked_when_read() {
    for (name, backoff) in forms() {
        let text = serde_json::to_string(&backoff).unwrap();
        let read: Backoff = serde_json::from_str(&text).unwrap();
        assert_eq!(read, backoff, "{name}");
    }
    let text = serde_json::to_string(&doubling(Jitter::Full)).unwrap();
    let wrong = text.replace("\"numerator\":2", "\"numerator\":0");
    assert_ne!(text, wrong);
    let error = serde_json::from_str::<Backoff>(&wrong).unwrap_err();
    assert!(error.to_string().contains("factor 0/1"), "{error}");
}
