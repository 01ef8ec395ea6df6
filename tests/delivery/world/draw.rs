//! From words to configurations and choices. Every word is valid, and a word is one step, so that
//! removing words shrinks a case.

use core::time::Duration;

use redial::backoff::{Backoff, Jitter, Schedule};
use redial::heartbeat::Pulse;
use redial::outbox::{Batch, Delivery, Limits, Overflow};
use redial::server;
use redial::session::{Cadence, OnFresh, Settings};
use redial::{Config, Instant, SendOptions};

/// A number to draw from, by mixed radix.
pub struct Draw(u64);

impl Draw {
    pub const fn new(word: u64) -> Self {
        Self(word)
    }

    /// A number below `n`.
    pub const fn below(&mut self, n: u64) -> u64 {
        let drawn = self.0 % n;
        self.0 /= n;
        drawn
    }

    /// A number of things below `n`.
    pub fn count(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n.max(1) as u64)).unwrap_or(0)
    }

    /// One of these.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        let index = self.count(of.len());
        of[index].clone()
    }

    /// True once in `n` times.
    pub const fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// How many words a configuration takes.
pub const CONFIG_WORDS: usize = 3;

/// When a refused intent is tried again: a fixed time, so that the model can tell.
pub const INTENT_RETRY: Duration = millis(100);

/// A configuration of both ends.
pub fn config(words: [u64; CONFIG_WORDS]) -> (Config, server::Settings) {
    let [a, b, c] = words;
    let mut draw = Draw::new(a);
    let session = Settings {
        acks: cadence(&mut draw),
        on_fresh: draw.pick(&[OnFresh::Report, OnFresh::Resend]),
        resume_attempts: draw.pick(&[3, 1]),
        max_intents: 4,
        intent_bytes: 100,
        intent_backoff: fixed(INTENT_RETRY),
    };
    let mut draw = Draw::new(b);
    let config = Config::builder()
        .backoff(fixed(millis(50)))
        .quick(None)
        .ready_deadline(Some(Duration::from_secs(2)))
        .close_deadline(Duration::from_secs(1))
        .heartbeat(Pulse {
            interval: None,
            ..Pulse::default()
        })
        .outbox(limits(&mut draw))
        .session(Some(session))
        .build()
        .expect("every decoded configuration is valid");
    let mut draw = Draw::new(c);
    let settings = server::Settings {
        acks: cadence(&mut draw),
        window: draw.pick(&[Duration::from_secs(120), Duration::from_secs(3)]),
        outbox: limits(&mut draw),
    };
    (config, settings)
}

fn fixed(delay: Duration) -> Backoff {
    let schedule = Schedule::Fixed { delay };
    Backoff::new(schedule, Jitter::None, millis(20)).expect("a valid schedule")
}

fn cadence(draw: &mut Draw) -> Cadence {
    Cadence {
        messages: draw.pick(&[32, 1, 3]),
        bytes: draw.pick(&[1 << 16, 10]),
        delay: draw.pick(&[millis(50), millis(500)]),
    }
}

fn limits(draw: &mut Draw) -> Limits {
    Limits {
        messages: draw.pick(&[8, 3, 20]),
        bytes: draw.pick(&[1000, 40]),
        overflow: draw.pick(&[
            Overflow::RejectNew,
            Overflow::DropOldest,
            Overflow::DropNewest,
        ]),
        window: draw.pick(&[1000, 15, 1]),
        ttl: draw.pick(&[None, None, Some(millis(400))]),
        max_tries: draw.pick(&[None, None, Some(1), Some(2)]),
        pace: draw.pick(&[None, None, Some(millis(20))]),
        delivery: draw.pick(&[
            Delivery::Acknowledged,
            Delivery::Acknowledged,
            Delivery::AtMostOnce,
        ]),
        durable: draw.once_in(4),
        batch: draw.pick(&[
            None,
            None,
            Some(Batch {
                messages: 3,
                delay: millis(30),
            }),
        ]),
    }
}

/// A message to send, and what is asked for it.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub size: usize,
    volatile: bool,
    ttl: Option<Duration>,
    delivery: Option<Delivery>,
}

impl Terms {
    pub fn new(draw: &mut Draw) -> Self {
        Self {
            size: draw.pick(&[1, 5, 0, 12, 41]),
            volatile: draw.once_in(10),
            ttl: draw.pick(&[
                None,
                None,
                None,
                None,
                Some(millis(100)),
                Some(Duration::ZERO),
                Some(Duration::from_secs(60)),
            ]),
            delivery: draw.pick(&[
                None,
                None,
                None,
                Some(Delivery::AtMostOnce),
                Some(Delivery::Acknowledged),
                Some(Delivery::Acknowledged),
            ]),
        }
    }

    pub fn options(&self) -> SendOptions {
        let mut options = SendOptions::new();
        if self.volatile {
            options = options.volatile();
        }
        if let Some(ttl) = self.ttl {
            options = options.ttl(ttl);
        }
        if let Some(delivery) = self.delivery {
            options = options.delivery(delivery);
        }
        options
    }

    pub const fn is_volatile(&self) -> bool {
        self.volatile
    }

    pub fn is_acknowledged(&self, limits: &Limits) -> bool {
        !self.volatile && self.delivery.unwrap_or(limits.delivery) == Delivery::Acknowledged
    }

    pub fn expires(&self, limits: &Limits, now: Instant) -> Option<Instant> {
        self.ttl.or(limits.ttl).map(|ttl| now + ttl)
    }
}
