//! Placeholder, replaced with the front page of the crate.
#![no_std]

extern crate alloc;

pub mod rng;
pub mod time;
