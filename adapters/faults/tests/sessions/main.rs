//! The server of sessions, seen by plain clients that speak the wire codec by hand.

#[path = "../common/mod.rs"]
mod common;

mod client;
mod delivery;
mod places;
mod refusals;
mod restarts;
mod storm;
