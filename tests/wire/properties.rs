//! Round trips of arbitrary frames, and arbitrary bytes, from a printed seed.
//!
//! `REDIAL_CASES` sets the number of cases, `REDIAL_SEED` the seed.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use redial::wire::{Batch, Detail, Frame, Head, Kind, WireError};

use crate::check;

const CASES: u32 = 20_000;
const SEED: u64 = 20_261_120;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
    )
}

#[test]
fn all_bytes_and_all_frames() {
    let cases = number("REDIAL_CASES").map_or(CASES, |n| u32::try_from(n).unwrap_or(u32::MAX));
    let seed = number("REDIAL_SEED").unwrap_or(SEED);
    println!("wire: seed {seed}, {cases} cases");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let kinds = RefCell::new(BTreeMap::<Kind, u32>::new());
    let result = runner.run(&vec(any::<u8>(), 0..400), |data| {
        let _ = check::any_bytes(&data);
        check::near_a_frame(&data);
        *kinds
            .borrow_mut()
            .entry(check::any_frame(&data))
            .or_default() += 1;
        Ok(())
    });
    if let Err(error) = result {
        panic!("seed {seed}: {error}");
    }
    let kinds = kinds.into_inner();
    println!("wire: {kinds:?}");
    assert_eq!(kinds.len(), 10, "not all kinds came up: {kinds:?}");
}

/// What the fuzzer found worth keeping, on a stable toolchain too.
#[test]
fn the_corpus_of_the_fuzzer() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/wire");
    // The published package leaves the corpus out.
    let Ok(files) = std::fs::read_dir(corpus) else {
        println!("no corpus at {corpus}");
        return;
    };
    let mut cases = 0;
    for file in files {
        let path = file.expect("a file of the corpus").path();
        println!("{}", path.display());
        check::case(&std::fs::read(&path).expect("a readable file"));
        cases += 1;
    }
    assert!(cases >= 10, "{cases} cases in {corpus}");
}

#[test]
fn batches_have_bounds() {
    let one = Head::Data {
        text: false,
        resent: false,
        sequence: 1,
    }
    .frame(b"");
    let join = |count| Batch::join(std::iter::repeat_n(&one[..], count));
    for count in [0, 1, Batch::MOST + 1] {
        let given = count as u64;
        assert_eq!(join(count), Err(WireError::BatchCount { given }));
    }
    let most = join(Batch::MOST).expect("the largest batch");
    let Ok(Frame::Batch(batch)) = Frame::parse(&most) else {
        panic!("the largest batch is one");
    };
    assert_eq!(batch.frames().count(), Batch::MOST);
    let ping = Frame::Ping { nonce: 1 }.to_vec();
    assert_eq!(
        Batch::join([&one[..], &ping]),
        Err(WireError::Nested { kind: 8 })
    );
    assert_eq!(
        Batch::join([&one[..], &[]]),
        Err(WireError::Truncated { field: "kind" })
    );
}

#[test]
fn details_are_cut_between_characters() {
    let words = "ü".repeat(200);
    let detail = Detail::new(&words);
    assert_eq!(detail.as_str(), "ü".repeat(127));
    assert_eq!(Detail::new(&words[..254]).as_str().len(), 254);
    assert_eq!(Detail::new(&"x".repeat(300)).as_str().len(), 255);
}
