//! What the next process finds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redial::session::{OnFresh, SessionId};
use redial::{Carryover, Outcome, SendOptions};
use redial_faults::{Mode, Proxy};
use redial_tokio::store::{Clock, SyncPolicy, recover};

use super::*;

/// Where nobody listens.
fn nowhere() -> Proxy {
    let proxy = Proxy::start(([127, 0, 0, 1], 1).into()).expect("a proxy");
    proxy.set(Mode::Refuse);
    proxy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offline_queue_outlives_its_handle() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let options = Options::default();
    let offline = nowhere();
    let builder = unbuilt(&offline.url(), config())
        .store(&path, &options)
        .unwrap();
    assert!(builder.recovery().unwrap().fresh);
    let (handle, incoming) = builder.spawn();
    for number in 0..3 {
        let id = handle.send(number.to_string().into()).await.unwrap();
        soon("stored", handle.stored(id)).await.unwrap();
    }
    let killed = crash(&path, "killed");
    drop((handle, incoming));

    let server = SessionServer::start().unwrap();
    let (handle, _incoming) = open(&server.url(), &config(), &path, &options).await;
    let report = handle.recovery().unwrap();
    assert!(report.clean && !report.fresh, "{report:?}");
    let mut fates = handle.fates();
    for _ in 0..3 {
        assert_eq!(fate(&mut fates).await.outcome, Outcome::Acked);
    }
    handle.send("3".into()).await.unwrap();
    assert_eq!(wait_got(&server, 4).await, ["0", "1", "2", "3"]);
    soon("an end", handle.finish()).await.unwrap();

    // All of it again, as a killed process leaves it.
    let server = SessionServer::start().unwrap();
    let (handle, _incoming) = open(&server.url(), &config(), &killed, &options).await;
    let report = handle.recovery().unwrap();
    assert!(!report.clean && !report.lost, "{report:?}");
    assert_eq!(wait_got(&server, 3).await, ["0", "1", "2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_queued_is_for_the_next_process_unless_somebody_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let options = Options::default();
    let offline = nowhere();
    for round in 0..2 {
        let (handle, _incoming) = open(&offline.url(), &config(), &path, &options).await;
        handle.send(round.to_string().into()).await.unwrap();
        soon("an end", handle.finish()).await.unwrap();
    }
    let (handle, _incoming) = open(&offline.url(), &config(), &path, &options).await;
    let back = soon("a rest", handle.disconnect()).await;
    assert_eq!(back, ["0".into(), "1".into()]);
    soon("an end", handle.finish()).await.unwrap();
    let (handle, _incoming) = open(&offline.url(), &config(), &path, &options).await;
    assert_eq!(handle.status().queued, 0);
}

#[test]
fn the_end_of_a_runtime_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let server = SessionServer::start().unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let mut sent = 0;
    for round in 0..10 {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let handle = runtime.block_on(async {
            let options = Options::default();
            let (handle, _) = open(&proxy.url(), &config(), &path, &options).await;
            for _ in 0..20 {
                let id = handle.send(sent.to_string().into()).await.unwrap();
                sent += 1;
                if sent % 7 == 0 {
                    soon("stored", handle.stored(id)).await.unwrap();
                }
            }
            let some = server.wait_received(sent - 5, LONG);
            assert!(
                some,
                "{round}: {:?} {:?}",
                server.received_count(),
                handle.status()
            );
            handle
        });
        runtime.shutdown_background();
        drop(handle);
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (_handle, _) = open(&proxy.url(), &config(), &path, &Options::default()).await;
        let expected: Vec<String> = (0..sent).map(|number| number.to_string()).collect();
        assert_eq!(wait_got(&server, expected.len()).await, expected);
        assert_eq!(server.sessions().0, 1, "one session over all processes");
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_and_never_acknowledged_does_not_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let options = Options::default();
    let lazy = config().session(Some(Settings {
        acks: Cadence {
            delay: LONG,
            ..Cadence::default()
        },
        ..Settings::default()
    }));
    let server = SessionServer::start().unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (handle, mut incoming) = open(&proxy.url(), &lazy, &path, &options).await;
    assert!(server.wait_open(1, LONG));
    let session = server.clients()[0].session;
    let send = |text: &str| server.send(session, text, SendOptions::new()).unwrap();
    for text in ["a", "b"] {
        send(text);
        assert_eq!(next(&mut incoming).await, text);
    }
    assert_eq!(server.client(session).unwrap().fates.acked, 0);
    proxy.set(Mode::Refuse);
    proxy.reset_all();
    until("an outage", || handle.status().phase != Phase::Connected).await;
    assert!(incoming.try_recv().is_none());
    soon("an end", handle.finish()).await.unwrap();

    proxy.set(Mode::Pass);
    let (_handle, mut incoming) = open(&proxy.url(), &lazy, &path, &options).await;
    send("c");
    assert_eq!(next(&mut incoming).await, "c");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_to_live_go_on_while_nobody_lives() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let hours = Arc::new(AtomicU64::new(500_000));
    let read = Arc::clone(&hours);
    let clock = Clock::new(move || Some(ms(read.load(Ordering::SeqCst) * 3_600_000)));
    let options = Options {
        clock,
        ..Options::default()
    };
    let offline = nowhere();
    let config = config().outbox(Limits {
        ttl: Some(ms(10 * 3_600_000)),
        ..config().build().unwrap().outbox().clone()
    });
    let (handle, _incoming) = open(&offline.url(), &config, &path, &options).await;
    let minute = SendOptions::new().ttl(ms(60_000));
    let short = handle.try_send_with("short".into(), minute).unwrap();
    handle.try_send("long".into()).unwrap();
    soon("an end", handle.finish()).await.unwrap();

    hours.fetch_add(1, Ordering::SeqCst);
    let server = SessionServer::start().unwrap();
    let builder = unbuilt(&server.url(), config.clone()).keep_fates();
    let (handle, _incoming) = builder.store(&path, &options).unwrap().spawn();
    let mut fates = handle.fates();
    let expired = fate(&mut fates).await;
    assert_eq!((expired.id, expired.outcome), (short, Outcome::Expired));
    assert_eq!(fate(&mut fates).await.outcome, Outcome::Acked);
    assert_eq!(wait_got(&server, 1).await.last().unwrap(), "long");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intents_stand_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let options = Options::default();
    let offline = nowhere();
    let (handle, _incoming) = open(&offline.url(), &config(), &path, &options).await;
    handle.declare("a".into()).unwrap();
    let gone = handle.declare("gone".into()).unwrap();
    handle.declare("b".into()).unwrap();
    assert_eq!(handle.withdraw(gone), Some("gone".into()));
    soon("an end", handle.finish()).await.unwrap();

    let server = SessionServer::start().unwrap();
    let (handle, _incoming) = open(&server.url(), &config(), &path, &options).await;
    handle.send("1".into()).await.unwrap();
    assert_eq!(wait_got(&server, 3).await, ["#a", "#b", "1"]);
    soon("an end", handle.finish()).await.unwrap();

    // In the session that goes on they stand already.
    let (handle, mut incoming) = open(&server.url(), &config(), &path, &options).await;
    let resumed = session(&mut incoming).await;
    assert!(matches!(resumed, Resumption::Resumed { .. }), "{resumed:?}");
    handle.declare("c".into()).unwrap();
    handle.send("2".into()).await.unwrap();
    assert_eq!(wait_got(&server, 5).await, ["#a", "#b", "1", "#c", "2"]);
    soon("an end", handle.finish()).await.unwrap();

    // In a fresh one they are written again.
    let fresh = SessionServer::start().unwrap();
    let (_handle, _incoming) = open(&fresh.url(), &config(), &path, &options).await;
    assert_eq!(wait_got(&fresh, 3).await, ["#a", "#b", "#c"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_knows_what_was_sent_in_a_session_that_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let options = Options::default();
    let config = config().session(Some(Settings {
        on_fresh: OnFresh::Resend,
        ..config().build().unwrap().session().unwrap().clone()
    }));
    let server = SessionServer::start().unwrap();
    let (handle, incoming) = open(&server.url(), &config, &path, &options).await;
    // A fate that nobody has taken is none for the log.
    let fates = handle.fates();
    handle.send("0".into()).await.unwrap();
    assert_eq!(wait_got(&server, 1).await, ["0"]);
    let first = found(&path);
    let (session, _) = only(&server);
    assert_eq!(first.session, Some(session));
    let message = &first.messages[0];
    assert_eq!((message.tries, message.resent), (1, false));
    let killed = crash(&path, "killed");
    drop((handle, incoming, fates));

    let other = SessionServer::start().unwrap();
    let builder = unbuilt(&other.url(), config.clone()).keep_fates();
    let (handle, _incoming) = builder.store(&killed, &options).unwrap().spawn();
    assert_eq!(wait_got(&other, 1).await, ["0"]);
    let (_, resent) = only(&other);
    assert!(resent, "the peer is told");
    let again = found(&killed);
    assert_ne!(again.session, Some(session));
    assert!(again.messages[0].resent, "so would be the next");
    let id = again.messages[0].id;
    let mut fates = handle.fates();
    let taken = fate(&mut fates).await;
    assert_eq!((taken.id, taken.outcome), (id, Outcome::Acked));
    soon("an end", handle.finish()).await.unwrap();
    assert!(found(&killed).messages.is_empty());
}

/// The only session of a server, and whether its first message was sent before.
fn only(server: &SessionServer) -> (SessionId, bool) {
    let client = server.clients().remove(0);
    let resent = matches!(client.got[0], Got::Message { resent: true, .. });
    (client.session, resent)
}

/// What a process would find that begins now.
fn found(path: &Path) -> Carryover<Message> {
    let bytes = std::fs::read(path).expect("a log");
    let recovery = recover(&bytes, &Options::default());
    recovery.expect("a log").carryover
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_an_outage_is_exact_and_one_while_connected_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let options = Options {
        sync: SyncPolicy::Never,
        ..Options::default()
    };
    let once = config().outbox(Limits::default());
    let server = SessionServer::start().unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (handle, mut incoming) = open(&proxy.url(), &once, &path, &options).await;
    let mut fates = handle.fates();
    session(&mut incoming).await;
    let id = handle.send("0".into()).await.unwrap();
    assert_eq!(fate(&mut fates).await.outcome, Outcome::Written);
    assert_eq!(wait_got(&server, 1).await, ["0"]);
    // It is in the log that the fate was taken.
    let next = handle.send("1".into()).await.unwrap();
    soon("stored", handle.stored(next)).await.unwrap();
    let connected = crash(&path, "connected");
    assert_eq!((id.number(), next.number()), (1, 2));

    proxy.set(Mode::Refuse);
    proxy.reset_all();
    until("an outage", || handle.status().phase != Phase::Connected).await;
    let id = handle.send("2".into()).await.unwrap();
    soon("stored", handle.stored(id)).await.unwrap();
    let outage = crash(&path, "outage");
    drop((handle, incoming, fates));

    let builder = unbuilt(&proxy.url(), once.clone()).keep_fates();
    let (handle, _incoming) = builder.store(&connected, &options).unwrap().spawn();
    let unknown = fate(&mut handle.fates()).await;
    assert_eq!((unknown.id, unknown.outcome), (next, Outcome::Unknown));
    drop(handle);

    let builder = unbuilt(&proxy.url(), once.clone()).keep_fates();
    let (handle, _incoming) = builder.store(&outage, &options).unwrap().spawn();
    let mut fates = handle.fates();
    proxy.set(Mode::Pass);
    loop {
        // What was written before may be known or not; the last one was not.
        let fate = fate(&mut fates).await;
        if fate.id == id {
            assert_eq!(fate.outcome, Outcome::Written);
            break;
        }
    }
    until("it arrives", || got(&server).last().unwrap() == "2").await;
}
