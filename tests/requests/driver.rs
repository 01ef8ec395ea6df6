//! A driver of the machine, and one of the reference, that see the same.

use std::time::Duration;

use redial::Instant;
use redial::requests::{
    Answer, Event, Outcome, RefusedRequestReason, RequestId, Requests, Settings, Stats,
};

use crate::inputs::{Input, Pass, Step};
use crate::model::{Fate, Model, Refusal, options};

/// What a driver sees of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Asked(Result<u64, Refusal>),
    Sending(u64, u32, bool, Vec<u8>),
    Sent(bool),
    Answered(Answer<Vec<u8>>),
    Cancelled(Option<Vec<u8>>),
    Told(u64, Outcome, bool, Vec<u8>),
    Nothing,
}

/// A driver of the machine alone.
#[derive(Clone)]
pub(crate) struct Driver {
    pub(crate) requests: Requests<Vec<u8>>,
    pub(crate) now: Instant,
    pub(crate) asked: u64,
}

impl Driver {
    pub(crate) fn new(settings: Settings, origin: Instant) -> Self {
        Self {
            requests: Requests::new(settings).expect("valid"),
            now: origin,
            asked: 0,
        }
    }

    pub(crate) fn payload(&self, size: usize) -> Vec<u8> {
        vec![u8::try_from(self.asked % 251).expect("small"); size]
    }

    pub(crate) fn pass(&mut self, pass: Pass) {
        self.now = match pass {
            Pass::Ahead(by) => self.now + Duration::from_nanos(by),
            Pass::Back(by) => self.now - Duration::from_nanos(by),
        };
    }

    pub(crate) fn run(&mut self, (pass, input): &Step) -> Vec<Seen> {
        self.pass(*pass);
        let (requests, now) = (&mut self.requests, self.now);
        let name = |n: u64| RequestId::from_number(n % (requests.stats().asked + 3));
        let mut seen = Vec::new();
        match *input {
            Input::Ask(size, first, total, attempts) => {
                let payload = self.payload(size);
                let given = payload.clone();
                let options = options(first, total, attempts);
                let asked = self.requests.ask(now, payload, options);
                self.asked += 1;
                seen.push(Seen::Asked(asked.map(RequestId::number).map_err(
                    |refused| {
                        assert_eq!(refused.payload, given, "the payload comes back");
                        match refused.reason {
                            RefusedRequestReason::Closed => Refusal::Closed,
                            RefusedRequestReason::Full => Refusal::Full,
                            RefusedRequestReason::TooLarge { .. } => Refusal::TooLarge,
                            other => panic!("{other:?}"),
                        }
                    },
                )));
            }
            Input::Send(most) => {
                for _ in 0..most {
                    let Some(asking) = requests.poll_send() else {
                        break;
                    };
                    let id = asking.id;
                    let payload = asking.payload.clone();
                    let (attempt, resent) = (asking.attempt, asking.resent);
                    seen.push(Seen::Sending(id.number(), attempt, resent, payload));
                    seen.push(Seen::Sent(requests.sent(now, id)));
                }
            }
            Input::Sent(n) => seen.push(Seen::Sent(requests.sent(now, name(n)))),
            Input::Answer(n) => seen.push(Seen::Answered(requests.answer(now, name(n)))),
            Input::Cancel(n) => seen.push(Seen::Cancelled(requests.cancel(name(n)))),
            Input::Take(most) => {
                for settled in (0..most).map_while(|_| requests.poll_outcome()) {
                    seen.push(Seen::Told(
                        settled.id.number(),
                        settled.outcome,
                        settled.sent,
                        settled.payload,
                    ));
                }
            }
            Input::Event(event) => requests.handle(now, event),
            Input::Due => {
                if let Some(at) = requests.poll_timeout() {
                    self.now = now.max(at);
                    requests.handle(self.now, Event::Tick);
                }
            }
        }
        seen.push(Seen::Nothing);
        seen
    }

    /// All that a driver can see without an input.
    pub(crate) fn view(&self) -> View {
        let requests = &self.requests;
        let next = requests.poll_send();
        View {
            next: next.map(|a| (a.id.number(), a.attempt, a.resent)),
            timeout: requests.poll_timeout(),
            pending: requests.pending(),
            outcomes: requests.outcomes(),
            bytes: requests.bytes(),
            stats: requests.stats(),
        }
    }
}

/// What a driver sees without an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    next: Option<(u64, u32, bool)>,
    timeout: Option<Instant>,
    pending: usize,
    outcomes: usize,
    bytes: usize,
    stats: Stats,
}

/// The same input to the reference.
pub(crate) fn refer(model: &mut Model, driver: &Driver, now: Instant, input: &Input) -> Vec<Seen> {
    let nanos = |at: Instant| u64::try_from(at.since_origin().as_nanos()).expect("64 bits");
    let name = |model: &Model, n: u64| n % (model.all.len() as u64 + 3);
    let payload = |model: &Model, id: u64| {
        model.all[usize::try_from(id - 1).expect("small")]
            .payload
            .clone()
    };
    // Cancelling and taking carry no time, nor does a tick that was not due.
    let timed = match input {
        Input::Cancel(_) | Input::Take(_) => false,
        Input::Send(most) => *most > 0 && model.next().is_some(),
        Input::Due => model.deadline().is_some(),
        _ => true,
    };
    if timed {
        model.now = model.now.max(nanos(now));
    }
    let mut seen = Vec::new();
    match *input {
        Input::Ask(size, first, total, attempts) => {
            let asked = model.ask(driver.payload(size), first, total, attempts);
            seen.push(Seen::Asked(asked));
        }
        Input::Send(most) => {
            for _ in 0..most {
                let Some(id) = model.next() else { break };
                let request = &model.all[usize::try_from(id - 1).expect("small")];
                let (attempt, resent) = (request.attempt, request.sent);
                seen.push(Seen::Sending(id, attempt, resent, request.payload.clone()));
                seen.push(Seen::Sent(model.sent(id)));
            }
        }
        Input::Sent(n) => seen.push(Seen::Sent(model.sent(name(model, n)))),
        Input::Answer(n) => {
            let id = name(model, n);
            let late = model.late;
            seen.push(Seen::Answered(if model.answer(id) {
                Answer::Answered(payload(model, id))
            } else if model.late > late {
                Answer::Late
            } else {
                Answer::Unknown
            }));
        }
        Input::Cancel(n) => {
            let id = name(model, n);
            let cancelled = model.cancel(id).then(|| payload(model, id));
            seen.push(Seen::Cancelled(cancelled));
        }
        Input::Take(most) => {
            for _ in 0..most {
                let Some((id, fate)) = model.told.get(model.taken).copied() else {
                    break;
                };
                model.taken += 1;
                let outcome = match fate {
                    Fate::AttemptsSpent => Outcome::AttemptsSpent,
                    Fate::TimeSpent => Outcome::TimeSpent,
                    Fate::Closed => Outcome::Closed,
                    other => panic!("{other:?} is told by its call"),
                };
                let sent = model.all[usize::try_from(id - 1).expect("small")].sent;
                seen.push(Seen::Told(id, outcome, sent, payload(model, id)));
            }
        }
        Input::Event(event) => {
            match event {
                Event::Up { fresh } => model.up(fresh),
                Event::Down => model.down(),
                Event::Closed => model.close(),
                _ => {}
            }
            model.fire();
        }
        Input::Due => {
            if let Some(at) = model.deadline() {
                model.now = model.now.max(at);
                model.fire();
            }
        }
    }
    seen.push(Seen::Nothing);
    seen
}
