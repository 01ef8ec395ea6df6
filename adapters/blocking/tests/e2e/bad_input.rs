//! Input that no correct server or user gives: a defined cause, and the queue stays whole.

use redial_adapter::LONGEST;
use redial_blocking::redial::cause::ProtocolError;
use redial_blocking::redial::{Cause, Outcome, Phase, outbox::DropReason};
use redial_blocking::{Request, RequestError, websocket};
use redial_faults::{Behaviour, Frame, Mode, Proxy, Server, http_answer};

use crate::common::{SOON, builder, connected, ended_by, link, quick};

#[test]
fn addresses_that_can_not_be() {
    assert_eq!(
        websocket("http://localhost/").unwrap_err(),
        RequestError::UnsupportedScheme("http".to_owned())
    );
    let error = websocket("localhost").unwrap_err();
    assert_eq!(error.to_string(), "\"localhost\" is no URL");
    assert_eq!(websocket("ws://").unwrap_err(), RequestError::NoHost);
    let error = redial_blocking::tcp("localhost").unwrap_err();
    assert_eq!(error, RequestError::InvalidPort(String::new()));
    let header = websocket("ws://x/").unwrap().header("Host", "y");
    assert!(matches!(header, Err(RequestError::ReservedHeader(_))));
    assert!(Request::websocket("ws://x/").is_ok());
}

#[test]
fn a_name_that_does_not_exist() {
    let (handle, _incoming) = link(
        "ws://no.such.host.invalid/",
        quick().connect_deadline(SOON).patience(SOON),
    );
    let cause = Cause::Socket(redial_blocking::redial::cause::SocketError::NameNotFound);
    ended_by(&handle, cause);
    println!("{:?}", handle.last_error());
}

#[test]
fn frames_that_can_not_be() {
    let text = Frame::Raw(vec![0x81, 2, 0xff, 0xfe]);
    let reserved = Frame::Raw(vec![0xf1, 0]);
    let masked = Frame::Raw(vec![0x82, 0x80, 1, 2, 3, 4]);
    let large = Frame::Binary(vec![0; 5000]);
    for (frame, cause) in [
        (text, Cause::Protocol(ProtocolError::Utf8)),
        (reserved, Cause::Protocol(ProtocolError::Frame)),
        (masked, Cause::Protocol(ProtocolError::Frame)),
        (large, Cause::Protocol(ProtocolError::TooBig)),
    ] {
        let server = Server::start(Behaviour::SendFirst(vec![frame])).unwrap();
        let url = server.url();
        let (handle, incoming) = builder(&url, quick()).max_incoming(4096).spawn().unwrap();
        let status = ended_by(&handle, cause);
        println!("{:?}", handle.last_error());
        // Once more, and then a person has to look.
        let failed = |s: &redial_blocking::redial::Status| s.phase == Phase::Failed;
        assert!(failed(&status) || handle.wait(failed, SOON).is_some());
        server.set(Behaviour::Echo);
        handle.reconnect();
        handle.try_send("1 whole").unwrap();
        assert!(server.wait_ledger(SOON, |ledger| ledger.delivered() == 1));
        assert_eq!(
            incoming.recv_timeout(SOON).unwrap().as_text(),
            Some("1 whole")
        );
    }
}

#[test]
fn answers_that_are_no_websocket() {
    let page = http_answer(200, "OK", &[], "<html>");
    let fake = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n";
    for (answer, cause) in [
        (b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(), Cause::NotWebSocket),
        (vec![0xff; 3000], Cause::NotWebSocket),
        (fake.to_vec(), Cause::NotWebSocket),
        (page, Cause::Http(200)),
    ] {
        let server = Server::start(Behaviour::Garbage(answer)).unwrap();
        let (handle, _incoming) = link(&server.url(), quick());
        handle.try_send("1 kept").unwrap();
        let status = ended_by(&handle, cause);
        assert_eq!(status.queued, 1);
        server.set(Behaviour::Echo);
        handle.reconnect();
        assert!(server.wait_received(1, SOON));
    }
    // Nothing at all behind an accept, from something that isn't even a server.
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::Answer(Vec::new()));
    let (handle, _incoming) = link(&proxy.url(), quick());
    ended_by(&handle, Cause::Lost);
}

#[test]
fn a_message_over_the_limit_of_the_transport() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (handle, incoming) = builder(&server.url(), quick())
        .max_outgoing(100)
        .spawn()
        .unwrap();
    let fates = handle.fates();
    connected(&handle);
    let large = handle.try_send("x".repeat(101)).unwrap();
    handle.try_send("y".repeat(100)).unwrap();
    assert_eq!(incoming.recv_timeout(SOON).unwrap().as_bytes().len(), 100);
    let fate = fates.recv_timeout(SOON).unwrap();
    assert_eq!(fate.id, large);
    assert_eq!(fate.outcome, Outcome::Dropped(DropReason::TooBig));
    assert_eq!(fates.recv_timeout(SOON).unwrap().outcome, Outcome::Written);
    // A drain whose only message is too big is over at once.
    handle.try_send("x".repeat(101)).unwrap();
    assert!(handle.drain(SOON).is_empty());
    assert_eq!(handle.status().last_cause, Some(Cause::Requested));
    assert_eq!(handle.stats().dials, 1);
}

#[test]
fn the_longest_message_by_default() {
    // A message in two fragments, as long as is taken by default, or one byte longer.
    let fragments = |first: usize| {
        let mut long = vec![0x02, 127];
        long.extend_from_slice(&(first as u64).to_be_bytes());
        long.resize(long.len() + first, 7);
        vec![Frame::Raw(long), Frame::Raw(b"\x80\x01!".to_vec())]
    };
    let server = Server::start(Behaviour::SendFirst(fragments(LONGEST - 1))).unwrap();
    let (_handle, incoming) = link(&server.url(), quick());
    let message = incoming.recv_timeout(SOON).unwrap();
    assert_eq!(message.as_bytes().len(), LONGEST);
    let server = Server::start(Behaviour::SendFirst(fragments(LONGEST))).unwrap();
    let (handle, _incoming) = link(&server.url(), quick());
    ended_by(&handle, Cause::Protocol(ProtocolError::TooBig));
}
