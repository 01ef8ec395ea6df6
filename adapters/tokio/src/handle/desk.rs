//! Requests of a link: sent through its queue, their answers taken out of what comes in, and each
//! promise kept or broken in the end.

use std::collections::BTreeMap;
use std::task::Waker;

use redial::outbox::RefusedReason;
use redial::requests::{
    Answer, Event, Outcome, RefusedRequest, RequestId, RequestOptions, Requests,
};
use redial::{Delivery, Epoch, Instant, Payload, Phase, SendOptions};
use redial_adapter::{Correlate, Received, RequestFailed, RequestFailure};

use super::inner::{Inner, has_room, send};
use super::keep::Kept;
use super::shared::Shared;
use crate::engine::{Intake, TokioLink};

/// What a builder was given for requests.
pub(crate) struct Asking<M> {
    pub(crate) requests: Requests<M>,
    pub(crate) correlate: Box<dyn Correlate<M>>,
}

/// What became of a request.
pub(super) type Outcomes<M> = Result<M, RequestFailed<M>>;

/// The requests of a link, under its lock.
pub(super) struct Desk<M> {
    requests: Requests<M>,
    correlate: Box<dyn Correlate<M>>,
    promises: BTreeMap<RequestId, Promise<M>>,
    /// What the requests were last told of the link.
    line: Line,
    /// The fresh sessions of the link at that time.
    fresh: u64,
    /// The queue had no room for the next one.
    blocked: bool,
    /// When the task comes back for a deadline of a request.
    armed: Option<Instant>,
}

/// Where the link stood.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Down,
    Up(Option<Epoch>),
    Closed,
}

struct Promise<M> {
    waker: Option<Waker>,
    outcome: Option<Outcomes<M>>,
}

impl<M: Payload + 'static> Desk<M> {
    pub(super) fn new(asking: Asking<M>) -> Self {
        Self {
            requests: asking.requests,
            correlate: asking.correlate,
            promises: BTreeMap::new(),
            line: Line::Down,
            fresh: 0,
            blocked: false,
            armed: None,
        }
    }

    fn accept(
        &mut self,
        now: Instant,
        link: &TokioLink<M>,
        message: M,
        options: RequestOptions,
    ) -> Result<RequestId, RequestFailed<M>> {
        // The task may not have come by since the link was started or closed.
        self.follow(now, link);
        self.settle();
        match self.requests.ask(now, message, options) {
            Ok(id) => {
                let promise = Promise {
                    waker: None,
                    outcome: None,
                };
                self.promises.insert(id, promise);
                Ok(id)
            }
            Err(RefusedRequest { reason, payload }) => Err(RequestFailed::new(
                RequestFailure::Refused(reason),
                false,
                payload,
            )),
        }
    }

    /// What became of a request, if it is known; else the waker is called when it is.
    pub(super) fn look(&mut self, id: RequestId, waker: &Waker) -> Option<Outcomes<M>> {
        let promise = self.promises.get_mut(&id)?;
        if promise.outcome.is_none() {
            promise.waker = Some(waker.clone());
            return None;
        }
        self.promises.remove(&id)?.outcome
    }

    /// Nobody waits for this one any more.
    pub(super) fn forget(&mut self, id: RequestId) {
        self.promises.remove(&id);
        self.requests.cancel(id);
    }

    /// Takes the answers out of what was read.
    pub(super) fn sort(&mut self, now: Instant, read: &mut Intake<M>, sorted: &mut Intake<M>) {
        while let Some(next) = read.next() {
            match next {
                Received::Message(message) => {
                    if let Some(message) = self.answered(now, message) {
                        sorted.messages.push_back(message);
                    }
                }
                Received::Gap(gap) => sorted.tell(gap.into()),
                Received::Session(resumption) => sorted.tell(resumption.into()),
            }
        }
    }

    /// Tells the requests what became of the link, and sends what is to be sent, as far as there
    /// is `room`.
    pub(super) fn serve(
        &mut self,
        now: Instant,
        link: &mut TokioLink<M>,
        kept: Option<&mut Kept<M>>,
        room: impl Fn(&TokioLink<M>, usize) -> bool,
    ) {
        self.follow(now, link);
        self.requests.handle(now, Event::Tick);
        self.send(now, link, kept, room);
        self.settle();
    }

    /// There is no task any more.
    pub(super) fn close(&mut self, now: Instant) {
        self.line = Line::Closed;
        self.requests.handle(now, Event::Closed);
        self.settle();
    }

    /// The deadline of a request that the task comes back for.
    pub(super) fn arm(&mut self) -> Option<Instant> {
        self.armed = self.requests.poll_timeout();
        self.armed
    }

    /// Whether the task has something to do here before it may park.
    pub(super) fn is_busy(&self) -> bool {
        let sooner = match (self.requests.poll_timeout(), self.armed) {
            (Some(due), Some(armed)) => due < armed,
            (due, None) => due.is_some(),
            (None, _) => false,
        };
        sooner || (!self.blocked && self.requests.poll_send().is_some())
    }

    /// Whether the queue had no room for a request.
    pub(super) const fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// The message again if it answers no request of this link.
    fn answered(&mut self, now: Instant, message: M) -> Option<M> {
        let Some(number) = self.correlate.of(&message) else {
            return Some(message);
        };
        let id = RequestId::from_number(number);
        match self.requests.answer(now, id) {
            Answer::Answered(_) => self.fulfil(id, Ok(message)),
            // Counted by the requests, and nobody's.
            Answer::Late | Answer::Unknown => None,
        }
    }

    fn follow(&mut self, now: Instant, link: &TokioLink<M>) {
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
        // A link that was not started yet is not closed: what is asked waits for it.
        if stands == Line::Closed && link.state().status().last_cause.is_none() {
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
        link: &mut TokioLink<M>,
        mut kept: Option<&mut Kept<M>>,
        room: impl Fn(&TokioLink<M>, usize) -> bool,
    ) {
        let options = if is_replayed(link) {
            SendOptions::new().delivery(Delivery::Acknowledged)
        } else {
            // The requests keep it over an outage; two copies would be one too many.
            SendOptions::new().volatile()
        };
        self.blocked = false;
        while let Some(asking) = self.requests.poll_send() {
            let id = asking.id;
            let message = self.correlate.mark(id.number(), asking.payload);
            // No other message is dropped for it.
            if !room(link, message.size()) {
                self.blocked = true;
                return;
            }
            match send(link, kept.as_deref_mut(), now, message, options) {
                Ok(_) => {
                    self.requests.sent(now, id);
                }
                Err(refused) => {
                    let RefusedReason::TooLarge { .. } = refused.reason else {
                        self.blocked = true;
                        return;
                    };
                    let reason = RequestFailure::Unfit(refused.reason);
                    if let Some(message) = self.requests.cancel(id) {
                        self.fulfil(id, Err(RequestFailed::new(reason, false, message)));
                    }
                }
            }
        }
    }

    fn settle(&mut self) {
        while let Some(settled) = self.requests.poll_outcome() {
            let reason = match settled.outcome {
                Outcome::Closed => RequestFailure::Closed,
                _ => RequestFailure::TimedOut,
            };
            let failed = RequestFailed::new(reason, settled.sent, settled.payload);
            self.fulfil(settled.id, Err(failed));
        }
    }

    /// Tells who waits; gives an answer back that nobody waits for, as it is to a request of an
    /// earlier process.
    fn fulfil(&mut self, id: RequestId, outcome: Outcomes<M>) -> Option<M> {
        let Some(promise) = self.promises.get_mut(&id) else {
            return outcome.ok();
        };
        promise.outcome = Some(outcome);
        if let Some(waker) = promise.waker.take() {
            waker.wake();
        }
        None
    }
}

/// Whether the session brings requests over an outage. One with a store would bring them over the
/// end of the process too: the answer would find nobody, or another request of the same number.
fn is_replayed<M: Payload>(link: &TokioLink<M>) -> bool {
    link.config().session().is_some() && !link.config().outbox().durable
}

/// What handles and the task do at the desk.
impl<M: Payload + 'static> Shared<M> {
    /// Asks something of the peer.
    pub(super) fn ask(
        &self,
        message: M,
        options: RequestOptions,
    ) -> Result<RequestId, RequestFailed<M>> {
        let now = self.clock.now();
        let mut inner = self.lock();
        let Inner { desk, link, .. } = &mut *inner;
        let Some(desk) = desk else {
            let reason = RequestFailure::NoCorrelation;
            return Err(RequestFailed::new(reason, false, message));
        };
        let asked = desk.accept(now, link, message, options);
        inner.wake();
        asked
    }

    /// What became of a request, if it is known; else the waker is called when it is.
    pub(super) fn look(&self, id: RequestId, waker: &Waker) -> Option<Outcomes<M>> {
        self.lock().desk.as_mut()?.look(id, waker)
    }

    /// Nobody waits for the answer any more.
    pub(super) fn forget(&self, id: RequestId) {
        if let Some(desk) = &mut self.lock().desk {
            desk.forget(id);
        }
    }

    /// Does what there is to do for requests, and takes answers out of what was `read`. When to
    /// come back for a deadline of theirs.
    pub(super) fn serve(&self, read: &mut Intake<M>, sorted: &mut Intake<M>) -> Option<Instant> {
        let now = self.clock.now();
        let mut inner = self.lock();
        let mut desk = inner.desk.take()?;
        desk.sort(now, read, sorted);
        let Inner {
            link, fates, kept, ..
        } = &mut *inner;
        let room = |link: &TokioLink<M>, size| has_room(link, fates.len(), size);
        desk.serve(now, link, kept.as_deref_mut(), room);
        let due = desk.arm();
        inner.desk = Some(desk);
        due
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;
    use std::time::Duration;

    use redial::requests::Requests;
    use redial::rng::{Seed, Seeded};
    use redial::{Command, Config, Event, Link};

    use super::super::inbox::Inbox;
    use super::super::shared::Rest;
    use super::*;
    use crate::clock::Clock;
    use crate::engine::Room;

    #[derive(Default)]
    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    struct Nothing;

    impl Correlate<Vec<u8>> for Nothing {
        fn mark(&mut self, _: u64, message: &Vec<u8>) -> Vec<u8> {
            message.clone()
        }

        fn of(&self, _: &Vec<u8>) -> Option<u64> {
            None
        }
    }

    #[test]
    fn a_request_wakes_the_task_and_is_not_slept_through_between_turn_and_parking() {
        let room = Room {
            messages: 1,
            bytes: 1,
        };
        let rng = Seeded::new(Seed::from_number(1), 0);
        let mut link: TokioLink<Vec<u8>> = Link::new(Config::default(), rng);
        let clock = Clock::start();
        link.handle(clock.now(), Event::Command(Command::Start));
        while link.poll_action().is_some() {}
        let until = link.poll_timeout();
        let asking = Asking {
            requests: Requests::default(),
            correlate: Box::new(Nothing),
        };
        let desk = Some(Desk::new(asking));
        let shared = Shared::new(
            link,
            clock,
            Inbox::new(room),
            desk,
            None,
            #[cfg(feature = "store")]
            None,
            false,
        );
        let (mut read, mut sorted) = (Intake::new(), Intake::new());
        assert_eq!(shared.serve(&mut read, &mut sorted), None);
        let flag = Arc::new(Flag::default());
        let waker = &Waker::from(Arc::clone(&flag));
        assert!(matches!(shared.park(waker, false, until), Rest::Parked));
        // There is no connection yet, so all there is to do for these is their deadlines.
        let within = |seconds| RequestOptions::new().total(Duration::from_secs(seconds));
        shared.ask(Vec::new(), within(60)).unwrap();
        assert!(flag.0.load(Ordering::Relaxed));
        assert!(shared.serve(&mut read, &mut sorted).is_some());
        // Here nobody is parked who could be woken.
        shared.ask(Vec::new(), within(30)).unwrap();
        assert!(matches!(shared.park(waker, false, until), Rest::Sooner));
        assert!(shared.serve(&mut read, &mut sorted).is_some());
        assert!(matches!(shared.park(waker, false, until), Rest::Parked));
    }
}
