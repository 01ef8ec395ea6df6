//! What waits for the disk, and what becomes of it when the disk fails.

use std::sync::Arc;
use std::thread;

use redial_blocking::redial::outbox::RefusedReason;
use redial_blocking::redial::requests::{Requests, Settings};
use redial_blocking::redial::{Outcome, Phase, SendOptions};
use redial_blocking::store::Options;
use redial_blocking::{Handle, Incoming, NotStored};
use redial_faults::sessions::{Client, Memory};

use crate::disk::Reins;
use crate::{Bench, Lines, SOON, connected, keep, until};

/// Something goes from the server to the client: whatever the client had to do before it has been
/// done.
fn round(bench: &Bench, incoming: &Incoming<Vec<u8>>) {
    assert!(bench.server.wait_open(1, SOON));
    bench.server.send_all("round", SendOptions::new());
    assert_eq!(incoming.recv_timeout(SOON).unwrap(), b"round");
}

/// Something goes from the client to the server, past the store.
fn shout(bench: &Bench, handle: &Handle<Vec<u8>>) {
    let before = bench.server.received_count();
    let volatile = SendOptions::new().volatile();
    handle.send_with("shout", volatile).unwrap();
    assert!(bench.server.wait_received(before + 1, SOON));
}

fn acked(bench: &Bench) -> u64 {
    let clients = bench.server.clients();
    clients.iter().map(|client| client.fates.acked).sum()
}

#[test]
fn nothing_is_written_before_it_is_stored() {
    let (bench, reins) = (Bench::new(), Arc::new(Reins::default()));
    let (handle, incoming) = bench.open_reined(&reins);
    handle.try_send("0").unwrap();
    assert!(bench.server.wait_received(1, SOON));
    reins.hang(true);
    handle.try_send("1").unwrap();
    until("a sync", || reins.hung() > 0);
    round(&bench, &incoming);
    assert_eq!(bench.got(), ["0"]);
    reins.hang(false);
    assert!(bench.server.wait_received(2, SOON));
    assert_eq!(bench.got(), ["0", "1"]);
}

#[test]
fn nothing_is_written_before_the_log_says_that_a_connection_is_up() {
    let (bench, reins) = (Bench::new(), Arc::new(Reins::default()));
    bench.server.stop();
    let (handle, incoming) = bench.open();
    keep(&handle, "0");
    handle.declare("intent").unwrap();
    drop((handle, incoming));

    // It is stored, so it is not its own record that it waits for.
    reins.hang(true);
    bench.server.start_again(Memory::Wipe).unwrap();
    let (handle, incoming) = bench.open_reined(&reins);
    connected(&handle);
    until("a sync", || reins.hung() > 0);
    round(&bench, &incoming);
    assert!(bench.server.clients().iter().all(|it| it.got.is_empty()));
    reins.hang(false);
    assert!(bench.server.wait_received(1, SOON));
    assert_eq!(bench.server.clients()[0].got.len(), 2);
}

#[test]
fn nothing_is_acknowledged_before_it_is_stored_as_received() {
    let (bench, reins) = (Bench::new(), Arc::new(Reins::default()));
    let (handle, incoming) = bench.open_reined(&reins);
    keep(&handle, "0");
    assert!(bench.server.wait_received(1, SOON));
    until("quiet", || handle.status().in_flight == 0);
    reins.hang(true);
    round(&bench, &incoming);
    // The application comes for more.
    assert!(incoming.try_recv().is_err());
    until("a sync", || reins.hung() > 0);
    // An acknowledgement goes ahead of messages.
    shout(&bench, &handle);
    assert_eq!(acked(&bench), 0);
    // Nor is it by the next hello, from which the peer forgets too.
    bench.server.reset_all();
    let resumed = |clients: &[Client]| clients[0].resumed == 1;
    assert!(bench.server.wait_clients(SOON, resumed));
    round(&bench, &incoming);
    assert_eq!(acked(&bench), 0);
    reins.hang(false);
    assert!(incoming.try_recv().is_err(), "it came twice");
    let all = |clients: &[Client]| clients[0].fates.acked == 2;
    assert!(bench.server.wait_clients(SOON, all));
}

#[test]
fn what_the_application_has_not_taken_is_not_acknowledged() {
    let bench = Bench::new();
    let (handle, incoming) = bench.open();
    connected(&handle);
    round(&bench, &incoming);
    // What is stored and written behind it would come behind an acknowledgement.
    keep(&handle, "0");
    assert!(bench.server.wait_received(1, SOON));
    assert_eq!(acked(&bench), 0);
    assert!(incoming.try_recv().is_err());
    let one = |clients: &[Client]| clients[0].fates.acked == 1;
    assert!(bench.server.wait_clients(SOON, one));
}

#[test]
fn requests_go_past_the_store() {
    let (bench, reins) = (Bench::new(), Arc::new(Reins::default()));
    let requests = Requests::new(Settings::default()).unwrap();
    let builder = bench.builder().requests(Lines, requests);
    let (handle, _incoming) = builder
        .store_on(reins.over(bench.path()), &Options::default())
        .unwrap()
        .spawn()
        .unwrap();
    keep(&handle, "0");
    assert!(bench.server.wait_received(1, SOON));
    reins.hang(true);
    let asking = handle.clone();
    let asked = thread::spawn(move || asking.request("when?"));
    assert!(bench.server.wait_received(2, SOON));
    assert_eq!(bench.got()[1], "1 when?");
    reins.hang(false);
    handle.disconnect();
    asked.join().unwrap().unwrap_err();
}

#[test]
fn a_disk_that_fails_hands_messages_back() {
    let (bench, reins) = (Bench::new(), Arc::new(Reins::default()));
    let (handle, _incoming) = bench.open_reined(&reins);
    let fates = handle.fates();
    keep(&handle, "0");
    assert_eq!(fates.recv_timeout(SOON).unwrap().outcome, Outcome::Acked);
    reins.fail();
    let id = handle.try_send("1").unwrap();
    assert!(matches!(handle.stored(id), Err(NotStored::Failed(_))));
    let fate = fates.recv_timeout(SOON).unwrap();
    assert_eq!((fate.id, fate.outcome), (id, Outcome::Returned));
    assert_eq!(fate.payload, Some(b"1".to_vec()));
    assert!(handle.wait(|it| it.phase == Phase::Closed, SOON).is_some());
    let error = handle.last_error().unwrap();
    assert!(error.contains("store failed"), "{error}");
    let refused = handle.try_send("2").unwrap_err();
    assert_eq!(refused.reason, RefusedReason::NotStored);
    assert_eq!(refused.payload, b"2");

    // Nor does it help to start again.
    handle.start();
    assert!(handle.wait(|it| it.phase == Phase::Closed, SOON).is_some());
    assert_eq!(bench.got(), ["0"]);
}
