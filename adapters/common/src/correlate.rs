//! Which answer belongs to which request, in the words of one protocol.

/// Where a protocol carries the number of a request, so that its answer can be found.
///
/// [`Requests`](redial::requests::Requests) gives each request a number, keeps its payload and
/// decides when it is asked again; this only writes the number into the message and reads it
/// out of the answer. A request that is asked again carries the same number, so a peer can tell
/// that it has seen it.
///
/// ```
/// use redial_adapter::Correlate;
///
/// /// Requests are `ask 7 text`, answers are `answer 7 text`; anything else is neither.
/// struct Lines;
///
/// impl Correlate<String> for Lines {
///     fn mark(&mut self, id: u64, message: &String) -> String {
///         format!("ask {id} {message}")
///     }
///
///     fn of(&self, message: &String) -> Option<u64> {
///         let (id, _) = message.strip_prefix("answer ")?.split_once(' ')?;
///         id.parse().ok()
///     }
/// }
///
/// let mut lines = Lines;
/// assert_eq!(lines.mark(7, &"what time is it?".to_owned()), "ask 7 what time is it?");
/// assert_eq!(lines.of(&"answer 7 noon".to_owned()), Some(7));
/// assert_eq!(lines.of(&"ask 7 and you?".to_owned()), None);
/// assert_eq!(lines.of(&"answer me".to_owned()), None);
/// ```
pub trait Correlate<M>: Send + 'static {
    /// The message that asks this as request number `id`.
    ///
    /// Called once for each time that it is sent. The message it is made from stays as it is,
    /// to be asked again, or to be given back.
    fn mark(&mut self, id: u64, message: &M) -> M;

    /// The number of the request that this inbound message answers; `None` if it is no answer.
    ///
    /// Called with whatever the peer sends, so it must take anything. It need not know which
    /// numbers are pending: an answer to none of them is dropped. A request of the peer's own is
    /// no answer, even if it carries a number.
    fn of(&self, message: &M) -> Option<u64>;
}
