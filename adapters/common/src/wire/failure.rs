//! What goes wrong between two ends of the wire, and what it means for a link.

use std::time::Duration;

use redial::cause::{ProtocolError, RetryAfter};
use redial::wire::{Detail, Kind, Refusal, VERSION, WireError};
use redial::{Cause, Closure};

use crate::Failure;

/// Why a connection can't go on.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The peer's bytes are no frame.
    Frame(WireError),
    /// The peer sent a text message.
    Text,
    /// The peer sent a frame that it may not send, or not now.
    Order(Kind),
    /// The server goes no further.
    Refused(Refusal, String),
}

impl Wrong {
    pub(super) fn refused(refusal: Refusal, detail: Detail<'_>) -> Self {
        Self::Refused(refusal, detail.as_str().to_owned())
    }

    fn closure(&self) -> Closure {
        let cause = match self {
            Self::Frame(WireError::Utf8 { .. }) => Cause::Protocol(ProtocolError::Utf8),
            Self::Frame(WireError::Version { .. }) | Self::Refused(Refusal::Version { .. }, _) => {
                Cause::Protocol(ProtocolError::Version)
            }
            Self::Frame(_) | Self::Text | Self::Order(_) | Self::Refused(Refusal::Malformed, _) => {
                Cause::Protocol(ProtocolError::Frame)
            }
            // As if the server had only closed.
            Self::Refused(refusal @ (Refusal::Busy { .. } | Refusal::Custom(_)), _) => {
                Cause::Close(refusal.close_code())
            }
        };
        match self {
            Self::Refused(Refusal::Busy { retry_after }, _) if *retry_after > 0 => {
                let (delay, unit) = (
                    Duration::from_millis(*retry_after),
                    Duration::from_millis(1),
                );
                Closure::hinted(cause, RetryAfter::new(delay, unit))
            }
            _ => cause.into(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Frame(error) => error.to_string(),
            Self::Text => "a text message, where frames are binary".to_owned(),
            Self::Order(kind) => format!("a frame out of place: {kind:?}"),
            Self::Refused(refusal, detail) => {
                let ours = match refusal {
                    Refusal::Version { .. } => format!(", this client version {VERSION}"),
                    _ => String::new(),
                };
                // Quoted: a peer's words may be anything.
                let words = match &**detail {
                    "" => String::new(),
                    words => format!(": {words:?}"),
                };
                format!("refused: {refusal}{ours}{words}")
            }
        }
    }
}

impl From<WireError> for Wrong {
    fn from(error: WireError) -> Self {
        Self::Frame(error)
    }
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        Self::new(wrong.closure(), wrong.detail())
    }
}
