//! A real disk of which tests hold the reins.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use redial_blocking::Ends;
use redial_blocking::store::{Disk, FileDisk, Options};

use crate::{Bench, SOON};

#[derive(Default)]
pub(crate) struct Reins {
    fail: AtomicBool,
    /// Syncs wait while this is set.
    hang: Mutex<bool>,
    hung: AtomicUsize,
    go: Condvar,
}

impl Reins {
    /// From here on nothing can be appended.
    pub(crate) fn fail(&self) {
        self.fail.store(true, Ordering::SeqCst);
    }

    pub(crate) fn hang(&self, hang: bool) {
        *self.hang.lock().unwrap() = hang;
        self.go.notify_all();
    }

    /// The file at this path, under these reins.
    pub(crate) fn over(self: &Arc<Self>, path: PathBuf) -> Reined {
        Reined {
            disk: FileDisk::open(path).unwrap(),
            reins: Arc::clone(self),
        }
    }

    /// How many syncs had to wait.
    pub(crate) fn hung(&self) -> usize {
        self.hung.load(Ordering::SeqCst)
    }
}

pub(crate) struct Reined {
    disk: FileDisk,
    reins: Arc<Reins>,
}

impl Disk for Reined {
    fn read_all(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.disk.read_all()
    }
    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(at, into)
    }
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.reins.fail.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.disk.append(bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        let mut hang = self.reins.hang.lock().unwrap();
        if *hang {
            self.reins.hung.fetch_add(1, Ordering::SeqCst);
        }
        // Not for ever: a test that fails meanwhile drops its link, which waits for this.
        let begun = Instant::now();
        while *hang && begun.elapsed() < SOON {
            hang = self.reins.go.wait_timeout(hang, SOON).unwrap().0;
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

impl Bench {
    /// A link whose disk obeys these reins.
    pub(crate) fn open_reined(&self, reins: &Arc<Reins>) -> Ends<Vec<u8>> {
        let disk = reins.over(self.path());
        let builder = self.builder().store_on(disk, &Options::default());
        builder.unwrap().spawn().unwrap()
    }
}
