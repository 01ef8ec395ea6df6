//! What makes a connection: called anew for every attempt.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redial::Epoch;

pub use redial_adapter::{Failure, cause_of_io};

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
