//! Any bytes are a frame of the wire codec or break a rule, and describe one; what holds for all
//! frames holds.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/wire/check.rs"]
mod check;

fuzz_target!(|data: &[u8]| {
    check::case(data);
});
