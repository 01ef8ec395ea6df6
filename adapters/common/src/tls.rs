//! TLS by rustls, with ring: whom to trust, and the name of whom.

use std::sync::{Arc, OnceLock};

use redial::Cause;
use redial::cause::SocketError;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use crate::failure::Failure;

/// Mozilla's roots, compiled in, so that every machine trusts the same servers; TLS 1.2 and 1.3.
///
/// It is made once and shared, sessions to resume included.
///
/// # Errors
///
/// If the provider of cryptography lacks what these versions need.
pub fn usual() -> Result<Arc<ClientConfig>, rustls::Error> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(config))))
}

/// The name that a server must prove to have: a name or an address without brackets.
///
/// # Errors
///
/// [`SocketError::Tls`] if no certificate can have it.
pub fn server_name(host: &str) -> Result<ServerName<'static>, Failure> {
    ServerName::try_from(host.to_owned()).map_err(failed)
}

/// A failure of TLS itself, in its words.
pub fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Cause::Socket(SocketError::Tls), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_can_be_proven() {
        assert!(server_name("example.org").is_ok());
        assert!(server_name("::1").is_ok());
        let failure = server_name("a b").unwrap_err();
        assert_eq!(failure.closure.cause, Cause::Socket(SocketError::Tls));
    }

    #[test]
    fn the_usual_trust_is_made_once() {
        assert!(Arc::ptr_eq(&usual().unwrap(), &usual().unwrap()));
    }
}
