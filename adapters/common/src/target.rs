//! Where to dial: an address or a URL, checked and taken apart.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::error::RequestError;

/// What is spoken at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// Framed TCP.
    Tcp,
    /// WebSocket.
    Ws,
    /// WebSocket behind TLS.
    Wss,
    /// HTTP, for readiness checks.
    Http,
    /// HTTP behind TLS, for readiness checks.
    Https,
}

impl Scheme {
    /// The scheme as a URL has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Whether it is behind TLS.
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Wss | Self::Https)
    }

    /// Whether it is for readiness checks by HTTP.
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// The port that is meant where there is none.
    pub const fn usual_port(self) -> Option<u16> {
        match self {
            Self::Tcp => None,
            Self::Ws | Self::Http => Some(80),
            Self::Wss | Self::Https => Some(443),
        }
    }
}

/// Where to dial.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub(crate) scheme: Scheme,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query, from the slash on; empty without a URL.
    pub(crate) path: String,
}

/// Paths stay out of logs: their queries carry credentials.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("scheme", &self.scheme)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Target {
    /// A server for framed TCP, as `host:port` or `[v6 address]:port`.
    ///
    /// # Errors
    ///
    /// Whatever makes it no address, before anything is dialled.
    pub fn tcp(address: &str) -> Result<Self, RequestError> {
        let (host, port) = authority(address)?;
        Ok(Self {
            scheme: Scheme::Tcp,
            host,
            port: port.ok_or_else(|| RequestError::InvalidPort(String::new()))?,
            path: String::new(),
        })
    }

    /// What is spoken there.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// A name in lower case, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, from 1 on.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, from the slash on; empty without a URL.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The host as an address, where it needs no resolving.
    pub fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Host and port, as the header `Host` has them: without a usual port.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.scheme.usual_port() == Some(self.port) {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// The whole as a URL, its query included, which may be a secret.
    pub fn to_url(&self) -> String {
        format!("{}://{}{}", self.scheme.name(), self.authority(), self.path)
    }

    /// Whether the other is of the same origin: what one may be told, the other may.
    pub fn is_same_origin(&self, other: &Self) -> bool {
        (self.scheme, &self.host, self.port) == (other.scheme, &other.host, other.port)
    }
}

/// Host and port of `host`, `host:port`, `[v6]` or `[v6]:port`.
pub(crate) fn authority(text: &str) -> Result<(String, Option<u16>), RequestError> {
    if text.contains('@') {
        return Err(RequestError::Credentials);
    }
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest
            .split_once(']')
            .ok_or_else(|| RequestError::InvalidHost(text.to_owned()))?;
        if host.parse::<Ipv6Addr>().is_err() || !(after.is_empty() || after.starts_with(':')) {
            return Err(RequestError::InvalidHost(text.to_owned()));
        }
        (host, after.strip_prefix(':'))
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    if host.is_empty() {
        return Err(RequestError::NoHost);
    }
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
    if !host.chars().all(known) {
        return Err(RequestError::InvalidHost(host.to_owned()));
    }
    let port = match port {
        None => None,
        // A sign is no digit, whatever the standard library takes.
        Some(digits) => match digits.parse() {
            Ok(port) if port > 0 && !digits.starts_with('+') => Some(port),
            _ => return Err(RequestError::InvalidPort(digits.to_owned())),
        },
    };
    Ok((host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_framed_tcp() {
        let target = Target::tcp("[::1]:7").unwrap();
        assert_eq!((target.host(), target.port()), ("::1", 7));
        assert_eq!(target.authority(), "[::1]:7");
        assert!(target.literal().is_some());
        assert_eq!(Target::tcp("LocalHost:80").unwrap().host(), "localhost");
        for (address, error) in [
            ("localhost", RequestError::InvalidPort(String::new())),
            ("localhost:0", RequestError::InvalidPort("0".to_owned())),
            ("localhost:+1", RequestError::InvalidPort("+1".to_owned())),
            (":80", RequestError::NoHost),
            ("a b:80", RequestError::InvalidHost("a b".to_owned())),
            ("[::1:80", RequestError::InvalidHost("[::1:80".to_owned())),
            ("me@host:80", RequestError::Credentials),
        ] {
            assert_eq!(Target::tcp(address), Err(error), "{address}");
        }
    }
}
