//! WebSocket by tokio-tungstenite.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let (handle, mut incoming) = redial_tokio::websocket("wss://example.org/feed")?.spawn();
//! handle.send("hello".into()).await?;
//! while let Some(message) = incoming.recv().await {
//!     println!("{message:?}");
//! }
//! # Ok(()) }
//! ```
//!
//! TCP is dialled here, with all addresses of the host tried in turns of families, so that an
//! unreachable host can be told from a silent handshake. TLS is rustls with ring and Mozilla's
//! roots, or with a configuration of your own. Redirects are followed, at most 5, never from
//! TLS to plain text. `Authorization`, `Proxy-Authorization` and `Cookie` are not taken to
//! another origin; other headers are, so carry no secret in them, or follow none. Pings are
//! answered by the library.
//!
//! Between the link and the network wait at most the outbox's window, 64 KiB by default, in the
//! library, and about as much in the kernel: that is what a ping has to wait for.

mod codec;
mod connector;
mod health;
#[cfg(feature = "rustls")]
mod tls;

use std::future::Future;

use redial_adapter::{LONGEST, REDIRECTS, Scheme, Target, UNSENT, upgrade};
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderMap;
use tungstenite::protocol::WebSocketConfig;

pub use self::codec::{WebSocketCodec, WebSocketTransport};
pub use self::connector::{Fixed, Provider, WebSocketConnector};
pub use redial_adapter::{Message, RequestError as UrlError, tungstenite};

use self::connector::Settings;
use self::health::Health;
use crate::builder::Builder;
use crate::connector::{Attempt, Failure};

/// What can be dialled.
const WEBSOCKET: &[Scheme] = if cfg!(feature = "rustls") {
    &[Scheme::Ws, Scheme::Wss]
} else {
    &[Scheme::Ws]
};

/// What can be asked for its health.
const HTTP: &[Scheme] = if cfg!(feature = "rustls") {
    &[Scheme::Http, Scheme::Https]
} else {
    &[Scheme::Http]
};

/// The room of the library's write buffer: twice a window, so that a batch is one write.
const WRITE_BUFFER: usize = 128 << 10;
/// How much is read at once. The library clears so much before each read, so more costs more.
const READ_BUFFER: usize = 32 << 10;

/// A builder of WebSocket links.
pub type WebSocketBuilder<P> = Builder<WebSocketConnector<P>, WebSocketCodec>;

/// A link to a fixed `ws` or `wss` address.
///
/// # Errors
///
/// [`UrlError`] if it is no such address.
pub fn websocket(url: impl AsRef<str>) -> Result<WebSocketBuilder<Fixed>, UrlError> {
    let url = url.as_ref();
    let target = Target::url(url, WEBSOCKET)?;
    let mut builder = build(Fixed {
        url: target.to_url(),
    });
    builder.connector.settings.health = Some(Health::Tcp(target));
    Ok(builder)
}

/// A link whose address and credentials a provider gives, fresh at each attempt and under its
/// deadline.
///
/// ```no_run
/// # async fn fetch_token(refresh: bool) -> Result<String, std::io::Error> { Ok(String::new()) }
/// use redial_tokio::websocket::tungstenite::ClientRequestBuilder;
/// use redial_tokio::{Attempt, Failure, websocket_with};
///
/// let link = websocket_with(|attempt: Attempt| async move {
///     let token = fetch_token(attempt.refresh)
///         .await
///         .map_err(|error| Failure::credentials(error.to_string()))?;
///     let request = ClientRequestBuilder::new(
///         "wss://example.org/feed".parse().map_err(|_| Failure::credentials("no URL"))?,
///     );
///     Ok(request.with_header("Authorization", format!("Bearer {token}")))
/// });
/// # let _ = link;
/// ```
///
/// Set [`credentials`](redial::config::Builder::credentials) in the configuration, so that a
/// policy close asks for fresh ones.
pub fn websocket_with<F, Fut, R>(provider: F) -> WebSocketBuilder<F>
where
    F: FnMut(Attempt) -> Fut + Send + 'static,
    Fut: Future<Output = Result<R, Failure>> + Send + 'static,
    R: IntoClientRequest + 'static,
{
    build(provider)
}

fn build<P: Provider>(provider: P) -> WebSocketBuilder<P> {
    let protocol = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(LONGEST))
        .max_frame_size(Some(LONGEST));
    let protocol = bounded(protocol, LONGEST);
    let settings = Settings {
        headers: HeaderMap::new(),
        protocol,
        unsent: UNSENT,
        redirects: REDIRECTS,
        health: None,
        #[cfg(feature = "rustls")]
        tls: None,
    };
    let connector = WebSocketConnector { provider, settings };
    Builder::new(connector, WebSocketCodec { longest: LONGEST })
}

impl<P: Provider> WebSocketBuilder<P> {
    /// Adds a header to the upgrade of every attempt.
    ///
    /// # Errors
    ///
    /// [`UrlError::InvalidHeader`] if it is no header, [`UrlError::ReservedHeader`] if it is one
    /// that the upgrade itself is made of.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, UrlError> {
        let (name, value) = upgrade::header(name, value)?;
        self.connector.settings.headers.append(name, value);
        Ok(self)
    }

    /// The longest message, in bytes, in either direction, default 16 MiB ([`LONGEST`]). A longer
    /// one that is to be sent is dropped, one that comes in ends the connection. It is the limit
    /// of a single frame too.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        let protocol = self.connector.settings.protocol;
        let protocol = protocol
            .max_message_size(Some(bytes))
            .max_frame_size(Some(bytes));
        self.connector.settings.protocol = bounded(protocol, bytes);
        self.codec.longest = bytes;
        self
    }

    /// The longest inbound frame, in bytes, where it is to be less than the longest message; set
    /// it after that.
    pub fn max_frame_size(mut self, bytes: usize) -> Self {
        self.connector.settings.protocol.max_frame_size = Some(bytes);
        self
    }

    /// About how many bytes the kernel may hold unsent, default 64 KiB. Less lets pings through
    /// sooner on a slow line; more is faster on a long fat one where that counts.
    pub fn unsent(mut self, bytes: usize) -> Self {
        self.connector.settings.unsent = bytes.max(1);
        self
    }

    /// How many redirects are followed, default 5.
    pub fn redirects(mut self, most: u8) -> Self {
        self.connector.settings.redirects = most;
        self
    }

    /// Where the preflight of the configuration asks whether the server is there: an `http` or
    /// `https` address that answers with 2xx. By default a TCP connect to the fixed address's
    /// host; with a provider, nothing is asked.
    ///
    /// # Errors
    ///
    /// [`UrlError`] if it is no such address.
    pub fn health_url(mut self, url: &str) -> Result<Self, UrlError> {
        let target = Target::url(url, HTTP)?;
        self.connector.settings.health = Some(Health::Http(target));
        Ok(self)
    }

    /// TLS by this configuration instead of Mozilla's roots: your own roots, client
    /// certificates, the platform's verifier.
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, config: std::sync::Arc<tokio_rustls::rustls::ClientConfig>) -> Self {
        self.connector.settings.tls = Some(config);
        self
    }
}

/// Bounds what the library may hold unwritten: a window, the longest message, and as much again
/// for its answers to pings, as the peer may ping without end and never read.
fn bounded(protocol: WebSocketConfig, longest: usize) -> WebSocketConfig {
    let most = longest.saturating_add(WRITE_BUFFER).saturating_mul(2);
    protocol.max_write_buffer_size(most)
}

#[cfg(test)]
mod tests {
    use redial_faults::PingFlood;
    use tungstenite::protocol::Role;
    use tungstenite::{Error, WebSocket};

    use super::*;

    #[test]
    fn the_longest_message_is_the_same_in_both_directions() {
        let link = websocket("ws://localhost").unwrap();
        let protocol = link.connector.settings.protocol;
        assert_eq!(link.codec.longest, LONGEST);
        assert_eq!(protocol.max_message_size, Some(LONGEST));
        assert_eq!(protocol.max_frame_size, Some(LONGEST));
    }

    #[test]
    fn pings_without_end_fill_no_memory() {
        let link = websocket("ws://localhost").unwrap().max_message_size(1000);
        let protocol = link.connector.settings.protocol;
        let mut socket =
            WebSocket::from_raw_socket(PingFlood::default(), Role::Client, Some(protocol));
        for _ in 0..5_000 {
            let read = socket.read();
            assert!(
                matches!(read, Ok(tungstenite::Message::Ping(_))),
                "{read:?}"
            );
        }
        // What the buffer holds by now leaves no room for a message: 131 bytes an answer.
        let full = socket.write(tungstenite::Message::Binary(vec![0; 1000].into()));
        assert!(matches!(full, Err(Error::WriteBufferFull(_))), "{full:?}");
    }
}
