//! The table from causes to verdicts: the default, and a user's overrides of it.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::{Category, Cause, ProtocolError, SocketError, Verdict};

/// What follows from every cause: a total function, which the user can override.
///
/// The default, by cause (a number behind "then final" is how often it is retried before):
///
/// | cause | verdict |
/// | --- | --- |
/// | close 1000 | stop |
/// | close 1001, 1005, 1006, lost | retry |
/// | close 1002, 1003, 1007, 1010, invalid codes | retry 1, then final |
/// | close 1008 | refresh the credentials if there is a provider, else fail |
/// | close 1009 | retry; the message is at fault |
/// | close 1011 | retry after at least 5 to 10 s |
/// | close 1012 | busy, after at least 5 to 30 s |
/// | close 1013 | busy, after at least 30 to 60 s |
/// | close 1014 | busy |
/// | close 1015, TLS | retry 3, then final |
/// | close 4401 | refresh the credentials |
/// | close 3000 to 4999, reserved codes | retry |
/// | HTTP 401, 407 | refresh the credentials |
/// | HTTP 408, 425 | retry |
/// | HTTP 429, 503 | busy |
/// | other HTTP 4xx, and 3xx that were not followed | fail |
/// | other HTTP 5xx | retry |
/// | other statuses, not WebSocket | retry 1, then final |
/// | permission denied | fail |
/// | other socket errors, connect timeout, provider failed, preflight | retry |
/// | handshake timeout, ready timeout | silent |
/// | pong timeout, close timeout, network changed, local | retry |
/// | peer broke the protocol | retry 1, then final |
/// | peer speaks another version | fail |
/// | requested, drain timeout | stop |
/// | attempts spent, time spent | fail |
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "Vec<(Pattern, Verdict)>", into = "Vec<(Pattern, Verdict)>")
)]
pub struct Verdicts {
    overrides: Vec<(Pattern, Verdict)>,
}

impl Verdicts {
    /// The most overrides that a table holds.
    pub const MAX_OVERRIDES: usize = 64;

    /// The default table.
    pub const fn new() -> Self {
        Self {
            overrides: Vec::new(),
        }
    }

    /// The same table, except that the causes in `pattern` get `verdict`.
    ///
    /// Where several patterns match, the one given last wins. A pattern that is given again
    /// takes the place of the former one.
    ///
    /// # Errors
    /// [`TooManyOverrides`] if this would be the 65th pattern.
    pub fn with(mut self, pattern: Pattern, verdict: Verdict) -> Result<Self, TooManyOverrides> {
        self.overrides.retain(|(known, _)| *known != pattern);
        if self.overrides.len() >= Self::MAX_OVERRIDES {
            return Err(TooManyOverrides);
        }
        self.overrides.push((pattern, verdict));
        Ok(self)
    }

    /// What follows from `cause`.
    pub fn of(&self, cause: Cause) -> Verdict {
        self.overrides
            .iter()
            .rev()
            .find(|(pattern, _)| pattern.matches(cause))
            .map_or_else(|| by_default(cause), |(_, verdict)| *verdict)
    }
}

/// A set of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Pattern {
    /// This cause only.
    Exactly(Cause),
    /// Close frames with a code from the first to the last, both included.
    Closes(u16, u16),
    /// HTTP statuses from the first to the last, both included.
    Statuses(u16, u16),
    /// All causes of one category.
    Category(Category),
    /// All causes.
    Any,
}

impl Pattern {
    /// Whether `cause` belongs to the set.
    pub fn matches(self, cause: Cause) -> bool {
        match (self, cause) {
            (Self::Exactly(this), cause) => this == cause,
            (Self::Closes(first, last), Cause::Close(code))
            | (Self::Statuses(first, last), Cause::Http(code)) => (first..=last).contains(&code),
            (Self::Closes(..) | Self::Statuses(..), _) => false,
            (Self::Category(category), cause) => cause.category() == category,
            (Self::Any, _) => true,
        }
    }
}

/// More than [`Verdicts::MAX_OVERRIDES`] patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TooManyOverrides;

impl fmt::Display for TooManyOverrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} overrides", Verdicts::MAX_OVERRIDES)
    }
}

impl core::error::Error for TooManyOverrides {}

impl TryFrom<Vec<(Pattern, Verdict)>> for Verdicts {
    type Error = TooManyOverrides;

    fn try_from(overrides: Vec<(Pattern, Verdict)>) -> Result<Self, TooManyOverrides> {
        overrides
            .into_iter()
            .try_fold(Self::new(), |verdicts, (pattern, verdict)| {
                verdicts.with(pattern, verdict)
            })
    }
}

impl From<Verdicts> for Vec<(Pattern, Verdict)> {
    fn from(verdicts: Verdicts) -> Self {
        verdicts.overrides
    }
}

/// Version skew ends with the deploy that causes it, so one more try; then a person looks.
const ONCE_MORE: Verdict = Verdict::retry().at_most(1);
/// Certificates are renewed, but not because somebody dials.
const A_FEW_TIMES: Verdict = Verdict::retry().at_most(3);

const fn by_default(cause: Cause) -> Verdict {
    match cause {
        Cause::Close(code) => by_close(code),
        Cause::Http(status) => by_status(status),
        Cause::Socket(SocketError::Tls) => A_FEW_TIMES,
        Cause::NotWebSocket
        | Cause::Protocol(ProtocolError::Frame | ProtocolError::Utf8 | ProtocolError::TooBig) => {
            ONCE_MORE
        }
        Cause::HandshakeTimeout | Cause::ReadyTimeout => Verdict::silent(),
        // Unanswered SYNs stay with the schedule of a dead host: no server spends on them.
        Cause::ConnectTimeout
        | Cause::Socket(
            SocketError::Refused
            | SocketError::Unreachable
            | SocketError::Reset
            | SocketError::TimedOut
            | SocketError::NameNotFound
            | SocketError::Other,
        )
        | Cause::Lost
        | Cause::Credentials
        | Cause::PongTimeout
        | Cause::CloseTimeout
        | Cause::Preflight
        | Cause::NetworkChanged
        | Cause::Local(_) => Verdict::retry(),
        Cause::Requested | Cause::DrainTimeout => Verdict::stop(),
        // The peer has said so: here no guess is needed whether it is a deploy under way.
        Cause::Protocol(ProtocolError::Version)
        | Cause::Socket(SocketError::PermissionDenied)
        | Cause::AttemptsSpent
        | Cause::TimeSpent => Verdict::fail(),
    }
}

/// Close codes by RFC 6455 section 7.4 and the registry of IANA.
const fn by_close(code: u16) -> Verdict {
    match code {
        1000 => Verdict::stop(),
        // Below 1000 and from 5000 on no endpoint may send: a broken peer.
        1002 | 1003 | 1007 | 1010 | 0..=999 | 5000.. => ONCE_MORE,
        1008 => Verdict::refresh_if_able(),
        1009 => Verdict::too_big(),
        1011 => Verdict::retry().between(Duration::from_secs(5), Duration::from_secs(10)),
        // 5 to 30 s is what the registry's entry asks clients for.
        1012 => Verdict::busy().between(Duration::from_secs(5), Duration::from_secs(30)),
        1013 => Verdict::busy().between(Duration::from_secs(30), Duration::from_secs(60)),
        1014 => Verdict::busy(),
        1015 => A_FEW_TIMES,
        4401 => Verdict::refresh(),
        // 1001, 1005, 1006; reserved codes, which a later standard may define; private ones.
        1001 | 1004..=1006 | 1016..=4999 => Verdict::retry(),
    }
}

/// HTTP statuses of the answer to an upgrade, by RFC 9110 section 15.
const fn by_status(status: u16) -> Verdict {
    match status {
        401 | 407 => Verdict::refresh(),
        408 | 425 => Verdict::retry(),
        429 | 503 => Verdict::busy(),
        300..=499 => Verdict::fail(),
        500..=599 => Verdict::retry(),
        // A page, or nonsense: whoever answered is no WebSocket server.
        0..=299 | 600.. => ONCE_MORE,
    }
}
