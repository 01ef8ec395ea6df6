//! The protocol made of JSON heartbeats and batches.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use redial::outbox::Outgoing;
use redial::session::Hello;

use super::batch;
use super::word::{self, Kind, Word};
use crate::clock::unix_now;
use crate::{Greeting, Handshake, Heard, Message, Opening, Protocol};

/// How many pings are remembered for their answers.
const PINGS: usize = 8;

/// The nonce that no ping has: that of a pong that answers nothing.
const FOREIGN: u64 = u64::MAX;

/// How heartbeats are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Style {
    /// The type alone. A pong answers whatever ping is outstanding.
    Bare,
    /// A ping with the wall clock in milliseconds since 1970, and a pong with that of the ping.
    Timestamp,
    /// The same, and a pong with the id of the connection too.
    ConnectionId,
}

/// Heartbeats as JSON text; every other message passes as it is, at most once.
///
/// ```
/// use redial_adapter::json::{JsonHeartbeat, Style};
/// use redial_adapter::{Heard, Message, Protocol};
///
/// let mut protocol = JsonHeartbeat::new(Style::Timestamp);
/// let mut heard = Vec::new();
/// protocol.receive(r#"{"type":"ping","timestamp":17}"#.into(), &mut heard);
/// assert_eq!(heard, [Heard::Ping]);
/// let pong = protocol.pong().unwrap();
/// assert_eq!(pong.as_text(), Some(r#"{"type":"pong","timestamp":17}"#));
///
/// let chat = Message::from(r#"{"type":"chat","text":"ping"}"#);
/// heard.clear();
/// protocol.receive(chat.clone(), &mut heard);
/// assert_eq!(heard, [Heard::Message(None, chat)]);
/// ```
///
/// The timestamp of a pong leads back to the nonce of its ping, so the link measures the round
/// trip by its own clock; a wall clock that jumps makes no difference. A timestamp that no ping
/// of this connection had, or an id that is not the connection's, makes a pong answer nothing. A
/// pong without a timestamp, or any with [`Style::Bare`], answers the ping that is outstanding.
///
/// Pings of the peer are answered in the configured style with the timestamp of the ping as it
/// was written, and no timestamp if it had none.
pub struct JsonHeartbeat {
    style: Style,
    clock: Box<dyn FnMut() -> Option<Duration> + Send>,
    also: Vec<String>,
    open: Option<usize>,
    own_id: Option<String>,
    handshake: Option<Box<dyn Handshake<Message>>>,
    /// Whether the handshake still listens.
    greeting: bool,
    /// Timestamps and nonces of pings, the oldest first; the timestamps ascend.
    pings: VecDeque<(u64, u64)>,
    /// The last timestamp that was given away on this connection.
    last: Option<u64>,
    /// The connection's id as the peer has written it, with quotes if it is a string.
    id: Option<String>,
    /// The answer to the peer's last ping, until it is asked for.
    answer: Option<Message>,
}

impl JsonHeartbeat {
    /// Heartbeats in this style, by the system's wall clock.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            clock: Box::new(unix_now),
            also: Vec::new(),
            open: None,
            own_id: None,
            handshake: None,
            greeting: false,
            pings: VecDeque::new(),
            last: None,
            id: None,
            answer: None,
        }
    }

    /// Takes timestamps from this clock, the time since 1970; `None` counts as 0.
    #[must_use]
    pub fn clock(mut self, clock: impl FnMut() -> Option<Duration> + Send + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// The peer's heartbeats may have these members too, which say nothing.
    #[must_use]
    pub fn also<S: Into<String>>(mut self, members: impl IntoIterator<Item = S>) -> Self {
        self.also.extend(members.into_iter().map(Into::into));
        self
    }

    /// Opens the batches of the peer that hold at most this many messages. Default: a batch is a
    /// message like others.
    ///
    /// Each of its messages is delivered as the text that it was in the batch; heartbeats among
    /// them are heartbeats, batches among them are not opened. A larger batch is delivered as one
    /// message. It is recognised if the word `"batch"` stands within 96 bytes of either end, and
    /// if its members are `type`, `messages` and perhaps `timestamp`.
    #[must_use]
    pub fn open_batches(mut self, most: usize) -> Self {
        self.open = Some(most);
        self
    }

    /// The id that pongs carry in [`Style::ConnectionId`]. A server gives each connection one; a
    /// client needs none, as it repeats what the server calls the connection.
    #[must_use]
    pub fn connection_id(mut self, id: impl Into<String>) -> Self {
        self.own_id = Some(serde_json::Value::from(id.into()).to_string());
        self
    }

    /// What is said on each new connection before messages flow. Default nothing. Heartbeats are
    /// heard and answered meanwhile; the handshake hears the rest.
    #[must_use]
    pub fn handshake(mut self, handshake: impl Handshake<Message>) -> Self {
        self.handshake = Some(Box::new(handshake));
        self
    }

    fn now(&mut self) -> u64 {
        let now = (self.clock)().unwrap_or_default().as_millis();
        u64::try_from(now).unwrap_or(u64::MAX)
    }

    /// What a message means; only one from `outside` is opened if it is a batch.
    fn hear(&mut self, message: Message, outside: bool, heard: &mut Vec<Heard<Message>>) {
        if let Some(text) = message.as_text() {
            if let Some(word) = word::read(text, &self.also) {
                let said = self.beat(word);
                heard.push(said);
                return;
            }
            let most = self.open.filter(|_| outside);
            if let Some(inside) = most.and_then(|most| batch::open(text, most)) {
                for text in inside {
                    // A copy: a part would keep the whole alive, and count as small.
                    self.hear(Message::text(text.to_owned()), false, heard);
                    if matches!(heard.last(), Some(Heard::Refused(_))) {
                        return;
                    }
                }
                return;
            }
        }
        match &mut self.handshake {
            Some(handshake) if self.greeting => {
                let (said, last) = match handshake.receive(message) {
                    Greeting::More(said) => (said, None),
                    Greeting::Ready(said) => (said, Some(Heard::Ready)),
                    Greeting::Refused(failure) => (Vec::new(), Some(Heard::Refused(failure))),
                };
                self.greeting = last.is_none();
                heard.extend(said.into_iter().map(Heard::Say));
                heard.extend(last);
            }
            _ => heard.push(Heard::Message(None, message)),
        }
    }

    fn beat(&mut self, word: Word<'_>) -> Heard<Message> {
        let known = self.id.as_deref();
        let elsewhere = known.is_some() && word.connection_id.is_some_and(|id| Some(id) != known);
        if known.is_none() {
            self.id = word.connection_id.map(str::to_owned);
        }
        match word.kind {
            Kind::Ping => {
                self.answer = Some(self.answer_to(word.timestamp));
                Heard::Ping
            }
            Kind::Pong if self.style == Style::Bare => Heard::Pong(None),
            Kind::Pong if elsewhere => Heard::Pong(Some(FOREIGN)),
            Kind::Pong => Heard::Pong(word.timestamp.map(|written| self.nonce_of(written))),
        }
    }

    fn answer_to(&self, timestamp: Option<&str>) -> Message {
        let timestamp = timestamp.filter(|_| self.style != Style::Bare);
        let id = self.own_id.as_ref().or(self.id.as_ref());
        let id = id.filter(|_| self.style == Style::ConnectionId);
        let mut pong = r#"{"type":"pong""#.to_owned();
        let members = [
            ("timestamp", timestamp),
            ("connection_id", id.map(String::as_str)),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                pong.extend([",\"", name, "\":", value]);
            }
        }
        pong.push('}');
        Message::text(pong)
    }

    fn nonce_of(&self, written: &str) -> u64 {
        let mut pings = self.pings.iter().rev();
        let answered = pings.find(|(sent, _)| is_same_number(written, *sent));
        answered.map_or(FOREIGN, |(_, nonce)| *nonce)
    }
}

impl Protocol<Message> for JsonHeartbeat {
    fn begin(&mut self, opening: Opening, _: Hello) -> Greeting<Message> {
        self.pings.clear();
        self.last = None;
        self.id = None;
        self.answer = None;
        let greeting = match &mut self.handshake {
            Some(handshake) => handshake.begin(opening),
            None => Greeting::Ready(Vec::new()),
        };
        self.greeting = matches!(greeting, Greeting::More(_));
        greeting
    }

    fn receive(&mut self, message: Message, heard: &mut Vec<Heard<Message>>) {
        self.hear(message, true, heard);
    }

    fn send(&mut self, outgoing: &Outgoing<'_, Message>) -> Message {
        outgoing.payload.clone()
    }

    fn joins(&self, message: &Message) -> bool {
        batch::joins(message)
    }

    fn batch(&mut self, messages: Vec<Message>) -> Message {
        let now = self.now();
        Message::text(batch::wrap(&messages, now))
    }

    fn ping(&mut self, nonce: u64) -> Option<Message> {
        if self.style == Style::Bare {
            return Some(Message::from(r#"{"type":"ping"}"#));
        }
        // Each ping has another timestamp, however the clock stands.
        let least = self.last.map_or(0, |last| last.saturating_add(1));
        let timestamp = self.now().max(least);
        self.last = Some(timestamp);
        if self.pings.len() == PINGS {
            self.pings.pop_front();
        }
        self.pings.push_back((timestamp, nonce));
        let ping = format!(r#"{{"type":"ping","timestamp":{timestamp}}}"#);
        Some(Message::text(ping))
    }

    fn pong(&mut self) -> Option<Message> {
        // Without a ping of this protocol it is one of the transport that is to be answered.
        self.answer.take()
    }
}

impl fmt::Debug for JsonHeartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonHeartbeat")
            .field("style", &self.style)
            .finish_non_exhaustive()
    }
}

/// Whether what the peer has written is this number. Some peers keep all numbers as floating
/// point, and write `1.7e12` for it; some make a string of it.
fn is_same_number(written: &str, sent: u64) -> bool {
    let written = written.trim_matches('"');
    let sent = sent.to_string();
    // Whole milliseconds are exact up to 2^53, which is far from now.
    written == sent
        || written
            .parse::<f64>()
            .is_ok_and(|value| Ok(value) == sent.parse())
}
