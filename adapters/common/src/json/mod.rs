//! Heartbeats and batches as JSON text, for peers that know no others.
//!
//! Many servers answer an `{"type":"ping"}` of their own instead of the WebSocket's control
//! frames, as browsers can't send those. [`JsonHeartbeat`] speaks the three usual forms
//! ([`Style`]) and leaves every other message as it is; it has no sequences and no
//! acknowledgements, so everything is delivered at most once.
//!
//! - `word`: what is a heartbeat and what is not;
//! - `batch`: several messages as one;
//! - `heartbeat`: the protocol made of both.
//!
//! What the three forms look like, each member in this order and no white space:
//!
//! | style | ping | pong |
//! | --- | --- | --- |
//! | [`Bare`](Style::Bare) | `{"type":"ping"}` | `{"type":"pong"}` |
//! | [`Timestamp`](Style::Timestamp) | `{"type":"ping","timestamp":1700000000000}` | `{"type":"pong","timestamp":1700000000000}` |
//! | [`ConnectionId`](Style::ConnectionId) | `{"type":"ping","timestamp":1700000000000}` | `{"type":"pong","timestamp":1700000000000,"connection_id":"c-1"}` |
//!
//! A batch is `{"type":"batch","messages":[{"a":1},{"b":2}],"timestamp":1700000000000}`.
//!
//! # What is a heartbeat
//!
//! Inbound, the members may come in any order and with white space. A text of at most 512 bytes
//! is a heartbeat if it is one JSON object whose `type` is `"ping"` or `"pong"` and whose other
//! members are `timestamp` (a number, a string, or null) and `connection_id` (likewise), each at
//! most once. Anything else is the application's: an object with one more member, a member
//! twice, a name written with escapes, binary data, what is no JSON at all. A peer that puts
//! more into its heartbeats needs [`JsonHeartbeat::also`].

mod batch;
mod heartbeat;
mod word;

#[cfg(test)]
mod tests;

pub use self::heartbeat::{JsonHeartbeat, Style};
