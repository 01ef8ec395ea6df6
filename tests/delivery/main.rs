//! Acknowledged delivery between two ends that forget, over a network that breaks: law 8, and
//! laws 4, 6, 7 and 11 for both ends of a session.
//!
//! `REDIAL_CASES` sets the number of sequences, `REDIAL_SEED` the seed, which is printed.

#[expect(
    unreachable_pub,
    reason = "shared with the fuzz target, where it is the same module"
)]
mod world;

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use world::{CONFIG_WORDS, Report};

/// Steps of a sequence, at most.
const STEPS: usize = 150;
const CASES: u32 = 4_000;
const SEED: u64 = 20_261_120;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
    )
}

#[test]
fn both_halves_keep_their_promises() {
    let cases = number("REDIAL_CASES").map_or(CASES, |n| u32::try_from(n).unwrap_or(u32::MAX));
    let seed = number("REDIAL_SEED").unwrap_or(SEED);
    println!("delivery: seed {seed}, {cases} sequences of up to {STEPS} steps");
    let begun = Instant::now();
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let total = RefCell::new(Report::default());
    let words = vec(any::<u64>(), CONFIG_WORDS + 1..=CONFIG_WORDS + STEPS);
    let result = runner.run(&words, |words| {
        let report = world::run(&words).map_err(TestCaseError::fail)?;
        total.borrow_mut().add(&report);
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, words)) => {
            world::TOLD.store(true, Ordering::Relaxed);
            let _ = world::run(&words);
            panic!("{why}\nseed {seed}, minimal case: {words:?}")
        }
        Err(other) => panic!("{other}"),
    }
    let total = total.into_inner();
    let [written, acked, expired, dropped, returned, unknown] = total.fates;
    println!(
        "delivery: no law broken in {cases} sequences, {} steps, {} connections, {} resumed, \
         {} fresh; {acked} messages acknowledged, {written} written, {expired} expired, \
         {dropped} dropped, {returned} returned, {unknown} unknown; {} duplicates removed, \
         {} told as missed, {} marked doubles, {} intents, {:.1} s",
        total.steps,
        total.connections,
        total.resumed,
        total.fresh,
        total.duplicates,
        total.missed,
        total.doubled,
        total.intents,
        begun.elapsed().as_secs_f64(),
    );
    // A model in which nothing happens proves nothing.
    let each = u64::from(cases);
    assert!(total.resumed > each / 2 && acked > 4 * each, "{total:?}");
    if cases >= CASES {
        let rare = [written, expired, dropped, returned, unknown];
        assert!(rare.iter().all(|count| *count > each / 20), "{total:?}");
        assert!(total.missed > 0 && total.doubled > 0, "{total:?}");
    }
}

/// What the fuzzer found worth keeping, on a stable toolchain too.
#[test]
fn both_halves_keep_their_promises_for_the_corpus_of_the_fuzzer() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/pair");
    // The published package leaves the corpus out.
    let Ok(files) = std::fs::read_dir(corpus) else {
        println!("no corpus at {corpus}");
        return;
    };
    let mut cases = 0;
    for file in files {
        let path = file.expect("a file of the corpus").path();
        let bytes = std::fs::read(&path).expect("a readable file");
        if let Err(broken) = world::run(&world::words(&bytes)) {
            panic!("{}: {broken}", path.display());
        }
        cases += 1;
    }
    assert!(cases >= 10, "{cases} cases in {corpus}");
}

#[test]
fn the_model_is_a_function_of_its_words() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..20 {
        let words = vec(any::<u64>(), 50..100)
            .new_tree(&mut runner)
            .expect("words")
            .current();
        let first = world::run(&words).expect("no law broken");
        let second = world::run(&words).expect("no law broken");
        assert_eq!(first, second);
    }
}
