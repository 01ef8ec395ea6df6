//! Any bytes are a configuration, a kind of driver, and inputs; the laws hold after each.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(
    dead_code,
    reason = "shared with the property test, which also reads the report"
)]
#[path = "../../tests/laws/checker/mod.rs"]
mod checker;

fuzz_target!(|data: &[u8]| {
    if let Err(broken) = checker::run(&checker::words(data)) {
        panic!("{broken}");
    }
});
