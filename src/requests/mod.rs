//! Questions that wait for their answer: asked again until it comes, and never left hanging.
//!
//! A [`Requests`] holds each request's payload until the request is settled: answered, timed
//! out, cancelled, or closed with its link. It knows nothing of bytes: the driver puts the
//! [`RequestId`] on the wire and finds it in the answer. It reads no clock and sends nothing.
//!
//! ```text
//!                    Down, Up                  attempt timed out
//!   ask -> waiting <----------- sent --------------------------------> waiting
//!             |    -----------> (attempt n, deadline) -> answer: answered
//!             |       sent        |
//!             +-------------------+-> cancelled | attempts or total time spent | closed
//! ```
//!
//! - An attempt has a deadline only while the connection is up: an outage eats no attempt. The
//!   total deadline, if there is one, goes on.
//! - On a fresh session everything unanswered is asked again, oldest first, in the same
//!   attempt. On a resumed one the session replays what was sent, so only its deadline begins
//!   anew.
//! - A request is asked at least once, and perhaps twice: the peer tells by the id. The answer
//!   is taken once, whatever the peer sends.
//! - Memory is bounded: at most [`Settings::requests`] and [`Settings::bytes`], with outcomes
//!   that nobody has taken yet.
//!
//! # With a link
//!
//! Without acknowledged delivery each connection is a fresh session. Send what is asked as
//! [volatile](crate::SendOptions::volatile): then the outbox never holds a second copy over an
//! outage. With acknowledged delivery send it acknowledged, tell whether the session was
//! [resumed](crate::session::Resumption::is_resumed), and leave the policy for fresh sessions
//! at [`OnFresh::Report`](crate::session::OnFresh::Report).
//!
//! ```
//! use redial::requests::{Answer, Event, RequestOptions, Requests, Settings};
//! use redial::rng::{Seed, Seeded};
//! use redial::{Action, Command, Config, Instant, Link, Phase, SendOptions};
//!
//! /// After each input to either: what is asked goes to the link, what the link tells goes to
//! /// the requests, and what the link has goes out.
//! fn pump(
//!     now: Instant,
//!     link: &mut Link<String, Seeded>,
//!     requests: &mut Requests<&str>,
//!     wire: &mut Vec<String>,
//! ) {
//!     loop {
//!         while let Some(asking) = requests.poll_send() {
//!             let (id, text) = (asking.id, format!("{}:{}", asking.id, asking.payload));
//!             if link.send(now, text, SendOptions::new().volatile()).is_err() {
//!                 break;
//!             }
//!             requests.sent(now, id);
//!         }
//!         match link.poll_action() {
//!             None => break,
//!             Some(Action::Changed(change)) => {
//!                 let event = match change.to {
//!                     Phase::Connected => Event::Up { fresh: true },
//!                     Phase::Closed | Phase::Failed => Event::Closed,
//!                     _ => Event::Down,
//!                 };
//!                 requests.handle(now, event);
//!             }
//!             // Here the dial succeeds at once, and the transport takes everything.
//!             Some(Action::Connect { epoch, .. }) => {
//!                 link.handle(now, redial::Event::Opened(epoch));
//!             }
//!             Some(Action::Flush(epoch)) => {
//!                 while let Some(message) = link.peek(now, epoch) {
//!                     let id = message.id;
//!                     wire.push(message.payload.clone());
//!                     link.commit(now, epoch, id);
//!                 }
//!             }
//!             Some(_) => {}
//!         }
//!     }
//! }
//!
//! let mut link = Link::new(Config::default(), Seeded::new(Seed::from_number(1), 1));
//! let mut requests = Requests::new(Settings::default())?;
//! let mut now = Instant::ORIGIN;
//! let mut wire = Vec::new();
//!
//! // Asked before there is a connection: it waits.
//! let id = requests.ask(now, "what time is it?", RequestOptions::new())?;
//! link.handle(now, redial::Event::Command(Command::Start));
//! pump(now, &mut link, &mut requests, &mut wire);
//! assert_eq!(wire, ["1:what time is it?"]);
//!
//! // The driver waits for input, or until the earlier of the two timeouts.
//! now = requests.poll_timeout().expect("the deadline of the first attempt");
//! requests.handle(now, Event::Tick);
//! let asking = requests.poll_send().expect("it is asked again");
//! assert_eq!((asking.id, asking.attempt, asking.resent), (id, 2, true));
//!
//! // The answer carries the id. A second one would be counted and not taken.
//! assert_eq!(requests.answer(now, id), Answer::Answered("what time is it?"));
//! assert_eq!(requests.answer(now, id), Answer::Late);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod entry;
mod event;
mod machine;
mod portable;
mod request;
mod settings;

pub use self::event::{Event, Stats};
pub use self::machine::Requests;
pub use self::request::{
    Answer, Asking, Outcome, RefusedRequest, RefusedRequestReason, RequestId, RequestOptions,
    Settled,
};
pub use self::settings::{Settings, SettingsError};
