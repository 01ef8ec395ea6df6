//! A log with a thread of its own.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};

use crate::disk::Disk;
use crate::error::{Failure, OpenError, Refusal};
use crate::file::FileDisk;
use crate::front::{Front, Progress, Ticket};
use crate::log::Log;
use crate::options::Options;
use crate::record::Record;
use crate::recovery::Recovery;
use crate::stored::Stored;
use crate::writer::Writer;

/// A log with a thread that writes and syncs it. Clones are handles of the same one.
///
/// [`append`](Self::append) only puts into memory, so it may be called under a link's lock; what
/// is stored is told by the callback, on the store's thread and under no lock of the store.
///
/// When the last handle is dropped, what was appended is written and synced, but the log does not
/// count as closed in order; only [`close`](Self::close) does that. Dropping the last handle
/// waits for it.
pub struct Store<P> {
    handle: Arc<Handle>,
    payload: PhantomData<fn(&P) -> P>,
}

impl<P: Stored> Store<P> {
    /// Opens the log at this path, or begins one. `told` hears how far it is stored, and once if
    /// the disk fails, after which nothing is ever stored again. It must not wait for the store,
    /// and holds up the writing while it runs.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; the file is then as it was.
    pub fn open(
        path: impl AsRef<Path>,
        options: &Options,
        told: impl Fn(Result<Progress, Failure>) + Send + 'static,
    ) -> Result<(Self, Recovery<P>), OpenError> {
        Self::over(FileDisk::open(path)?, options, told)
    }

    /// The same on a disk of one's own.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; the file is then as it was.
    pub fn over<D: Disk + Send + 'static>(
        disk: D,
        options: &Options,
        told: impl Fn(Result<Progress, Failure>) + Send + 'static,
    ) -> Result<(Self, Recovery<P>), OpenError> {
        let (log, recovery) = Log::<P, D>::over(disk, options)?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                stored: log.stored(),
                front: log.front,
                failed: None,
                ending: None,
                idle: false,
                ended: false,
            }),
            work: Condvar::new(),
            news: Condvar::new(),
        });
        let writer = Writer::new(log.back, Arc::clone(&shared), Box::new(told));
        let thread = thread::Builder::new()
            .name("redial-store".into())
            .spawn(move || writer.run())?;
        let handle = Handle {
            shared,
            own: thread.thread().id(),
            thread: Mutex::new(Some(thread)),
        };
        let store = Self {
            handle: Arc::new(handle),
            payload: PhantomData,
        };
        Ok((store, recovery))
    }

    /// Takes a record into memory, to be written soon.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing has changed then. Only messages and intents are ever refused for
    /// want of room, and not after [`admit`](Self::admit).
    pub fn append(&self, record: &Record<'_, P>) -> Result<Ticket, Refusal> {
        let mut state = self.handle.shared.lock();
        let taken = state.front.append(record);
        if state.idle && (taken.is_ok() || state.front.failure().is_some()) {
            state.idle = false;
            self.handle.shared.work.notify_one();
        }
        taken
    }

    /// Whether a message or an intent with this payload would be taken now: to be asked before
    /// the link accepts it, under the lock under which both happen. A record of any other kind
    /// may come between, but no message.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn admit(&self, payload: &P) -> Result<(), Refusal> {
        self.handle.shared.lock().front.admit(payload)
    }

    /// Waits until this record is stored.
    ///
    /// # Errors
    ///
    /// [`Refusal::Failed`] or [`Refusal::Closed`], if it will never be.
    pub fn wait(&self, ticket: Ticket) -> Result<(), Refusal> {
        let mut state = self.handle.shared.lock();
        loop {
            if state.stored.through >= ticket {
                return Ok(());
            }
            if let Some(failure) = &state.failed {
                return Err(Refusal::Failed(failure.clone()));
            }
            if state.ended {
                return Err(Refusal::Closed);
            }
            state = self.handle.shared.wait(state);
        }
    }

    /// Ends the log in order: what was appended is stored, and the next one who opens it knows
    /// that nothing is missing. Takes nothing from here on; a second call waits for the first.
    /// From the callback it does not wait.
    ///
    /// # Errors
    ///
    /// The disk failed, now or before.
    pub fn close(&self) -> Result<(), Failure> {
        self.handle.end(Ending::Clean);
        match &self.handle.shared.lock().failed {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }

    /// What is stored.
    pub fn stored(&self) -> Progress {
        self.handle.shared.lock().stored
    }

    /// The bytes on disk of messages without a fate and intents that stand, those included that
    /// wait to be written.
    pub fn live_bytes(&self) -> u64 {
        self.handle.shared.lock().front.live()
    }
}

impl<P> Clone for Store<P> {
    fn clone(&self) -> Self {
        Self {
            handle: Arc::clone(&self.handle),
            payload: PhantomData,
        }
    }
}

impl<P> fmt::Debug for Store<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("stored", &self.handle.shared.lock().stored)
            .finish_non_exhaustive()
    }
}

/// What all clones share; its end is the log's.
struct Handle {
    shared: Arc<Shared>,
    /// The store's thread, in which callbacks run.
    own: ThreadId,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Handle {
    fn end(&self, how: Ending) {
        {
            let mut state = self.shared.lock();
            state.ending.get_or_insert(how);
            state.front.close(Refusal::Closed);
            state.idle = false;
        }
        self.shared.work.notify_one();
        if thread::current().id() == self.own {
            return;
        }
        // Held until the thread has ended, so that everybody waits for it.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // A callback that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end(Ending::Left);
    }
}

/// What the handles and the thread share.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// There is something to write, or an end.
    pub(crate) work: Condvar,
    /// Something was stored, or never will be.
    news: Condvar,
}

pub(crate) struct State {
    pub(crate) front: Front,
    pub(crate) stored: Progress,
    pub(crate) failed: Option<Failure>,
    pub(crate) ending: Option<Ending>,
    /// The thread waits for work: only then waking it costs a system call.
    pub(crate) idle: bool,
    pub(crate) ended: bool,
}

/// How a log ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// In order.
    Clean,
    /// Its last handle was dropped.
    Left,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A state is whole whenever its lock is free: nobody panics in the midst of a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self) {
        self.news.notify_all();
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.news
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }
}
