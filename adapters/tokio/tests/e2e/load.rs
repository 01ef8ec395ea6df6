//! Lines that are slow, dead or full while there is much to send.

use std::time::{Duration, Instant};

use redial::heartbeat::Pulse;
use redial::outbox::{Limits, Overflow};
use redial::{Cause, Phase};
use redial_faults::{Behaviour, Frame, Mode, Proxy, Server};
use redial_tokio::{Message, redial, websocket};

use super::{LONG, link, ms, next, quick, reach, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn detects_a_black_hole_under_load() {
    let server = Server::start(Behaviour::Sink).unwrap();
    server.keep_received(false);
    let proxy = Proxy::start(server.addr()).unwrap();
    let (handle, _incoming) = link(&proxy.url(), quick());
    reach(&handle, Phase::Connected).await;
    let sender = handle.clone();
    let sending =
        tokio::spawn(
            async move { while sender.send(Message::binary(vec![0; 1000])).await.is_ok() {} },
        );
    assert!(server.wait_received(1000, LONG));
    let cut = Instant::now();
    proxy.set(Mode::BlackHole);
    let status = until(&handle, "dead", |s| s.phase != Phase::Connected).await;
    let took = cut.elapsed();
    println!("detected after {took:?}");
    assert_eq!(status.last_cause, Some(Cause::PongTimeout));
    // 200 ms of silence, and at most three times 200 ms for the pong.
    assert!(took < ms(800 + 1000), "{took:?}");
    handle.disconnect().await;
    sending.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_line_stays_up_with_more_offered_than_it_carries() {
    const LASTS: Duration = Duration::from_secs(8);
    let server = Server::start(Behaviour::Sink).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::Slow {
        bytes_per_second: 20_000,
        buffer: 4 << 10,
    });
    let limits = Limits {
        messages: 50,
        bytes: 50_000,
        overflow: Overflow::RejectNew,
        window: 16 << 10,
        ..Limits::default()
    };
    let config = quick().outbox(limits).heartbeat(Pulse {
        interval: Some(ms(400)),
        pong_deadline: ms(1000),
        ..Pulse::default()
    });
    let (handle, _incoming) = websocket(proxy.url())
        .unwrap()
        .config(config.build().unwrap())
        .unsent(8 << 10)
        .seed(1)
        .spawn();
    reach(&handle, Phase::Connected).await;
    let began = Instant::now();
    let (mut accepted, mut refused) = (0_u64, 0_u64);
    let mut pace = tokio::time::interval(ms(10));
    // 100 kB/s.
    while began.elapsed() < LASTS {
        pace.tick().await;
        let message = Message::text(format!("{accepted} {}", "x".repeat(990)));
        match handle.try_send(message) {
            Ok(_) => accepted += 1,
            Err(_) => refused += 1,
        }
        let status = handle.status();
        assert!(status.queued + status.in_flight <= 50 && status.bytes <= 50_000);
        assert_eq!(status.phase, Phase::Connected, "{:?}", status.last_cause);
    }
    let stats = handle.stats();
    println!(
        "{accepted} accepted, {refused} refused, {} written, {} pings, round trip {:?}",
        stats.written,
        stats.pings,
        handle.status().round_trip
    );
    assert!(refused > accepted);
    assert!(stats.pings >= 3 && handle.status().round_trip.is_some());
    assert_eq!((stats.dials, stats.disconnected), (1, 0));
    proxy.set(Mode::Pass);
    let all = server.wait_ledger(LONG, |ledger| ledger.missing(0..accepted) == 0);
    let ledger = server.ledger();
    assert!(all, "{ledger:?}");
    assert_eq!((ledger.duplicated(), ledger.late()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_does_not_read_is_not_a_dead_peer() {
    let frames = (0..100).map(|n| Frame::Text(n.to_string())).collect();
    let server = Server::start(Behaviour::SendFirst(frames)).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let config = quick().build().unwrap();
    let (handle, mut incoming) = websocket(proxy.url())
        .unwrap()
        .config(config)
        .inbox(4, 1 << 20)
        .seed(1)
        .spawn();
    assert_eq!(next(&mut incoming).await.as_text(), Some("0"));
    // Meanwhile a link that does read calls its peer dead, twice over.
    let hole = Proxy::start(server.addr()).unwrap();
    let (witness, _frames) = link(&hole.url(), quick());
    reach(&witness, Phase::Connected).await;
    hole.set(Mode::BlackHole);
    let dead = until(&witness, "dead", |s| s.phase != Phase::Connected).await;
    assert_eq!(dead.last_cause, Some(Cause::PongTimeout));
    hole.set(Mode::Pass);
    reach(&witness, Phase::Connected).await;
    hole.set(Mode::BlackHole);
    until(&witness, "dead", |s| s.phase != Phase::Connected).await;

    assert_eq!(handle.status().phase, Phase::Connected);
    assert_eq!(handle.stats().disconnected, 0);
    for number in 1..100 {
        let expected = number.to_string();
        assert_eq!(next(&mut incoming).await.as_text(), Some(expected.as_str()));
    }
    // Once it reads, the heartbeat is back.
    proxy.set(Mode::BlackHole);
    let dead = until(&handle, "dead", |s| s.phase != Phase::Connected).await;
    assert_eq!(dead.last_cause, Some(Cause::PongTimeout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_message_on_a_slow_line_is_a_sign_of_life() {
    const LONG_ONE: usize = 60_000;
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let config = quick().heartbeat(Pulse {
        interval: Some(ms(300)),
        pong_deadline: ms(300),
        ..Pulse::default()
    });
    let (handle, mut incoming) = link(&proxy.url(), config);
    reach(&handle, Phase::Connected).await;
    proxy.set(Mode::Slow {
        bytes_per_second: 30_000,
        buffer: 4 << 10,
    });
    let begun = Instant::now();
    server.send_all(&"z".repeat(LONG_ONE));
    // No pong can come in the middle of it.
    assert_eq!(next(&mut incoming).await.len(), LONG_ONE);
    assert!(begun.elapsed() > ms(1000), "the line was slow");
    assert_eq!(handle.stats().dials, 1);
}
