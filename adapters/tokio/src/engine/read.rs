//! From the transport to the application.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Sink, Stream};
use redial::{Cause, Closure, Event, Frame, Instant};

use super::greet::Over;
use super::intake::Intake;
use super::line::{Closing, Line, Stage};
use super::{Engine, Room, Seat};
use crate::codec::{Codec, Decoded};
use crate::connector::Connector;

/// Frames that are read before other things get their turn.
pub(super) const BATCH: usize = 128;

impl<C, D> Engine<C, D>
where
    C: Connector<D::Transport>,
    D: Codec,
{
    /// Reads what there is, as far as there is room for it; what it was goes to `events`, or
    /// straight to the link where a protocol is spoken. True if the link was told.
    pub(super) fn read<S: Seat<D::Message>>(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        seat: &mut S,
        intake: &mut Intake<D::Message>,
        room: &mut Room,
    ) -> bool {
        self.paused = false;
        // Asking in vain is not free: the library clears its buffer first.
        if !self.readable {
            return false;
        }
        let known = self.events.len();
        let (end, told) = if self.talk.is_some() {
            self.listen(cx, now, seat, intake, room)
        } else {
            let end = self.read_batch(cx, intake, room);
            (end.map(Over::Ended), false)
        };
        let frames = told || self.events.len() > known;
        if let Some(line) = &mut self.line {
            let total = self.codec.received(&line.transport).unwrap_or(0);
            if total > line.received {
                line.received = total;
                if !frames {
                    self.events.push(Event::Frame(line.epoch, Frame::Part));
                }
            }
        }
        match end {
            Some(Over::Ended(end)) => self.over(cx, end),
            Some(Over::Refused(failure)) => self.refused(failure, seat),
            None => {}
        }
        told
    }

    /// The connection has ended, by what was read.
    pub(super) fn over(&mut self, cx: &mut Context<'_>, end: Closure) {
        let Some(line) = &mut self.line else {
            return;
        };
        let epoch = line.epoch;
        if matches!(end.cause, Cause::Close(_)) {
            // The peer's close frame wants its answer; one try, as nothing hangs on it.
            let _ = Pin::new(&mut line.transport).poll_flush(cx);
        }
        tracing::debug!(target: "redial", epoch = epoch.number(), cause = %end.cause, "ended");
        self.ended(epoch, end);
    }

    /// After a write has failed: what the peer said before it left, if it said why.
    pub(super) fn last_words<S: Seat<D::Message>>(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        seat: &mut S,
        intake: &mut Intake<D::Message>,
        room: &mut Room,
    ) -> Option<Over> {
        let end = if self.talk.is_some() {
            self.listen(cx, now, seat, intake, room).0
        } else {
            self.read_batch(cx, intake, room).map(Over::Ended)
        };
        end.filter(|end| match end {
            Over::Ended(end) => matches!(end.cause, Cause::Close(_)),
            Over::Refused(_) => true,
        })
    }

    fn read_batch(
        &mut self,
        cx: &mut Context<'_>,
        intake: &mut Intake<D::Message>,
        room: &mut Room,
    ) -> Option<Closure> {
        let line = self.line.as_mut()?;
        if line.stage != Stage::Ready {
            // Its input is the handshake's.
            return None;
        }
        let epoch = line.epoch;
        for _ in 0..BATCH {
            if room.is_empty() {
                self.paused = true;
                return None;
            }
            let decoded = match next_frame(&mut self.codec, line, cx) {
                Poll::Pending => {
                    self.readable = false;
                    return None;
                }
                Poll::Ready(Ok(decoded)) => decoded,
                Poll::Ready(Err(end)) => return Some(end),
            };
            let kind = match decoded {
                Decoded::Data(message) => {
                    room.take(&message);
                    intake.messages.push_back(message);
                    Frame::Data
                }
                Decoded::Ping => Frame::Ping,
                Decoded::Pong(nonce) => Frame::Pong(nonce),
                Decoded::Close(closure) => return Some(closure),
                Decoded::Nothing => continue,
            };
            self.events.push(Event::Frame(epoch, kind));
        }
        // There is more; the next round goes on with it.
        None
    }
}

/// The next frame, or how the connection has ended.
#[inline]
pub(super) fn next_frame<D: Codec>(
    codec: &mut D,
    line: &mut Line<D::Transport, D::Message>,
    cx: &mut Context<'_>,
) -> Poll<Result<Decoded<D::Message>, Closure>> {
    let end = match Pin::new(&mut line.transport).poll_next(cx) {
        Poll::Pending => return Poll::Pending,
        Poll::Ready(Some(Ok(frame))) => return Poll::Ready(Ok(codec.decode(frame))),
        Poll::Ready(Some(Err(error))) => codec.cause(error),
        Poll::Ready(None) if line.closing == Closing::No => Cause::Lost,
        Poll::Ready(None) => Cause::Requested,
    };
    Poll::Ready(Err(end.into()))
}
