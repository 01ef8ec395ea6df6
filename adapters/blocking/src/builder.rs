//! Settings of a link, and the start of its thread.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use mio::{Poll, Waker};
use redial::carryover::Carryover;
use redial::outbox::Limits;
use redial::requests::Requests;
use redial::rng::{Seed, Seeded};
use redial::{Command, Config, Event, Link, Payload};
#[cfg(feature = "rustls")]
use redial_adapter::rustls;
use redial_adapter::{
    Books, Correlate, Failure, Handshake, LONGEST, Protocol, with_ready_deadline,
};
#[cfg(feature = "tungstenite")]
use redial_adapter::{RequestError, Target};

use crate::clock::Clock;
use crate::desk::Desk;
use crate::dial::Answer;
use crate::driver::{self, Driver, Settings, Source, WAKER};
use crate::greet::Greeter;
use crate::handle::Handle;
use crate::incoming::Incoming;
use crate::provider::{Asked, Attempt, Provider};
#[cfg(feature = "tungstenite")]
use crate::request::HTTP;
use crate::request::Request;
use crate::resolve::Resolver;
use crate::shared::Shared;
use crate::talk::Talk;
use crate::wire::{Sizes, Wire};

/// A link to be: how it dials and what it holds. Each method says its default.
#[must_use]
pub struct Builder<T: Transport> {
    request: Request,
    provider: Option<Asked>,
    handshake: Option<Greeter<T::Message>>,
    protocol: Option<Box<dyn Protocol<T::Message>>>,
    desk: Option<Desk<T::Message>>,
    store: Option<Left<T::Message>>,
    #[cfg(feature = "store")]
    report: Option<redial_store::Report>,
    config: Config,
    seed: Option<Seed>,
    sizes: Sizes,
    unsent: u32,
    inbox: (usize, usize),
    #[cfg(feature = "tungstenite")]
    health: Option<Target>,
    #[cfg(feature = "rustls")]
    tls: Option<Arc<rustls::ClientConfig>>,
    transport: PhantomData<T>,
}

/// The books of a link, and what a process before this one has left in them.
type Left<M> = (Box<dyn Books<M>>, Carryover<M>);

/// A transport that this crate has; see [`websocket`](crate::websocket) and [`tcp`](crate::tcp).
#[expect(private_bounds, reason = "transports are this crate's own")]
pub trait Transport: Sealed {
    /// What is sent and received.
    type Message: redial::Payload + Send + 'static;
}

pub(crate) trait Sealed {
    type Wire: Wire;
}

/// WebSocket, with messages of text and of bytes.
#[cfg(feature = "tungstenite")]
#[derive(Debug)]
pub enum WebSocket {}

#[cfg(feature = "tungstenite")]
impl Sealed for WebSocket {
    type Wire = crate::websocket::WebSocket;
}

#[cfg(feature = "tungstenite")]
impl Transport for WebSocket {
    type Message = redial_adapter::Message;
}

/// Framed TCP, with messages of bytes.
#[derive(Debug)]
pub enum Tcp {}

impl Sealed for Tcp {
    type Wire = crate::framed::Framed;
}

impl Transport for Tcp {
    type Message = Vec<u8>;
}

impl<T: Transport> Builder<T> {
    pub(crate) fn new(request: Request) -> Self {
        Self {
            request,
            provider: None,
            handshake: None,
            config: Config::default(),
            seed: None,
            sizes: Sizes {
                outgoing: LONGEST,
                incoming: LONGEST,
            },
            unsent: 64 << 10,
            inbox: (1024, 16 << 20),
            #[cfg(feature = "tungstenite")]
            health: None,
            #[cfg(feature = "rustls")]
            tls: None,
            protocol: None,
            desk: None,
            store: None,
            #[cfg(feature = "store")]
            report: None,
            transport: PhantomData,
        }
    }

    /// The link's configuration. Default [`Config::default`].
    ///
    /// Two settings have no use here: `dialling` (nobody is asked, every dial is permitted) and,
    /// without a [`handshake`](Self::handshake) or a [`protocol`](Self::protocol),
    /// `ready_deadline` (ready follows opened at once).
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// What the jitter is drawn from. Default the randomness of the operating system.
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Who gives each attempt its address and credentials, in place of those given here.
    ///
    /// Called at every attempt (and probe, unless that asks a health URL), on a thread of its own, under the deadline of the
    /// attempt; what it answers after that is thrown away. With a provider a policy close (1008)
    /// asks for fresh credentials once before it is final.
    pub fn provider(
        mut self,
        provider: impl FnMut(Attempt) -> Result<Request, Failure> + Send + 'static,
    ) -> Self {
        self.provider = Some(Box::new(provider));
        self
    }

    /// What is said on each new connection before messages flow: a login, a hello, an init and
    /// its acknowledgement. Default nothing.
    ///
    /// It is called on the link's thread, so it must not wait. It is under the configuration's
    /// [`ready_deadline`](redial::config::Builder::ready_deadline); where that has none, under one
    /// as long as its [`connect_deadline`](redial::config::Builder::connect_deadline).
    pub fn handshake(mut self, handshake: impl Handshake<T::Message>) -> Self {
        self.handshake = Some(Box::new(handshake));
        self
    }

    /// What the link and its peer understand each other by: the sequences and acknowledgements of
    /// a session, heartbeats of its own, a handshake. Default none: messages go as they are.
    ///
    /// A link whose configuration has a [session](redial::config::Builder::session) needs one.
    /// Where there is a [`handshake`](Self::handshake) too, that is over before the protocol
    /// begins on a connection. The protocol's own handshake is under the same deadline. A limit
    /// of the length of messages is for what the protocol makes of them.
    pub fn protocol(mut self, protocol: impl Protocol<T::Message>) -> Self {
        self.protocol = Some(Box::new(protocol));
        self
    }

    /// How requests find their answers, and how long they wait; for
    /// [`Handle::request`](crate::Handle::request) only. Default there are none.
    pub fn requests(
        mut self,
        correlate: impl Correlate<T::Message>,
        requests: Requests<T::Message>,
    ) -> Self {
        self.desk = Some(Desk::new(correlate, requests));
        self
    }

    /// The longest message that is sent, in bytes; a longer one is dropped as too big. Default
    /// 16 MiB ([`LONGEST`]).
    pub fn max_outgoing(mut self, bytes: usize) -> Self {
        self.sizes.outgoing = bytes;
        self
    }

    /// The longest message that is taken, in bytes; a longer one ends the connection. Default
    /// 16 MiB ([`LONGEST`]).
    pub fn max_incoming(mut self, bytes: usize) -> Self {
        self.sizes.incoming = bytes;
        self
    }

    /// The bytes that may wait unsent in the kernel, behind which a ping waits too. Default
    /// 64 KiB.
    ///
    /// `TCP_NOTSENT_LOWAT` where there is one, elsewhere the size of the socket's send buffer.
    pub fn unsent_limit(mut self, bytes: u32) -> Self {
        self.unsent = bytes.max(1);
        self
    }

    /// How many messages, of how many bytes together, may wait to be taken from [`Incoming`].
    /// Default 1,024 and 16 MiB. One message may always wait, whatever its size.
    pub fn incoming_limit(mut self, messages: usize, bytes: usize) -> Self {
        self.inbox = (messages.max(1), bytes.max(1));
        self
    }
}

#[cfg(feature = "store")]
impl<T: Transport> Builder<T>
where
    T::Message: redial_store::Stored,
{
    /// Keeps messages, intents and the session over the end of the process, in a log at this
    /// path: the link goes on where the process before left off. It is opened, or begun, at once.
    /// Default nothing is kept.
    ///
    /// From here on a message is written when the log has it, and not before; see
    /// [`Handle::stored`](crate::Handle::stored). When the disk fails the link disconnects, so
    /// that what was not written is handed back, and takes nothing more.
    ///
    /// A message that came in counts as received when the application comes to
    /// [`Incoming`](crate::Incoming) for the next one, and the peer is told so when the log has
    /// that. So after a crash the last ones that were taken may be there once more.
    ///
    /// # Errors
    ///
    /// [`OpenError`](redial_store::OpenError); the file is then as it was.
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
    /// [`OpenError`](redial_store::OpenError); the disk is then as it was.
    pub fn store_on(
        self,
        disk: impl redial_store::Disk + Send + 'static,
        options: &redial_store::Options,
    ) -> Result<Self, redial_store::OpenError> {
        let (keeper, recovery) = redial_store::Keeper::over(disk, options)?;
        Ok(self.keep(keeper, recovery))
    }

    /// What was found in the log; `None` without a [store](Self::store).
    pub fn recovery(&self) -> Option<&redial_store::Report> {
        self.report.as_ref()
    }

    fn keep(
        mut self,
        keeper: redial_store::Keeper<T::Message>,
        recovery: redial_store::Recovery<T::Message>,
    ) -> Self {
        self.store = Some((Box::new(keeper), recovery.carryover));
        self.report = Some(recovery.report);
        self
    }
}

/// The two ends of a started link.
pub type Ends<M> = (Handle<M>, Incoming<M>);

#[cfg(feature = "tungstenite")]
impl Builder<WebSocket> {
    /// Adds a header to the request of the handshake. A [`provider`](Self::provider) gives its
    /// own instead.
    ///
    /// # Errors
    ///
    /// If name or value can't be sent, or the handshake sets this header by itself.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, RequestError> {
        self.request = self.request.header(name, value)?;
        Ok(self)
    }

    /// Where the preflight of the configuration asks whether the server is there: a URL of the
    /// scheme `http`, or `https` with the feature `rustls`, that answers a GET with a status of
    /// 200 to 299; a redirect is not followed. Default a TCP connect to the host that is dialled.
    ///
    /// # Errors
    ///
    /// Whatever makes it no such URL, before anything is asked.
    pub fn health_url(mut self, url: &str) -> Result<Self, RequestError> {
        self.health = Some(Target::url(url, HTTP)?);
        Ok(self)
    }

    /// What TLS trusts and offers. Default the roots of `webpki-roots`, TLS 1.2 and 1.3.
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }
}

#[expect(private_bounds, reason = "transports are this crate's own")]
impl<T: Transport> Builder<T>
where
    <T as Sealed>::Wire: Wire<Message = T::Message>,
{
    /// Starts the link, on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when the configuration has a session and no
    /// [`protocol`](Self::protocol) was given that could carry it. Otherwise when the system has
    /// no poller, thread or randomness for it. What the network does is no error here: it is in
    /// the link's status.
    pub fn spawn(self) -> io::Result<Ends<T::Message>> {
        if self.config.session().is_some() && self.protocol.is_none() {
            let missing = "the configuration has a session, and there is no protocol to carry it";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, missing));
        }
        let seed = match self.seed {
            Some(seed) => seed,
            None => random_seed()?,
        };
        if let Some((_, left)) = &self.store {
            let kept = left.messages.iter().any(|it| it.sequence.is_some());
            if self.config.session().is_none() && (kept || !left.standing.is_empty()) {
                let missing = "the log holds what belongs to a session, and the configuration \
                               has none";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, missing));
            }
        }
        let config = if self.provider.is_some() {
            let able = self.config.to_builder().credentials(true);
            able.build().map_err(io::Error::other)?
        } else {
            self.config
        };
        let config = if self.handshake.is_some() || self.protocol.is_some() {
            with_ready_deadline(config)
        } else {
            config
        };
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let patience = config.detection().map(|(_, loaded)| loaded);
        let clock = Clock::start();
        let (link, books) = match self.store {
            None => (Link::new(config, Seeded::new(seed, 0)), None),
            Some((books, left)) => (revive(&config, seed, clock, left)?, Some(books)),
        };
        let shared = Arc::new(Shared::new(
            link,
            waker,
            clock,
            self.inbox,
            self.desk,
            books,
            #[cfg(feature = "store")]
            self.report,
        ));
        attach(&shared);
        let source = match self.provider {
            None => Source::Fixed(self.request),
            Some(asked) => {
                let shared = Arc::clone(&shared);
                Source::Provided(Provider::start(asked, move |epoch, request| {
                    shared.answer(epoch, Answer::Request(request));
                })?)
            }
        };
        let driver = Driver::<T::Wire> {
            shared: Arc::clone(&shared),
            poll,
            source,
            settings: Settings {
                sizes: self.sizes,
                unsent: self.unsent,
                patience,
                #[cfg(feature = "tungstenite")]
                health: self.health,
                #[cfg(feature = "rustls")]
                tls: Some(match self.tls {
                    Some(tls) => tls,
                    None => redial_adapter::tls::usual().map_err(io::Error::other)?,
                }),
            },
            resolver: Resolver::default(),
            handshake: self.handshake,
            talk: self.protocol.map(Talk::new),
            transport: driver::Transport::None,
            tokens: WAKER.0,
            batch: Vec::new(),
        };
        // Not by way of the thread, which is not there yet.
        shared.with(|core, now| core.handle(now, Event::Command(Command::Start)));
        thread::Builder::new()
            .name("redial".to_owned())
            .spawn(move || driver.run())?;
        let handle = Handle {
            shared: Arc::clone(&shared),
        };
        Ok((handle, Incoming { shared }))
    }
}

impl<T: Transport> std::fmt::Debug for Builder<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("request", &self.request)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// A link that goes on where the process before left off, and writes nothing before it is stored.
fn revive<M: Payload>(
    config: &Config,
    seed: Seed,
    clock: Clock,
    left: Carryover<M>,
) -> io::Result<Link<M, Seeded>> {
    let limits = Limits {
        durable: true,
        ..config.outbox().clone()
    };
    let config = config.to_builder().outbox(limits).build();
    let config = config.map_err(io::Error::other)?;
    let rng = Seeded::new(seed, 0);
    let revived = Link::revive(config, rng, clock.now(), left, Duration::ZERO);
    let mut link = revived.map_err(|rejected| io::Error::other(rejected.error))?;
    // What has run out has its fate before there is somebody to ask for fates.
    link.handle(clock.now(), Event::Tick);
    Ok(link)
}

/// Lets the books tell the link's thread what is stored.
fn attach<M: Payload + Send + 'static>(shared: &Arc<Shared<M>>) {
    let link = Arc::downgrade(shared);
    shared.with(|core, _| {
        if let Some(books) = &mut core.books {
            books.attach(Box::new(move || {
                if let Some(shared) = link.upgrade() {
                    shared.ring();
                }
            }));
        }
    });
}

fn random_seed() -> io::Result<Seed> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(Seed::new(bytes))
}
