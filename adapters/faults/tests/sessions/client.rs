//! A client that says what a test tells it to, frame by frame.

use crate::common::{self, SOON};
use redial::session::{Hello, SessionId, Welcome};
use redial::wire::{Body, Frame};
use redial_faults::sessions::{Client as Seen, Got, SessionServer};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tungstenite::{Error, Message};

/// A WebSocket that has said nothing yet, or a session's.
pub(crate) struct Client(pub(crate) common::Client);

/// A frame with a payload, as a test compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Data(u64, String),
    Ack(u64, u64),
    Pong(u64),
}

/// The hello of a new client.
pub(crate) const NEW: Hello = Hello {
    session: None,
    last_seen: 0,
    first: 1,
    connection: 1,
};

/// Each connection is a later one than all before it.
pub(crate) fn next_connection() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(1);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

pub(crate) fn resume(session: SessionId, last_seen: u64, first: u64) -> Hello {
    Hello {
        session: Some(session),
        last_seen,
        first,
        connection: next_connection(),
    }
}

impl Client {
    pub(crate) fn dial(address: SocketAddr) -> Self {
        Self(common::open(address))
    }

    /// Dials a server that is about to come up again, until it does.
    pub(crate) fn dial_again(address: SocketAddr) -> Self {
        let deadline = Instant::now() + SOON;
        loop {
            let socket = TcpStream::connect_timeout(&address, SOON).and_then(|stream| {
                stream.set_read_timeout(Some(SOON))?;
                tungstenite::client(format!("ws://{address}/"), stream)
                    .map_err(|error| io::Error::other(error.to_string()))
            });
            match socket {
                Ok((socket, _)) => return Self(socket),
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        }
    }

    /// Dials and says hello.
    pub(crate) fn hello(server: &SessionServer, hello: Hello) -> (Self, Welcome) {
        let mut client = Self::dial(server.addr());
        client.say(&Frame::Hello(hello));
        let bytes = client.bytes();
        let Ok(Frame::Welcome(welcome)) = Frame::parse(&bytes) else {
            panic!("{bytes:?}");
        };
        (client, welcome)
    }

    pub(crate) fn say(&mut self, frame: &Frame<'_>) {
        self.0.send(Message::binary(frame.to_vec())).expect("sends");
    }

    pub(crate) fn data(&mut self, sequence: u64, text: &str) {
        self.say(&data(sequence, text));
    }

    pub(crate) fn ack(&mut self, sequence: u64) {
        self.say(&Frame::Ack {
            sequence,
            intents: 0,
        });
    }

    /// The next frame as it is.
    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        match common::next(&mut self.0) {
            Message::Binary(bytes) => bytes.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn heard(&mut self) -> Heard {
        let bytes = self.bytes();
        match Frame::parse(&bytes).expect("is a frame") {
            Frame::Data { sequence, body, .. } => {
                Heard::Data(sequence, String::from_utf8_lossy(body.bytes()).into_owned())
            }
            Frame::Ack { sequence, intents } => Heard::Ack(sequence, intents),
            Frame::Pong { nonce } => Heard::Pong(nonce),
            other => panic!("{other:?}"),
        }
    }

    /// The server closes with this code.
    pub(crate) fn assert_closed(&mut self, code: u16) {
        let Message::Close(Some(frame)) = common::next(&mut self.0) else {
            panic!("no close");
        };
        assert_eq!(u16::from(frame.code), code);
    }

    /// The connection is gone, without a close frame.
    pub(crate) fn assert_cut(&mut self) {
        loop {
            match self.0.read() {
                Ok(Message::Close(frame)) => panic!("{frame:?}"),
                Ok(_) => {}
                Err(error) => {
                    assert!(
                        !matches!(error, Error::Io(ref io) if io.kind() == std::io::ErrorKind::WouldBlock),
                        "{error}"
                    );
                    return;
                }
            }
        }
    }
}

pub(crate) fn data(sequence: u64, text: &str) -> Frame<'_> {
    Frame::Data {
        sequence,
        resent: false,
        body: Body::Text(text),
    }
}

pub(crate) fn message(sequence: u64, text: &str) -> Got {
    Got::Message {
        sequence: (sequence > 0).then_some(sequence),
        resent: false,
        content: text.into(),
    }
}

pub(crate) fn seen(server: &SessionServer, session: SessionId) -> Seen {
    server.client(session).expect("is known")
}

/// The texts of all messages, in order.
pub(crate) fn texts(server: &SessionServer) -> Vec<String> {
    let received = server.received().into_iter();
    received
        .map(|b| String::from_utf8(b).expect("is text"))
        .collect()
}

pub(crate) fn wait_received(server: &SessionServer, n: u64) {
    assert!(server.wait_received(n, SOON), "{:?}", server.received());
}
