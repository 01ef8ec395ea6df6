//! What a handle tells of its store.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use redial::{MessageId, Payload};
use redial_store::{Failure, Report};

use crate::handle::Handle;

/// How far the store is, for those who wait.
#[derive(Clone, Debug)]
pub(in crate::handle) struct Told {
    pub(super) message: u64,
    pub(super) failed: Option<Failure>,
    /// The log is closed, and may be opened again.
    pub(super) closed: bool,
}

/// Why a message is not stored, and never will be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NotStored {
    /// The link has no store.
    NoStore,
    /// It was not given to the store: it is volatile, or no message of this link.
    NotKept,
    /// The link is over, and with it the store.
    Closed,
    /// The disk has failed.
    Failed(Failure),
}

impl fmt::Display for NotStored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStore => f.write_str("the link has no store; give its builder one"),
            Self::NotKept => f.write_str("the message is none that the store was given"),
            Self::Closed => f.write_str("the link is over, and its store is closed"),
            Self::Failed(failure) => fmt::Display::fmt(failure, f),
        }
    }
}

impl std::error::Error for NotStored {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

/// With the feature `store`, for a link whose builder was given [one](crate::Builder::store).
impl<M: Payload + Send + 'static> Handle<M> {
    /// Waits until the store has this message, as far as its
    /// [`SyncPolicy`](redial_store::SyncPolicy) promises: from then on it outlives the process.
    ///
    /// `send` alone says that it is accepted. A volatile message is never stored: what this says
    /// of one is that all before it is, or [`NotStored::NotKept`]. Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`NotStored`], if it never will be.
    pub fn stored(
        &self,
        id: MessageId,
    ) -> impl Future<Output = Result<(), NotStored>> + Send + use<M> {
        let id = id.number();
        let watch = match &self.shared().lock().books {
            None => Err(NotStored::NoStore),
            Some(books) if id > books.accepted => Err(NotStored::NotKept),
            Some(books) => Ok(books.watch()),
        };
        async move {
            let mut watch = watch?;
            let settled = |it: &Told| it.message >= id || it.closed || it.failed.is_some();
            let told = watch.wait_for(settled).await;
            let Ok(told) = told.map(|told| told.clone()) else {
                return Err(NotStored::Closed);
            };
            if told.message >= id {
                return Ok(());
            }
            Err(told.failed.map_or(NotStored::Closed, NotStored::Failed))
        }
    }

    /// What was found in the log when it was opened; `None` without a store.
    pub fn recovery(&self) -> Option<Arc<Report>> {
        let inner = self.shared().lock();
        inner.books.as_ref().map(|books| books.report())
    }

    /// Drops this handle, and waits until the link is over and its log closed in order. While
    /// there are other handles, that waits for them.
    ///
    /// What is queued stays in the log, for the next process; to have it back, or written out,
    /// [disconnect](Self::disconnect) or [drain](Self::drain) first. A handle that is simply
    /// dropped leads to the same end, a little later: a process that ends meanwhile, or opens the
    /// log anew, is too early. Returns at once without a store.
    ///
    /// Cancel-safe: it all goes on when the future is dropped.
    ///
    /// # Errors
    ///
    /// The disk failed, now or before.
    pub async fn finish(self) -> Result<(), Failure> {
        let watch = self.shared().lock().books.as_ref().map(|it| it.watch());
        drop(self);
        let Some(mut watch) = watch else {
            return Ok(());
        };
        let told = watch.wait_for(|told| told.closed).await;
        match told.ok().and_then(|told| told.failed.clone()) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}
