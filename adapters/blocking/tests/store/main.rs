//! Links with a store over the end of their processes, on real sockets and files; and with disks
//! that hang or fail.

mod disk;
mod kill;
mod order;
mod restarts;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use redial_blocking::redial::backoff::{Backoff, Jitter, Schedule};
use redial_blocking::redial::outbox::Limits;
use redial_blocking::redial::rng::Seed;
use redial_blocking::redial::session::{Cadence, Settings};
use redial_blocking::redial::{Config, Delivery, MessageId, Phase};
use redial_blocking::store::Options;
use redial_blocking::{Builder, Correlate, Ends, Handle, Tcp, Wire, tcp};
use redial_faults::sessions::{SessionOptions, SessionServer};

/// Long enough for anything that happens at all.
const SOON: Duration = Duration::from_secs(10);

/// Dials again after 5 ms, and acknowledges each message at once.
fn config() -> Config {
    let fixed = Duration::from_millis(5);
    let schedule = Schedule::Fixed { delay: fixed };
    Config::builder()
        .backoff(Backoff::new(schedule, Jitter::None, fixed).unwrap())
        .quick(None)
        .session(Some(Settings {
            acks: Cadence {
                messages: 1,
                ..Cadence::default()
            },
            ..Settings::default()
        }))
        .outbox(Limits {
            delivery: Delivery::Acknowledged,
            ..Limits::default()
        })
        .build()
        .unwrap()
}

/// A server, and the log of its client.
struct Bench {
    server: SessionServer,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let options = SessionOptions {
            framed: true,
            ..SessionOptions::default()
        };
        Self {
            server: SessionServer::start_with(&options).unwrap(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn builder(&self) -> Builder<Tcp> {
        tcp(&self.server.addr().to_string())
            .unwrap()
            .config(config())
            .seed(Seed::from_number(7))
            .protocol(Wire::new())
    }

    fn open(&self) -> Ends<Vec<u8>> {
        let builder = self.builder().store(self.path(), &Options::default());
        builder.unwrap().spawn().unwrap()
    }

    /// What the applications of the server got, in order.
    fn got(&self) -> Vec<String> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        self.server.received().into_iter().map(text).collect()
    }
}

/// Requests are `7 text`, and nobody answers.
struct Lines;

impl Correlate<Vec<u8>> for Lines {
    fn mark(&mut self, id: u64, message: &Vec<u8>) -> Vec<u8> {
        [id.to_string().as_bytes(), b" ", message].concat()
    }

    fn of(&self, _: &Vec<u8>) -> Option<u64> {
        None
    }
}

/// Sends, and waits until it is stored.
fn keep(handle: &Handle<Vec<u8>>, message: &str) -> MessageId {
    let id = handle.try_send(message).unwrap();
    handle.stored(id).unwrap();
    id
}

fn connected(handle: &Handle<Vec<u8>>) {
    let connected = handle.wait(|status| status.phase == Phase::Connected, SOON);
    assert!(connected.is_some(), "{:?}", handle.status());
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}
