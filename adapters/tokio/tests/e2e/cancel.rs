//! Futures that are dropped before they are done lose nothing.

use futures_util::FutureExt;
use redial::outbox::{Limits, Overflow};
use redial::{Outcome, Phase};
use redial_faults::{Behaviour, Server};
use redial_tokio::redial;

use super::{LONG, link, next, quick, reach, windows};

fn two(overflow: Overflow) -> Limits {
    Limits {
        messages: 2,
        overflow,
        ..Limits::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_send_sends_nothing() {
    for overflow in [Overflow::DropOldest, Overflow::RejectNew] {
        let server = Server::start(Behaviour::Echo).unwrap();
        let (address, url) = (server.addr(), server.url());
        server.shutdown();
        let (handle, mut incoming) = link(&url, quick().outbox(two(overflow)));
        handle.send("1".into()).await.unwrap();
        handle.send("2".into()).await.unwrap();
        assert!(handle.send("dropped".into()).now_or_never().is_none());
        assert_eq!((handle.status().queued, handle.stats().accepted), (2, 2));
        let waiting = tokio::spawn({
            let handle = handle.clone();
            async move { handle.send("3".into()).await }
        });
        let _server = Server::start_on(address, Behaviour::Echo).unwrap();
        for expected in ["1", "2", "3"] {
            assert_eq!(next(&mut incoming).await.as_text(), Some(expected));
        }
        waiting.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_that_waits_is_refused_when_the_link_closes() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let url = server.url();
    server.shutdown();
    let (handle, _incoming) = link(&url, quick().outbox(two(Overflow::DropOldest)));
    handle.send("1".into()).await.unwrap();
    handle.send("2".into()).await.unwrap();
    let waiting = tokio::spawn({
        let handle = handle.clone();
        async move { handle.send("3".into()).await }
    });
    assert_eq!(handle.disconnect().await.len(), 2);
    let refused = waiting.await.unwrap().unwrap_err();
    assert_eq!(refused.payload.as_text(), Some("3"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_receive_loses_nothing() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (handle, mut incoming) = link(&server.url(), quick());
    reach(&handle, Phase::Connected).await;
    for number in 0..200 {
        handle.send(format!("{number}").into()).await.unwrap();
    }
    let mut seen = 0;
    let all = async {
        while seen < 200 {
            if let Some(message) = incoming.recv().now_or_never() {
                let expected = seen.to_string();
                assert_eq!(message.unwrap().as_text(), Some(expected.as_str()));
                seen += 1;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, all).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_drain_goes_on_and_tells_by_fates() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let url = server.url();
    server.shutdown();
    let slow = quick().backoff(windows(60_000, 120_000));
    let (handle, _incoming) = link(&url, slow);
    let mut fates = handle.fates();
    let id = handle.try_send("1".into()).unwrap();
    let within = super::ms(100);
    assert!(handle.drain(within).now_or_never().is_none());
    let fate = tokio::time::timeout(LONG, fates.recv()).await.unwrap();
    let fate = fate.unwrap();
    assert_eq!((fate.id, fate.outcome), (id, Outcome::Returned));
    assert_eq!(fate.payload.unwrap().as_text(), Some("1"));
    reach(&handle, Phase::Closed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_has_one_fate() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (handle, _incoming) = link(&server.url(), quick());
    let mut fates = handle.fates();
    let sender = handle.clone();
    let sending = tokio::spawn(async move {
        for number in 0..5000 {
            sender.send(format!("{number}").into()).await.unwrap();
        }
    });
    let mut outcomes = std::collections::BTreeMap::new();
    while outcomes.len() < 5000 {
        if outcomes.len() % 1000 == 500 {
            server.reset_all();
        }
        let fate = tokio::time::timeout(LONG, fates.recv()).await.unwrap();
        let fate = fate.unwrap();
        assert!(outcomes.insert(fate.id, fate.outcome).is_none());
    }
    sending.await.unwrap();
    let written = outcomes.values().filter(|o| **o == Outcome::Written);
    let unknown = outcomes.values().filter(|o| **o == Outcome::Unknown);
    let (written, unknown) = (written.count() as u64, unknown.count() as u64);
    assert_eq!(written + unknown, 5000);
    let stats = handle.stats();
    assert_eq!((stats.written, stats.unknown), (written, unknown));
    assert_eq!(server.ledger().duplicated(), 0);
}
