//! The payload of a WebSocket link.

use redial::Payload;

pub use bytes::Bytes;
pub use tungstenite::Utf8Bytes;

/// A message of a WebSocket. A clone shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text, which is UTF-8.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            Self::Binary(_) => None,
        }
    }

    /// The bytes of either kind.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The bytes of either kind, shared.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl Payload for Message {
    fn size(&self) -> usize {
        self.as_bytes().len()
    }
}

macro_rules! from {
    ($kind:ident: $($source:ty),+) => {
        $(impl From<$source> for Message {
            fn from(source: $source) -> Self {
                Self::$kind(source.into())
            }
        })+
    };
}

from!(Text: &str, String, Utf8Bytes);
from!(Binary: Vec<u8>, Bytes, &'static [u8]);
