//! TLS for a server: a certificate made at start, known to nobody but the test.

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};
use std::io;
use std::sync::Arc;

/// A server's side of TLS.
#[derive(Debug)]
pub(crate) struct Security {
    config: Arc<ServerConfig>,
    certificate: Vec<u8>,
}

impl Security {
    pub(crate) fn new() -> io::Result<Self> {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        let certificate = made.cert.der().to_vec();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .map_err(io::Error::other)?;
        Ok(Self {
            config: Arc::new(config),
            certificate,
        })
    }

    /// The state of a connection that was just accepted.
    pub(crate) fn accept(&self) -> io::Result<ServerConnection> {
        ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)
    }

    /// The DER of the certificate.
    pub(crate) fn certificate(&self) -> &[u8] {
        &self.certificate
    }
}
