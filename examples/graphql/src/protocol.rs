//! The protocol itself, without a socket: what is said and what is heard.

use std::fmt;

use redial_tokio::redial::Cause;
use redial_tokio::redial::cause::ProtocolError;
use redial_tokio::redial::outbox::Outgoing;
use redial_tokio::redial::session::Hello;
use redial_tokio::{Failure, Greeting, Heard, Message, Opening, Protocol};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::words::{self, Envelope};

/// The longest payload of a ping that is sent back with the pong, in bytes.
const ECHOED: usize = 4096;

/// The nonce that no ping has: that of a pong that answers nothing.
const FOREIGN: u64 = u64::MAX;

/// graphql-transport-ws: `connection_init` and its acknowledgement as the handshake, pings both
/// ways; `next`, `error` and `complete` go to the application as they are.
///
/// It keeps nothing of an operation. `subscribe` is an intent of the link, which gives it again
/// on every connection, in order, until it is withdrawn.
pub struct GraphqlTransport {
    init: Box<dyn FnMut(Opening) -> Option<Value> + Send>,
    acknowledged: bool,
    /// The pong to the server's last ping, until it is asked for.
    answer: Option<Message>,
}

impl GraphqlTransport {
    /// The protocol with this payload of `connection_init`, which is asked for on each
    /// connection: a token, say, and a fresh one where
    /// [`refresh`](redial_tokio::Opening::refresh) is set. It must not wait.
    pub fn new(init: impl FnMut(Opening) -> Option<Value> + Send + 'static) -> Self {
        Self {
            init: Box::new(init),
            acknowledged: false,
            answer: None,
        }
    }

    fn hear(&mut self, said: &Envelope<'_>) -> Option<Heard<Message>> {
        match (said.kind.as_str(), self.acknowledged) {
            ("connection_ack", false) => {
                self.acknowledged = true;
                Some(Heard::Ready)
            }
            ("ping", _) => {
                let short = |payload: &&RawValue| payload.get().len() <= ECHOED;
                self.answer = Some(words::pong(said.payload.filter(short)));
                Some(Heard::Ping)
            }
            ("pong", _) => Some(Heard::Pong(
                said.payload
                    .map(|payload| words::nonce(payload).unwrap_or(FOREIGN)),
            )),
            _ => None,
        }
    }
}

impl Protocol<Message> for GraphqlTransport {
    fn begin(&mut self, opening: Opening, _: Hello) -> Greeting<Message> {
        self.acknowledged = false;
        self.answer = None;
        Greeting::More(vec![words::connection_init((self.init)(opening))])
    }

    fn receive(&mut self, message: Message, heard: &mut Vec<Heard<Message>>) {
        let Some(said) = Envelope::read(&message) else {
            return heard.push(broken("what came is no message of the protocol"));
        };
        if let Some(meant) = self.hear(&said) {
            return heard.push(meant);
        }
        let of_operation = matches!(said.kind.as_str(), "next" | "error" | "complete");
        heard.push(if of_operation && said.id.is_some() && self.acknowledged {
            Heard::Message(None, message)
        } else {
            broken(&format!("not the time for {:?}", said.kind))
        });
    }

    fn send(&mut self, outgoing: &Outgoing<'_, Message>) -> Message {
        outgoing.payload.clone()
    }

    fn joins(&self, _: &Message) -> bool {
        false
    }

    fn batch(&mut self, _: Vec<Message>) -> Message {
        unreachable!("no message of this protocol joins another")
    }

    fn ping(&mut self, nonce: u64) -> Option<Message> {
        Some(words::ping(nonce))
    }

    fn pong(&mut self) -> Option<Message> {
        self.answer.take()
    }
}

impl fmt::Debug for GraphqlTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphqlTransport")
            .field("acknowledged", &self.acknowledged)
            .finish_non_exhaustive()
    }
}

fn broken(how: &str) -> Heard<Message> {
    let cause = Cause::Protocol(ProtocolError::Frame);
    Heard::Refused(Failure::new(cause, how))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: Hello = Hello {
        session: None,
        last_seen: 0,
        first: 1,
        connection: 1,
    };

    fn hear(protocol: &mut GraphqlTransport, text: &str) -> Vec<Heard<Message>> {
        let mut heard = Vec::new();
        protocol.receive(text.into(), &mut heard);
        heard
    }

    fn ready() -> GraphqlTransport {
        let mut protocol = GraphqlTransport::new(|_| None);
        protocol.begin(Opening::new(1, false), HELLO);
        let heard = hear(&mut protocol, r#"{"type":"connection_ack"}"#);
        assert_eq!(heard, [Heard::Ready]);
        protocol
    }

    fn is_refused(heard: &[Heard<Message>]) -> bool {
        matches!(heard, [Heard::Refused(failure)]
            if failure.closure.cause == Cause::Protocol(ProtocolError::Frame))
    }

    #[test]
    fn every_connection_is_initialised_and_acknowledged() {
        let init = |opening: Opening| {
            let fresh = opening.refresh;
            fresh.then(|| serde_json::json!({ "token": "t" }))
        };
        let mut protocol = GraphqlTransport::new(init);
        for (refresh, said) in [
            (false, r#"{"type":"connection_init"}"#),
            (
                true,
                r#"{"type":"connection_init","payload":{"token":"t"}}"#,
            ),
        ] {
            let greeting = protocol.begin(Opening::new(1, refresh), HELLO);
            assert_eq!(greeting, Greeting::More(vec![said.into()]));
            // Nothing of another connection is left to be answered.
            assert_eq!(protocol.pong(), None);
            // Nothing else is due before the acknowledgement, but for heartbeats.
            let early = r#"{"id":"1","type":"next","payload":{}}"#;
            assert!(is_refused(&hear(&mut protocol, early)));
            assert_eq!(hear(&mut protocol, r#"{"type":"ping"}"#), [Heard::Ping]);
            let ack = r#"{"type":"connection_ack","payload":{"x":1}}"#;
            assert_eq!(hear(&mut protocol, ack), [Heard::Ready]);
            assert!(is_refused(&hear(&mut protocol, ack)));
        }
    }

    #[test]
    fn results_pass_as_they_are() {
        let mut protocol = ready();
        for text in [
            r#"{"id":"1","type":"next","payload":{"data":{"n":1.0}}}"#,
            r#" {"payload":[{"message":"m"}],"type":"error","id":"1"} "#,
            r#"{"id":"1","type":"complete"}"#,
        ] {
            let passed = [Heard::Message(None, text.into())];
            assert_eq!(hear(&mut protocol, text), passed);
        }
    }

    #[test]
    fn what_is_not_of_the_protocol_ends_the_connection() {
        let abyss = format!(
            r#"{{"type":"next","id":"1","payload":{}"#,
            "[".repeat(1 << 20)
        );
        for text in [
            "",
            "ping",
            "null",
            "[]",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"next","payload":{}}"#,
            r#"{"type":"next","id":1,"payload":{}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"connection_init"}"#,
            r#"{"type":"complete","id":"1"}x"#,
            &abyss,
        ] {
            assert!(is_refused(&hear(&mut ready(), text)), "{text:.40}");
        }
        let mut heard = Vec::new();
        let binary = Message::binary(br#"{"type":"ping"}"#.to_vec());
        ready().receive(binary, &mut heard);
        assert!(is_refused(&heard));
    }

    #[test]
    fn heartbeats_carry_a_nonce_one_way_and_the_payload_the_other() {
        let mut protocol = ready();
        let ping = protocol.ping(u64::MAX - 1).unwrap();
        let text = r#"{"type":"ping","payload":{"nonce":"18446744073709551614"}}"#;
        assert_eq!(ping.as_text(), Some(text));
        let pongs = [
            (text.replace("ping", "pong"), Some(u64::MAX - 1)),
            (r#"{"type":"pong"}"#.to_owned(), None),
            (r#"{"type":"pong","payload":null}"#.to_owned(), None),
            (
                r#"{"type":"pong","payload":{"x":1}}"#.to_owned(),
                Some(FOREIGN),
            ),
        ];
        for (pong, nonce) in pongs {
            assert_eq!(hear(&mut protocol, &pong), [Heard::Pong(nonce)], "{pong}");
        }
        assert_eq!(protocol.pong(), None);
        let long = format!(
            r#"{{"type":"ping","payload":{{"x":"{}"}}}}"#,
            "x".repeat(ECHOED)
        );
        for (ping, pong) in [
            (r#"{"type":"ping"}"#, r#"{"type":"pong"}"#),
            (
                r#"{"type":"ping","payload":{"b":1.50,"a":[]}}"#,
                r#"{"type":"pong","payload":{"b":1.50,"a":[]}}"#,
            ),
            (&long, r#"{"type":"pong"}"#),
        ] {
            assert_eq!(hear(&mut protocol, ping), [Heard::Ping]);
            assert_eq!(protocol.pong().unwrap().as_text(), Some(pong));
            // Other pings are the transport's to answer.
            assert_eq!(protocol.pong(), None);
        }
    }
}
