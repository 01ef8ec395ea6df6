//! Time of the core's paths, by criterion. Figures for the README; never a test.

use criterion::{Criterion, criterion_group, criterion_main};
use redial_benches::Bench;

fn paths(c: &mut Criterion) {
    let mut group = c.benchmark_group("core");
    let mut path = |name: &str, path: fn(&mut Bench)| {
        let mut bench = Bench::connected();
        group.bench_function(name, |b| b.iter(|| path(&mut bench)));
    };
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
    group.finish();
}

criterion_group!(benches, paths);
criterion_main!(benches);
