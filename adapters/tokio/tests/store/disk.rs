//! A real disk of which tests hold the reins.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use redial_tokio::store::{Disk, FileDisk};

use super::LONG;

pub(super) struct Reined {
    disk: FileDisk,
    reins: Arc<Reins>,
}

#[derive(Default)]
pub(super) struct Reins {
    fails: Mutex<bool>,
    /// Syncs wait while this is set.
    hangs: Mutex<bool>,
    hung: AtomicUsize,
    go: Condvar,
}

impl Reins {
    pub(super) fn hang(&self, hangs: bool) {
        *self.hangs.lock().unwrap() = hangs;
        self.go.notify_all();
    }

    pub(super) fn fail(&self) {
        *self.fails.lock().unwrap() = true;
    }

    /// How many syncs had to wait.
    pub(super) fn hung(&self) -> usize {
        self.hung.load(Ordering::SeqCst)
    }
}

impl Reined {
    pub(super) fn new(path: &Path) -> (Self, Arc<Reins>) {
        let reins = Arc::new(Reins::default());
        let disk = Self {
            disk: FileDisk::open(path).unwrap(),
            reins: Arc::clone(&reins),
        };
        (disk, reins)
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
        if *self.reins.fails.lock().unwrap() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.disk.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut hangs = self.reins.hangs.lock().unwrap();
        if *hangs {
            self.reins.hung.fetch_add(1, Ordering::SeqCst);
        }
        // Not for ever: a test that fails meanwhile drops its store.
        let begun = Instant::now();
        while *hangs && begun.elapsed() < LONG {
            hangs = self.reins.go.wait_timeout(hangs, LONG).unwrap().0;
        }
        drop(hangs);
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
