//! The engine: it does what a link asks for, and tells it what happened.
//!
//! It is polled, owns the transport, the attempt under way and the timer, and decides nothing.
//! Both faces of this crate are built on it. Dropping a future of a face loses nothing, because
//! all state is here and in the link.
//!
//! - `dial`: the attempt, or the probe, under way;
//! - `read`, `write`: the two directions of an open connection;
//! - `greet`: the application's handshake on it, before messages flow;
//! - `talk`, `speak`: the protocol that the two ends speak on it, in and out;
//! - `line`: an open connection;
//! - `intake`: what was read;
//! - `timer`: the one deadline that is armed;
//! - `seat`: where the link sits: owned, or shared under a lock.

mod dial;
mod greet;
mod intake;
mod line;
mod read;
mod seat;
mod speak;
mod talk;
mod timer;
mod write;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;

use redial::outbox::Limits;
use redial::rng::Seeded;
use redial::{Action, Change, Epoch, Event, Frame, Instant, Link, Phase, Status};
use redial_adapter::Opening;

pub(crate) use self::greet::Greeter;
pub(crate) use self::intake::{Intake, Notices};
pub(crate) use self::line::Room;
pub(crate) use self::seat::Seat;
pub(crate) use self::talk::Speaker;
pub(crate) use self::timer::Timer;

use self::dial::Dial;
use self::line::{Closing, Line};
use self::talk::Talk;
use crate::clock::Clock;
use crate::codec::Codec;
use crate::connector::{Attempt, Connector};

/// What a link is in this crate.
pub(crate) type TokioLink<M> = Link<M, Seeded>;

/// Rounds of one turn; after them other tasks get theirs.
const ROUNDS: usize = 32;

/// Whether no message expires or waits for its turn or for company by itself, so that accepting
/// one needs no clock.
pub(crate) const fn is_timeless(limits: &Limits) -> bool {
    limits.ttl.is_none() && limits.pace.is_none() && limits.batch.is_none()
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There is nothing to do; everything that may change that has the waker.
    Idle,
    /// There is more to do; the task is woken already.
    Busy,
}

/// Does what a link asks for.
pub(crate) struct Engine<C, D: Codec> {
    connector: C,
    codec: D,
    /// What is said on each new connection, if anything.
    handshake: Option<Greeter<D::Message>>,
    /// What is spoken on each connection, if it is more than messages.
    talk: Option<Talk<D::Message>>,
    clock: Clock,
    dial: Option<Dial<D::Transport>>,
    probe: Option<(Epoch, Boxed<bool>)>,
    line: Option<Line<D::Transport, D::Message>>,
    timer: Timer,
    /// The deadline that the last idle turn has left to the timer.
    deadline: Option<Instant>,
    events: Vec<Event>,
    actions: VecDeque<Action>,
    /// There may be something to read: the transport has not said otherwise since the last wake.
    readable: bool,
    /// The inbox was full when there might have been more to read.
    paused: bool,
}

impl<C, D> Engine<C, D>
where
    C: Connector<D::Transport>,
    D: Codec,
{
    pub(crate) fn new(
        connector: C,
        codec: D,
        handshake: Option<Greeter<D::Message>>,
        protocol: Option<Speaker<D::Message>>,
        clock: Clock,
    ) -> Self {
        Self {
            connector,
            codec,
            handshake,
            talk: protocol.map(Talk::new),
            clock,
            dial: None,
            probe: None,
            line: None,
            timer: Timer::default(),
            deadline: None,
            events: Vec::new(),
            actions: VecDeque::new(),
            readable: true,
            paused: false,
        }
    }

    /// Does everything that can be done now. What came in goes to `intake`, as far as there is
    /// `room`.
    pub(crate) fn turn<S: Seat<D::Message>>(
        &mut self,
        cx: &mut Context<'_>,
        seat: &mut S,
        intake: &mut Intake<D::Message>,
        mut room: Room,
    ) -> Turn {
        self.take(seat);
        for _ in 0..ROUNDS {
            let now = self.clock.now();
            self.poll_dial(cx, seat);
            self.poll_probe(cx);
            self.greet(cx, seat);
            let mut moved = self.begin(now, seat, intake, &mut room);
            moved |= self.read(cx, now, seat, intake, &mut room);
            moved |= self.feed(now, seat);
            moved |= self.write(cx, now, seat, intake, &mut room);
            if moved {
                continue;
            }
            // Tokio hides input from a task that has used up its share; what is hidden must
            // not be judged as absent.
            if !tokio::task::coop::has_budget_remaining() {
                break;
            }
            let deadline = seat.with(|link| link.poll_timeout());
            match deadline {
                Some(due) if due <= now => self.tick(now, seat),
                _ => {
                    let wake = deadline.map(|due| self.clock.when(due));
                    if self.timer.poll(cx, wake).is_pending() {
                        self.deadline = deadline;
                        return Turn::Idle;
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Turn::Busy
    }

    /// Somebody was woken: there may be something to read again.
    pub(crate) const fn stir(&mut self) {
        self.readable = true;
    }

    /// Keeps an action that was taken from the link outside of a turn for the next one.
    pub(crate) fn postpone(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Whether the inbox was full when there might have been more to read.
    pub(crate) const fn is_paused(&self) -> bool {
        self.paused
    }

    /// When the timer wakes the task, after an idle turn; never if there was no deadline.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether a message that is sent now could be written now.
    pub(crate) fn takes_messages(&self) -> bool {
        self.line.as_ref().is_some_and(|line| !line.stalled)
    }

    /// Time has passed and nothing else happened.
    fn tick<S: Seat<D::Message>>(&mut self, now: Instant, seat: &mut S) {
        if let Some(line) = self.line.as_ref().filter(|_| self.paused) {
            // The application doesn't read, so there may be a sign of life in what it leaves
            // unread.
            self.events.push(Event::Frame(line.epoch, Frame::Part));
        }
        self.events.push(Event::Tick);
        self.feed(now, seat);
    }

    /// Takes and does what the link wants already.
    fn take<S: Seat<D::Message>>(&mut self, seat: &mut S) {
        if let Some((epoch, sequence, intents)) = seat.released() {
            if let Some(line) = self.line.as_mut().filter(|line| line.epoch == epoch) {
                line.ack = Some((sequence, intents));
            }
        }
        let actions = &mut self.actions;
        seat.with(|link| {
            while let Some(action) = link.poll_action() {
                actions.push_back(action);
            }
        });
        self.act(seat);
    }

    /// Tells the link what happened and does what it wants. False if nothing happened.
    fn feed<S: Seat<D::Message>>(&mut self, now: Instant, seat: &mut S) -> bool {
        if self.events.is_empty() {
            return false;
        }
        let greets = self.handshake.is_some() || self.talk.is_some();
        let (events, actions) = (&mut self.events, &mut self.actions);
        seat.with(|link| {
            for event in events.drain(..) {
                link.handle(now, event);
                if let Event::Opened(epoch) = event {
                    // Without a handshake here, the connector has done the application's too.
                    if !greets
                        && link.status().phase != Phase::Connected
                        && link.status().epoch == Some(epoch)
                    {
                        link.handle(now, Event::Ready(epoch));
                    }
                }
                while let Some(action) = link.poll_action() {
                    actions.push_back(action);
                }
            }
        });
        self.act(seat);
        true
    }

    fn act<S: Seat<D::Message>>(&mut self, seat: &mut S) {
        while let Some(action) = self.actions.pop_front() {
            self.perform(action, seat);
        }
    }

    fn perform<S: Seat<D::Message>>(&mut self, action: Action, seat: &mut S) {
        match action {
            Action::Changed(change) => {
                log(change, &seat.with(|link| link.status()));
                seat.publish();
            }
            Action::Abort(epoch) => {
                tracing::debug!(target: "redial", epoch = epoch.number(), "abort");
                self.drop_epoch(epoch);
            }
            Action::Close(epoch) => {
                if let Some(line) = self.line.as_mut().filter(|line| line.epoch == epoch) {
                    tracing::debug!(target: "redial", epoch = epoch.number(), "close");
                    line.closing = Closing::Wanted;
                }
            }
            Action::Preflight { epoch, .. } => {
                tracing::debug!(target: "redial", epoch = epoch.number(), "preflight");
                seat.publish();
                self.probe = Some((epoch, Box::pin(self.connector.probe())));
            }
            // Nobody else is asked here.
            Action::WantDial(epoch) => self.events.push(Event::Permit(epoch)),
            Action::Connect {
                epoch,
                attempt,
                refresh,
                deadline,
            } => {
                tracing::debug!(
                    target: "redial", epoch = epoch.number(), attempt, refresh, ?deadline, "connect"
                );
                let opening = Opening::new(attempt, refresh);
                let (attempt, reached) = Attempt::new(attempt, refresh, epoch);
                self.line = None;
                self.dial = Some(Dial {
                    epoch,
                    opening,
                    future: Box::pin(self.connector.connect(attempt)),
                    reached,
                    told: false,
                });
            }
            Action::AnswerPing(epoch) => {
                if let Some(line) = self.line.as_mut().filter(|line| line.epoch == epoch) {
                    line.pong = true;
                }
            }
            Action::SendAck {
                epoch,
                sequence,
                intents,
            } => {
                if let Some(line) = self.line.as_mut().filter(|line| line.epoch == epoch) {
                    if seat.may_acknowledge(epoch, sequence, intents) {
                        // A later one says all that an earlier one would have.
                        line.ack = Some((sequence, intents));
                    }
                }
            }
            Action::SendPing { epoch, nonce } => {
                if let Some(line) = self.line.as_mut().filter(|line| line.epoch == epoch) {
                    tracing::debug!(target: "redial", epoch = epoch.number(), nonce, "ping");
                    line.ping = Some(nonce);
                }
            }
            Action::Flush(epoch) => {
                if let Some(line) = self.line.as_mut().filter(|line| line.epoch == epoch) {
                    line.wanted = true;
                }
            }
            _ => {}
        }
    }

    fn drop_epoch(&mut self, epoch: Epoch) {
        self.line.take_if(|line| line.epoch == epoch);
        self.dial.take_if(|dial| dial.epoch == epoch);
        self.probe.take_if(|(probed, _)| *probed == epoch);
    }

    /// The connection is over.
    fn ended(&mut self, epoch: Epoch, closure: impl Into<redial::Closure>) {
        self.line = None;
        self.paused = false;
        self.events.push(Event::Closed(epoch, closure.into()));
    }
}

fn log(change: Change, status: &Status) {
    let Change { from, to, cause } = change;
    let attempt = status.attempt;
    let delay = status.next_attempt_at.map(|at| at.since(status.since));
    if let Some(cause) = cause {
        let advice = cause.advice();
        tracing::info!(target: "redial", %from, %to, attempt, ?delay, %cause, advice, "changed");
    } else {
        tracing::info!(target: "redial", %from, %to, attempt, ?delay, "changed");
    }
}
