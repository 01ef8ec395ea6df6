//! What the tests of this crate share: clients with deadlines, on plain sockets.

#![expect(dead_code, reason = "each test binary uses its own part")]

use redial_faults::Proxy;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

/// Longer than anything that is expected to happen takes.
pub(crate) const SOON: Duration = Duration::from_secs(5);
/// How long nothing is watched to happen.
pub(crate) const QUIET: Duration = Duration::from_millis(60);

pub(crate) type Client = WebSocket<TcpStream>;

/// A TCP connection whose reads and writes have a deadline.
pub(crate) fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, SOON).expect("connects");
    stream.set_read_timeout(Some(SOON)).expect("sets");
    stream.set_write_timeout(Some(SOON)).expect("sets");
    stream.set_nodelay(true).expect("sets");
    stream
}

/// A WebSocket, or why the handshake failed.
pub(crate) fn dial(
    address: SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<Client, Error> {
    let mut request = format!("ws://{address}{path}")
        .into_client_request()
        .expect("is a URL");
    for (name, value) in headers {
        request
            .headers_mut()
            .insert(*name, value.parse().expect("is a header"));
    }
    match tungstenite::client(request, tcp(address)) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(error)) => Err(error),
        Err(HandshakeError::Interrupted(_)) => panic!("the socket blocks"),
    }
}

/// A WebSocket that is expected to open.
pub(crate) fn open(address: SocketAddr) -> Client {
    dial(address, "/", &[]).expect("opens")
}

/// The next message that is not a ping or pong.
pub(crate) fn next(client: &mut Client) -> Message {
    loop {
        match client.read().expect("reads") {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return message,
        }
    }
}

/// A connection through the proxy and its other end.
pub(crate) fn through(proxy: &Proxy, upstream: &TcpListener) -> (TcpStream, TcpStream) {
    let client = tcp(proxy.addr());
    let (server, _) = upstream.accept().expect("accepts");
    server.set_read_timeout(Some(SOON)).expect("sets");
    (client, server)
}

/// Nothing arrives for a while, not even an end.
pub(crate) fn assert_silent(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(QUIET)).expect("sets");
    let read = stream.read(&mut [0; 64]).map_err(|error| error.kind());
    assert!(
        matches!(
            read,
            Err(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
        ),
        "{read:?}"
    );
    stream.set_read_timeout(Some(SOON)).expect("sets");
}

/// Exactly these bytes arrive next.
pub(crate) fn assert_reads(stream: &mut TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).expect("reads");
    assert_eq!(bytes, expected);
}

/// The stream ends by a FIN, with nothing before it.
pub(crate) fn assert_fin(stream: &mut TcpStream) {
    assert_eq!(
        stream.read(&mut [0; 64]).map_err(|error| error.kind()),
        Ok(0)
    );
}

/// The stream ends by an RST, with nothing before it.
pub(crate) fn assert_rst(stream: &mut TcpStream) {
    let read = stream.read(&mut [0; 64]).map_err(|error| error.kind());
    assert_eq!(read, Err(io::ErrorKind::ConnectionReset));
}
