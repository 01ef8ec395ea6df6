//! Memory and disk stay within their bounds.

use std::sync::atomic::Ordering;

use redial::MessageId;
use redial::session::SessionId;
use redial_store::{Log, Options, Record, Refusal, SyncPolicy};

use crate::{Bench, accepted, hear, until};

#[test]
fn memory_is_bounded_while_the_disk_hangs() {
    let bench = Bench::new();
    let options = Options {
        pending: 10_000,
        ..Options::default()
    };
    let (store, _told) = bench.open(&options);
    bench.reins.hang(true);
    store.append(&accepted(1, &vec![1])).unwrap();
    until("the sync hangs", || {
        bench.reins.hung.load(Ordering::SeqCst) > 0
    });
    let payload = vec![1; 100];
    let mut number = 1;
    while store.admit(&payload).is_ok() {
        number += 1;
        store.append(&accepted(number, &payload)).unwrap();
    }
    assert!((70..=100).contains(&number), "{number}");
    let refused = store.append(&accepted(number + 1, &payload));
    assert!(matches!(refused, Err(Refusal::Full)));
    // What a peer can cause takes no room: it replaces what waits.
    for sequence in 1..200_000 {
        store
            .append(&Record::Received {
                sequence,
                intents: 0,
            })
            .unwrap();
    }
    for at in 1..=number {
        let id = MessageId::from_number(at);
        store
            .append(&Record::Settled {
                first: id,
                last: id,
            })
            .unwrap();
    }
    // Connections are not: a disk that hangs that long has failed.
    let mut connections = 0;
    let refusal = loop {
        match store.append(&Record::Up { epoch: connections }) {
            Ok(_) => connections += 1,
            Err(refusal) => break refusal,
        }
        assert!(connections < 100_000);
    };
    assert!(matches!(refusal, Refusal::Failed(_)), "{refusal}");
    assert!(connections > 50_000, "{connections}");
    bench.reins.hang(false);
    assert!(store.close().is_err());
}

#[test]
fn what_waits_says_the_latest_when_it_is_written() {
    let bench = Bench::new();
    let (store, _told) = bench.open(&Options::default());
    bench.reins.hang(true);
    store.append(&accepted(1, &vec![1])).unwrap();
    until("the sync hangs", || {
        bench.reins.hung.load(Ordering::SeqCst) > 0
    });
    for number in 2..=9 {
        store.append(&accepted(number, &vec![1])).unwrap();
    }
    for number in [1, 2, 3, 5, 6] {
        let id = MessageId::from_number(number);
        store
            .append(&Record::Settled {
                first: id,
                last: id,
            })
            .unwrap();
        store
            .append(&Record::Received {
                sequence: number * 10,
                intents: number,
            })
            .unwrap();
    }
    // What is received in another session begins anew.
    let session = Some(SessionId::new([1; 16]));
    store
        .append(&Record::Session {
            session,
            server: None,
        })
        .unwrap();
    for sequence in 1..=3 {
        store
            .append(&Record::Received {
                sequence,
                intents: 0,
            })
            .unwrap();
    }
    bench.reins.hang(false);
    store.close().unwrap();
    let (_, recovery) = Log::<Vec<u8>>::open(bench.path(), &Options::default()).unwrap();
    let ids = recovery.carryover.messages.iter().map(|it| it.id.number());
    assert_eq!(ids.collect::<Vec<_>>(), [4, 7, 8, 9]);
    // Nine messages, three runs of fates, one record of what was received in each session, the
    // session, the end.
    assert_eq!(recovery.report.records, 9 + 3 + 2 + 1 + 1);
    assert_eq!(recovery.carryover.session, session);
    assert_eq!(recovery.carryover.received, 3);
    assert_eq!(recovery.carryover.received_intents, 0);
}

#[test]
fn the_live_bytes_are_bounded_on_disk_and_the_file_is_rewritten() {
    let bench = Bench::new();
    let options = Options {
        max_bytes: 50_000,
        rewrite_bytes: 20_000,
        sync: SyncPolicy::Never,
        ..Options::default()
    };
    let (store, told) = bench.open(&options);
    let payload = vec![7; 1_000];
    let too_large = store.admit(&vec![0; 60_000]).unwrap_err();
    assert!(matches!(too_large, Refusal::TooLarge { limit: 50_000, .. }));
    let mut settled = 0;
    let mut longest = 0;
    for number in 1..=2_000 {
        while store.admit(&payload).is_err() {
            settled += 1;
            let id = MessageId::from_number(settled);
            let record = Record::Settled {
                first: id,
                last: id,
            };
            let ticket = store.append(&record).unwrap();
            hear(&told, ticket);
            longest = longest.max(std::fs::metadata(bench.path()).unwrap().len());
        }
        store.append(&accepted(number, &payload)).unwrap();
        assert!(store.live_bytes() <= 50_000);
    }
    assert!(longest < 50_000 * 2 + 20_000, "{longest}");
    drop(store);
    assert_eq!(bench.messages(), (settled + 1..=2_000).collect::<Vec<_>>());
}
