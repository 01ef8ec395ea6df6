//! The answer to a request, as a future.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use redial::Payload;
use redial::requests::RequestId;
use redial_adapter::RequestFailed;

use super::shared::Shared;

/// Waits for the answer to a request.
///
/// It is asked from the moment in which this was made, whether it is polled or not, and as long
/// as this lives. It always ends: with the answer, at the last deadline, or with the link, also
/// where that fails, or its last handle or its runtime is dropped.
#[must_use = "a request whose future is dropped is cancelled"]
pub struct Reply<M: Payload + 'static>(State<M>);

enum State<M: Payload + 'static> {
    Failed(RequestFailed<M>),
    Waiting(Arc<Shared<M>>, RequestId),
    Done,
}

impl<M: Payload + 'static> Reply<M> {
    pub(super) const fn failed(failed: RequestFailed<M>) -> Self {
        Self(State::Failed(failed))
    }

    pub(super) const fn waiting(shared: Arc<Shared<M>>, id: RequestId) -> Self {
        Self(State::Waiting(shared, id))
    }
}

impl<M: Payload + 'static> Future for Reply<M> {
    type Output = Result<M, RequestFailed<M>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match std::mem::replace(&mut self.0, State::Done) {
            State::Failed(failed) => Poll::Ready(Err(failed)),
            State::Waiting(shared, id) => {
                if let Some(outcome) = shared.look(id, cx.waker()) {
                    return Poll::Ready(outcome);
                }
                self.0 = State::Waiting(shared, id);
                Poll::Pending
            }
            State::Done => Poll::Pending,
        }
    }
}

impl<M: Payload + 'static> Drop for Reply<M> {
    fn drop(&mut self) {
        if let State::Waiting(shared, id) = &self.0 {
            shared.forget(*id);
        }
    }
}

// Messages are moved, never pinned.
impl<M: Payload + 'static> Unpin for Reply<M> {}

impl<M: Payload + 'static> std::fmt::Debug for Reply<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}
