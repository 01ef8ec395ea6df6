//! Errors of the operating system and of TLS as causes, and addresses that can't be used.

use std::fmt;
use std::io::{self, ErrorKind};

use redial::cause::SocketError;
use redial::{Cause, Closure};

/// How an attempt or a connection ended, with the words for a log.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) closure: Closure,
    pub(crate) detail: String,
}

impl Ended {
    pub(crate) fn new(cause: Cause, detail: impl fmt::Display) -> Self {
        Self {
            closure: cause.into(),
            detail: detail.to_string(),
        }
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::new(cause_of(&error), &error)
    }
}

/// The cause that an error of a socket stands for.
pub(crate) fn cause_of(error: &io::Error) -> Cause {
    #[cfg(feature = "rustls")]
    if error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
    {
        return Cause::Socket(SocketError::Tls);
    }
    Cause::Socket(match error.kind() {
        ErrorKind::UnexpectedEof => return Cause::Lost,
        ErrorKind::ConnectionRefused => SocketError::Refused,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            SocketError::Reset
        }
        ErrorKind::TimedOut => SocketError::TimedOut,
        ErrorKind::PermissionDenied => SocketError::PermissionDenied,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            SocketError::Unreachable
        }
        _ => SocketError::Other,
    })
}

/// Why an address or a header can't be used, whatever the network does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// Not of the form `scheme://host[:port][/path][?query]`, or with characters that a URL
    /// can't have.
    InvalidUrl(String),
    /// The scheme is none that this crate knows here.
    UnsupportedScheme(String),
    /// `wss`, and the crate was built without the feature `rustls`.
    TlsNotCompiledIn,
    /// There is no host.
    NoHost,
    /// The host is no name and no address; names beyond ASCII are given in their `xn--` form.
    InvalidHost(String),
    /// The port is missing where there is no usual one, or no number from 1 to 65535.
    InvalidPort(String),
    /// User and password in the URL: send them in a header.
    Credentials,
    /// A header's name or value has characters that it can't have.
    InvalidHeader(String),
    /// A header that the handshake sets by itself.
    ReservedHeader(String),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUrl(url) => write!(f, "{url:?} is no URL"),
            Self::UnsupportedScheme(scheme) => {
                write!(f, "the scheme {scheme:?} is not supported here")
            }
            Self::TlsNotCompiledIn => {
                f.write_str("wss needs the feature \"rustls\" of redial-blocking")
            }
            Self::NoHost => f.write_str("the address has no host"),
            Self::InvalidHost(host) => write!(f, "{host:?} is no host"),
            Self::InvalidPort(port) => write!(f, "{port:?} is no port"),
            Self::Credentials => {
                f.write_str("a URL with user or password is refused: send them in a header")
            }
            Self::InvalidHeader(name) => write!(f, "the header {name:?} is malformed"),
            Self::ReservedHeader(name) => {
                write!(f, "the header {name:?} is set by the handshake itself")
            }
        }
    }
}

impl std::error::Error for RequestError {}
