//! A sans-IO state machine that keeps a connection alive.
//!
//! `redial` decides when to dial, ping, flush, give up and hand back. It opens no socket,
//! reads no clock, draws no randomness of its own and spawns nothing: a driver tells a
//! [`Link`] what happened and when ([`Event`]), and does what the link answers ([`Action`]).
//! Ready drivers are the crates `redial-tokio` and `redial-blocking`; one of your own is
//! short, see [below](#a-driver-of-your-own).
//!
//! # The loop
//!
//! ```
//! use core::time::Duration;
//! use redial::rng::{Seed, Seeded};
//! use redial::{Action, Cause, Command, Config, Event, Instant, Link, Phase, SendOptions};
//!
//! // A link starts closed. Its jitter comes from a seed and the number of the link.
//! let mut link = Link::new(Config::default(), Seeded::new(Seed::from_number(1), 1));
//! let mut now = Instant::ORIGIN;
//!
//! // 1  exactly one event
//! link.handle(now, Event::Command(Command::Start));
//! link.send(now, "kept until there is a connection", SendOptions::new())?;
//!
//! // 2  every action
//! let mut dialled = None;
//! while let Some(action) = link.poll_action() {
//!     match action {
//!         Action::Connect { epoch, .. } => dialled = Some(epoch),
//!         Action::Changed(change) => println!("{} -> {}", change.from, change.to),
//!         _ => {}
//!     }
//! }
//! let epoch = dialled.expect("a start dials at once");
//!
//! // The dial failed: the link waits, and says until when.
//! link.handle(now, Event::Closed(epoch, Cause::ConnectTimeout.into()));
//! assert_eq!(link.phase(), Phase::Waiting);
//!
//! // 3  wait for input, or until the timeout
//! now = link.poll_timeout().expect("a waiting link has a deadline");
//! link.handle(now, Event::Tick);
//! assert_eq!(link.phase(), Phase::Connecting);
//! # Ok::<(), redial::Refused<&str>>(())
//! ```
//!
//! # Rooms
//!
//! | module | holds |
//! | --- | --- |
//! | [`link`] | the lifecycle: [`Link`], [`State`], the table of [phases](Phase::successors) |
//! | [`backoff`] | schedules and jitter |
//! | [`cause`] | why something ended, and what follows: the table of verdicts |
//! | [`heartbeat`] | pings, pongs, and when a peer counts as gone |
//! | [`outbox`] | messages on their way out: order, bounds, replay, batches, and the fate of each |
//! | [`inbox`] | the sequence of what comes in: new, seen, missing, and when to acknowledge |
//! | [`session`] | what two ends remember of each other; [`intents`] that stand as long as it does |
//! | [`server`] | the other end: [`server::Session`] |
//! | [`wire`] | a codec for two ends that have none |
//! | [`requests`] | questions that wait for their answers |
//! | [`carryover`] | what outlives a process; [`Snapshot`] for an exact copy |
//! | [`config`] | all settings, checked |
//! | [`rng`] | the door for randomness |
//!
//! # A driver of your own
//!
//! This program, `examples/custom_runtime.rs`, uses plain sockets and no adapter:
//!
//! ```no_run
#![doc = include_str!("../examples/custom_runtime.rs")]
//! ```
//!
//! # Features
//!
//! - `chacha` (default): the counter-based generator [`rng::Seeded`]. Without it bring your
//!   own [`rng::Rng`].
//! - `serde`: configuration and public values as data.
//!
//! The crate is `no_std` with `alloc`, has no `unsafe`, and no input makes it panic.
#![no_std]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_arithmetic,
    clippy::unreachable
)]

extern crate alloc;

mod action;
pub mod backoff;
pub mod carryover;
pub mod cause;
pub mod config;
mod epoch;
mod event;
pub mod heartbeat;
pub mod inbox;
pub mod intents;
pub mod link;
pub mod outbox;
pub mod requests;
pub mod rng;
pub mod server;
pub mod session;
mod time;
pub mod wire;

pub use self::action::{Action, Change};
pub use self::carryover::Carryover;
pub use self::cause::{Cause, RetryAfter, Verdict, Verdicts};
pub use self::config::{Config, ConfigError};
pub use self::epoch::Epoch;
pub use self::event::{Ack, Closure, Command, Event, Frame, Hint};
pub use self::inbox::{Gap, Header, Inbound};
pub use self::intents::IntentId;
pub use self::link::{Link, Phase, Snapshot, State, Stats, Status};
pub use self::outbox::{Delivery, Fate, MessageId, Outcome, Payload, Refused, SendOptions};
pub use self::session::{Hello, Resumption, Welcome};
pub use self::time::Instant;
