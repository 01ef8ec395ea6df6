//! Where to dial and what to say: one URL or address, checked, with its headers.

use std::net::{IpAddr, Ipv6Addr};

use crate::error::RequestError;

/// What the URL's scheme stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Tcp,
    #[cfg(feature = "tungstenite")]
    Ws,
    #[cfg(feature = "rustls")]
    Wss,
}

/// Where to dial and what to say there.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    pub(crate) scheme: Scheme,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query, from the slash on.
    #[cfg(feature = "tungstenite")]
    pub(crate) path: String,
    #[cfg(feature = "tungstenite")]
    pub(crate) headers: Vec<(String, String)>,
}

/// Headers stay out of logs: they carry credentials.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("scheme", &self.scheme)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// A server for framed TCP, as `host:port` or `[v6 address]:port`.
    ///
    /// # Errors
    ///
    /// Whatever makes it no address, before anything is dialled.
    pub fn tcp(address: &str) -> Result<Self, RequestError> {
        let (host, port) = authority(address)?;
        let port = port.ok_or_else(|| RequestError::InvalidPort(String::new()))?;
        Ok(Self {
            scheme: Scheme::Tcp,
            host,
            port,
            #[cfg(feature = "tungstenite")]
            path: String::new(),
            #[cfg(feature = "tungstenite")]
            headers: Vec::new(),
        })
    }
}

#[cfg(feature = "tungstenite")]
impl Request {
    /// A WebSocket server, by a URL of the scheme `ws`, or `wss` with the feature `rustls`.
    ///
    /// # Errors
    ///
    /// Whatever makes it no such URL, before anything is dialled.
    pub fn websocket(url: &str) -> Result<Self, RequestError> {
        let invalid = || RequestError::InvalidUrl(url.to_owned());
        let plain = |c: char| c.is_ascii_graphic();
        if !url.chars().all(plain) {
            return Err(invalid());
        }
        let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
        let (scheme, usual) = match scheme.to_ascii_lowercase().as_str() {
            "ws" => (Scheme::Ws, 80),
            #[cfg(feature = "rustls")]
            "wss" => (Scheme::Wss, 443),
            #[cfg(not(feature = "rustls"))]
            "wss" => return Err(RequestError::TlsNotCompiledIn),
            _ => return Err(RequestError::UnsupportedScheme(scheme.to_owned())),
        };
        // A fragment is never sent (RFC 6455 section 3).
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (place, path) = rest.split_at(end);
        let (host, port) = authority(place)?;
        let request = Self {
            scheme,
            host,
            port: port.unwrap_or(usual),
            path: if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("/{path}")
            },
            headers: Vec::new(),
        };
        request.upgrade().map_err(|_| invalid())?;
        Ok(request)
    }

    /// The same request with one more header.
    ///
    /// # Errors
    ///
    /// If name or value can't be sent, or the handshake sets this header by itself.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, RequestError> {
        let malformed = || RequestError::InvalidHeader(name.to_owned());
        let lower = name.to_ascii_lowercase();
        let reserved = [
            "host",
            "connection",
            "upgrade",
            "sec-websocket-key",
            "sec-websocket-version",
            "sec-websocket-extensions",
            "sec-websocket-accept",
            "content-length",
            "transfer-encoding",
        ];
        if reserved.contains(&lower.as_str()) {
            return Err(RequestError::ReservedHeader(name.to_owned()));
        }
        tungstenite::http::HeaderName::try_from(lower.as_str()).map_err(|_| malformed())?;
        tungstenite::http::HeaderValue::try_from(value).map_err(|_| malformed())?;
        self.headers.push((lower, value.to_owned()));
        Ok(self)
    }

    /// The request of the handshake, with a key of its own.
    pub(crate) fn upgrade(&self) -> Result<tungstenite::handshake::client::Request, String> {
        use tungstenite::client::IntoClientRequest;
        let url = format!("{}://{}{}", self.scheme_name(), self.place(), self.path);
        let mut request = url.into_client_request().map_err(|e| e.to_string())?;
        for (name, value) in &self.headers {
            let name = tungstenite::http::HeaderName::try_from(name.as_str());
            let value = tungstenite::http::HeaderValue::try_from(value.as_str());
            let name = name.map_err(|e| e.to_string())?;
            request
                .headers_mut()
                .append(name, value.map_err(|e| e.to_string())?);
        }
        Ok(request)
    }

    /// Where a redirection leads: absolute, without a scheme, or relative to this request.
    ///
    /// Credentials don't follow to another server, and TLS is never given up.
    pub(crate) fn redirected(&self, location: &str) -> Result<Self, RequestError> {
        let invalid = || RequestError::InvalidUrl(location.to_owned());
        let own = format!("{}://{}", self.scheme_name(), self.place());
        let directory = self.path.split_once('?').map_or(&*self.path, |(p, _)| p);
        let directory = directory.rsplit_once('/').map_or("", |(d, _)| d);
        let url = if let Some((scheme, rest)) = location.split_once("://") {
            let scheme = match scheme.to_ascii_lowercase().as_str() {
                "http" => "ws".to_owned(),
                "https" => "wss".to_owned(),
                other => other.to_owned(),
            };
            format!("{scheme}://{rest}")
        } else if let Some(place) = location.strip_prefix("//") {
            format!("{}://{place}", self.scheme_name())
        } else if location.starts_with('/') {
            format!("{own}{location}")
        } else if location.is_empty() {
            return Err(invalid());
        } else {
            format!("{own}{directory}/{location}")
        };
        let mut next = Self::websocket(&url)?;
        if self.scheme != Scheme::Ws && next.scheme == Scheme::Ws {
            return Err(RequestError::UnsupportedScheme("ws".to_owned()));
        }
        let same = (next.scheme, &next.host, next.port) == (self.scheme, &self.host, self.port);
        let secret = ["authorization", "cookie", "proxy-authorization"];
        let kept = self.headers.iter();
        let kept = kept.filter(|(name, _)| same || !secret.contains(&name.as_str()));
        next.headers = kept.cloned().collect();
        Ok(next)
    }

    fn scheme_name(&self) -> &'static str {
        match self.scheme {
            Scheme::Tcp => "tcp",
            Scheme::Ws => "ws",
            #[cfg(feature = "rustls")]
            Scheme::Wss => "wss",
        }
    }

    /// Host and port, as the header `Host` has them: without a usual port.
    fn place(&self) -> String {
        let usual = match self.scheme {
            Scheme::Ws => Some(80),
            #[cfg(feature = "rustls")]
            Scheme::Wss => Some(443),
            Scheme::Tcp => None,
        };
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if usual == Some(self.port) {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl Request {
    /// The host as an address, where it needs no resolving.
    pub(crate) fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// Host and port of `host`, `host:port`, `[v6]` or `[v6]:port`.
fn authority(text: &str) -> Result<(String, Option<u16>), RequestError> {
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
        Some(digits) => match digits.parse() {
            Ok(port) if port > 0 => Some(port),
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
        let request = Request::tcp("[::1]:7").unwrap();
        assert_eq!((request.host.as_str(), request.port), ("::1", 7));
        assert_eq!(Request::tcp("LocalHost:80").unwrap().host, "localhost");
        for (address, error) in [
            ("localhost", RequestError::InvalidPort(String::new())),
            ("localhost:0", RequestError::InvalidPort("0".to_owned())),
            (":80", RequestError::NoHost),
            ("a b:80", RequestError::InvalidHost("a b".to_owned())),
            ("[::1:80", RequestError::InvalidHost("[::1:80".to_owned())),
        ] {
            assert_eq!(Request::tcp(address), Err(error), "{address}");
        }
    }

    #[cfg(feature = "tungstenite")]
    #[test]
    fn urls_of_websockets() {
        let request = Request::websocket("WS://Example.org?x=1#y").unwrap();
        assert_eq!(
            (&*request.host, request.port, &*request.path),
            ("example.org", 80, "/?x=1")
        );
        assert_eq!(request.upgrade().unwrap().headers()["host"], "example.org");
        for (url, error) in [
            (
                "http://x/",
                RequestError::UnsupportedScheme("http".to_owned()),
            ),
            ("x", RequestError::InvalidUrl("x".to_owned())),
            (
                "ws://x/a b",
                RequestError::InvalidUrl("ws://x/a b".to_owned()),
            ),
            ("ws:///", RequestError::NoHost),
            ("ws://u:p@x/", RequestError::Credentials),
            (
                "ws://x:99999/",
                RequestError::InvalidPort("99999".to_owned()),
            ),
        ] {
            assert_eq!(Request::websocket(url), Err(error), "{url}");
        }
        let reserved = request.clone().header("Upgrade", "x");
        assert_eq!(
            reserved,
            Err(RequestError::ReservedHeader("Upgrade".to_owned()))
        );
        assert!(request.header("X", "a\r\nb").is_err());
    }

    #[cfg(feature = "tungstenite")]
    #[test]
    fn redirections_keep_secrets_at_home() {
        let request = Request::websocket("ws://a.example:81/x/y?z")
            .and_then(|r| r.header("Authorization", "secret"))
            .and_then(|r| r.header("X-Id", "1"))
            .unwrap();
        for (location, place, path, headers) in [
            ("/other", "a.example:81", "/other", 2),
            ("z", "a.example:81", "/x/z", 2),
            ("//b.example/q", "b.example", "/q", 1),
            ("http://a.example/", "a.example", "/", 1),
            ("ws://a.example:81/", "a.example:81", "/", 2),
        ] {
            let next = request.redirected(location).unwrap();
            assert_eq!((&*next.place(), &*next.path), (place, path), "{location}");
            assert_eq!(next.headers.len(), headers, "{location}");
        }
        assert!(request.redirected("ftp://a.example/").is_err());
        #[cfg(feature = "rustls")]
        {
            let secure = Request::websocket("wss://a.example/").unwrap();
            assert!(secure.redirected("ws://a.example/").is_err());
        }
    }
}
