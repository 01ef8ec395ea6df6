//! The bytes of a frame.

use std::{fmt, io};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

/// The longest payload by default.
pub(super) const LONGEST: usize = 16 << 20;
/// The longest payload that the length has room for, on every platform.
pub(super) const MOST: usize = (i32::MAX - 1) as usize;

const DATA: u8 = 0;
const PING: u8 = 1;
const PONG: u8 = 2;
const CLOSE: u8 = 3;

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

/// What can go wrong between bytes and frames.
#[derive(Debug)]
#[non_exhaustive]
pub enum FrameError {
    /// The stream failed.
    Io(io::Error),
    /// A frame is longer than is allowed here.
    TooLong {
        /// The length that it claims, in bytes.
        length: usize,
    },
    /// A tag that is none, or a control frame of the wrong length.
    Malformed,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::TooLong { length } => write!(f, "a frame of {length} bytes is too long"),
            Self::Malformed => f.write_str("a malformed frame"),
        }
    }
}

impl std::error::Error for FrameError {}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
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
        let Some(head) = src.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*head) as usize;
        if length == 0 {
            return Err(FrameError::Malformed);
        }
        // The tag and the longest payload, or the nonce of a control frame.
        if length > self.longest.max(8) + 1 {
            return Err(FrameError::TooLong { length });
        }
        if src.len() < 4 + length {
            src.reserve(4 + length - src.len());
            return Ok(None);
        }
        src.advance(4);
        let mut body = src.split_to(length).freeze();
        let tag = body.get_u8();
        let frame = match (tag, body.len()) {
            (DATA, length) if length > self.longest => return Err(FrameError::TooLong { length }),
            (DATA, _) => Frame::Data(body),
            (PING, 8) => Frame::Ping(body.get_u64()),
            (PONG, 8) => Frame::Pong(body.get_u64()),
            (CLOSE, 0) => Frame::Close,
            _ => return Err(FrameError::Malformed),
        };
        Ok(Some(frame))
    }
}

impl Encoder<Frame> for Framing {
    type Error = FrameError;

    fn encode(&mut self, frame: Frame, dst: &mut BytesMut) -> Result<(), FrameError> {
        let mut head = |tag: u8, length: usize| {
            let counted = u32::try_from(length + 1).map_err(|_| FrameError::TooLong { length })?;
            dst.reserve(5 + length);
            dst.put_u32(counted);
            dst.put_u8(tag);
            Ok::<(), FrameError>(())
        };
        match frame {
            Frame::Data(payload) => {
                head(DATA, payload.len())?;
                dst.put_slice(&payload);
            }
            Frame::Ping(nonce) => {
                head(PING, 8)?;
                dst.put_u64(nonce);
            }
            Frame::Pong(nonce) => {
                head(PONG, 8)?;
                dst.put_u64(nonce);
            }
            Frame::Close => head(CLOSE, 0)?,
        }
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

    #[test]
    fn refuses_what_can_not_be() {
        let mut framing = Framing::new(10);
        for wrong in [
            b"\0\0\0\0".as_slice(),
            b"\0\0\0\x01\x09",
            b"\0\0\0\x02\x01x",
            b"\0\0\0\x02\x03x",
        ] {
            let error = framing.decode(&mut BytesMut::from(wrong)).unwrap_err();
            assert!(matches!(error, FrameError::Malformed), "{wrong:?}");
        }
        let long = b"\0\0\0\x0c".as_slice();
        let error = framing.decode(&mut BytesMut::from(long)).unwrap_err();
        assert!(matches!(error, FrameError::TooLong { length: 12 }));
    }
}
