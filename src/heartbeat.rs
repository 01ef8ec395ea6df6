//! Is the peer still there? Pings after silence, and judges by any inbound frame.
//!
//! A [`Heartbeat`] belongs to one connection and starts fresh with it. An inbound frame only
//! writes the time of the last sign of life; everything else is computed from it when a
//! deadline fires, so the path of a frame costs one store.
//!
//! Detection takes `silence + misses * pong deadline` on an idle connection. While the
//! transport reports progress the pong may take up to `extension` times as long, because a
//! ping waits behind data on a slow line.

use core::time::Duration;

use crate::time::Instant;

/// When to ping, and when to call a connection dead. Built and checked as a part of
/// [`Config`](crate::Config).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Pulse {
    /// Inbound silence after which a ping is sent; `None` turns the heartbeat off, also the
    /// checks after a hint or a sleep. Default 20 s: below the 30 to 60 s after which proxies
    /// cut idle connections.
    pub interval: Option<Duration>,
    /// How long the answer may take. Default 10 s.
    pub pong_deadline: Duration,
    /// Unanswered pings in a row that make a connection dead. Default 1.
    pub misses: u8,
    /// How many times `pong_deadline` an answer may take while the transport moves bytes
    /// outward. Default 3.
    pub extension: u8,
    /// The interval while nobody looks; `None` sends no pings then. Default 5 min.
    pub hidden_interval: Option<Duration>,
    /// A deadline that fires later than this was slept through (a suspended machine, a parked
    /// timer): the connection is pinged once more instead of being called dead. Default 5 s.
    pub oversleep: Duration,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            interval: Some(Duration::from_secs(20)),
            pong_deadline: Duration::from_secs(10),
            misses: 1,
            extension: 3,
            hidden_interval: Some(Duration::from_secs(300)),
            oversleep: Duration::from_secs(5),
        }
    }
}

/// What a heartbeat asks for when its deadline fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing; look again at the new deadline.
    Wait,
    /// Send a ping with [`Heartbeat::nonce`].
    Ping,
    /// The peer is gone.
    Dead,
}

/// The heartbeat of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Heartbeat {
    last_life: Instant,
    /// When the ping that waits for an answer was sent.
    pinged_at: Instant,
    pong_due: Instant,
    /// Nanoseconds of the last round trip; the maximum where none was measured.
    round_trip: u64,
    nonce: u32,
    misses: u8,
    /// A slept-through deadline was forgiven since the last sign of life.
    forgiven: bool,
    /// No ping was sent, or the last one got its pong: one more is not a round trip.
    ponged: bool,
}

const _: () = assert!(size_of::<Heartbeat>() <= 40);

impl Heartbeat {
    /// The heartbeat of a connection that opens `now`.
    pub const fn fresh(now: Instant) -> Self {
        Self {
            last_life: now,
            // Not after the last life: nothing is outstanding.
            pinged_at: now,
            pong_due: Instant::NEVER,
            round_trip: u64::MAX,
            nonce: 0,
            misses: 0,
            forgiven: false,
            ponged: true,
        }
    }

    /// Any frame came in.
    #[inline]
    pub const fn alive(&mut self, now: Instant) {
        self.last_life = now;
    }

    /// A pong came in, which is a sign of life too. Gives the round trip if it answers the
    /// outstanding ping: by its nonce, or by carrying none.
    pub fn pong(&mut self, now: Instant, nonce: Option<u64>) -> Option<Duration> {
        self.last_life = now;
        let answers = nonce.is_none_or(|n| n == self.nonce());
        if self.ponged || !answers {
            return None;
        }
        self.ponged = true;
        let round_trip = now.since(self.pinged_at);
        self.round_trip = crate::time::nanos(round_trip);
        Some(round_trip)
    }

    /// The transport moved bytes outward: the outstanding pong may take longer.
    pub fn progress(&mut self, pulse: &Pulse, now: Instant) {
        if self.outstanding() {
            let longest = self.pinged_at
                + pulse
                    .pong_deadline
                    .saturating_mul(u32::from(pulse.extension));
            self.pong_due = self.pong_due.max((now + pulse.pong_deadline).min(longest));
        }
    }

    /// Asks for a ping now, unless one is already out or the heartbeat is off.
    pub fn check(&mut self, pulse: &Pulse, now: Instant) -> Beat {
        if pulse.interval.is_none() || self.outstanding() {
            return Beat::Wait;
        }
        self.misses = 0;
        self.forgiven = false;
        self.ping(pulse, now)
    }

    /// What is due at `now`.
    pub fn fire(&mut self, pulse: &Pulse, hidden: bool, now: Instant) -> Beat {
        if self.outstanding() {
            if now < self.pong_due {
                return Beat::Wait;
            }
            let overslept = now.since(self.pong_due) > pulse.oversleep;
            if overslept && !self.forgiven {
                self.forgiven = true;
                return self.ping(pulse, now);
            }
            self.misses = self.misses.saturating_add(1);
            if self.misses >= pulse.misses {
                return Beat::Dead;
            }
            return self.ping(pulse, now);
        }
        self.misses = 0;
        self.forgiven = false;
        if now < self.ping_due(pulse, hidden) {
            return Beat::Wait;
        }
        self.ping(pulse, now)
    }

    /// When [`fire`](Self::fire) has something to do; `None` while the heartbeat is off.
    pub fn deadline(&self, pulse: &Pulse, hidden: bool) -> Option<Instant> {
        if self.outstanding() {
            return self.pong_due.known();
        }
        self.ping_due(pulse, hidden).known()
    }

    /// What the last ping carried.
    pub const fn nonce(&self) -> u64 {
        // Widening; `From` is not const.
        self.nonce as u64
    }

    /// The last round trip that was measured on this connection.
    pub const fn round_trip(&self) -> Option<Duration> {
        match self.round_trip {
            u64::MAX => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// When the last frame came in, or the connection opened.
    pub const fn last_life(&self) -> Instant {
        self.last_life
    }

    /// Whether a ping was sent on this connection, and the last one got its pong.
    pub const fn is_answered(&self) -> bool {
        self.ponged && self.nonce != 0
    }

    pub(crate) fn shift(&mut self, shift: impl Fn(&mut Instant)) {
        shift(&mut self.last_life);
        shift(&mut self.pinged_at);
        shift(&mut self.pong_due);
    }

    /// Whether a ping waits for a sign of life. The first such sign moves the deadline.
    #[inline]
    pub fn outstanding(&self) -> bool {
        self.last_life < self.pinged_at
    }

    fn ping_due(&self, pulse: &Pulse, hidden: bool) -> Instant {
        let interval = match pulse.interval {
            Some(_) if hidden => pulse.hidden_interval,
            interval => interval,
        };
        interval.map_or(Instant::NEVER, |interval| self.last_life + interval)
    }

    fn ping(&mut self, pulse: &Pulse, now: Instant) -> Beat {
        self.pinged_at = now;
        self.pong_due = now + pulse.pong_deadline;
        self.nonce = self.nonce.wrapping_add(1);
        self.ponged = false;
        Beat::Ping
    }
}
