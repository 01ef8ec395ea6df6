//! Messages, pings and closes as frames of a WebSocket.

use redial::Cause;
use redial_adapter::Message;
use redial_adapter::tungstenite::protocol::CloseFrame;
use redial_adapter::tungstenite::protocol::frame::coding::CloseCode;
use redial_adapter::tungstenite::{Bytes, Error, Message as Frame, Utf8Bytes};
use redial_adapter::websocket::{cause_of_close, cause_of_stream, nonce_of_pong};
use tokio_tungstenite::WebSocketStream;

use crate::codec::{Codec, Decoded, TooBig};
use crate::net::Wire;

/// The codec of WebSocket connections.
#[derive(Clone, Debug)]
pub struct WebSocketCodec {
    pub(super) longest: usize,
}

/// An open WebSocket connection.
pub type WebSocketTransport = WebSocketStream<Wire>;

impl Codec for WebSocketCodec {
    type Message = Message;
    type Frame = Frame;
    type Item = Frame;
    type Error = Error;
    type Transport = WebSocketTransport;

    fn encode(&mut self, message: &Message) -> Result<Frame, TooBig> {
        if message.len() > self.longest {
            return Err(TooBig);
        }
        Ok(message.clone().into())
    }

    fn decode(&mut self, frame: Frame) -> Decoded<Message> {
        match frame {
            Frame::Text(text) => Decoded::Data(Message::Text(text)),
            Frame::Binary(bytes) => Decoded::Data(Message::Binary(bytes)),
            Frame::Ping(_) => Decoded::Ping,
            Frame::Pong(payload) => Decoded::Pong(nonce_of_pong(&payload)),
            Frame::Close(frame) => Decoded::Close(cause_of_close(frame.as_ref()).into()),
            Frame::Frame(_) => Decoded::Nothing,
        }
    }

    fn ping(&mut self, nonce: u64) -> Option<Frame> {
        Some(Frame::Ping(Bytes::copy_from_slice(&nonce.to_be_bytes())))
    }

    /// The library answers pings by itself.
    fn pong(&mut self) -> Option<Frame> {
        None
    }

    fn close(&mut self) -> Option<Frame> {
        Some(Frame::Close(Some(CloseFrame {
            code: CloseCode::Normal,
            reason: Utf8Bytes::from_static(""),
        })))
    }

    fn cause(&mut self, error: Error) -> Cause {
        cause_of_stream(&error)
    }

    fn written(&self, transport: &WebSocketTransport) -> Option<u64> {
        Some(transport.get_ref().written())
    }

    fn received(&self, transport: &WebSocketTransport) -> Option<u64> {
        Some(transport.get_ref().received())
    }
}
