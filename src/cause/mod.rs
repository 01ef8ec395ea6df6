//! Why a connection ended, and what follows from it.
//!
//! A [`Cause`] is a fact, small and `Copy`: it travels in events and actions and is kept in
//! timelines. A [`Verdict`] is what follows: retried, retried later, with fresh credentials,
//! or final. [`Verdicts`] is the one table from the first to the second: it is total, and a
//! user can override any part of it. [`RetryAfter`] is what a server asked for on top.
//!
//! Nothing here counts or waits: how often in a row a verdict was given, and when the next
//! dial comes, are the link's to know.

mod advice;
mod retry_after;
mod table;
mod verdict;

use core::fmt;

pub use self::retry_after::RetryAfter;
pub use self::table::{Pattern, TooManyOverrides, Verdicts};
pub use self::verdict::{Outcome, Verdict};

/// Why a connection, or the attempt to get one, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Cause {
    /// The peer's close frame, with its code: 1005 if it carried none.
    Close(u16),
    /// It ended without a close frame; RFC 6455 calls this 1006.
    Lost,
    /// The upgrade was answered with this HTTP status instead of a valid 101.
    Http(u16),
    /// The peer speaks something else: what it sent is no answer to an upgrade.
    NotWebSocket,
    /// The operating system or the TLS layer reported an error.
    Socket(SocketError),
    /// The provider of the address or of the credentials failed.
    Credentials,
    /// The host was not reached before the deadline.
    ConnectTimeout,
    /// The host was reached, but the handshake was not answered before the deadline.
    HandshakeTimeout,
    /// The application's own handshake was not finished before the deadline.
    ReadyTimeout,
    /// The heartbeat was not answered.
    PongTimeout,
    /// The peer did not finish the closing handshake before the deadline.
    CloseTimeout,
    /// The peer broke the protocol.
    Protocol(ProtocolError),
    /// The readiness probe before a dial failed.
    Preflight,
    /// The user asked: a disconnect, a reconnect, a finished drain.
    Requested,
    /// A drain was not finished before its deadline.
    DrainTimeout,
    /// The network under the connection was changed for another.
    NetworkChanged,
    /// The limit of attempts is reached: the link gives up.
    AttemptsSpent,
    /// The limit of time without a connection is reached: the link gives up.
    TimeSpent,
    /// The application's own reason, by the application's number.
    Local(u16),
}

const _: () = assert!(size_of::<Cause>() <= 4);

/// What the operating system or the TLS layer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SocketError {
    /// Nothing listens at the port.
    Refused,
    /// No route to the host or its network.
    Unreachable,
    /// The peer, or something between, reset the connection.
    Reset,
    /// The operating system gave up waiting.
    TimedOut,
    /// The name was not resolved.
    NameNotFound,
    /// The TLS handshake failed: usually a certificate.
    Tls,
    /// The operating system forbids it.
    PermissionDenied,
    /// Anything else.
    Other,
}

/// How the peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ProtocolError {
    /// A frame that can't be.
    Frame,
    /// A text that isn't UTF-8.
    Utf8,
    /// An inbound frame or message over the local limit.
    TooBig,
    /// There is no version of the application's protocol that both ends speak, as one of them
    /// has said.
    Version,
}

/// A coarse class of causes, for screens and statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Category {
    /// There is no connection, for a reason that fits nowhere else or is nobody's fault.
    ConnectionFailed,
    /// The peer does not accept who this is.
    AuthenticationFailed,
    /// The server is there, but can't serve now.
    ServiceUnavailable,
    /// The two ends don't understand each other.
    ProtocolError,
    /// Something did not come before its deadline.
    Timeout,
    /// The network between the two ends failed.
    NetworkError,
}

impl Cause {
    /// The coarse class of this cause.
    pub const fn category(self) -> Category {
        match self {
            Self::Close(code) => category_of_close(code),
            Self::Http(status) => category_of_status(status),
            Self::Lost | Self::NetworkChanged => Category::NetworkError,
            Self::NotWebSocket | Self::Protocol(_) => Category::ProtocolError,
            Self::Socket(error) => match error {
                SocketError::Unreachable | SocketError::Reset | SocketError::NameNotFound => {
                    Category::NetworkError
                }
                SocketError::TimedOut => Category::Timeout,
                SocketError::Refused
                | SocketError::Tls
                | SocketError::PermissionDenied
                | SocketError::Other => Category::ConnectionFailed,
            },
            Self::Credentials => Category::AuthenticationFailed,
            Self::ConnectTimeout
            | Self::HandshakeTimeout
            | Self::ReadyTimeout
            | Self::PongTimeout
            | Self::CloseTimeout
            | Self::DrainTimeout => Category::Timeout,
            Self::Preflight => Category::ServiceUnavailable,
            Self::Requested | Self::AttemptsSpent | Self::TimeSpent | Self::Local(_) => {
                Category::ConnectionFailed
            }
        }
    }

    /// The close code, HTTP status or application's number, where there is one.
    pub const fn code(self) -> Option<u16> {
        match self {
            Self::Close(code) | Self::Http(code) | Self::Local(code) => Some(code),
            _ => None,
        }
    }

    /// What the user can do next, in one sentence.
    pub const fn advice(self) -> &'static str {
        advice::of(self)
    }
}

/// What happened, in words, as it follows "disconnected: ".
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::Close(code) => {
                let name = name_of_close(code);
                return write!(f, "closed by the peer with {code} ({name})");
            }
            Self::Http(status) => {
                let name = name_of_status(status);
                return write!(f, "the upgrade was answered with HTTP {status} ({name})");
            }
            Self::Socket(error) => return error.fmt(f),
            Self::Protocol(error) => return error.fmt(f),
            Self::Local(number) => {
                return write!(f, "ended by the application with {number}");
            }
            Self::Lost => "lost without a close frame",
            Self::NotWebSocket => "the peer does not speak WebSocket",
            Self::Credentials => "the provider of address or credentials failed",
            Self::ConnectTimeout => "the host was not reached in time",
            Self::HandshakeTimeout => "the handshake was not answered in time",
            Self::ReadyTimeout => "the application's handshake was not finished in time",
            Self::PongTimeout => "the heartbeat was not answered in time",
            Self::CloseTimeout => "the peer did not finish closing in time",
            Self::Preflight => "the readiness probe failed",
            Self::Requested => "asked for by the user",
            Self::DrainTimeout => "the drain was not finished in time",
            Self::NetworkChanged => "the network was changed",
            Self::AttemptsSpent => "the limit of attempts is reached",
            Self::TimeSpent => "the limit of time is reached",
        };
        f.write_str(text)
    }
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "connection refused",
            Self::Unreachable => "host or network unreachable",
            Self::Reset => "connection reset",
            Self::TimedOut => "timed out by the operating system",
            Self::NameNotFound => "name not resolved",
            Self::Tls => "TLS handshake failed",
            Self::PermissionDenied => "forbidden by the operating system",
            Self::Other => "socket error",
        })
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frame => "the peer sent an invalid frame",
            Self::Utf8 => "the peer sent a text that is not UTF-8",
            Self::TooBig => "the peer sent more than the local limit",
            Self::Version => "the peer speaks another version of the protocol",
        })
    }
}

const fn category_of_close(code: u16) -> Category {
    match code {
        1001 | 1011..=1014 => Category::ServiceUnavailable,
        1002 | 1003 | 1007 | 1009 | 1010 | 0..=999 | 5000.. => Category::ProtocolError,
        1005 | 1006 => Category::NetworkError,
        1008 | 3000 | 3003 | 4401 | 4403 => Category::AuthenticationFailed,
        3008 | 4408 => Category::Timeout,
        _ => Category::ConnectionFailed,
    }
}

const fn category_of_status(status: u16) -> Category {
    match status {
        401 | 403 | 407 => Category::AuthenticationFailed,
        408 | 504 => Category::Timeout,
        425 | 429 | 500..=599 => Category::ServiceUnavailable,
        426 | 0..=399 | 600.. => Category::ProtocolError,
        _ => Category::ConnectionFailed,
    }
}

/// The name of a close code in the registry of IANA, or of its range.
const fn name_of_close(code: u16) -> &'static str {
    match code {
        1000 => "normal closure",
        1001 => "going away",
        1002 => "protocol error",
        1003 => "unsupported data",
        1005 => "no code given",
        1006 => "abnormal closure",
        1007 => "invalid data",
        1008 => "policy violation",
        1009 => "message too big",
        1010 => "extension missing",
        1011 => "server error",
        1012 => "service restart",
        1013 => "try again later",
        1014 => "bad gateway",
        1015 => "TLS handshake failed",
        3000 => "unauthorized",
        3003 => "forbidden",
        3008 => "timeout",
        1004 | 1016..=2999 => "reserved code",
        3001..=3999 => "registered code",
        4000..=4999 => "private code",
        _ => "invalid code",
    }
}

/// The name of an HTTP status, or of its class.
const fn name_of_status(status: u16) -> &'static str {
    match status {
        101 => "switching protocols, but not a valid upgrade",
        200 => "an ordinary page",
        400 => "bad request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not found",
        407 => "proxy authentication required",
        408 => "request timeout",
        410 => "gone",
        425 => "too early",
        426 => "upgrade required",
        429 => "too many requests",
        500 => "internal server error",
        502 => "bad gateway",
        503 => "service unavailable",
        504 => "gateway timeout",
        100..=199 => "informational",
        201..=299 => "success, but no upgrade",
        300..=399 => "redirection",
        402..=499 => "client error",
        501..=599 => "server error",
        _ => "no HTTP status",
    }
}
