//! What an error of the libraries below means: its cause, in the words of `redial`.

use redial::cause::{Cause, ProtocolError, SocketError};
use redial_tokio::cause_of_io;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError as Broken, UrlError};

/// The cause of an error during the upgrade or after it.
pub(crate) fn of_websocket(error: &Error) -> Cause {
    match error {
        Error::Http(answer) => Cause::Http(answer.status().as_u16()),
        Error::Io(error) => cause_of_io(error),
        Error::Tls(_) => Cause::Socket(SocketError::Tls),
        Error::Protocol(Broken::HandshakeIncomplete | Broken::ResetWithoutClosingHandshake)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => Cause::Lost,
        Error::Protocol(
            Broken::WrongHttpMethod
            | Broken::WrongHttpVersion
            | Broken::MissingConnectionUpgradeHeader
            | Broken::MissingUpgradeWebSocketHeader
            | Broken::MissingSecWebSocketVersionHeader
            | Broken::MissingSecWebSocketKey
            | Broken::SecWebSocketAcceptKeyMismatch
            | Broken::SecWebSocketSubProtocolError(_)
            | Broken::JunkAfterRequest
            | Broken::CustomResponseSuccessful
            | Broken::HttparseError(_),
        )
        | Error::HttpFormat(_)
        | Error::Url(UrlError::UnsupportedUrlScheme)
        | Error::AttackAttempt => Cause::NotWebSocket,
        Error::Utf8(_) => Cause::Protocol(ProtocolError::Utf8),
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            Cause::Protocol(ProtocolError::TooBig)
        }
        _ => Cause::Protocol(ProtocolError::Frame),
    }
}
