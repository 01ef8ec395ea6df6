//! The rules of `docs/rules.md`, each as a test by its number, in virtual time.

#[path = "../common/mod.rs"]
mod common;

mod credit;
mod delivery;
mod drains;
mod edges;
mod features;
mod hints;
mod lifecycle;
mod liveness;
mod sessions;
mod storms;
