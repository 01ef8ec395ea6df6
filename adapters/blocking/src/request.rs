//! Where to dial and what to say: one URL or address, checked, with its headers.

use redial_adapter::{RequestError, Target};
#[cfg(feature = "tungstenite")]
use redial_adapter::{
    Scheme,
    tungstenite::{
        handshake::client::{Request as Upgrade, Response},
        http::HeaderMap,
    },
    upgrade,
};

/// What can be dialled for a WebSocket.
#[cfg(feature = "tungstenite")]
const WEBSOCKET: &[Scheme] = if cfg!(feature = "rustls") {
    &[Scheme::Ws, Scheme::Wss]
} else {
    &[Scheme::Ws]
};

/// What can be asked for its health.
#[cfg(feature = "tungstenite")]
pub(crate) const HTTP: &[Scheme] = if cfg!(feature = "rustls") {
    &[Scheme::Http, Scheme::Https]
} else {
    &[Scheme::Http]
};

/// Where to dial and what to say there.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    pub(crate) target: Target,
    #[cfg(feature = "tungstenite")]
    headers: HeaderMap,
}

/// Headers stay out of logs: they carry credentials.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("target", &self.target)
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
        Target::tcp(address).map(Self::new)
    }

    pub(crate) fn new(target: Target) -> Self {
        Self {
            target,
            #[cfg(feature = "tungstenite")]
            headers: HeaderMap::new(),
        }
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
        Target::url(url, WEBSOCKET).map(Self::new)
    }

    /// The same request with one more header.
    ///
    /// # Errors
    ///
    /// If name or value can't be sent, or the handshake sets this header by itself.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, RequestError> {
        let (name, value) = upgrade::header(name, value)?;
        self.headers.append(name, value);
        Ok(self)
    }

    /// The request of the handshake, with a key of its own.
    pub(crate) fn upgrade(&self) -> Result<Upgrade, RequestError> {
        upgrade::request(&self.target, &self.headers)
    }

    /// Where an answer leads, if it is a redirect; in words, why that can't be followed.
    pub(crate) fn redirected(&self, answer: &Response) -> Result<Option<Self>, String> {
        let next = upgrade::redirect(&self.target, &self.headers, answer, WEBSOCKET)?;
        Ok(next.map(|(target, headers)| Self { target, headers }))
    }
}
