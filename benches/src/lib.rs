//! The paths of the core that are measured, each as one function: the same for instruction
//! counts (`instructions`) and for time (`time`).

use core::time::Duration;

use redial::outbox::Limits;
use redial::rng::{Seed, Seeded};
use redial::session::{ServerId, SessionId, Settings};
use redial::{
    Ack, Action, Cause, Command, Config, Delivery, Epoch, Event, Frame, Header, Inbound, Instant,
    Link, MessageId, SendOptions, Welcome,
};

/// The link that is measured: payloads are borrowed, so that only the machine's own work counts.
pub type Subject = Link<&'static [u8], Seeded>;

/// Between two inputs.
const STEP: Duration = Duration::from_nanos(100);

/// The payload of every message.
pub const PAYLOAD: &[u8] = &[7; 64];

/// A link that is connected, warm, and has carried traffic, with its epoch and the time.
pub struct Bench {
    /// The link.
    pub link: Subject,
    /// Its connection.
    pub epoch: Epoch,
    /// The time of the last input.
    pub now: Instant,
    /// The last message that was committed.
    last: Option<MessageId>,
    /// The last sequence that came in.
    received: u64,
}

impl Bench {
    /// A connection past its first messages: buffers are allocated, `stable_after` is over.
    pub fn connected() -> Self {
        Self::connected_as(Config::default())
    }

    /// The same in a session, with acknowledged delivery.
    pub fn in_session() -> Self {
        let limits = Limits {
            delivery: Delivery::Acknowledged,
            ..Limits::default()
        };
        let builder = Config::builder().outbox(limits);
        let builder = builder.session(Some(Settings::default()));
        let builder = builder.ready_deadline(Some(Duration::from_secs(10)));
        Self::connected_as(builder.build().unwrap_or_default())
    }

    fn connected_as(config: Config) -> Self {
        let link = Link::new(config, Seeded::new(Seed::from_number(1), 1));
        let mut bench = Self {
            link,
            epoch: first_epoch(),
            now: Instant::ORIGIN,
            last: None,
            received: 0,
        };
        bench.link.handle(bench.now, Event::Command(Command::Start));
        bench.dial();
        bench.send_hundred();
        bench.flushed();
        bench.acked();
        bench.frame();
        bench.now = bench.now + Duration::from_secs(11);
        bench.frame();
        bench.actions();
        bench
    }

    /// A hundred messages in flight.
    pub fn sent() -> Self {
        let mut bench = Self::connected();
        bench.send_hundred();
        bench
    }

    /// A hundred messages written and flushed, to be acknowledged.
    pub fn unacknowledged() -> Self {
        let mut bench = Self::in_session();
        bench.send_hundred();
        bench.flushed();
        bench
    }

    fn send_hundred(&mut self) {
        for _ in 0..100 {
            self.send();
        }
    }

    fn actions(&mut self) {
        while let Some(action) = self.link.poll_action() {
            if let Action::Connect { epoch, .. } = action {
                self.epoch = epoch;
            }
        }
    }

    fn dial(&mut self) {
        self.actions();
        self.link.handle(self.now, Event::Opened(self.epoch));
        if let Some(hello) = self.link.hello(self.epoch) {
            let welcome = Welcome {
                session: SessionId::new([1; 16]),
                server: ServerId::new([1; 16]),
                resumed: hello.session.is_some(),
                last_seen: self.link.outbox().last_written(),
                intents: 0,
                first: hello.last_seen + 1,
            };
            self.link.welcome(self.now, self.epoch, &welcome);
        }
        self.actions();
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// An inbound frame and its (empty) actions.
    #[inline]
    pub fn frame(&mut self) {
        self.pass(STEP);
        self.link
            .handle(self.now, Event::Frame(self.epoch, Frame::Data));
        while self.link.poll_action().is_some() {}
    }

    /// The same, and the question when to come back.
    #[inline]
    pub fn frame_and_timeout(&mut self) -> Option<Instant> {
        self.frame();
        self.link.poll_timeout()
    }

    /// A tick before anything is due.
    #[inline]
    pub fn early_tick(&mut self) {
        self.pass(STEP);
        self.link.handle(self.now, Event::Tick);
        while self.link.poll_action().is_some() {}
    }

    /// Silence, the ping that follows, and its pong.
    #[inline]
    pub fn ping_pong(&mut self) {
        if let Some(due) = self.link.poll_timeout() {
            self.now = self.now.max(due);
        }
        self.link.handle(self.now, Event::Tick);
        let mut sent = 0;
        while let Some(action) = self.link.poll_action() {
            if let Action::SendPing { nonce, .. } = action {
                sent = nonce;
            }
        }
        self.pass(STEP);
        let pong = Frame::Pong(Some(sent));
        self.link.handle(self.now, Event::Frame(self.epoch, pong));
        while self.link.poll_action().is_some() {}
    }

    /// A message accepted, the flush that it asks for, and its way to the transport.
    #[inline]
    pub fn send(&mut self) {
        self.pass(STEP);
        if self
            .link
            .send(self.now, PAYLOAD, SendOptions::new())
            .is_err()
        {
            return;
        }
        while self.link.poll_action().is_some() {}
        while let Some(message) = self.link.peek(self.now, self.epoch) {
            let id = message.id;
            self.link.commit(self.now, self.epoch, id);
            self.last = Some(id);
        }
    }

    /// The transport reports everything flushed, and the fates are taken.
    #[inline]
    pub fn flushed(&mut self) {
        if let Some(last) = self.last {
            self.link.handle(self.now, Event::Flushed(self.epoch, last));
            while self.link.poll_action().is_some() {}
        }
        while self.link.poll_fate().is_some() {}
    }

    /// The peer acknowledges everything, and the fates are taken.
    #[inline]
    pub fn acked(&mut self) {
        let ack = Ack::Through {
            sequence: self.link.outbox().last_written(),
            intents: 0,
        };
        self.link.handle(self.now, Event::Acked(self.epoch, ack));
        while self.link.poll_action().is_some() {}
        while self.link.poll_fate().is_some() {}
    }

    /// The next message of the peer, with its place, and its acknowledgement when it is due.
    #[inline]
    pub fn receive(&mut self) -> Inbound {
        self.frame();
        self.received += 1;
        let header = Header::Sequence(self.received);
        let size = PAYLOAD.len();
        let inbound = self.link.receive(self.now, self.epoch, header, size);
        while self.link.poll_action().is_some() {}
        inbound
    }

    /// The connection is lost, the delay passes, the next one opens.
    #[inline]
    pub fn reconnect(&mut self) {
        self.pass(STEP);
        self.link
            .handle(self.now, Event::Closed(self.epoch, Cause::Lost.into()));
        while self.link.poll_action().is_some() {}
        if let Some(due) = self.link.poll_timeout() {
            self.now = self.now.max(due);
        }
        self.link.handle(self.now, Event::Tick);
        self.dial();
    }
}

/// Any epoch: it is overwritten by that of the first dial.
fn first_epoch() -> Epoch {
    let mut link = Subject::new(Config::default(), Seeded::new(Seed::from_number(1), 1));
    link.handle(Instant::ORIGIN, Event::Command(Command::Start));
    loop {
        if let Some(Action::Connect { epoch, .. }) = link.poll_action() {
            return epoch;
        }
    }
}
