//! A protocol for two ends that have none: a session's handshake, messages with their places,
//! acknowledgements and batches, as bytes.
//!
//! A [`Frame`] is one message of the transport: a binary message of a WebSocket, or whatever
//! else keeps its beginning and its end. [`Frame::parse`] takes any bytes, copies nothing and
//! says what is wrong with what is no frame ([`WireError`]); [`Frame::encode`] is its inverse.
//! Every value has one encoding, so both ways lead back. [`Head`] is the short way for data.
//!
//! `docs/wire.md` has every byte and every rule, `tests/wire/vectors.txt` the test vectors.
//! What follows from a frame is not decided here: that is the session's, on either end.
//!
//! ```
//! use redial::wire::{Body, Frame};
//!
//! let frame = Frame::Data { sequence: 300, resent: false, body: Body::Text("hi") };
//! let mut bytes = Vec::new();
//! frame.encode(&mut bytes);
//! assert_eq!(bytes, [4, 1, 0xac, 0x02, b'h', b'i']);
//! assert_eq!(Frame::parse(&bytes), Ok(frame));
//! ```

mod batch;
mod error;
mod frame;
mod handshake;
mod head;
mod read;
mod refusal;

pub use self::batch::{Batch, Parts};
pub use self::error::WireError;
pub use self::frame::{Frame, Kind};
pub use self::head::{Body, Head};
pub use self::refusal::{CloseCode, Detail, Refusal};

/// The version that is spoken here.
pub const VERSION: u8 = 1;
