//! Outages: the server is gone, silent, frozen, or cut off.

use std::time::Instant;

use redial::cause::SocketError;
use redial::outbox::{Limits, Overflow};
use redial::{Cause, Phase, SendOptions};
use redial_faults::{Behaviour, Mode, Proxy, Server};
use redial_tokio::redial;

use super::{LONG, caused, link, ms, next, quick, reach, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_for_a_server_that_is_not_yet_up() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (address, url) = (server.addr(), server.url());
    server.shutdown();
    let (handle, mut incoming) = link(&url, quick());
    handle.try_send("1 early".into()).unwrap();
    caused(&handle, Cause::Socket(SocketError::Refused)).await;
    assert!(handle.last_error().unwrap().contains(&address.to_string()));
    let server = Server::start_on(address, Behaviour::Echo).unwrap();
    assert_eq!(next(&mut incoming).await.as_text(), Some("1 early"));
    assert_eq!(handle.status().phase, Phase::Connected);
    assert_eq!(server.ledger().duplicated(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn survives_a_restart() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (address, url) = (server.addr(), server.url());
    let (handle, mut incoming) = link(&url, quick());
    handle.send("1".into()).await.unwrap();
    assert_eq!(next(&mut incoming).await.as_text(), Some("1"));
    server.kill();
    until(&handle, "disconnected", |s| s.phase != Phase::Connected).await;
    handle.send("2".into()).await.unwrap();
    let _server = Server::start_on(address, Behaviour::Echo).unwrap();
    assert_eq!(next(&mut incoming).await.as_text(), Some("2"));
    assert_eq!(handle.stats().connected, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tells_a_reset_from_an_end_without_a_close_frame() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (handle, _incoming) = link(&server.url(), quick());
    reach(&handle, Phase::Connected).await;
    assert!(server.wait_open(1, LONG));
    server.reset_all();
    caused(&handle, Cause::Socket(SocketError::Reset)).await;
    assert!(server.wait_handshakes(2, LONG));
    reach(&handle, Phase::Connected).await;
    server.drop_all();
    caused(&handle, Cause::Lost).await;
    assert!(server.wait_handshakes(3, LONG));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn detects_a_black_hole_and_comes_back() {
    for mode in [Mode::BlackHole, Mode::BlackHoleSwallow] {
        let server = Server::start(Behaviour::Echo).unwrap();
        let proxy = Proxy::start(server.addr()).unwrap();
        let (handle, mut incoming) = link(&proxy.url(), quick());
        handle.send("1".into()).await.unwrap();
        next(&mut incoming).await;
        let cut = Instant::now();
        proxy.set(mode.clone());
        let status = until(&handle, "dead", |s| s.phase != Phase::Connected).await;
        let took = cut.elapsed();
        assert_eq!(status.last_cause, Some(Cause::PongTimeout));
        // Silence and pong deadline are 200 ms each, from the last frame on.
        println!("{mode:?}: detected after {took:?}");
        assert!(took > ms(190) && took < ms(1400), "{took:?}");
        proxy.set(Mode::Pass);
        handle.send("2".into()).await.unwrap();
        assert_eq!(next(&mut incoming).await.as_text(), Some("2"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tells_an_unreachable_host_from_a_silent_one() {
    let server = Server::start(Behaviour::Echo).unwrap();
    for (mode, cause) in [
        (Mode::BlackHole, Cause::ConnectTimeout),
        (Mode::StallAccept, Cause::HandshakeTimeout),
        (Mode::StallHandshake, Cause::HandshakeTimeout),
    ] {
        let proxy = Proxy::start(server.addr()).unwrap();
        proxy.set(mode.clone());
        let (handle, _incoming) = link(&proxy.url(), quick());
        println!("{mode:?}");
        caused(&handle, cause).await;
        proxy.set(Mode::Pass);
        reach(&handle, Phase::Connected).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn survives_a_server_that_accepts_and_drops() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::Answer(Vec::new()));
    let (handle, mut incoming) = link(&proxy.url(), quick());
    handle.try_send("1".into()).unwrap();
    assert!(proxy.wait_accepted(3, LONG));
    caused(&handle, Cause::Lost).await;
    assert_eq!(handle.status().queued, 1);
    proxy.set(Mode::Pass);
    assert_eq!(next(&mut incoming).await.as_text(), Some("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_ten_thousand_messages_in_order() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (address, url) = (server.addr(), server.url());
    server.shutdown();
    let limits = Limits {
        messages: 10_000,
        overflow: Overflow::RejectNew,
        ..Limits::default()
    };
    let (handle, mut incoming) = link(&url, quick().outbox(limits));
    for number in 0..10_000 {
        handle.try_send(format!("{number} x").into()).unwrap();
    }
    handle.try_send("one too many".into()).unwrap_err();
    caused(&handle, Cause::Socket(SocketError::Refused)).await;
    let server = Server::start_on(address, Behaviour::Echo).unwrap();
    for number in 0..10_000 {
        let message = next(&mut incoming).await;
        assert_eq!(message.as_text(), Some(format!("{number} x").as_str()));
    }
    let ledger = server.ledger();
    assert_eq!(
        (ledger.delivered(), ledger.duplicated(), ledger.late()),
        (10_000, 0, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_expire_on_time_while_nothing_else_happens() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let url = server.url();
    server.shutdown();
    let patient = quick().backoff(super::windows(60_000, 120_000));
    let (handle, _incoming) = link(&url, patient);
    let mut fates = handle.fates();
    reach(&handle, Phase::Waiting).await;
    let sent = Instant::now();
    let options = SendOptions::new().ttl(ms(100));
    let id = handle.try_send_with("1".into(), options).unwrap();
    let fate = tokio::time::timeout(LONG, fates.recv()).await.unwrap();
    let fate = fate.unwrap();
    assert_eq!((fate.id, fate.outcome), (id, redial::Outcome::Expired));
    assert!(sent.elapsed() >= ms(100));
    let volatile = SendOptions::new().volatile();
    let refused = handle.try_send_with("2".into(), volatile).unwrap_err();
    assert_eq!(refused.payload.as_text(), Some("2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_longer_than_the_queue_drops_the_oldest_and_refuses_nothing() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let url = server.url();
    server.shutdown();
    let limits = Limits {
        messages: 10,
        ..Limits::default()
    };
    let patient = || {
        let long = super::windows(60_000, 120_000);
        quick().backoff(long).outbox(limits.clone())
    };
    // Nobody takes fates, and for a minute nothing else happens.
    let (handle, _incoming) = link(&url, patient());
    reach(&handle, Phase::Waiting).await;
    for number in 0..100 {
        handle.try_send(number.to_string().into()).unwrap();
    }
    assert_eq!((handle.status().queued, handle.stats().dropped), (10, 90));
    // Who asks is told of each at once.
    let (handle, _incoming) = link(&url, patient());
    reach(&handle, Phase::Waiting).await;
    let mut fates = handle.fates();
    let told = tokio::spawn(async move { fates.recv().await });
    for number in 0..11 {
        handle.try_send(number.to_string().into()).unwrap();
        tokio::task::yield_now().await;
    }
    let fate = tokio::time::timeout(LONG, told).await.unwrap().unwrap();
    assert_eq!(fate.unwrap().id.number(), 1);
}
