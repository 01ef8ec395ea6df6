//! The application's handshake, between opened and ready: off the way of everything later.
//! What it says, and what a protocol says, goes out by the same queue.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Sink;
use redial::{Cause, Closure, Event, Frame, Instant};
use redial_adapter::{Failure, Greeting, Handshake};

use super::intake::Intake;
use super::line::{Closing, Line, Stage};
use super::read::{BATCH, next_frame};
use super::write::Step;
use super::{Engine, Room, Seat};
use crate::codec::{Codec, Decoded};
use crate::connector::Connector;

/// A user's handshake.
pub(crate) type Greeter<M> = Box<dyn Handshake<M>>;

/// How a connection ended before it was ready.
pub(super) enum Over {
    /// By the peer or the network.
    Ended(Closure),
    /// By the handshake or the protocol.
    Refused(Failure),
}

impl<C, D> Engine<C, D>
where
    C: Connector<D::Transport>,
    D: Codec,
{
    /// Hears what was said and lets the handshake answer. Its answers go out before it hears
    /// more, so a server that reads nothing makes none pile up.
    pub(super) fn greet<S: Seat<D::Message>>(&mut self, cx: &mut Context<'_>, seat: &mut S) {
        for _ in 0..BATCH {
            match &self.line {
                Some(line) if line.stage == Stage::Greeting && line.says.is_empty() => {}
                _ => return,
            }
            match self.hear(cx) {
                Poll::Pending => return,
                Poll::Ready(None) => {}
                Poll::Ready(Some(Over::Ended(end))) => return self.over(cx, end),
                Poll::Ready(Some(Over::Refused(failure))) => return self.refused(failure, seat),
            }
        }
    }

    /// After a write has failed before the link was ready: what the peer said before it left.
    pub(super) fn last_greetings<S: Seat<D::Message>>(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        seat: &mut S,
        intake: &mut Intake<D::Message>,
        room: &mut Room,
    ) -> Option<Over> {
        for _ in 0..BATCH {
            let greeting = |line: &&mut Line<_, _>| line.stage == Stage::Greeting;
            let Some(line) = self.line.as_mut().filter(greeting) else {
                // It got ready by what was in flight.
                return self.last_words(cx, now, seat, intake, room);
            };
            line.says.clear();
            match self.hear(cx) {
                Poll::Pending => return None,
                Poll::Ready(None) => {}
                Poll::Ready(Some(Over::Ended(end))) => {
                    let said = matches!(end.cause, Cause::Close(_));
                    return said.then_some(Over::Ended(end));
                }
                Poll::Ready(refused) => return refused,
            }
        }
        None
    }

    /// The handshake won't be done, or the protocol can't go on.
    pub(super) fn refused<S: Seat<D::Message>>(&mut self, failure: Failure, seat: &mut S) {
        if let Some(line) = &self.line {
            let epoch = line.epoch;
            tracing::info!(
                target: "redial", epoch = epoch.number(), cause = %failure.closure.cause,
                detail = %failure.detail, "refused"
            );
            self.ended(epoch, failure.closure);
            seat.note(failure.detail);
        }
    }

    /// The next frame, of whatever kind; `None` if the connection goes on.
    fn hear(&mut self, cx: &mut Context<'_>) -> Poll<Option<Over>> {
        let (Some(line), Some(handshake)) = (&mut self.line, &mut self.handshake) else {
            return Poll::Pending;
        };
        let heard = match next_frame(&mut self.codec, line, cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(heard)) => heard,
            Poll::Ready(Err(end)) => return Poll::Ready(Some(Over::Ended(end))),
        };
        let kind = match heard {
            // What the handshake hears is a sign of life and no use yet.
            Decoded::Data(_) | Decoded::Nothing => Frame::Part,
            Decoded::Ping => Frame::Ping,
            Decoded::Pong(nonce) => Frame::Pong(nonce),
            Decoded::Close(closure) => return Poll::Ready(Some(Over::Ended(closure))),
        };
        self.events.push(Event::Frame(line.epoch, kind));
        let refused = match heard {
            // Once the user wants to close, nobody is asked any more.
            Decoded::Data(message) if line.closing == Closing::No => {
                let greeting = handshake.receive(message);
                greeted(line, &mut self.events, greeting, self.talk.is_some())
            }
            _ => None,
        };
        Poll::Ready(refused.map(Over::Refused))
    }
}

/// Takes a step of the handshake, or says why there is none.
pub(super) fn greeted<T, M>(
    line: &mut Line<T, M>,
    events: &mut Vec<Event>,
    greeting: Greeting<M>,
    protocol: bool,
) -> Option<Failure> {
    match greeting {
        Greeting::More(said) => line.says.extend(said),
        Greeting::Ready(said) => {
            line.says.extend(said);
            if protocol {
                line.stage = Stage::Begin;
            } else {
                line.stage = Stage::Ready;
                events.push(Event::Ready(line.epoch));
            }
        }
        Greeting::Refused(failure) => return Some(failure),
    }
    None
}

/// Writes what the handshake and the protocol say, ahead of every message.
pub(super) fn write_says<D: Codec>(
    codec: &mut D,
    line: &mut Line<D::Transport, D::Message>,
    cx: &mut Context<'_>,
) -> Step<D::Error> {
    if line.closing != Closing::No {
        line.says.clear();
    }
    while let Some(message) = line.says.front() {
        let Ok(item) = codec.encode(message) else {
            return Step::Unfit;
        };
        match Pin::new(&mut line.transport).poll_ready(cx) {
            Poll::Pending => return Step::Full,
            Poll::Ready(Err(error)) => return Step::Broken(error),
            Poll::Ready(Ok(())) => {}
        }
        if let Err(error) = Pin::new(&mut line.transport).start_send(item) {
            return Step::Broken(error);
        }
        line.says.pop_front();
        line.dirty = true;
    }
    Step::Done
}

/// What a message of the handshake or the protocol means that the transport can never carry.
pub(super) fn unfit(stage: Stage) -> Failure {
    let whose = match stage {
        Stage::Greeting | Stage::Begin => "the handshake",
        Stage::Talking | Stage::Ready => "the protocol",
    };
    Failure::credentials(format_args!(
        "a message of {whose} is larger than the transport can carry"
    ))
}
