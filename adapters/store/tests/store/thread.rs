//! What the thread does, and what it tells.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redial::MessageId;
use redial_store::{FileDisk, Log, OpenError, Options, Record, Refusal, Store, SyncPolicy};

use crate::{Bench, DEADLINE, accepted, hear, until};

#[test]
fn what_is_told_as_stored_is_there_after_it_is_dropped_or_closed() {
    let bench = Bench::new();
    let (store, told) = bench.open(&Options::default());
    let first = store.append(&accepted(1, &vec![1; 100])).unwrap();
    assert_eq!(hear(&told, first).message, Some(MessageId::from_number(1)));
    let second = store.append(&accepted(2, &vec![2; 100])).unwrap();
    store.wait(second).unwrap();
    assert!(store.stored().through >= second);
    store.append(&accepted(3, &vec![])).unwrap();
    drop(store);

    let (store, recovery) =
        Store::<Vec<u8>>::open(bench.path(), &Options::default(), |_| {}).unwrap();
    assert!(!recovery.report.clean, "it was dropped");
    assert_eq!(recovery.carryover.messages.len(), 3);
    assert_eq!(recovery.carryover.messages[1].payload, [2; 100]);
    let clone = store.clone();
    let settled = Record::Settled {
        first: MessageId::from_number(1),
        last: MessageId::from_number(2),
    };
    let ticket = clone.append(&settled).unwrap();
    store.close().unwrap();
    store.close().unwrap();
    clone.wait(ticket).unwrap();
    assert!(matches!(clone.append(&settled), Err(Refusal::Closed)));
    assert!(matches!(clone.admit(&vec![]), Err(Refusal::Closed)));

    let (_, recovery) = Log::<Vec<u8>>::open(bench.path(), &Options::default()).unwrap();
    assert!(recovery.report.clean);
    assert_eq!(recovery.carryover.messages.len(), 1);
}

#[test]
fn one_sync_serves_all_that_came_meanwhile() {
    let bench = Bench::new();
    let (store, told) = bench.open(&Options::default());
    bench.reins.hang(true);
    let first = store.append(&accepted(1, &vec![1])).unwrap();
    until("the sync hangs", || {
        bench.reins.hung.load(Ordering::SeqCst) > 0
    });
    let mut last = first;
    for number in 2..=500 {
        last = store.append(&accepted(number, &vec![1])).unwrap();
    }
    assert_eq!(
        store.stored().message,
        None,
        "nothing counts before its sync"
    );
    assert!(matches!(told.try_recv(), Err(mpsc::TryRecvError::Empty)));
    bench.reins.hang(false);
    hear(&told, last);
    assert_eq!(bench.reins.syncs.load(Ordering::SeqCst), 2);
}

#[test]
fn an_interval_syncs_when_it_is_over_and_then_rests() {
    let interval = Duration::from_millis(60);
    let bench = Bench::new();
    let options = Options {
        sync: SyncPolicy::Every(interval),
        ..Options::default()
    };
    let (store, told) = bench.open(&options);
    let begun = Instant::now();
    let ticket = store.append(&accepted(1, &vec![1])).unwrap();
    hear(&told, ticket);
    let stored = begun.elapsed();
    let syncs = || bench.reins.syncs.load(Ordering::SeqCst);
    if stored < interval / 2 {
        assert_eq!(syncs(), 0, "it is stored before it is synced");
    }
    until("a sync", || syncs() == 1);
    assert!(begun.elapsed() >= interval, "{:?}", begun.elapsed());
    // Nothing is due, so nothing is told and nothing is synced.
    let more = told.recv_timeout(interval * 3);
    assert!(matches!(more, Err(RecvTimeoutError::Timeout)), "{more:?}");
    assert_eq!(syncs(), 1);
}

#[test]
fn a_failure_is_told_once_and_nothing_is_stored_after_it() {
    let bench = Bench::new();
    let (store, told) = bench.open(&Options::default());
    let first = store.append(&accepted(1, &vec![1])).unwrap();
    hear(&told, first);
    *bench.reins.fail.lock().unwrap() = Some(io::ErrorKind::StorageFull);
    let second = store.append(&accepted(2, &vec![1])).unwrap();
    let failure = told.recv_timeout(DEADLINE).unwrap().unwrap_err();
    assert_eq!(failure.io().kind(), io::ErrorKind::StorageFull);
    assert!(matches!(store.wait(second), Err(Refusal::Failed(_))));
    store.wait(first).unwrap();
    *bench.reins.fail.lock().unwrap() = None;
    let third = store.append(&accepted(3, &vec![1]));
    assert!(matches!(third, Err(Refusal::Failed(_))), "{third:?}");
    assert!(matches!(store.admit(&vec![]), Err(Refusal::Failed(_))));
    let more = told.recv_timeout(Duration::from_millis(100));
    assert!(matches!(more, Err(RecvTimeoutError::Timeout)), "{more:?}");
    // Its messages are this process's as long as the store lives.
    let held = FileDisk::open(bench.path());
    assert!(matches!(held, Err(OpenError::Held { .. })), "{held:?}");
    assert!(store.close().is_err());
    assert!(told.recv_timeout(DEADLINE).is_err(), "told once");
    assert_eq!(bench.messages(), [1]);
}

#[test]
fn a_callback_may_use_the_store_and_may_even_close_it() {
    let bench = Bench::new();
    let slot: Arc<Mutex<Option<Store<Vec<u8>>>>> = Arc::default();
    let (done, closed) = mpsc::channel();
    let (store, _) = Store::<Vec<u8>>::open(bench.path(), &Options::default(), {
        let slot = Arc::clone(&slot);
        move |_| {
            let store = slot.lock().unwrap().take();
            if let Some(store) = store {
                store.append(&accepted(2, &vec![2])).unwrap();
                store.close().unwrap();
                let _ = done.send(());
            }
        }
    })
    .unwrap();
    *slot.lock().unwrap() = Some(store.clone());
    store.append(&accepted(1, &vec![1])).unwrap();
    closed.recv_timeout(DEADLINE).expect("no deadlock");
    store.close().unwrap();
    assert_eq!(bench.messages(), [1, 2]);
}

#[test]
fn a_callback_that_panics_strands_nobody() {
    let bench = Bench::new();
    let (store, _) = Store::<Vec<u8>>::open(bench.path(), &Options::default(), |_| {
        panic!("as the test wants");
    })
    .unwrap();
    store.append(&accepted(1, &vec![1])).unwrap();
    until("a failure", || store.admit(&vec![]).is_err());
    assert!(matches!(
        store.append(&accepted(2, &vec![1])),
        Err(Refusal::Failed(_))
    ));
    assert!(store.close().is_err());
    assert_eq!(bench.messages(), [1]);
}
