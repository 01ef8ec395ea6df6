//! Requests of a link: sent through its queue, their answers taken out of what comes in, and each
//! settled in the end, whatever becomes of the link.

use std::collections::BTreeMap;

use redial::outbox::RefusedReason;
use redial::requests::{Answer, Event, Outcome, RequestId, RequestOptions, Requests};
use redial::rng::Seeded;
use redial::{Delivery, Epoch, Instant, Link, Payload, Phase, SendOptions};
use redial_adapter::{Books, Correlate, RequestFailed, RequestFailure};

/// What became of a request.
pub(crate) type Reply<M> = Result<M, RequestFailed<M>>;

/// The requests of a link, under its lock.
pub(crate) struct Desk<M> {
    requests: Requests<M>,
    correlate: Box<dyn Correlation<M>>,
    /// Who waits, with what became of the request once it is known.
    waiting: BTreeMap<RequestId, Option<Reply<M>>>,
    /// The message of the request that is sent next, while the queue has no room for it.
    marked: Option<(RequestId, M)>,
    /// What the requests were last told of the link.
    line: Line,
    /// The fresh sessions of the link at that time.
    fresh: u64,
}

/// Where the link stood.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Down,
    Up(Option<Epoch>),
    Closed,
}

/// A [`Correlate`], whatever the life of its messages.
trait Correlation<M>: Send {
    fn mark(&mut self, id: u64, message: &M) -> M;
    fn of(&self, message: &M) -> Option<u64>;
}

impl<M, C: Correlate<M>> Correlation<M> for C {
    fn mark(&mut self, id: u64, message: &M) -> M {
        Correlate::mark(self, id, message)
    }

    fn of(&self, message: &M) -> Option<u64> {
        Correlate::of(self, message)
    }
}

impl<M> Desk<M> {
    pub(crate) fn new(correlate: impl Correlate<M>, requests: Requests<M>) -> Self {
        Self {
            requests,
            correlate: Box::new(correlate),
            waiting: BTreeMap::new(),
            marked: None,
            line: Line::Down,
            fresh: 0,
        }
    }
}

impl<M: Payload> Desk<M> {
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        message: M,
        options: RequestOptions,
    ) -> Result<RequestId, RequestFailed<M>> {
        match self.requests.ask(now, message, options) {
            Ok(id) => {
                self.waiting.insert(id, None);
                Ok(id)
            }
            Err(refused) => {
                let reason = RequestFailure::Refused(refused.reason);
                Err(RequestFailed::new(reason, false, refused.payload))
            }
        }
    }

    /// What became of a request, once that is known.
    pub(crate) fn take(&mut self, id: RequestId) -> Option<Reply<M>> {
        self.waiting.get(&id)?.as_ref()?;
        self.waiting.remove(&id)?
    }

    /// The message again if it answers no request of this link.
    pub(crate) fn sort(&mut self, now: Instant, message: M) -> Option<M> {
        let Some(number) = self.correlate.of(&message) else {
            return Some(message);
        };
        let id = RequestId::from_number(number);
        match self.requests.answer(now, id) {
            Answer::Answered(_) => self.settle(id, Ok(message)),
            // Counted by the requests, and nobody's.
            Answer::Late | Answer::Unknown => None,
        }
    }

    /// Tells the requests what became of the link, and sends what is to be sent.
    pub(crate) fn serve(
        &mut self,
        now: Instant,
        link: &mut Link<M, Seeded>,
        books: &mut Option<Box<dyn Books<M>>>,
        fates: usize,
    ) {
        self.follow(now, link);
        self.send(now, link, books, fates);
        self.settle_all();
    }

    /// The deadlines that `now` has passed, after everything readable was heard.
    pub(crate) fn tick(&mut self, now: Instant) {
        if self.requests.poll_timeout().is_some_and(|due| due <= now) {
            self.requests.handle(now, Event::Tick);
        }
    }

    /// The thread has ended.
    pub(crate) fn close(&mut self, now: Instant) {
        self.line = Line::Closed;
        self.requests.handle(now, Event::Closed);
        self.settle_all();
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.requests.poll_timeout()
    }

    fn follow(&mut self, now: Instant, link: &Link<M, Seeded>) {
        let stands = match link.phase() {
            Phase::Connected => Line::Up(link.state().epoch()),
            // What is on its way may be answered until the end.
            Phase::Draining | Phase::Closing => return,
            Phase::Closed | Phase::Failed => Line::Closed,
            _ => Line::Down,
        };
        if stands == self.line {
            return;
        }
        self.line = stands;
        let event = match stands {
            Line::Down => Event::Down,
            Line::Closed => Event::Closed,
            Line::Up(_) => {
                let sessions = link.stats().fresh;
                let fresh = !is_replayed(link) || sessions != self.fresh;
                self.fresh = sessions;
                Event::Up { fresh }
            }
        };
        self.requests.handle(now, event);
    }

    fn send(
        &mut self,
        now: Instant,
        link: &mut Link<M, Seeded>,
        books: &mut Option<Box<dyn Books<M>>>,
        fates: usize,
    ) {
        let options = if is_replayed(link) {
            SendOptions::new().delivery(Delivery::Acknowledged)
        } else {
            // The requests keep it over an outage; two copies would be one too many.
            SendOptions::new().volatile()
        };
        while let Some(asking) = self.requests.poll_send() {
            let id = asking.id;
            let marked = self.marked.take().filter(|(marked, _)| *marked == id);
            let message = match marked {
                Some((_, message)) => message,
                None => self.correlate.mark(id.number(), asking.payload),
            };
            // No other message is dropped for it.
            // What goes past the store needs no room there.
            if !has_room(link, None, fates, &message) {
                self.marked = Some((id, message));
                return;
            }
            let sent = match books {
                None => link.send(now, message, options),
                Some(books) => books.send(link, now, message, options),
            };
            match sent {
                Ok(_) => {
                    self.requests.sent(now, id);
                }
                Err(refused) if matches!(refused.reason, RefusedReason::TooLarge { .. }) => {
                    let reason = RequestFailure::Unfit(refused.reason);
                    if let Some(message) = self.requests.cancel(id) {
                        self.settle(id, Err(RequestFailed::new(reason, false, message)));
                    }
                }
                Err(refused) => {
                    self.marked = Some((id, refused.payload));
                    return;
                }
            }
        }
    }

    fn settle_all(&mut self) {
        while let Some(settled) = self.requests.poll_outcome() {
            let reason = match settled.outcome {
                Outcome::Closed => RequestFailure::Closed,
                _ => RequestFailure::TimedOut,
            };
            let failed = RequestFailed::new(reason, settled.sent, settled.payload);
            self.settle(settled.id, Err(failed));
        }
    }

    /// Keeps it for who waits; gives an answer back that nobody waits for, as it is to a request
    /// of an earlier process.
    fn settle(&mut self, id: RequestId, reply: Reply<M>) -> Option<M> {
        match self.waiting.get_mut(&id) {
            Some(waiting) => {
                *waiting = Some(reply);
                None
            }
            None => reply.ok(),
        }
    }
}

/// Whether the session brings requests over an outage. A store would bring them over the end of
/// the process too, where nobody waits for the answer, or somebody for that to another one.
fn is_replayed<M: Payload>(link: &Link<M, Seeded>) -> bool {
    link.config().session().is_some() && !link.config().outbox().durable
}

/// Whether a message fits without another being dropped, or is so large that it never will.
/// `fates` wait outside of the link.
pub(crate) fn has_room<M: Payload>(
    link: &Link<M, Seeded>,
    books: Option<&(dyn Books<M> + 'static)>,
    fates: usize,
    payload: &M,
) -> bool {
    let size = payload.size();
    let (outbox, limits) = (link.outbox(), link.config().outbox());
    let messages = outbox.queued() + outbox.in_flight();
    let slots = messages + outbox.fates_waiting() + fates;
    let fits = messages < limits.messages
        && slots < limits.messages.saturating_mul(2)
        && outbox.bytes().saturating_add(size) <= limits.bytes;
    (fits && books.is_none_or(|books| books.has_room(payload))) || size > limits.bytes
}
