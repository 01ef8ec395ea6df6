//! The outages, one after the other, and how each is made.

use super::account::Account;
use super::client::Client;
use super::history::History;
use super::pace::{BETWEEN_MESSAGES, Pace};
use super::process::{Process, Shared};
use super::store::Place;
use redial::{Cause, Phase};
use redial_faults::{Mode, Proxy, http_answer};
use std::io;
use std::net::SocketAddr;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long the link may take to notice an outage, or to come back from it.
const PATIENCE: Duration = Duration::from_secs(20);
/// The link counts from a moment that is a little later than ours.
const MARGIN: Duration = Duration::from_millis(50);
/// Messages that have reached the server and are not acknowledged when it loses its store: about
/// half of those that come in before it acknowledges them.
const UNACKNOWLEDGED: u64 = 3;
/// How long a connection lives in the storm.
const BETWEEN_RESETS: Duration = Duration::from_millis(150);

/// An outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Restart,
    ResetStorm,
    NoCloseFrame,
    BlackHole,
    StalledHandshake,
    Busy,
    AcceptThenDrop,
    Wipe,
}

impl Fault {
    /// All of them, in the order of the script.
    pub(super) const ALL: [Self; 8] = [
        Self::Restart,
        Self::ResetStorm,
        Self::NoCloseFrame,
        Self::BlackHole,
        Self::StalledHandshake,
        Self::Busy,
        Self::AcceptThenDrop,
        Self::Wipe,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart, store kept",
            Self::ResetStorm => "reset storm",
            Self::NoCloseFrame => "no close frame",
            Self::BlackHole => "black hole",
            Self::StalledHandshake => "stalled handshake",
            Self::Busy => "503, Retry-After",
            Self::AcceptThenDrop => "accept, then drop",
            Self::Wipe => "restart, store wiped",
        }
    }

    /// What happens, for somebody who sees it for the first time.
    pub(super) fn story(self) -> &'static str {
        match self {
            Self::Restart => "the server's process is killed, and started again with its sessions",
            Self::ResetStorm => "every connection is reset after 150 ms",
            Self::NoCloseFrame => "the connection ends without a goodbye",
            Self::BlackHole => "no packet comes or goes, and nobody says so",
            Self::StalledHandshake => "the server accepts, and never answers the handshake",
            Self::Busy => "the server is overloaded and asks to come back in 1 s",
            Self::AcceptThenDrop => "the server accepts, and drops the connection after 5 ms",
            Self::Wipe => "the server is killed, and started again without its sessions",
        }
    }
}

/// What one outage did.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) fault: Fault,
    /// From its beginning until the link knew.
    pub(super) detected: Option<Duration>,
    /// What the link took it for, first and later.
    pub(super) causes: Vec<Cause>,
    /// From its end until messages flowed on a connection that then proved stable.
    pub(super) recovered: Option<Duration>,
    /// Dials from its beginning until then.
    pub(super) dials: u64,
    /// Messages that were not acknowledged when the link knew, all of them at stake.
    pub(super) in_flight: u64,
    /// Connections since its beginning on which the session went on, and on which a fresh one
    /// began.
    pub(super) sessions: (u64, u64),
    /// The first message that was sent in it.
    pub(super) from: u64,
    /// Messages of its time that did not arrive; known at the very end.
    pub(super) missing: u64,
}

/// Where the script is played.
pub(super) struct Stage {
    pub(super) pace: Pace,
    pub(super) proxy: Proxy,
    /// `None` only while it is away.
    pub(super) server: Option<Process>,
    pub(super) store: Place,
    pub(super) account: Shared,
}

impl Stage {
    /// Waits until the link is connected and stable; false when that takes too long.
    pub(super) async fn calm(&self, history: &History) -> bool {
        self.stable(history).await.is_some()
    }

    /// Plays one outage to its end; `noticed` is called as soon as the link knows of it.
    pub(super) async fn play(
        &mut self,
        fault: Fault,
        client: &Client,
        noticed: impl Fn(Duration, Option<Cause>),
    ) -> io::Result<Outcome> {
        let history = &client.history;
        let (dials, sessions) = (client.dials(), client.sessions());
        // What was on its way is of its time too. Since the last outage it was calm for longer.
        let under_way = self.pace.stable_after.as_millis() / 2 / BETWEEN_MESSAGES.as_millis();
        let under_way = u64::try_from(under_way).unwrap_or(0);
        let from = self.account().next().saturating_sub(under_way);
        if fault == Fault::Wipe {
            self.fill_the_void(client).await?;
        }
        let begun = Instant::now();
        let detection = async {
            let left = history.left(begun, PATIENCE).await?;
            noticed(left.at - begun, left.cause);
            Some((left, client.under_way()))
        };
        let (over, left) = tokio::join!(self.cause(fault, begun, history), detection);
        let over = over?;
        let up = match left {
            Some(_) => self.stable(history).await,
            None => None,
        };
        self.account().wiping(false);
        let (resumed, fresh) = client.sessions();
        Ok(Outcome {
            fault,
            detected: left.map(|(left, _)| left.at - begun),
            causes: history.causes(begun),
            recovered: up.map(|up| up.saturating_duration_since(over)),
            dials: client.dials() - dials,
            in_flight: left.map_or(0, |(_, in_flight)| in_flight),
            sessions: (resumed - sessions.0, fresh - sessions.1),
            from,
            missing: 0,
        })
    }

    pub(super) fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn stable(&self, history: &History) -> Option<Instant> {
        let long_enough = self.pace.stable_after + MARGIN;
        history.stable(long_enough, PATIENCE).await
    }

    /// Makes the fault and ends it; when it was over.
    async fn cause(
        &mut self,
        fault: Fault,
        begun: Instant,
        history: &History,
    ) -> io::Result<Instant> {
        let Self { pace, proxy, .. } = self;
        match fault {
            Fault::Restart => {
                // As on a machine whose server is gone: a connect is refused.
                proxy.set(Mode::Refuse);
                self.restart().await?;
            }
            Fault::Wipe => self.restart_wiped().await?,
            Fault::ResetStorm => {
                proxy.set(Mode::ResetAfter {
                    after: BETWEEN_RESETS,
                });
                sleep(pace.storm).await;
            }
            Fault::NoCloseFrame => proxy.close_all(),
            Fault::BlackHole => {
                proxy.set(Mode::BlackHole);
                history.left(begun, PATIENCE).await;
                sleep(pace.hole).await;
                // What was swallowed does not come out again.
                proxy.reset_all();
            }
            Fault::StalledHandshake => {
                proxy.set(Mode::StallHandshake);
                proxy.reset_all();
                sleep(pace.stall).await;
            }
            Fault::Busy => {
                let hint = [("Retry-After", "1")];
                let answer = http_answer(503, "Service Unavailable", &hint, "");
                let enough = proxy.accepted() + pace.refusals;
                proxy.set(Mode::Answer(answer));
                proxy.reset_all();
                let deadline = begun + PATIENCE;
                // What is open when the mode is left is answered as the mode says.
                while proxy.accepted() < enough && Instant::now() < deadline {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            Fault::AcceptThenDrop => {
                proxy.set(Mode::AcceptThenDrop {
                    after: Duration::from_millis(5),
                });
                sleep(pace.drops).await;
            }
        }
        self.proxy.set(Mode::Pass);
        Ok(Instant::now())
    }

    /// Cuts the connection off without a word, so that there is something under way when the
    /// server loses its store: a few messages that have reached the server and are not yet
    /// acknowledged, and then some that go into the void.
    async fn fill_the_void(&mut self, client: &Client) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let until = async |enough: u64| {
            let is_up = || client.status().phase == Phase::Connected;
            while client.unacknowledged() < enough && is_up() && Instant::now() < deadline {
                sleep(Duration::from_millis(1)).await;
            }
        };
        until(UNACKNOWLEDGED).await;
        self.proxy.set(Mode::BlackHoleSwallow);
        // More than this can't be acknowledged any more.
        until(client.unacknowledged() + self.pace.void).await;
        // What did arrive is to be counted before the kill.
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        let counting = tokio::task::spawn_blocking(move || server.count().map(|_| server));
        self.server = Some(counting.await??);
        Ok(())
    }

    /// As [`restart`](Self::restart), with nothing in the store.
    async fn restart_wiped(&mut self) -> io::Result<()> {
        self.account().wiping(true);
        if let Some(server) = self.server.take() {
            let address = server.address;
            tokio::task::spawn_blocking(|| server.kill()).await??;
            // Not before: what was swallowed is missing on a connection that passes again.
            self.proxy.set(Mode::Refuse);
            self.proxy.reset_all();
            self.store.wipe()?;
            self.start_later(address).await?;
        }
        Ok(())
    }

    /// Kills the server's process; a new one takes its address and its store later.
    async fn restart(&mut self) -> io::Result<()> {
        if let Some(server) = self.server.take() {
            let address = server.address;
            tokio::task::spawn_blocking(|| server.kill()).await??;
            self.start_later(address).await?;
        }
        Ok(())
    }

    async fn start_later(&mut self, address: SocketAddr) -> io::Result<()> {
        sleep(self.pace.away).await;
        let (store, account) = (self.store.path().to_owned(), Shared::clone(&self.account));
        let starting =
            tokio::task::spawn_blocking(move || Process::start(address, &store, &account));
        self.server = Some(starting.await??);
        Ok(())
    }
}
