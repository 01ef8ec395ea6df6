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
    /// So many bytes go through, and the writes behind them wait.
    passes: Mutex<Option<usize>>,
    hung: AtomicUsize,
    go: Condvar,
}

impl Reins {
    pub(super) fn hang(&self, hangs: bool) {
        *self.passes.lock().unwrap() = hangs.then_some(0);
        self.go.notify_all();
    }

    pub(super) fn hang_after(&self, bytes: usize) {
        *self.passes.lock().unwrap() = Some(bytes);
    }

    pub(super) fn fail(&self) {
        *self.fails.lock().unwrap() = true;
    }

    /// How many writes had to wait.
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
        let mut passes = self.reins.passes.lock().unwrap();
        match &mut *passes {
            Some(0) => {
                self.reins.hung.fetch_add(1, Ordering::SeqCst);
                // Not for ever: a test that fails meanwhile drops its store.
                let begun = Instant::now();
                while *passes == Some(0) && begun.elapsed() < LONG {
                    passes = self.reins.go.wait_timeout(passes, LONG).unwrap().0;
                }
            }
            Some(left) => *left = left.saturating_sub(bytes.len()),
            None => {}
        }
        drop(passes);
        if *self.reins.fails.lock().unwrap() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.disk.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
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
