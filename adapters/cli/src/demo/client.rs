//! The client of the demonstration: a real link that sends all the time, and is listened to.

use super::account::{Account, Told};
use super::history::History;
use super::pace::{BETWEEN_MESSAGES, Pace};
use super::process::Shared;
use super::ticks::{Heard, Ticks};
use crate::link::{self, Message};
use redial::{Fate, MessageId, Outcome, Phase, Status};
use redial_tokio::{Fates, Handle, Incoming, Received};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How long the rest may take to be written and acknowledged at the end.
const DRAIN: Duration = Duration::from_secs(5);

/// A link, and what is known of it.
pub(super) struct Client {
    handle: Handle<Message>,
    account: Shared,
    pub(super) history: History,
    // Which number each message carries that has no fate yet.
    numbers: RefCell<HashMap<MessageId, u64>>,
    ticks: RefCell<Ticks>,
    // Messages that were not acknowledged when the link was last seen connected.
    under_way: Cell<u64>,
    sending: Cell<bool>,
}

/// What the link tells, to be listened to by [`Client::work`].
pub(super) struct Ears {
    incoming: Incoming<Message>,
    fates: Fates<Message>,
    status: watch::Receiver<Status>,
}

impl Client {
    /// Starts to dial.
    pub(super) fn start(
        url: &str,
        pace: &Pace,
        seed: u64,
        account: Shared,
    ) -> io::Result<(Self, Ears)> {
        let (handle, incoming) = link::open(url, &[], pace.config()?, Some(seed))?;
        let ears = Ears {
            incoming,
            fates: handle.fates(),
            status: handle.watch(),
        };
        let client = Self {
            handle,
            account,
            history: History::new(),
            numbers: RefCell::default(),
            ticks: RefCell::default(),
            under_way: Cell::new(0),
            sending: Cell::new(true),
        };
        Ok((client, ears))
    }

    /// Sends and listens for ever.
    pub(super) async fn work(&self, ears: Ears) {
        let Ears {
            mut incoming,
            mut fates,
            mut status,
        } = ears;
        let send = async {
            let mut beat = interval(BETWEEN_MESSAGES);
            beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
            loop {
                beat.tick().await;
                self.send();
            }
        };
        let fates = async {
            while let Some(fate) = fates.recv().await {
                self.settle(&fate);
            }
        };
        let phases = async {
            loop {
                let now = *status.borrow_and_update();
                self.enter(now);
                if status.changed().await.is_err() {
                    break;
                }
            }
        };
        let ears = async {
            while let Some(received) = incoming.recv_told().await {
                self.hear(received);
            }
        };
        tokio::join!(send, fates, phases, ears);
    }

    /// Sends no more, waits until the rest is acknowledged and closes; whether nothing was left.
    pub(super) async fn finish(&self) -> bool {
        self.sending.set(false);
        let left = self.handle.drain(DRAIN).await;
        let deadline = Instant::now() + DRAIN;
        while !self.numbers.borrow().is_empty() && Instant::now() < deadline {
            sleep(Duration::from_millis(5)).await;
        }
        left.is_empty() && self.handle.status().phase == Phase::Closed
    }

    pub(super) fn status(&self) -> Status {
        self.handle.status()
    }

    /// How long until the next dial, while one is waited for.
    pub(super) fn next_attempt(&self) -> Option<Duration> {
        let at = self.handle.status().next_attempt_at?;
        Some(at.since(self.handle.now()))
    }

    pub(super) fn dials(&self) -> u64 {
        self.handle.stats().dials
    }

    /// Messages that are accepted and not acknowledged.
    pub(super) fn unacknowledged(&self) -> u64 {
        let status = self.handle.status();
        (status.queued + status.in_flight) as u64
    }

    /// As many as there were when the link was last seen connected: what was at stake when that
    /// connection ended.
    pub(super) fn under_way(&self) -> u64 {
        self.under_way.get()
    }

    /// How often the session was resumed, and how often a fresh one began.
    pub(super) fn sessions(&self) -> (u64, u64) {
        let stats = self.handle.stats();
        (stats.resumed, stats.fresh)
    }

    /// What the server has sent.
    pub(super) fn heard(&self) -> Heard {
        self.ticks.borrow().total()
    }

    fn send(&self) {
        if !self.sending.get() {
            return;
        }
        let mut account = self.account();
        let number = account.next();
        // A refused message is none: the number is used again.
        if let Ok(id) = self.handle.try_send(Message::text(number.to_string())) {
            account.accepted();
            self.numbers.borrow_mut().insert(id, number);
        }
        drop(account);
        if self.handle.status().phase == Phase::Connected {
            self.under_way.set(self.unacknowledged());
        }
    }

    fn hear(&self, received: Received<Message>) {
        match received {
            Received::Message(message) => self.ticks.borrow_mut().heard(message.as_bytes()),
            // The numbers of the messages tell it too.
            Received::Gap(_) => {}
            Received::Session(resumption) => {
                self.ticks.borrow_mut().session(&resumption);
                self.account().resumption(&resumption);
            }
        }
    }

    fn settle(&self, fate: &Fate<Message>) {
        let told = match fate.outcome {
            Outcome::Acked => Told::Acked,
            Outcome::Unknown => Told::Unknown,
            _ => Told::Unsent,
        };
        // A name that was never given has no number: that does not add up.
        let number = self.numbers.borrow_mut().remove(&fate.id).unwrap_or(0);
        self.account().told(number, told);
    }

    fn enter(&self, status: Status) {
        let ago = self.handle.now().since(status.since);
        let cause = status.last_cause;
        let now = Instant::now();
        self.history
            .enter(now.checked_sub(ago).unwrap_or(now), status.phase, cause);
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
