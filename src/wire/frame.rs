//! The frames: all kinds, from bytes and back.

use alloc::vec::Vec;
use core::num::NonZero;

use super::read::{Reader, put_integer};
use super::{Batch, Body, Detail, Head, Refusal, WireError, handshake};
use crate::session::{Hello, Welcome};

/// One message of the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Frame<'a> {
    /// The client's first frame, in [`VERSION`](super::VERSION).
    Hello(Hello),
    /// The server's answer, in [`VERSION`](super::VERSION): messages may flow.
    Welcome(Welcome),
    /// The server's last frame: it goes no further.
    Refuse {
        /// Why.
        refusal: Refusal,
        /// The same in words, for people and logs; may be empty.
        detail: Detail<'a>,
    },
    /// A message of either end.
    Data {
        /// Its place in the sequence of acknowledged messages, from 1; 0 if it has none.
        sequence: u64,
        /// It was sent in a session that is gone, so it may be a duplicate.
        resent: bool,
        /// The message.
        body: Body<'a>,
    },
    /// An intent of the client, such as a subscription.
    Intent {
        /// Its number.
        number: NonZero<u64>,
        /// The message.
        body: Body<'a>,
    },
    /// Everything up to here was received.
    Ack {
        /// The last sequence, 0 for none.
        sequence: u64,
        /// The last intent, 0 for none.
        intents: u64,
    },
    /// The server will not have this intent now; the client may try again.
    Decline {
        /// The intent's number.
        number: NonZero<u64>,
        /// Why, in words; may be empty.
        detail: Detail<'a>,
    },
    /// Several messages in their order.
    Batch(Batch<'a>),
    /// To be answered by a pong with the same nonce, where the transport has no pings.
    Ping {
        /// Any number.
        nonce: u64,
    },
    /// The answer to a ping.
    Pong {
        /// The number of the ping.
        nonce: u64,
    },
}

/// The first byte of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// [`Frame::Hello`].
    Hello = 1,
    /// [`Frame::Welcome`].
    Welcome = 2,
    /// [`Frame::Refuse`].
    Refuse = 3,
    /// [`Frame::Data`].
    Data = 4,
    /// [`Frame::Intent`].
    Intent = 5,
    /// [`Frame::Ack`].
    Ack = 6,
    /// [`Frame::Batch`].
    Batch = 7,
    /// [`Frame::Ping`].
    Ping = 8,
    /// [`Frame::Pong`].
    Pong = 9,
    /// [`Frame::Decline`].
    Decline = 10,
}

impl<'a> Frame<'a> {
    /// The frame that these bytes are, the whole of them. Payloads stay where they are.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        if let Some((head, payload)) = Head::parse(bytes)? {
            return head.with(payload);
        }
        let mut reader = Reader(bytes);
        let frame = match Kind::parse(reader.byte("kind")?)? {
            Kind::Hello => Self::Hello(handshake::parse_hello(&mut reader)?),
            Kind::Welcome => Self::Welcome(handshake::parse_welcome(&mut reader)?),
            Kind::Refuse => {
                let refusal = Refusal::parse(&mut reader)?;
                let detail = Detail::parse(&mut reader)?;
                Self::Refuse { refusal, detail }
            }
            Kind::Ack => Self::Ack {
                sequence: reader.integer("sequence")?,
                intents: reader.integer("intents")?,
            },
            Kind::Decline => {
                let number = reader.integer("number")?;
                Self::Decline {
                    number: NonZero::new(number).ok_or(WireError::IntentZero)?,
                    detail: Detail::parse(&mut reader)?,
                }
            }
            Kind::Ping => Self::Ping {
                nonce: reader.integer("nonce")?,
            },
            Kind::Pong => Self::Pong {
                nonce: reader.integer("nonce")?,
            },
            // Data and intents were taken above.
            Kind::Batch | Kind::Data | Kind::Intent => Self::Batch(Batch::parse(&mut reader)?),
        };
        reader.end()?;
        Ok(frame)
    }

    /// Appends the bytes of this frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if let Some((head, body)) = self.head() {
            head.encode(out);
            out.extend_from_slice(body.bytes());
            return;
        }
        out.push(self.kind().byte());
        match self {
            Self::Hello(hello) => handshake::put_hello(hello, out),
            Self::Welcome(welcome) => handshake::put_welcome(welcome, out),
            Self::Refuse { refusal, detail } => {
                refusal.encode(out);
                detail.encode(out);
            }
            Self::Ack { sequence, intents } => {
                put_integer(*sequence, out);
                put_integer(*intents, out);
            }
            Self::Decline { number, detail } => {
                put_integer(number.get(), out);
                detail.encode(out);
            }
            Self::Batch(batch) => batch.encode(out),
            Self::Ping { nonce } | Self::Pong { nonce } => put_integer(*nonce, out),
            // They have a head.
            Self::Data { .. } | Self::Intent { .. } => {}
        }
    }

    /// The bytes of this frame, in a vector of their own.
    pub fn to_vec(&self) -> Vec<u8> {
        if let Some((head, body)) = self.head() {
            return head.frame(body.bytes());
        }
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }

    /// What kind of frame this is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Hello(_) => Kind::Hello,
            Self::Welcome(_) => Kind::Welcome,
            Self::Refuse { .. } => Kind::Refuse,
            Self::Data { .. } => Kind::Data,
            Self::Intent { .. } => Kind::Intent,
            Self::Ack { .. } => Kind::Ack,
            Self::Batch(_) => Kind::Batch,
            Self::Ping { .. } => Kind::Ping,
            Self::Pong { .. } => Kind::Pong,
            Self::Decline { .. } => Kind::Decline,
        }
    }

    /// The head and the payload of a message; `None` of another kind of frame.
    pub const fn head(&self) -> Option<(Head, Body<'a>)> {
        match *self {
            Self::Data {
                sequence,
                resent,
                body,
            } => {
                let text = body.is_text();
                let head = Head::Data {
                    text,
                    resent,
                    sequence,
                };
                Some((head, body))
            }
            Self::Intent { number, body } => {
                let text = body.is_text();
                Some((Head::Intent { text, number }, body))
            }
            _ => None,
        }
    }
}

impl Kind {
    /// The kind that this byte stands for.
    ///
    /// # Errors
    /// [`WireError::Kind`] if it stands for none.
    #[inline]
    pub const fn parse(byte: u8) -> Result<Self, WireError> {
        Ok(match byte {
            1 => Self::Hello,
            2 => Self::Welcome,
            3 => Self::Refuse,
            4 => Self::Data,
            5 => Self::Intent,
            6 => Self::Ack,
            7 => Self::Batch,
            8 => Self::Ping,
            9 => Self::Pong,
            10 => Self::Decline,
            given => return Err(WireError::Kind { given }),
        })
    }

    /// The byte.
    #[inline]
    pub const fn byte(self) -> u8 {
        self as u8
    }
}
