//! The laws of the design, asserted after every input of random sequences, for drivers that
//! are fair, chaotic and lazy.
//!
//! `REDIAL_CASES` sets the number of sequences, `REDIAL_SEED` the seed, which is printed.

#[expect(
    unreachable_pub,
    reason = "shared with the fuzz target, where it is the same module"
)]
mod checker;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use checker::{CONFIG_WORDS, Report};
use redial::Phase;

/// Inputs of a sequence, at most.
const INPUTS: usize = 200;
const CASES: u32 = 10_000;
const SEED: u64 = 20_261_120;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
    )
}

#[test]
fn the_laws_hold() {
    let cases = number("REDIAL_CASES").map_or(CASES, |n| u32::try_from(n).unwrap_or(u32::MAX));
    let seed = number("REDIAL_SEED").unwrap_or(SEED);
    println!("laws: seed {seed}, {cases} sequences of up to {INPUTS} inputs");
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
    let total = std::cell::RefCell::new((Report::default(), BTreeSet::new()));
    let words = vec(any::<u64>(), CONFIG_WORDS + 2..=CONFIG_WORDS + 1 + INPUTS);
    let result = runner.run(&words, |words| {
        let report = checker::run(&words).map_err(TestCaseError::fail)?;
        let mut total = total.borrow_mut();
        total.0.inputs += report.inputs;
        total.0.dials += report.dials;
        total.0.connected += report.connected;
        total.0.messages += report.messages;
        for (to, from) in total.0.sessions.iter_mut().zip(report.sessions) {
            *to += from;
        }
        total.0.fullest = total.0.fullest.max(report.fullest);
        total.1.extend(report.changes);
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, words)) => {
            checker::TOLD.store(true, Ordering::Relaxed);
            let _ = checker::run(&words);
            panic!("{why}\nseed {seed}, minimal case: {words:?}")
        }
        Err(other) => panic!("{other}"),
    }
    let (report, pairs) = total.into_inner();
    let [resumed, fresh, acked, again] = report.sessions;
    println!(
        "laws: no law broken in {cases} sequences, {} inputs, {} dials, {} connections, \
         {} messages, {resumed} resumed, {fresh} fresh, {acked} acknowledged, {again} duplicates, \
         {} kinds of change, a window filled to {} % of its bound, {:.1} s",
        report.inputs,
        report.dials,
        report.connected,
        report.messages,
        pairs.len(),
        report.fullest,
        begun.elapsed().as_secs_f64(),
    );
    // The published table holds nothing that cannot be; a short run may not meet all of it.
    if cases >= CASES {
        for from in Phase::ALL {
            for to in from.successors() {
                let met = pairs.contains(&(from, *to));
                assert!(met, "the table has {from} to {to}, which no sequence shows");
            }
        }
    }
    assert!(
        cases < CASES || [resumed, fresh, acked, again].iter().all(|n| *n > 100),
        "sessions too: {report:?}"
    );
    assert!(
        report.connected > u64::from(cases),
        "the sequences must be worth something"
    );
}

#[test]
fn the_checker_is_a_function_of_its_words() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..20 {
        let words = vec(any::<u64>(), 50..100)
            .new_tree(&mut runner)
            .expect("words")
            .current();
        let (first, second) = (checker::run(&words), checker::run(&words));
        let (first, second) = (
            first.expect("no law broken"),
            second.expect("no law broken"),
        );
        assert_eq!((first.inputs, first.dials), (second.inputs, second.dials));
        assert_eq!(first.changes, second.changes);
    }
}

/// What the fuzzer found worth keeping, on a stable toolchain too.
#[test]
fn the_laws_hold_for_the_corpus_of_the_fuzzer() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/link");
    // The published package leaves the corpus out.
    let Ok(files) = std::fs::read_dir(corpus) else {
        println!("no corpus at {corpus}");
        return;
    };
    let mut cases = 0;
    for file in files {
        let path = file.expect("a file of the corpus").path();
        let bytes = std::fs::read(&path).expect("a readable file");
        if let Err(broken) = checker::run(&checker::words(&bytes)) {
            panic!("{}: {broken}", path.display());
        }
        cases += 1;
    }
    assert!(cases >= 10, "{cases} cases in {corpus}");
}
