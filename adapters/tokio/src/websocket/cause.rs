//! What the library's errors mean for a link.

use redial::cause::{ProtocolError, RetryAfter};
use redial::{Cause, Closure};
use tungstenite::error::ProtocolError as Broken;
use tungstenite::{Error, http};

use crate::clock::unix_now;
use crate::connector::{Failure, cause_of_io};

/// An error on an open connection.
pub(super) fn of_stream(error: &Error) -> Cause {
    match error {
        Error::Io(error) => cause_of_io(error),
        Error::Capacity(_) => Cause::Protocol(ProtocolError::TooBig),
        Error::Utf8(_) => Cause::Protocol(ProtocolError::Utf8),
        // Neither says more than that it is over.
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(Broken::ResetWithoutClosingHandshake | Broken::SendAfterClosing) => {
            Cause::Lost
        }
        _ => Cause::Protocol(ProtocolError::Frame),
    }
}

/// An error before the connection was open.
pub(super) fn of_handshake(error: &Error) -> Failure {
    let closure: Closure = match error {
        Error::Io(error) => cause_of_io(error).into(),
        Error::Http(response) => {
            let cause = Cause::Http(response.status().as_u16());
            let hint = response
                .headers()
                .get(http::header::RETRY_AFTER)
                .and_then(|value| RetryAfter::parse_header(value.as_bytes(), unix_now()));
            match hint {
                Some(hint) => Closure::hinted(cause, hint),
                None => cause.into(),
            }
        }
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(Broken::HandshakeIncomplete | Broken::ResetWithoutClosingHandshake) => {
            Cause::Lost.into()
        }
        // Those are about the request that this side has made.
        Error::Url(_)
        | Error::HttpFormat(_)
        | Error::Protocol(
            Broken::WrongHttpMethod | Broken::MissingSecWebSocketKey | Broken::InvalidHeader(_),
        ) => Cause::Credentials.into(),
        _ => Cause::NotWebSocket.into(),
    };
    Failure::new(closure, error.to_string())
}
