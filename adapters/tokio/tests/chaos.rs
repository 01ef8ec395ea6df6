//! A thousand connections killed at random byte positions while messages flow both ways: each
//! arrives once and in order, at both ends. Real sockets, real time: about 20 s.
//!
//! `REDIAL_CHAOS_KILLS` asks for more kills than a thousand, `REDIAL_CHAOS_SEED` repeats a run.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redial::backoff::{Backoff, Jitter, Schedule};
use redial::heartbeat::Pulse;
use redial::outbox::{Limits, Outgoing, Overflow, RefusedReason};
use redial::rng::{Rng, Seed, Seeded};
use redial::session::{Cadence, Settings};
use redial::{Config, Delivery, Hello, Outcome, Payload, Resumption, SendOptions};
use redial_faults::sessions::{Client, Feed, SessionOptions, SessionServer};
use redial_faults::{Mode, Proxy};
use redial_tokio::tcp::tcp;
use redial_tokio::wire::{Carrier, Wire};
use redial_tokio::{
    Fates, Greeting, Handle, Heard, Incoming, Message, Opening, Protocol, Received, redial,
    websocket,
};

/// Longer than the rest of a run takes once the kills are over.
const LONG: Duration = Duration::from_secs(20);

/// The most bytes that a connection lives in one direction, handshakes included.
const LIFE: u64 = 4 << 10;

/// The time between two messages, in each direction.
const PACE: Duration = Duration::from_micros(200);

fn config() -> Config {
    let fixed = Schedule::Fixed {
        delay: Duration::from_millis(5),
    };
    let backoff = Backoff::new(fixed, Jitter::None, Duration::from_millis(5)).expect("a schedule");
    let cadence = Cadence {
        messages: 16,
        delay: Duration::from_millis(5),
        ..Cadence::default()
    };
    let built = Config::builder()
        .backoff(backoff)
        .quick(None)
        .connect_deadline(Duration::from_secs(2))
        .heartbeat(Pulse {
            interval: Some(Duration::from_secs(2)),
            ..Pulse::default()
        })
        .session(Some(Settings {
            acks: cadence,
            // While the thread that kills has to wait for a processor, connection after
            // connection may die before its welcome.
            resume_attempts: u8::MAX,
            ..Settings::default()
        }))
        .outbox(Limits {
            messages: 200,
            overflow: Overflow::RejectNew,
            delivery: Delivery::Acknowledged,
            ..Limits::default()
        })
        .build();
    built.expect("a configuration")
}

fn asked(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// What both transports carry: a number, or a last word.
trait Numbered: Payload + Send + 'static {
    fn of(number: u64) -> Self;
    fn text(&self) -> &[u8];

    fn number(&self) -> Option<u64> {
        std::str::from_utf8(self.text()).ok()?.parse().ok()
    }
}

impl Numbered for Message {
    fn of(number: u64) -> Self {
        number.to_string().into()
    }

    fn text(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Numbered for Bytes {
    fn of(number: u64) -> Self {
        number.to_string().into()
    }

    fn text(&self) -> &[u8] {
        self
    }
}

/// The wire, counting what is written again.
struct Counted {
    wire: Wire,
    replayed: Arc<AtomicU64>,
}

impl<M: Carrier> Protocol<M> for Counted {
    fn begin(&mut self, opening: Opening, hello: Hello) -> Greeting<M> {
        self.wire.begin(opening, hello)
    }

    fn receive(&mut self, message: M, heard: &mut Vec<Heard<M>>) {
        self.wire.receive(message, heard);
    }

    fn send(&mut self, outgoing: &Outgoing<'_, M>) -> M {
        let again = u64::from(outgoing.tries > 0);
        self.replayed.fetch_add(again, Ordering::Relaxed);
        self.wire.send(outgoing)
    }

    fn batch(&mut self, messages: Vec<M>) -> M {
        self.wire.batch(messages)
    }

    fn acknowledge(&mut self, sequence: u64, intents: u64) -> Option<M> {
        Protocol::<M>::acknowledge(&mut self.wire, sequence, intents)
    }

    fn ping(&mut self, nonce: u64) -> Option<M> {
        Protocol::<M>::ping(&mut self.wire, nonce)
    }

    fn pong(&mut self) -> Option<M> {
        Protocol::<M>::pong(&mut self.wire)
    }
}

/// Kills connections, then lets them be and has the server say a last word.
fn kill(server: &SessionServer, proxy: &Proxy, kills: u64, seed: u64) {
    let mut rng = Seeded::new(Seed::from_number(seed), 0);
    assert!(proxy.wait_accepted(1, LONG), "nobody dials");
    let first = proxy.accepted();
    let mut accepted = first;
    while accepted - first < kills {
        let (up, down) = (rng.next_u64() % LIFE, rng.next_u64() % LIFE);
        proxy.set(Mode::CutAfterBytes { up, down });
        assert!(proxy.wait_accepted(accepted + 1, LONG), "nobody dials");
        accepted = proxy.accepted();
    }
    proxy.set(Mode::Pass);
    server.feed(None);
    loop {
        let client = server.clients().remove(0);
        match server.send(client.session, "end", SendOptions::new()) {
            Ok(_) => return,
            Err(reason) => assert_eq!(reason, RefusedReason::Full),
        }
        let more = |clients: &[Client]| clients[0].fates.acked > client.fates.acked;
        assert!(server.wait_clients(LONG, more), "the buffer stays full");
    }
}

/// Reads until the last word: numbers in order, and nothing missing between connections. How many
/// numbers, and how often the session was fresh and was resumed.
async fn read<M: Numbered>(mut incoming: Incoming<M>) -> (u64, u64, u64) {
    let (mut numbers, mut fresh, mut resumed) = (0, 0, 0);
    loop {
        match incoming.recv_told().await.expect("a link that goes on") {
            Received::Message(message) => match message.number() {
                Some(number) => {
                    assert_eq!(number, numbers, "out of order, lost or twice");
                    numbers += 1;
                }
                None => return (numbers, fresh, resumed),
            },
            Received::Session(Resumption::Fresh { .. }) => fresh += 1,
            Received::Session(Resumption::Resumed {
                missed, forgotten, ..
            }) => {
                assert_eq!((missed, forgotten), (None, None));
                resumed += 1;
            }
            Received::Gap(gap) => panic!("{gap:?}"),
        }
    }
}

/// The fates of all messages: each acknowledged.
async fn judge<M: Numbered>(mut fates: Fates<M>) -> u64 {
    let mut acked = 0;
    while let Some(fate) = fates.recv().await {
        assert_eq!(fate.outcome, Outcome::Acked);
        acked += 1;
    }
    acked
}

async fn storm<M: Numbered>(
    server: SessionServer,
    proxy: Proxy,
    kills: u64,
    build: impl FnOnce(Config, u64, Arc<AtomicU64>) -> (Handle<M>, Incoming<M>),
) {
    let seed = asked("REDIAL_CHAOS_SEED").unwrap_or_else(|| RandomState::new().hash_one(()) >> 32);
    println!("REDIAL_CHAOS_KILLS={kills} REDIAL_CHAOS_SEED={seed}");
    let began = Instant::now();
    server.feed(Some(Feed::new(u64::MAX).every(PACE)));
    let replayed = Arc::new(AtomicU64::new(0));
    let (handle, incoming) = build(config(), seed, Arc::clone(&replayed));
    let fates = tokio::spawn(judge(handle.fates()));
    let reader = tokio::spawn(read(incoming));
    let (server, proxy) = (Arc::new(server), Arc::new(proxy));
    let killer = tokio::task::spawn_blocking({
        let (server, proxy) = (Arc::clone(&server), Arc::clone(&proxy));
        move || kill(&server, &proxy, kills, seed)
    });

    let mut sent = 0;
    let mut pace = tokio::time::interval(PACE);
    while !killer.is_finished() {
        let message = M::of(sent);
        let accepted = tokio::time::timeout(LONG, handle.send(message)).await;
        accepted.expect("room in time").expect("an open link");
        sent += 1;
        pace.tick().await;
    }
    killer.await.expect("kills");
    let read = tokio::time::timeout(LONG, reader).await.expect("the end");
    let (received, fresh, resumed) = read.expect("messages in order");
    let back = tokio::time::timeout(LONG, handle.drain(LONG)).await;
    assert_eq!(back.expect("a drain in time").len(), 0);
    let stats = handle.stats();
    drop(handle);
    let acked = tokio::time::timeout(LONG, fates).await.expect("all fates");

    println!(
        "{sent} up ({} of them again), {received} down, {fresh} fresh, {resumed} resumed, in {:?}",
        replayed.load(Ordering::Relaxed),
        began.elapsed()
    );
    assert_eq!(acked.expect("acknowledged"), sent);
    let ledger = server.ledger();
    assert_eq!(ledger.missing(0..sent), 0, "lost");
    assert_eq!((ledger.duplicated(), ledger.late()), (0, 0));
    assert_eq!(ledger.delivered(), sent);
    assert_eq!(fresh, 1, "one session");
    assert_eq!((stats.fresh, stats.resumed), (fresh, resumed));
    // Messages were under way when connections died, or this shows nothing.
    assert!(resumed > kills / 2, "{stats:?}");
    assert!(replayed.load(Ordering::Relaxed) > kills, "{stats:?}");
    assert!(sent > kills && received > kills);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_and_in_order_over_a_thousand_killed_websockets() {
    let kills = asked("REDIAL_CHAOS_KILLS").unwrap_or(1_000);
    let server = SessionServer::start().expect("a server");
    let proxy = Proxy::start(server.addr()).expect("a proxy");
    let url = proxy.url();
    storm(server, proxy, kills, |config, seed, replayed| {
        let builder = websocket(&url).expect("a URL").config(config).seed(seed);
        let wire = Wire::new();
        builder.protocol(Counted { wire, replayed }).spawn()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_and_in_order_over_killed_framed_tcp() {
    let kills = asked("REDIAL_CHAOS_KILLS").unwrap_or(1_000) / 4;
    let options = SessionOptions {
        framed: true,
        ..SessionOptions::default()
    };
    let server = SessionServer::start_with(&options).expect("a server");
    let proxy = Proxy::start(server.addr()).expect("a proxy");
    let port = proxy.addr().port();
    storm(server, proxy, kills, |config, seed, replayed| {
        let builder = tcp("127.0.0.1", port).config(config).seed(seed);
        let wire = Wire::new().with_pings();
        builder.protocol(Counted { wire, replayed }).spawn()
    })
    .await;
}
