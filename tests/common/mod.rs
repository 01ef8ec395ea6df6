//! A driver on a virtual clock, and a server that answers by a script.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses another part of it"
)]

use std::collections::VecDeque;
use std::time::Duration;

use redial::outbox::Limits;
use redial::rng::{Seed, Seeded};
use redial::session::{OnFresh, ServerId, SessionId, Settings};
use redial::{
    Ack, Action, Cause, Change, Closure, Command, Config, Delivery, Epoch, Event, Fate, Frame,
    Hello, Instant, Link, Outcome, Phase, Resumption, SendOptions, Welcome,
};

pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What a scripted server does with one dial.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// The attempt fails after this long.
    Fail(Duration, Closure),
    /// Nothing is ever heard; the transport is up if true.
    Silence(bool),
    /// Opened after this long.
    Open {
        after: Duration,
        /// The first application frame, after the opening.
        frame: Option<Duration>,
        /// How long it stays open, and how it ends.
        until: Option<(Duration, Closure)>,
        /// Whether pings are answered.
        pongs: bool,
    },
}

impl Answer {
    /// Open for ever.
    pub fn open() -> Self {
        Self::Open {
            after: ms(1),
            frame: Some(ms(1)),
            until: None,
            pongs: true,
        }
    }

    /// Open for so long, with or without a frame, then lost.
    pub fn brief(lives: Duration, frame: bool) -> Self {
        Self::Open {
            after: Duration::ZERO,
            frame: frame.then_some(Duration::ZERO),
            until: Some((lives, Cause::Lost.into())),
            pongs: true,
        }
    }

    pub fn refuse() -> Self {
        let refused = Cause::Socket(redial::cause::SocketError::Refused);
        Self::Fail(ms(1), refused.into())
    }
}

/// One link, driven as a real driver would, in virtual time.
pub struct Driver {
    pub link: Link<Vec<u8>, Seeded>,
    pub now: Instant,
    pub actions: Vec<(Instant, Action)>,
    pub changes: Vec<(Instant, Change)>,
    pub dials: Vec<Instant>,
    /// Payloads in the order in which they were written, with their epoch.
    pub wire: Vec<(Epoch, Vec<u8>)>,
    pub fates: Vec<Fate<Vec<u8>>>,
    /// How many messages the transport takes before it is full.
    pub room: usize,
    /// Whether what is written is reported flushed at once.
    pub flushes: bool,
    /// Whether the link is connected, and how long it was in sum.
    up_since: Option<Instant>,
    up_for: Duration,
    script: VecDeque<(Instant, Event)>,
    pongs: bool,
}

impl Driver {
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            link: Link::new(config, Seeded::new(Seed::from_number(seed), 0)),
            now: Instant::ORIGIN + secs(1000),
            actions: Vec::new(),
            changes: Vec::new(),
            dials: Vec::new(),
            wire: Vec::new(),
            fates: Vec::new(),
            room: usize::MAX,
            flushes: true,
            up_since: None,
            up_for: Duration::ZERO,
            script: VecDeque::new(),
            pongs: true,
        }
    }

    /// A link of the default configuration.
    pub fn default_link() -> Self {
        Self::new(Config::default(), 1)
    }

    /// A started link whose connection is open.
    pub fn connected(config: Config) -> (Self, Epoch) {
        let mut driver = Self::new(config, 1);
        let epoch = driver.start();
        driver.tell(Event::Opened(epoch));
        assert_eq!(driver.link.phase(), Phase::Connected);
        (driver, epoch)
    }

    /// Starts it and gives the epoch of its first dial.
    pub fn start(&mut self) -> Epoch {
        self.command(Command::Start);
        self.dialled()
    }

    /// The epoch of the dial that comes next, waiting for it if need be.
    pub fn dialled(&mut self) -> Epoch {
        let alive = self.link.status().epoch;
        let dialling = matches!(self.link.phase(), Phase::Connecting | Phase::Reconnecting);
        if let (Some(epoch), true) = (alive, dialling) {
            return epoch;
        }
        for _ in 0..100 {
            let due = self
                .link
                .poll_timeout()
                .expect("a dial that comes by itself");
            for action in self.at(due, Event::Tick) {
                if let Action::Connect { epoch, .. } = action {
                    return epoch;
                }
            }
        }
        panic!("no dial in {:?}", self.link.status());
    }

    pub fn command(&mut self, command: Command) -> Vec<Action> {
        self.tell(Event::Command(command))
    }

    pub fn close(&mut self, epoch: Epoch, cause: Cause) -> Vec<Action> {
        self.tell(Event::Closed(epoch, cause.into()))
    }

    /// Tells an event now, and does what follows.
    pub fn tell(&mut self, event: Event) -> Vec<Action> {
        self.link.handle(self.now, event);
        self.act()
    }

    /// Tells an event at that time.
    pub fn at(&mut self, at: Instant, event: Event) -> Vec<Action> {
        self.now = self.now.max(at);
        self.tell(event)
    }

    /// Lets time pass, with ticks at every deadline.
    pub fn pass(&mut self, time: Duration) -> Vec<Action> {
        let until = self.now + time;
        let mut all = Vec::new();
        while let Some(due) = self.link.poll_timeout().filter(|due| *due <= until) {
            all.extend(self.at(due, Event::Tick));
        }
        self.now = until;
        all
    }

    /// Nothing runs for this long (a suspended machine), then one tick.
    pub fn sleep(&mut self, time: Duration) -> Vec<Action> {
        self.at(self.now + time, Event::Tick)
    }

    pub fn send(&mut self, text: &str, options: SendOptions) -> redial::MessageId {
        let sent = self.link.send(self.now, text.into(), options);
        self.act();
        sent.unwrap_or_else(|refused| panic!("{text}: {refused}"))
    }

    /// What was written, as text.
    pub fn written(&self) -> Vec<&str> {
        self.wire
            .iter()
            .map(|(_, payload)| std::str::from_utf8(payload).expect("text"))
            .collect()
    }

    /// Takes the actions, and writes if asked to.
    pub fn act(&mut self) -> Vec<Action> {
        let mut taken = Vec::new();
        while let Some(action) = self.link.poll_action() {
            taken.push(action);
            self.actions.push((self.now, action));
            match action {
                Action::Connect { .. } => self.dials.push(self.now),
                Action::Changed(change) => {
                    self.changes.push((self.now, change));
                    if change.to == Phase::Connected {
                        self.up_since = Some(self.now);
                    } else if let Some(since) = self.up_since.take() {
                        self.up_for += self.now.since(since);
                    }
                }
                Action::Flush(epoch) => self.write(epoch),
                _ => {}
            }
        }
        while let Some(fate) = self.link.poll_fate() {
            self.fates.push(fate);
        }
        taken
    }

    fn write(&mut self, epoch: Epoch) {
        let mut last = None;
        while self.room > 0 {
            let Some(next) = self.link.peek(self.now, epoch) else {
                break;
            };
            let (id, payload) = (next.id, next.payload.clone());
            assert!(
                self.link.commit(self.now, epoch, id),
                "a peeked message is committed"
            );
            self.wire.push((epoch, payload));
            self.room -= 1;
            last = Some(id);
        }
        if let (Some(id), true) = (last, self.flushes) {
            self.link.handle(self.now, Event::Flushed(epoch, id));
        }
    }

    /// Runs against a server for this long. The server is asked at each dial: how many came
    /// before, and when it is.
    pub fn run(&mut self, time: Duration, mut server: impl FnMut(usize, Instant) -> Answer) {
        let until = self.now + time;
        loop {
            let due = self.link.poll_timeout().unwrap_or(until);
            let said = self.script.front().map_or(until, |(at, _)| *at);
            let next = due.min(said);
            if next >= until {
                break;
            }
            let event = if said <= due {
                self.script
                    .pop_front()
                    .map_or(Event::Tick, |(_, event)| event)
            } else {
                Event::Tick
            };
            let actions = self.at(next, event);
            for action in actions {
                self.answer(action, &mut server);
            }
        }
        self.now = until;
    }

    fn answer(&mut self, action: Action, server: &mut impl FnMut(usize, Instant) -> Answer) {
        match action {
            Action::Connect { epoch, .. } => {
                self.script.clear();
                let answer = server(self.dials.len() - 1, self.now);
                self.perform(epoch, answer);
            }
            Action::Preflight { epoch, .. } => {
                self.script
                    .push_back((self.now + ms(1), Event::Probed(epoch, true)));
            }
            Action::WantDial(epoch) => {
                self.script.push_back((self.now, Event::Permit(epoch)));
            }
            Action::SendPing { epoch, nonce } if self.pongs => {
                let pong = Event::Frame(epoch, Frame::Pong(Some(nonce)));
                let at = self.now + ms(5);
                let place = self.script.partition_point(|(when, _)| *when <= at);
                self.script.insert(place, (at, pong));
            }
            Action::Close(epoch) => {
                self.script.clear();
                let closed = Event::Closed(epoch, Cause::Close(1000).into());
                self.script.push_back((self.now + ms(1), closed));
            }
            Action::Abort(_) => self.script.clear(),
            _ => {}
        }
    }

    fn perform(&mut self, epoch: Epoch, answer: Answer) {
        match answer {
            Answer::Fail(after, closure) => {
                let event = Event::Closed(epoch, closure);
                self.script.push_back((self.now + after, event));
            }
            Answer::Silence(reached) => {
                if reached {
                    self.script
                        .push_back((self.now + ms(1), Event::Reached(epoch)));
                }
            }
            Answer::Open {
                after,
                frame,
                until,
                pongs,
            } => {
                self.pongs = pongs;
                let open = self.now + after;
                self.script.push_back((open, Event::Opened(epoch)));
                if let Some(frame) = frame {
                    let event = Event::Frame(epoch, Frame::Data);
                    self.script.push_back((open + frame, event));
                }
                if let Some((lives, closure)) = until {
                    self.script
                        .push_back((open + lives, Event::Closed(epoch, closure)));
                }
            }
        }
    }

    /// Starts against a server, without waiting.
    pub fn start_against(&mut self, mut server: impl FnMut(usize, Instant) -> Answer) {
        for action in self.command(Command::Start) {
            self.answer(action, &mut server);
        }
    }

    /// How long the link was connected, up to now.
    pub fn connected_for(&self) -> Duration {
        let since = self
            .up_since
            .map_or(Duration::ZERO, |since| self.now.since(since));
        self.up_for + since
    }

    /// Dials since that time.
    pub fn dials_since(&self, since: Instant) -> usize {
        self.dials.iter().filter(|at| **at >= since).count()
    }

    /// The causes of the changes to this phase.
    pub fn causes_to(&self, phase: Phase) -> Vec<Option<Cause>> {
        self.changes
            .iter()
            .filter(|(_, change)| change.to == phase)
            .map(|(_, change)| change.cause)
            .collect()
    }
}

/// A configuration with a session.
pub fn with_session(limits: Limits, on_fresh: OnFresh) -> Config {
    let session = Settings {
        on_fresh,
        ..Settings::default()
    };
    Config::builder()
        .ready_deadline(Some(secs(5)))
        .outbox(limits)
        .session(Some(session))
        .build()
        .expect("valid")
}

/// The answer of a server in the session that all these tests have.
pub fn welcome(resumed: bool, last_seen: u64) -> Welcome {
    Welcome {
        session: SessionId::new([7; 16]),
        server: ServerId::new([1; 16]),
        resumed,
        last_seen,
        intents: 0,
        first: 1,
    }
}

/// To be acknowledged.
pub const fn acked() -> SendOptions {
    SendOptions::new().delivery(Delivery::Acknowledged)
}

impl Driver {
    /// A started link, connected in a fresh session.
    pub fn in_session(config: Config) -> (Self, Epoch) {
        let mut driver = Self::new(config, 1);
        let epoch = driver.start();
        driver.meet(epoch, &welcome(false, 0));
        (driver, epoch)
    }

    /// The connection opens, the hello is said and answered.
    pub fn meet(&mut self, epoch: Epoch, answer: &Welcome) -> (Hello, Option<Resumption>) {
        self.tell(Event::Opened(epoch));
        let hello = self.link.hello(epoch).expect("a hello is due");
        let told = self.link.welcome(self.now, epoch, answer);
        self.act();
        (hello, told)
    }

    /// The connection is lost, and the next one resumes the session.
    pub fn resume(&mut self, epoch: Epoch, last_seen: u64) -> Epoch {
        self.close(epoch, Cause::Lost);
        let epoch = self.dialled();
        let (_, told) = self.meet(epoch, &welcome(true, last_seen));
        assert!(told.is_some_and(|told| told.is_resumed()), "{told:?}");
        epoch
    }

    /// The peer acknowledges.
    pub fn acknowledge(&mut self, epoch: Epoch, sequence: u64) -> Vec<Action> {
        let ack = Ack::Through {
            sequence,
            intents: 0,
        };
        self.tell(Event::Acked(epoch, ack))
    }

    /// The outcomes so far, by message.
    pub fn outcomes(&self) -> Vec<(u64, Outcome)> {
        let fates = self.fates.iter();
        fates.map(|fate| (fate.id.number(), fate.outcome)).collect()
    }
}

/// Runs a fresh link against a server for this long; gives the driver.
pub fn against(
    config: Config,
    seed: u64,
    time: Duration,
    mut server: impl FnMut(usize, Instant) -> Answer,
) -> Driver {
    let mut driver = Driver::new(config, seed);
    driver.start_against(&mut server);
    driver.run(time, server);
    driver
}

/// Does one of the actions pass this test?
pub fn has(actions: &[Action], test: impl Fn(&Action) -> bool) -> bool {
    actions.iter().any(test)
}

/// Is there a dial?
pub fn dials(actions: &[Action]) -> bool {
    has(actions, |action| matches!(action, Action::Connect { .. }))
}

/// Is there a ping?
pub fn pings(actions: &[Action]) -> bool {
    has(actions, |action| matches!(action, Action::SendPing { .. }))
}
