//! Why a stream of messages and sink for them can't go on.

use std::fmt;

use redial::{Cause, Refused};
use redial_adapter::Received;

/// Why a message or a flush was not taken, or the stream ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error<M> {
    /// The message was not accepted; here it is.
    Refused(Refused<M>),
    /// The link has failed, for this reason.
    Failed(Option<Cause>),
}

impl<M> fmt::Display for Error<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Failed(Some(cause)) => write!(f, "the link has failed: {cause}"),
            Self::Failed(None) => f.write_str("the link has failed"),
        }
    }
}

impl<M: fmt::Debug> std::error::Error for Error<M> {}

/// What comes in and is told, or why the link has failed.
pub(crate) type Told<M> = Result<Received<M>, Error<M>>;
