//! What a WebSocket carries.

use redial::Payload;

pub use tungstenite::{Bytes, Utf8Bytes};

/// A message of a WebSocket. Clones share the payload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Text, which is UTF-8.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// A text message.
    pub fn text(text: impl Into<Utf8Bytes>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// The payload, of whatever kind.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The payload, of whatever kind, without copying.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The length of the payload in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Payload for Message {
    fn size(&self) -> usize {
        self.len()
    }
}

impl From<Message> for tungstenite::Message {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text),
            Message::Binary(bytes) => Self::Binary(bytes),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_and_conversions_share_the_payload() {
        let bytes = Bytes::from(vec![1; 100]);
        let message = Message::from(bytes.clone());
        assert_eq!((message.size(), message.as_text()), (100, None));
        let shared = message.clone().into_bytes();
        assert_eq!(shared.as_ptr(), bytes.as_ptr());
        let tungstenite::Message::Binary(sent) = message.into() else {
            panic!("it was binary");
        };
        assert_eq!(sent.as_ptr(), bytes.as_ptr());
        let text = Message::from("grüße");
        assert_eq!((text.len(), text.as_text()), (7, Some("grüße")));
        assert_ne!(text, Message::binary(text.clone().into_bytes()));
        assert!(Message::text("").is_empty());
    }
}
