//! Echo throughput and round trip of both adapters against the bare libraries, in one run.
//!
//! Every variant talks to the same server on loopback. Variants take turns, so that what else
//! the machine does meets all of them; a ratio is the median of the ratios of each turn. The
//! named baseline is the bare library with writes in batches and one flush a batch.
//!
//! `cargo bench -p redial-benches --bench echo [-- seconds-per-turn turns [tokio | blocking]]`

mod blocking;
mod tokio_side;

use std::time::Duration;

use redial_faults::{Behaviour, Server};

/// Messages under way at once in the throughput runs.
const UNDER_WAY: usize = 64;

/// The settings of the bare libraries: the size of a read as in the adapters. By default they
/// clear 128 KiB before each read, which costs them more than all the rest at 64 B.
fn settings() -> tungstenite::protocol::WebSocketConfig {
    tungstenite::protocol::WebSocketConfig::default().read_buffer_size(32 << 10)
}

/// One way to talk to an echo server.
struct Variant {
    name: &'static str,
    /// Echoes messages of `size` with `under_way` on the line for `time`; gives how many.
    run: fn(url: &str, size: usize, under_way: usize, time: Duration) -> u64,
}

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let time = Duration::from_secs(numbers.first().copied().unwrap_or(1));
    let turns = numbers.get(1).copied().unwrap_or(5);
    let server = Server::start(Behaviour::Echo).expect("a server on loopback");
    server.keep_received(false);
    let families: [(&str, &[Variant]); 2] = [
        ("tokio", &tokio_side::VARIANTS),
        ("blocking", &blocking::VARIANTS),
    ];
    let only = |name: &str| std::env::args().any(|a| a == name);
    let both = !only("tokio") && !only("blocking");
    for (family, variants) in families {
        if !both && !only(family) {
            continue;
        }
        for (size, under_way) in [(64, UNDER_WAY), (16 << 10, UNDER_WAY), (64, 1)] {
            println!("\n{family}, {size} B, {under_way} under way, {turns} turns of {time:?}");
            measure(&server, variants, size, under_way, time, turns);
        }
    }
    if both || only("blocking") {
        blocking::send_to_wire();
    }
}

fn measure(
    server: &Server,
    variants: &[Variant],
    size: usize,
    under_way: usize,
    time: Duration,
    turns: u64,
) {
    let url = server.url();
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); variants.len()];
    for _ in 0..turns {
        for (variant, rates) in variants.iter().zip(&mut rates) {
            let echoed = (variant.run)(&url, size, under_way, time);
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            rates.push(echoed as f64 / time.as_secs_f64());
        }
    }
    for (variant, own) in variants.iter().zip(&rates) {
        let ratios = own
            .iter()
            .zip(&rates[0])
            .map(|(own, base)| own / base)
            .collect();
        let rate = median(own.clone());
        println!(
            "  {:<34} {rate:>10.0} messages/s  {:>8.2} us each  {:>5.2} of the baseline",
            variant.name,
            1e6 / rate,
            median(ratios)
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
