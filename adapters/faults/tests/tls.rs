//! The server behind TLS, seen by a client that trusts its certificate, and by one that doesn't.

#![cfg(feature = "tls")]

mod common;

use redial_faults::{Behaviour, Server};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::net::TcpStream;
use std::sync::Arc;
use tungstenite::{Message, WebSocket};

type Secure = WebSocket<StreamOwned<ClientConnection, TcpStream>>;

fn dial(server: &Server, name: &'static str, trusted: Option<&[u8]>) -> Option<Secure> {
    let mut roots = RootCertStore::empty();
    if let Some(der) = trusted {
        roots.add(CertificateDer::from(der.to_vec())).unwrap();
    }
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let name = ServerName::try_from(name).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = StreamOwned::new(connection, common::tcp(server.addr()));
    tungstenite::client(server.url(), stream)
        .ok()
        .map(|(socket, _)| socket)
}

#[test]
fn echoes_to_those_who_trust_it() {
    let server = Server::start_tls(Behaviour::Echo).unwrap();
    assert!(server.url().starts_with("wss://127.0.0.1:"));
    let certificate = server.certificate();
    for name in ["localhost", "127.0.0.1"] {
        let mut client = dial(&server, name, certificate).expect("opens");
        for payload in [vec![1], vec![2; 1 << 20]] {
            client.send(Message::binary(payload.clone())).unwrap();
            assert_eq!(client.read().unwrap(), Message::binary(payload));
        }
    }
    assert!(dial(&server, "example.com", certificate).is_none());
    assert!(dial(&server, "localhost", None).is_none());
    assert_eq!((server.dials(), server.handshakes()), (4, 2));
    let mut client = dial(&server, "localhost", certificate).expect("opens");
    server.close_all(1001, "");
    let Message::Close(Some(frame)) = client.read().unwrap() else {
        panic!("no close frame")
    };
    assert_eq!(u16::from(frame.code), 1001);
    let mut client = dial(&server, "localhost", certificate).expect("opens");
    server.drop_all();
    // A cut behind TLS: no close frame, and no farewell of TLS either.
    common::assert_fin(&mut client.get_mut().sock);
}
