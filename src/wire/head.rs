//! Messages of the application: what stands before the payload, and the payload.

use alloc::vec::Vec;
use core::num::NonZero;

use super::frame::Kind;
use super::read::{Reader, length_of_integer, put_integer};
use super::{Frame, WireError};

/// What stands before the payload of a message: the hot half of the codec.
///
/// Where a [`Frame`] borrows a payload and knows that a text is one, this leaves the payload
/// alone: for whoever has it in a type of its own.
///
/// ```
/// use redial::wire::Head;
///
/// let head = Head::Data { text: false, resent: false, sequence: 7 };
/// let bytes = head.frame(b"payload");
/// assert_eq!(Head::parse(&bytes), Ok(Some((head, &b"payload"[..]))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Head {
    /// Of [`Frame::Data`].
    Data {
        /// The payload is a text.
        text: bool,
        /// It was sent in a session that is gone, so it may be a duplicate.
        resent: bool,
        /// Its place in the sequence of acknowledged messages, 0 for none.
        sequence: u64,
    },
    /// Of [`Frame::Intent`].
    Intent {
        /// The payload is a text.
        text: bool,
        /// Its number.
        number: NonZero<u64>,
    },
}

/// A payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

const TEXT: u8 = 1;
const RESENT: u8 = 2;

impl Head {
    /// The longest head, in bytes.
    pub const LONGEST: usize = 12;

    /// The head of a message and its payload, unread; `None` if the frame is of another kind.
    ///
    /// The payload of a text may still not be UTF-8.
    ///
    /// # Errors
    /// If no frame begins like this.
    #[inline]
    pub fn parse(frame: &[u8]) -> Result<Option<(Self, &[u8])>, WireError> {
        let mut reader = Reader(frame);
        let head = match Kind::parse(reader.byte("kind")?)? {
            Kind::Data => {
                let flags = reader.flags(TEXT | RESENT)?;
                Self::Data {
                    text: flags & TEXT != 0,
                    resent: flags & RESENT != 0,
                    sequence: reader.integer("sequence")?,
                }
            }
            Kind::Intent => {
                let flags = reader.flags(TEXT)?;
                let number = reader.integer("number")?;
                Self::Intent {
                    text: flags & TEXT != 0,
                    number: NonZero::new(number).ok_or(WireError::IntentZero)?,
                }
            }
            _ => return Ok(None),
        };
        Ok(Some((head, reader.0)))
    }

    /// Appends the head; the payload follows it, and nothing follows that.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (kind, flags, place) = match *self {
            Self::Data {
                text,
                resent,
                sequence,
            } => {
                let resent = if resent { RESENT } else { 0 };
                (Kind::Data, flag_of(text) | resent, sequence)
            }
            Self::Intent { text, number } => (Kind::Intent, flag_of(text), number.get()),
        };
        out.push(kind.byte());
        out.push(flags);
        put_integer(place, out);
    }

    /// The whole frame: one allocation of its size, and one copy of the payload.
    #[inline]
    pub fn frame(&self, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::with_capacity(self.length().saturating_add(payload.len()));
        self.encode(&mut frame);
        frame.extend_from_slice(payload);
        frame
    }

    /// The length of the head in bytes: 3 to 12.
    #[inline]
    pub const fn length(&self) -> usize {
        let place = match self {
            Self::Data { sequence, .. } => *sequence,
            Self::Intent { number, .. } => number.get(),
        };
        2 + length_of_integer(place)
    }

    /// Whether the payload is a text.
    pub const fn is_text(&self) -> bool {
        match self {
            Self::Data { text, .. } | Self::Intent { text, .. } => *text,
        }
    }

    /// The frame with this payload.
    pub(super) fn with(self, payload: &[u8]) -> Result<Frame<'_>, WireError> {
        let body = if self.is_text() {
            Body::Text(text(payload)?)
        } else {
            Body::Binary(payload)
        };
        Ok(match self {
            Self::Data {
                resent, sequence, ..
            } => Frame::Data {
                sequence,
                resent,
                body,
            },
            Self::Intent { number, .. } => Frame::Intent { number, body },
        })
    }
}

impl<'a> Body<'a> {
    /// The bytes, of whatever kind.
    pub const fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Whether it is a text.
    pub const fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

/// These bytes as a text.
pub(super) fn text(bytes: &[u8]) -> Result<&str, WireError> {
    core::str::from_utf8(bytes).map_err(|error| WireError::Utf8 {
        valid: error.valid_up_to(),
    })
}

const fn flag_of(text: bool) -> u8 {
    if text { TEXT } else { 0 }
}
