//! The room `cause` from outside: the table, its overrides, the words, and `Retry-After`.

mod retry_after;
mod table;
mod words;

use redial::cause::{Cause, ProtocolError, SocketError};

/// Every cause that carries no number.
const PLAIN: [Cause; 26] = [
    Cause::Lost,
    Cause::NotWebSocket,
    Cause::Socket(SocketError::Refused),
    Cause::Socket(SocketError::Unreachable),
    Cause::Socket(SocketError::Reset),
    Cause::Socket(SocketError::TimedOut),
    Cause::Socket(SocketError::NameNotFound),
    Cause::Socket(SocketError::Tls),
    Cause::Socket(SocketError::PermissionDenied),
    Cause::Socket(SocketError::Other),
    Cause::Credentials,
    Cause::ConnectTimeout,
    Cause::HandshakeTimeout,
    Cause::ReadyTimeout,
    Cause::PongTimeout,
    Cause::CloseTimeout,
    Cause::Protocol(ProtocolError::Frame),
    Cause::Protocol(ProtocolError::Utf8),
    Cause::Protocol(ProtocolError::TooBig),
    Cause::Protocol(ProtocolError::Version),
    Cause::Preflight,
    Cause::Requested,
    Cause::DrainTimeout,
    Cause::NetworkChanged,
    Cause::AttemptsSpent,
    Cause::TimeSpent,
];

/// Every cause with every number.
fn all() -> impl Iterator<Item = Cause> {
    let numbered = (0..=u16::MAX).flat_map(|n| [Cause::Close(n), Cause::Http(n), Cause::Local(n)]);
    PLAIN.into_iter().chain(numbered)
}
