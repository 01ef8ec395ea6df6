//! What survives the end of the server, and what doesn't.

use crate::client::{
    Client, Heard, NEW, data, message, next_connection, resume, seen, texts, wait_received,
};
use crate::common::SOON;
use crate::places::Place;
use redial::outbox::Delivery;
use redial::session::{Cadence, SessionId};
use redial::wire::Frame;
use redial::{Hello, SendOptions};
use redial_faults::sessions::{Feed, Memory, SessionOptions, SessionServer, Store};
use std::time::Duration;
use tungstenite::Message;

fn options(place: &Place) -> SessionOptions {
    SessionOptions {
        store: Some(Store::new(place.path())),
        ..SessionOptions::default()
    }
}

fn start(place: &Place) -> SessionServer {
    SessionServer::start_with(&options(place)).expect("starts")
}

#[test]
fn kept_sessions_go_on_under_another_run_of_the_server() {
    let place = Place::new();
    let server = start(&place);
    let (mut client, before) = Client::hello(&server, NEW);
    let session = before.session;
    client.data(1, "one");
    for text in ["a", "b"] {
        server.send(session, text, SendOptions::new()).unwrap();
    }
    assert_eq!(client.heard(), Heard::Data(1, "a".to_owned()));
    wait_received(&server, 1);
    server.restart(Memory::Keep).unwrap();
    client.assert_cut();
    assert_eq!((server.open(), server.restarts()), (0, 1));
    let (mut client, after) = Client::hello(&server, resume(session, 1, 1));
    assert!(after.resumed && after.server != before.server);
    assert_eq!(
        (after.session, after.last_seen, after.first),
        (session, 1, 2)
    );
    assert_eq!(client.heard(), Heard::Data(2, "b".to_owned()));
    client.data(1, "one");
    client.data(2, "two");
    wait_received(&server, 2);
    assert_eq!(
        seen(&server, session).got,
        [message(1, "one"), message(2, "two")]
    );
    assert_eq!(seen(&server, session).duplicates, 1);
    assert_eq!(server.ledger().duplicated(), 0);
}

#[test]
fn another_server_finds_the_sessions_in_the_directory() {
    let place = Place::new();
    let session = {
        let server = start(&place);
        let (mut client, welcome) = Client::hello(&server, NEW);
        client.data(1, "one");
        wait_received(&server, 1);
        welcome.session
    };
    let server = start(&place);
    assert_eq!(texts(&server), ["one"]);
    let (_client, welcome) = Client::hello(&server, resume(session, 0, 2));
    assert_eq!((welcome.resumed, welcome.last_seen), (true, 1));
}

#[test]
fn wiped_sessions_are_gone_and_their_account_remains() {
    let place = Place::new();
    let server = start(&place);
    let (mut client, before) = Client::hello(&server, NEW);
    client.data(1, "one");
    wait_received(&server, 1);
    server.restart(Memory::Wipe).unwrap();
    client.assert_cut();
    let (mut client, after) = Client::hello(&server, resume(before.session, 0, 1));
    assert!(!after.resumed && after.session != before.session);
    assert!(after.server != before.server);
    assert_eq!(after.last_seen, 0);
    client.data(1, "one");
    wait_received(&server, 2);
    // Both applications got it: this is what a wiped store costs.
    assert_eq!(texts(&server), ["one", "one"]);
    assert!(seen(&server, before.session).over);
    assert!(!seen(&server, after.session).over);
    server.restart(Memory::Keep).unwrap();
    let (_client, kept) = Client::hello(&server, resume(before.session, 0, 1));
    assert!(!kept.resumed, "what was wiped stays wiped");
}

#[test]
fn a_stopped_server_refuses_until_it_is_up_again() {
    let place = Place::new();
    let server = start(&place);
    let (mut client, welcome) = Client::hello(&server, NEW);
    server.stop();
    client.assert_cut();
    let refused = std::net::TcpStream::connect_timeout(&server.addr(), SOON);
    assert_eq!(
        refused.map_err(|error| error.kind()).unwrap_err(),
        std::io::ErrorKind::ConnectionRefused
    );
    server.start_again(Memory::Keep).unwrap();
    assert!(server.start_again(Memory::Keep).is_err(), "it is up");
    let (_client, again) = Client::hello(&server, resume(welcome.session, 0, 1));
    assert!(again.resumed);
    let bare = SessionServer::start().unwrap();
    assert!(bare.restart(Memory::Keep).is_err(), "it has no store");
    bare.start_again(Memory::Wipe).unwrap();
    Client::hello(&bare, NEW);
}

#[test]
fn the_window_begins_anew_and_runs_out_without_a_connection() {
    let place = Place::new();
    let mut options = options(&place);
    options.settings.window = Duration::from_millis(40);
    let server = SessionServer::start_with(&options).unwrap();
    let (_client, welcome) = Client::hello(&server, NEW);
    server.restart(Memory::Keep).unwrap();
    assert!(!seen(&server, welcome.session).over);
    assert!(server.wait_clients(SOON, |clients| clients[0].over));
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn what_was_sent_is_known_to_be_sent_after_a_restart() {
    let place = Place::new();
    let server = start(&place);
    server.feed(Some(Feed::new(100)));
    let (mut client, welcome) = Client::hello(&server, NEW);
    let once = SendOptions::new().delivery(Delivery::AtMostOnce);
    for number in 0..100 {
        assert_eq!(client.heard(), Heard::Data(number + 1, number.to_string()));
    }
    server.send(welcome.session, "once", once).unwrap();
    server.restart(Memory::Keep).unwrap();
    // If it were not written down before it was sent, the client would be ahead of the server.
    let (mut client, again) = Client::hello(&server, resume(welcome.session, 100, 1));
    assert_eq!((again.resumed, again.first), (true, 101));
    server
        .send(welcome.session, "next", SendOptions::new())
        .unwrap();
    assert_eq!(client.heard(), Heard::Data(101, "next".to_owned()));
    // Whether the message that was sent once has left the server, nobody can say any more.
    assert!(server.wait_clients(SOON, |c| c[0].fates.acked == 100));
}

#[test]
fn what_is_accepted_is_stored_whether_the_client_is_there_or_not() {
    let place = Place::new();
    let server = start(&place);
    let (client, welcome) = Client::hello(&server, NEW);
    drop(client);
    assert!(server.wait_closed(SOON));
    let session = welcome.session;
    // The window takes one at a time: the second is committed when the first is flushed.
    let (a, b) = ("a".repeat(40_000), "b".repeat(40_000));
    server
        .send(session, a.as_str(), SendOptions::new())
        .unwrap();
    assert_eq!(server.send_all(b.as_str(), SendOptions::new()), 1);
    server.restart(Memory::Keep).unwrap();
    let (mut client, _) = Client::hello(&server, resume(session, 0, 1));
    assert_eq!(client.heard(), Heard::Data(1, a));
    assert_eq!(client.heard(), Heard::Data(2, b));
    // What the client has seen was written down as sent before it was written.
    server.restart(Memory::Keep).unwrap();
    let (_client, again) = Client::hello(&server, resume(session, 2, 1));
    assert!(again.resumed);
}

#[test]
fn what_the_disk_has_garbled_is_cut_off() {
    let place = Place::new();
    let server = start(&place);
    let (mut client, welcome) = Client::hello(&server, NEW);
    for (number, text) in [(1, "one"), (2, "two")] {
        client.data(number, text);
        wait_received(&server, number);
    }
    server.stop();
    let file = std::fs::read_dir(place.path()).unwrap().next();
    let path = file.unwrap().unwrap().path();
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(path, bytes).unwrap();
    server.start_again(Memory::Keep).unwrap();
    assert_eq!(texts(&server), ["one"]);
    let (mut client, again) = Client::hello(&server, resume(welcome.session, 0, 2));
    assert_eq!((again.resumed, again.last_seen), (true, 1));
    client.data(2, "two");
    wait_received(&server, 2);
    assert_eq!(texts(&server), ["one", "two"]);
}

#[test]
fn a_long_file_is_written_anew_with_all_that_was_got() {
    let place = Place::new();
    let server = start(&place);
    let (mut client, welcome) = Client::hello(&server, NEW);
    // It is not acknowledged, so that it stands in every record of the file.
    let large = "x".repeat(900_000);
    server
        .send(welcome.session, large, SendOptions::new())
        .unwrap();
    for number in 1..=40 {
        client.data(number, &number.to_string());
        wait_received(&server, number);
    }
    let files: Vec<_> = std::fs::read_dir(place.path()).unwrap().collect();
    let size = files[0].as_ref().unwrap().metadata().unwrap().len();
    assert!(files.len() == 1 && size < 10_000_000, "{size}");
    server.restart(Memory::Keep).unwrap();
    let expected: Vec<_> = (1..=40).map(|n| message(n, &n.to_string())).collect();
    assert_eq!(seen(&server, welcome.session).got, expected);
    let (mut client, _) = Client::hello(&server, resume(welcome.session, 0, 41));
    assert!(matches!(client.heard(), Heard::Data(1, _)));
}

/// Sends ten messages over a server that crashes in one of its writes, replaying by hand what
/// it doesn't know; gives how often it went down.
fn run_through_a_crash(after: u64, torn: usize) -> u64 {
    let place = Place::new();
    let mut options = options(&place);
    options.settings.acks = Cadence {
        messages: 1,
        ..Cadence::default()
    };
    let server = SessionServer::start_with(&options).unwrap();
    assert!(server.crash_in_write(after, torn));
    let mut session: Option<SessionId> = None;
    let mut known = 0;
    while known < 10 {
        let mut client = Client::dial_again(server.addr());
        let hello = Frame::Hello(Hello {
            session,
            last_seen: 0,
            first: known + 1,
            connection: next_connection(),
        });
        let _ = client.0.send(Message::binary(hello.to_vec()));
        // Everything that is not acknowledged, on each connection.
        for number in known + 1..=10 {
            let text = number.to_string();
            let frame = data(number, &text).to_vec();
            if client.0.send(Message::binary(frame)).is_err() {
                break;
            }
        }
        while known < 10 {
            let Ok(Message::Binary(bytes)) = client.0.read() else {
                break;
            };
            match Frame::parse(&bytes).unwrap() {
                Frame::Welcome(welcome) => {
                    assert_eq!(welcome.resumed, session.is_some(), "{after} {torn}");
                    session = Some(welcome.session);
                    known = known.max(welcome.last_seen);
                }
                Frame::Ack { sequence, .. } => known = sequence,
                other => panic!("{other:?}"),
            }
        }
    }
    let session = session.expect("was welcomed");
    let expected: Vec<_> = (1..=10).map(|n| message(n, &n.to_string())).collect();
    assert_eq!(seen(&server, session).got, expected, "{after} {torn}");
    // And so says the disk.
    server.restart(Memory::Keep).unwrap();
    assert_eq!(seen(&server, session).got, expected, "{after} {torn}");
    server.restarts() - 1
}

#[test]
fn each_message_is_got_once_wherever_a_write_is_torn() {
    let mut crashes = 0;
    for after in 0..3 {
        for bytes in (0..400).step_by(13) {
            crashes += run_through_a_crash(after, bytes);
        }
    }
    assert!(crashes >= 40, "{crashes}");
}
