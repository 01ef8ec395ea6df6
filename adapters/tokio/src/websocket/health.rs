//! Is the server there? A TCP connect, or a health address that answers with 2xx.

#[cfg(feature = "rustls")]
use std::sync::Arc;

use redial_adapter::Target;
use redial_adapter::health::{ANSWER, is_healthy, request};
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
            wire.write_all(&request(target)).await?;
            wire.flush().await?;
            let mut answer = [0; ANSWER];
            wire.read_exact(&mut answer).await?;
            Ok::<bool, Failure>(is_healthy(&answer))
        };
        asked.await.unwrap_or(false)
    }
}
