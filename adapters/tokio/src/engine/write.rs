//! From the link to the transport: pings and acknowledgements, then what a handshake or a
//! protocol says, then queued messages; one flush for all of it.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Sink;
use redial::{Event, Instant};

use super::greet::{Over, unfit, write_says};
use super::intake::Intake;
use super::line::{Closing, Line, Stage};
use super::speak::write_spoken;
use super::talk::Talk;
use super::{Engine, Room, Seat};
use crate::codec::Codec;
use crate::connector::Connector;

/// Messages that are written under one lock of the link.
pub(super) const CHUNK: usize = 64;

/// How a step of writing ended.
pub(super) enum Step<E> {
    /// Done, or nothing to do.
    Done,
    /// The transport can't take or move more now.
    Full,
    /// The transport can never carry what the handshake or the protocol says.
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
        intake: &mut Intake<D::Message>,
        room: &mut Room,
    ) -> bool {
        let mut moved = false;
        while let Some(line) = &mut self.line {
            let epoch = line.epoch;
            let owed = !line.says.is_empty();
            let stage = line.stage;
            let step = write_batch(&mut self.codec, &mut self.talk, line, cx, now, seat);
            let total = self.codec.written(&line.transport);
            if let Some(total) = total.filter(|total| *total > line.written) {
                let bytes = total - line.written;
                line.written = total;
                if stage == Stage::Ready {
                    self.events.push(Event::Progress(epoch, bytes));
                }
            }
            // A handshake hears on once all was said.
            moved |= owed && line.says.is_empty();
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
                Step::Unfit => self.refused(unfit(stage), seat),
                Step::Broken(error) => {
                    let cause = self.codec.cause(error);
                    let said = if stage == Stage::Greeting {
                        self.last_greetings(cx, now, seat, intake, room)
                    } else {
                        self.last_words(cx, now, seat, intake, room)
                    };
                    tracing::debug!(
                        target: "redial", epoch = epoch.number(), %cause, "write failed"
                    );
                    match said {
                        // The link has dropped it by what was heard.
                        _ if self.line.is_none() => {}
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
        let control = self.ping.is_some() || self.pong || self.ack.is_some();
        !self.stalled && (self.wanted || control)
    }
}

/// Control frames, then what is said, then messages, then one flush.
fn write_batch<D, S>(
    codec: &mut D,
    talk: &mut Option<Talk<D::Message>>,
    line: &mut Line<D::Transport, D::Message>,
    cx: &mut Context<'_>,
    now: Instant,
    seat: &mut S,
) -> Step<D::Error>
where
    D: Codec,
    S: Seat<D::Message>,
{
    match write_control(codec, talk, line, cx) {
        Step::Done => {}
        other => return flush_after::<D>(line, cx, other),
    }
    if !line.says.is_empty() {
        match write_says(codec, line, cx) {
            Step::Done => {}
            other => return flush_after::<D>(line, cx, other),
        }
    }
    // Behind a flush that waits, messages stay in the queue: what the transport holds is what
    // a ping has to wait for, and what is lost with the connection.
    if line.wanted && !line.stalled && line.closing == Closing::No && seat.may_write(line.epoch) {
        let step = match talk {
            None => write_messages(codec, line, cx, now, seat),
            Some(talk) => write_spoken(codec, talk, line, cx, now, seat),
        };
        match step {
            Step::Done => {}
            other => return flush_after::<D>(line, cx, other),
        }
    }
    flush::<D>(line, cx)
}

fn write_control<D: Codec>(
    codec: &mut D,
    talk: &mut Option<Talk<D::Message>>,
    line: &mut Line<D::Transport, D::Message>,
    cx: &mut Context<'_>,
) -> Step<D::Error> {
    while line.ping.is_some() || line.pong || line.ack.is_some() || line.closing == Closing::Wanted
    {
        match Pin::new(&mut line.transport).poll_ready(cx) {
            Poll::Pending => return Step::Full,
            Poll::Ready(Err(error)) => return Step::Broken(error),
            Poll::Ready(Ok(())) => {}
        }
        let talk = talk.as_mut().map(|talk| &mut talk.protocol);
        // The protocol's word for it, or else the transport's own.
        let (word, own) = if let Some(nonce) = line.ping.take() {
            let word = talk.and_then(|protocol| protocol.ping(nonce));
            let own = word.is_none().then(|| codec.ping(nonce)).flatten();
            (word, own)
        } else if line.pong {
            let asked = std::mem::take(&mut line.pinged.1);
            let word = talk.filter(|_| asked).and_then(|protocol| protocol.pong());
            // One may be owed to each.
            line.pong = word.is_some() && line.pinged.0;
            if word.is_some() {
                (word, None)
            } else {
                line.pinged.0 = false;
                (None, codec.pong())
            }
        } else if let Some((sequence, intents)) = line.ack.take() {
            // Behind a close frame nothing can be said.
            let open = matches!(line.closing, Closing::No | Closing::Wanted);
            let talk = talk.filter(|_| open);
            let word = talk.and_then(|protocol| protocol.acknowledge(sequence, intents));
            if word.is_none() {
                continue;
            }
            (word, None)
        } else {
            line.closing = Closing::Sent;
            (None, codec.close())
        };
        let item = match word.map(|word| codec.encode(&word)) {
            None => own,
            Some(Ok(item)) => Some(item),
            Some(Err(_)) => return Step::Unfit,
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
