//! The protocol on a link without a socket and without a clock: what is said on each connection.

use std::time::Duration;

use redial_example_graphql::{GraphqlTransport, verdicts};
use redial_tokio::redial::rng::{Seed, Seeded};
use redial_tokio::redial::session::Settings;
use redial_tokio::redial::{
    Action, Cause, Command, Config, Epoch, Event, Frame, Instant, Link, Phase,
};
use redial_tokio::{Greeting, Heard, Message, Opening, Protocol};

const INIT: &str = r#"{"type":"connection_init"}"#;
const ACK: &str = r#"{"type":"connection_ack"}"#;

/// The least of a driver.
struct Lane {
    link: Link<Message, Seeded>,
    protocol: GraphqlTransport,
    now: Instant,
    epoch: Option<Epoch>,
    said: Vec<Message>,
    received: Vec<Message>,
}

impl Lane {
    fn start() -> Self {
        let config = Config::builder()
            .verdicts(verdicts().unwrap())
            .ready_deadline(Some(Duration::from_secs(5)))
            .session(Some(Settings::default()));
        let rng = Seeded::new(Seed::from_number(1), 0);
        let mut lane = Self {
            link: Link::new(config.build().unwrap(), rng),
            protocol: GraphqlTransport::new(|_| None),
            now: Instant::ORIGIN,
            epoch: None,
            said: Vec::new(),
            received: Vec::new(),
        };
        lane.tell(Event::Command(Command::Start));
        lane
    }

    fn tell(&mut self, event: Event) {
        self.link.handle(self.now, event);
        while let Some(action) = self.link.poll_action() {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Connect {
                epoch,
                attempt,
                refresh,
                ..
            } => {
                self.epoch = Some(epoch);
                self.link.handle(self.now, Event::Opened(epoch));
                let hello = self.link.hello(epoch).unwrap();
                let opening = Opening::new(attempt, refresh);
                match self.protocol.begin(opening, hello) {
                    Greeting::More(said) => self.said.extend(said),
                    other => panic!("{other:?}"),
                }
            }
            Action::Flush(epoch) => {
                while let Some(next) = self.link.peek(self.now, epoch) {
                    let id = next.id;
                    let message = self.protocol.send(&next);
                    self.said.push(message);
                    assert!(self.link.commit(self.now, epoch, id));
                    self.link.handle(self.now, Event::Flushed(epoch, id));
                }
            }
            Action::SendPing { nonce, .. } => self.said.extend(self.protocol.ping(nonce)),
            Action::AnswerPing(_) => self.said.extend(self.protocol.pong()),
            Action::Abort(_) => self.epoch = None,
            _ => {}
        }
    }

    /// The server says something.
    fn hear(&mut self, text: &str) {
        let epoch = self.epoch.unwrap();
        let mut heard = Vec::new();
        self.protocol.receive(text.into(), &mut heard);
        for heard in heard {
            match heard {
                Heard::Message(None, message) => {
                    self.received.push(message);
                    self.tell(Event::Frame(epoch, Frame::Data));
                }
                Heard::Ready => self.tell(Event::Ready(epoch)),
                Heard::Ping => self.tell(Event::Frame(epoch, Frame::Ping)),
                Heard::Pong(nonce) => self.tell(Event::Frame(epoch, Frame::Pong(nonce))),
                Heard::Refused(failure) => self.tell(Event::Closed(epoch, failure.closure)),
                other => panic!("{other:?}"),
            }
        }
    }

    /// The connection ends, and the next one opens.
    fn reconnect(&mut self, cause: Cause) {
        let epoch = self.epoch.take().unwrap();
        self.tell(Event::Closed(epoch, cause.into()));
        while self.epoch.is_none() {
            self.wait();
        }
    }

    fn wait(&mut self) {
        self.now = self.link.poll_timeout().unwrap();
        self.tell(Event::Tick);
    }

    fn begin(&mut self, id: &str) -> redial_tokio::redial::IntentId {
        let text = format!(r#"{{"id":"{id}","type":"subscribe","payload":{{"query":"q"}}}}"#);
        let intent = self.link.declare(self.now, text.into()).unwrap();
        self.tell(Event::Tick);
        intent
    }

    /// What was said since: operations by their ids, the rest as it is.
    fn said(&mut self) -> Vec<String> {
        let short = |message: Message| {
            let text = message.as_text().unwrap();
            let id = text.strip_prefix(r#"{"id":""#);
            let id = id.and_then(|rest| rest.split('"').next());
            id.unwrap_or(text).to_owned()
        };
        self.said.drain(..).map(short).collect()
    }
}

#[test]
fn operations_are_begun_in_order_on_every_connection() {
    let mut lane = Lane::start();
    lane.begin("1");
    let second = lane.begin("2");
    // Nothing goes ahead of the acknowledgement.
    assert_eq!(lane.said(), [INIT]);
    lane.hear(ACK);
    assert_eq!(lane.said(), ["1", "2"]);
    assert_eq!(lane.link.phase(), Phase::Connected);
    lane.begin("3");
    assert_eq!(lane.said(), ["3"]);
    lane.reconnect(Cause::Lost);
    assert_eq!(lane.said(), [INIT]);
    lane.hear(ACK);
    assert_eq!(lane.said(), ["1", "2", "3"]);
    lane.link.withdraw(second);
    lane.reconnect(Cause::Close(1012));
    lane.begin("4");
    lane.hear(ACK);
    assert_eq!(lane.said(), [INIT, "1", "3", "4"]);
}

#[test]
fn a_connection_that_ends_before_the_acknowledgement_begins_nothing() {
    let mut lane = Lane::start();
    lane.begin("1");
    for _ in 0..3 {
        lane.reconnect(Cause::Lost);
    }
    assert_eq!(lane.said(), [INIT; 4]);
    lane.hear(ACK);
    assert_eq!(lane.said(), ["1"]);
}

#[test]
fn pings_are_measured_and_answered() {
    let mut lane = Lane::start();
    lane.hear(ACK);
    lane.said.clear();
    while lane.said.is_empty() {
        lane.wait();
    }
    let ping = lane.said();
    assert!(ping[0].starts_with(r#"{"type":"ping""#), "{ping:?}");
    lane.now = lane.now + Duration::from_millis(70);
    lane.hear(&ping[0].replace("ping", "pong"));
    let round_trip = lane.link.status().round_trip;
    assert_eq!(round_trip, Some(Duration::from_millis(70)));
    lane.hear(r#"{"type":"ping","payload":{"a":1}}"#);
    assert_eq!(lane.said(), [r#"{"type":"pong","payload":{"a":1}}"#]);
}

#[test]
fn a_server_that_breaks_the_protocol_is_dialled_once_more_and_then_left() {
    let mut lane = Lane::start();
    lane.hear(ACK);
    lane.hear(r#"{"type":"nonsense"}"#);
    lane.epoch = None;
    while lane.epoch.is_none() {
        lane.wait();
    }
    lane.hear(r#"{"type":"nonsense"}"#);
    assert_eq!(lane.link.phase(), Phase::Failed);
}
