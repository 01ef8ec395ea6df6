//! Messages on their way out where a protocol is spoken: each in the protocol's words, several
//! in one message of the transport where batching is configured.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Sink;
use redial::{Instant, MessageId, Payload};

use super::line::Line;
use super::talk::{Speaker, Talk};
use super::write::{CHUNK, Step};
use super::{Seat, TokioLink};
use crate::codec::Codec;

/// Moves messages from the queue to the transport until one of them is done.
pub(super) fn write_spoken<D, S>(
    codec: &mut D,
    talk: &mut Talk<D::Message>,
    line: &mut Line<D::Transport, D::Message>,
    cx: &mut Context<'_>,
    now: Instant,
    seat: &mut S,
) -> Step<D::Error>
where
    D: Codec,
    S: Seat<D::Message>,
{
    let protocol = &mut talk.protocol;
    while line.wanted {
        let mut numbered = None;
        let step = seat.with(|link| {
            let batch = link.config().outbox().batch;
            let most = batch.map_or(1, |batch| usize::from(batch.messages).max(1));
            for _ in 0..CHUNK {
                match Pin::new(&mut line.transport).poll_ready(cx) {
                    Poll::Pending => return Step::Full,
                    Poll::Ready(Err(error)) => return Step::Broken(error),
                    Poll::Ready(Ok(())) => {}
                }
                let Some((id, intent, message)) = next(protocol, line, now, link) else {
                    line.wanted = false;
                    return Step::Done;
                };
                let written = if most > 1 && line.singly == 0 && joins(protocol, id, &message) {
                    let first = (id, message);
                    send_batch(codec, protocol, line, now, link, first, most)
                } else {
                    line.singly = line.singly.saturating_sub(1);
                    send_one(codec, line, now, link, id, &message)
                };
                if let Err(error) = written {
                    return Step::Broken(error);
                }
                if id.intent().is_some() {
                    numbered = Some((id, intent.filter(|_| line.committed == Some(id))));
                    // Its number is told before anything else is written.
                    return Step::Done;
                }
            }
            Step::Done
        });
        if let Some((intent, number)) = numbered {
            seat.numbered(intent, number);
        }
        match step {
            Step::Done => {}
            other => return other,
        }
    }
    Step::Done
}

/// The next message in the protocol's words, unless it was made already.
fn next<T, M: Payload + 'static>(
    protocol: &mut Speaker<M>,
    line: &mut Line<T, M>,
    now: Instant,
    core: &mut TokioLink<M>,
) -> Option<(MessageId, Option<u64>, M)> {
    let next = core.peek(now, line.epoch)?;
    let intent = next.intent;
    let made = line.aside.take().filter(|(id, _)| *id == next.id);
    let message = made.map_or_else(|| protocol.send(&next), |(_, message)| message);
    Some((next.id, intent, message))
}

/// Whether a message may share one of the transport's. An intent goes alone: it can't be taken
/// back if they turn out to be too long together.
fn joins<M: 'static>(protocol: &Speaker<M>, id: MessageId, message: &M) -> bool {
    id.intent().is_none() && protocol.joins(message)
}

fn send_one<D: Codec>(
    codec: &mut D,
    line: &mut Line<D::Transport, D::Message>,
    now: Instant,
    core: &mut TokioLink<D::Message>,
    id: MessageId,
    message: &D::Message,
) -> Result<(), D::Error> {
    let Ok(item) = codec.encode(message) else {
        core.reject(line.epoch, id);
        return Ok(());
    };
    Pin::new(&mut line.transport).start_send(item)?;
    core.commit(now, line.epoch, id);
    line.committed = Some(id);
    line.dirty = true;
    Ok(())
}

/// Gathers what may go with the first message, and sends it as one.
fn send_batch<D: Codec>(
    codec: &mut D,
    protocol: &mut Speaker<D::Message>,
    line: &mut Line<D::Transport, D::Message>,
    now: Instant,
    core: &mut TokioLink<D::Message>,
    (first, message): (MessageId, D::Message),
    most: usize,
) -> Result<(), D::Error> {
    let mut last = first;
    let mut group = vec![message];
    // The next one is only seen behind the one before it.
    core.commit(now, line.epoch, first);
    while group.len() < most {
        let Some((id, _, message)) = next(protocol, line, now, core) else {
            break;
        };
        if !joins(protocol, id, &message) {
            line.aside = Some((id, message));
            break;
        }
        core.commit(now, line.epoch, id);
        last = id;
        group.push(message);
    }
    let count = group.len();
    let alone = if count == 1 { group.pop() } else { None };
    let message = alone.unwrap_or_else(|| protocol.batch(group));
    let Ok(item) = codec.encode(&message) else {
        // Too long together; or the only one is, which is found once more when it goes singly.
        core.take_back(line.epoch, first);
        line.singly = count;
        return Ok(());
    };
    if let Err(error) = Pin::new(&mut line.transport).start_send(item) {
        core.take_back(line.epoch, first);
        return Err(error);
    }
    line.committed = Some(last);
    line.dirty = true;
    Ok(())
}
