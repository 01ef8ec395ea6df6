//! How messages of a session flow: a drain, a full inbox, batches, futures that are dropped.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use redial::outbox::{Batch, Limits};
use redial::session::Settings;
use redial::{Cause, Config, Outcome, Phase, Resumption, SendOptions};
use redial_faults::sessions::{Feed, SessionServer};
use redial_faults::{Mode, Proxy};
use redial_tokio::wire::Wire;
use redial_tokio::{Received, redial, websocket};

use super::peer::{Server, config, data};
use super::sessions::{acked, id, in_flight, limits, link, session, told, wait_got};
use super::{LONG, ms, next, reach, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_waits_for_acknowledgements() {
    let server = SessionServer::start().unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (handle, mut incoming) = link(&proxy.url(), acked());
    session(&mut incoming).await;
    // Written they are at once; acknowledged only on another connection.
    proxy.set(Mode::BlackHoleSwallow);
    for number in 0..3 {
        handle.try_send(number.to_string().into()).unwrap();
    }
    in_flight(&handle, 3).await;
    let draining = handle.clone();
    let drained = tokio::spawn(async move { draining.drain(LONG).await });
    reach(&handle, Phase::Draining).await;
    proxy.set(Mode::Pass);
    proxy.reset_all();
    let back = tokio::time::timeout(LONG, drained).await.unwrap().unwrap();
    assert!(back.is_empty());
    assert_eq!(wait_got(&server, 3), ["0", "1", "2"]);
    let stats = handle.stats();
    assert_eq!(
        (stats.acked, stats.unknown, stats.resumed),
        (3, 0, 1),
        "{stats:?}"
    );
    assert_eq!(handle.status().last_cause, Some(Cause::Requested));

    // Within its time, and not beyond.
    handle.start();
    reach(&handle, Phase::Connected).await;
    proxy.set(Mode::BlackHoleSwallow);
    let mut fates = handle.fates();
    handle.try_send("3".into()).unwrap();
    in_flight(&handle, 1).await;
    let back = tokio::time::timeout(LONG, handle.drain(ms(20))).await;
    assert!(back.unwrap().is_empty());
    let fate = tokio::time::timeout(LONG, fates.recv()).await.unwrap();
    assert_eq!(fate.unwrap().outcome, Outcome::Unknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledgements_behind_a_full_inbox_wait_without_harm() {
    let server = SessionServer::start().unwrap();
    let (handle, mut incoming) = websocket(server.url())
        .unwrap()
        .config(acked().build().unwrap())
        .protocol(Wire::new())
        .inbox(4, 1 << 20)
        .seed(1)
        .spawn();
    server.feed(Some(Feed::new(500).size(1_000)));
    reach(&handle, Phase::Connected).await;
    // The acknowledgements of these lie behind what the application doesn't read.
    for number in 0..500 {
        handle.try_send(number.to_string().into()).unwrap();
    }
    assert!(server.wait_received(500, LONG));
    // Longer than the heartbeat would take to find it dead.
    let began = handle.now();
    let mut watch = handle.watch();
    let waited = tokio::time::timeout(
        ms(1_000),
        watch.wait_for(|status| status.phase != Phase::Connected),
    );
    assert!(waited.await.is_err(), "{:?}", handle.status());
    assert!(handle.now().since(began) >= ms(1_000));
    for number in 0..500_u64 {
        let message = next(&mut incoming).await;
        let text = message.as_text().unwrap();
        assert_eq!(text.split(' ').next(), Some(&*number.to_string()));
    }
    in_flight(&handle, 0).await;
    assert_eq!((handle.stats().connected, handle.stats().resumed), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_inbox_does_not_hold_up_a_welcome() {
    let server = SessionServer::start().unwrap();
    let (handle, mut incoming) = websocket(server.url())
        .unwrap()
        .config(acked().build().unwrap())
        .protocol(Wire::new())
        .inbox(1, 1 << 20)
        .seed(1)
        .spawn();
    server.feed(Some(Feed::new(20)));
    for connected in 1..=4 {
        until(&handle, "connected", |_| {
            handle.stats().connected == connected
        })
        .await;
        handle.reconnect();
    }
    // Nobody has read so far.
    let (mut sessions, mut numbers) = (0, 0);
    while numbers < 20 {
        match told(&mut incoming).await {
            Received::Session(_) => sessions += 1,
            Received::Message(message) => {
                assert_eq!(message, numbers.to_string().as_str().into());
                numbers += 1;
            }
            Received::Gap(gap) => panic!("{gap:?}"),
        }
    }
    assert_eq!(sessions, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_twice_takes_no_room() {
    let server = Server::start().await;
    let mut link = websocket(server.url())
        .unwrap()
        .config(config().build().unwrap())
        .protocol(Wire::new())
        .inbox(1, 1 << 20)
        .seed(1)
        .into_stream();
    let peer = async {
        let mut peer = server.welcome().await;
        for number in [1, 1, 1, 2, 1, 2, 3] {
            peer.say(data(number, &number.to_string())).await;
        }
        peer
    };
    let read = async {
        for text in ["1", "2", "3"] {
            assert_eq!(link.next().await.unwrap().unwrap(), text.into());
        }
    };
    let all = async { tokio::join!(peer, read) };
    tokio::time::timeout(LONG, all).await.unwrap();
    assert_eq!(link.stats().duplicates, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_tells_the_same() {
    let server = SessionServer::start().unwrap();
    let mut link = websocket(server.url())
        .unwrap()
        .config(acked().build().unwrap())
        .protocol(Wire::new())
        .seed(1)
        .keep_fates()
        .into_stream();
    let all = async {
        link.declare("a".into()).unwrap();
        let told = link.recv_told().await.unwrap().unwrap();
        assert!(
            matches!(told, Received::Session(Resumption::Fresh { .. })),
            "{told:?}"
        );
        let client = id(&server);
        link.send_with("1".into(), SendOptions::new()).unwrap();
        link.flush().await.unwrap();
        assert_eq!(link.take_fate().unwrap().outcome, Outcome::Acked);
        assert_eq!(wait_got(&server, 2), ["#a", "1"]);
        server.send(client, "x", SendOptions::new()).unwrap();
        server.drop_all();
        server.send(client, "y", SendOptions::new()).unwrap();
        let mut seen = Vec::new();
        while seen.len() < 3 {
            seen.push(link.recv_told().await.unwrap().unwrap());
        }
        let x = seen
            .iter()
            .position(|told| *told == Received::Message("x".into()));
        let again = seen
            .iter()
            .position(|told| matches!(told, Received::Session(_)));
        assert!(x.is_some() && again.is_some(), "{seen:?}");
        assert_eq!(seen[2], Received::Message("y".into()));
        // A stream of messages passes over what is told between them.
        server.drop_all();
        server.send(client, "z", SendOptions::new()).unwrap();
        assert_eq!(link.next().await.unwrap().unwrap(), "z".into());
    };
    tokio::time::timeout(LONG, all).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_told_is_lost_with_a_dropped_future() {
    let server = SessionServer::start().unwrap();
    let (handle, mut incoming) = link(&server.url(), acked());
    server.feed(Some(Feed::new(300).every(Duration::from_micros(500))));
    let (mut sessions, mut numbers) = (0, 0_u32);
    while numbers < 300 {
        // Hardly any of these is ready when it is polled first.
        let Ok(told) = tokio::time::timeout(Duration::from_micros(200), incoming.recv_told()).await
        else {
            continue;
        };
        match told.unwrap() {
            Received::Session(_) => sessions += 1,
            Received::Message(message) => {
                assert_eq!(message, numbers.to_string().as_str().into());
                numbers += 1;
                if numbers % 100 == 0 {
                    handle.reconnect();
                }
            }
            Received::Gap(gap) => panic!("{gap:?}"),
        }
    }
    assert!(sessions >= 3, "{sessions}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_share_one_of_the_transport_where_batching_is_on() {
    let server = SessionServer::start().unwrap();
    let config = acked().outbox(Limits {
        batch: Some(Batch {
            messages: 7,
            delay: ms(30),
        }),
        ..limits()
    });
    let (handle, _incoming) = link(&server.url(), config);
    reach(&handle, Phase::Connected).await;
    let expected: Vec<String> = (0..100).map(|number: u32| number.to_string()).collect();
    for message in &expected {
        handle.send(message.as_str().into()).await.unwrap();
    }
    // 100 is no multiple of 7: the last ones go when their time has come.
    assert_eq!(wait_got(&server, 100), expected);
}

#[test]
#[should_panic(expected = "a session needs a protocol")]
fn a_session_without_a_protocol_is_refused() {
    let config = Config::builder().session(Some(Settings::default())).build();
    let builder = websocket("ws://127.0.0.1:9/").unwrap();
    drop(builder.config(config.unwrap()).into_stream());
}
