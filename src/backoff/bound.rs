//! What a configuration can at most do: the longest delay, the most dials in a time.

use alloc::vec::Vec;

use super::stratified::Windows;
use super::{Jitter, Schedule};
use crate::time::nanos;

/// How many steps of a growing schedule are counted one by one.
///
/// The steps after them are counted as if they did not grow any more. That is still a
/// bound, and matters only for factors so close to one that the cap is further away.
const COUNTED: u32 = 4096;

/// The longest delay in nanoseconds, floor aside.
pub(super) fn max_delay(schedule: &Schedule, jitter: Jitter) -> u64 {
    let longest = match schedule {
        Schedule::Stratified { contended_cap, .. } => {
            return nanos(*contended_cap).saturating_mul(2);
        }
        Schedule::Table { delays } => delays.iter().map(|delay| nanos(*delay)).max().unwrap_or(0),
        Schedule::Fixed { .. } | Schedule::Exponential { .. } => schedule.last(),
    };
    if jitter == Jitter::Decorrelated {
        match schedule {
            Schedule::Exponential { cap, .. } => nanos(*cap),
            _ => longest,
        }
    } else {
        jitter.range(longest).greatest()
    }
}

/// How many delays of a run end within `window`, all in nanoseconds.
pub(super) fn max_dials(schedule: &Schedule, jitter: Jitter, floor: u64, window: u64) -> u64 {
    let floor = floor.max(1);
    if let Some(windows) = Windows::of(schedule) {
        // Contention can't beat this. Jumping ahead skips windows no longer than half of the
        // one it leads to, and half of the cap is the least wait between two polls.
        let in_full = fitting(window, windows.polls_from(), windows.least_poll(), |step| {
            windows.window(step)
        });
        // The last of the dials may come at the very beginning of its window.
        return in_full.saturating_add(1).min(window / floor);
    }
    let least = |step| least_of(schedule, jitter, schedule.delay(step, 0)).max(floor);
    match schedule {
        Schedule::Exponential { .. } => exponential(schedule, jitter, floor, window),
        Schedule::Table { delays } => {
            // A later delay may be the shorter one, and a window may begin there: each step
            // counts as the least delay from there on.
            let mut after = least(u32::MAX);
            let mut terms: Vec<_> = delays
                .iter()
                .rev()
                .map(|delay| {
                    after = after.min(least_of(schedule, jitter, nanos(*delay)).max(floor));
                    after
                })
                .collect();
            terms.reverse();
            let ends = u32::try_from(terms.len()).unwrap_or(u32::MAX);
            let term = |step| usize::try_from(step).ok().and_then(|step| terms.get(step));
            fitting(window, ends, least(u32::MAX), |step| {
                term(step).copied().unwrap_or(after)
            })
        }
        _ => window / least(0),
    }
}

/// How many terms of a series fit in `window`: `term(0..ends)`, then `after` for ever.
fn fitting(window: u64, ends: u32, after: u64, term: impl Fn(u32) -> u64) -> u64 {
    let mut left = window;
    for step in 0..ends {
        match left.checked_sub(term(step)) {
            Some(rest) => left = rest,
            None => return u64::from(step),
        }
    }
    u64::from(ends).saturating_add(left / after.max(1))
}

/// The same, walking the carried delay instead of asking for each step.
fn exponential(schedule: &Schedule, jitter: Jitter, floor: u64, window: u64) -> u64 {
    let mut delay = schedule.delay(0, 0);
    let mut left = window;
    for step in 0..COUNTED {
        match left.checked_sub(least_of(schedule, jitter, delay).max(floor)) {
            Some(rest) => left = rest,
            None => return u64::from(step),
        }
        let next = schedule.carry_after(delay);
        if next == delay {
            let least = least_of(schedule, jitter, delay).max(floor);
            return u64::from(step)
                .saturating_add(1)
                .saturating_add(left / least);
        }
        delay = next;
    }
    u64::from(COUNTED).saturating_add(left / least_of(schedule, jitter, delay).max(floor))
}

/// The least that jitter leaves of `delay`, in nanoseconds, floor aside.
fn least_of(schedule: &Schedule, jitter: Jitter, delay: u64) -> u64 {
    match schedule {
        Schedule::Exponential { base, .. } if jitter == Jitter::Decorrelated => nanos(*base),
        _ => jitter.range(delay).least(),
    }
}
