//! The application's handshake, between opened and ready: off the way of everything later.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Sink;
use redial::{Cause, Closure, Event, Frame};
use redial_adapter::{Failure, Greeting, Handshake};

use super::line::{Closing, Line};
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
    /// By the handshake.
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
                Some(line) if line.greeting && line.hello.is_empty() => {}
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
    pub(super) fn last_greetings(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut VecDeque<D::Message>,
        room: &mut Room,
    ) -> Option<Over> {
        for _ in 0..BATCH {
            let Some(line) = self.line.as_mut().filter(|line| line.greeting) else {
                // It got ready by what was in flight.
                return self.last_words(cx, inbox, room).map(Over::Ended);
            };
            line.hello.clear();
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

    /// The handshake won't be done.
    pub(super) fn refused<S: Seat<D::Message>>(&mut self, failure: Failure, seat: &mut S) {
        if let Some(line) = &self.line {
            let epoch = line.epoch;
            tracing::info!(
                target: "redial", epoch = epoch.number(), cause = %failure.closure.cause,
                detail = %failure.detail, "handshake failed"
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
                greeted(line, &mut self.events, handshake.receive(message))
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
) -> Option<Failure> {
    match greeting {
        Greeting::More(said) => line.hello.extend(said),
        Greeting::Ready(said) => {
            line.hello.extend(said);
            line.greeting = false;
            events.push(Event::Ready(line.epoch));
        }
        Greeting::Refused(failure) => return Some(failure),
    }
    None
}

/// Writes what the handshake says, ahead of every message.
pub(super) fn write_hello<D: Codec>(
    codec: &mut D,
    line: &mut Line<D::Transport, D::Message>,
    cx: &mut Context<'_>,
) -> Step<D::Error> {
    if line.closing != Closing::No {
        line.hello.clear();
    }
    while let Some(message) = line.hello.front() {
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
        line.hello.pop_front();
        line.dirty = true;
    }
    Step::Done
}

/// What a message of the handshake means that the transport can never carry.
pub(super) fn unfit() -> Failure {
    Failure::credentials("a message of the handshake is larger than the transport can carry")
}
