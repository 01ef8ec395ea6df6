//! The settings of a session, as plain data.

use core::time::Duration;

use crate::backoff::Backoff;

/// How a session behaves. Built and checked as a part of [`Config`](crate::Config).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Settings {
    /// When what was received is acknowledged.
    pub acks: Cadence,
    /// What is done with messages of unknown fate in a fresh session. Default `Report`.
    pub on_fresh: OnFresh,
    /// How often in a row the peer may turn a resume down (by a close, or by breaking the
    /// protocol) before a fresh session is asked for. Default 3. A connection that ends without
    /// the peer's word, or because the peer restarts or is busy, counts as a 64th of that.
    pub resume_attempts: u8,
    /// Intents that may stand at once. Default 1,000.
    pub max_intents: usize,
    /// Bytes of payload that intents may hold. Default 1 MiB.
    pub intent_bytes: usize,
    /// When an intent that the peer refused is tried again. Default as the schedule of dials.
    pub intent_backoff: Backoff,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            acks: Cadence::default(),
            on_fresh: OnFresh::Report,
            resume_attempts: 3,
            max_intents: 1_000,
            intent_bytes: 1 << 20,
            intent_backoff: Backoff::default(),
        }
    }
}

/// When what was received is acknowledged: after so many messages, so many bytes, or so long
/// after the first of them, whichever is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Cadence {
    /// Messages. Default 32.
    pub messages: u32,
    /// Bytes of payload. Default 64 KiB.
    pub bytes: usize,
    /// The longest time. Default 50 ms.
    pub delay: Duration,
}

impl Default for Cadence {
    fn default() -> Self {
        Self {
            messages: 32,
            bytes: 64 << 10,
            delay: Duration::from_millis(50),
        }
    }
}

/// What is done with messages that were written and not acknowledged when the session they
/// were written in is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum OnFresh {
    /// Each becomes [`Unknown`](crate::Outcome::Unknown) and its payload comes back: never
    /// twice.
    #[default]
    Report,
    /// Each is sent again, marked as a possible duplicate: at least once.
    Resend,
}
