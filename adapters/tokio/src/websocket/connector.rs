//! Dialling a WebSocket: address, TCP, TLS, upgrade, redirects.

use std::future::Future;
#[cfg(feature = "rustls")]
use std::sync::Arc;

use redial::Cause;
use tokio_tungstenite::client_async_with_config;
use tungstenite::Error;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Request;
use tungstenite::http::HeaderMap;
use tungstenite::protocol::WebSocketConfig;

use super::codec::WebSocketTransport;
use super::redirect;
use super::{cause, health};
use crate::connector::{Attempt, Connector, Failure};
use crate::net::{Wire, dial};

/// Makes WebSocket connections, asking a provider for the address and headers at each attempt.
pub struct WebSocketConnector<P> {
    pub(super) provider: P,
    pub(super) settings: Settings,
}

/// What is the same for every attempt.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) headers: HeaderMap,
    pub(super) protocol: WebSocketConfig,
    pub(super) unsent: usize,
    pub(super) redirects: u8,
    /// Where to ask whether the server is there: a host and port, or an HTTP address.
    pub(super) health: Option<health::Health>,
    #[cfg(feature = "rustls")]
    pub(super) tls: Option<Arc<tokio_rustls::rustls::ClientConfig>>,
}

/// Gives the address of a WebSocket, and whatever headers its upgrade needs.
///
/// It is asked at every attempt, so that tokens are fresh; with
/// [`refresh`](Attempt::refresh) set, the server has refused the last ones. Any
/// `FnMut(Attempt) -> Future` whose output makes a request is one: a URL as text, a `Uri`, a
/// `ClientRequestBuilder`.
pub trait Provider: Send + 'static {
    /// Begins to fetch the request of one attempt.
    fn request(
        &mut self,
        attempt: Attempt,
    ) -> impl Future<Output = Result<Request, Failure>> + Send + 'static;
}

impl<F, Fut, R> Provider for F
where
    F: FnMut(Attempt) -> Fut + Send + 'static,
    Fut: Future<Output = Result<R, Failure>> + Send + 'static,
    R: IntoClientRequest,
{
    fn request(
        &mut self,
        attempt: Attempt,
    ) -> impl Future<Output = Result<Request, Failure>> + Send + 'static {
        let made = self(attempt);
        async move {
            made.await?
                .into_client_request()
                .map_err(|error| Failure::credentials(error.to_string()))
        }
    }
}

/// An address that is always the same.
#[derive(Clone, Debug)]
pub struct Fixed {
    pub(super) url: String,
}

impl Provider for Fixed {
    fn request(
        &mut self,
        _: Attempt,
    ) -> impl Future<Output = Result<Request, Failure>> + Send + 'static {
        let made = self
            .url
            .as_str()
            .into_client_request()
            .map_err(|error| Failure::credentials(error.to_string()));
        std::future::ready(made)
    }
}

impl<P: Provider> Connector<WebSocketTransport> for WebSocketConnector<P> {
    fn connect(
        &mut self,
        attempt: Attempt,
    ) -> impl Future<Output = Result<WebSocketTransport, Failure>> + Send + 'static {
        let request = self.provider.request(attempt.clone());
        let settings = self.settings.clone();
        async move {
            let mut request = request.await?;
            for (name, value) in &settings.headers {
                request.headers_mut().append(name, value.clone());
            }
            follow(request, &settings, &attempt).await
        }
    }

    fn probe(&mut self) -> impl Future<Output = bool> + Send + 'static {
        let health = self.settings.health.clone();
        let unsent = self.settings.unsent;
        #[cfg(feature = "rustls")]
        let tls = self.settings.tls.clone();
        async move {
            match health {
                Some(health) => {
                    #[cfg(feature = "rustls")]
                    let there = health.ask(unsent, tls).await;
                    #[cfg(not(feature = "rustls"))]
                    let there = health.ask(unsent).await;
                    there
                }
                None => true,
            }
        }
    }
}

/// Dials, and follows redirects as far as they go.
async fn follow(
    mut request: Request,
    settings: &Settings,
    attempt: &Attempt,
) -> Result<WebSocketTransport, Failure> {
    for left in (0..=settings.redirects).rev() {
        let error = match upgrade(request.clone(), settings, attempt).await? {
            Ok(transport) => return Ok(transport),
            Err(error) => error,
        };
        let failure = cause::of_handshake(&error);
        request = match &error {
            Error::Http(response) if left > 0 => match redirect::next(&request, response) {
                Ok(Some(next)) => next,
                Ok(None) => return Err(failure),
                Err(why) => return Err(Failure::new(failure.closure, why)),
            },
            _ => return Err(failure),
        };
        tracing::debug!(target: "redial", to = %request.uri(), "redirected");
    }
    // The loop ends with its last round.
    Err(Failure::new(Cause::NotWebSocket, "no attempt was made"))
}

/// One upgrade. What the server answered, if it was no upgrade, is the inner error.
async fn upgrade(
    request: Request,
    settings: &Settings,
    attempt: &Attempt,
) -> Result<Result<WebSocketTransport, Error>, Failure> {
    let (host, port, secure) = target(request.uri(), &["ws", "wss"])?;
    let tcp = dial(&host, port, settings.unsent).await?;
    attempt.reached();
    let wire = if secure {
        #[cfg(feature = "rustls")]
        {
            super::tls::handshake(tcp, &host, settings.tls.clone()).await?
        }
        #[cfg(not(feature = "rustls"))]
        {
            return Err(without_tls());
        }
    } else {
        Wire::plain(tcp)
    };
    let opened = client_async_with_config(request, wire, Some(settings.protocol)).await;
    Ok(opened.map(|(transport, _)| transport))
}

#[cfg(not(feature = "rustls"))]
fn without_tls() -> Failure {
    let cause = Cause::Socket(redial::cause::SocketError::Tls);
    Failure::new(cause, "wss needs the feature rustls")
}

/// Host, port and whether TLS is asked for: by the second of the two schemes.
pub(super) fn target(
    uri: &tungstenite::http::Uri,
    schemes: &[&str; 2],
) -> Result<(String, u16, bool), Failure> {
    let found = schemes
        .iter()
        .position(|scheme| uri.scheme_str() == Some(scheme));
    let Some(found) = found else {
        let why = format!("{uri}: not a {} or {} URL", schemes[0], schemes[1]);
        return Err(Failure::credentials(why));
    };
    let secure = found == 1;
    let host = uri
        .host()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| Failure::credentials(format!("{uri}: no host")))?;
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    Ok((host.to_owned(), port, secure))
}
