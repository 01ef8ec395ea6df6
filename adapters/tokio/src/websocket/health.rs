//! Is the server there? A TCP connect, or a health address that answers with 2xx.

#[cfg(feature = "rustls")]
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tungstenite::http::Uri;

use super::connector::target;
use crate::connector::Failure;
use crate::net::{Wire, dial};

/// Where to ask.
#[derive(Clone, Debug)]
pub(super) enum Health {
    /// Whether something accepts connections there.
    Tcp(Uri),
    /// Whether a GET is answered with a status of 200 to 299.
    Http(Uri),
}

impl Health {
    /// Asks. Any failure is a no; the core has the deadline.
    pub(super) async fn ask(
        self,
        unsent: usize,
        #[cfg(feature = "rustls")] tls: Option<Arc<tokio_rustls::rustls::ClientConfig>>,
    ) -> bool {
        let (uri, schemes) = match &self {
            Self::Tcp(uri) => (uri, &["ws", "wss"]),
            Self::Http(uri) => (uri, &["http", "https"]),
        };
        let asked = async {
            let (host, port, secure) = target(uri, schemes)?;
            let tcp = dial(&host, port, unsent).await?;
            if matches!(self, Self::Tcp(_)) {
                return Ok(true);
            }
            #[cfg(feature = "rustls")]
            let mut wire = if secure {
                super::tls::handshake(tcp, &host, tls).await?
            } else {
                Wire::plain(tcp)
            };
            #[cfg(not(feature = "rustls"))]
            let mut wire = {
                if secure {
                    return Ok(false);
                }
                Wire::plain(tcp)
            };
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            let authority = uri.authority().map_or("", |authority| authority.as_str());
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
            wire.write_all(request.as_bytes()).await?;
            wire.flush().await?;
            // `HTTP/1.1 200`: the status is all that matters.
            let mut head = [0; 12];
            wire.read_exact(&mut head).await?;
            Ok::<bool, Failure>(head.starts_with(b"HTTP/1.") && head.get(9) == Some(&b'2'))
        };
        asked.await.unwrap_or(false)
    }
}
