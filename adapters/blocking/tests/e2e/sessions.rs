//! A session over connections that come and go: what is acknowledged, replayed, told.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;

use redial_blocking::redial::config::Builder as Settings;
use redial_blocking::redial::outbox::{Batch, Limits};
use redial_blocking::redial::session::{self, Cadence, Fresh, OnFresh, ServerId};
use redial_blocking::redial::wire::{Detail, Frame, Refusal};
use redial_blocking::redial::{
    Cause, Delivery, Gap, Outcome, Phase, Resumption, SendOptions, cause::ProtocolError,
};
use redial_blocking::{Ends, Fates, Incoming, Received, Wire, tcp};

use crate::common::peer::{Peer, message as said, resumed, welcome};
use crate::common::{SOON, connected, ended_by, ms, pulse, quick, wait};

/// Acknowledged delivery; what comes in is acknowledged after two messages or 50 ms.
pub(crate) fn acknowledged() -> Settings {
    settings(session::Settings::default(), limits())
}

pub(crate) fn settings(session: session::Settings, limits: Limits) -> Settings {
    let acks = Cadence {
        messages: 2,
        ..Cadence::default()
    };
    quick()
        .outbox(limits)
        .session(Some(session::Settings { acks, ..session }))
}

pub(crate) fn limits() -> Limits {
    Limits {
        delivery: Delivery::Acknowledged,
        ..Limits::default()
    }
}

fn link(peer: &Peer, config: Settings) -> Ends<Vec<u8>> {
    tcp(&peer.addr().to_string())
        .unwrap()
        .config(config.build().unwrap())
        .protocol(Wire::new())
        .spawn()
        .unwrap()
}

fn told(incoming: &Incoming<Vec<u8>>) -> Received<String> {
    match incoming.recv_told_timeout(SOON).unwrap() {
        Received::Message(bytes) => Received::Message(String::from_utf8(bytes).unwrap()),
        Received::Gap(gap) => Received::Gap(gap),
        Received::Session(resumption) => Received::Session(resumption),
    }
}

fn message(text: &str) -> Received<String> {
    Received::Message(text.to_owned())
}

fn fates(fates: &Fates<Vec<u8>>, count: usize) -> Vec<(u64, Outcome)> {
    let next = || fates.recv_timeout(SOON).unwrap();
    let fates = std::iter::repeat_with(next).take(count);
    fates.map(|fate| (fate.id.number(), fate.outcome)).collect()
}

const fn fresh(reason: Fresh, server: u8, unknown: usize, resent: usize) -> Resumption {
    Resumption::Fresh {
        reason,
        server: Some(ServerId::new([server; 16])),
        restarted: false,
        unknown,
        resent,
    }
}

const fn went_on(server: u8) -> Resumption {
    Resumption::Resumed {
        server: ServerId::new([server; 16]),
        restarted: false,
        missed: None,
        forgotten: None,
    }
}

#[test]
fn what_was_not_acknowledged_is_replayed_once_and_in_order() {
    let peer = Peer::start();
    let (handle, incoming) = link(&peer, acknowledged());
    let ends = handle.fates();
    for text in ["a", "b", "c"] {
        handle.try_send(text).unwrap();
    }
    let once = SendOptions::new().delivery(Delivery::AtMostOnce);
    handle.send_with("d", once).unwrap();
    let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
    for heard in ["1 a", "2 b", "3 c", "- d"] {
        assert_eq!(line.hear(), heard);
    }
    line.ack(1, 0);
    let written = [(1, Outcome::Acked), (4, Outcome::Written)];
    let mut first = fates(&ends, 2);
    first.sort_unstable_by_key(|fate| fate.0);
    assert_eq!(first, written);
    drop(line);
    // It has seen the second one, and its acknowledgement was lost.
    let mut line = peer.meet("hello 7 seen 0 first 2", resumed(7, 1, 2, 0));
    assert_eq!(line.hear(), "3 c");
    line.ack(3, 0);
    assert_eq!(fates(&ends, 2), [(2, Outcome::Acked), (3, Outcome::Acked)]);
    assert_eq!(
        told(&incoming),
        Received::Session(fresh(Fresh::First, 1, 0, 0))
    );
    assert_eq!(told(&incoming), Received::Session(went_on(1)));
    assert_eq!(handle.status().resumption, Some(went_on(1)));
    assert_eq!(handle.session().0, Some(welcome(7, 1).session));
    let stats = handle.stats();
    assert_eq!((stats.fresh, stats.resumed, stats.acked), (1, 1, 3));
}

#[test]
fn what_comes_twice_is_dropped_and_what_is_missing_is_told() {
    let peer = Peer::start();
    let (handle, incoming) = link(&peer, acknowledged());
    let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
    line.message(1, "a");
    line.message(2, "b");
    assert_eq!(line.hear(), "ack 2 0");
    line.message(3, "c");
    // The third one is acknowledged after a while.
    assert_eq!(line.hear(), "ack 3 0");
    line.message(0, "any time");
    for expected in ["a", "b", "c", "any time"] {
        assert_eq!(incoming.recv_timeout(SOON).unwrap(), expected.as_bytes());
    }
    drop(line);
    let mut line = peer.meet("hello 7 seen 3 first 1", resumed(7, 1, 0, 0));
    for (sequence, text) in [(2, "b"), (3, "c"), (4, "d"), (7, "g")] {
        line.message(sequence, text);
    }
    let gap = Gap { from: 5, to: 6 };
    let expected = [
        Received::Session(went_on(1)),
        message("d"),
        Received::Gap(gap),
        message("g"),
    ];
    for expected in expected {
        assert_eq!(told(&incoming), expected);
    }
    let stats = handle.stats();
    assert_eq!((stats.duplicates, stats.missed), (2, 2));
    let none = incoming.try_recv_told();
    assert!(none.is_err(), "{none:?}");
}

#[test]
fn a_server_without_memory_is_told_and_the_policy_decides() {
    for (on_fresh, unknown, resent) in [(OnFresh::Report, 2, 0), (OnFresh::Resend, 0, 2)] {
        let peer = Peer::start();
        let session = session::Settings {
            on_fresh,
            ..session::Settings::default()
        };
        let (handle, incoming) = link(&peer, settings(session, limits()));
        let ends = handle.fates();
        let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
        for (text, heard) in [("a", "1 a"), ("b", "2 b"), ("c", "3 c")] {
            handle.try_send(text).unwrap();
            assert_eq!(line.hear(), heard);
        }
        line.ack(1, 0);
        line.message(1, "x");
        assert_eq!(line.hear(), "ack 1 0");
        drop(line);
        // Another run of the server, which knows nothing.
        let mut line = peer.meet("hello 7 seen 1 first 2", welcome(8, 2));
        line.message(1, "y");
        handle.try_send("d").unwrap();
        if on_fresh == OnFresh::Resend {
            assert_eq!([line.hear(), line.hear()], ["!2 b", "!3 c"]);
        }
        assert_eq!(line.hear(), "4 d");
        line.ack(4, 0);
        let lost = match on_fresh {
            OnFresh::Report => Outcome::Unknown,
            OnFresh::Resend => Outcome::Acked,
        };
        let expected = [Outcome::Acked, lost, lost, Outcome::Acked];
        let ended: Vec<_> = fates(&ends, 4).iter().map(|fate| fate.1).collect();
        assert_eq!(ended, expected);
        let again = Resumption::Fresh {
            reason: Fresh::Forgotten,
            server: Some(ServerId::new([2; 16])),
            restarted: true,
            unknown,
            resent,
        };
        let expected = [
            Received::Session(fresh(Fresh::First, 1, 0, 0)),
            message("x"),
            Received::Session(again),
            message("y"),
        ];
        for expected in expected {
            assert_eq!(told(&incoming), expected);
        }
    }
}

#[test]
fn a_restarted_server_that_remembers_is_told() {
    let peer = Peer::start();
    let (handle, incoming) = link(&peer, acknowledged());
    let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
    handle.try_send("a").unwrap();
    assert_eq!(line.hear(), "1 a");
    line.ack(1, 0);
    wait(&handle, |status| status.in_flight == 0);
    drop(line);
    // It came back from a state before the first message, and has dropped two of its own.
    let back = redial_blocking::redial::Welcome {
        first: 3,
        ..resumed(7, 2, 0, 0)
    };
    let _line = peer.meet("hello 7 seen 0 first 2", back);
    let outcome = Resumption::Resumed {
        server: ServerId::new([2; 16]),
        restarted: true,
        missed: Some(Gap { from: 1, to: 2 }),
        forgotten: Some(Gap { from: 1, to: 1 }),
    };
    assert_eq!(
        told(&incoming),
        Received::Session(fresh(Fresh::First, 1, 0, 0))
    );
    assert_eq!(told(&incoming), Received::Session(outcome));
}

#[test]
fn intents_are_written_in_a_fresh_session_and_not_in_a_resumed_one() {
    let peer = Peer::start();
    let (handle, _incoming) = link(&peer, acknowledged());
    handle.try_send("a").unwrap();
    handle.declare("news").unwrap();
    let sport = handle.declare("sport").unwrap();
    let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
    for heard in ["*1 news", "*2 sport", "1 a"] {
        assert_eq!(line.hear(), heard);
    }
    // One that is declared on an open connection goes at once.
    handle.declare("weather").unwrap();
    assert_eq!(line.hear(), "*3 weather");
    line.ack(1, 2);
    wait(&handle, |status| status.in_flight == 0);
    drop(line);
    let mut line = peer.meet("hello 7 seen 0 first 2", resumed(7, 1, 1, 2));
    // It has another number, as each writing has.
    assert_eq!(line.hear(), "*4 weather");
    assert_eq!(handle.withdraw(sport), Some(b"sport".to_vec()));
    assert_eq!(handle.withdraw(sport), None);
    drop(line);
    wait(&handle, |status| status.phase != Phase::Connected);
    handle.try_send("b").unwrap();
    let mut line = peer.meet("hello 7 seen 0 first 2", welcome(8, 1));
    for heard in ["*1 news", "*2 weather", "2 b"] {
        assert_eq!(line.hear(), heard);
    }
}

#[test]
fn a_drain_waits_for_acknowledgements() {
    let peer = Peer::start();
    let (handle, _incoming) = link(&peer, acknowledged());
    let ends = handle.fates();
    let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
    connected(&handle);
    handle.try_send("a").unwrap();
    let drained = {
        let handle = handle.clone();
        thread::spawn(move || handle.drain(SOON))
    };
    assert_eq!(line.hear(), "1 a");
    wait(&handle, |status| status.phase == Phase::Draining);
    // Written is not enough: the ping of this wait is answered before the close is said.
    line.ping(5);
    assert_eq!(line.hear(), "pong 5");
    assert_eq!(handle.status().phase, Phase::Draining);
    line.message(1, "x");
    line.ack(1, 0);
    // The last word, ahead of the close.
    assert_eq!([line.hear(), line.hear()], ["ack 1 0", "close"]);
    drop(line);
    assert_eq!(drained.join().unwrap(), Vec::<Vec<u8>>::new());
    assert_eq!(fates(&ends, 1), [(1, Outcome::Acked)]);
}

#[test]
fn a_drain_without_acknowledgements_ends_in_time() {
    let peer = Peer::start();
    let (handle, _incoming) = link(&peer, acknowledged());
    let ends = handle.fates();
    let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
    connected(&handle);
    handle.try_send("a").unwrap();
    assert_eq!(line.hear(), "1 a");
    // Nobody knows whether it has arrived, so it is not handed back as unsent.
    assert_eq!(handle.drain(ms(50)), Vec::<Vec<u8>>::new());
    let fate = ends.recv_timeout(SOON).unwrap();
    assert_eq!(
        (fate.outcome, fate.payload),
        (Outcome::Unknown, Some(b"a".to_vec()))
    );
}

#[test]
fn messages_go_together_where_that_is_wanted() {
    let batch = Batch {
        messages: 3,
        delay: ms(50),
    };
    let together = Limits {
        batch: Some(batch),
        ..limits()
    };
    let peer = Peer::start();
    let config = settings(session::Settings::default(), together);
    let (handle, _incoming) = link(&peer, config);
    handle.declare("news").unwrap();
    for text in ["a", "b", "c", "d"] {
        handle.try_send(text).unwrap();
    }
    let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
    for heard in ["*1 news", "[1 a, 2 b, 3 c]", "4 d"] {
        assert_eq!(line.hear(), heard);
    }
    drop(line);
    // What is replayed keeps its order.
    handle.try_send("e").unwrap();
    let mut line = peer.meet("hello 7 seen 0 first 1", resumed(7, 1, 1, 1));
    for heard in ["[2 b, 3 c, 4 d]", "5 e"] {
        assert_eq!(line.hear(), heard);
    }
}

#[test]
fn pings_are_the_protocols_where_it_has_them() {
    let peer = Peer::start();
    let config = acknowledged().heartbeat(pulse(50, 200));
    let (handle, _incoming) = tcp(&peer.addr().to_string())
        .unwrap()
        .config(config.build().unwrap())
        .protocol(Wire::new().with_pings())
        .spawn()
        .unwrap();
    let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
    let heard = line.hear();
    let nonce = heard.strip_prefix("Ping { nonce: ").unwrap();
    let nonce = nonce.strip_suffix(" }").unwrap().parse().unwrap();
    line.say(&Frame::Pong { nonce });
    wait(&handle, |status| status.round_trip.is_some());
    // A ping of the transport has an answer of the transport.
    line.ping(9);
    line.say(&Frame::Ping { nonce: 10 });
    let mut pongs = Vec::new();
    while pongs.len() < 2 {
        pongs.push(line.hear());
        pongs.retain(|heard| !heard.starts_with("Ping"));
    }
    pongs.sort_unstable();
    assert_eq!(pongs, ["Pong { nonce: 10 }", "pong 9"]);
    // Nobody answers any more.
    ended_by(&handle, Cause::PongTimeout);
}

#[test]
fn a_peer_may_refuse() {
    let peer = Peer::start();
    let (handle, incoming) = link(&peer, acknowledged());
    handle.try_send("a").unwrap();
    let mut line = peer.accept();
    assert_eq!(line.hear(), "hello new seen 0 first 1");
    let busy = Refusal::Busy { retry_after: 0 };
    let detail = Detail::new("not now");
    line.say(&Frame::Refuse {
        refusal: busy,
        detail,
    });
    ended_by(&handle, Cause::Close(1013));
    // That is half a minute's wait, or a person's word.
    handle.reconnect();
    // Also behind the welcome; what came before it has arrived.
    let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
    assert_eq!(line.hear(), "1 a");
    let refusal = Refusal::Version {
        lowest: 8,
        highest: 9,
    };
    let refuse = Frame::Refuse { refusal, detail };
    line.burst(&[said(1, "x"), refuse, said(2, "y")]);
    wait(&handle, |status| status.phase == Phase::Failed);
    assert_eq!(
        handle.status().last_cause,
        Some(Cause::Protocol(ProtocolError::Version))
    );
    assert_eq!(incoming.recv().unwrap(), b"x");
    assert!(incoming.recv().is_err());
}

#[test]
fn a_welcome_that_can_not_be_ends_the_connection() {
    let peer = Peer::start();
    let (handle, incoming) = link(&peer, acknowledged());
    handle.try_send("a").unwrap();
    // It goes on with a session that nobody asked for.
    let mut line = peer.accept();
    assert_eq!(line.hear(), "hello new seen 0 first 1");
    line.burst(&[Frame::Welcome(resumed(7, 1, 0, 0)), said(1, "x")]);
    ended_by(&handle, Cause::Protocol(ProtocolError::Frame));
    let mut line = peer.meet("hello new seen 0 first 1", welcome(8, 1));
    assert_eq!(line.hear(), "1 a");
    let mismatch = fresh(Fresh::Mismatch, 1, 0, 0);
    assert_eq!(told(&incoming), Received::Session(mismatch));
    let none = incoming.recv_timeout(ms(1));
    assert_eq!(none, Err(RecvTimeoutError::Timeout));
}

#[test]
fn a_peer_that_says_nothing_is_left_at_the_deadline() {
    let peer = Peer::start();
    let (handle, _incoming) = link(&peer, acknowledged().connect_deadline(ms(100)));
    handle.try_send("a").unwrap();
    let mut line = peer.accept();
    assert_eq!(line.hear(), "hello new seen 0 first 1");
    ended_by(&handle, Cause::ReadyTimeout);
    assert!(line.is_over());
    let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
    assert_eq!(line.hear(), "1 a");
}

#[test]
fn a_session_needs_a_protocol_and_a_protocol_of_sessions_a_session() {
    let config = acknowledged().build().unwrap();
    let missing = tcp("127.0.0.1:1").unwrap().config(config).spawn();
    let error = missing.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("session"), "{error}");

    let peer = Peer::start();
    let (handle, _incoming) = link(&peer, quick());
    assert!(handle.declare("news").is_err());
    let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
    ended_by(&handle, Cause::Protocol(ProtocolError::Frame));
    assert!(handle.last_error().unwrap().contains("session"));
    assert!(line.is_over());
}

#[test]
fn nobody_waits_for_ever() {
    let peer = Peer::start();
    let (handle, incoming) = link(&peer, acknowledged());
    let ends = handle.fates();
    let (tell, heard) = channel();
    let reader = thread::spawn(move || {
        while let Ok(told) = incoming.recv_told() {
            tell.send(told).unwrap();
        }
    });
    let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
    // It is told at once, and not with the first message.
    let told = heard.recv_timeout(SOON).unwrap();
    assert_eq!(told, Received::Session(fresh(Fresh::First, 1, 0, 0)));
    handle.try_send("a").unwrap();
    assert_eq!(line.hear(), "1 a");
    handle.disconnect();
    assert_eq!(line.hear(), "close");
    drop(line);
    reader.join().unwrap();
    let fate = ends.recv_timeout(SOON).unwrap();
    assert_eq!(fate.outcome, Outcome::Unknown);
    wait(&handle, |status| status.phase == Phase::Closed);
}
