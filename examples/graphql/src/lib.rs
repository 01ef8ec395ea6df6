//! A client of [graphql-transport-ws] that stays subscribed: an example of a protocol that
//! others have made, mapped to a link. Copy what you need.
//!
//! - `words`: its messages as text;
//! - `protocol`: the translation, without a socket: handshake, heartbeats, what passes;
//! - `client`: operations on a link, and their answers;
//! - `verdicts`: what follows from its close codes.
//!
//! What maps to what:
//!
//! | graphql-transport-ws | link |
//! | --- | --- |
//! | `connection_init`, `connection_ack` | the handshake: nothing flows before |
//! | `ping`, `pong`, either way | heartbeat; ours carries a nonce in its payload |
//! | `subscribe` | an intent: given again on every connection, in order, until withdrawn |
//! | `next`, `error`, `complete` | messages, at most once; the last two withdraw the intent |
//! | `complete` of ours | a volatile message: without a connection there is nothing to end |
//! | close codes | verdicts |
//!
//! The protocol has no sessions, so each connection is a fresh one: a subscription goes on with
//! what the server sends from then on, and what it would have sent in between is gone. Where that
//! matters let the operation say where to go on, by a variable that your server understands.
//!
//! ```no_run
//! use redial_example_graphql::{Answer, Client, GraphqlTransport, SUBPROTOCOL, verdicts};
//! use redial_tokio::redial::Config;
//! use redial_tokio::redial::session::Settings;
//! use redial_tokio::websocket;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::builder()
//!     .verdicts(verdicts()?)
//!     .session(Some(Settings::default()));
//! let link = websocket("wss://example.org/graphql")?
//!     .header("Sec-WebSocket-Protocol", SUBPROTOCOL)?
//!     .config(config.build()?);
//! let client = Client::spawn(link, GraphqlTransport::new(|_| None));
//! let mut news = client.begin("subscription { news { title } }")?;
//! while let Some(answer) = news.next().await {
//!     match answer {
//!         Answer::Next(result) => println!("{result}"),
//!         Answer::Errors(errors) => eprintln!("{errors:?}"),
//!         Answer::Complete => break,
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! [graphql-transport-ws]: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md

mod client;
mod protocol;
mod verdicts;
mod words;

pub use self::client::{Answer, Client, Operation};
pub use self::protocol::GraphqlTransport;
pub use self::verdicts::verdicts;
pub use self::words::Request;

/// What the upgrade has to name in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "graphql-transport-ws";
