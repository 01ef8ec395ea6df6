//! How an attempt or a connection ended.

use std::{fmt, io};

use redial::{Cause, Closure};

use crate::cause::cause_of_io;

/// Why an attempt failed, or a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What the link is told: the cause, and when the server would like to be dialled again.
    ///
    /// A provider usually says [`Cause::Credentials`], which is retried; a final cause ends the
    /// link.
    pub closure: Closure,
    /// The error in words, for people and logs.
    pub detail: String,
}

impl Failure {
    /// A failure with the error in words.
    pub fn new(closure: impl Into<Closure>, detail: impl fmt::Display) -> Self {
        Self {
            closure: closure.into(),
            detail: detail.to_string(),
        }
    }

    /// The address or the credentials could not be had: retried by the schedule.
    pub fn credentials(detail: impl fmt::Display) -> Self {
        Self::new(Cause::Credentials, detail)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.closure.cause, self.detail)
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(cause_of_io(&error), error)
    }
}
