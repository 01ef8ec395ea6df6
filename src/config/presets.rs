//! The configurations of five home-made clients that this crate replaces, by character.
//!
//! Each is a [`Builder`], to be changed further. What a client left open is this crate's
//! default. Their schedules are known to storm or to fall in step where
//! `docs/rules.md` says so; the defaults of [`Config`] don't.

use core::time::Duration;

use super::{Builder, Config, Preflight};
use crate::backoff::{Backoff, Jitter, Ratio, Schedule};
use crate::heartbeat::Pulse;
use crate::outbox::Limits;

impl Config {
    /// A terminal program: ten retries from 1 s doubling to 30 s, a readiness check with a
    /// start-up wait of 30 s, dead after 60 s of silence, 1,000 messages queued.
    pub fn terminal() -> Builder {
        Config::builder()
            .backoff(exponential(2, 1, 30, Jitter::Equal))
            .max_retries(Some(10))
            .heartbeat(pulse(50, 1))
            .preflight(Some(Preflight::default()))
            .outbox(messages(1_000))
    }

    /// A client that grades its connection: five retries from 1 s doubling to 30 s, each
    /// moved by up to a second; a ping each 30 s, dead after three misses.
    pub fn quality() -> Builder {
        let second = Duration::from_secs(1);
        let around = Jitter::Additive {
            below: second,
            above: second,
        };
        Config::builder()
            .backoff(exponential(2, 1, 30, around))
            .max_retries(Some(5))
            .heartbeat(pulse(30, 3))
    }

    /// A messaging client: ten retries from 1 s growing by half to 60 s, each shortened by up
    /// to half; a ping each 30 s, dead after one miss; 100 messages queued.
    pub fn messaging() -> Builder {
        Config::builder()
            .backoff(exponential(3, 2, 60, Jitter::Equal))
            .max_retries(Some(10))
            .heartbeat(pulse(30, 1))
            .outbox(messages(100))
    }

    /// A manager of several services: five retries from 1 s doubling to 30 s, each lengthened
    /// by up to a second.
    pub fn manager() -> Builder {
        let above = Jitter::Additive {
            below: Duration::ZERO,
            above: Duration::from_secs(1),
        };
        Config::builder()
            .backoff(exponential(2, 1, 30, above))
            .max_retries(Some(5))
            .heartbeat(pulse(30, 1))
    }

    /// A board in a browser: twenty retries from 1 s doubling to 30 s, each shortened by up to
    /// half; a ping each 15 s.
    pub fn board() -> Builder {
        Config::builder()
            .backoff(exponential(2, 1, 30, Jitter::Equal))
            .max_retries(Some(20))
            .heartbeat(pulse(15, 1))
    }
}

/// From one second, by `numerator / denominator`, to `cap` seconds.
fn exponential(numerator: u32, denominator: u32, cap: u64, jitter: Jitter) -> Backoff {
    let schedule = Schedule::Exponential {
        base: Duration::from_secs(1),
        factor: Ratio::new(numerator, denominator),
        cap: Duration::from_secs(cap),
    };
    // Valid by the values above; a test compares each preset with its client's table.
    Backoff::new(schedule, jitter, Duration::from_millis(20)).unwrap_or_default()
}

fn pulse(interval: u64, misses: u8) -> Pulse {
    Pulse {
        interval: Some(Duration::from_secs(interval)),
        misses,
        ..Pulse::default()
    }
}

fn messages(messages: usize) -> Limits {
    Limits {
        messages,
        ..Limits::default()
    }
}
