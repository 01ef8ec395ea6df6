//! WebSocket behind TLS.

use std::sync::Arc;

use redial::cause::SocketError;
use redial::config::Preflight;
use redial::{Cause, Phase};
use redial_faults::{Behaviour, Server};
use redial_tokio::{redial, websocket};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::{caused, link, next, quick, reach, until};

fn trusting(certificate: &[u8]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.to_vec().into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn talks_over_tls_and_survives_a_reset() {
    let server = Server::start_tls(Behaviour::Echo).unwrap();
    let config = quick().build().unwrap();
    let (handle, mut incoming) = websocket(server.url())
        .unwrap()
        .config(config)
        .tls(trusting(server.certificate().unwrap()))
        .seed(1)
        .spawn();
    for round in 0..3 {
        for number in 0..300 {
            let text = format!("{number} {}", "x".repeat(number * 10));
            handle.send(text.into()).await.unwrap();
        }
        for number in 0..300 {
            let message = next(&mut incoming).await;
            assert!(
                message
                    .as_text()
                    .unwrap()
                    .starts_with(&format!("{number} "))
            );
        }
        assert_eq!(handle.stats().connected, round + 1);
        let before = handle.status().epoch;
        server.reset_all();
        until(&handle, "connected anew", |s| {
            s.phase == Phase::Connected && s.epoch != before
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_certificate_is_a_tls_failure() {
    let server = Server::start_tls(Behaviour::Echo).unwrap();
    let (handle, _incoming) = link(&server.url(), quick());
    let status = reach(&handle, Phase::Failed).await;
    assert_eq!(status.last_cause, Some(Cause::Socket(SocketError::Tls)));
    assert_eq!(handle.stats().dials, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_health_url_behind_tls() {
    let server = Server::start_tls(Behaviour::Echo).unwrap();
    let config = quick().preflight(Some(Preflight::default()));
    let link = || {
        websocket(server.url())
            .unwrap()
            .config(config.clone().build().unwrap())
            .health_url(&format!("https://{}/health", server.addr()))
            .unwrap()
            .seed(1)
    };
    let certificate = server.certificate().unwrap();
    let (trusting, _a) = link().tls(trusting(certificate)).spawn();
    reach(&trusting, Phase::Connected).await;
    assert_eq!(server.requests()[0].path, "/health");
    let (wary, _b) = link().spawn();
    caused(&wary, Cause::Preflight).await;
    assert_eq!(wary.stats().dials, 0);
}
