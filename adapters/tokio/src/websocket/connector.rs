//! Dialling a WebSocket: address, TCP, TLS, upgrade, redirects.

use std::future::Future;
#[cfg(feature = "rustls")]
use std::sync::Arc;

use redial::Cause;
use redial_adapter::tungstenite::Error;
use redial_adapter::tungstenite::client::IntoClientRequest;
use redial_adapter::tungstenite::handshake::client::Request;
use redial_adapter::tungstenite::http::HeaderMap;
use redial_adapter::tungstenite::protocol::WebSocketConfig;
use redial_adapter::websocket::failure_of_handshake;
use redial_adapter::{Target, upgrade};
use tokio_tungstenite::client_async_with_config;

use super::codec::WebSocketTransport;
use super::{WEBSOCKET, health};
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
                .map_err(Failure::credentials)
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
            .map_err(Failure::credentials);
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
    let url = request.uri().to_string();
    let mut target = Target::url(&url, WEBSOCKET).map_err(Failure::credentials)?;
    for left in (0..=settings.redirects).rev() {
        let headers = request.headers().clone();
        let (error, head) = match open(&target, request, settings, attempt).await? {
            Ok(transport) => return Ok(transport),
            Err(refused) => refused,
        };
        let failure = failure_of_handshake(&error, &head);
        let next = match &error {
            Error::Http(answer) if left > 0 => {
                upgrade::redirect(&target, &headers, answer, WEBSOCKET)
            }
            _ => return Err(failure),
        };
        let (to, headers) = match next {
            Ok(Some(next)) => next,
            Ok(None) => return Err(failure),
            Err(why) => return Err(Failure::new(failure.closure, why)),
        };
        request = match upgrade::request(&to, &headers) {
            Ok(request) => request,
            Err(why) => return Err(Failure::new(failure.closure, why)),
        };
        tracing::debug!(target: "redial", to = %to.authority(), "redirected");
        target = to;
    }
    // The loop ends with its last round.
    Err(Failure::new(Cause::NotWebSocket, "no attempt was made"))
}

/// One upgrade. If the server answered and it was no upgrade, the inner error has the answer,
/// and how it began.
async fn open(
    target: &Target,
    request: Request,
    settings: &Settings,
    attempt: &Attempt,
) -> Result<Result<WebSocketTransport, (Error, Vec<u8>)>, Failure> {
    let tcp = dial(target.host(), target.port(), settings.unsent).await?;
    attempt.reached();
    #[cfg(feature = "rustls")]
    let mut wire = if target.scheme().is_secure() {
        super::tls::handshake(tcp, target.host(), settings.tls.clone()).await?
    } else {
        Wire::plain(tcp)
    };
    #[cfg(not(feature = "rustls"))]
    let mut wire = Wire::plain(tcp);
    let head = wire.keep_head();
    match client_async_with_config(request, wire, Some(settings.protocol)).await {
        Ok((mut transport, _)) => {
            transport.get_mut().drop_head();
            Ok(Ok(transport))
        }
        Err(error) => Ok(Err((error, head.bytes()))),
    }
}
