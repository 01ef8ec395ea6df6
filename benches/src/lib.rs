//! The paths of the core that are measured, each as one function: the same for instruction
//! counts (`instructions`) and for time (`time`).

use core::time::Duration;

use redial::rng::{Seed, Seeded};
use redial::{
    Action, Cause, Command, Config, Epoch, Event, Frame, Instant, Link, MessageId, SendOptions,
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
}

impl Bench {
    /// A connection past its first messages: buffers are allocated, `stable_after` is over.
    pub fn connected() -> Self {
        let link = Link::new(Config::default(), Seeded::new(Seed::from_number(1), 1));
        let mut bench = Self {
            link,
            epoch: first_epoch(),
            now: Instant::ORIGIN,
            last: None,
        };
        bench.link.handle(bench.now, Event::Command(Command::Start));
        bench.dial();
        bench.send_hundred();
        bench.flushed();
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
