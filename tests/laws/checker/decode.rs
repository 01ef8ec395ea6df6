//! From words to configurations and inputs: the one decoder of the property tests and of the
//! fuzzer. Every word is valid, and a word is one input, so that removing words shrinks a case.

use core::time::Duration;

use redial::backoff::{Backoff, Jitter, Ratio, Schedule};
use redial::cause::{Pattern, ProtocolError, SocketError};
use redial::config::{Builder, Dialling, HintLimit, Preflight, Quick};
use redial::heartbeat::Pulse;
use redial::outbox::{Batch, Delivery, Limits, Overflow};
use redial::session::{Cadence, OnFresh, ServerId, SessionId, Settings};
use redial::{
    Cause, Closure, Command, Config, Header, Hint, RetryAfter, Verdict, Verdicts, Welcome,
};

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

    /// One of these.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        let index = usize::try_from(self.below(of.len() as u64)).unwrap_or(0);
        of[index].clone()
    }

    /// What is left to draw from, turned so that it says something else.
    pub const fn turned(&self) -> Self {
        Self(self.0.rotate_right(17))
    }

    /// True once in `n` times.
    pub const fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// How many words a configuration takes.
pub const CONFIG_WORDS: usize = 4;

/// A valid configuration out of [`CONFIG_WORDS`] words, and whether offline is rechecked.
pub fn config(words: [u64; CONFIG_WORDS]) -> (Config, bool) {
    let [a, b, c, d] = words;
    let mut draw = Draw::new(a);
    let connect_deadline = draw.pick(&[secs(10), secs(1)]);
    let builder = Config::builder()
        .backoff(backoff(&mut draw))
        .connect_deadline(connect_deadline)
        .patience(draw.pick(&[secs(160), connect_deadline]))
        .ready_deadline(draw.pick(&[None, None, Some(secs(2))]))
        .close_deadline(draw.pick(&[secs(5), secs(1)]))
        .max_retries(draw.pick(&[None, None, None, Some(0), Some(3), Some(10)]))
        .max_elapsed(draw.pick(&[None, None, None, Some(secs(10)), Some(secs(600))]))
        .stable_after(draw.pick(&[secs(10), secs(1), secs(60)]))
        .stable_needs_frame(draw.once_in(3));
    let mut draw = Draw::new(b);
    let recheck = draw.pick(&[Some(secs(300)), None, Some(secs(10))]);
    let builder = policy(builder, &mut draw).offline_recheck(recheck);
    let mut draw = Draw::new(c);
    let builder = builder
        .heartbeat(Pulse {
            interval: draw.pick(&[Some(secs(20)), Some(secs(1)), None]),
            pong_deadline: draw.pick(&[secs(10), secs(1)]),
            misses: draw.pick(&[1, 2, 3]),
            extension: draw.pick(&[1, 3]),
            hidden_interval: draw.pick(&[Some(secs(300)), None]),
            oversleep: draw.pick(&[secs(5), Duration::ZERO, secs(3600)]),
        })
        .preflight(draw.pick(&[
            None,
            None,
            Some(Preflight::default()),
            Some(Preflight {
                deadline: millis(100),
                interval: millis(50),
                startup_wait: Duration::ZERO,
            }),
        ]))
        .dialling(draw.pick(&[
            Dialling::Own,
            Dialling::Own,
            Dialling::Permitted { patience: secs(1) },
        ]))
        .verdicts(verdicts(&mut draw));
    let mut draw = Draw::new(d);
    let limits = Limits {
        messages: draw.pick(&[3, 1, 10]),
        bytes: draw.pick(&[100, 10, 1000]),
        overflow: draw.pick(&[
            Overflow::DropOldest,
            Overflow::DropNewest,
            Overflow::RejectNew,
        ]),
        window: draw.pick(&[50, 1, 1000]),
        ttl: draw.pick(&[None, Some(secs(1)), Some(secs(60))]),
        max_tries: draw.pick(&[None, Some(1), Some(2)]),
        pace: draw.pick(&[None, None, Some(millis(100))]),
        ..Limits::default()
    };
    let session = session(&mut draw);
    let limits = Limits {
        durable: draw.once_in(8) && draw.once_in(2),
        batch: draw.pick(&[
            None,
            None,
            Some(Batch {
                messages: 2,
                delay: millis(200),
            }),
        ]),
        delivery: match draw.below(3) {
            1 if session.is_some() => Delivery::Acknowledged,
            _ => Delivery::AtMostOnce,
        },
        ..limits
    };
    // A hello is said before messages flow.
    let builder = if session.is_some() && !draw.once_in(4) {
        builder.ready_deadline(Some(secs(2)))
    } else {
        builder
    };
    let config = builder
        .outbox(limits)
        .session(session)
        .build()
        .expect("every decoded configuration is valid");
    (config, recheck.is_some())
}

fn session(draw: &mut Draw) -> Option<Settings> {
    let cadence = Cadence {
        messages: draw.pick(&[32, 1, 3]),
        bytes: draw.pick(&[1 << 16, 10]),
        delay: draw.pick(&[millis(50), secs(1)]),
    };
    let settings = Settings {
        acks: cadence,
        on_fresh: draw.pick(&[OnFresh::Report, OnFresh::Resend]),
        resume_attempts: draw.pick(&[3, 1]),
        max_intents: draw.pick(&[3, 0, 1]),
        intent_bytes: 50,
        intent_backoff: backoff(draw),
    };
    draw.pick(&[None, Some(settings.clone()), Some(settings)])
}

fn policy(builder: Builder, draw: &mut Draw) -> Builder {
    builder
        .quick(draw.pick(&[
            Some(Quick::default()),
            None,
            Some(Quick {
                cost: millis(50),
                cap: 1,
                burst: 2,
                refill: secs(5),
            }),
            Some(Quick {
                burst: 0,
                ..Quick::default()
            }),
        ]))
        .hints(HintLimit {
            burst: draw.pick(&[3, 0, 1]),
            refill: draw.pick(&[secs(30), secs(1)]),
            spread: draw.pick(&[millis(500), Duration::ZERO]),
        })
        .hint_max(draw.pick(&[secs(300), secs(1)]))
        .free_hints(draw.pick(&[3, 0, 1]))
        .credentials(draw.once_in(2))
        .auth_limit(draw.pick(&[5, 1, 2]))
}

fn backoff(draw: &mut Draw) -> Backoff {
    let exponential = |cap| Schedule::Exponential {
        base: secs(1),
        factor: Ratio::new(2, 1),
        cap: secs(cap),
    };
    let (schedule, jitter, floor) = match draw.below(8) {
        0 => (Schedule::DEFAULT, Jitter::Full, millis(20)),
        1 => {
            let schedule = Schedule::Stratified {
                first: millis(200),
                cap: secs(5),
                contended_floor: secs(2),
                contended_cap: secs(30),
            };
            (schedule, Jitter::Full, millis(20))
        }
        2 => (
            Schedule::Fixed { delay: secs(1) },
            Jitter::Proportional { percent: 20 },
            millis(20),
        ),
        3 => (exponential(30), Jitter::Equal, millis(20)),
        4 => (exponential(60), Jitter::Decorrelated, millis(20)),
        5 => {
            let delays = vec![Duration::ZERO, secs(1), secs(5)];
            (Schedule::Table { delays }, Jitter::None, millis(50))
        }
        6 => {
            let jitter = Jitter::Additive {
                below: secs(1),
                above: secs(1),
            };
            (exponential(30), jitter, millis(20))
        }
        _ => (exponential(3600), Jitter::Full, millis(100)),
    };
    Backoff::new(schedule, jitter, floor).expect("every decoded schedule is valid")
}

fn verdicts(draw: &mut Draw) -> Verdicts {
    let table = Verdicts::new();
    match draw.below(6) {
        0..=2 => Ok(table),
        // Nothing ends the link: more dials to count.
        3 => table.with(Pattern::Any, Verdict::retry()),
        4 => table.with(Pattern::Any, Verdict::refresh()),
        _ => table.with(Pattern::Any, Verdict::retry().at_most(2)),
    }
    .expect("one override")
}

/// How something ends.
pub fn closure(draw: &mut Draw) -> Closure {
    let cause = match draw.below(28) {
        0..=3 | 20.. => Cause::Lost,
        4 => Cause::Socket(SocketError::Refused),
        5 => Cause::Socket(SocketError::Tls),
        6 => Cause::Http(401),
        7 => Cause::Http(429),
        8 => Cause::Http(503),
        9 => Cause::Http(403),
        10 => Cause::Close(1000),
        11 => Cause::Close(1001),
        12 => Cause::Close(1008),
        13 => Cause::Close(1009),
        14 => Cause::Close(1011),
        15 => Cause::Close(1012),
        16 => Cause::Close(4401),
        17 => Cause::Protocol(ProtocolError::Frame),
        // What only the link itself should name; a confused driver may.
        18 => draw.pick(&[
            Cause::PongTimeout,
            Cause::HandshakeTimeout,
            Cause::Requested,
            Cause::CloseTimeout,
            Cause::Preflight,
        ]),
        19 => Cause::Local(7),
    };
    let hint = match draw.below(6) {
        0 => Some(RetryAfter::seconds(0)),
        1 => Some(RetryAfter::seconds(3)),
        2 => Some(RetryAfter::new(Duration::MAX, Duration::MAX)),
        _ => None,
    };
    hint.map_or_else(|| Closure::from(cause), |hint| Closure::hinted(cause, hint))
}

/// An end that is not final, and soon followed by a dial.
pub fn refusal(draw: &mut Draw) -> Closure {
    let busy = Cause::Http(503);
    draw.pick(&[
        Closure::from(Cause::Lost),
        Closure::from(Cause::Lost),
        Closure::from(Cause::Socket(SocketError::Refused)),
        Closure::from(Cause::Http(401)),
        Closure::hinted(busy, RetryAfter::seconds(0)),
        Closure::hinted(busy, RetryAfter::new(Duration::ZERO, Duration::ZERO)),
        Closure::from(Cause::Close(1001)),
        Closure::from(busy),
    ])
}

pub fn hint(draw: &mut Draw) -> Hint {
    draw.pick(&[
        Hint::Online,
        Hint::Offline,
        Hint::Visible,
        Hint::Hidden,
        Hint::NetworkChanged,
        Hint::Online,
        Hint::Offline,
    ])
}

pub fn command(draw: &mut Draw) -> Command {
    match draw.below(12) {
        0..=3 => Command::Start,
        4 | 5 => Command::Reconnect,
        6 | 7 => Command::Disconnect,
        8 => Command::Drain(Duration::ZERO),
        9 => Command::Drain(secs(3)),
        10 => Command::Drain(Duration::MAX),
        _ => Command::Clear,
    }
}

/// The size of a payload, its own time to live, and whether it is volatile.
pub fn parcel(draw: &mut Draw) -> (usize, Option<Duration>, bool) {
    let size = draw.pick(&[1, 0, 5, 10, 40, 60, 100, 101, 1001, usize::MAX]);
    let (ttl, volatile) = match draw.below(8) {
        0 => (None, true),
        1 => (Some(Duration::ZERO), false),
        2 => (Some(millis(300)), false),
        3 => (Some(Duration::MAX), false),
        4 => (Some(secs(2)), true),
        _ => (None, false),
    };
    (size, ttl, volatile)
}

/// Sequences and numbers that a peer may name, near to what there is and far from it.
pub fn number(draw: &mut Draw, near: u64) -> u64 {
    match draw.below(8) {
        0 => 0,
        1 => u64::MAX,
        2 => near.saturating_sub(draw.below(4)),
        3 => near.saturating_add(2 + draw.below(4)),
        4 => draw.below(100),
        5 => near,
        _ => near.saturating_add(1),
    }
}

/// An answer to a hello: mostly one that can be.
pub fn welcome(draw: &mut Draw, known: Option<SessionId>, seen: u64, next: u64) -> Welcome {
    let other = SessionId::new([7; 16]);
    let honest = !draw.once_in(5);
    let session = if draw.once_in(6) {
        other
    } else {
        known.unwrap_or(other)
    };
    Welcome {
        session,
        server: ServerId::new([u8::from(draw.once_in(3)); 16]),
        resumed: (honest && known.is_some()) || draw.once_in(2),
        last_seen: if honest {
            seen.saturating_sub(draw.below(3))
        } else {
            number(draw, seen)
        },
        intents: draw.pick(&[0, 0, 0, 1, 2, u64::MAX]),
        first: if honest { next } else { number(draw, next) },
    }
}

/// The place of a message that comes in.
pub fn header(draw: &mut Draw, last: u64, intents: u64) -> Header {
    if draw.once_in(4) {
        Header::Intent(number(draw, intents))
    } else {
        Header::Sequence(number(draw, last))
    }
}
