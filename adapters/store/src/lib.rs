//! A durable log of a [`redial`] link: its messages and its session, on disk.
//!
//! A driver appends to it what happens to its link, as [`Record`]s; after a crash
//! [`Store::open`] gives the [`Carryover`](redial::Carryover) from which the link goes on. What was
//! reported as stored is there, as far as the [`SyncPolicy`] promises, whatever was torn; what was
//! cut off is told, and kept where it was more than a torn end.
//!
//! What lives here: the file, its thread, and what comes out of it. What may not: any decision
//! about a link or a connection, and any runtime.
//!
//! # The driver's part
//!
//! 1. Ask [`admit`](Store::admit), let the link accept the message, append
//!    [`Accepted`](Record::Accepted), all under the link's lock. A volatile message is not
//!    recorded.
//! 2. Append [`Up`](Record::Up) when messages may flow, and write none before it is stored: the
//!    log must not say of a message that was written that it was not. Write none that is not
//!    stored itself; the callback tells ([`Event::Stored`](redial::Event::Stored)).
//! 3. Append [`Down`](Record::Down) when the connection has ended, and
//!    [`Settled`](Record::Settled) when fates are known.
//! 4. Append [`Received`](Record::Received) when the application has what came in, and
//!    acknowledge it to the peer when that is stored.
//! 5. [`close`](Store::close) at the end.
//!
//! What a [`Recovery`] holds is in the log already, and is not appended again.
//!
//! A [`Keeper`] does all of that for a link, and leaves the driver to ask it.
//!
//! A file that is put back from a backup can't be told from the latest one, and its numbers have
//! been used since: don't.
//!
//! # Features
//!
//! - `tungstenite`: [`Stored`] for a WebSocket's `Message`.
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable
)]

mod back;
mod bytes;
mod disk;
mod error;
mod file;
pub mod format;
mod front;
mod keeper;
mod ledger;
mod log;
mod options;
mod record;
mod recovery;
mod scan;
mod store;
mod stored;
mod writer;

pub use redial;

pub use self::disk::Disk;
pub use self::error::{Failure, OpenError, Refusal};
pub use self::file::FileDisk;
pub use self::front::{Progress, Ticket};
pub use self::keeper::Keeper;
pub use self::log::Log;
pub use self::options::{Clock, Options, STRIDE, SyncPolicy, boot_id};
pub use self::record::Record;
pub use self::recovery::{Cut, Recovery, Report, Why, recover};
pub use self::store::Store;
pub use self::stored::Stored;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
