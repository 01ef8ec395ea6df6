//! Messages of transports, as what carries frames.

use std::str;

#[cfg(feature = "bytes")]
use bytes::Bytes;
use redial::wire::WireError;

#[cfg(feature = "tungstenite")]
use crate::{Message, Utf8Bytes};

/// A message of a transport: what the application sends, and what carries the frame with it.
pub trait Carrier: Sized + Send + 'static {
    /// The message of the transport that carries this frame. Best without copying.
    fn carry(frame: Vec<u8>) -> Self;

    /// The frame that this message of the transport carries; `None` if it is of a sort that
    /// carries none.
    fn as_frame(&self) -> Option<&[u8]>;

    /// The payload of this message of the application.
    fn payload(&self) -> &[u8];

    /// Whether this message of the application is a text.
    fn is_text(&self) -> bool;

    /// The message of the application whose payload is this part of the frame that `self`
    /// carries. Best shared.
    ///
    /// # Errors
    ///
    /// If it should be a text and is not UTF-8.
    ///
    /// # Panics
    ///
    /// Possibly, if `part` is not of this frame.
    fn cut(&self, part: &[u8], text: bool) -> Result<Self, WireError>;

    /// The same of all that follows the first so many bytes.
    ///
    /// # Errors
    ///
    /// As of [`cut`](Self::cut).
    fn strip(self, head: usize, text: bool) -> Result<Self, WireError> {
        let frame = self.as_frame().unwrap_or_default();
        self.cut(frame.get(head..).unwrap_or_default(), text)
    }
}

/// A message of a WebSocket: frames travel in binary ones.
#[cfg(feature = "tungstenite")]
impl Carrier for Message {
    fn carry(frame: Vec<u8>) -> Self {
        Self::Binary(frame.into())
    }

    fn as_frame(&self) -> Option<&[u8]> {
        match self {
            Self::Text(_) => None,
            Self::Binary(bytes) => Some(bytes),
        }
    }

    fn payload(&self) -> &[u8] {
        self.as_bytes()
    }

    fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    fn cut(&self, part: &[u8], text: bool) -> Result<Self, WireError> {
        let part = match self {
            Self::Text(whole) => AsRef::<Bytes>::as_ref(whole).slice_ref(part),
            Self::Binary(whole) => whole.slice_ref(part),
        };
        if !text {
            return Ok(Self::Binary(part));
        }
        // The conversion looks at the bytes itself; they are looked at again only to tell where
        // they fail.
        match Utf8Bytes::try_from(part.clone()) {
            Ok(text) => Ok(Self::Text(text)),
            Err(_) => Err(utf8(&part).err().unwrap_or(WireError::Utf8 { valid: 0 })),
        }
    }
}

/// A message on plain TCP, with `redial-tokio`. It doesn't know a text: what a peer calls one is
/// checked, and is bytes here.
#[cfg(feature = "bytes")]
impl Carrier for Bytes {
    fn carry(frame: Vec<u8>) -> Self {
        frame.into()
    }

    fn as_frame(&self) -> Option<&[u8]> {
        Some(self)
    }

    fn payload(&self) -> &[u8] {
        self
    }

    fn is_text(&self) -> bool {
        false
    }

    fn cut(&self, part: &[u8], text: bool) -> Result<Self, WireError> {
        if text {
            utf8(part)?;
        }
        Ok(self.slice_ref(part))
    }
}

/// A message on plain TCP, with `redial-blocking`. It doesn't know a text: what a peer calls one
/// is checked, and is bytes here.
impl Carrier for Vec<u8> {
    fn carry(frame: Vec<u8>) -> Self {
        frame
    }

    fn as_frame(&self) -> Option<&[u8]> {
        Some(self)
    }

    fn payload(&self) -> &[u8] {
        self
    }

    fn is_text(&self) -> bool {
        false
    }

    fn cut(&self, part: &[u8], text: bool) -> Result<Self, WireError> {
        if text {
            utf8(part)?;
        }
        Ok(part.to_vec())
    }

    fn strip(mut self, head: usize, text: bool) -> Result<Self, WireError> {
        self.drain(..head.min(self.len()));
        if text {
            utf8(&self)?;
        }
        Ok(self)
    }
}

fn utf8(bytes: &[u8]) -> Result<(), WireError> {
    match str::from_utf8(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(WireError::Utf8 {
            valid: error.valid_up_to(),
        }),
    }
}
