//! Names to addresses, off the link's thread: the system's resolver waits as long as it likes.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many lookups of one link may hang at a time.
const MOST: usize = 4;

/// Starts lookups, each on a thread of its own.
#[derive(Default)]
pub(crate) struct Resolver {
    running: Arc<AtomicUsize>,
}

impl Resolver {
    /// Looks a name up and gives the result to `answer`, on another thread.
    ///
    /// # Errors
    ///
    /// If so many lookups hang that another would do no good, or there is no thread to be had.
    pub(crate) fn look_up(
        &self,
        host: String,
        port: u16,
        answer: impl FnOnce(io::Result<Vec<SocketAddr>>) + Send + 'static,
    ) -> io::Result<()> {
        let running = Running(Arc::clone(&self.running));
        if self.running.fetch_add(1, Ordering::Relaxed) >= MOST {
            return Err(io::Error::other("earlier lookups of names still hang"));
        }
        thread::Builder::new()
            .name("redial-resolver".to_owned())
            .spawn(move || {
                let found = (host.as_str(), port).to_socket_addrs();
                drop(running);
                answer(found.map(Iterator::collect));
            })
            .map(drop)
    }
}

/// Counts one lookup until it is over, also if its thread never came to be.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn lookups_that_hang_are_bounded() {
        let resolver = Resolver::default();
        let (tell, told) = channel();
        let answer = move |found: io::Result<Vec<SocketAddr>>| tell.send(found.is_ok()).unwrap();
        let begun = resolver.look_up("127.0.0.1".to_owned(), 80, answer);
        assert!(begun.is_ok() && told.recv().unwrap());
        resolver.running.store(MOST, Ordering::Relaxed);
        let begun = resolver.look_up("127.0.0.1".to_owned(), 80, |_| ());
        assert!(begun.is_err());
        assert_eq!(resolver.running.load(Ordering::Relaxed), MOST);
    }
}
