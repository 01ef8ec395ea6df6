//! What a session carries, and what the application behind it got.

use redial::inbox::Gap;
use redial::wire::Body;
use serde::{Deserialize, Serialize};

/// What one message carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Content {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

/// What the application behind a session got, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Got {
    /// A message.
    Message {
        /// Its place in the sequence of acknowledged messages; `None` at most once.
        sequence: Option<u64>,
        /// The client says that it was written in a session that is gone.
        resent: bool,
        /// What it carries.
        content: Content,
    },
    /// An intent.
    Intent {
        /// Its number.
        number: u64,
        /// What it carries.
        content: Content,
    },
    /// Messages are missing here, and will not come.
    Gap(Gap),
}

impl Content {
    /// The bytes, of whatever kind.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    pub(super) fn body(&self) -> Body<'_> {
        match self {
            Self::Text(text) => Body::Text(text),
            Self::Binary(bytes) => Body::Binary(bytes),
        }
    }
}

impl Got {
    /// What the message carries, if it is one.
    pub fn message(&self) -> Option<&Content> {
        match self {
            Self::Message { content, .. } => Some(content),
            Self::Intent { .. } | Self::Gap(_) => None,
        }
    }
}

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl From<Body<'_>> for Content {
    fn from(body: Body<'_>) -> Self {
        match body {
            Body::Text(text) => Self::Text(text.to_owned()),
            Body::Binary(bytes) => Self::Binary(bytes.to_vec()),
        }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}
