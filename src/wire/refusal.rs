//! Why a server goes no further, and how it closes after saying so.

use alloc::vec::Vec;
use core::fmt;

use super::WireError;
use super::head::text;
use super::read::{Reader, put_integer};

/// Why a server goes no further with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The client's version is not spoken. Dialling again helps nobody.
    Version {
        /// The lowest version that the server speaks.
        lowest: u8,
        /// The highest.
        highest: u8,
    },
    /// What the client sent breaks the protocol.
    Malformed,
    /// The server holds as many sessions as it may, or can't serve for another reason: later.
    Busy {
        /// After how many milliseconds the client may come again; 0 if the server doesn't say.
        retry_after: u64,
    },
    /// The application's own reason: as if the server had closed with this code.
    Custom(CloseCode),
}

/// A close code that is the application's to use: from [`LEAST`](Self::LEAST) to
/// [`GREATEST`](Self::GREATEST) (RFC 6455 section 7.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

/// What a refusal says in words: at most [`LONGEST`](Self::LONGEST) bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Detail<'a>(&'a str);

const VERSION: u8 = 1;
const MALFORMED: u8 = 2;
const BUSY: u8 = 3;
const CUSTOM: u8 = 4;

impl Refusal {
    /// The code with which a server closes its WebSocket after this refusal.
    pub const fn close_code(&self) -> u16 {
        match self {
            // Protocol error.
            Self::Version { .. } | Self::Malformed => 1002,
            // Try again later.
            Self::Busy { .. } => 1013,
            Self::Custom(code) => code.get(),
        }
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match reader.byte("reason")? {
            VERSION => Self::Version {
                lowest: reader.byte("lowest")?,
                highest: reader.byte("highest")?,
            },
            MALFORMED => Self::Malformed,
            BUSY => Self::Busy {
                retry_after: reader.integer("retry_after")?,
            },
            CUSTOM => {
                let given = reader.integer("code")?;
                let code = u16::try_from(given).ok().and_then(CloseCode::new);
                Self::Custom(code.ok_or(WireError::CloseCode { given })?)
            }
            given => return Err(WireError::Reason { given }),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Version { lowest, highest } => {
                out.extend_from_slice(&[VERSION, lowest, highest]);
            }
            Self::Malformed => out.push(MALFORMED),
            Self::Busy { retry_after } => {
                out.push(BUSY);
                put_integer(retry_after, out);
            }
            Self::Custom(code) => {
                out.push(CUSTOM);
                put_integer(code.get().into(), out);
            }
        }
    }
}

impl CloseCode {
    /// The least code.
    pub const LEAST: u16 = 3000;
    /// The greatest code.
    pub const GREATEST: u16 = 4999;

    /// This code; `None` if it is not the application's to use.
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            Self::LEAST..=Self::GREATEST => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl<'a> Detail<'a> {
    /// The longest detail, in bytes.
    pub const LONGEST: usize = u8::MAX as usize;

    /// These words, as many whole characters of them as there is room for.
    pub fn new(words: &'a str) -> Self {
        let mut end = words.len().min(Self::LONGEST);
        while !words.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        Self(words.get(..end).unwrap_or_default())
    }

    /// The words.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let length = reader.byte("detail")?;
        let words = reader.bytes(length.into(), "detail")?;
        text(words).map(Self)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        // Not longer than a byte can say, by construction.
        let length = u8::try_from(self.0.len()).unwrap_or_default();
        out.push(length);
        out.extend_from_slice(self.0.as_bytes());
    }
}

/// What the server says, as it follows "refused: ".
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Version { lowest, highest } if lowest == highest => {
                write!(f, "the server speaks version {lowest} only")
            }
            Self::Version { lowest, highest } => {
                write!(f, "the server speaks versions {lowest} to {highest}")
            }
            Self::Malformed => f.write_str("the server calls a frame malformed"),
            Self::Busy { retry_after: 0 } => f.write_str("the server is busy"),
            Self::Busy { retry_after } => {
                write!(f, "the server is busy for {retry_after} ms")
            }
            Self::Custom(code) => write!(f, "the server says {}", code.get()),
        }
    }
}
