//! Addresses and headers that can't be used.

use std::fmt;

/// Why an address or a header can't be used, whatever the network does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// Not of the form `scheme://host[:port][/path][?query]`, or with characters that a URL
    /// can't have.
    InvalidUrl(String),
    /// The scheme is none that is known here.
    UnsupportedScheme(String),
    /// The scheme asks for TLS, which was not compiled in.
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
            Self::TlsNotCompiledIn => f.write_str("TLS needs the feature \"rustls\""),
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
