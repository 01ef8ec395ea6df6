//! A client with a durable store, killed a hundred times at random moments while it sends: all
//! that it knew to be stored arrives, once and in order. This test program starts itself as the
//! victim. About 10 s.
//!
//! `REDIAL_KILLS` asks for another number of kills, `REDIAL_KILL_SEED` repeats a run as far as the
//! machine's timing lets it.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use redial::backoff::{Backoff, Jitter, Schedule};
use redial::outbox::{Limits, Overflow};
use redial::rng::{Rng, Seed, Seeded};
use redial::session::Settings;
use redial::{Config, Delivery};
use redial_faults::sessions::SessionServer;
use redial_tokio::store::{Options, SyncPolicy};
use redial_tokio::wire::Wire;
use redial_tokio::{Handle, Incoming, Message, redial, websocket};

const LOG: &str = "REDIAL_VICTIM_LOG";
const URL: &str = "REDIAL_VICTIM_URL";
const LIFE: &str = "REDIAL_VICTIM_LIFE";

/// Longer than anything here should take, by far.
const LONG: Duration = Duration::from_secs(20);

/// More messages than one life can send.
const LIVES: u64 = 10_000_000;

fn link(url: &str, log: &Path, sync: SyncPolicy) -> (Handle<Message>, Incoming<Message>) {
    let fixed = Schedule::Fixed {
        delay: Duration::from_millis(5),
    };
    let backoff = Backoff::new(fixed, Jitter::None, Duration::from_millis(5)).expect("a schedule");
    let config = Config::builder()
        .backoff(backoff)
        .quick(None)
        .session(Some(Settings::default()))
        .outbox(Limits {
            messages: 500,
            overflow: Overflow::RejectNew,
            delivery: Delivery::Acknowledged,
            ..Limits::default()
        })
        .build();
    let options = Options {
        sync,
        rewrite_bytes: 20_000,
        ..Options::default()
    };
    websocket(url)
        .expect("a URL")
        .config(config.expect("a configuration"))
        .protocol(Wire::new())
        .store(log, &options)
        .expect("a log")
        .spawn()
}

/// Not a test of its own: with the variables set it sends until it is killed, and says what is
/// stored.
#[tokio::test]
async fn victim() {
    let (Ok(url), Some(log), Ok(life)) = (env::var(URL), env::var_os(LOG), env::var(LIFE)) else {
        return;
    };
    // It ends with whoever has started it.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let life: u64 = life.parse().expect("a number");
    let sync = if life % 2 == 0 {
        SyncPolicy::Each
    } else {
        SyncPolicy::Never
    };
    let (handle, _incoming) = link(&url, Path::new(&log), sync);
    let say = |word: &str, number: u64| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{word} {number}")
            .and_then(|()| out.flush())
            .expect("a reader");
    };
    say("begun", life);
    let (sent, mut accepted) = tokio::sync::mpsc::unbounded_channel();
    let stores = handle.clone();
    tokio::spawn(async move {
        while let Some((mut id, mut number)) = accepted.recv().await {
            while let Ok(later) = accepted.try_recv() {
                (id, number) = later;
            }
            stores.stored(id).await.expect("a disk");
            say("stored", number);
        }
    });
    for number in life * LIVES.. {
        let id = handle.send(number.to_string().into()).await;
        sent.send((id.expect("an open link"), number))
            .expect("a task");
    }
}

struct Victim {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Victim {
    fn new(url: &str, log: &Path, life: u64) -> Self {
        let mut child = Command::new(env::current_exe().expect("a program"))
            .args(["--exact", "victim", "--nocapture", "--test-threads=1"])
            .env(URL, url)
            .env(LOG, log)
            .env(LIFE, life.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines: told }
    }

    /// Reads until this word.
    fn hear(&self, word: &str) -> u64 {
        loop {
            let line = self.lines.recv_timeout(LONG).expect("a word in time");
            if let Some(number) = line.strip_prefix(word) {
                return number.trim().parse().expect("a number");
            }
        }
    }

    /// Kills it, and gives what it said last of what is stored, before it was killed.
    fn kill(mut self) -> Option<u64> {
        let living = self.child.try_wait().expect("a process").is_none();
        assert!(living, "it was dead already");
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ended");
        let said = self.lines.iter().filter_map(|line| {
            let number = line.strip_prefix("stored ")?.trim();
            number.parse().ok()
        });
        said.last()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Where the test has failed it would live on.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn asked(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

#[test]
fn what_was_stored_arrives_once_and_in_order_however_often_it_is_killed() {
    let kills = asked("REDIAL_KILLS").unwrap_or(100);
    let seed = asked("REDIAL_KILL_SEED").unwrap_or_else(|| RandomState::new().hash_one(()) >> 32);
    println!("REDIAL_KILLS={kills} REDIAL_KILL_SEED={seed}");
    let mut rng = Seeded::new(Seed::from_number(seed), 0);
    let began = Instant::now();
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("log");
    let server = SessionServer::start().expect("a server");
    let url = server.url();

    let mut stored = Vec::new();
    for life in 0..kills {
        let victim = Victim::new(&url, &log, life);
        // Some don't get far.
        if rng.next_u64() % 8 > 0 {
            victim.hear("begun");
        }
        let moment = |rng: &mut Seeded| {
            std::thread::sleep(Duration::from_micros(rng.next_u64() % 20_000));
        };
        let first = (rng.next_u64() % 2 > 0).then(|| victim.hear("stored"));
        moment(&mut rng);
        if rng.next_u64() % 3 == 0 {
            server.reset_all();
            moment(&mut rng);
        }
        stored.extend(victim.kill().or(first));
    }

    // What is left arrives.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let back = runtime.block_on(async {
        let (handle, _incoming) = link(&url, &log, SyncPolicy::Each);
        let drained = tokio::time::timeout(LONG, handle.drain(LONG)).await;
        handle.finish().await.expect("a disk");
        drained.expect("a drain in time")
    });
    assert!(back.is_empty(), "{back:?}");
    let received: Vec<u64> = server
        .received()
        .iter()
        .map(|bytes| String::from_utf8_lossy(bytes).parse().expect("a number"))
        .collect();
    println!(
        "{} messages, {} lives with some stored, {:?}, {} dials, in {:?}",
        received.len(),
        stored.len(),
        server.sessions(),
        server.dials(),
        began.elapsed()
    );
    for pair in received.windows(2) {
        // Each life begins at its first message and leaves none out.
        let next = if pair[0] / LIVES == pair[1] / LIVES {
            pair[0] + 1
        } else {
            pair[1] / LIVES * LIVES
        };
        assert_eq!(
            pair[1], next,
            "out of order, lost or twice behind {}",
            pair[0]
        );
        assert!(pair[1] > pair[0], "{pair:?}");
    }
    for number in &stored {
        assert!(
            received.binary_search(number).is_ok(),
            "{number} was stored, and is lost"
        );
    }
    // A life that ends before it has written down its first welcome leaves a session behind that
    // nobody knows of.
    let clients = server.clients();
    let used = clients.iter().filter(|client| !client.got.is_empty());
    assert_eq!(used.count(), 1, "one session");
    assert!(
        stored.len() as u64 > kills / 2,
        "few lives have shown anything"
    );
}
