//! Sessions with a server that keeps them, on disk or not at all, over connections that are
//! killed and restarts.

use std::path::PathBuf;

use redial_blocking::redial::config::Builder as Config;
use redial_blocking::redial::outbox::Batch;
use redial_blocking::redial::session::{Fresh, OnFresh, SessionId, Settings};
use redial_blocking::redial::{Gap, Outcome, Payload, Phase, Resumption, SendOptions};
use redial_blocking::{Ends, Handle, Incoming, Message, Received, Wire, tcp};
use redial_faults::sessions::{Client, Got, Memory, SessionOptions, SessionServer, Store};
use redial_faults::{Mode, Proxy};

use crate::common::{SOON, builder, ms, until, wait};
use crate::sessions::{acknowledged, limits, settings};

fn link(url: &str, config: Config) -> Ends<Message> {
    builder(url, config).protocol(Wire::new()).spawn().unwrap()
}

/// A directory of its own, removed in the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("redial-blocking-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // It is there only if an earlier run was killed.
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn store(&self) -> SessionOptions {
        SessionOptions {
            store: Some(Store::new(&self.0)),
            ..SessionOptions::default()
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn session<M: Payload + std::fmt::Debug>(incoming: &Incoming<M>) -> Resumption {
    match incoming.recv_told_timeout(SOON).unwrap() {
        Received::Session(resumption) => resumption,
        other => panic!("{other:?}"),
    }
}

fn id(server: &SessionServer) -> SessionId {
    assert!(server.wait_open(1, SOON));
    server.clients().last().unwrap().session
}

/// Looks until so many messages are in flight, and none is queued.
fn in_flight<M: Payload>(handle: &Handle<M>, count: usize) {
    until("in flight", || {
        let status = handle.status();
        (status.queued, status.in_flight) == (0, count)
    });
}

/// What the applications behind all sessions got, in short.
fn got(server: &SessionServer) -> Vec<String> {
    let clients = server.clients();
    let all = clients.iter().flat_map(|client| &client.got);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    all.map(|got| match got {
        Got::Message {
            content, resent, ..
        } => text(content.bytes()) + if *resent { " again" } else { "" },
        Got::Intent { content, .. } => format!("#{}", text(content.bytes())),
        Got::Gap(gap) => format!("{}-{}", gap.from, gap.to),
    })
    .collect()
}

fn wait_got(server: &SessionServer, count: usize) -> Vec<String> {
    let enough = |clients: &[Client]| clients.iter().map(|c| c.got.len()).sum::<usize>() >= count;
    assert!(server.wait_clients(SOON, enough), "{:?}", got(server));
    got(server)
}

#[test]
fn what_was_under_way_arrives_once_and_in_order() {
    let options = SessionOptions {
        framed: true,
        ..SessionOptions::default()
    };
    let server = SessionServer::start_with(&options).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (handle, incoming) = tcp(&proxy.addr().to_string())
        .unwrap()
        .config(acknowledged().build().unwrap())
        .protocol(Wire::new().with_pings())
        .spawn()
        .unwrap();
    let fates = handle.fates();
    assert!(!session(&incoming).is_resumed());
    let client = id(&server);
    // Neither end hears of the other's from here on, and both have written.
    proxy.set(Mode::BlackHoleSwallow);
    for number in 0..50 {
        handle.try_send(number.to_string()).unwrap();
        let sent = server.send(client, number.to_string(), SendOptions::new());
        sent.unwrap();
    }
    in_flight(&handle, 50);
    proxy.set(Mode::Pass);
    proxy.reset_all();
    assert!(session(&incoming).is_resumed());
    for number in 0..50 {
        let message = incoming.recv_told_timeout(SOON).unwrap();
        assert_eq!(message, Received::Message(number.to_string().into_bytes()));
    }
    assert!(server.wait_received(50, SOON));
    for _ in 0..50 {
        assert_eq!(fates.recv_timeout(SOON).unwrap().outcome, Outcome::Acked);
    }
    let ledger = server.ledger();
    let account = (ledger.delivered(), ledger.duplicated(), ledger.late());
    assert_eq!(account, (50, 0, 0));
    assert_eq!(server.sessions(), (1, 1));
}

#[test]
fn a_server_that_keeps_its_sessions_is_resumed_after_a_restart() {
    let directory = Directory::new("kept");
    let server = SessionServer::start_with(&directory.store()).unwrap();
    let (handle, incoming) = link(&server.url(), acknowledged());
    handle.declare("news").unwrap();
    assert!(!session(&incoming).restarted());
    handle.try_send("1").unwrap();
    wait_got(&server, 2);
    server.restart(Memory::Keep).unwrap();
    handle.try_send("2").unwrap();
    let second = session(&incoming);
    assert!(second.is_resumed() && second.restarted(), "{second:?}");
    // The intent stands, and is not written again.
    assert_eq!(wait_got(&server, 3), ["#news", "1", "2"]);
}

#[test]
fn a_server_that_was_wiped_makes_what_was_under_way_unknown_or_sent_again() {
    for on_fresh in [OnFresh::Report, OnFresh::Resend] {
        let directory = Directory::new("wiped");
        let server = SessionServer::start_with(&directory.store()).unwrap();
        let proxy = Proxy::start(server.addr()).unwrap();
        let policy = Settings {
            on_fresh,
            ..Settings::default()
        };
        let (handle, incoming) = link(&proxy.url(), settings(policy, limits()));
        let fates = handle.fates();
        handle.declare("news").unwrap();
        session(&incoming);
        assert_eq!(wait_got(&server, 1), ["#news"]);
        proxy.set(Mode::BlackHoleSwallow);
        for message in ["1", "2", "3"] {
            handle.try_send(message).unwrap();
        }
        in_flight(&handle, 3);
        server.stop();
        proxy.set(Mode::Refuse);
        proxy.reset_all();
        wait(&handle, |status| status.phase == Phase::Waiting);
        handle.try_send("4").unwrap();
        server.start_again(Memory::Wipe).unwrap();
        proxy.set(Mode::Pass);
        let second = session(&incoming);
        let Resumption::Fresh {
            reason: Fresh::Forgotten,
            restarted: true,
            unknown,
            resent,
            ..
        } = second
        else {
            panic!("{second:?}");
        };
        let outcomes = [(); 4].map(|()| {
            let fate = fates.recv_timeout(SOON).unwrap();
            (fate.outcome, fate.payload.map(|message| message.len()))
        });
        let acked = (Outcome::Acked, None);
        match on_fresh {
            OnFresh::Report => {
                assert_eq!((unknown, resent), (3, 0));
                let unknown = (Outcome::Unknown, Some(1));
                assert_eq!(outcomes, [unknown, unknown, unknown, acked]);
                // The server is told that they will not come.
                let expected = ["#news", "#news", "1-3", "4"];
                assert_eq!(wait_got(&server, 4), expected);
            }
            OnFresh::Resend => {
                assert_eq!((unknown, resent), (0, 3));
                assert_eq!(outcomes, [acked; 4]);
                let expected = ["#news", "#news", "1 again", "2 again", "3 again", "4"];
                assert_eq!(wait_got(&server, 6), expected);
            }
        }
    }
}

#[test]
fn what_will_not_come_is_told_where_it_is_missing() {
    let server = SessionServer::start().unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (handle, incoming) = link(&proxy.url(), acknowledged());
    session(&incoming);
    let client = id(&server);
    proxy.set(Mode::Refuse);
    proxy.reset_all();
    assert!(server.wait_closed(SOON));
    let (kept, brief) = (SendOptions::new(), SendOptions::new().ttl(ms(1)));
    for (text, options) in [("a", kept), ("b", brief), ("c", brief), ("d", kept)] {
        server.send(client, text, options).unwrap();
    }
    assert!(server.wait_clients(SOON, |clients| clients[0].fates.unsent == 2));
    proxy.set(Mode::Pass);
    assert!(session(&incoming).is_resumed());
    let expected = [
        Received::Message("a".into()),
        Received::Gap(Gap { from: 2, to: 3 }),
        Received::Message("d".into()),
    ];
    for expected in expected {
        assert_eq!(incoming.recv_told_timeout(SOON), Ok(expected));
    }
    assert_eq!(handle.stats().missed, 2);
}

#[test]
fn batches_arrive_as_their_messages_and_a_drain_waits_for_all() {
    let batch = Batch {
        messages: 10,
        delay: ms(50),
    };
    let together = redial_blocking::redial::outbox::Limits {
        batch: Some(batch),
        ..limits()
    };
    let server = SessionServer::start().unwrap();
    let (handle, incoming) = link(&server.url(), settings(Settings::default(), together));
    let fates = handle.fates();
    session(&incoming);
    for number in 0..95 {
        handle.try_send(number.to_string()).unwrap();
    }
    assert!(handle.drain(SOON).is_empty());
    for _ in 0..95 {
        assert_eq!(fates.recv_timeout(SOON).unwrap().outcome, Outcome::Acked);
    }
    let expected: Vec<_> = (0..95).map(|number: u32| number.to_string()).collect();
    assert_eq!(got(&server), expected);
}
