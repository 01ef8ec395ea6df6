//! What a handle promises: commands in every state, room, fates, the inbox, the last drop.

use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use redial_blocking::redial::cause::SocketError;
use redial_blocking::redial::config::Preflight;
use redial_blocking::redial::outbox::{Limits, Overflow, RefusedReason};
use redial_blocking::redial::{Cause, Hint, Outcome, Phase, SendOptions};
use redial_blocking::{Handle, Message};
use redial_faults::{Behaviour, Mode, Proxy, Server};

use crate::common::{SOON, builder, connected, ended_by, link, ms, pulse, quick, until, wait};

#[test]
fn disconnects_in_each_state() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let url = proxy.url();
    let patient = || quick().connect_deadline(SOON).patience(SOON);

    let (handle, incoming) = link(&url, quick());
    connected(&handle);
    handle.disconnect();
    handle.disconnect();
    let status = wait(&handle, |status| status.phase == Phase::Closed);
    assert_eq!(status.last_cause, Some(Cause::Requested));
    assert!(server.wait_closes(1, SOON));
    assert_eq!(server.closes(), [Some(1000)]);
    assert_eq!(
        incoming.recv_timeout(SOON),
        Err(RecvTimeoutError::Disconnected)
    );
    let refused = handle.try_send("late").unwrap_err();
    assert_eq!(refused.reason, RefusedReason::Closed);
    assert_eq!(refused.payload.as_text(), Some("late"));
    handle.start();
    connected(&handle);

    // A peer that does not answer the close frame: the deadline ends it.
    let frozen = Server::start(Behaviour::Ignore).unwrap();
    let (closing, _incoming) = link(&frozen.url(), quick());
    connected(&closing);
    closing.disconnect();
    assert_eq!(closing.status().phase, Phase::Closing);
    let start = Instant::now();
    wait(&closing, |status| status.phase == Phase::Closed);
    assert!(start.elapsed() > ms(400) && start.elapsed() < ms(1000));

    for (mode, phase) in [
        (Mode::BlackHole, Phase::Connecting),
        (Mode::StallHandshake, Phase::Connecting),
        (Mode::Refuse, Phase::Waiting),
    ] {
        proxy.set(mode.clone());
        let slow = Duration::from_secs(60);
        let schedule = redial_blocking::redial::backoff::Schedule::Fixed { delay: slow };
        let jitter = redial_blocking::redial::backoff::Jitter::None;
        let backoff = redial_blocking::redial::backoff::Backoff::new(schedule, jitter, ms(20));
        let (handle, _incoming) = link(&url, patient().backoff(backoff.unwrap()));
        wait(&handle, |status| status.phase == phase);
        handle.try_send("back").unwrap();
        let fates = handle.fates();
        handle.disconnect();
        assert_eq!(handle.status().phase, Phase::Closed, "{mode:?}");
        let fate = fates.recv_timeout(SOON).unwrap();
        assert_eq!(fate.outcome, Outcome::Returned);
        assert_eq!(fate.payload.unwrap().as_text(), Some("back"));
        let dials = handle.stats().dials;
        assert_eq!(handle.wait(|s| s.phase != Phase::Closed, ms(100)), None);
        assert_eq!(handle.stats().dials, dials);
    }
}

#[test]
fn disconnects_where_nothing_is_dialled() {
    let server = Server::start(Behaviour::Http {
        status: 403,
        headers: Vec::new(),
    })
    .unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let closed = |handle: &Handle<Message>| {
        handle.try_send("back").ok();
        handle.disconnect();
        let status = handle.status();
        assert_eq!((status.phase, status.queued), (Phase::Closed, 0));
        assert_eq!(handle.wait(|s| s.phase != Phase::Closed, ms(50)), None);
    };
    let (failed, _incoming) = link(&proxy.url(), quick());
    wait(&failed, |status| status.phase == Phase::Failed);
    closed(&failed);
    proxy.set(Mode::StallHandshake);
    let (offline, _incoming) = link(&proxy.url(), quick());
    offline.hint(Hint::Offline);
    wait(&offline, |status| status.phase == Phase::Offline);
    closed(&offline);
    let (draining, _incoming) = link(&proxy.url(), quick());
    draining.try_send("stuck").unwrap();
    let other = draining.clone();
    let drain = std::thread::spawn(move || other.drain(SOON));
    wait(&draining, |status| status.phase == Phase::Draining);
    closed(&draining);
    assert_eq!(drain.join().unwrap().len(), 1);
    proxy.set(Mode::Refuse);
    let preflight = Preflight::default();
    let (probing, _incoming) = link(&proxy.url(), quick().preflight(Some(preflight)));
    assert_eq!(wait(&probing, |s| s.phase == Phase::Probing).queued, 0);
    closed(&probing);
    assert_eq!(probing.stats().dials, 0);
}

#[test]
fn the_last_drop_closes_with_1000() {
    let server = Server::start(Behaviour::Sink).unwrap();
    let (handle, mut incoming) = link(&server.url(), quick());
    connected(&handle);
    let other = handle.clone();
    drop(handle);
    for number in 0..100 {
        other.try_send(format!("{number}")).unwrap();
    }
    drop(other);
    assert!(server.wait_closes(1, SOON));
    assert_eq!(server.closes(), [Some(1000)]);
    // What was queued went before the close frame.
    assert_eq!(server.received_count(), 100);
    assert!(incoming.next().is_none());
    assert_eq!(incoming.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn the_last_drop_ends_the_thread_in_every_state() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    for mode in [Mode::Pass, Mode::Refuse, Mode::StallHandshake] {
        proxy.set(mode.clone());
        let (handle, _incoming) = link(&proxy.url(), quick());
        let fates = handle.fates();
        wait(&handle, |status| match mode {
            Mode::Pass => status.phase == Phase::Connected,
            Mode::Refuse => status.phase == Phase::Waiting,
            _ => status.phase == Phase::Connecting,
        });
        if mode == Mode::Pass {
            handle.disconnect();
            wait(&handle, |status| status.phase == Phase::Closed);
            // Time for the thread to fall asleep with nothing left to do.
            assert_eq!(handle.wait(|s| s.phase != Phase::Closed, ms(100)), None);
        }
        drop(handle);
        // Disconnected says that the thread has ended.
        assert_eq!(
            fates.recv_timeout(SOON).unwrap_err(),
            RecvTimeoutError::Disconnected
        );
    }
}

#[test]
fn a_drain_writes_or_hands_back() {
    let server = Server::start(Behaviour::Sink).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (handle, _incoming) = link(&proxy.url(), quick());
    connected(&handle);
    for number in 0..500 {
        handle.try_send(format!("{number}")).unwrap();
    }
    assert!(handle.drain(SOON).is_empty());
    assert_eq!(handle.status().phase, Phase::Closed);
    assert_eq!(server.received_count(), 500);

    proxy.set(Mode::Refuse);
    handle.start();
    let fates = handle.fates();
    for text in ["a", "b"] {
        handle.try_send(text).unwrap();
    }
    let back = handle.drain(ms(200));
    let back: Vec<_> = back
        .iter()
        .filter_map(|message| message.as_text())
        .collect();
    assert_eq!(back, ["a", "b"]);
    let status = handle.status();
    assert_eq!((status.phase, status.queued), (Phase::Closed, 0));
    assert_eq!(status.last_cause, Some(Cause::DrainTimeout));
    let fate = fates.try_recv().unwrap();
    assert_eq!((fate.outcome, fate.payload), (Outcome::Returned, None));
    assert!(handle.drain(SOON).is_empty());
}

#[test]
fn sends_wait_for_room() {
    let server = Server::start(Behaviour::Sink).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::Refuse);
    let limits = Limits {
        messages: 10,
        overflow: Overflow::RejectNew,
        ..Limits::default()
    };
    let (handle, _incoming) = link(&proxy.url(), quick().outbox(limits));
    for number in 0..10 {
        handle.send(format!("{number}")).unwrap();
    }
    let refused = handle.try_send("full").unwrap_err();
    assert_eq!(refused.reason, RefusedReason::Full);
    let start = Instant::now();
    let refused = handle.send_timeout("full", ms(50)).unwrap_err();
    assert_eq!(refused.reason, RefusedReason::Full);
    assert!(start.elapsed() >= ms(50));
    let options = SendOptions::new().volatile();
    let refused = handle.send_with("typing", options).unwrap_err();
    assert_eq!(refused.reason, RefusedReason::NotConnected);
    // Fates are thrown away while nobody wants them, so that the queue never fills up with them.
    let sender = handle.clone();
    let thread = std::thread::spawn(move || {
        (10..100).all(|number| sender.send_timeout(format!("{number}"), SOON).is_ok())
    });
    proxy.set(Mode::Pass);
    assert!(thread.join().unwrap());
    assert!(server.wait_received(100, SOON));
    assert_eq!(
        (server.ledger().missing(0..100), server.ledger().late()),
        (0, 0)
    );
    wait(&handle, |status| status.in_flight == 0);
    assert_eq!(handle.discarded_fates(), 100);

    // With a receiver that takes nothing the queue does fill up, by twice its size at most.
    let fates = handle.fates();
    let accepted = (0..30)
        .take_while(|_| handle.send_timeout("x", ms(100)).is_ok())
        .count();
    assert!((10..=20).contains(&accepted), "{accepted}");
    assert_eq!(fates.recv_timeout(SOON).unwrap().outcome, Outcome::Written);
    handle.send_timeout("x", SOON).unwrap();
    // And a sender that waits is told of the end.
    proxy.set(Mode::BlackHole);
    let sender = handle.clone();
    let thread = std::thread::spawn(move || {
        loop {
            if let Err(refused) = sender.send("y") {
                break refused.reason;
            }
        }
    });
    until("full", || handle.send_timeout("z", ms(50)).is_err());
    handle.disconnect();
    assert_eq!(thread.join().unwrap(), RefusedReason::Closed);
}

#[test]
fn a_full_inbox_pauses_reading_and_kills_nothing() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (handle, incoming) = builder(&server.url(), quick().heartbeat(pulse(100, 100)))
        .incoming_limit(8, 1 << 20)
        .spawn()
        .unwrap();
    connected(&handle);
    for number in 0..400 {
        handle
            .try_send(format!("{number} {}", "x".repeat(1000)))
            .unwrap();
    }
    until("paused", || handle.stats().received == 8);
    // Its pings go on, so that time does pass: ten times what would be taken for death.
    let before = server.pings();
    assert!(
        server.wait_pings(before + 10, SOON),
        "{:?} {:?} {:?}",
        handle.status(),
        handle.stats(),
        handle.last_error()
    );
    assert_eq!(handle.status().phase, Phase::Connected);
    assert_eq!(handle.stats().received, 8);
    for number in 0..400 {
        let message = incoming.recv_timeout(SOON).unwrap();
        assert!(
            message
                .as_text()
                .unwrap()
                .starts_with(&format!("{number} "))
        );
    }
    assert_eq!(handle.stats().dials, 1);
    // Reading again, the link judges by answers again.
    let start = Instant::now();
    server.set(Behaviour::Ignore);
    handle.reconnect();
    ended_by(&handle, Cause::PongTimeout);
    assert!(start.elapsed() < ms(1000));
}

#[test]
fn a_host_that_vanishes_while_nobody_reads() {
    if !cfg!(target_os = "linux") {
        return println!("skipped: the kernel can't be asked here");
    }
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (handle, incoming) = builder(&proxy.url(), quick().heartbeat(pulse(200, 200)))
        .incoming_limit(2, 1 << 20)
        .spawn()
        .unwrap();
    connected(&handle);
    for number in 0..100 {
        handle.try_send(format!("{number}")).unwrap();
    }
    until("paused", || handle.stats().received == 2);
    proxy.set(Mode::BlackHole);
    // Loopback acknowledges until its buffers are full.
    let sender = handle.clone();
    let load = std::thread::spawn(move || while sender.send(vec![0; 60_000]).is_ok() {});
    let timed_out = Cause::Socket(SocketError::TimedOut);
    ended_by(&handle, timed_out);
    handle.disconnect();
    load.join().unwrap();
    // What came in before is still there; then the next connection is read as ever.
    proxy.set(Mode::Pass);
    for number in 0..2 {
        let message = incoming.recv_timeout(SOON).unwrap();
        assert_eq!(message.as_text(), Some(format!("{number}").as_str()));
    }
    handle.start();
    for _ in 0..10 {
        handle.try_send("again").unwrap();
        let message = incoming.recv_timeout(SOON).unwrap();
        assert_eq!(message.as_text(), Some("again"));
    }
}

#[test]
fn a_long_message_on_a_slow_line_is_a_sign_of_life() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (handle, incoming) = link(&proxy.url(), quick().heartbeat(pulse(300, 300)));
    connected(&handle);
    handle.try_send(vec![1; 60_000]).unwrap();
    assert!(server.wait_received(1, SOON));
    incoming.recv_timeout(SOON).unwrap();
    proxy.set(Mode::Slow {
        bytes_per_second: 30_000,
        buffer: 4096,
    });
    server.send_all(&"z".repeat(60_000));
    let start = Instant::now();
    assert_eq!(
        incoming.recv_timeout(SOON).unwrap().as_bytes().len(),
        60_000
    );
    println!("60 kB in one message took {:?}", start.elapsed());
    assert!(start.elapsed() > ms(1000));
    assert_eq!(handle.stats().dials, 1);
}

#[test]
fn commands_from_outside() {
    let server = Server::start(Behaviour::Sink).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (handle, _incoming) = link(&proxy.url(), quick());
    connected(&handle);
    handle.reconnect();
    assert!(server.wait_handshakes(2, SOON));
    connected(&handle);
    proxy.set(Mode::Refuse);
    proxy.reset_all();
    wait(&handle, |status| status.phase == Phase::Waiting);
    handle.hint(Hint::Offline);
    wait(&handle, |status| status.phase == Phase::Offline);
    handle.try_send("gone").unwrap();
    handle.clear();
    assert_eq!(handle.status().queued, 0);
    proxy.set(Mode::Pass);
    handle.hint(Hint::Online);
    connected(&handle);
    assert_eq!(server.received_count(), 0);
    assert!(handle.now().since(handle.status().since) < SOON);
    // Pings of the server are answered.
    server.ping_all();
    assert!(server.wait_pongs(1, SOON));
    // A round trip is measured by the link's own.
    handle.hint(Hint::Visible);
    let status = wait(&handle, |status| status.round_trip.is_some());
    println!("round trip {:?}", status.round_trip.unwrap());
}
