//! Is the server there? A TCP connect, or a health address that answers with 2xx.

#[cfg(feature = "rustls")]
use std::sync::Arc;

use redial_adapter::Target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::connector::Failure;
use crate::net::{Wire, dial};

/// Where to ask.
#[derive(Clone, Debug)]
pub(super) enum Health {
    /// Whether something accepts connections there.
    Tcp(Target),
    /// Whether a GET is answered with a status of 200 to 299.
    Http(Target),
}

impl Health {
    /// Asks. Any failure is a no; the core has the deadline.
    pub(super) async fn ask(
        self,
        unsent: usize,
        #[cfg(feature = "rustls")] tls: Option<Arc<tokio_rustls::rustls::ClientConfig>>,
    ) -> bool {
        let (Self::Tcp(target) | Self::Http(target)) = &self;
        let asked = async {
            let tcp = dial(target.host(), target.port(), unsent).await?;
            if matches!(self, Self::Tcp(_)) {
                return Ok(true);
            }
            #[cfg(feature = "rustls")]
            let mut wire = if target.scheme().is_secure() {
                super::tls::handshake(tcp, target.host(), tls).await?
            } else {
                Wire::plain(tcp)
            };
            #[cfg(not(feature = "rustls"))]
            let mut wire = Wire::plain(tcp);
            let (path, authority) = (target.path(), target.authority());
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
