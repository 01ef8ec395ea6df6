//! The room `requests` from outside: each rule by a case, and all of them in lockstep with a
//! reference that is slow and plain.

mod carried;
mod driver;
mod inputs;
mod lockstep;
mod model;
mod rules;
mod settings;

use std::time::Duration;

use redial::Instant;
use redial::requests::{Event, RequestId, RequestOptions, Requests, Settings};

const FRESH: Event = Event::Up { fresh: true };
const RESUMED: Event = Event::Up { fresh: false };

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn at(seconds: u64) -> Instant {
    Instant::from_origin(secs(seconds))
}

/// Requests with the default settings, on a connection.
fn up() -> Requests<&'static str> {
    let mut requests = Requests::default();
    requests.handle(at(0), FRESH);
    requests
}

fn ask(requests: &mut Requests<&'static str>, now: u64, text: &'static str) -> RequestId {
    requests
        .ask(at(now), text, RequestOptions::new())
        .expect("there is room")
}

/// Sends all that is to be sent; their numbers and attempts.
fn send<P>(requests: &mut Requests<P>, now: u64) -> Vec<(u64, u32)> {
    let mut sent = Vec::new();
    while let Some(asking) = requests.poll_send() {
        let id = asking.id;
        sent.push((id.number(), asking.attempt));
        assert!(requests.sent(at(now), id), "what is to be sent can be sent");
    }
    sent
}

fn with(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}
