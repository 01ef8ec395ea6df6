//! A session: what two ends remember of each other while connections come and go.
//!
//! Each end has two sequences, one for what it sends ([`outbox`](crate::outbox)) and one for
//! what it receives ([`inbox`](crate::inbox)), and a name that the server gave. On each new
//! connection the client says [`Hello`], the server answers [`Welcome`], and both know from
//! there what the other has: what is missing is replayed in order, what was seen is not
//! delivered twice. Whether it was resumed or is fresh is always told, as [`Resumption`].
//!
//! How the two spell it on the wire is not decided here.

mod hello;
mod id;
mod known;
mod resumption;
mod settings;

pub use self::hello::{Hello, Welcome};
pub use self::id::{ServerId, SessionId};
pub(crate) use self::known::Known;
pub use self::resumption::{Fresh, Resumption};
pub use self::settings::{Cadence, OnFresh, Settings};
