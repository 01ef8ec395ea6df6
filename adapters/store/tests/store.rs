//! A store with its thread, on real files and on disks that hang or fail.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use redial::MessageId;
use redial_store::{
    Clock, Disk, Failure, FileDisk, Log, OpenError, Options, Progress, Record, Refusal, Store,
    SyncPolicy, Ticket,
};

const DEADLINE: Duration = Duration::from_secs(20);

type Told = Receiver<Result<Progress, Failure>>;

fn accepted(number: u64, payload: &Vec<u8>) -> Record<'_, Vec<u8>> {
    Record::Accepted {
        id: MessageId::from_number(number),
        sequence: Some(number),
        ttl: None,
        payload,
    }
}

/// A real disk of which tests hold the reins.
struct Reined {
    disk: FileDisk,
    reins: Arc<Reins>,
}

#[derive(Default)]
struct Reins {
    syncs: AtomicUsize,
    fail: Mutex<Option<io::ErrorKind>>,
    /// Syncs wait while this is set.
    hang: Mutex<bool>,
    hung: AtomicUsize,
    go: Condvar,
}

impl Reins {
    fn hang(&self, hang: bool) {
        *self.hang.lock().unwrap() = hang;
        self.go.notify_all();
    }
}

impl Disk for Reined {
    fn read_all(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.disk.read_all()
    }
    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(at, into)
    }
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match *self.reins.fail.lock().unwrap() {
            Some(kind) => Err(kind.into()),
            None => self.disk.append(bytes),
        }
    }
    fn sync(&mut self) -> io::Result<()> {
        self.reins.syncs.fetch_add(1, Ordering::SeqCst);
        let mut hang = self.reins.hang.lock().unwrap();
        if *hang {
            self.reins.hung.fetch_add(1, Ordering::SeqCst);
        }
        while *hang {
            hang = self.reins.go.wait(hang).unwrap();
        }
        drop(hang);
        self.disk.sync()
    }
    fn draft(&mut self) -> io::Result<()> {
        self.disk.draft()
    }
    fn append_draft(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.append_draft(bytes)
    }
    fn sync_draft(&mut self) -> io::Result<()> {
        self.disk.sync_draft()
    }
    fn publish(&mut self) -> io::Result<()> {
        self.disk.publish()
    }
    fn sync_dir(&mut self) -> io::Result<()> {
        self.disk.sync_dir()
    }
    fn set_aside(&mut self, bytes: &[u8]) -> io::Result<PathBuf> {
        self.disk.set_aside(bytes)
    }
}

struct Bench {
    dir: tempfile::TempDir,
    reins: Arc<Reins>,
}

impl Bench {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            reins: Arc::default(),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn open(&self, options: &Options) -> (Store<Vec<u8>>, Told) {
        let (tell, told) = mpsc::channel();
        let disk = Reined {
            disk: FileDisk::open(self.path()).unwrap(),
            reins: Arc::clone(&self.reins),
        };
        let told_by = move |news| drop(tell.send(news));
        let (store, _) = Store::over(disk, options, told_by).unwrap();
        (store, told)
    }

    fn messages(&self) -> Vec<u64> {
        let (_, recovery) = Log::<Vec<u8>>::open(self.path(), &Options::default()).unwrap();
        let messages = recovery.carryover.messages.iter();
        messages.map(|it| it.id.number()).collect()
    }
}

fn hear(told: &Told, ticket: Ticket) -> Progress {
    loop {
        let progress = told.recv_timeout(DEADLINE).expect("news").expect("a disk");
        if progress.through >= ticket {
            return progress;
        }
    }
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        thread::yield_now();
    }
}

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
    // Its messages are this process's as long as the store lives.
    let held = FileDisk::open(bench.path());
    assert!(matches!(held, Err(OpenError::Held { .. })), "{held:?}");
    assert!(store.close().is_err());
    assert!(told.recv_timeout(DEADLINE).is_err(), "told once");
    assert_eq!(bench.messages(), [1]);
}

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
    bench.reins.hang(false);
    store.close().unwrap();
    let (_, recovery) = Log::<Vec<u8>>::open(bench.path(), &Options::default()).unwrap();
    let ids = recovery.carryover.messages.iter().map(|it| it.id.number());
    assert_eq!(ids.collect::<Vec<_>>(), [4, 7, 8, 9]);
    assert_eq!(recovery.carryover.received, 60);
    assert_eq!(recovery.carryover.received_intents, 6);
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

#[test]
fn a_log_has_one_owner() {
    let bench = Bench::new();
    let (store, _told) = bench.open(&Options::default());
    let again = Store::<Vec<u8>>::open(bench.path(), &Options::default(), |_| {});
    let wrong = again.map(|_| ()).unwrap_err();
    assert!(matches!(wrong, OpenError::Held { .. }), "{wrong}");
    assert!(wrong.to_string().contains("log.lock is locked"), "{wrong}");
    drop(store);
    assert!(bench.messages().is_empty());
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
                drop(done.send(()));
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

#[test]
fn times_to_live_go_on_by_the_clock_of_the_day() {
    let bench = Bench::new();
    let at = |seconds: Option<u64>| Options {
        clock: Clock::new(move || seconds.map(Duration::from_secs)),
        ..Options::default()
    };
    let left = |options: &Options| {
        let (log, recovery) = Log::<Vec<u8>>::open(bench.path(), options).unwrap();
        drop(log);
        recovery.carryover.messages[0].ttl
    };
    let (mut log, _) = Log::<Vec<u8>>::open(bench.path(), &at(Some(1_000))).unwrap();
    log.append(&Record::Accepted {
        id: MessageId::from_number(1),
        sequence: None,
        ttl: Some(Duration::from_secs(60)),
        payload: &vec![],
    })
    .unwrap();
    log.commit(Duration::ZERO).unwrap();
    drop(log);
    assert_eq!(left(&at(Some(1_045))), Some(Duration::from_secs(15)));
    assert_eq!(left(&at(Some(2_000))), Some(Duration::ZERO));
    assert_eq!(
        left(&at(Some(10))),
        Some(Duration::from_secs(60)),
        "it went back"
    );
    assert_eq!(
        left(&at(None)),
        Some(Duration::from_secs(60)),
        "it is not set"
    );
}

#[test]
fn damage_is_kept_beside_the_file_and_never_overwritten() {
    let bench = Bench::new();
    for round in 0..2 {
        let (mut log, _) = Log::<Vec<u8>>::open(bench.path(), &Options::default()).unwrap();
        let above = log.stored().message.map_or(0, MessageId::number);
        log.append(&accepted(above + 1, &vec![1; 50])).unwrap();
        log.commit(Duration::ZERO).unwrap();
        drop(log);
        let mut file = std::fs::read(bench.path()).unwrap();
        *file.last_mut().unwrap() ^= 1;
        std::fs::write(bench.path(), &file).unwrap();
        let (_, recovery) = Log::<Vec<u8>>::open(bench.path(), &Options::default()).unwrap();
        let cut = recovery.report.cut.unwrap();
        let kept = cut.kept.unwrap();
        assert!(kept.ends_with(["log.cut", "log.cut.1"][round]), "{kept:?}");
        let at = usize::try_from(cut.at).unwrap();
        assert_eq!(std::fs::read(kept).unwrap(), file[at..]);
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    drop(bench.open(&Options::default()));
    let mode = std::fs::metadata(bench.path())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}
