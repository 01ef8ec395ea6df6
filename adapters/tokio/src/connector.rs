//! What makes a connection: called anew for every attempt.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redial::cause::{ProtocolError, SocketError};
use redial::{Cause, Closure, Epoch};

/// Makes connections. It is called at every attempt, so that the address, the credentials and
/// everything else are fresh.
///
/// All that its future does is under the link's connect deadline: at the deadline, or when the
/// user changes his mind, the future is dropped. Any `FnMut(Attempt) -> Future` is a connector.
///
/// `T` is an open connection: the transport of a [`Codec`](crate::Codec).
pub trait Connector<T>: Send + 'static {
    /// Begins one attempt.
    ///
    /// Call [`Attempt::reached`] between transport and handshake, so that an unreachable host
    /// can be told from a silent one.
    fn connect(
        &mut self,
        attempt: Attempt,
    ) -> impl Future<Output = Result<T, Failure>> + Send + 'static;

    /// Asks whether the server is there, before the first dial, where the configuration has a
    /// preflight. By default it is.
    fn probe(&mut self) -> impl Future<Output = bool> + Send + 'static {
        std::future::ready(true)
    }
}

impl<F, Fut, T> Connector<T> for F
where
    F: FnMut(Attempt) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, Failure>> + Send + 'static,
{
    fn connect(
        &mut self,
        attempt: Attempt,
    ) -> impl Future<Output = Result<T, Failure>> + Send + 'static {
        self(attempt)
    }
}

/// One attempt to connect, as a connector sees it. Clones are the same attempt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The number of this dial since the last reset, from 1.
    pub number: u32,
    /// The last credentials were refused: fetch fresh ones.
    pub refresh: bool,
    /// The name of this attempt, for logs.
    pub epoch: Epoch,
    reached: Arc<AtomicBool>,
}

impl Attempt {
    pub(crate) fn new(number: u32, refresh: bool, epoch: Epoch) -> (Self, Arc<AtomicBool>) {
        let reached = Arc::new(AtomicBool::new(false));
        let attempt = Self {
            number,
            refresh,
            epoch,
            reached: Arc::clone(&reached),
        };
        (attempt, reached)
    }

    /// Tells the link that the transport is up and its handshake begins.
    pub fn reached(&self) {
        self.reached.store(true, Ordering::Relaxed);
    }
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What the link is told: the cause, and when the server would like to be dialled again.
    pub closure: Closure,
    /// The error in words, for people.
    pub detail: String,
}

impl Failure {
    /// A failure with the error in words.
    pub fn new(closure: impl Into<Closure>, detail: impl Into<String>) -> Self {
        Self {
            closure: closure.into(),
            detail: detail.into(),
        }
    }

    /// The address or the credentials could not be had.
    pub fn credentials(detail: impl Into<String>) -> Self {
        Self::new(Cause::Credentials, detail)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.closure.cause, self.detail)
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(cause_of_io(&error), error.to_string())
    }
}

/// What an error of the operating system means for a link.
pub fn cause_of_io(error: &std::io::Error) -> Cause {
    use std::io::ErrorKind as Kind;
    let socket = match error.kind() {
        // An end without a goodbye.
        Kind::UnexpectedEof => return Cause::Lost,
        Kind::InvalidData => return Cause::Protocol(ProtocolError::Frame),
        Kind::ConnectionRefused => SocketError::Refused,
        Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::NetworkDown
        | Kind::AddrNotAvailable => SocketError::Unreachable,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => SocketError::Reset,
        Kind::TimedOut => SocketError::TimedOut,
        Kind::PermissionDenied => SocketError::PermissionDenied,
        _ => SocketError::Other,
    };
    Cause::Socket(socket)
}
