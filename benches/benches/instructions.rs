//! Instructions of the core's paths, counted by callgrind: the same on every run.
//!
//! Each function repeats its path [`TIMES`] times. The limits below are the committed baseline
//! plus 10 %: a change that costs more fails. Lower them when a change saves.
#![expect(missing_docs, reason = "the benchmark macros make public items")]

use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use redial_benches::Bench;

/// Repetitions of each path.
const TIMES: u64 = 100;

/// The limit for a path of so many instructions: 10 % above it.
fn limit(baseline: u64) -> LibraryBenchmarkConfig {
    let most = baseline * TIMES * 110 / 100;
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::default().hard_limits([(EventKind::Ir, most)]));
    config
}

fn repeat(mut bench: Bench, path: impl Fn(&mut Bench)) -> Bench {
    for _ in 0..TIMES {
        path(&mut bench);
    }
    bench
}

#[library_benchmark(config = limit(75))]
#[bench::warm(Bench::connected())]
fn frame(bench: Bench) -> Bench {
    repeat(bench, Bench::frame)
}

#[library_benchmark(config = limit(83))]
#[bench::warm(Bench::connected())]
fn frame_and_timeout(bench: Bench) -> Bench {
    repeat(bench, |b| {
        std::hint::black_box(b.frame_and_timeout());
    })
}

#[library_benchmark(config = limit(28))]
#[bench::warm(Bench::connected())]
fn early_tick(bench: Bench) -> Bench {
    repeat(bench, Bench::early_tick)
}

#[library_benchmark(config = limit(284))]
#[bench::warm(Bench::connected())]
fn ping_pong(bench: Bench) -> Bench {
    repeat(bench, Bench::ping_pong)
}

#[library_benchmark(config = limit(247))]
#[bench::warm(Bench::connected())]
fn send_flush_commit(bench: Bench) -> Bench {
    repeat(bench, Bench::send)
}

// A hundred messages at once: the figure is the cost of each.
#[library_benchmark(config = limit(117))]
#[bench::warm(Bench::sent())]
fn flushed_and_fate(mut bench: Bench) -> Bench {
    bench.flushed();
    bench
}

// The same, acknowledged: all of its way but the last of both.
#[library_benchmark(config = limit(252))]
#[bench::warm(Bench::in_session())]
fn send_acknowledged(bench: Bench) -> Bench {
    repeat(bench, Bench::send)
}

// A hundred at once.
#[library_benchmark(config = limit(114))]
#[bench::warm(Bench::unacknowledged())]
fn acked_and_fate(mut bench: Bench) -> Bench {
    bench.acked();
    bench
}

// One acknowledgement for each 32 included.
#[library_benchmark(config = limit(139))]
#[bench::warm(Bench::in_session())]
fn receive(bench: Bench) -> Bench {
    repeat(bench, |b| {
        let _ = std::hint::black_box(b.receive());
    })
}

#[library_benchmark(config = limit(1838))]
#[bench::warm(Bench::connected())]
fn loss_to_reconnected(bench: Bench) -> Bench {
    repeat(bench, Bench::reconnect)
}

library_benchmark_group!(
    name = core,
    benchmarks = [
        frame,
        frame_and_timeout,
        early_tick,
        ping_pong,
        send_flush_commit,
        flushed_and_fate,
        send_acknowledged,
        acked_and_fate,
        receive,
        loss_to_reconnected
    ]
);
main!(library_benchmark_groups = core);
