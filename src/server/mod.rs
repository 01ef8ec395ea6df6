//! The other end: what a server keeps for its clients.
//!
//! [`Session`] is the server's half of a session: it outlives the connections of one client,
//! replays what that client has missed, and drops what it has seen. It is driven as a link is,
//! with the same events and actions; it never dials, so there is nothing else in it.

mod session;
mod settings;

pub use self::session::{Denied, Resumed, Session};
pub use self::settings::Settings;
