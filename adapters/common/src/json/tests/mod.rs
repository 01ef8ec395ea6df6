//! JSON heartbeats and batches, message by message.

mod batches;
mod heartbeats;
mod properties;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redial::Cause;
use redial::session::Hello;

use super::{JsonHeartbeat, Style};
use crate::{Failure, Greeting, Handshake, Heard, Message, Opening, Protocol};

const HELLO: Hello = Hello {
    session: None,
    last_seen: 0,
    first: 1,
    connection: 1,
};

/// A wall clock that a test sets, in milliseconds.
fn clocked(style: Style) -> (JsonHeartbeat, Arc<AtomicU64>) {
    let millis = Arc::new(AtomicU64::new(1_700_000_000_000));
    let clock = Arc::clone(&millis);
    let protocol = JsonHeartbeat::new(style)
        .clock(move || Some(Duration::from_millis(clock.load(Ordering::Relaxed))));
    (protocol, millis)
}

fn begin(protocol: &mut JsonHeartbeat) -> Greeting<Message> {
    protocol.begin(Opening::new(1, false), HELLO)
}

fn hear(protocol: &mut JsonHeartbeat, message: impl Into<Message>) -> Vec<Heard<Message>> {
    let mut heard = Vec::new();
    protocol.receive(message.into(), &mut heard);
    heard
}

fn said(message: Option<Message>) -> String {
    message.unwrap().as_text().unwrap().to_owned()
}

fn passed(message: impl Into<Message>) -> [Heard<Message>; 1] {
    [Heard::Message(None, message.into())]
}

struct Login;

impl Handshake<Message> for Login {
    fn begin(&mut self, _: Opening) -> Greeting<Message> {
        Greeting::More(vec!["login".into()])
    }

    fn receive(&mut self, message: Message) -> Greeting<Message> {
        match message.as_text() {
            Some("welcome") => Greeting::Ready(vec!["thanks".into()]),
            Some("go away" | "\"go away\"") => {
                Greeting::Refused(Failure::new(Cause::Close(4401), "gone"))
            }
            _ => Greeting::More(vec!["pardon".into()]),
        }
    }
}
