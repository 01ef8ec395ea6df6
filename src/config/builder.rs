//! The settings one by one, with their defaults and what each is for.

use core::time::Duration;

use super::{Config, ConfigError};
use crate::backoff::Backoff;
use crate::cause::Verdicts;
use crate::heartbeat::Pulse;
use crate::outbox::{Delivery, Limits};
use crate::session::Settings;

/// Who decides that a due dial may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Dialling {
    /// The link itself.
    #[default]
    Own,
    /// Somebody outside, who is asked by [`Action::WantDial`](crate::Action::WantDial) and
    /// asked again after `patience` without an answer.
    Permitted {
        /// How long an unanswered wish stands.
        patience: Duration,
    },
}

/// A readiness check before the first dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Preflight {
    /// How long one probe may take. Default 2 s.
    pub deadline: Duration,
    /// The wait between two probes during start-up. Default 1 s.
    pub interval: Duration,
    /// How long after the start failed probes don't count as attempts. Default 30 s.
    pub startup_wait: Duration,
}

impl Default for Preflight {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(2),
            interval: Duration::from_secs(1),
            startup_wait: Duration::from_secs(30),
        }
    }
}

/// The credit for quick retries: a connection that was useful and broke is dialled again from
/// the first window of the schedule, without touching the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Quick {
    /// Useful uptime (open, on a connection that carried inbound application frames) that pays
    /// one quick retry. Default 250 ms.
    pub cost: Duration,
    /// Quick retries that uptime can pay in advance. Default 3.
    pub cap: u8,
    /// Quick retries in a row before `refill` limits them. Default 60.
    pub burst: u16,
    /// One more quick retry is allowed each such time. Default 10 s.
    pub refill: Duration,
}

impl Default for Quick {
    fn default() -> Self {
        Self {
            cost: Duration::from_millis(250),
            cap: 3,
            burst: 60,
            refill: Duration::from_secs(10),
        }
    }
}

/// How often a hint (online, visible, network changed) may bring a dial forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct HintLimit {
    /// Hints in a row that are followed at once. Default 3.
    pub burst: u16,
    /// One more is followed each such time. Default 30 s.
    pub refill: Duration,
    /// A dial after a hint comes within this time, spread. Default 0.5 s.
    pub spread: Duration,
}

impl Default for HintLimit {
    fn default() -> Self {
        Self {
            burst: 3,
            refill: Duration::from_secs(30),
            spread: Duration::from_millis(500),
        }
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $kind:ty = $default:expr;)+) => {
        /// Settings on their way to a [`Config`]. Each method sets one and says its default.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(
            feature = "serde",
            derive(serde::Serialize, serde::Deserialize),
            serde(default, deny_unknown_fields)
        )]
        #[must_use]
        pub struct Builder {
            $(pub(crate) $name: $kind,)+
        }

        impl Default for Builder {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Builder {
            $(
                $(#[$doc])*
                pub fn $name(mut self, $name: $kind) -> Self {
                    self.$name = $name;
                    self
                }
            )+
        }
    };
}

settings! {
    /// The time for one attempt: URL and credentials, name, transport, handshake. Default 10 s.
    connect_deadline: Duration = Duration::from_secs(10);
    /// A server that is reached but silent in the handshake is given twice the time at each
    /// such failure, up to this. Default 160 s.
    patience: Duration = Duration::from_secs(160);
    /// The time for the application's own handshake between opened and ready; `None`, the
    /// default, if there is none. With a [`session`](Self::session) there always is one: then
    /// `None` means as long as the `connect_deadline`.
    ready_deadline: Option<Duration> = None;
    /// The time for the close handshake. Default 5 s.
    close_deadline: Duration = Duration::from_secs(5);
    /// The heartbeat.
    heartbeat: Pulse = Pulse::default();
    /// The schedule of dials. Default stratified windows from 0.5 s to 20 s.
    backoff: Backoff = Backoff::default();
    /// What follows from each cause.
    verdicts: Verdicts = Verdicts::default();
    /// Failures in a row after which the link gives up: the first dial and then so many
    /// retries. Default none. Not counted: quick retries, refusals with a Retry-After as far as
    /// they are free, the first refusal of credentials, and what fails while offline is hinted.
    max_retries: Option<u32> = None;
    /// Time without a stable connection after which the link gives up: judged at each failure,
    /// but not while offline is hinted. With `stable_needs_frame` a connection that never
    /// carried a frame counts as time without one, however long it is open. Default none.
    max_elapsed: Option<Duration> = None;
    /// The uptime that proves a connection and resets all counts. Default 10 s.
    stable_after: Duration = Duration::from_secs(10);
    /// Whether it must also have carried an inbound application frame. Default no.
    stable_needs_frame: bool = false;
    /// The credit for quick retries; `None` for none.
    quick: Option<Quick> = Some(Quick::default());
    /// The limit of dials that hints bring forward.
    hints: HintLimit = HintLimit::default();
    /// The longest wait that a server's Retry-After can ask for. Default 5 min.
    hint_max: Duration = Duration::from_secs(300);
    /// Refusals with a Retry-After, since the last stable connection, that don't count as
    /// failures. Default 3.
    free_hints: u8 = 3;
    /// Whether the driver can fetch fresh credentials: then a policy close (1008) asks for
    /// them once before it is final. Default no.
    credentials: bool = false;
    /// Refusals of credentials, since the last stable connection, after which the link fails.
    /// Default 5.
    auth_limit: u8 = 5;
    /// While offline is hinted, one dial each such time all the same; `None` trusts the hint.
    /// Default 5 min.
    offline_recheck: Option<Duration> = Some(Duration::from_secs(300));
    /// A readiness check before the first dial after a start. Default none.
    preflight: Option<Preflight> = None;
    /// Who decides that a due dial may go. Default the link itself.
    dialling: Dialling = Dialling::Own;
    /// The bounds of the outbox.
    outbox: Limits = Limits::default();
    /// A session that outlives connections, for acknowledged delivery, resume and intents.
    /// Default none.
    session: Option<Settings> = None;
}

impl Builder {
    /// Checks every rule and makes the configuration.
    ///
    /// # Errors
    ///
    /// The first rule that is broken, with the offending values.
    pub fn build(mut self) -> Result<Config, ConfigError> {
        self.ready_deadline = self.handshake_deadline();
        self.check()?;
        Ok(Config(self))
    }

    /// With a session there is a handshake: without its deadline the link would be up before the
    /// two ends have said what they remember.
    fn handshake_deadline(&self) -> Option<Duration> {
        let with_session = self.session.as_ref().map(|_| self.connect_deadline);
        self.ready_deadline.or(with_session)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let b = self;
        let session = b.session.as_ref();
        if b.outbox.delivery == Delivery::Acknowledged && session.is_none() {
            return Err(ConfigError::NoSession);
        }
        let durations = [
            ("connect_deadline", Some(b.connect_deadline)),
            ("ready_deadline", b.ready_deadline),
            ("close_deadline", Some(b.close_deadline)),
            ("heartbeat.interval", b.heartbeat.interval),
            ("heartbeat.pong_deadline", Some(b.heartbeat.pong_deadline)),
            ("heartbeat.hidden_interval", b.heartbeat.hidden_interval),
            ("max_elapsed", b.max_elapsed),
            ("stable_after", Some(b.stable_after)),
            ("quick.cost", b.quick.map(|q| q.cost)),
            ("quick.refill", b.quick.map(|q| q.refill)),
            ("hints.refill", Some(b.hints.refill)),
            ("offline_recheck", b.offline_recheck),
            ("preflight.deadline", b.preflight.map(|p| p.deadline)),
            ("preflight.interval", b.preflight.map(|p| p.interval)),
            ("outbox.ttl", b.outbox.ttl),
            ("outbox.pace", b.outbox.pace),
            (
                "outbox.batch.delay",
                b.outbox.batch.map(|batch| batch.delay),
            ),
            ("session.acks.delay", session.map(|s| s.acks.delay)),
            (
                "dialling.patience",
                match b.dialling {
                    Dialling::Own => None,
                    Dialling::Permitted { patience } => Some(patience),
                },
            ),
        ];
        for (setting, value) in durations {
            if value == Some(Duration::ZERO) {
                return Err(ConfigError::ZeroDuration { setting });
            }
        }
        let may_be_zero = [
            ("patience", Some(b.patience)),
            ("hint_max", Some(b.hint_max)),
            ("hints.spread", Some(b.hints.spread)),
            ("heartbeat.oversleep", Some(b.heartbeat.oversleep)),
            (
                "preflight.startup_wait",
                b.preflight.map(|p| p.startup_wait),
            ),
        ];
        for (setting, value) in durations.into_iter().chain(may_be_zero) {
            if let Some(given) = value.filter(|given| *given > Backoff::LONGEST) {
                return Err(ConfigError::TooLong { setting, given });
            }
        }
        let counts = [
            ("heartbeat.misses", u64::from(b.heartbeat.misses)),
            ("heartbeat.extension", u64::from(b.heartbeat.extension)),
            ("auth_limit", u64::from(b.auth_limit)),
            ("quick.cap", b.quick.map_or(1, |q| u64::from(q.cap))),
            ("outbox.messages", b.outbox.messages as u64),
            ("outbox.bytes", b.outbox.bytes as u64),
            ("outbox.window", b.outbox.window as u64),
            ("outbox.max_tries", b.outbox.max_tries.map_or(1, u64::from)),
            (
                "outbox.batch.messages",
                b.outbox.batch.map_or(1, |batch| u64::from(batch.messages)),
            ),
            (
                "session.acks.messages",
                session.map_or(1, |s| u64::from(s.acks.messages)),
            ),
            (
                "session.acks.bytes",
                session.map_or(1, |s| s.acks.bytes as u64),
            ),
            (
                "session.resume_attempts",
                session.map_or(1, |s| u64::from(s.resume_attempts)),
            ),
        ];
        for (setting, value) in counts {
            if value == 0 {
                return Err(ConfigError::Zero { setting });
            }
        }
        if b.patience < b.connect_deadline {
            return Err(ConfigError::PatienceBelowDeadline {
                patience: b.patience,
                connect_deadline: b.connect_deadline,
            });
        }
        if let (Some(hidden), Some(interval)) = (b.heartbeat.hidden_interval, b.heartbeat.interval)
        {
            if hidden < interval {
                return Err(ConfigError::HiddenBelowInterval { hidden, interval });
            }
        }
        Ok(())
    }
}
