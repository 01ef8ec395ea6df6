//! Messages both ways, over one connection and several.

use crate::client::{Client, Heard, NEW, data, message, resume, seen, texts, wait_received};
use crate::common::{self, SOON};
use redial::inbox::Gap;
use redial::outbox::{Batch as Batching, Delivery, RefusedReason};
use redial::server::Settings;
use redial::session::Cadence;
use redial::wire::{Batch, Body, Frame};
use redial::{Hello, SendOptions};
use redial_faults::sessions::{Feed, Got, SessionOptions, SessionServer};
use std::io::Write;
use std::num::NonZero;
use std::time::Duration;

fn start(change: impl FnOnce(&mut Settings)) -> SessionServer {
    let mut options = SessionOptions::default();
    change(&mut options.settings);
    SessionServer::start_with(&options).expect("starts")
}

#[test]
fn a_fresh_session_carries_messages_both_ways() {
    let server = start(|settings| {
        settings.acks = Cadence {
            messages: 2,
            delay: Duration::from_secs(60),
            ..Cadence::default()
        };
    });
    let (mut client, welcome) = Client::hello(&server, Hello { first: 4, ..NEW });
    assert!(!welcome.resumed);
    assert_eq!(
        (welcome.last_seen, welcome.intents, welcome.first),
        (3, 0, 1)
    );
    client.data(4, "a");
    client.data(0, "at most once");
    let number = NonZero::new(1).unwrap();
    let body = Body::Binary(&[7]);
    client.say(&Frame::Intent { number, body });
    assert_eq!(client.heard(), Heard::Ack(4, 1));
    client.say(&Frame::Ping { nonce: 9 });
    assert_eq!(client.heard(), Heard::Pong(9));
    let options = SendOptions::new();
    let sent = server.send(welcome.session, "b", options).unwrap();
    assert_eq!(sent.number(), 1);
    let once = options.delivery(Delivery::AtMostOnce);
    server.send(welcome.session, "c", once).unwrap();
    assert_eq!(client.heard(), Heard::Data(1, "b".to_owned()));
    assert_eq!(client.heard(), Heard::Data(0, "c".to_owned()));
    client.ack(1);
    assert!(server.wait_clients(SOON, |clients| clients[0].fates.acked == 1));
    let seen = seen(&server, welcome.session);
    let intent = Got::Intent {
        number: 1,
        content: vec![7].into(),
    };
    assert_eq!(
        seen.got,
        [message(4, "a"), message(0, "at most once"), intent]
    );
    assert!(seen.connected && !seen.over);
    assert_eq!((seen.fates.written, seen.duplicates), (1, 0));
    assert_eq!((server.open(), server.sessions()), (1, (1, 0)));
    assert_eq!(server.writes(), 0, "there is no store");
}

#[test]
fn a_resumed_session_replays_what_is_missing_and_drops_what_was_seen() {
    let server = start(|_| {});
    let (mut client, welcome) = Client::hello(&server, NEW);
    let session = welcome.session;
    for number in 1..=3 {
        server
            .send(session, number.to_string(), SendOptions::new())
            .unwrap();
        assert_eq!(client.heard(), Heard::Data(number, number.to_string()));
    }
    client.data(1, "one");
    client.data(2, "two");
    wait_received(&server, 2);
    server.reset_all();
    client.assert_cut();
    server.send(session, "4", SendOptions::new()).unwrap();
    // It has seen two of the server's, and doesn't know how many of its own arrived.
    let (mut client, welcome) = Client::hello(&server, resume(session, 2, 1));
    assert!(welcome.resumed);
    assert_eq!(
        (welcome.session, welcome.last_seen, welcome.first),
        (session, 2, 3)
    );
    for number in 3..=4 {
        assert_eq!(client.heard(), Heard::Data(number, number.to_string()));
    }
    client.data(2, "two");
    // What was seen is acknowledged again at once.
    assert_eq!(client.heard(), Heard::Ack(2, 0));
    client.data(3, "three");
    wait_received(&server, 3);
    assert_eq!(texts(&server), ["one", "two", "three"]);
    let seen = seen(&server, session);
    assert_eq!((seen.duplicates, seen.resumed), (1, 1));
    assert_eq!((seen.fates.acked, seen.fates.unknown), (2, 0));
}

#[test]
fn gaps_are_told_where_they_are() {
    let server = start(|_| {});
    let (mut client, welcome) = Client::hello(&server, NEW);
    client.data(1, "one");
    client.data(4, "four");
    wait_received(&server, 2);
    server.drop_all();
    // Five and six expired while there was no connection.
    let (mut client, welcome) = Client::hello(&server, resume(welcome.session, 0, 7));
    assert_eq!(welcome.last_seen, 6);
    client.data(7, "seven");
    wait_received(&server, 3);
    let expected = [
        message(1, "one"),
        Got::Gap(Gap { from: 2, to: 3 }),
        message(4, "four"),
        Got::Gap(Gap { from: 5, to: 6 }),
        message(7, "seven"),
    ];
    assert_eq!(seen(&server, welcome.session).got, expected);
}

#[test]
fn a_second_connection_takes_the_session_over() {
    let server = start(|_| {});
    let (mut first, welcome) = Client::hello(&server, NEW);
    let (mut second, again) = Client::hello(&server, resume(welcome.session, 0, 1));
    assert!(again.resumed);
    first.assert_cut();
    second.data(1, "x");
    wait_received(&server, 1);
    server.send_all("y", SendOptions::new());
    assert_eq!(second.heard(), Heard::Data(1, "y".to_owned()));
    assert_eq!(server.open(), 1);
    assert!(seen(&server, welcome.session).connected);
}

#[test]
fn a_session_whose_client_stays_away_runs_out() {
    let server = start(|settings| settings.window = Duration::from_millis(30));
    let (client, welcome) = Client::hello(&server, NEW);
    server
        .send(welcome.session, "x", SendOptions::new())
        .unwrap();
    drop(client);
    assert!(server.wait_clients(SOON, |clients| clients[0].over));
    let over = seen(&server, welcome.session);
    assert_eq!((over.fates.unknown, over.connected), (1, false));
    let refused = server.send(welcome.session, "y", SendOptions::new());
    assert_eq!(refused, Err(RefusedReason::NoSession));
    let (_client, fresh) = Client::hello(&server, resume(welcome.session, 0, 5));
    assert!(!fresh.resumed && fresh.session != welcome.session);
    assert_eq!(fresh.last_seen, 4);
}

#[test]
fn a_session_that_is_ended_is_closed_in_order() {
    let server = start(|_| {});
    let (mut client, welcome) = Client::hello(&server, NEW);
    server.end(welcome.session);
    client.assert_closed(1000);
    assert!(seen(&server, welcome.session).over);
    assert_eq!(server.open(), 0);
}

#[test]
fn batches_go_both_ways() {
    let server = start(|settings| {
        settings.outbox.batch = Some(Batching {
            messages: 3,
            delay: Duration::from_secs(60),
        });
    });
    let (mut client, _) = Client::hello(&server, NEW);
    let parts = [data(1, "a").to_vec(), data(2, "b").to_vec()];
    let batch = Batch::join(parts.iter().map(Vec::as_slice)).unwrap();
    client.0.send(tungstenite::Message::binary(batch)).unwrap();
    wait_received(&server, 2);
    assert_eq!(texts(&server), ["a", "b"]);
    for text in ["x", "y", "z"] {
        server.send_all(text, SendOptions::new());
    }
    let mut bytes = client.bytes();
    if matches!(Frame::parse(&bytes), Ok(Frame::Ack { .. })) {
        bytes = client.bytes();
    }
    let Ok(Frame::Batch(batch)) = Frame::parse(&bytes) else {
        panic!("{bytes:?}");
    };
    let frames: Vec<_> = batch.frames().collect();
    assert_eq!(frames, [data(1, "x"), data(2, "y"), data(3, "z")]);
}

#[test]
fn a_feed_goes_as_fast_as_it_is_acknowledged() {
    let server = start(|settings| settings.outbox.messages = 8);
    server.feed(Some(Feed::new(1_000).size(6)));
    let (mut client, welcome) = Client::hello(&server, NEW);
    for number in 0..1_000 {
        let Heard::Data(sequence, text) = client.heard() else {
            panic!("no data");
        };
        assert_eq!((sequence, text.len()), (number + 1, 6));
        assert!(text.starts_with(&format!("{number} ")), "{text}");
        client.ack(sequence);
    }
    assert!(server.wait_clients(SOON, |clients| clients[0].fates.acked == 1_000));
    assert_eq!(seen(&server, welcome.session).fates.unsent, 0);
}

#[test]
fn framed_tcp_carries_the_same_frames() {
    let options = SessionOptions {
        framed: true,
        ..SessionOptions::default()
    };
    let server = SessionServer::start_with(&options).unwrap();
    let mut client = common::tcp(server.addr());
    for frame in [Frame::Hello(NEW), data(1, "x")] {
        let frame = frame.to_vec();
        let length = u32::try_from(frame.len() + 1).unwrap();
        client.write_all(&length.to_be_bytes()).unwrap();
        client.write_all(&[0]).unwrap();
        client.write_all(&frame).unwrap();
    }
    wait_received(&server, 1);
    let mut reply = [0; 7];
    std::io::Read::read_exact(&mut client, &mut reply).unwrap();
    // A welcome of version 1: its length, the tag of data, kind, version.
    assert_eq!(reply[4..7], [0, 2, 1]);
    assert_eq!(reply[..3], [0, 0, 0]);
}
