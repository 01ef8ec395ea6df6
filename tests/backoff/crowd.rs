//! Ten thousand links that lose their server at the same instant, in virtual time.

use super::*;

const CROWD: usize = 10_000;
/// Each attempt fails at once, which is the worst that can happen to a schedule.
const SLOT: Duration = millis(100);

/// The most dials that any 100 ms hold, over the mean of 100 ms in `from..to`.
fn peak_over_mean(dials: &[Duration], from: Duration, to: Duration) -> f64 {
    let first = dials.partition_point(|at| *at < from);
    let last = dials.partition_point(|at| *at < to);
    let inside = &dials[first..last];
    let mut peak = 0;
    for (i, at) in inside.iter().enumerate() {
        let held = inside[i..].partition_point(|later| *later < *at + SLOT);
        peak = peak.max(held);
    }
    let count = |n: usize| f64::from(u32::try_from(n).unwrap());
    let slots = to.abs_diff(from).as_secs_f64() / SLOT.as_secs_f64();
    count(peak) / (count(inside.len()) / slots)
}

/// When any of the crowd dials, in order, up to `end`.
fn crowd(backoff: &Backoff, start: Cursor, contention: Contention, end: Duration) -> Vec<Duration> {
    let mut dials = vec![];
    for stream in 0..CROWD {
        let mut rng = seeded(stream as u64);
        let (mut cursor, mut now) = (start, Duration::ZERO);
        while now < end {
            now += backoff.next(&mut cursor, contention, &mut rng);
            dials.push(now);
        }
    }
    dials.sort_unstable();
    dials
}

#[test]
fn rule_06_a_crowd_is_spread_inside_each_window() {
    let dials = crowd(
        &Backoff::default(),
        Cursor::new(),
        Contention::Down,
        secs(47),
    );
    let mut from = Duration::ZERO;
    for window in [
        500, 1000, 500, 2000, 1000, 4000, 2000, 8000, 4000, 16000, 8000,
    ] {
        let to = from + millis(window);
        let ratio = peak_over_mean(&dials, from, to);
        assert!(
            ratio <= 3.0,
            "window {from:?}..{to:?}: {ratio:.2} times the mean"
        );
        from = to;
    }
}

#[test]
fn rule_06_a_crowd_is_spread_at_the_cap() {
    let backoff = Backoff::default();
    let dials = crowd(&backoff, Cursor::at(11), Contention::Down, secs(300));
    // The first polls, which all began in step, and then the long run.
    for (from, to) in [(10, 20), (20, 40), (40, 120), (120, 300)] {
        let ratio = peak_over_mean(&dials, secs(from), secs(to));
        assert!(ratio <= 3.0, "{from} to {to} s: {ratio:.2} times the mean");
    }
}

#[test]
fn rule_06_a_crowd_is_spread_under_contention() {
    let backoff = Backoff::default();
    let dials = crowd(&backoff, Cursor::new(), Contention::Busy, secs(40));
    for (from, to) in [(0, 8), (8, 16), (16, 32), (32, 40)] {
        let ratio = peak_over_mean(&dials, secs(from), secs(to));
        assert!(ratio <= 3.0, "{from} to {to} s: {ratio:.2} times the mean");
    }
}

#[test]
fn rule_06_every_jitter_spreads_a_crowd_at_the_cap() {
    for (name, backoff) in forms() {
        if backoff.jitter() == Jitter::None || name == "stratified" {
            continue;
        }
        let mut dials: Vec<_> = (0..CROWD as u64)
            .map(|stream| {
                let mut cursor = Cursor::at(u32::MAX);
                backoff.next(&mut cursor, Contention::Down, &mut seeded(stream))
            })
            .collect();
        dials.sort_unstable();
        let ends = [0, u64::MAX].map(|end| {
            let mut cursor = Cursor::at(u32::MAX);
            backoff.next(&mut cursor, Contention::Down, &mut Always(end))
        });
        assert!(
            ends[1].abs_diff(ends[0]) >= secs(2),
            "{name} spreads over {ends:?}"
        );
        let ratio = peak_over_mean(&dials, ends[0], ends[1]);
        assert!(ratio <= 3.0, "{name}: {ratio:.2} times the mean");
    }
}
