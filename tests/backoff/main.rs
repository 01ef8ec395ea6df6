//! The room `backoff` from outside: golden vectors, bounds, spread, and what other
//! documents' schedules come to.

#![cfg(feature = "chacha")]

mod bounds;
mod crowd;
mod errors;
mod golden;
mod seeds;
mod stratified;

use std::convert::Infallible;
use std::time::Duration;

use proptest::prelude::*;
use redial::backoff::{Backoff, Contention, Cursor, Jitter, Ratio, Schedule};
use redial::rng::{Seed, Seeded};

const FLOOR: Duration = Duration::from_millis(20);

/// A generator that repeats one number: zero and `u64::MAX` are the ends of every range.
struct Always(u64);

impl rand_core::TryRng for Always {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("a decision draws one u64")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Infallible> {
        panic!("a decision draws one u64")
    }
}

fn seeded(stream: u64) -> Seeded {
    Seeded::new(Seed::from_number(42), stream)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn exponential(base: Duration, factor: Ratio, cap: Duration, jitter: Jitter) -> Backoff {
    Backoff::new(Schedule::Exponential { base, factor, cap }, jitter, FLOOR).unwrap()
}

fn doubling(jitter: Jitter) -> Backoff {
    exponential(secs(1), Ratio::new(2, 1), secs(30), jitter)
}

fn table(delays: &[Duration], jitter: Jitter) -> Backoff {
    let delays = delays.to_vec();
    Backoff::new(Schedule::Table { delays }, jitter, FLOOR).unwrap()
}

/// One configuration of every form, by name.
fn forms() -> Vec<(&'static str, Backoff)> {
    let delay = secs(5);
    let fixed = |jitter| Backoff::new(Schedule::Fixed { delay }, jitter, FLOOR).unwrap();
    let signal = [secs(0), secs(2), secs(10), secs(30)];
    vec![
        ("stratified", Backoff::default()),
        ("fixed", fixed(Jitter::None)),
        ("fixed, full", fixed(Jitter::Full)),
        ("table", table(&signal, Jitter::None)),
        ("table, equal", table(&signal, Jitter::Equal)),
        ("doubling", doubling(Jitter::None)),
        ("doubling, full", doubling(Jitter::Full)),
        ("doubling, equal", doubling(Jitter::Equal)),
        (
            "by 1.6, 20 %",
            exponential(
                secs(1),
                Ratio::new(8, 5),
                secs(120),
                Jitter::Proportional { percent: 20 },
            ),
        ),
        (
            "doubling, +-1 s",
            doubling(Jitter::Additive {
                below: secs(1),
                above: secs(1),
            }),
        ),
        ("decorrelated", doubling(Jitter::Decorrelated)),
    ]
}

fn delays(
    backoff: &Backoff,
    contention: Contention,
    rng: &mut impl redial::rng::Rng,
    count: usize,
) -> Vec<Duration> {
    let mut cursor = Cursor::new();
    (0..count)
        .map(|_| backoff.next(&mut cursor, contention, rng))
        .collect()
}

// Strategies are boxed: as nested types they fill the stack of a test's thread.

fn any_duration() -> BoxedStrategy<Duration> {
    prop_oneof![
        8 => (1_u64..600_000_000_000).prop_map(Duration::from_nanos),
        4 => (1_u64..600_000).prop_map(Duration::from_millis),
        1 => (1_u64..60).prop_map(Duration::from_nanos),
        1 => Just(Backoff::LONGEST),
    ]
    .boxed()
}

fn any_jitter() -> BoxedStrategy<Jitter> {
    prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        (1_u8..=100).prop_map(|percent| Jitter::Proportional { percent }),
        (any_duration(), any_duration())
            .prop_map(|(below, above)| Jitter::Additive { below, above }),
    ]
    .boxed()
}

fn any_ratio() -> BoxedStrategy<Ratio> {
    let upper = prop_oneof![1_u32..10, 1_u32..=u32::MAX];
    (upper, prop_oneof![1_u32..10, 1_u32..=u32::MAX])
        .prop_map(|(a, b)| Ratio::new(a.max(b), a.min(b)))
        .boxed()
}

/// Any valid configuration: made valid where that is easy, else drawn again.
fn any_backoff() -> BoxedStrategy<Backoff> {
    let exponential = (any_duration(), any_ratio(), any_duration()).prop_map(|(a, factor, b)| {
        let (base, cap) = (a.min(b), a.max(b));
        Schedule::Exponential { base, factor, cap }
    });
    let stratified = [(); 4].map(|()| any_duration()).prop_map(|mut sorted| {
        sorted.sort();
        let [first, cap, contended_floor, contended_cap] = sorted;
        Schedule::Stratified {
            first,
            cap,
            contended_floor,
            contended_cap,
        }
    });
    let table = prop::collection::vec(prop_oneof![Just(Duration::ZERO), any_duration()], 1..9)
        .prop_map(|delays| Schedule::Table { delays });
    let schedule = prop_oneof![
        (stratified, Just(Jitter::Full)),
        (any_duration(), any_jitter()).prop_map(|(delay, j)| (Schedule::Fixed { delay }, j)),
        (table, any_jitter()),
        (
            exponential,
            prop_oneof![4 => any_jitter(), 1 => Just(Jitter::Decorrelated)]
        ),
    ];
    let floor = prop_oneof![Just(Duration::from_nanos(1)), any_duration()];
    (schedule, floor)
        .prop_filter_map("valid", |((schedule, jitter), floor)| {
            Backoff::new(schedule.clone(), jitter, floor)
                .or_else(|_| Backoff::new(schedule, jitter, Duration::from_nanos(1)))
                .ok()
        })
        .boxed()
}

fn any_contention() -> impl Strategy<Value = Contention> {
    prop::sample::select(&[Contention::Down, Contention::Busy, Contention::Silent])
}
