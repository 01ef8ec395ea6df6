//! Messages, pings and closes as frames of a WebSocket.

use redial::Cause;
use tokio_tungstenite::WebSocketStream;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Bytes, Error, Message as Frame, Utf8Bytes};

use super::cause;
use super::message::Message;
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
        Ok(match message {
            Message::Text(text) => Frame::Text(text.clone()),
            Message::Binary(bytes) => Frame::Binary(bytes.clone()),
        })
    }

    fn decode(&mut self, frame: Frame) -> Decoded<Message> {
        match frame {
            Frame::Text(text) => Decoded::Data(Message::Text(text)),
            Frame::Binary(bytes) => Decoded::Data(Message::Binary(bytes)),
            Frame::Ping(_) => Decoded::Ping,
            Frame::Pong(payload) => Decoded::Pong(nonce(&payload)),
            Frame::Close(None) => Decoded::Close(Cause::Close(1005).into()),
            Frame::Close(Some(frame)) => Decoded::Close(Cause::Close(frame.code.into()).into()),
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
        cause::of_stream(&error)
    }

    fn written(&self, transport: &WebSocketTransport) -> Option<u64> {
        Some(transport.get_ref().written())
    }

    fn received(&self, transport: &WebSocketTransport) -> Option<u64> {
        Some(transport.get_ref().received())
    }
}

/// The nonce of a pong to a ping of ours. An empty pong carries none; a foreign one carries
/// one that no ping has.
fn nonce(payload: &[u8]) -> Option<u64> {
    if payload.is_empty() {
        return None;
    }
    Some(payload.try_into().map_or(u64::MAX, u64::from_be_bytes))
}
