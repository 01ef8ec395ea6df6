//! Links against real servers and proxies that misbehave.

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod framed;
mod handle;
mod outages;
mod provider;
mod refusals;
mod tls;
