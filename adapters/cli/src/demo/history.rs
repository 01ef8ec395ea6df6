//! The phases that the link went through, and waiting for the next ones.

use redial::{Cause, Phase};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A phase that was entered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entered {
    pub(super) at: Instant,
    pub(super) phase: Phase,
    /// Why, where something ended.
    pub(super) cause: Option<Cause>,
}

/// Every phase so far, in order.
#[derive(Debug)]
pub(super) struct History(watch::Sender<Vec<Entered>>);

impl History {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }

    pub(super) fn enter(&self, at: Instant, phase: Phase, cause: Option<Cause>) {
        self.0
            .send_modify(|entered| entered.push(Entered { at, phase, cause }));
    }

    /// The first phase without messages that was entered after `begun`; `None` when `within`
    /// passed first.
    pub(super) async fn left(&self, begun: Instant, within: Duration) -> Option<Entered> {
        let left = |entered: &[Entered]| {
            let mut later = entered.iter().filter(|entered| entered.at >= begun);
            later
                .find(|entered| entered.phase != Phase::Connected)
                .copied()
        };
        self.find(within, left).await
    }

    /// Why connections and attempts ended since `begun`: each cause once, in order.
    pub(super) fn causes(&self, begun: Instant) -> Vec<Cause> {
        let mut causes = Vec::new();
        for entered in self.0.borrow().iter() {
            let waits = entered.at >= begun && entered.phase == Phase::Waiting;
            let cause = entered
                .cause
                .filter(|cause| waits && !causes.contains(cause));
            causes.extend(cause);
        }
        causes
    }

    /// When messages began to flow on the connection that then stayed for `stable`; `None` when
    /// `within` passed first.
    pub(super) async fn stable(&self, stable: Duration, within: Duration) -> Option<Instant> {
        let search = async {
            let mut changes = self.0.subscribe();
            loop {
                let connected = |entered: &Vec<Entered>| {
                    entered
                        .last()
                        .is_some_and(|last| last.phase == Phase::Connected)
                };
                let (count, since) = {
                    let entered = changes.wait_for(connected).await.ok()?;
                    (entered.len(), entered.last()?.at)
                };
                let until = tokio::time::Instant::from_std(since + stable);
                let next = changes.wait_for(|entered| entered.len() > count);
                if tokio::time::timeout_at(until, next).await.is_err() {
                    return Some(since);
                }
            }
        };
        tokio::time::timeout(within, search).await.ok().flatten()
    }

    async fn find<T>(&self, within: Duration, find: impl Fn(&[Entered]) -> Option<T>) -> Option<T> {
        let mut changes = self.0.subscribe();
        let found = changes.wait_for(|entered| find(entered).is_some());
        let entered = tokio::time::timeout(within, found).await.ok()?.ok()?;
        find(&entered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redial::cause::SocketError;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn finds_the_loss_and_the_stable_connection() {
        let history = History::new();
        history.enter(Instant::now(), Phase::Connected, None);
        let begun = Instant::now();
        assert!(history.left(begun, SHORT).await.is_none());
        let cause = Cause::Socket(SocketError::Reset);
        history.enter(Instant::now(), Phase::Waiting, Some(cause));
        history.enter(Instant::now(), Phase::Reconnecting, None);
        assert_eq!(history.left(begun, LONG).await.unwrap().cause, Some(cause));
        assert!(history.stable(SHORT, SHORT * 2).await.is_none());
        history.enter(Instant::now(), Phase::Waiting, Some(Cause::Http(503)));
        history.enter(Instant::now(), Phase::Waiting, Some(cause));
        assert_eq!(history.causes(begun), [cause, Cause::Http(503)]);
        assert_eq!(history.causes(Instant::now()), []);
        history.enter(Instant::now(), Phase::Connected, None);
        history.enter(Instant::now(), Phase::Waiting, None);
        let up = Instant::now();
        history.enter(Instant::now(), Phase::Connected, None);
        assert!(history.stable(SHORT, LONG).await.unwrap() >= up);
    }
}
