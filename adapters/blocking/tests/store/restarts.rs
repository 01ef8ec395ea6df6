//! What the next process finds: messages, intents, times to live, a report.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redial_blocking::redial::outbox::RefusedReason;
use redial_blocking::redial::requests::{self, RequestOptions, Requests};
use redial_blocking::redial::{Config, MessageId, Outcome, Phase, SendOptions};
use redial_blocking::store::{Clock, OpenError, Options, Why};
use redial_blocking::{NotStored, RequestFailure};
use redial_faults::sessions::{Got, Memory};

use crate::{Bench, Lines, SOON, connected, keep, until};

#[test]
fn what_is_queued_offline_goes_out_in_the_next_process() {
    let bench = Bench::new();
    bench.server.stop();
    let (handle, incoming) = bench.open();
    for message in ["0", "1", "2"] {
        keep(&handle, message);
    }
    drop((handle, incoming));

    let builder = bench.builder().store(bench.path(), &Options::default());
    let builder = builder.unwrap();
    let report = builder.recovery().unwrap().clone();
    assert!(report.clean && !report.fresh && !report.lost, "{report:?}");
    bench.server.start_again(Memory::Wipe).unwrap();
    let (handle, _incoming) = builder.spawn().unwrap();
    assert_eq!(handle.recovery(), Some(&report));
    let fates = handle.fates();
    handle.try_send("3").unwrap();
    for number in 1..=4 {
        let fate = fates.recv_timeout(SOON).unwrap();
        assert_eq!((fate.id.number(), fate.outcome), (number, Outcome::Acked));
    }
    assert_eq!(bench.got(), ["0", "1", "2", "3"]);
    let clients = bench.server.clients();
    let resent = |got: &Got| matches!(got, Got::Message { resent: true, .. });
    assert!(!clients.iter().any(|client| client.got.iter().any(resent)));

    // They are settled.
    drop((fates, handle));
    let (handle, _incoming) = bench.open();
    let status = handle.status();
    assert_eq!((status.queued, status.in_flight), (0, 0));
}

#[test]
fn once_and_in_order_over_restarts_of_the_client() {
    let bench = Bench::new();
    let mut number = 0;
    for round in 0..12 {
        let (handle, _incoming) = bench.open();
        for _ in 0..40 {
            handle.send(number.to_string()).unwrap();
            number += 1;
            if number % 17 == round {
                bench.server.reset_all();
            }
        }
        if round % 3 != 2 {
            // In the midst of an outage, or of being written.
            bench.server.reset_all();
            handle.disconnect();
        }
    }
    let (handle, _incoming) = bench.open();
    connected(&handle);
    assert!(handle.drain(SOON).is_empty());
    let expected: Vec<_> = (0..number).map(|number| number.to_string()).collect();
    assert_eq!(bench.got(), expected);
    // A welcome that was lost with its connection leaves a session behind that nobody knows of.
    let clients = bench.server.clients();
    let used = clients.iter().filter(|client| !client.got.is_empty());
    assert_eq!(used.count(), 1);
}

#[test]
fn what_came_in_comes_once_over_restarts() {
    let bench = Bench::new();
    let (mut expected, mut sent) = (0_u32, 0_u32);
    for round in 0..8 {
        let (handle, incoming) = bench.open();
        connected(&handle);
        assert!(bench.server.wait_open(1, SOON));
        for _ in 0..10 {
            bench.server.send_all(sent.to_string(), SendOptions::new());
            sent += 1;
        }
        // Some are left behind.
        for _ in 0..10 - round {
            let message = incoming.recv_timeout(SOON).unwrap();
            assert_eq!(message, expected.to_string().into_bytes());
            expected += 1;
        }
        if round % 2 == 0 {
            bench.server.reset_all();
        }
        handle.disconnect();
        drop(handle);
    }
    let (_handle, incoming) = bench.open();
    while expected < sent {
        let message = incoming.recv_timeout(SOON).unwrap();
        assert_eq!(message, expected.to_string().into_bytes());
        expected += 1;
    }
}

#[test]
fn what_is_accepted_in_an_outage_is_known_to_be_unwritten() {
    let bench = Bench::new();
    let (handle, incoming) = bench.open();
    keep(&handle, "0");
    assert!(bench.server.wait_received(1, SOON));
    until("its fate", || handle.status().in_flight == 0);
    bench.server.stop();
    let lost = handle.wait(|status| status.phase != Phase::Connected, SOON);
    assert!(lost.is_some());
    keep(&handle, "1");
    drop((handle, incoming));
    let (handle, _incoming) = bench.open();
    let status = handle.status();
    assert_eq!((status.queued, status.in_flight), (1, 0));
}

#[test]
fn a_torn_end_is_told() {
    let bench = Bench::new();
    bench.server.stop();
    drop(bench.open());
    let mut file = std::fs::OpenOptions::new();
    let mut file = file.append(true).open(bench.path()).unwrap();
    file.write_all(&[7, 7, 7]).unwrap();
    let builder = bench.builder().store(bench.path(), &Options::default());
    let builder = builder.unwrap();
    let told = builder.recovery().unwrap().cut.clone().unwrap();
    assert_eq!((told.why, told.bytes), (Why::Torn, 3));
    let (handle, _incoming) = builder.spawn().unwrap();
    assert_eq!(handle.recovery().unwrap().cut, Some(told));
}

#[test]
fn a_log_is_one_links() {
    let bench = Bench::new();
    let (_handle, _incoming) = bench.open();
    let second = bench.builder().store(bench.path(), &Options::default());
    assert!(matches!(second, Err(OpenError::Held { .. })));
}

#[test]
fn what_belongs_to_a_session_needs_one() {
    let bench = Bench::new();
    bench.server.stop();
    let (handle, incoming) = bench.open();
    keep(&handle, "0");
    drop((handle, incoming));
    let builder = bench.builder().store(bench.path(), &Options::default());
    let error = builder.unwrap().config(Config::default()).spawn();
    assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    // The log is as it was.
    let (handle, _incoming) = bench.open();
    assert_eq!(handle.status().queued, 1);
}

#[test]
fn times_to_live_go_on_while_nobody_runs() {
    let bench = Bench::new();
    bench.server.stop();
    let time = Arc::new(AtomicU64::new(1_000_000));
    let clock = Arc::clone(&time);
    let options = Options {
        clock: Clock::new(move || Some(Duration::from_secs(clock.load(Ordering::SeqCst)))),
        ..Options::default()
    };
    let open = || {
        let builder = bench.builder().store(bench.path(), &options);
        builder.unwrap().spawn().unwrap()
    };
    let (handle, incoming) = open();
    for (message, hours) in [("0", 1), ("1", 3)] {
        let ttl = SendOptions::new().ttl(Duration::from_secs(hours * 3600));
        let id = handle.send_with(message, ttl).unwrap();
        handle.stored(id).unwrap();
    }
    drop((handle, incoming));
    time.fetch_add(2 * 3600, Ordering::SeqCst);
    bench.server.start_again(Memory::Wipe).unwrap();
    let (handle, _incoming) = open();
    let fates = handle.fates();
    let outcomes = [(); 2].map(|()| fates.recv_timeout(SOON).unwrap().outcome);
    assert_eq!(outcomes, [Outcome::Expired, Outcome::Acked]);
    assert_eq!(bench.got(), ["1"]);
}

#[test]
fn intents_stand_over_restarts() {
    let bench = Bench::new();
    let got = |bench: &Bench| -> Vec<String> {
        let clients = bench.server.clients();
        let all = clients.iter().flat_map(|client| &client.got);
        let text = |got: &Got| match got {
            Got::Intent { content, .. } => Some(String::from_utf8_lossy(content.bytes()).into()),
            _ => None,
        };
        all.filter_map(text).collect()
    };
    bench.server.stop();
    let (handle, incoming) = bench.open();
    let gone = handle.declare("gone").unwrap();
    handle.declare("news").unwrap();
    assert_eq!(handle.withdraw(gone), Some(b"gone".to_vec()));
    drop((handle, incoming));

    bench.server.start_again(Memory::Wipe).unwrap();
    let (handle, incoming) = bench.open();
    // A message behind it shows that there is no more.
    handle.try_send("0").unwrap();
    assert!(bench.server.wait_received(1, SOON));
    assert_eq!(got(&bench), ["news"]);
    drop((handle, incoming));

    // In the same session it is not written again.
    let (handle, incoming) = bench.open();
    handle.declare("weather").unwrap();
    handle.try_send("1").unwrap();
    assert!(bench.server.wait_received(2, SOON));
    assert_eq!(got(&bench), ["news", "weather"]);
    assert_eq!(bench.server.sessions().0, 1);
    drop((handle, incoming));

    // In a fresh one all are, in order.
    bench.server.restart(Memory::Wipe).unwrap();
    let (handle, _incoming) = bench.open();
    handle.try_send("2").unwrap();
    assert!(bench.server.wait_received(3, SOON));
    assert_eq!(got(&bench), ["news", "weather", "news", "weather"]);
}

#[test]
fn requests_end_with_their_process() {
    let bench = Bench::new();
    bench.server.stop();
    let open = || {
        let requests = Requests::new(requests::Settings::default()).unwrap();
        let builder = bench.builder().requests(Lines, requests);
        let builder = builder.store(bench.path(), &Options::default());
        builder.unwrap().spawn().unwrap()
    };
    let (handle, incoming) = open();
    keep(&handle, "0");
    let soon = RequestOptions::new().total(Duration::from_millis(20));
    let failed = handle.request_with("when?", soon).unwrap_err();
    assert_eq!(
        (failed.reason, failed.sent),
        (RequestFailure::TimedOut, false)
    );
    drop((handle, incoming));
    bench.server.start_again(Memory::Wipe).unwrap();
    let (handle, _incoming) = open();
    handle.try_send("1").unwrap();
    assert!(bench.server.wait_received(2, SOON));
    assert_eq!(bench.got(), ["0", "1"]);
    // While there is a connection it is asked.
    let asked = {
        let handle = handle.clone();
        std::thread::spawn(move || handle.request("when?").unwrap_err())
    };
    assert!(bench.server.wait_received(3, SOON));
    assert_eq!(bench.got()[2], "1 when?");
    handle.disconnect();
    assert!(asked.join().unwrap().sent);
}

#[test]
fn what_can_not_be_stored_is_told() {
    let bench = Bench::new();
    let options = Options {
        max_bytes: 1_000,
        ..Options::default()
    };
    bench.server.stop();
    let builder = bench.builder().store(bench.path(), &options).unwrap();
    let (handle, _incoming) = builder.spawn().unwrap();
    let refused = handle.try_send(vec![1; 2_000]).unwrap_err();
    assert_eq!(refused.reason, RefusedReason::NotStored);
    assert_eq!(refused.payload, vec![1; 2_000]);
    keep(&handle, &"x".repeat(900));
    let refused = handle.try_send(vec![1; 200]).unwrap_err();
    assert_eq!(refused.reason, RefusedReason::NotStored);
    assert_eq!(
        handle.declare(vec![1; 200]).unwrap_err().reason,
        RefusedReason::NotStored
    );
    // There is room again once a message has its fate.
    let waits = {
        let handle = handle.clone();
        std::thread::spawn(move || handle.send_timeout(vec![b'1'; 200], SOON).map(drop))
    };
    bench.server.start_again(Memory::Wipe).unwrap();
    waits.join().unwrap().unwrap();
    let never = MessageId::from_number(100);
    assert!(matches!(handle.stored(never), Err(NotStored::NotKept)));

    let (handle, _incoming) = bench.builder().spawn().unwrap();
    let id = handle.try_send("0").unwrap();
    assert!(matches!(handle.stored(id), Err(NotStored::NoStore)));
}
