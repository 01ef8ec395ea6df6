//! The thread of a store.

use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::back::Back;
use crate::disk::Disk;
use crate::error::Failure;
use crate::front::Progress;
use crate::store::{Ending, Shared, State};

pub(crate) type Told = Box<dyn Fn(Result<Progress, Failure>) + Send>;

/// A batch that grew beyond this is given back.
const KEEP: usize = 1 << 20;

pub(crate) struct Writer<D: Disk> {
    back: Back<D>,
    shared: Arc<Shared>,
    told: Told,
    origin: Instant,
}

/// What there is to do.
enum Work {
    Commit(Progress),
    Failed(Failure),
    End(Ending),
}

impl<D: Disk> Writer<D> {
    pub(crate) fn new(back: Back<D>, shared: Arc<Shared>, told: Told) -> Self {
        Self {
            back,
            shared,
            told,
            origin: Instant::now(),
        }
    }

    /// Writes until the end, or until the disk fails.
    pub(crate) fn run(mut self) {
        // Nobody may wait for ever for a thread that has panicked in a callback.
        let _ended = Ended(Arc::clone(&self.shared));
        let mut batch = Vec::new();
        let failure = loop {
            match self.next(&mut batch) {
                Work::Failed(failure) => break failure,
                Work::Commit(progress) => {
                    if let Err(error) = self.back.commit(self.origin.elapsed(), &batch) {
                        break error.into();
                    }
                    self.advance(progress);
                }
                Work::End(how) => {
                    let ended = match how {
                        Ending::Clean => self.back.close(self.origin.elapsed()),
                        Ending::Left => self.back.sync(),
                    };
                    match ended {
                        Ok(()) => return,
                        Err(error) => break error.into(),
                    }
                }
            }
            batch.clear();
            if batch.capacity() > KEEP {
                batch = Vec::new();
            }
        };
        self.fail(failure);
        // The lock stays held: while this process lives, its messages are its own.
        let mut state = self.shared.lock();
        while state.ending.is_none() {
            state = self.sleep(state, None);
        }
    }

    fn next(&self, batch: &mut Vec<u8>) -> Work {
        let mut state = self.shared.lock();
        loop {
            if let Some(failure) = state.front.failure() {
                return Work::Failed(failure.clone());
            }
            if !state.front.is_empty() {
                return Work::Commit(state.front.take(batch));
            }
            if let Some(how) = state.ending {
                return Work::End(how);
            }
            let left = self
                .back
                .next_sync()
                .map(|due| due.saturating_sub(self.origin.elapsed()));
            if left == Some(Duration::ZERO) {
                return Work::Commit(state.stored);
            }
            state = self.sleep(state, left);
        }
    }

    /// Sleeps until there is work, or so long.
    fn sleep<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        limit: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        state.idle = true;
        let work = &self.shared.work;
        let mut state = match limit {
            None => work.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                work.wait_timeout(state, limit)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
        state.idle = false;
        state
    }

    fn advance(&self, progress: Progress) {
        let news = {
            let mut state = self.shared.lock();
            let news = progress != state.stored;
            state.stored = progress;
            news
        };
        if news {
            self.shared.tell();
            (self.told)(Ok(progress));
        }
    }

    fn fail(&self, failure: Failure) {
        {
            let mut state = self.shared.lock();
            state.front.fail(failure.clone());
            state.failed = Some(failure.clone());
        }
        self.shared.tell();
        (self.told)(Err(failure));
    }
}

/// Tells those who wait that the thread is gone, however it went.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        {
            let mut state = self.0.lock();
            state.ended = true;
            if state.ending.is_none() && state.failed.is_none() {
                let failure = Failure::from(io::Error::other("the store's callback panicked"));
                state.front.fail(failure.clone());
                state.failed = Some(failure);
            }
        }
        self.0.tell();
    }
}
