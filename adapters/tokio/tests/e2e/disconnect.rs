//! A disconnect in every phase ends at rest, with no dial after it.

use redial::config::Preflight;
use redial::outbox::Limits;
use redial::{Cause, Hint, Phase};
use redial_faults::{Behaviour, Mode, Proxy, Server};
use redial_tokio::{Handle, Message, redial, websocket};

use super::{LONG, link, ms, next, quick, reach, windows};

async fn rests(handle: &Handle<Message>, returned: usize) {
    let back = tokio::time::timeout(LONG, handle.disconnect()).await;
    assert_eq!(back.expect("an end in time").len(), returned);
    assert_eq!(handle.status().phase, Phase::Closed);
    let dials = handle.stats().dials;
    handle.hint(Hint::Online);
    handle.hint(Hint::NetworkChanged);
    assert_eq!(handle.status().phase, Phase::Closed);
    assert_eq!(handle.stats().dials, dials);
    handle.try_send("late".into()).unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_start_and_after_the_end() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (handle, mut incoming) = websocket(server.url()).unwrap().idle().spawn();
    rests(&handle, 0).await;
    assert_eq!(server.dials(), 0);
    handle.start();
    handle.send("1".into()).await.unwrap();
    next(&mut incoming).await;
    rests(&handle, 0).await;
    rests(&handle, 0).await;
    assert_eq!(server.closes(), [Some(1000)]);
    assert_eq!(handle.closed().await, Some(Cause::Requested));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_probing_dialling_waiting_and_offline() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::Refuse);
    let slow = || quick().backoff(windows(60_000, 120_000));
    let probing = slow().preflight(Some(Preflight::default()));

    let (handle, _incoming) = link(&proxy.url(), probing);
    reach(&handle, Phase::Probing).await;
    handle.try_send("1".into()).unwrap();
    rests(&handle, 1).await;

    let (handle, _incoming) = link(&proxy.url(), slow());
    reach(&handle, Phase::Waiting).await;
    handle.try_send("1".into()).unwrap();
    handle.try_send("2".into()).unwrap();
    rests(&handle, 2).await;

    let (handle, _incoming) = link(&proxy.url(), slow());
    reach(&handle, Phase::Waiting).await;
    handle.hint(Hint::Offline);
    reach(&handle, Phase::Offline).await;
    rests(&handle, 0).await;

    proxy.set(Mode::StallHandshake);
    let (handle, _incoming) = link(&proxy.url(), slow());
    reach(&handle, Phase::Connecting).await;
    assert!(proxy.wait_accepted(1, LONG));
    rests(&handle, 0).await;

    proxy.set(Mode::Pass);
    let (handle, _incoming) = link(&proxy.url(), quick());
    reach(&handle, Phase::Connected).await;
    proxy.set(Mode::StallHandshake);
    proxy.reset_all();
    reach(&handle, Phase::Reconnecting).await;
    rests(&handle, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_failed_draining_and_closing() {
    let refusing = Behaviour::Http {
        status: 403,
        headers: Vec::new(),
    };
    let server = Server::start(refusing).unwrap();
    let (handle, _incoming) = link(&server.url(), quick());
    handle.try_send("1".into()).unwrap();
    reach(&handle, Phase::Failed).await;
    rests(&handle, 1).await;

    // Nobody reads there, so neither a drain nor a close gets through.
    let frozen = Server::start(Behaviour::Ignore).unwrap();
    let proxy = Proxy::start(frozen.addr()).unwrap();
    let deaf = quick().heartbeat(redial::heartbeat::Pulse {
        interval: None,
        ..Default::default()
    });
    let deaf = deaf.outbox(Limits {
        window: 1000,
        ..Limits::default()
    });
    let (handle, _incoming) = link(&proxy.url(), deaf.clone());
    reach(&handle, Phase::Connected).await;
    proxy.set(Mode::BlackHole);
    let big = vec![0_u8; 1 << 20];
    for _ in 0..10 {
        handle.try_send(Message::binary(big.clone())).unwrap();
    }
    let drained = tokio::spawn({
        let handle = handle.clone();
        async move { handle.drain(LONG).await }
    });
    reach(&handle, Phase::Draining).await;
    let disconnecting = tokio::spawn({
        let handle = handle.clone();
        async move { handle.disconnect().await }
    });
    reach(&handle, Phase::Closing).await;
    // Asked for again while it closes: the same end.
    let again = tokio::time::timeout(LONG, handle.disconnect())
        .await
        .unwrap();
    let back = drained.await.unwrap().len() + disconnecting.await.unwrap().len() + again.len();
    assert!((1..=9).contains(&back), "{back}");
    assert_eq!(handle.closed().await, Some(Cause::CloseTimeout));
    let stats = handle.stats();
    assert_eq!(stats.accepted, 10);
    assert_eq!(stats.written + stats.returned + stats.unknown, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_writes_what_is_queued() {
    let server = Server::start(Behaviour::Sink).unwrap();
    let (handle, _incoming) = link(&server.url(), quick());
    for number in 0..500 {
        handle.try_send(format!("{number}").into()).unwrap();
    }
    let back = tokio::time::timeout(LONG, handle.drain(LONG))
        .await
        .unwrap();
    assert_eq!(back, []);
    assert_eq!(server.ledger().missing(0..500), 0);
    assert_eq!(server.closes(), [Some(1000)]);

    let address = server.addr();
    server.shutdown();
    let (handle, _incoming) = link(&format!("ws://{address}/"), quick());
    handle.try_send("1".into()).unwrap();
    handle.try_send("2".into()).unwrap();
    let back = tokio::time::timeout(LONG, handle.drain(ms(100)))
        .await
        .unwrap();
    let back: Vec<_> = back.iter().map(|m| m.as_text().unwrap()).collect();
    assert_eq!(back, ["1", "2"]);
    assert_eq!(handle.closed().await, Some(Cause::DrainTimeout));
}
