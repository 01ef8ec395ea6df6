//! TLS by rustls, with ring.

use std::sync::Arc;

use redial_adapter::tls::{failed, server_name, usual};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;

use crate::connector::Failure;
use crate::net::Wire;

/// Does the handshake of TLS on an open connection.
pub(super) async fn handshake(
    tcp: TcpStream,
    host: &str,
    config: Option<Arc<ClientConfig>>,
) -> Result<Wire, Failure> {
    let name = server_name(host)?;
    let config = config.map_or_else(|| usual().map_err(failed), Ok)?;
    let stream = TlsConnector::from(config).connect(name, tcp).await?;
    Ok(Wire::tls(stream))
}
