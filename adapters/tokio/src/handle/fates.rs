//! What became of sent messages, for who wants to know.

use std::sync::Arc;

use redial::{Fate, Payload};

use super::shared::Shared;

/// Receives the fates of sent messages.
///
/// A message keeps its slot in the queue until its fate is received here.
pub struct Fates<M: Payload + 'static> {
    shared: Arc<Shared<M>>,
}

impl<M: Payload + 'static> Fates<M> {
    pub(super) fn new(shared: Arc<Shared<M>>) -> Self {
        let mut inner = shared.lock();
        if !std::mem::take(&mut inner.expects_listener) {
            inner.listeners += 1;
        }
        drop(inner);
        Self { shared }
    }

    /// The next fate, oldest first; `None` when there is no link any more that could decide one.
    ///
    /// Cancel-safe: no fate is lost when the future is dropped.
    pub async fn recv(&mut self) -> Option<Fate<M>> {
        if let Some(fate) = self.try_recv() {
            return Some(fate);
        }
        loop {
            let told = self.shared.told.notified();
            tokio::pin!(told);
            // What is decided between the look and the wait counts.
            told.as_mut().enable();
            let over = {
                let mut inner = self.shared.lock();
                if let Some(fate) = inner.take_fate() {
                    drop(inner);
                    self.shared.room.notify_waiters();
                    return Some(fate);
                }
                inner.is_over()
            };
            if over {
                return None;
            }
            told.await;
        }
    }

    /// The next fate if one is decided already.
    pub fn try_recv(&mut self) -> Option<Fate<M>> {
        let fate = self.shared.lock().take_fate();
        if fate.is_some() {
            self.shared.room.notify_waiters();
        }
        fate
    }
}

impl<M: Payload + 'static> Drop for Fates<M> {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.listeners -= 1;
        if inner.listeners == 0 {
            inner.discard();
            drop(inner);
            self.shared.room.notify_waiters();
        }
    }
}

impl<M: Payload + 'static> std::fmt::Debug for Fates<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fates").finish_non_exhaustive()
    }
}

impl<M: Payload + 'static> Shared<M> {
    /// Keeps fates in the link until the guard is dropped.
    pub(super) fn collect(self: &Arc<Self>) -> Collecting<M> {
        self.lock().collectors += 1;
        Collecting(Arc::clone(self))
    }
}

/// While it lives, fates that a drain waits for stay in the link.
pub(super) struct Collecting<M: Payload + 'static>(Arc<Shared<M>>);

impl<M: Payload + 'static> Drop for Collecting<M> {
    fn drop(&mut self) {
        self.0.lock().collectors -= 1;
        self.0.told.notify_waiters();
    }
}
