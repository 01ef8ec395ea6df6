//! How a link behaves: plain data, valid by construction.
//!
//! ```
//! use core::time::Duration;
//! use redial::config::{Config, ConfigError};
//!
//! let config = Config::builder()
//!     .connect_deadline(Duration::from_secs(5))
//!     .max_retries(Some(20))
//!     .build()?;
//! assert_eq!(config.connect_deadline(), Duration::from_secs(5));
//!
//! let inverted = Config::builder().connect_deadline(Duration::ZERO).build();
//! assert_eq!(inverted.unwrap_err().to_string(), "connect_deadline must not be zero");
//! # Ok::<(), ConfigError>(())
//! ```

mod builder;
mod error;
mod presets;

pub use self::builder::{Builder, Dialling, HintLimit, Preflight, Quick};
pub use self::error::ConfigError;

use core::time::Duration;

use crate::backoff::Backoff;
use crate::cause::Verdicts;
use crate::heartbeat::Pulse;
use crate::outbox::Limits;
use crate::session::Settings;

/// The configuration of a link; it never changes while the link uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "Builder", into = "Builder")
)]
pub struct Config(pub(crate) Builder);

impl Config {
    /// Starts from the defaults.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts from this configuration.
    pub fn to_builder(&self) -> Builder {
        self.0.clone()
    }

    /// The time for one attempt, handshake included.
    pub const fn connect_deadline(&self) -> Duration {
        self.0.connect_deadline
    }

    /// The time for the application's own handshake, if there is one.
    pub const fn ready_deadline(&self) -> Option<Duration> {
        self.0.ready_deadline
    }

    /// The schedule of dials.
    pub const fn backoff(&self) -> &Backoff {
        &self.0.backoff
    }

    /// The heartbeat.
    pub const fn heartbeat(&self) -> &Pulse {
        &self.0.heartbeat
    }

    /// The bounds of the outbox.
    pub const fn outbox(&self) -> &Limits {
        &self.0.outbox
    }

    /// The session, if there is one.
    pub const fn session(&self) -> Option<&Settings> {
        self.0.session.as_ref()
    }

    /// What follows from each cause.
    pub const fn verdicts(&self) -> &Verdicts {
        &self.0.verdicts
    }

    /// The uptime that proves a connection.
    pub const fn stable_after(&self) -> Duration {
        self.0.stable_after
    }

    /// The longest time from the death of a peer to its detection: `(idle, under load)`.
    /// `None` with the heartbeat off. Both count from the last inbound frame.
    pub fn detection(&self) -> Option<(Duration, Duration)> {
        let pulse = &self.0.heartbeat;
        let silence = pulse.interval?;
        let idle = pulse.pong_deadline.saturating_mul(u32::from(pulse.misses));
        let loaded = idle.saturating_mul(u32::from(pulse.extension.max(1)));
        Some((silence.saturating_add(idle), silence.saturating_add(loaded)))
    }

    /// An upper bound of the dials in any stretch of time this long, whatever the server does:
    /// law 2 of the design. What the user does is on top: a reconnect is one dial, a start out
    /// of a final phase begins a new run.
    ///
    /// With `S(t)` the dials that one run of the schedule fits into `t`, it is the largest over
    /// the number of resets `n` of `n * (1 + S((t - (n - 1) * stable_after) / n) + extra)`,
    /// where `extra` counts what each reset renews (hinted refusals that don't count as
    /// failures, the immediate attempt with fresh credentials); plus quick retries
    /// `burst + t / refill`, plus hinted dials `burst + t / refill`, plus one dial every
    /// `offline_recheck`.
    pub fn max_dials(&self, window: Duration) -> u64 {
        let b = &self.0;
        let per = |every: Duration| ratio(window, every).saturating_add(1);
        let resets = ratio(window, b.stable_after).saturating_add(1);
        let extra = u64::from(b.free_hints).saturating_add(2);
        let runs = (1..=resets.min(64)).map(|n| {
            let open = b.stable_after.saturating_mul(saturating(n - 1));
            let share = window.saturating_sub(open) / saturating(n).max(1);
            let run = b.backoff.max_dials(share).saturating_add(1 + extra);
            // Beyond 64 resets the share of each is taken as that of the 64th.
            let n = if n == 64 { resets } else { n };
            n.saturating_mul(run)
        });
        let mut dials = runs.max().unwrap_or(0).saturating_add(1);
        if let Some(quick) = &b.quick {
            dials = dials
                .saturating_add(u64::from(quick.burst))
                .saturating_add(per(quick.refill));
        }
        dials = dials
            .saturating_add(u64::from(b.hints.burst))
            .saturating_add(per(b.hints.refill));
        if let Some(recheck) = b.offline_recheck {
            dials = dials.saturating_add(per(recheck));
        }
        dials
    }
}

fn saturating(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn ratio(window: Duration, every: Duration) -> u64 {
    crate::time::nanos(window) / crate::time::nanos(every).max(1)
}

impl TryFrom<Builder> for Config {
    type Error = ConfigError;

    fn try_from(builder: Builder) -> Result<Self, ConfigError> {
        builder.build()
    }
}

impl From<Config> for Builder {
    fn from(config: Config) -> Self {
        config.0
    }
}
