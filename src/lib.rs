//! Placeholder, replaced with the front page of the crate.
#![no_std]

extern crate alloc;

pub mod backoff;
pub mod cause;
pub mod rng;
pub mod time;
