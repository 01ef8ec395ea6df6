//! What the tests share: short deadlines, and a clock that never sleeps.

pub(crate) mod peer;

use std::time::{Duration, Instant};

use redial_blocking::redial::backoff::{Backoff, Jitter, Schedule};
use redial_blocking::redial::config::Builder;
use redial_blocking::redial::heartbeat::Pulse;
use redial_blocking::redial::rng::Seed;
use redial_blocking::redial::{Cause, Config, Payload, Phase, Status};
use redial_blocking::{Handle, Incoming, Message};

/// Long enough for anything that happens at all.
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Retries each 30 to 90 ms, attempts of half a second, pings after half a second of silence.
pub(crate) fn quick() -> Builder {
    let schedule = Schedule::Fixed { delay: ms(60) };
    let jitter = Jitter::Proportional { percent: 50 };
    Config::builder()
        .backoff(Backoff::new(schedule, jitter, ms(20)).unwrap())
        .connect_deadline(ms(500))
        .patience(ms(500))
        .close_deadline(ms(500))
        .quick(None)
        .heartbeat(pulse(500, 500))
}

pub(crate) fn pulse(interval: u64, pong: u64) -> Pulse {
    Pulse {
        interval: Some(ms(interval)),
        pong_deadline: ms(pong),
        ..Pulse::default()
    }
}

/// A WebSocket link with a seed that is told.
pub(crate) fn link(url: &str, config: Builder) -> (Handle<Message>, Incoming<Message>) {
    builder(url, config).spawn().unwrap()
}

pub(crate) fn builder(
    url: &str,
    config: Builder,
) -> redial_blocking::Builder<redial_blocking::WebSocket> {
    let seed = 7;
    println!("seed {seed}");
    redial_blocking::websocket(url)
        .unwrap()
        .config(config.build().unwrap())
        .seed(Seed::from_number(seed))
}

pub(crate) fn wait<M: Payload>(handle: &Handle<M>, condition: impl Fn(&Status) -> bool) -> Status {
    handle
        .wait(condition, SOON)
        .unwrap_or_else(|| panic!("not within {SOON:?}: {:?}", handle.status()))
}

pub(crate) fn connected<M: Payload>(handle: &Handle<M>) -> Status {
    wait(handle, |status| status.phase == Phase::Connected)
}

pub(crate) fn ended_by<M: Payload>(handle: &Handle<M>, cause: Cause) -> Status {
    handle
        .wait(|status| status.last_cause == Some(cause), SOON)
        .unwrap_or_else(|| {
            panic!(
                "no {cause:?} within {SOON:?}: {:?}, {:?}",
                handle.status(),
                handle.last_error()
            )
        })
}

/// Waits until `condition` holds, with nothing to wake up by; fails after [`SOON`].
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        std::thread::yield_now();
    }
}
