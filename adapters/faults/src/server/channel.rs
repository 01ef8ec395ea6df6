//! Messages on a stream, in one of two framings.

use super::Framing;
use super::stream::Stream;
use crate::behaviour::Frame;
use std::io::{self, Read, Write};
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame as WireFrame};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Bytes, Error, Message, WebSocket};

/// How much is read at once. The library clears its buffer before each read, so more costs more.
const READ: usize = 32 * 1024;
/// The longest message that is taken.
const LONGEST: usize = 64 << 20;

/// A connection on which messages flow.
pub(crate) enum Channel {
    WebSocket(Box<WebSocket<Stream>>),
    Framed(Box<Framed>),
}

/// Why there is no message, or no room for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Not now; the socket will say when.
    Blocked,
    /// The closing handshake is done.
    Closed,
    /// The peer ended, or broke the protocol or the connection.
    Broken,
}

impl Channel {
    /// Begins with `tail`, the bytes that came after the request.
    pub(crate) fn new(framing: Framing, stream: Stream, tail: Vec<u8>) -> Self {
        match framing {
            Framing::WebSocket => {
                let config = Some(Self::config());
                let socket = WebSocket::from_partially_read(stream, tail, Role::Server, config);
                Self::WebSocket(Box::new(socket))
            }
            Framing::LengthPrefix => Self::framed(stream, tail),
        }
    }

    /// Frames with their length before them, beginning with `tail`.
    pub(crate) fn framed(stream: Stream, tail: Vec<u8>) -> Self {
        Self::Framed(Box::new(Framed {
            stream,
            input: tail,
            start: 0,
            closed: false,
            output: Vec::new(),
        }))
    }

    /// How a WebSocket is read.
    pub(crate) fn config() -> WebSocketConfig {
        WebSocketConfig::default().read_buffer_size(READ)
    }

    /// Takes the next message.
    pub(crate) fn read(&mut self) -> Result<Message, Stop> {
        match self {
            Self::WebSocket(socket) => socket.read().map_err(stop),
            Self::Framed(framed) => framed.read(),
        }
    }

    /// Puts a message behind those that wait to be written; [`Stop::Blocked`] means that it waits.
    pub(crate) fn write(&mut self, message: Message) -> Result<(), Stop> {
        match self {
            Self::WebSocket(socket) => socket.write(message).map_err(stop),
            Self::Framed(framed) => match &message {
                Message::Text(text) => framed.write(tag::DATA, text.as_bytes()),
                Message::Binary(bytes) => framed.write(tag::DATA, bytes),
                // A nonce has 8 bytes here, whatever there was.
                Message::Ping(_) => framed.write(tag::PING, &[0; 8]),
                Message::Pong(_) => framed.write(tag::PONG, &[0; 8]),
                _ => Ok(()),
            }
            .map_err(|e| broken(&e)),
        }
    }

    /// Writes all that waits.
    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        match self {
            Self::WebSocket(socket) => socket.flush().map_err(stop),
            Self::Framed(framed) => framed.flush().map_err(|e| broken(&e)),
        }
    }

    /// Sends a close frame; false where no answer to it comes, and a FIN is to follow at once.
    pub(crate) fn close(&mut self, code: u16, reason: String) -> bool {
        let socket = match self {
            Self::WebSocket(socket) => socket,
            Self::Framed(framed) => {
                // An error shows again on the next flush.
                let _ = framed.write(tag::CLOSE, &[]);
                let _ = framed.flush();
                return false;
            }
        };
        let frame = (code != 1005).then(|| CloseFrame {
            code: code.into(),
            reason: reason.into(),
        });
        // An error shows again on the next read.
        let _ = socket.close(frame);
        true
    }

    pub(crate) fn stream(&self) -> &Stream {
        match self {
            Self::WebSocket(socket) => socket.get_ref(),
            Self::Framed(framed) => &framed.stream,
        }
    }

    pub(crate) fn into_stream(self) -> Stream {
        match self {
            Self::WebSocket(socket) => socket.into_inner(),
            Self::Framed(framed) => framed.stream,
        }
    }
}

/// The bytes of what is sent on opening.
pub(super) fn encode(framing: Framing, frames: &[Frame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        let (payload, kind) = match frame {
            Frame::Text(text) => (text.as_bytes(), Data::Text),
            Frame::Binary(payload) => (payload.as_slice(), Data::Binary),
            Frame::Raw(raw) => {
                bytes.extend_from_slice(raw);
                continue;
            }
        };
        match framing {
            Framing::LengthPrefix => prefix(&mut bytes, tag::DATA, payload),
            Framing::WebSocket => {
                let payload = Bytes::copy_from_slice(payload);
                let frame = WireFrame::message(payload, OpCode::Data(kind), true);
                // Writing to memory does not fail.
                let _ = frame.format(&mut bytes);
            }
        }
    }
    bytes
}

/// The byte that follows the length and says what a frame is.
mod tag {
    pub(super) const DATA: u8 = 0;
    pub(super) const PING: u8 = 1;
    pub(super) const PONG: u8 = 2;
    pub(super) const CLOSE: u8 = 3;
}

/// Frames with their length before them.
pub(crate) struct Framed {
    stream: Stream,
    input: Vec<u8>,
    // What lies before it in `input` has been taken.
    start: usize,
    // The peer's close frame was taken; a FIN answers it.
    closed: bool,
    output: Vec<u8>,
}

impl Framed {
    /// Takes the next frame, as the message that it would be on a WebSocket. Pings are answered.
    fn read(&mut self) -> Result<Message, Stop> {
        if self.closed {
            return Err(Stop::Closed);
        }
        let frame = self.frame().map_err(|error| broken(&error))?;
        let Some((&tag, body)) = frame.split_first() else {
            return Err(Stop::Broken);
        };
        Ok(match tag {
            tag::DATA => Message::Binary(frame.slice(1..)),
            tag::PING => {
                let _ = self.write(tag::PONG, body);
                Message::Ping(frame.slice(1..))
            }
            tag::PONG => Message::Pong(frame.slice(1..)),
            tag::CLOSE => {
                self.closed = true;
                Message::Close(None)
            }
            _ => return Err(Stop::Broken),
        })
    }

    fn frame(&mut self) -> io::Result<Bytes> {
        loop {
            let have = &self.input[self.start..];
            if let Some((head, rest)) = have.split_first_chunk::<4>() {
                let length = u32::from_be_bytes(*head) as usize;
                if length > LONGEST {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                if let Some(frame) = rest.get(..length) {
                    let frame = Bytes::copy_from_slice(frame);
                    self.start += 4 + length;
                    return Ok(frame);
                }
            }
            self.input.drain(..self.start);
            self.start = 0;
            let filled = self.input.len();
            self.input.resize(filled + READ, 0);
            let count = self.stream.read(&mut self.input[filled..]);
            self.input
                .truncate(filled + count.as_ref().copied().unwrap_or(0));
            if count? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn write(&mut self, tag: u8, body: &[u8]) -> io::Result<()> {
        prefix(&mut self.output, tag, body);
        if self.output.len() >= crate::net::CHUNK {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            let count = self.stream.write(&self.output)?;
            self.output.drain(..count);
        }
        self.stream.flush()
    }
}

fn prefix(bytes: &mut Vec<u8>, tag: u8, body: &[u8]) {
    let length = u32::try_from(body.len() + 1).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.push(tag);
    bytes.extend_from_slice(body);
}

fn stop(error: Error) -> Stop {
    match error {
        Error::Io(error) => broken(&error),
        Error::ConnectionClosed | Error::AlreadyClosed => Stop::Closed,
        // A write after the closing handshake began is not the peer's fault.
        Error::Protocol(tungstenite::error::ProtocolError::SendAfterClosing) => Stop::Blocked,
        _ => Stop::Broken,
    }
}

fn broken(error: &io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Stop::Blocked,
        _ => Stop::Broken,
    }
}
