//! Sessions over real sockets: what is resumed, what begins anew, and what is told of it.

use std::path::PathBuf;

use redial::config::Builder;
use redial::outbox::{Limits, Overflow};
use redial::session::{Cadence, Fresh, OnFresh, SessionId, Settings};
use redial::{Delivery, Gap, Outcome, Payload, Phase, Resumption, SendOptions};
use redial_faults::sessions::{Client, Content, Got, Memory, SessionOptions, SessionServer, Store};
use redial_faults::{Mode, Proxy};
use redial_tokio::tcp::tcp;
use redial_tokio::wire::Wire;
use redial_tokio::{Handle, Incoming, Message, Received, redial, websocket};

use super::{LONG, end, ms, next, quick, reach, windows};

/// Acknowledged delivery, acknowledged soon.
pub(super) fn settings() -> Settings {
    Settings {
        acks: Cadence {
            delay: ms(10),
            ..Cadence::default()
        },
        intent_backoff: windows(10, 40),
        ..Settings::default()
    }
}

pub(super) fn limits() -> Limits {
    Limits {
        overflow: Overflow::RejectNew,
        delivery: Delivery::Acknowledged,
        ..Limits::default()
    }
}

pub(super) fn acked() -> Builder {
    quick().session(Some(settings())).outbox(limits())
}

pub(super) fn link(url: &str, config: Builder) -> (Handle<Message>, Incoming<Message>) {
    websocket(url)
        .expect("a URL")
        .config(config.build().expect("a configuration"))
        .protocol(Wire::new())
        .seed(1)
        .spawn()
}

/// A directory of its own, removed in the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("redial-tokio-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // It is there only if an earlier run was killed.
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) async fn told(incoming: &mut Incoming<Message>) -> Received<Message> {
    tokio::time::timeout(LONG, incoming.recv_told())
        .await
        .expect("something in time")
        .expect("a link that goes on")
}

pub(super) async fn session(incoming: &mut Incoming<Message>) -> Resumption {
    match told(incoming).await {
        Received::Session(resumption) => resumption,
        other => panic!("{other:?}"),
    }
}

/// Looks until so many messages are in flight, and none is queued.
pub(super) async fn in_flight<M: Payload + Send>(handle: &Handle<M>, count: usize) {
    let looks = async {
        loop {
            let status = handle.status();
            if (status.queued, status.in_flight) == (0, count) {
                return;
            }
            tokio::time::sleep(ms(1)).await;
        }
    };
    let found = tokio::time::timeout(LONG, looks).await;
    assert!(found.is_ok(), "{:?}", handle.status());
}

fn only(server: &SessionServer) -> Client {
    let mut clients = server.clients();
    assert_eq!(clients.len(), 1, "{clients:?}");
    clients.remove(0)
}

/// The session of a link that is connected.
pub(super) fn id(server: &SessionServer) -> SessionId {
    assert!(server.wait_open(1, LONG));
    server.clients().last().expect("a session").session
}

/// What the applications behind all sessions got, in short: messages, `#` and an intent.
pub(super) fn got(server: &SessionServer) -> Vec<String> {
    let clients = server.clients();
    let all = clients.iter().flat_map(|client| &client.got);
    all.map(|got| match got {
        Got::Message {
            content, resent, ..
        } => format!("{}{}", text(content), if *resent { " again" } else { "" }),
        Got::Intent { content, .. } => format!("#{}", text(content)),
        Got::Gap(gap) => format!("{}-{}", gap.from, gap.to),
    })
    .collect()
}

fn text(content: &Content) -> String {
    String::from_utf8_lossy(content.bytes()).into_owned()
}

pub(super) fn wait_got(server: &SessionServer, count: usize) -> Vec<String> {
    let enough = |clients: &[Client]| clients.iter().map(|c| c.got.len()).sum::<usize>() >= count;
    assert!(server.wait_clients(LONG, enough), "{:?}", got(server));
    got(server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outcome_of_each_connection_is_told_in_its_place() {
    let server = SessionServer::start().unwrap();
    let (handle, mut incoming) = link(&server.url(), acked());
    let mut fates = handle.fates();
    let first = session(&mut incoming).await;
    assert!(
        matches!(
            first,
            Resumption::Fresh {
                reason: Fresh::First,
                restarted: false,
                unknown: 0,
                resent: 0,
                ..
            }
        ),
        "{first:?}"
    );
    let client = id(&server);
    server.send(client, "a", SendOptions::new()).unwrap();
    assert_eq!(told(&mut incoming).await, Received::Message("a".into()));
    handle.try_send("1".into()).unwrap();
    assert_eq!(wait_got(&server, 1), ["1"]);
    let fate = tokio::time::timeout(LONG, fates.recv()).await.unwrap();
    assert_eq!(fate.unwrap().outcome, Outcome::Acked);

    server.drop_all();
    server.send(client, "b", SendOptions::new()).unwrap();
    let second = session(&mut incoming).await;
    assert!(
        matches!(
            second,
            Resumption::Resumed {
                restarted: false,
                missed: None,
                forgotten: None,
                ..
            }
        ),
        "{second:?}"
    );
    assert_eq!(handle.status().resumption, Some(second));
    assert_eq!(told(&mut incoming).await, Received::Message("b".into()));
    handle.try_send("2".into()).unwrap();
    assert_eq!(wait_got(&server, 2), ["1", "2"]);

    // One that asks for messages alone gets them alone.
    server.drop_all();
    server.send(client, "c", SendOptions::new()).unwrap();
    assert_eq!(next(&mut incoming).await.as_text(), Some("c"));
    let back = tokio::time::timeout(LONG, handle.disconnect()).await;
    assert!(back.unwrap().is_empty());
    end(&mut incoming).await;
    assert_eq!((server.sessions(), only(&server).duplicates), ((1, 2), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_under_way_arrives_once_when_a_connection_is_killed() {
    let options = SessionOptions {
        framed: true,
        ..SessionOptions::default()
    };
    let server = SessionServer::start_with(&options).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (handle, mut incoming) = tcp("127.0.0.1", proxy.addr().port())
        .config(acked().build().unwrap())
        .protocol(Wire::new().with_pings())
        .seed(1)
        .spawn();
    let mut fates = handle.fates();
    reach(&handle, Phase::Connected).await;
    let client = id(&server);
    // Neither end hears of the other's from here on, and both have written.
    proxy.set(Mode::BlackHoleSwallow);
    for number in 0..50 {
        handle.try_send(number.to_string().into()).unwrap();
        server
            .send(client, number.to_string(), SendOptions::new())
            .unwrap();
    }
    in_flight(&handle, 50).await;
    proxy.set(Mode::Pass);
    proxy.reset_all();
    for number in 0..50 {
        assert_eq!(next(&mut incoming).await, number.to_string());
    }
    assert!(server.wait_received(50, LONG));
    for _ in 0..50 {
        let fate = tokio::time::timeout(LONG, fates.recv()).await.unwrap();
        assert_eq!(fate.unwrap().outcome, Outcome::Acked);
    }
    let ledger = server.ledger();
    assert_eq!(
        (ledger.delivered(), ledger.duplicated(), ledger.late()),
        (50, 0, 0)
    );
    let stats = handle.stats();
    assert_eq!(
        (stats.fresh, stats.resumed, stats.duplicates),
        (1, 1, 0),
        "{stats:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_keeps_its_sessions_is_resumed_after_a_restart() {
    let directory = Directory::new("kept");
    let options = SessionOptions {
        store: Some(Store::new(&directory.0)),
        ..SessionOptions::default()
    };
    let server = SessionServer::start_with(&options).unwrap();
    let (handle, mut incoming) = link(&server.url(), acked());
    let Resumption::Fresh {
        server: Some(run), ..
    } = session(&mut incoming).await
    else {
        panic!("{:?}", handle.status());
    };
    handle.try_send("1".into()).unwrap();
    wait_got(&server, 1);
    server.restart(Memory::Keep).unwrap();
    handle.try_send("2".into()).unwrap();
    let second = session(&mut incoming).await;
    let Resumption::Resumed {
        server: other,
        restarted: true,
        missed: None,
        forgotten: None,
    } = second
    else {
        panic!("{second:?}");
    };
    assert_ne!(run, other);
    assert_eq!(wait_got(&server, 2), ["1", "2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_wiped_makes_what_was_under_way_unknown_or_sent_again() {
    for policy in [OnFresh::Report, OnFresh::Resend] {
        let directory = Directory::new("wiped");
        let options = SessionOptions {
            store: Some(Store::new(&directory.0)),
            ..SessionOptions::default()
        };
        let server = SessionServer::start_with(&options).unwrap();
        let proxy = Proxy::start(server.addr()).unwrap();
        let config = acked().session(Some(Settings {
            on_fresh: policy,
            ..settings()
        }));
        let (handle, mut incoming) = link(&proxy.url(), config);
        let mut fates = handle.fates();
        session(&mut incoming).await;
        proxy.set(Mode::BlackHoleSwallow);
        for message in ["1", "2", "3"] {
            handle.try_send(message.into()).unwrap();
        }
        in_flight(&handle, 3).await;
        server.stop();
        proxy.set(Mode::Refuse);
        proxy.reset_all();
        reach(&handle, Phase::Waiting).await;
        handle.try_send("4".into()).unwrap();
        server.start_again(Memory::Wipe).unwrap();
        proxy.set(Mode::Pass);

        let fresh = session(&mut incoming).await;
        let Resumption::Fresh {
            reason: Fresh::Forgotten,
            restarted: true,
            unknown,
            resent,
            ..
        } = fresh
        else {
            panic!("{fresh:?}");
        };
        let mut outcomes = Vec::new();
        for _ in 0..4 {
            let fate = tokio::time::timeout(LONG, fates.recv())
                .await
                .unwrap()
                .unwrap();
            let payload = fate.payload.map(|m| m.as_text().map(str::to_owned));
            outcomes.push((fate.outcome, payload));
        }
        match policy {
            OnFresh::Report => {
                assert_eq!((unknown, resent), (3, 0));
                let unknown = |text: &str| (Outcome::Unknown, Some(Some(text.to_owned())));
                let rest = (Outcome::Acked, None);
                assert_eq!(outcomes, [unknown("1"), unknown("2"), unknown("3"), rest]);
                // The server is told that they will not come.
                assert_eq!(wait_got(&server, 2), ["1-3", "4"]);
            }
            OnFresh::Resend => {
                assert_eq!((unknown, resent), (0, 3));
                assert_eq!(outcomes, [(); 4].map(|()| (Outcome::Acked, None)));
                assert_eq!(wait_got(&server, 4), ["1 again", "2 again", "3 again", "4"]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_will_not_come_is_told_where_it_is_missing() {
    let server = SessionServer::start().unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (handle, mut incoming) = link(&proxy.url(), acked());
    session(&mut incoming).await;
    let client = id(&server);
    proxy.set(Mode::Refuse);
    proxy.reset_all();
    assert!(server.wait_closed(LONG));
    let soon = SendOptions::new().ttl(ms(1));
    for (text, options) in [
        ("a", SendOptions::new()),
        ("b", soon),
        ("c", soon),
        ("d", SendOptions::new()),
    ] {
        server.send(client, text, options).unwrap();
    }
    assert!(server.wait_clients(LONG, |clients| clients[0].fates.unsent == 2));
    proxy.set(Mode::Pass);
    assert!(session(&mut incoming).await.is_resumed());
    assert_eq!(told(&mut incoming).await, Received::Message("a".into()));
    assert_eq!(
        told(&mut incoming).await,
        Received::Gap(Gap { from: 2, to: 3 })
    );
    assert_eq!(told(&mut incoming).await, Received::Message("d".into()));
    assert_eq!(handle.stats().missed, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intents_are_written_again_in_a_fresh_session_and_not_in_a_resumed_one() {
    let server = SessionServer::start().unwrap();
    let (handle, mut incoming) = websocket(server.url())
        .unwrap()
        .config(acked().build().unwrap())
        .protocol(Wire::new())
        .seed(1)
        .idle()
        .spawn();
    // They stand before there is a connection, and go ahead of messages.
    let a = handle.declare("a".into()).unwrap();
    handle.declare("b".into()).unwrap();
    handle.start();
    handle.try_send("1".into()).unwrap();
    assert_eq!(wait_got(&server, 3), ["#a", "#b", "1"]);
    // At once on a connection that is open.
    handle.declare("c".into()).unwrap();
    assert_eq!(wait_got(&server, 4)[3], "#c");
    session(&mut incoming).await;

    server.drop_all();
    assert!(session(&mut incoming).await.is_resumed());
    handle.try_send("2".into()).unwrap();
    assert_eq!(wait_got(&server, 5)[3..], ["#c", "2"]);

    in_flight(&handle, 0).await;
    assert_eq!(handle.withdraw(a), Some("a".into()));
    assert_eq!(handle.withdraw(a), None);
    server.restart(Memory::Wipe).unwrap();
    assert!(!session(&mut incoming).await.is_resumed());
    handle.try_send("3".into()).unwrap();
    assert_eq!(wait_got(&server, 8)[5..], ["#b", "#c", "3"]);
}
