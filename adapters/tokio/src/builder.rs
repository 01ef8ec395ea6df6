//! From a connector and a codec to one of the two faces.

use std::fmt;
use std::time::Duration;

use redial::rng::{Seed, Seeded};
use redial::{Config, Link};

use crate::clock::Clock;
use crate::codec::Codec;
use crate::connector::Connector;
use crate::engine::{Engine, Room};
use crate::handle::{self, Handle, Incoming};
use crate::reconnecting::{Options, Reconnecting};

/// Builds a link out of what makes connections and what speaks on them.
#[must_use]
pub struct Builder<C, D> {
    pub(crate) connector: C,
    pub(crate) codec: D,
    config: Config,
    seed: Option<Seed>,
    stream: u64,
    inbox: Room,
    start: bool,
    drain_within: Duration,
    keep_fates: bool,
}

impl<C, D> Builder<C, D>
where
    C: Connector<D::Transport>,
    D: Codec,
{
    /// Begins with the default configuration, seeded by the operating system.
    pub fn new(connector: C, codec: D) -> Self {
        Self {
            connector,
            codec,
            config: Config::default(),
            seed: None,
            stream: 0,
            inbox: Room {
                messages: 1024,
                bytes: 4 << 20,
            },
            start: true,
            drain_within: Duration::from_secs(5),
            keep_fates: false,
        }
    }

    /// How the link behaves.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Fixes the jitter by a number, for tests. By default it is the operating system's.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(Seed::from_number(seed));
        self
    }

    /// The key that the links of one process may share, and the number of this link under it.
    pub fn seed_stream(mut self, seed: Seed, stream: u64) -> Self {
        self.seed = Some(seed);
        self.stream = stream;
        self
    }

    /// How much is read ahead of the application: messages, default 1,024, and bytes, default
    /// 4 MiB; at least one message. A [`Handle`]'s receiver may hold as much again.
    pub fn inbox(mut self, messages: usize, bytes: usize) -> Self {
        self.inbox = Room {
            messages: messages.max(1),
            bytes: bytes.max(1),
        };
        self
    }

    /// Waits for `start` before the first dial.
    pub fn idle(mut self) -> Self {
        self.start = false;
        self
    }

    /// How long closing the sink of a [`Reconnecting`] writes out what is queued. Default 5 s.
    pub fn drain_within(mut self, within: Duration) -> Self {
        self.drain_within = within;
        self
    }

    /// Keeps fates for [`Reconnecting::take_fate`]. A message keeps its slot until its fate is
    /// taken.
    pub fn keep_fates(mut self) -> Self {
        self.keep_fates = true;
        self
    }

    /// Spawns a task that drives the link, and starts it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with time, and if the operating system has no randomness for
    /// a seed.
    pub fn spawn(self) -> (Handle<D::Message>, Incoming<D::Message>) {
        let rng = Seeded::new(self.seed.unwrap_or_else(random_seed), self.stream);
        let clock = Clock::start();
        let engine = Engine::new(self.connector, self.codec, clock);
        let link = Link::new(self.config, rng);
        handle::spawn(engine, link, clock, self.inbox, self.start)
    }

    /// The link as a stream and sink, started, driven by being polled.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness for a seed. Polling it panics outside of a
    /// tokio runtime with time.
    pub fn into_stream(self) -> Reconnecting<C, D> {
        let rng = Seeded::new(self.seed.unwrap_or_else(random_seed), self.stream);
        let clock = Clock::start();
        let engine = Engine::new(self.connector, self.codec, clock);
        let link = Link::new(self.config, rng);
        let options = Options {
            start: self.start,
            drain_within: self.drain_within,
            keep_fates: self.keep_fates,
        };
        Reconnecting::new(engine, link, clock, self.inbox, options)
    }
}

impl<C, D> fmt::Debug for Builder<C, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

#[expect(
    clippy::expect_used,
    reason = "without randomness clients dial in step, which is what this crate is against"
)]
fn random_seed() -> Seed {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    Seed::new(bytes)
}
