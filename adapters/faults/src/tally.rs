//! Counts that one thread writes and others read or wait for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A value behind a lock, with a wake-up for whoever waits for it to change.
#[derive(Debug, Default)]
pub(crate) struct Tally<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Tally<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.lock())
    }

    pub(crate) fn update<R>(&self, update: impl FnOnce(&mut T) -> R) -> R {
        let result = update(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `condition` holds; false when `within` passed first.
    pub(crate) fn wait(&self, within: Duration, condition: impl Fn(&T) -> bool) -> bool {
        let deadline = Instant::now() + within;
        let mut value = self.lock();
        while !condition(&value) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            value = self
                .changed
                .wait_timeout(value, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    // A panic elsewhere must not hide what was counted until then.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
