//! From a connector and a codec to one of the two faces.

use std::fmt;
use std::time::Duration;

use redial::outbox::Limits;
use redial::requests::Requests;
use redial::rng::{Seed, Seeded};
use redial::{Carryover, Config, Link, Payload};
use redial_adapter::{Books, Correlate, Handshake, Protocol, with_ready_deadline};

use crate::clock::Clock;
use crate::codec::Codec;
use crate::connector::Connector;
use crate::engine::{Engine, Greeter, Room, Speaker, TokioLink};
use crate::handle::{self, Asking, Handle, Incoming, Wishes};
use crate::reconnecting::{Options, Reconnecting};

/// Builds a link out of what makes connections and what speaks on them.
#[must_use]
pub struct Builder<C, D: Codec> {
    pub(crate) connector: C,
    pub(crate) codec: D,
    handshake: Option<Greeter<D::Message>>,
    protocol: Option<Speaker<D::Message>>,
    asking: Option<Asking<D::Message>>,
    config: Config,
    seed: Option<Seed>,
    stream: u64,
    inbox: Room,
    start: bool,
    drain_within: Duration,
    keep_fates: bool,
    store: Option<Left<D::Message>>,
    #[cfg(feature = "store")]
    report: Option<redial_store::Report>,
}

/// The books of a link, and what a process before this one has left in them.
type Left<M> = (Box<dyn Books<M>>, Carryover<M>);

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
            handshake: None,
            protocol: None,
            asking: None,
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
            store: None,
            #[cfg(feature = "store")]
            report: None,
        }
    }

    /// How the link behaves.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// What is said on each new connection before messages flow: a login, a hello, an init and
    /// its acknowledgement. Default nothing.
    ///
    /// It is under the configuration's
    /// [`ready_deadline`](redial::config::Builder::ready_deadline); where that has none, under one
    /// as long as its [`connect_deadline`](redial::config::Builder::connect_deadline). Without a
    /// handshake or a [`protocol`](Self::protocol) here `ready_deadline` has no use: ready follows
    /// opened at once.
    pub fn handshake(mut self, handshake: impl Handshake<D::Message>) -> Self {
        self.handshake = Some(Box::new(handshake));
        self
    }

    /// What the two ends speak, where it is more than the application's messages: sequences and
    /// acknowledgements, heartbeats, a handshake of its own. Default nothing.
    ///
    /// It begins after the [`handshake`](Self::handshake), if there is one, under the same
    /// deadline. A configuration with a [`session`](redial::config::Builder::session) needs one.
    pub fn protocol(mut self, protocol: impl Protocol<D::Message>) -> Self {
        self.protocol = Some(Box::new(protocol));
        self
    }

    /// How requests find their answers, and how long they wait; for
    /// [`Handle::request`](crate::Handle::request) only. Default there are none.
    pub fn requests(
        mut self,
        correlate: impl Correlate<D::Message>,
        requests: Requests<D::Message>,
    ) -> Self {
        self.asking = Some(Asking {
            requests,
            correlate: Box::new(correlate),
        });
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

    /// Keeps fates for [`Reconnecting::take_fate`], or for the first
    /// [`Handle::fates`](crate::Handle::fates), also those that are decided before that is called:
    /// of messages that a store gave back, for one. A message keeps its slot until its fate is
    /// taken.
    pub fn keep_fates(mut self) -> Self {
        self.keep_fates = true;
        self
    }

    /// Spawns a task that drives the link, and starts it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with time, if the operating system has no randomness for a
    /// seed, and if the configuration has a session and no [`protocol`](Self::protocol) is given.
    pub fn spawn(mut self) -> (Handle<D::Message>, Incoming<D::Message>) {
        let wishes = Wishes {
            inbox: self.inbox,
            start: self.start,
            keep_fates: self.keep_fates,
        };
        let asking = self.asking.take();
        #[cfg(feature = "store")]
        let report = self.report.take();
        let (engine, link, clock, books) = self.assemble();
        handle::spawn(
            engine,
            link,
            clock,
            books,
            #[cfg(feature = "store")]
            report,
            asking,
            wishes,
        )
    }

    /// The link as a stream and sink, started, driven by being polled.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness for a seed, and if the configuration has a
    /// session and no [`protocol`](Self::protocol) is given; also if it was given a store, which
    /// only a [`Handle`] has. Polling it panics outside of a tokio runtime with time.
    pub fn into_stream(self) -> Reconnecting<C, D> {
        let inbox = self.inbox;
        let options = Options {
            start: self.start,
            drain_within: self.drain_within,
            keep_fates: self.keep_fates,
        };
        let (engine, link, clock, books) = self.assemble();
        assert!(
            books.is_none(),
            "a store needs a handle: use `Builder::spawn`"
        );
        Reconnecting::new(engine, link, clock, inbox, options)
    }

    fn assemble(self) -> Assembled<C, D> {
        let rng = Seeded::new(self.seed.unwrap_or_else(random_seed), self.stream);
        // Nothing would ever be acknowledged: the queue would fill up and stand still.
        assert!(
            self.config.session().is_none() || self.protocol.is_some(),
            "a session needs a protocol that speaks of it: give one to `Builder::protocol`"
        );
        let config = if self.handshake.is_some() || self.protocol.is_some() {
            with_ready_deadline(self.config)
        } else {
            self.config
        };
        let clock = Clock::start();
        let engine = Engine::new(
            self.connector,
            self.codec,
            self.handshake,
            self.protocol,
            clock,
        );
        let (link, books) = match self.store {
            None => (Link::new(config, rng), None),
            Some((books, left)) => (revive(config, rng, clock, left), Some(books)),
        };
        (engine, link, clock, books)
    }
}

type Assembled<C, D> = (
    Engine<C, D>,
    TokioLink<<D as Codec>::Message>,
    Clock,
    Option<Box<dyn Books<<D as Codec>::Message>>>,
);

/// With the feature `store`.
#[cfg(feature = "store")]
impl<C, D> Builder<C, D>
where
    C: Connector<D::Transport>,
    D: Codec,
    D::Message: redial_store::Stored,
{
    /// Keeps messages, intents and the session in a log at this path, and goes on with what is in
    /// it: what was accepted and has no fate yet is sent, whatever became of the process that
    /// accepted it. For a [`Handle`] only.
    ///
    /// A message is written to the peer once it is stored; [`Handle::stored`] tells when that is.
    /// It is refused with [`NotStored`](redial::outbox::RefusedReason::NotStored) where the store
    /// has no room. Volatile messages are not stored.
    ///
    /// If the disk fails, nothing more is written that is not stored: the link disconnects, what
    /// is queued is handed back as `Returned`, and [`Handle::last_error`] says why. The link can't
    /// be started again then; build a new one.
    ///
    /// # Errors
    ///
    /// [`OpenError`](redial_store::OpenError): among others, another process has the log open.
    pub fn store(
        self,
        path: impl AsRef<std::path::Path>,
        options: &redial_store::Options,
    ) -> Result<Self, redial_store::OpenError> {
        let (keeper, recovery) = redial_store::Keeper::open(path, options)?;
        Ok(self.keep(keeper, recovery))
    }

    /// The same on a disk of one's own.
    ///
    /// # Errors
    ///
    /// [`OpenError`](redial_store::OpenError).
    pub fn store_on(
        self,
        disk: impl redial_store::Disk + Send + 'static,
        options: &redial_store::Options,
    ) -> Result<Self, redial_store::OpenError> {
        let (keeper, recovery) = redial_store::Keeper::over(disk, options)?;
        Ok(self.keep(keeper, recovery))
    }

    /// What was found in the log; `None` without a store.
    pub fn recovery(&self) -> Option<&redial_store::Report> {
        self.report.as_ref()
    }

    fn keep(
        mut self,
        keeper: redial_store::Keeper<D::Message>,
        recovery: redial_store::Recovery<D::Message>,
    ) -> Self {
        self.store = Some((Box::new(keeper), recovery.carryover));
        self.report = Some(recovery.report);
        self
    }
}

impl<C, D: Codec> fmt::Debug for Builder<C, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// A link that goes on where the process before left off, and writes nothing before it is stored.
#[expect(
    clippy::expect_used,
    reason = "a store gives nothing from which a link can't go on, and tests that"
)]
fn revive<M: Payload>(
    config: Config,
    rng: Seeded,
    clock: Clock,
    left: Carryover<M>,
) -> TokioLink<M> {
    let limits = Limits {
        durable: true,
        ..config.outbox().clone()
    };
    // No rule speaks of it, so what was valid is.
    let durable = config.to_builder().outbox(limits).build();
    let config = durable.unwrap_or(config);
    let link = Link::revive(config, rng, clock.now(), left, Duration::ZERO);
    link.expect("a carryover that holds")
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
