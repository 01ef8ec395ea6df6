//! What can go wrong.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use redial::MessageId;
use redial::carryover::CarryoverError;

/// Why a log was not opened. The file is as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another store of this one, has it open.
    Held {
        /// The file whose lock is held.
        lock: PathBuf,
    },
    /// The file is something else.
    NotALog,
    /// A newer version of this crate has written it.
    Newer {
        /// The version of its format.
        found: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// Its head is damaged, so nothing in it can be trusted. No crash does this. Who can do
    /// without what it holds moves it away and opens a fresh one.
    Damaged,
    /// It holds payloads of another encoding.
    OtherPayload {
        /// The encoding that it names.
        found: u32,
        /// The one that was asked for.
        expected: u32,
    },
    /// A message is sound on disk, but it is no payload.
    Payload {
        /// Where its record stands in the file.
        at: u64,
        /// Which message; `None` for an intent.
        id: Option<MessageId>,
    },
    /// No link can go on from it: its numbers have run out. The file is as it was.
    Unusable(CarryoverError),
    /// The disk failed.
    Disk(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { lock } => write!(
                f,
                "the log is open elsewhere: {} is locked; one process at a time may have it",
                lock.display()
            ),
            Self::NotALog => f.write_str("the file is not a log; choose another path"),
            Self::Newer { found, known } => write!(
                f,
                "the log has format {found}, and only formats up to {known} are known here; open \
                 it with a newer version of this program"
            ),
            Self::Damaged => f.write_str(
                "the head of the log is damaged and nothing in it can be trusted; move the file \
                 away to begin a fresh one",
            ),
            Self::OtherPayload { found, expected } => write!(
                f,
                "the log holds payloads of encoding {found}, not {expected}; open it with the \
                 type that wrote it"
            ),
            Self::Payload { at, id: Some(id) } => {
                write!(f, "message {id} in the log, at byte {at}, is no payload")
            }
            Self::Payload { at, id: None } => {
                write!(f, "an intent in the log, at byte {at}, is no payload")
            }
            Self::Unusable(error) => {
                write!(f, "no link can go on from what the log holds: {error}")
            }
            Self::Disk(error) => write!(f, "the disk failed under the log: {error}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Disk(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// Why a record was not taken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no room for this message, on disk or in memory, until others have their fate or
    /// the disk has caught up.
    Full,
    /// This message alone is more than the log may hold.
    TooLarge {
        /// Its bytes on disk.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The id or the sequence is not above all before it, or no such message was accepted.
    OutOfOrder,
    /// The log is closed.
    Closed,
    /// The disk has failed.
    Failed(Failure),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the log has no room for another message"),
            Self::TooLarge { size, limit } => {
                write!(f, "the message takes {size} bytes of a log of {limit}")
            }
            Self::OutOfOrder => f.write_str("the record can't follow those before it"),
            Self::Closed => f.write_str("the log is closed"),
            Self::Failed(failure) => fmt::Display::fmt(failure, f),
        }
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

/// The disk failed under a log: nothing is stored any more. What was reported as stored is.
#[derive(Clone, Debug)]
pub struct Failure(Arc<io::Error>);

impl Failure {
    /// What the disk said.
    pub fn io(&self) -> &io::Error {
        &self.0
    }

    pub(crate) fn shared(&self) -> Arc<io::Error> {
        Arc::clone(&self.0)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the disk failed under the log: {}", self.0)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}
