//! Requests as data: moved in time, carried into another process, read back.

use core::time::Duration;

use super::entry::Stage;
use super::event::Line;
use super::machine::Requests;
use crate::time::Instant;

impl<P> Requests<P> {
    /// The same requests, everything `later` by this. Requests that are shifted and then given
    /// shifted inputs do the same, shifted.
    #[must_use]
    pub fn shifted(mut self, later: Duration) -> Self {
        self.now = self.now + later;
        self.each_time(|at| at + later);
        self
    }

    /// The same requests for another process, in which it is `now`, and `elapsed` after the last
    /// input here: no connection, total deadlines going on, numbers never used again.
    ///
    /// What was sent is asked again on a fresh session, and only waited for on a resumed one, as
    /// after any outage.
    #[must_use]
    pub fn carried(mut self, now: Instant, elapsed: Duration) -> Self {
        let before = self.now;
        self.now = now;
        self.each_time(|at| now + at.since(before).saturating_sub(elapsed));
        if self.line == Line::Up {
            self.down();
        }
        self
    }

    fn each_time(&mut self, change: impl Fn(Instant) -> Instant) {
        for entry in self.pending.values_mut() {
            if let Stage::Sent { due } = &mut entry.stage {
                *due = change(*due);
            }
            entry.total = entry.total.map(&change);
        }
        self.index_deadlines();
    }
}

#[cfg(feature = "serde")]
pub(super) use self::saved::Saved;

#[cfg(feature = "serde")]
mod saved {
    //! What is read back: everything but what follows from the rest.

    use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

    use super::super::entry::{Entry, Kept, Stage};
    use super::super::event::{Line, Stats};
    use super::super::machine::Requests;
    use super::super::settings::{Settings, SettingsError};
    use crate::time::Instant;

    #[derive(serde::Deserialize)]
    #[serde(rename = "Requests", deny_unknown_fields)]
    pub(in crate::requests) struct Saved<P> {
        settings: Settings,
        now: Instant,
        line: Line,
        last: u64,
        pending: BTreeMap<u64, Entry<P>>,
        settled: VecDeque<Kept<P>>,
        stats: Stats,
    }

    impl<P> TryFrom<Saved<P>> for Requests<P> {
        type Error = SettingsError;

        /// Whatever was written there, the sets and sums that are made from it fit it.
        fn try_from(saved: Saved<P>) -> Result<Self, SettingsError> {
            let mut requests = Self::new(saved.settings)?;
            let newest = saved.pending.last_key_value().map_or(0, |(id, _)| *id);
            requests.last = saved.last.max(newest);
            requests.now = saved.now;
            requests.line = saved.line;
            requests.stats = saved.stats;
            let waits = |stage| matches!(stage, Stage::Waiting);
            let waiting = saved.pending.iter().filter(|(_, e)| waits(e.stage));
            requests.waiting = waiting.map(|(id, _)| *id).collect::<BTreeSet<_>>();
            let sizes = saved.pending.values().map(|entry| entry.size);
            let sizes = sizes.chain(saved.settled.iter().map(|kept| kept.size));
            requests.bytes = sizes.fold(0, usize::saturating_add);
            requests.pending = saved.pending;
            requests.settled = saved.settled;
            match requests.line {
                Line::Up => requests.index_deadlines(),
                Line::Down => requests.down(),
                Line::Closed => requests.close(),
            }
            Ok(requests)
        }
    }
}
