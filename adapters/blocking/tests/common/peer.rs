//! A server that does what a test says, frame by frame: framed TCP with the frames of a session.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use redial_adapter::framed::{DATA_AT, Kind, Parsed, control, data, parse};
use redial_blocking::redial::session::{ServerId, SessionId, Welcome};
use redial_blocking::redial::wire::{Body, Frame};

use super::SOON;

pub(crate) struct Peer {
    listener: TcpListener,
}

/// One connection.
pub(crate) struct Line {
    stream: TcpStream,
    input: Vec<u8>,
}

/// A welcome in a session of this name, on the server's run of that name.
pub(crate) const fn welcome(session: u8, server: u8) -> Welcome {
    Welcome {
        session: SessionId::new([session; 16]),
        server: ServerId::new([server; 16]),
        resumed: false,
        last_seen: 0,
        intents: 0,
        first: 1,
    }
}

/// The same session goes on; the peer has seen so much.
pub(crate) const fn resumed(session: u8, server: u8, last_seen: u64, intents: u64) -> Welcome {
    Welcome {
        resumed: true,
        last_seen,
        intents,
        ..welcome(session, server)
    }
}

pub(crate) const fn message(sequence: u64, text: &str) -> Frame<'_> {
    Frame::Data {
        sequence,
        resent: false,
        body: Body::Text(text),
    }
}

impl Peer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub(crate) fn accept(&self) -> Line {
        let deadline = Instant::now() + SOON;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    stream.set_read_timeout(Some(SOON)).unwrap();
                    let input = Vec::new();
                    return Line { stream, input };
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            assert!(Instant::now() < deadline, "nobody dials");
            std::thread::yield_now();
        }
    }

    /// Accepts, hears the hello, and answers it.
    pub(crate) fn meet(&self, hello: &str, welcome: Welcome) -> Line {
        let mut line = self.accept();
        assert_eq!(line.hear(), hello);
        line.say(&Frame::Welcome(welcome));
        line
    }
}

impl Line {
    /// Says a frame of the session.
    pub(crate) fn say(&mut self, frame: &Frame<'_>) {
        self.write(&frame.to_vec());
    }

    /// Says frames at once: the link may end the connection in the middle of them.
    pub(crate) fn burst(&mut self, frames: &[Frame<'_>]) {
        let frames: Vec<_> = frames.iter().map(Frame::to_vec).collect();
        self.write_all(frames.iter().map(Vec::as_slice));
    }

    pub(crate) fn message(&mut self, sequence: u64, text: &str) {
        self.say(&message(sequence, text));
    }

    pub(crate) fn ack(&mut self, sequence: u64, intents: u64) {
        self.say(&Frame::Ack { sequence, intents });
    }

    /// Writes a message of the transport.
    pub(crate) fn write(&mut self, message: &[u8]) {
        self.write_all([message].into_iter());
    }

    /// Writes messages of the transport at once.
    pub(crate) fn write_all<'a>(&mut self, messages: impl Iterator<Item = &'a [u8]>) {
        let mut bytes = Vec::new();
        for message in messages {
            bytes.extend_from_slice(&data(message.len()).unwrap());
            bytes.extend_from_slice(message);
        }
        self.stream.write_all(&bytes).unwrap();
    }

    /// Writes a ping of the transport.
    pub(crate) fn ping(&mut self, nonce: u64) {
        self.stream.write_all(&control(Kind::Ping(nonce))).unwrap();
    }

    /// The next frame in short: `1 text` for a message, `- text` at most once, `!` before what is
    /// resent, `*1 text` for an intent, `[.., ..]` for a batch; `ping`, `pong` and `close` are the
    /// transport's.
    pub(crate) fn hear(&mut self) -> String {
        match self.read() {
            (Kind::Data, message) => short(&Frame::parse(&message).unwrap()),
            (Kind::Ping(_), _) => "ping".to_owned(),
            (Kind::Pong(nonce), _) => format!("pong {nonce}"),
            (Kind::Close, _) => "close".to_owned(),
        }
    }

    /// The same where frames are text.
    pub(crate) fn hear_text(&mut self) -> String {
        let (kind, message) = self.read();
        assert_eq!(kind, Kind::Data);
        String::from_utf8(message).unwrap()
    }

    fn read(&mut self) -> (Kind, Vec<u8>) {
        loop {
            if let Parsed::Whole(kind, length) = parse(&self.input, 1 << 20).unwrap() {
                let frame: Vec<u8> = self.input.drain(..length).collect();
                return (kind, frame.get(DATA_AT..).unwrap_or_default().to_vec());
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).unwrap();
            assert!(count > 0, "the connection has ended");
            self.input.extend_from_slice(&bytes[..count]);
        }
    }

    /// Reads and writes go through this, with no more than so long for each.
    pub(crate) fn stream(&self, within: Duration) -> &TcpStream {
        self.stream.set_write_timeout(Some(within)).unwrap();
        self.stream.set_read_timeout(Some(within)).unwrap();
        &self.stream
    }

    /// Whether nothing but an end is left to hear.
    pub(crate) fn is_over(&mut self) -> bool {
        self.input.is_empty() && self.stream.read(&mut [0]).is_ok_and(|count| count == 0)
    }
}

fn short(frame: &Frame<'_>) -> String {
    match frame {
        Frame::Hello(hello) => {
            let session = hello.session.map(|session| session.bytes()[0]);
            let session = session.map_or_else(|| "new".to_owned(), |session| session.to_string());
            format!(
                "hello {session} seen {} first {}",
                hello.last_seen, hello.first
            )
        }
        Frame::Data {
            sequence,
            resent,
            body,
        } => {
            let place = match sequence {
                0 => "-".to_owned(),
                sequence => sequence.to_string(),
            };
            let resent = if *resent { "!" } else { "" };
            format!("{resent}{place} {}", text(body))
        }
        Frame::Intent { number, body } => format!("*{number} {}", text(body)),
        Frame::Ack { sequence, intents } => format!("ack {sequence} {intents}"),
        Frame::Batch(batch) => {
            let frames: Vec<_> = batch.frames().map(|frame| short(&frame)).collect();
            format!("[{}]", frames.join(", "))
        }
        other => format!("{other:?}"),
    }
}

fn text(body: &Body<'_>) -> String {
    String::from_utf8(body.bytes().to_vec()).unwrap()
}
