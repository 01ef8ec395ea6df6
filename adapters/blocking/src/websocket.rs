//! WebSocket (RFC 6455) by `tungstenite`, without waiting.
//!
//! The library's own threshold for writing is put out of reach, so that a put only fills memory
//! and the link's lock is never held over a system call; [`Wire::flush`] does the writing.

use redial_adapter::Message;
use redial_adapter::tungstenite::handshake::client::ClientHandshake;
use redial_adapter::tungstenite::handshake::{HandshakeError, MidHandshake};
use redial_adapter::tungstenite::protocol::frame::coding::CloseCode;
use redial_adapter::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use redial_adapter::tungstenite::{self, Bytes, Error};
use redial_adapter::websocket::{
    Head, cause_of_close, cause_of_stream, failure_of_handshake, nonce_of_pong,
};

use crate::error::Ended;
use crate::request::Request;
use crate::stream::Stream;
use crate::wire::{Inbound, Sizes, Step, Wire};

/// How much is read at once.
const READ: usize = 32 << 10;
/// Room to write beside the greatest message: a chunk of smaller ones, and answers to pings.
const SPARE: usize = 1 << 20;

/// An open WebSocket.
pub(crate) struct WebSocket {
    socket: tungstenite::WebSocket<Stream>,
    outgoing: usize,
    pending: usize,
}

/// The upgrade under way.
pub(crate) struct Upgrade {
    middle: MidHandshake<ClientHandshake<Stream>>,
    sizes: Sizes,
    /// What the server has answered so far.
    head: Head,
    request: Request,
}

impl Wire for WebSocket {
    type Message = Message;
    type Handshake = Upgrade;
    const FRAMED: bool = false;

    fn begin(mut stream: Stream, request: &Request, sizes: Sizes) -> Step<Self> {
        let head = stream.keep_head();
        let config = config(sizes);
        let upgrade = match request.upgrade() {
            Ok(upgrade) => upgrade,
            Err(error) => return Step::Failed(Ended::credentials(error)),
        };
        match ClientHandshake::start(stream, upgrade, Some(config)) {
            Ok(middle) => Self::resume(Upgrade {
                middle,
                sizes,
                head,
                request: request.clone(),
            }),
            Err(error) => failed(&error, &[], request),
        }
    }

    fn resume(upgrade: Upgrade) -> Step<Self> {
        let Upgrade {
            middle,
            sizes,
            head,
            request,
        } = upgrade;
        match middle.handshake() {
            Ok((mut socket, _)) => {
                socket.get_mut().drop_head();
                Step::Open(Self {
                    socket,
                    outgoing: sizes.outgoing,
                    pending: 0,
                })
            }
            Err(HandshakeError::Interrupted(middle)) => Step::Blocked(Upgrade {
                middle,
                sizes,
                head,
                request,
            }),
            Err(HandshakeError::Failure(error)) => failed(&error, &head.bytes(), &request),
        }
    }

    fn next(&mut self) -> Result<Option<Inbound<Message>>, Ended> {
        use tungstenite::Message as Read;
        match self.socket.read() {
            Ok(Read::Text(text)) => Ok(Some(Inbound::Message(Message::Text(text)))),
            Ok(Read::Binary(bytes)) => Ok(Some(Inbound::Message(Message::Binary(bytes)))),
            Ok(Read::Ping(_)) => Ok(Some(Inbound::Ping)),
            Ok(Read::Pong(payload)) => Ok(Some(Inbound::Pong(nonce_of_pong(&payload)))),
            Ok(Read::Close(frame)) => {
                // The answer, if it was not we who began.
                let _ = self.socket.flush();
                self.stream().farewell();
                let cause = cause_of_close(frame.as_ref());
                let reason = frame.map(|frame| frame.reason).unwrap_or_default();
                let code = cause.code().unwrap_or_default();
                let detail = format!("close {code} {:?}", reason.as_str());
                Err(Ended::new(cause, detail))
            }
            // Raw frames are not given out by a read.
            Ok(Read::Frame(_)) => Ok(None),
            Err(error) => match blocked(error) {
                None => Ok(None),
                Some(error) => Err(ended(&error)),
            },
        }
    }

    fn put(&mut self, message: &Message) -> Result<bool, Ended> {
        let length = message.len();
        if length > self.outgoing {
            return Ok(false);
        }
        self.write(message.clone().into())?;
        // The longest header of a frame from a client has 14 bytes.
        self.pending += length + 14;
        Ok(true)
    }

    fn longest(&self) -> usize {
        self.outgoing
    }

    fn pending(&self) -> usize {
        self.pending
    }

    fn ping(&mut self, nonce: u64) -> Result<(), Ended> {
        let payload = Bytes::copy_from_slice(&nonce.to_be_bytes());
        self.write(tungstenite::Message::Ping(payload))
    }

    fn pong(&mut self) -> Result<(), Ended> {
        // The library has put it already.
        Ok(())
    }

    fn close(&mut self) -> Result<(), Ended> {
        let frame = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        match self.socket.close(Some(frame)).map_err(blocked) {
            Ok(()) | Err(None) => Ok(()),
            Err(Some(error)) => Err(ended(&error)),
        }
    }

    fn flush(&mut self) -> Result<bool, Ended> {
        match self.socket.flush().map_err(blocked) {
            Ok(()) => {
                self.pending = 0;
                Ok(true)
            }
            Err(None) => Ok(false),
            Err(Some(error)) => Err(ended(&error)),
        }
    }

    fn stream(&mut self) -> &mut Stream {
        self.socket.get_mut()
    }
}

/// The library's settings.
///
/// It answers pings by itself, into the same buffer: the buffer is bounded, as the peer may
/// ping without end and never read. The greatest message fits beside a chunk of others.
fn config(sizes: Sizes) -> WebSocketConfig {
    let room = sizes.outgoing.saturating_add(SPARE).min(usize::MAX / 2);
    WebSocketConfig::default()
        .read_buffer_size(READ)
        .write_buffer_size(room)
        .max_write_buffer_size(room.saturating_mul(2).saturating_add(1))
        .max_message_size(Some(sizes.incoming))
        .max_frame_size(Some(sizes.incoming))
}

impl WebSocket {
    fn write(&mut self, message: tungstenite::Message) -> Result<(), Ended> {
        // Where it blocks, the library has kept the message.
        match self.socket.write(message).map_err(blocked) {
            Ok(()) | Err(None) => Ok(()),
            Err(Some(error)) => Err(ended(&error)),
        }
    }
}

/// `None` for an error that only says: not now.
fn blocked(error: Error) -> Option<Error> {
    match error {
        Error::Io(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
        other => Some(other),
    }
}

/// The end of an open connection.
fn ended(error: &Error) -> Ended {
    Ended::new(cause_of_stream(error), error)
}

/// The end of a handshake.
fn failed(error: &Error, head: &[u8], request: &Request) -> Step<WebSocket> {
    let ended = failure_of_handshake(error, head);
    let next = match error {
        Error::Http(answer) => request.redirected(answer),
        _ => Ok(None),
    };
    match next {
        Ok(Some(next)) => Step::Redirect(Box::new(next), ended),
        Ok(None) => Step::Failed(ended),
        Err(why) => Step::Failed(Ended::new(ended.closure, why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redial_faults::PingFlood;
    use tungstenite::protocol::Role;

    #[test]
    fn pings_without_end_fill_no_memory() {
        let sizes = Sizes {
            outgoing: 1000,
            incoming: 1000,
        };
        let (flood, config) = (PingFlood::default(), Some(config(sizes)));
        let mut socket = tungstenite::WebSocket::from_raw_socket(flood, Role::Client, config);
        for _ in 0..50_000 {
            let read = socket.read();
            assert!(
                matches!(read, Ok(tungstenite::Message::Ping(_))),
                "{read:?}"
            );
        }
        // What the buffer holds by now leaves no room for a message: 131 bytes an answer.
        let full = socket.write(tungstenite::Message::Binary(vec![0; 1000].into()));
        assert!(matches!(full, Err(Error::WriteBufferFull(_))), "{full:?}");
    }

    #[test]
    fn the_greatest_message_fits() {
        for outgoing in [0, 1 << 20, usize::MAX] {
            let sizes = Sizes {
                outgoing,
                incoming: 1,
            };
            let config = config(sizes);
            assert!(config.max_write_buffer_size > config.write_buffer_size);
            assert!(outgoing == usize::MAX || config.max_write_buffer_size > outgoing + SPARE);
        }
    }
}
