//! The machine: ask, send, answer, cancel, time out, close.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use super::entry::{Entry, Kept, Stage};
use super::event::{Event, Line, Stats};
use super::request::{
    Answer, Asking, Outcome, RefusedRequest, RefusedRequestReason, RequestId, RequestOptions,
    Settled,
};
use super::settings::{Settings, SettingsError};
use crate::backoff::Backoff;
use crate::outbox::Payload;
use crate::time::Instant;

/// The requests of one link; see the [module](super) for the loop.
///
/// Each operation takes time logarithmic in what is pending, but `Up`, `Down` and `Closed`,
/// which touch every request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "super::portable::Saved<P>")
)]
pub struct Requests<P> {
    pub(super) settings: Settings,
    /// The latest time that was seen.
    pub(super) now: Instant,
    pub(super) line: Line,
    /// The number of the last request, 0 for none.
    pub(super) last: u64,
    pub(super) pending: BTreeMap<u64, Entry<P>>,
    pub(super) settled: VecDeque<Kept<P>>,
    pub(super) stats: Stats,
    /// Who is to be sent: those of `pending` that wait.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) waiting: BTreeSet<u64>,
    /// The first deadline of each of `pending` that has one.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) deadlines: BTreeSet<(Instant, u64)>,
    /// Bytes of the payloads in `pending` and `settled`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) bytes: usize,
}

impl<P> Default for Requests<P> {
    fn default() -> Self {
        Self::checked(Settings::default())
    }
}

impl<P> Requests<P> {
    /// None yet, and no connection.
    ///
    /// # Errors
    ///
    /// The first rule that the settings break, with the offending values.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self::checked(settings))
    }

    fn checked(settings: Settings) -> Self {
        Self {
            settings,
            now: Instant::ORIGIN,
            line: Line::Down,
            last: 0,
            pending: BTreeMap::new(),
            settled: VecDeque::new(),
            stats: Stats::default(),
            waiting: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            bytes: 0,
        }
    }

    /// Applies one event, then every deadline that `now` has passed, in their order.
    ///
    /// Total: any event, at any time. A `now` before the latest one seen counts as that one.
    /// Feed all readable input before a `Tick`: a late tick with an answer in hand must not
    /// declare it missing.
    pub fn handle(&mut self, now: Instant, event: Event) {
        self.now = self.now.max(now);
        match event {
            Event::Tick => {}
            Event::Up { fresh } => self.up(fresh),
            Event::Down => self.down(),
            Event::Closed => self.close(),
        }
        self.fire();
    }

    /// Accepts a request: it is sent once there is a connection, after those before it.
    ///
    /// # Errors
    ///
    /// Refused, with the payload: the link is closed, or there is no room.
    pub fn ask(
        &mut self,
        now: Instant,
        payload: P,
        options: RequestOptions,
    ) -> Result<RequestId, RefusedRequest<P>>
    where
        P: Payload,
    {
        self.now = self.now.max(now);
        let size = payload.size();
        let id = match self.room(size) {
            Ok(id) => id,
            Err(reason) => return Err(RefusedRequest { reason, payload }),
        };
        let settings = &self.settings;
        let timeout = options.timeout.unwrap_or(settings.timeout);
        let total = options.total.or(settings.total);
        let entry = Entry {
            payload,
            size,
            stage: Stage::Waiting,
            attempt: 1,
            max_attempts: options.max_attempts.unwrap_or(settings.max_attempts),
            timeout: timeout.min(Backoff::LONGEST),
            total: total.map(|total| self.now + total.min(Backoff::LONGEST)),
            sent: false,
        };
        if let Some(at) = entry.deadline() {
            self.deadlines.insert((at, id));
        }
        self.last = id;
        self.waiting.insert(id);
        self.bytes = self.bytes.saturating_add(size);
        self.stats.asked = self.stats.asked.wrapping_add(1);
        self.pending.insert(id, entry);
        Ok(RequestId(id))
    }

    /// The next request to send, the oldest first; none while there is no connection.
    ///
    /// Encode it, hand it over, say [`sent`](Self::sent), until this gives `None` or nobody
    /// takes more. It gives the same one until then.
    pub fn poll_send(&self) -> Option<Asking<'_, P>> {
        if self.line != Line::Up {
            return None;
        }
        let id = *self.waiting.first()?;
        let entry = self.pending.get(&id)?;
        Some(Asking {
            id: RequestId(id),
            attempt: entry.attempt,
            resent: entry.sent,
            payload: &entry.payload,
        })
    }

    /// The request was sent on the connection that is up: its attempt begins.
    ///
    /// False, and nothing changes, where it does not wait to be sent or nothing is up.
    pub fn sent(&mut self, now: Instant, id: RequestId) -> bool {
        self.now = self.now.max(now);
        if self.line != Line::Up || !self.waiting.remove(&id.0) {
            return false;
        }
        let begun = self.now;
        self.change(id.0, |entry| {
            entry.sent = true;
            entry.stage = Stage::Sent {
                due: begun + entry.timeout,
            };
        });
        self.stats.sent = self.stats.sent.wrapping_add(1);
        true
    }

    /// An answer came in that names this request, on whatever connection: the first one settles
    /// it, and its payload comes back.
    ///
    /// A deadline that has passed without a [`Tick`](Event::Tick) does not count against it.
    pub fn answer(&mut self, now: Instant, id: RequestId) -> Answer<P> {
        self.now = self.now.max(now);
        // Nobody can answer what was not asked: a peer that guesses settles nothing.
        let asked = self.pending.get(&id.0).map(|entry| entry.sent);
        let answered = if asked == Some(true) {
            self.remove(id.0)
        } else {
            None
        };
        if let Some(entry) = answered {
            self.bytes = self.bytes.saturating_sub(entry.size);
            self.stats.answered = self.stats.answered.wrapping_add(1);
            Answer::Answered(entry.payload)
        } else if asked.is_none() && (1..=self.last).contains(&id.0) {
            self.stats.late = self.stats.late.wrapping_add(1);
            Answer::Late
        } else {
            self.stats.unknown = self.stats.unknown.wrapping_add(1);
            Answer::Unknown
        }
    }

    /// The user no longer wants the answer: settled, and the payload comes back. `None` where it
    /// is settled already or never was.
    pub fn cancel(&mut self, id: RequestId) -> Option<P> {
        let entry = self.remove(id.0)?;
        self.bytes = self.bytes.saturating_sub(entry.size);
        self.stats.cancelled = self.stats.cancelled.wrapping_add(1);
        Some(entry.payload)
    }

    /// What became of a request that nobody answered or cancelled: the oldest outcome not yet
    /// taken. Taking it frees its room.
    pub fn poll_outcome(&mut self) -> Option<Settled<P>> {
        let kept = self.settled.pop_front()?;
        self.bytes = self.bytes.saturating_sub(kept.size);
        Some(kept.settled)
    }

    /// When to come back with a [`Tick`](Event::Tick) if nothing else happens; `None` while
    /// only input can change anything.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// How many are not settled.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// How many outcomes nobody has taken yet.
    pub fn outcomes(&self) -> usize {
        self.settled.len()
    }

    /// The bytes of payload that are held, in requests and in outcomes not yet taken.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The payload of a request that is not settled.
    pub fn get(&self, id: RequestId) -> Option<&P> {
        self.pending.get(&id.0).map(|entry| &entry.payload)
    }

    /// What happened so far.
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// The settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The number for a request of this size, if it may come in.
    fn room(&self, size: usize) -> Result<u64, RefusedRequestReason> {
        let limit = self.settings.bytes;
        let held = self.pending.len().saturating_add(self.settled.len());
        if self.line == Line::Closed {
            Err(RefusedRequestReason::Closed)
        } else if size > limit {
            Err(RefusedRequestReason::TooLarge { size, limit })
        } else if held >= self.settings.requests || self.bytes.saturating_add(size) > limit {
            Err(RefusedRequestReason::Full)
        } else {
            // After 2^64 requests there is no name for another.
            self.last.checked_add(1).ok_or(RefusedRequestReason::Full)
        }
    }

    fn up(&mut self, fresh: bool) {
        self.line = Line::Up;
        for (id, entry) in &mut self.pending {
            match entry.stage {
                Stage::Waiting => {}
                Stage::Sent { .. } | Stage::Paused if fresh => {
                    entry.stage = Stage::Waiting;
                    self.waiting.insert(*id);
                }
                Stage::Sent { .. } | Stage::Paused => {
                    entry.stage = Stage::Sent {
                        due: self.now + entry.timeout,
                    };
                }
            }
        }
        self.index_deadlines();
    }

    pub(super) fn down(&mut self) {
        self.line = Line::Down;
        for entry in self.pending.values_mut() {
            if let Stage::Sent { .. } = entry.stage {
                entry.stage = Stage::Paused;
            }
        }
        self.index_deadlines();
    }

    pub(super) fn close(&mut self) {
        self.line = Line::Closed;
        self.waiting.clear();
        self.deadlines.clear();
        while let Some((id, entry)) = self.pending.pop_first() {
            self.settle(id, entry, Outcome::Closed);
        }
    }

    /// Every deadline that has passed, in the order of time and then of age. Each ends an
    /// attempt or a request, so the loop ends.
    fn fire(&mut self) {
        while let Some((at, id)) = self.deadlines.first().copied() {
            if at > self.now {
                return;
            }
            // First of all, so that the loop ends whatever follows.
            self.deadlines.remove(&(at, id));
            let spent = match self.pending.get(&id) {
                Some(entry) if entry.total == Some(at) => Some(Outcome::TimeSpent),
                Some(entry) if entry.attempt >= entry.max_attempts => Some(Outcome::AttemptsSpent),
                _ => None,
            };
            if let Some(outcome) = spent {
                if let Some(entry) = self.remove(id) {
                    self.settle(id, entry, outcome);
                }
                continue;
            }
            let settings = self.settings;
            self.change(id, |entry| {
                entry.stage = Stage::Waiting;
                entry.attempt = entry.attempt.saturating_add(1);
                entry.timeout = settings.after(entry.timeout);
            });
            self.waiting.insert(id);
        }
    }

    /// Changes an entry, and its place among the deadlines.
    fn change(&mut self, id: u64, change: impl FnOnce(&mut Entry<P>)) {
        let Some(entry) = self.pending.get_mut(&id) else {
            return;
        };
        let before = entry.deadline();
        change(entry);
        let after = entry.deadline();
        if before != after {
            if let Some(at) = before {
                self.deadlines.remove(&(at, id));
            }
            if let Some(at) = after {
                self.deadlines.insert((at, id));
            }
        }
    }

    /// Takes an entry out of `pending` and all that points there.
    fn remove(&mut self, id: u64) -> Option<Entry<P>> {
        let entry = self.pending.remove(&id)?;
        self.waiting.remove(&id);
        if let Some(at) = entry.deadline() {
            self.deadlines.remove(&(at, id));
        }
        Some(entry)
    }

    /// Keeps the outcome of an entry that was taken out.
    fn settle(&mut self, id: u64, entry: Entry<P>, outcome: Outcome) {
        let count = match outcome {
            Outcome::AttemptsSpent => &mut self.stats.attempts_spent,
            Outcome::TimeSpent => &mut self.stats.time_spent,
            Outcome::Closed => &mut self.stats.closed,
        };
        *count = count.wrapping_add(1);
        self.settled.push_back(Kept {
            size: entry.size,
            settled: Settled {
                id: RequestId(id),
                outcome,
                sent: entry.sent,
                payload: entry.payload,
            },
        });
    }

    /// Finds all deadlines anew.
    pub(super) fn index_deadlines(&mut self) {
        let found = self.pending.iter();
        self.deadlines = found
            .filter_map(|(id, entry)| Some((entry.deadline()?, *id)))
            .collect();
    }
}
