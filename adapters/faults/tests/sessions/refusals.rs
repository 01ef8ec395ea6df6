//! What is refused, and how it is said.

use crate::client::{Client, NEW, data, resume};
use crate::common::SOON;
use redial::session::SessionId;
use redial::wire::{Body, CloseCode, Frame, Refusal, WireError};
use redial_faults::sessions::SessionServer;
use std::num::NonZero;
use tungstenite::Message;

fn assert_refused(client: &mut Client, expected: Refusal) {
    let bytes = client.bytes();
    let Ok(Frame::Refuse { refusal, .. }) = Frame::parse(&bytes) else {
        panic!("{bytes:?}");
    };
    assert_eq!(refusal, expected);
    client.assert_closed(expected.close_code());
}

#[test]
fn another_version_is_refused_with_those_that_are_spoken() {
    let server = SessionServer::start().unwrap();
    let mut client = Client::dial(server.addr());
    let mut hello = Frame::Hello(NEW).to_vec();
    hello[4] = 9;
    client.0.send(Message::binary(hello)).unwrap();
    let versions = Refusal::Version {
        lowest: 1,
        highest: 1,
    };
    assert_refused(&mut client, versions);
    assert_eq!(server.malformed(), [WireError::Version { given: 9 }]);
    assert_eq!(server.sessions(), (0, 0));
}

#[test]
fn what_is_no_frame_is_refused_before_and_in_a_session() {
    let server = SessionServer::start().unwrap();
    let mut client = Client::dial(server.addr());
    client.0.send(Message::binary(vec![99])).unwrap();
    assert_refused(&mut client, Refusal::Malformed);
    // Something else than a hello comes first.
    let mut client = Client::dial(server.addr());
    client.say(&data(1, "x"));
    assert_refused(&mut client, Refusal::Malformed);
    let mut client = Client::dial(server.addr());
    client.0.send(Message::text("hello")).unwrap();
    assert_refused(&mut client, Refusal::Malformed);
    let (mut client, welcome) = Client::hello(&server, NEW);
    client.data(1, "kept");
    client.say(&Frame::Hello(NEW));
    assert_refused(&mut client, Refusal::Malformed);
    // The session outlives the connection that broke the protocol.
    assert!(server.wait_closed(SOON));
    assert_eq!(server.received(), [b"kept"]);
    let (_client, again) = Client::hello(&server, resume(welcome.session, 0, 1));
    assert_eq!((again.resumed, again.last_seen), (true, 1));
}

#[test]
fn refusals_can_be_asked_for() {
    let server = SessionServer::start().unwrap();
    for refusal in [
        Refusal::Busy { retry_after: 70 },
        Refusal::Custom(CloseCode::new(4001).unwrap()),
    ] {
        server.refuse(Some(refusal));
        let mut client = Client::dial(server.addr());
        client.say(&Frame::Hello(NEW));
        assert_refused(&mut client, refusal);
    }
    server.refuse(None);
    let (_client, welcome) = Client::hello(&server, NEW);
    assert!(!welcome.resumed);
}

#[test]
fn a_session_that_is_unknown_or_ahead_is_replaced_by_a_new_one() {
    let server = SessionServer::start().unwrap();
    let unknown = SessionId::new([7; 16]);
    let (_first, first) = Client::hello(&server, resume(unknown, 3, 9));
    assert!(!first.resumed && first.session != unknown);
    assert_eq!(first.last_seen, 8);
    // Nothing was ever sent to it, and it says that it has seen three.
    let (_second, second) = Client::hello(&server, resume(first.session, 3, 9));
    assert!(!second.resumed && second.session != first.session);
    assert!(server.client(first.session).unwrap().over);
    assert_eq!((server.open(), server.sessions()), (1, (2, 0)));
}

#[test]
fn intents_are_declined_as_often_as_is_asked_for() {
    let server = SessionServer::start().unwrap();
    let (mut client, welcome) = Client::hello(&server, NEW);
    server.decline(1);
    let mut declined = Vec::new();
    // The same number again is a duplicate, and of no interest.
    for number in [1, 1, 2] {
        let number = NonZero::new(number).unwrap();
        let body = Body::Text("news");
        client.say(&Frame::Intent { number, body });
    }
    client.say(&Frame::Ping { nonce: 1 });
    loop {
        let bytes = client.bytes();
        match Frame::parse(&bytes).unwrap() {
            Frame::Decline { number, .. } => declined.push(number.get()),
            Frame::Pong { .. } => break,
            _ => {}
        }
    }
    assert_eq!(declined, [1]);
    assert!(server.wait_clients(SOON, |clients| clients[0].got.len() == 2));
    assert_eq!(server.client(welcome.session).unwrap().duplicates, 1);
}
