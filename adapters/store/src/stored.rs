//! Payloads as bytes on disk.

use bytes::Bytes;

/// A payload that a log can write and read back.
pub trait Stored: Sized {
    /// Names the encoding, in the head of the file: a log that was written with another one is
    /// not opened. Numbers below 65,536 are this crate's.
    const FORMAT: u32;

    /// How many bytes [`encode`](Self::encode) appends.
    fn stored_len(&self) -> usize;

    /// Appends the payload to these bytes.
    fn encode(&self, bytes: &mut Vec<u8>);

    /// The payload that these bytes are; `None` if they are none.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

impl Stored for Vec<u8> {
    const FORMAT: u32 = 0;

    fn stored_len(&self) -> usize {
        self.len()
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }
}

impl Stored for Bytes {
    const FORMAT: u32 = 0;

    fn stored_len(&self) -> usize {
        self.len()
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self::copy_from_slice(bytes))
    }
}

#[cfg(feature = "tungstenite")]
mod message {
    use redial_adapter::Message;

    use super::Stored;

    const TEXT: u8 = 1;
    const BINARY: u8 = 2;

    /// One byte for the kind (1 text, 2 binary), then the payload.
    impl Stored for Message {
        const FORMAT: u32 = 1;

        fn stored_len(&self) -> usize {
            self.len().saturating_add(1)
        }

        fn encode(&self, bytes: &mut Vec<u8>) {
            bytes.push(match self {
                Self::Text(_) => TEXT,
                Self::Binary(_) => BINARY,
            });
            bytes.extend_from_slice(self.as_bytes());
        }

        fn decode(bytes: &[u8]) -> Option<Self> {
            match bytes.split_first()? {
                (&TEXT, text) => Some(Self::text(std::str::from_utf8(text).ok()?)),
                (&BINARY, bytes) => Some(Self::binary(bytes.to_vec())),
                _ => None,
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_message_comes_back_as_what_it_was() {
            for message in [
                Message::text("grüße"),
                Message::text(""),
                Message::binary(vec![0, 255]),
            ] {
                let mut bytes = Vec::new();
                message.encode(&mut bytes);
                assert_eq!(bytes.len(), message.stored_len());
                assert_eq!(Message::decode(&bytes), Some(message));
            }
            assert_eq!(Message::decode(&[]), None);
            assert_eq!(Message::decode(&[1, 255]), None, "not UTF-8");
            assert_eq!(Message::decode(&[3, b'a']), None, "no such kind");
        }
    }
}
