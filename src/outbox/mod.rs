//! The messages on their way out: bounded, ordered, each with exactly one fate.
//!
//! An [`Outbox`] is one list: first what is in flight (committed to the transport; at most once
//! until it is reported flushed, else until it is acknowledged), then what is queued. Writing
//! moves the border between the two and a lost connection moves it back, so neither a failure in
//! the middle of a flush nor a replay can change the order. It knows nothing of connections but
//! the epoch that it is told, and reads no clock.
//!
//! Memory is bounded: at most [`Limits::messages`] live messages and [`Limits::bytes`] bytes
//! of payload, fates that hand a payload back included, and at most twice as many slots as
//! messages, because a message keeps its slot until its fate is taken. Slots are kept when the
//! list empties, so that a steady flow does not allocate.

mod carry;
mod ends;
mod entry;
mod limits;
mod message;
mod queue;
mod rebase;
mod room;
mod settle;

pub(crate) use self::carry::total;
pub use self::limits::{Batch, Limits, Overflow};
pub use self::message::{
    Delivery, DropReason, Fate, MessageId, Outcome, Outgoing, Payload, Refused, RefusedReason,
    SendOptions,
};
pub use self::queue::Outbox;
