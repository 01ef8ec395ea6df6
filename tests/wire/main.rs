//! The wire codec from outside: its vectors, and what holds for all bytes and all frames.

#[expect(
    unreachable_pub,
    reason = "shared with the fuzz target, where it is the same module"
)]
mod check;
mod properties;
mod vectors;
