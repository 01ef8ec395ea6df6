//! From the link to the transport: pings ahead of queued messages, one flush for a batch.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Sink;
use redial::{Event, Instant};

use super::greet::{Over, unfit, write_hello};
use super::line::{Closing, Line};
use super::{Engine, Room, Seat};
use crate::codec::Codec;
use crate::connector::Connector;

/// Messages that are written under one lock of the link.
const CHUNK: usize = 64;

/// How a step of writing ended.
pub(super) enum Step<E> {
    /// Done, or nothing to do.
    Done,
    /// The transport can't take or move more now.
    Full,
    /// The transport can never carry what the handshake says.
    Unfit,
    /// The transport failed.
    Broken(E),
}

impl<C, D> Engine<C, D>
where
    C: Connector<D::Transport>,
    D: Codec,
{
    /// Writes what there is to write. False if nothing happened.
    pub(super) fn write<S: Seat<D::Message>>(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        seat: &mut S,
        inbox: &mut VecDeque<D::Message>,
        room: &mut Room,
    ) -> bool {
        let mut moved = false;
        while let Some(line) = &mut self.line {
            let epoch = line.epoch;
            let owed = !line.hello.is_empty();
            let step = write_batch(&mut self.codec, line, cx, now, seat);
            let total = self.codec.written(&line.transport);
            if let Some(total) = total.filter(|total| *total > line.written) {
                let bytes = total - line.written;
                line.written = total;
                if !line.greeting {
                    self.events.push(Event::Progress(epoch, bytes));
                }
            }
            // The handshake hears on once all was said.
            moved |= owed && line.hello.is_empty();
            match step {
                Step::Done if !line.dirty => {
                    if let Some(last) = line.committed.take() {
                        self.events.push(Event::Flushed(epoch, last));
                        if total.is_none() {
                            self.events.push(Event::Progress(epoch, 0));
                        }
                    }
                }
                Step::Done | Step::Full => {}
                Step::Unfit => self.refused(unfit(), seat),
                Step::Broken(error) => {
                    let cause = self.codec.cause(error);
                    let said = if line.greeting {
                        self.last_greetings(cx, inbox, room)
                    } else {
                        self.last_words(cx, inbox, room).map(Over::Ended)
                    };
                    tracing::debug!(
                        target: "redial", epoch = epoch.number(), %cause, "write failed"
                    );
                    match said {
                        Some(Over::Refused(failure)) => self.refused(failure, seat),
                        Some(Over::Ended(end)) => self.ended(epoch, end),
                        None => self.ended(epoch, cause),
                    }
                }
            }
            let fed = self.feed(now, seat);
            moved |= fed;
            let more = self.line.as_ref().is_some_and(Line::has_work);
            if !fed || !more {
                break;
            }
        }
        moved
    }
}

impl<T, M> Line<T, M> {
    /// Whether there is something to write that can be written.
    fn has_work(&self) -> bool {
        !self.stalled && (self.wanted || self.ping.is_some() || self.pong)
    }
}

/// Control frames, then messages, then one flush.
fn write_batch<D, S>(
    codec: &mut D,
    line: &mut Line<D::Transport, D::Message>,
    cx: &mut Context<'_>,
    now: Instant,
    seat: &mut S,
) -> Step<D::Error>
where
    D: Codec,
    S: Seat<D::Message>,
{
    match write_control(codec, line, cx) {
        Step::Done => {}
        other => return flush_after::<D>(line, cx, other),
    }
    if !line.hello.is_empty() {
        match write_hello(codec, line, cx) {
            Step::Done => {}
            other => return flush_after::<D>(line, cx, other),
        }
    }
    // Behind a flush that waits, messages stay in the queue: what the transport holds is what
    // a ping has to wait for, and what is lost with the connection.
    if line.wanted && !line.stalled && line.closing == Closing::No {
        match write_messages(codec, line, cx, now, seat) {
            Step::Done => {}
            other => return flush_after::<D>(line, cx, other),
        }
    }
    flush::<D>(line, cx)
}

fn write_control<D: Codec>(
    codec: &mut D,
    line: &mut Line<D::Transport, D::Message>,
    cx: &mut Context<'_>,
) -> Step<D::Error> {
    while line.ping.is_some() || line.pong || line.closing == Closing::Wanted {
        match Pin::new(&mut line.transport).poll_ready(cx) {
            Poll::Pending => return Step::Full,
            Poll::Ready(Err(error)) => return Step::Broken(error),
            Poll::Ready(Ok(())) => {}
        }
        let item = if let Some(nonce) = line.ping.take() {
            codec.ping(nonce)
        } else if std::mem::take(&mut line.pong) {
            codec.pong()
        } else {
            line.closing = Closing::Sent;
            codec.close()
        };
        if let Some(item) = item {
            if let Err(error) = Pin::new(&mut line.transport).start_send(item) {
                return Step::Broken(error);
            }
        }
        line.dirty = true;
    }
    Step::Done
}

/// Moves messages from the queue to the transport until one of them is done.
fn write_messages<D, S>(
    codec: &mut D,
    line: &mut Line<D::Transport, D::Message>,
    cx: &mut Context<'_>,
    now: Instant,
    seat: &mut S,
) -> Step<D::Error>
where
    D: Codec,
    S: Seat<D::Message>,
{
    while line.wanted {
        let step = seat.with(|link| {
            for _ in 0..CHUNK {
                match Pin::new(&mut line.transport).poll_ready(cx) {
                    Poll::Pending => return Step::Full,
                    Poll::Ready(Err(error)) => return Step::Broken(error),
                    Poll::Ready(Ok(())) => {}
                }
                let Some(next) = link.peek(now, line.epoch) else {
                    line.wanted = false;
                    return Step::Done;
                };
                let id = next.id;
                match codec.encode(next.payload) {
                    Ok(item) => {
                        if let Err(error) = Pin::new(&mut line.transport).start_send(item) {
                            return Step::Broken(error);
                        }
                        link.commit(now, line.epoch, id);
                        line.committed = Some(id);
                        line.dirty = true;
                    }
                    Err(_) => {
                        link.reject(line.epoch, id);
                    }
                }
            }
            Step::Done
        });
        match step {
            Step::Done => {}
            other => return other,
        }
    }
    Step::Done
}

/// Flushes what was given before the transport was full.
fn flush_after<D: Codec>(
    line: &mut Line<D::Transport, D::Message>,
    cx: &mut Context<'_>,
    step: Step<D::Error>,
) -> Step<D::Error> {
    match step {
        Step::Full => flush::<D>(line, cx),
        other => other,
    }
}

fn flush<D: Codec>(
    line: &mut Line<D::Transport, D::Message>,
    cx: &mut Context<'_>,
) -> Step<D::Error> {
    if line.dirty {
        match Pin::new(&mut line.transport).poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                line.dirty = false;
                line.stalled = false;
            }
            Poll::Ready(Err(error)) => return Step::Broken(error),
            Poll::Pending => {
                line.stalled = true;
                return Step::Full;
            }
        }
    }
    if line.closing == Closing::Sent {
        // Where it fails, the end of the stream tells what became of it.
        match Pin::new(&mut line.transport).poll_close(cx) {
            Poll::Ready(_) => line.closing = Closing::Done,
            Poll::Pending => return Step::Full,
        }
    }
    Step::Done
}
