//! What acknowledgements cost on real sockets: messages of 64 B one way, at most once against
//! acknowledged, the same link and the same server in the same run.
//!
//! The named baseline is the same adapter with the same protocol, at most once. A link without a
//! protocol, against a server that only counts, is there for comparison. Variants take turns; a
//! ratio is the median of the ratios of each turn. A message counts when the server's application
//! has it, and acknowledged ones count only if each arrived once.
//!
//! `cargo bench -p redial-benches --bench delivery [-- messages turns]`

use std::time::{Duration, Instant};

use redial::outbox::{Delivery, Limits};
use redial::session::Settings;
use redial::{Config, SendOptions};
use redial_faults::sessions::SessionServer;
use redial_faults::{Behaviour, Server};
use redial_tokio::Message;

const SIZE: usize = 64;
/// Messages in the queue, of every variant. What is in flight stays in it until it is
/// acknowledged, so a queue of 1,000, the default, is a window of 1,000 a round trip.
const QUEUE: usize = 16_384;
const SOON: Duration = Duration::from_secs(60);

/// The two servers; each turn waits until the one it talks to has everything.
struct Servers {
    sessions: SessionServer,
    counting: Server,
}

/// One way to send so many messages.
type Run = fn(&Servers, u64) -> Duration;

const TOKIO: [(&str, Run); 3] = [
    ("at most once (baseline)", |servers, count| {
        tokio_in_session(servers, count, Delivery::AtMostOnce)
    }),
    ("acknowledged", |servers, count| {
        tokio_in_session(servers, count, Delivery::Acknowledged)
    }),
    ("no protocol, at most once", tokio_plain),
];

const BLOCKING: [(&str, Run); 3] = [
    ("at most once (baseline)", |servers, count| {
        blocking_in_session(servers, count, Delivery::AtMostOnce)
    }),
    ("acknowledged", |servers, count| {
        blocking_in_session(servers, count, Delivery::Acknowledged)
    }),
    ("no protocol, at most once", blocking_plain),
];

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let count = numbers.first().copied().unwrap_or(300_000);
    let turns = numbers.get(1).copied().unwrap_or(7);
    let sessions = SessionServer::start().expect("a server on loopback");
    sessions.keep_received(false);
    let counting = Server::start(Behaviour::Sink).expect("a server on loopback");
    counting.keep_received(false);
    let servers = Servers { sessions, counting };
    for (family, variants) in [("tokio handle", TOKIO), ("blocking handle", BLOCKING)] {
        println!("\n{family}, {SIZE} B one way, {count} messages a turn, {turns} turns");
        measure(&servers, &variants, count, turns);
    }
}

fn measure(servers: &Servers, variants: &[(&str, Run)], count: u64, turns: u64) {
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); variants.len()];
    for _ in 0..turns {
        for ((_, run), rates) in variants.iter().zip(&mut rates) {
            let took = run(servers, count);
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            rates.push(count as f64 / took.as_secs_f64());
        }
    }
    for ((name, _), own) in variants.iter().zip(&rates) {
        let ratios = own.iter().zip(&rates[0]).map(|(own, base)| own / base);
        let rate = median(own.clone());
        println!(
            "  {name:<28} {rate:>10.0} messages/s  {:>6.0} ns each  {:>5.2} of the baseline",
            1e9 / rate,
            median(ratios.collect())
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn config(delivery: Delivery) -> Config {
    let limits = Limits {
        delivery,
        ..limits()
    };
    Config::builder()
        .session(Some(Settings::default()))
        .outbox(limits)
        .build()
        .expect("a good configuration")
}

fn limits() -> Limits {
    Limits {
        messages: QUEUE,
        ..Limits::default()
    }
}

fn plain() -> Config {
    let built = Config::builder().outbox(limits()).build();
    built.expect("a good configuration")
}

fn message() -> Message {
    Message::binary(vec![7; SIZE])
}

/// Waits until the server of sessions has so many more than before.
fn arrived(servers: &Servers, before: u64, count: u64, begun: Instant) -> Duration {
    let sessions = &servers.sessions;
    assert!(sessions.wait_received(before + count, SOON), "all arrive");
    let took = begun.elapsed();
    assert_eq!(sessions.received_count(), before + count, "each once");
    took
}

fn tokio_in_session(servers: &Servers, count: u64, delivery: Delivery) -> Duration {
    runtime().block_on(async {
        let before = servers.sessions.received_count();
        let (handle, _incoming) = redial_tokio::websocket(servers.sessions.url())
            .expect("a good url")
            .config(config(delivery))
            .protocol(redial_adapter::wire::Wire::new())
            .spawn();
        let begun = send(&handle, count).await;
        let took = arrived(servers, before, count, begun);
        handle.disconnect().await;
        took
    })
}

fn tokio_plain(servers: &Servers, count: u64) -> Duration {
    runtime().block_on(async {
        let before = servers.counting.received_count();
        let (handle, _incoming) = redial_tokio::websocket(servers.counting.url())
            .expect("a good url")
            .config(plain())
            .spawn();
        let begun = send(&handle, count).await;
        assert!(servers.counting.wait_received(before + count, SOON));
        let took = begun.elapsed();
        handle.disconnect().await;
        took
    })
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let builder = builder.worker_threads(1).enable_all();
    builder.build().expect("a runtime")
}

/// Sends as fast as there is room, once the link is connected.
async fn send(handle: &redial_tokio::Handle<Message>, count: u64) -> Instant {
    let mut watch = handle.watch();
    let up = |status: &redial::Status| status.phase == redial::Phase::Connected;
    watch.wait_for(up).await.expect("it connects");
    let message = message();
    let begun = Instant::now();
    for _ in 0..count {
        let sent = handle.send_with(message.clone(), SendOptions::new()).await;
        sent.expect("an open link");
    }
    while handle.status().queued > 0 {
        tokio::task::yield_now().await;
    }
    begun
}

fn blocking_in_session(servers: &Servers, count: u64, delivery: Delivery) -> Duration {
    let before = servers.sessions.received_count();
    let (handle, _incoming) = redial_blocking::websocket(&servers.sessions.url())
        .expect("a good url")
        .config(config(delivery))
        .protocol(redial_adapter::wire::Wire::new())
        .spawn()
        .expect("a thread");
    let begun = send_blocking(&handle, count);
    let took = arrived(servers, before, count, begun);
    handle.disconnect();
    took
}

fn blocking_plain(servers: &Servers, count: u64) -> Duration {
    let before = servers.counting.received_count();
    let (handle, _incoming) = redial_blocking::websocket(&servers.counting.url())
        .expect("a good url")
        .config(plain())
        .spawn()
        .expect("a thread");
    let begun = send_blocking(&handle, count);
    assert!(servers.counting.wait_received(before + count, SOON));
    let took = begun.elapsed();
    handle.disconnect();
    took
}

fn send_blocking(handle: &redial_blocking::Handle<Message>, count: u64) -> Instant {
    let message = message();
    handle.send(message.clone()).expect("an open link");
    while handle.status().phase != redial::Phase::Connected {
        std::thread::yield_now();
    }
    let begun = Instant::now();
    for _ in 1..count {
        handle.send(message.clone()).expect("an open link");
    }
    begun
}
