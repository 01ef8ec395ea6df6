//! Frames on plain TCP: a length, a tag, a body.
//!
//! A frame is its length in 4 bytes, big endian, then a tag of one byte, then the body; the
//! length counts tag and body.
//!
//! | tag | meaning | body |
//! | --- | --- | --- |
//! | 0 | data | the message |
//! | 1 | ping | a nonce of 8 bytes, big endian |
//! | 2 | pong | the nonce of the ping |
//! | 3 | close | none; the peer answers with one, or with the end of the stream |
//!
//! A close frame counts as the WebSocket code 1005, a close without a code: the link dials again.
//!
//! ```
//! use redial_adapter::framed::{DATA_AT, Kind, Parsed, control, data, parse};
//!
//! let mut wire = data(5).ok_or("too long")?.to_vec();
//! wire.extend_from_slice(b"hello");
//! wire.extend_from_slice(&control(Kind::Ping(7)));
//! let Parsed::Whole(Kind::Data, length) = parse(&wire, 1024)? else {
//!     return Err("no data".into());
//! };
//! assert_eq!(&wire[DATA_AT..length], b"hello");
//! assert_eq!(parse(&wire[length..], 1024)?, Parsed::Whole(Kind::Ping(7), 13));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{fmt, io};

use redial::Cause;
use redial::cause::ProtocolError;

use crate::cause::cause_of_io;

/// The longest message that the length has room for, on every platform.
pub const MOST: usize = (i32::MAX - 1) as usize;

/// Where in a frame of data the message begins.
pub const DATA_AT: usize = 5;

/// What a close frame means.
pub const CLOSED: Cause = Cause::Close(1005);

const DATA: u8 = 0;
const PING: u8 = 1;
const PONG: u8 = 2;
const CLOSE: u8 = 3;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A message, which is all of the frame from [`DATA_AT`] on.
    Data,
    /// A ping, with its nonce.
    Ping(u64),
    /// A pong, with the nonce of the ping.
    Pong(u64),
    /// The sender is about to end the connection.
    Close,
}

/// How input begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Not with a whole frame; as far as is known, it needs so many bytes.
    Partial(usize),
    /// With a frame of so many bytes.
    Whole(Kind, usize),
}

/// Looks at the frame with which `input` begins; messages have at most `longest` bytes.
///
/// # Errors
///
/// If it can't be one, or is too long: as soon as its beginning says so.
pub fn parse(input: &[u8], longest: usize) -> Result<Parsed, FrameError> {
    let longest = longest.min(MOST);
    let Some((head, rest)) = input.split_first_chunk::<4>() else {
        return Ok(Parsed::Partial(4));
    };
    let length = u32::from_be_bytes(*head) as usize;
    if length == 0 {
        return Err(FrameError::Malformed);
    }
    // The tag and the longest message, or the nonce of a control frame.
    if length > longest.max(8) + 1 {
        return Err(FrameError::TooLong { length });
    }
    let whole = 4 + length;
    let Some((tag, body)) = rest.get(..length).and_then(<[u8]>::split_first) else {
        return Ok(Parsed::Partial(whole));
    };
    let nonce = || {
        let nonce = body.try_into().map_err(|_| FrameError::Malformed)?;
        Ok::<u64, FrameError>(u64::from_be_bytes(nonce))
    };
    let kind = match *tag {
        DATA if body.len() > longest => return Err(FrameError::TooLong { length }),
        DATA => Kind::Data,
        PING => Kind::Ping(nonce()?),
        PONG => Kind::Pong(nonce()?),
        CLOSE if body.is_empty() => Kind::Close,
        _ => return Err(FrameError::Malformed),
    };
    Ok(Parsed::Whole(kind, whole))
}

/// What goes before a message of so many bytes; `None` if it is longer than a frame can be.
pub fn data(length: usize) -> Option<[u8; DATA_AT]> {
    let counted = u32::try_from(length).ok().filter(|_| length <= MOST)? + 1;
    let [a, b, c, d] = counted.to_be_bytes();
    Some([a, b, c, d, DATA])
}

/// A whole control frame. Of [`Kind::Data`] it is an empty message.
pub fn control(kind: Kind) -> Vec<u8> {
    let (tag, nonce) = match kind {
        Kind::Data => (DATA, None),
        Kind::Ping(nonce) => (PING, Some(nonce)),
        Kind::Pong(nonce) => (PONG, Some(nonce)),
        Kind::Close => (CLOSE, None),
    };
    let length: u8 = if nonce.is_some() { 9 } else { 1 };
    let mut frame = vec![0, 0, 0, length, tag];
    frame.extend(nonce.map(u64::to_be_bytes).into_iter().flatten());
    frame
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

impl FrameError {
    /// What it means for a link.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Io(error) => cause_of_io(error),
            Self::TooLong { .. } => Cause::Protocol(ProtocolError::TooBig),
            Self::Malformed => Cause::Protocol(ProtocolError::Frame),
        }
    }
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

impl From<FrameError> for crate::Failure {
    fn from(error: FrameError) -> Self {
        Self::new(error.cause(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_split() {
        let frames = [Kind::Ping(7), Kind::Pong(u64::MAX), Kind::Close, Kind::Data];
        let mut bytes = data(5).unwrap().to_vec();
        bytes.extend_from_slice(b"hello");
        assert_eq!(&bytes[..], b"\0\0\0\x06\0hello");
        for frame in frames {
            bytes.extend(control(frame));
        }
        let (mut input, mut seen) = (Vec::new(), Vec::new());
        for byte in bytes {
            input.push(byte);
            match parse(&input, 100).unwrap() {
                Parsed::Partial(needs) => assert!(needs > input.len()),
                Parsed::Whole(kind, length) => {
                    assert_eq!(length, input.len());
                    if seen.is_empty() {
                        assert_eq!(&input[DATA_AT..], b"hello");
                    }
                    seen.push(kind);
                    input.clear();
                }
            }
        }
        assert_eq!((seen[0], &seen[1..]), (Kind::Data, &frames[..]));
        assert!(input.is_empty());
    }

    #[test]
    fn refuses_what_can_not_be() {
        for wrong in [
            b"\0\0\0\0".as_slice(),
            b"\0\0\0\x01\x09",
            b"\0\0\0\x02\x01x",
            b"\0\0\0\x02\x02x",
            b"\0\0\0\x02\x03x",
        ] {
            let error = parse(wrong, 10).unwrap_err();
            assert!(matches!(error, FrameError::Malformed), "{wrong:?}");
            assert_eq!(error.cause(), Cause::Protocol(ProtocolError::Frame));
        }
    }

    #[test]
    fn limits_are_for_messages_and_told_by_the_length_alone() {
        let error = parse(b"\0\0\0\x0c", 10).unwrap_err();
        assert!(matches!(error, FrameError::TooLong { length: 12 }));
        assert_eq!(error.cause(), Cause::Protocol(ProtocolError::TooBig));
        assert_eq!(parse(b"\0\0\0\x0b", 10).unwrap(), Parsed::Partial(15));
        // A nonce fits, however short messages must be.
        let ping = control(Kind::Ping(1));
        assert_eq!(
            parse(&ping, 0).unwrap(),
            Parsed::Whole(Kind::Ping(1), ping.len())
        );
        let error = parse(b"\0\0\0\x02\0x", 0).unwrap_err();
        assert!(matches!(error, FrameError::TooLong { length: 2 }));
        let error = parse(&[0xff; 4], usize::MAX).unwrap_err();
        assert!(matches!(error, FrameError::TooLong { .. }));
        assert!(data(MOST).is_some());
        assert_eq!(data(MOST + 1), None);
    }
}
