//! TLS by rustls, with ring.

use std::sync::{Arc, OnceLock};

use redial::Cause;
use redial::cause::SocketError;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::connector::{Failure, cause_of_io};
use crate::net::Wire;

/// Does the handshake of TLS on an open connection.
pub(super) async fn handshake(
    tcp: TcpStream,
    host: &str,
    config: Option<Arc<ClientConfig>>,
) -> Result<Wire, Failure> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned())
        .map_err(|error| Failure::new(Cause::Socket(SocketError::Tls), error.to_string()))?;
    let config = config.map_or_else(by_default, Ok)?;
    match TlsConnector::from(config).connect(name, tcp).await {
        Ok(stream) => Ok(Wire::tls(stream)),
        Err(error) => {
            let tls = error
                .get_ref()
                .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>);
            let cause = if tls {
                Cause::Socket(SocketError::Tls)
            } else {
                cause_of_io(&error)
            };
            Err(Failure::new(cause, error.to_string()))
        }
    }
}

/// Mozilla's roots, compiled in, so that every machine trusts the same servers.
fn by_default() -> Result<Arc<ClientConfig>, Failure> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(Cause::Socket(SocketError::Tls), error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(config))))
}
