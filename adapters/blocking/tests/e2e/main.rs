//! Links against real servers and proxies that misbehave.

#![cfg(feature = "tungstenite")]

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod framed;
mod handle;
mod handshake;
mod health;
mod outages;
mod protocol;
mod provider;
mod refusals;
mod requests;
mod restarts;
mod sessions;
mod tls;
