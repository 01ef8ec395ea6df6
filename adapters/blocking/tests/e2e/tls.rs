//! wss.
#![cfg(feature = "rustls")]

use std::sync::Arc;

use redial_blocking::redial::{Cause, cause::SocketError};
use redial_blocking::rustls::pki_types::CertificateDer;
use redial_blocking::rustls::{ClientConfig, RootCertStore, crypto};
use redial_faults::{Behaviour, Mode, Proxy, Server};

use crate::common::{SOON, builder, connected, ended_by, link, ms, pulse, quick};

pub(crate) fn trusting(server: &Server) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from(server.certificate().unwrap().to_vec());
    roots.add(certificate).unwrap();
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[test]
fn messages_flow_behind_tls() {
    let server = Server::start_tls(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let url = format!("wss://127.0.0.1:{}/", proxy.addr().port());
    let config = quick()
        .heartbeat(pulse(200, 300))
        .connect_deadline(SOON)
        .patience(SOON);
    let (handle, incoming) = builder(&url, config)
        .tls(trusting(&server))
        .spawn()
        .unwrap();
    connected(&handle);
    let large = vec![3; 1 << 20];
    handle.try_send(large.clone()).unwrap();
    assert_eq!(incoming.recv_timeout(SOON).unwrap().as_bytes(), large);
    for number in 0..1000 {
        handle.send(format!("{number}")).unwrap();
        if number % 100 == 99 {
            for _ in 0..100 {
                incoming.recv_timeout(SOON).unwrap();
            }
        }
    }
    assert_eq!(
        (server.ledger().missing(0..1000), server.ledger().late()),
        (0, 0)
    );
    assert!(server.wait_pings(2, SOON));
    proxy.set(Mode::BlackHole);
    ended_by(&handle, Cause::PongTimeout);
    proxy.set(Mode::Pass);
    handle.reconnect();
    connected(&handle);
    server.close_all(1001, "");
    ended_by(&handle, Cause::Close(1001));
    connected(&handle);
    server.drop_all();
    ended_by(&handle, Cause::Lost);
}

#[test]
fn a_stalled_line_behind_tls_is_no_reason_not_to_read() {
    let server = Server::start_tls(Behaviour::Ignore).unwrap();
    let (handle, _incoming) = builder(&server.url(), quick().connect_deadline(SOON).patience(SOON))
        .tls(trusting(&server))
        .unsent_limit(4096)
        .spawn()
        .unwrap();
    connected(&handle);
    let sender = handle.clone();
    let thread = std::thread::spawn(
        move || {
            while sender.send_timeout(vec![1; 10_000], ms(200)).is_ok() {}
        },
    );
    // Frozen: nothing is read there, and the heartbeat says so.
    ended_by(&handle, Cause::PongTimeout);
    handle.disconnect();
    thread.join().unwrap();
}

#[test]
fn a_certificate_that_nobody_vouches_for() {
    let server = Server::start_tls(Behaviour::Echo).unwrap();
    let (handle, _incoming) = link(&server.url(), quick().connect_deadline(SOON).patience(SOON));
    ended_by(&handle, Cause::Socket(SocketError::Tls));
    println!("{:?}", handle.last_error());
    assert!(handle.last_error().unwrap().contains("certificate"));
}

#[test]
fn a_server_without_tls() {
    let server = Server::start(Behaviour::Garbage(b"hello\r\n".to_vec())).unwrap();
    let url = format!("wss://127.0.0.1:{}/", server.addr().port());
    let (handle, _incoming) = link(&url, quick());
    let ended = |s: &redial_blocking::redial::Status| s.last_cause.is_some();
    let status = handle.wait(ended, SOON).unwrap();
    println!("{:?} {:?}", status.last_cause, handle.last_error());
}
