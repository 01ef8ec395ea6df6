//! A store with its thread, on real files and on disks that hang or fail.

mod bounds;
mod file;
mod kill;
mod thread;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use redial::MessageId;
use redial_store::{Disk, Failure, FileDisk, Log, Options, Progress, Record, Store, Ticket};

const DEADLINE: Duration = Duration::from_secs(10);

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
        // Not for ever: a test that fails meanwhile drops its store, which waits for this.
        let begun = Instant::now();
        while *hang && begun.elapsed() < DEADLINE {
            hang = self.reins.go.wait_timeout(hang, DEADLINE).unwrap().0;
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
        std::thread::yield_now();
    }
}
