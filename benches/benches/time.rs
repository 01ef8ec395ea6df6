//! Time of the core's paths, by criterion. Figures for the README; never a test.

use criterion::{Criterion, criterion_group, criterion_main};
use redial_benches::Bench;

fn paths(c: &mut Criterion) {
    let mut group = c.benchmark_group("core");
    let mut measure = |name: &str, mut bench: Bench, path: fn(&mut Bench)| {
        group.bench_function(name, |b| b.iter(|| path(&mut bench)));
    };
    let mut path = |name: &str, path| measure(name, Bench::connected(), path);
    path("frame", Bench::frame);
    path("frame and timeout", |b| {
        std::hint::black_box(b.frame_and_timeout());
    });
    path("early tick", Bench::early_tick);
    path("ping and pong", Bench::ping_pong);
    path("send, flush, commit, flushed, fate", |b| {
        b.send();
        b.flushed();
    });
    path("loss to reconnected", Bench::reconnect);
    let mut path = |name: &str, path| measure(name, Bench::in_session(), path);
    path("send, flush, commit, flushed, acked, fate", |b| {
        b.send();
        b.flushed();
        b.acked();
    });
    path("receive in sequence", |b| {
        let _ = std::hint::black_box(b.receive());
    });
    group.finish();
}

criterion_group!(benches, paths);
criterion_main!(benches);
