//! The one deadline that is armed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep};

/// A timer that is moved only when it would come too late: a deadline that moves on, as it does
/// with every inbound frame, costs nothing until the timer fires early.
#[derive(Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When it fires, while it is armed.
    armed: Option<Instant>,
}

impl Timer {
    /// Ready if the timer fired, early perhaps; pending if it will wake the task at or before
    /// `deadline`, or if there is none.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else {
            self.armed = None;
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if self.armed.is_none_or(|armed| deadline < armed) {
            sleep.as_mut().reset(deadline);
            self.armed = Some(deadline);
        }
        let fired = sleep.as_mut().poll(cx);
        if fired.is_ready() {
            self.armed = None;
        }
        fired
    }
}
