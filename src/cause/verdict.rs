//! What follows from a cause.

use core::time::Duration;

use crate::backoff::Contention;

/// What follows from a cause: whether, when, and how often it is retried.
///
/// A plain value: built by a constructor that names the outcome, refined by
/// [`between`](Self::between) and [`at_most`](Self::at_most).
///
/// ```
/// use core::time::Duration;
/// use redial::cause::Verdict;
///
/// const MAINTENANCE: Verdict = Verdict::busy()
///     .between(Duration::from_secs(60), Duration::from_secs(120))
///     .at_most(10);
/// assert!(!MAINTENANCE.is_final());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Verdict {
    outcome: Outcome,
    contention: Contention,
    retries: Option<u8>,
    /// The least and the greatest of a spread, in milliseconds; none if both are zero.
    least: u32,
    greatest: u32,
}

const _: () = assert!(size_of::<Verdict>() <= 16);

/// What a verdict comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Outcome {
    /// Dialled again, by the schedule.
    Retry,
    /// The credentials are stale: dialled once at once with fresh ones, then by the
    /// schedule, and final after as many in a row as the configuration says.
    Refresh,
    /// As `Refresh` if the link has a provider of credentials, else as `Fail`.
    RefreshIfAble,
    /// Final: the link has failed.
    Fail,
    /// Final: the link is closed, and nothing is wrong.
    Stop,
    /// Dialled again, by the schedule; the message on its way out is at fault and is not
    /// sent again.
    TooBig,
}

impl Verdict {
    /// Retried by the schedule.
    pub const fn retry() -> Self {
        Self::of(Outcome::Retry, Contention::Down)
    }

    /// Retried by the schedule's windows for a server that says it is busy.
    pub const fn busy() -> Self {
        Self::of(Outcome::Retry, Contention::Busy)
    }

    /// Retried by the schedule's windows for a server that accepts and then stays silent.
    pub const fn silent() -> Self {
        Self::of(Outcome::Retry, Contention::Silent)
    }

    /// Retried once at once with fresh credentials, then by the schedule, then final.
    pub const fn refresh() -> Self {
        Self::of(Outcome::Refresh, Contention::Down)
    }

    /// The same if the link has a provider of credentials, else final.
    pub const fn refresh_if_able() -> Self {
        Self::of(Outcome::RefreshIfAble, Contention::Down)
    }

    /// Final: the link has failed.
    pub const fn fail() -> Self {
        Self::of(Outcome::Fail, Contention::Down)
    }

    /// Final: an orderly end.
    pub const fn stop() -> Self {
        Self::of(Outcome::Stop, Contention::Down)
    }

    /// Retried by the schedule; the message on its way out is at fault, not the link.
    pub const fn too_big() -> Self {
        Self::of(Outcome::TooBig, Contention::Down)
    }

    /// The same verdict, with a delay of at least `U(min, max)`.
    ///
    /// The delay is the greater of that and the schedule's. In whole milliseconds, rounded
    /// down, at most 49 days each; a `max` below `min` counts as `min`. Two zeros take the
    /// spread away.
    #[must_use]
    pub const fn between(mut self, min: Duration, max: Duration) -> Self {
        self.least = milliseconds(min);
        self.greatest = milliseconds(max);
        if self.greatest < self.least {
            self.greatest = self.least;
        }
        self
    }

    /// The same verdict, but final once the cause was retried `retries` times in a row.
    #[must_use]
    pub const fn at_most(mut self, retries: u8) -> Self {
        self.retries = Some(retries);
        self
    }

    /// What it comes down to.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// What it says about the server's load, for the schedule.
    pub const fn contention(&self) -> Contention {
        self.contention
    }

    /// The least and the greatest of the delay's lower bound, which is drawn in between.
    pub const fn spread(&self) -> Option<(Duration, Duration)> {
        if self.greatest == 0 {
            None
        } else {
            Some((
                Duration::from_millis(self.least as u64),
                Duration::from_millis(self.greatest as u64),
            ))
        }
    }

    /// How often in a row it is retried before it is final; `None` for no limit.
    pub const fn retries(&self) -> Option<u8> {
        self.retries
    }

    /// Whether nothing is dialled any more, whatever the link's configuration and history.
    pub const fn is_final(&self) -> bool {
        matches!(self.outcome, Outcome::Fail | Outcome::Stop) || matches!(self.retries, Some(0))
    }

    const fn of(outcome: Outcome, contention: Contention) -> Self {
        Self {
            outcome,
            contention,
            retries: None,
            least: 0,
            greatest: 0,
        }
    }
}

/// Whole milliseconds, saturating.
const fn milliseconds(duration: Duration) -> u32 {
    let whole = duration.as_millis();
    if whole > u32::MAX as u128 {
        u32::MAX
    } else {
        #[expect(clippy::cast_possible_truncation, reason = "bounded on the line above")]
        let whole = whole as u32;
        whole
    }
}
