//! How fast the demonstration goes: its configuration of the link, and how long faults last.

use crate::words::time;
use redial::Config;
use redial::backoff::{Backoff, Jitter, Schedule};
use redial::heartbeat::Pulse;
use redial::outbox::{Delivery, Limits};
use redial::session::Settings;
use std::io;
use std::time::Duration;

/// Between two messages.
pub(super) const BETWEEN_MESSAGES: Duration = Duration::from_millis(10);

/// Durations of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    connect_deadline: Duration,
    ping: Duration,
    pong_deadline: Duration,
    first: Duration,
    cap: Duration,
    pub(super) stable_after: Duration,
    /// How long the killed server stays away.
    pub(super) away: Duration,
    /// How long connections are reset again and again.
    pub(super) storm: Duration,
    /// How long the black hole goes on after it was noticed.
    pub(super) hole: Duration,
    /// How long handshakes stay without an answer.
    pub(super) stall: Duration,
    /// How many dials are answered with 503.
    pub(super) refusals: u64,
    /// How long every connection is dropped at once.
    pub(super) drops: Duration,
    /// How many messages are written into the void before the server loses its store.
    pub(super) void: u64,
}

impl Pace {
    /// About 42 seconds in all.
    pub(super) const FULL: Self = Self {
        connect_deadline: Duration::from_millis(1_500),
        ping: Duration::from_secs(1),
        pong_deadline: Duration::from_secs(1),
        first: Duration::from_millis(100),
        cap: Duration::from_secs(1),
        stable_after: Duration::from_secs(2),
        away: Duration::from_secs(2),
        storm: Duration::from_millis(2_500),
        hole: Duration::from_secs(1),
        stall: Duration::from_millis(2_500),
        refusals: 2,
        drops: Duration::from_millis(3_500),
        void: 30,
    };

    /// About 13 seconds in all.
    pub(super) const FAST: Self = Self {
        connect_deadline: Duration::from_millis(600),
        ping: Duration::from_millis(300),
        pong_deadline: Duration::from_millis(300),
        first: Duration::from_millis(50),
        cap: Duration::from_millis(400),
        stable_after: Duration::from_millis(500),
        away: Duration::from_millis(400),
        storm: Duration::from_millis(800),
        hole: Duration::from_millis(200),
        stall: Duration::from_millis(700),
        refusals: 1,
        drops: Duration::from_secs(1),
        void: 20,
    };

    /// The configuration of the link.
    pub(super) fn config(&self) -> io::Result<Config> {
        let backoff = Backoff::new(
            Schedule::Stratified {
                first: self.first,
                cap: self.cap,
                contended_floor: self.first,
                contended_cap: self.cap,
            },
            Jitter::Full,
            Duration::from_millis(20),
        );
        Config::builder()
            .connect_deadline(self.connect_deadline)
            .patience(self.connect_deadline * 2)
            .heartbeat(Pulse {
                interval: Some(self.ping),
                pong_deadline: self.pong_deadline,
                hidden_interval: None,
                ..Pulse::default()
            })
            .stable_after(self.stable_after)
            .backoff(backoff.map_err(io::Error::other)?)
            .outbox(Limits {
                // A hundred a second pile up while the server is away.
                messages: 10_000,
                delivery: Delivery::Acknowledged,
                ..Limits::default()
            })
            .session(Some(Settings {
                // A server that drops every connection after 5 ms may never come to answer.
                resume_attempts: u8::MAX,
                ..Settings::default()
            }))
            .build()
            .map_err(io::Error::other)
    }

    /// What of the configuration matters, beside the default of the library.
    pub(super) fn lines(&self) -> [String; 6] {
        let defaults = Config::default();
        let pulse = defaults.heartbeat();
        let ping = pulse.interval.map_or_else(|| "never".to_owned(), time);
        let windows = match defaults.backoff().schedule() {
            Schedule::Stratified { first, cap, .. } => format!("{}, {}", time(*first), time(*cap)),
            _ => String::new(),
        };
        let acks = Settings::default().acks;
        [
            format!(
                "each end acknowledges after {} messages or {}, as by default",
                acks.messages,
                time(acks.delay)
            ),
            format!(
                "an attempt may take {} (default {})",
                time(self.connect_deadline),
                time(defaults.connect_deadline())
            ),
            format!(
                "a ping after {} of silence, answered within {}, or {} times that while data",
                time(self.ping),
                time(self.pong_deadline),
                pulse.extension,
            ),
            format!("  is on its way ({ping}, {})", time(pulse.pong_deadline)),
            format!(
                "first retry within {}, later ones up to {} apart ({windows})",
                time(self.first),
                time(self.cap)
            ),
            format!(
                "a connection is stable after {} ({})",
                time(self.stable_after),
                time(defaults.stable_after())
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_paces_are_valid() {
        for pace in [Pace::FULL, Pace::FAST] {
            pace.config().unwrap();
            assert!(pace.lines().concat().contains("(10 s)"));
        }
    }
}
