//! Why bytes are no frame.

use core::fmt;

use super::{Batch, CloseCode, Refusal, VERSION};

/// Why bytes are no frame: one variant for each rule, with the value that breaks it.
///
/// A server answers [`refusal`](Self::refusal) and closes; a client ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WireError {
    /// The first byte is no kind of frame.
    Kind {
        /// The byte.
        given: u8,
    },
    /// A hello without the three bytes that tell this protocol from others.
    Magic {
        /// What is there instead.
        given: [u8; 3],
    },
    /// A hello or a welcome in a version that is not spoken here. What follows the version was
    /// not looked at.
    Version {
        /// The version.
        given: u8,
    },
    /// A flag without a meaning is set.
    Flags {
        /// All flags.
        given: u8,
        /// Those with a meaning in this kind of frame.
        known: u8,
    },
    /// The frame ends too early.
    Truncated {
        /// What is not there, or not whole.
        field: &'static str,
    },
    /// An integer that a shorter form says as well.
    Overlong {
        /// Which one.
        field: &'static str,
    },
    /// An integer of more than 64 bits.
    TooLarge {
        /// Which one.
        field: &'static str,
    },
    /// Something follows a frame that has an end.
    Trailing {
        /// How many bytes.
        count: usize,
    },
    /// An intent with the number 0, which stands for none.
    IntentZero,
    /// A text that is not UTF-8.
    Utf8 {
        /// Up to where it is, in bytes from its beginning.
        valid: usize,
    },
    /// A refusal for a reason that has no meaning.
    Reason {
        /// The byte.
        given: u8,
    },
    /// A close code that no application may use.
    CloseCode {
        /// The code.
        given: u64,
    },
    /// A batch of too few messages, or of too many.
    BatchCount {
        /// How many it claims.
        given: u64,
    },
    /// A frame in a batch that carries no message.
    Nested {
        /// The first byte of the inner frame.
        kind: u8,
    },
}

impl WireError {
    /// What a server answers to such a frame, before it closes with
    /// [`Refusal::close_code`].
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::Version { .. } => Refusal::Version {
                lowest: VERSION,
                highest: VERSION,
            },
            _ => Refusal::Malformed,
        }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Kind { given } => write!(f, "no frame begins with {given}: kinds are 1 to 10"),
            Self::Magic { given: [a, b, c] } => write!(
                f,
                "a hello with {a:02x} {b:02x} {c:02x} instead of 72 64 6c (\"rdl\") is of another protocol"
            ),
            Self::Version { given } => {
                write!(f, "version {given} is not spoken here: it is {VERSION}")
            }
            Self::Flags { given, known } => write!(
                f,
                "flags {given:#04x} where only those of {known:#04x} have a meaning"
            ),
            Self::Truncated { field } => write!(f, "the frame ends before the end of its {field}"),
            Self::Overlong { field } => write!(
                f,
                "an integer not in its shortest form: the frame's {field}"
            ),
            Self::TooLarge { field } => {
                write!(f, "an integer of more than 64 bits: the frame's {field}")
            }
            Self::Trailing { count } => write!(
                f,
                "bytes behind the end of a frame: {count} where there may be none"
            ),
            Self::IntentZero => f.write_str("an intent with the number 0: they are from 1"),
            Self::Utf8 { valid } => write!(f, "a text that is UTF-8 only up to byte {valid}"),
            Self::Reason { given } => {
                write!(f, "no refusal has the reason {given}: reasons are 1 to 4")
            }
            Self::CloseCode { given } => write!(
                f,
                "close code {given} is not the application's: those are {} to {}",
                CloseCode::LEAST,
                CloseCode::GREATEST
            ),
            Self::BatchCount { given } => write!(
                f,
                "a batch of {given} messages: there are 2 to {}",
                Batch::MOST
            ),
            Self::Nested { kind } => write!(
                f,
                "a frame of kind {kind} in a batch: only data (4) and intents (5) may be"
            ),
        }
    }
}

impl core::error::Error for WireError {}
