//! One invalid configuration for every rule.

use super::*;
use redial::backoff::BackoffError;

fn refused(schedule: Schedule, jitter: Jitter, floor: Duration) -> BackoffError {
    let error = Backoff::new(schedule, jitter, floor).unwrap_err();
    assert!(!error.to_string().is_empty());
    error
}

fn stratified(first: u64, cap: u64, contended_floor: u64, contended_cap: u64) -> Schedule {
    Schedule::Stratified {
        first: secs(first),
        cap: secs(cap),
        contended_floor: secs(contended_floor),
        contended_cap: secs(contended_cap),
    }
}

fn grown(base: u64, numerator: u32, denominator: u32, cap: u64) -> Schedule {
    Schedule::Exponential {
        base: secs(base),
        factor: Ratio::new(numerator, denominator),
        cap: secs(cap),
    }
}

fn fixed(delay: Duration) -> Schedule {
    Schedule::Fixed { delay }
}

#[test]
fn floors() {
    let floor = Duration::ZERO;
    assert_eq!(
        refused(fixed(secs(1)), Jitter::None, floor),
        BackoffError::FloorZero
    );
    let floor = millis(1001);
    let limits = [
        (fixed(secs(1)), Jitter::None, 1000),
        (fixed(secs(1)), Jitter::Full, 500),
        (fixed(secs(1)), Jitter::Equal, 750),
        (stratified(2, 20, 8, 20), Jitter::Full, 1000),
        (grown(1, 2, 1, 2), Jitter::Full, 1000),
        (grown(1, 1, 1, 60), Jitter::None, 1000),
    ];
    for (schedule, jitter, limit) in limits {
        let limit = millis(limit);
        assert!(Backoff::new(schedule.clone(), jitter, limit).is_ok());
        assert_eq!(
            refused(schedule, jitter, floor),
            BackoffError::FloorTooHigh { floor, limit }
        );
    }
}

#[test]
fn stratified_schedules() {
    let full = |schedule| refused(schedule, Jitter::Full, FLOOR);
    assert_eq!(full(stratified(0, 20, 8, 20)), BackoffError::FirstZero);
    assert_eq!(
        full(stratified(20, 20, 8, 20)),
        BackoffError::FirstNotBelowCap {
            first: secs(20),
            cap: secs(20)
        }
    );
    assert_eq!(
        full(stratified(1, 20, 8, 19)),
        BackoffError::ContendedCapBelowCap {
            contended_cap: secs(19),
            cap: secs(20)
        }
    );
    assert_eq!(
        full(stratified(1, 20, 31, 30)),
        BackoffError::ContendedFloorAboveCap {
            contended_floor: secs(31),
            contended_cap: secs(30)
        }
    );
    for jitter in [
        Jitter::None,
        Jitter::Equal,
        Jitter::Proportional { percent: 20 },
        Jitter::Decorrelated,
    ] {
        assert_eq!(
            refused(stratified(1, 20, 8, 30), jitter, FLOOR),
            BackoffError::StratifiedNeedsFull { jitter }
        );
    }
}

#[test]
fn tables_and_exponentials() {
    let none = |schedule| refused(schedule, Jitter::None, FLOOR);
    let empty = Schedule::Table { delays: vec![] };
    assert_eq!(none(empty), BackoffError::TableEmpty);
    assert_eq!(none(grown(0, 2, 1, 30)), BackoffError::FirstZero);
    assert_eq!(
        none(grown(31, 2, 1, 30)),
        BackoffError::BaseAboveCap {
            base: secs(31),
            cap: secs(30)
        }
    );
    for (numerator, denominator) in [(1, 2), (0, 1), (2, 0), (0, 0)] {
        let factor = Ratio::new(numerator, denominator);
        assert_eq!(
            none(grown(1, numerator, denominator, 30)),
            BackoffError::FactorBelowOne { factor }
        );
    }
}

#[test]
fn jitters() {
    let percent = 101;
    assert_eq!(
        refused(fixed(secs(1)), Jitter::Proportional { percent }, FLOOR),
        BackoffError::PercentAbove100 { percent }
    );
    assert_eq!(
        refused(fixed(secs(1)), Jitter::Decorrelated, FLOOR),
        BackoffError::DecorrelatedNeedsExponential
    );
    let still = Jitter::Additive {
        below: Duration::ZERO,
        above: Duration::ZERO,
    };
    let flat = [
        (fixed(secs(1)), Jitter::Proportional { percent: 0 }),
        (fixed(secs(1)), still),
        (fixed(Duration::ZERO), Jitter::Full),
        (grown(30, 2, 1, 30), Jitter::Decorrelated),
    ];
    for (schedule, jitter) in flat {
        assert_eq!(
            refused(schedule, jitter, FLOOR),
            BackoffError::NoSpread { jitter }
        );
    }
}

#[test]
fn durations_beyond_a_year() {
    let given = Backoff::LONGEST + Duration::from_nanos(1);
    let cap = secs(20);
    let too_long = [
        (fixed(given), Jitter::None, FLOOR),
        (fixed(cap), Jitter::None, given),
        (
            Schedule::Table {
                delays: vec![cap, given],
            },
            Jitter::None,
            FLOOR,
        ),
        (
            Schedule::Stratified {
                first: secs(1),
                cap,
                contended_floor: secs(8),
                contended_cap: given,
            },
            Jitter::Full,
            FLOOR,
        ),
        (
            Schedule::Exponential {
                base: cap,
                factor: Ratio::new(2, 1),
                cap: given,
            },
            Jitter::None,
            FLOOR,
        ),
        (
            fixed(cap),
            Jitter::Additive {
                below: cap,
                above: given,
            },
            FLOOR,
        ),
        (
            fixed(cap),
            Jitter::Additive {
                below: given,
                above: cap,
            },
            FLOOR,
        ),
    ];
    for (schedule, jitter, floor) in too_long {
        assert_eq!(
            refused(schedule, jitter, floor),
            BackoffError::TooLong { given }
        );
    }
}
