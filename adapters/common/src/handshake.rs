//! The application's own handshake: what is said on a new connection before messages flow.

use redial::Config;

use crate::failure::Failure;

/// A login, a hello, an init and its acknowledgement: what is said on each new connection between
/// opened and ready.
///
/// One value serves a link for all its connections, one after the other. What it says bypasses
/// the queue and is written ahead of every queued message; what comes in until it is done goes to
/// it and not to the application, and counts as a sign of life but not as a message received.
/// Pings are answered meanwhile, and a close ends the connection, as ever. A connection may end
/// at any point, without a word to this: the next thing it hears is another
/// [`begin`](Self::begin).
///
/// All of it is under the [`ready_deadline`](redial::config::Builder::ready_deadline) of the
/// configuration, at which the attempt ends by
/// [`Cause::ReadyTimeout`](redial::Cause::ReadyTimeout). It is called on the way of all input, so
/// it must not wait: fetch what takes time where the attempt begins, in the provider.
///
/// ```
/// use redial_adapter::redial::Cause;
/// use redial_adapter::{Failure, Greeting, Handshake, Opening};
///
/// struct Login {
///     token: String,
/// }
///
/// impl Handshake<String> for Login {
///     fn begin(&mut self, _: Opening) -> Greeting<String> {
///         Greeting::More(vec![format!("login {}", self.token)])
///     }
///
///     fn receive(&mut self, message: String) -> Greeting<String> {
///         match message.as_str() {
///             "welcome" => Greeting::Ready(vec!["subscribe".to_owned()]),
///             "stale" => Greeting::Refused(Failure::new(Cause::Close(4401), message)),
///             _ => Greeting::More(Vec::new()),
///         }
///     }
/// }
///
/// let mut login = Login { token: "s3cret".to_owned() };
/// let Greeting::More(said) = login.begin(Opening::new(1, false)) else {
///     panic!("the server has not answered yet");
/// };
/// assert_eq!(said, ["login s3cret"]);
/// assert!(matches!(login.receive("welcome".to_owned()), Greeting::Ready(_)));
/// ```
pub trait Handshake<M>: Send + 'static {
    /// A connection has opened: what is said first. Whatever was said on another is over.
    fn begin(&mut self, opening: Opening) -> Greeting<M>;

    /// A message came in before the link is ready.
    fn receive(&mut self, message: M) -> Greeting<M>;
}

/// How far a handshake is after one step. Messages are sent in their order; a message that is
/// longer than the link may send fails the attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting<M> {
    /// Not done: send these and listen.
    More(Vec<M>),
    /// Done: send these, then messages flow. What comes in from now on is the application's.
    Ready(Vec<M>),
    /// It won't be: the connection is dropped, and the cause decides what follows.
    ///
    /// [`Cause::Close`](redial::Cause::Close) with 4401, say, asks for fresh credentials, as if
    /// the server had closed with it; a final cause ends the link.
    Refused(Failure),
}

/// The attempt whose connection has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opening {
    /// The number of this dial since the last reset, from 1.
    pub number: u32,
    /// The last credentials were refused: this attempt was asked to fetch fresh ones.
    pub refresh: bool,
}

impl Opening {
    /// The opening of a dial, by what [`Action::Connect`](redial::Action::Connect) has said of it.
    pub const fn new(number: u32, refresh: bool) -> Self {
        Self { number, refresh }
    }
}

/// The configuration for a link with a handshake: without a `ready_deadline` of its own the
/// handshake has as long as the attempt before it, the `connect_deadline`.
#[must_use]
pub fn with_ready_deadline(config: Config) -> Config {
    if config.ready_deadline().is_some() {
        return config;
    }
    let deadline = config.connect_deadline();
    let built = config.to_builder().ready_deadline(Some(deadline)).build();
    // What is a valid connect deadline is a valid one here, so it does not fail.
    built.unwrap_or(config)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_deadline_is_that_of_the_attempt_unless_given() {
        let four = Duration::from_secs(4);
        let plain = Config::builder().connect_deadline(four);
        let config = with_ready_deadline(plain.clone().build().unwrap());
        assert_eq!(config.ready_deadline(), Some(four));
        assert_eq!(config.connect_deadline(), four);
        let given = plain.ready_deadline(Some(four * 2)).build().unwrap();
        assert_eq!(with_ready_deadline(given.clone()), given);
    }
}
