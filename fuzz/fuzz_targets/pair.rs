//! Any bytes are a configuration of both ends of a session and what happens to them; what the
//! model of delivery promises holds after each step, and everything comes to rest.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(
    dead_code,
    reason = "shared with the property test, which also reads the report"
)]
#[path = "../../tests/delivery/world/mod.rs"]
mod world;

fuzz_target!(|data: &[u8]| {
    if let Err(broken) = world::run(&world::words(data)) {
        panic!("{broken}");
    }
});
