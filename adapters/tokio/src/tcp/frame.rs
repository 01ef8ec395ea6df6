//! The bytes of a frame.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use redial_adapter::framed::{self, DATA_AT, Kind, MOST, Parsed};
use tokio_util::codec::{Decoder, Encoder};

pub use redial_adapter::framed::FrameError;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message.
    Data(Bytes),
    /// A ping, with its nonce.
    Ping(u64),
    /// A pong, with the nonce of the ping.
    Pong(u64),
    /// The sender is about to end the connection.
    Close,
}

/// Frames from bytes and back. Encoding copies a payload once, into the write buffer.
#[derive(Clone, Debug)]
pub struct Framing {
    longest: usize,
}

impl Framing {
    /// With payloads of at most so many bytes.
    pub fn new(longest: usize) -> Self {
        Self {
            longest: longest.min(MOST),
        }
    }
}

impl Decoder for Framing {
    type Item = Frame;
    type Error = FrameError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let (kind, length) = match framed::parse(src, self.longest)? {
            Parsed::Whole(kind, length) => (kind, length),
            Parsed::Partial(needed) => {
                src.reserve(needed.saturating_sub(src.len()));
                return Ok(None);
            }
        };
        let mut whole = src.split_to(length);
        Ok(Some(match kind {
            Kind::Data => {
                whole.advance(DATA_AT);
                Frame::Data(whole.freeze())
            }
            Kind::Ping(nonce) => Frame::Ping(nonce),
            Kind::Pong(nonce) => Frame::Pong(nonce),
            Kind::Close => Frame::Close,
        }))
    }
}

impl Encoder<Frame> for Framing {
    type Error = FrameError;

    fn encode(&mut self, frame: Frame, dst: &mut BytesMut) -> Result<(), FrameError> {
        let kind = match frame {
            Frame::Data(payload) => {
                let length = payload.len();
                let head = framed::data(length).ok_or(FrameError::TooLong { length })?;
                dst.reserve(head.len() + length);
                dst.put_slice(&head);
                dst.put_slice(&payload);
                return Ok(());
            }
            Frame::Ping(nonce) => Kind::Ping(nonce),
            Frame::Pong(nonce) => Kind::Pong(nonce),
            Frame::Close => Kind::Close,
        };
        dst.put_slice(&framed::control(kind));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_split() {
        let frames = [
            Frame::Data(Bytes::from_static(b"hello")),
            Frame::Data(Bytes::new()),
            Frame::Ping(7),
            Frame::Pong(u64::MAX),
            Frame::Close,
        ];
        let mut framing = Framing::new(100);
        let mut bytes = BytesMut::new();
        for frame in frames.clone() {
            framing.encode(frame, &mut bytes).unwrap();
        }
        assert_eq!(&bytes[..10], b"\0\0\0\x06\0hello");
        let (mut input, mut seen) = (BytesMut::new(), Vec::new());
        for byte in bytes {
            input.put_u8(byte);
            seen.extend(framing.decode(&mut input).unwrap());
        }
        assert_eq!(seen, frames);
    }
}
