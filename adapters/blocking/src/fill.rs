//! What goes out on an open connection, in its order: what is owed to the peer, then messages.
//!
//! Nothing here writes: it only fills memory, as the lock is held.

use redial::outbox::Outgoing;
use redial::{Event, Instant, MessageId, Payload};

use crate::core::Core;
use crate::error::Ended;
use crate::talk::Talk;
use crate::traffic::{CHUNK, CROWDED, Connection, Stage};
use crate::wire::Wire;

/// Room for what a batch says of each message in it.
const SEAM: usize = 16;

/// What is written next.
#[derive(Clone, Copy)]
pub(crate) struct Named {
    pub(crate) id: MessageId,
    /// The number of its writing, if it is an intent.
    pub(crate) intent: Option<u64>,
}

impl Named {
    fn of<M>(outgoing: &Outgoing<'_, M>) -> Self {
        Self {
            id: outgoing.id,
            intent: outgoing.intent,
        }
    }
}

/// What became of the next message.
enum Put {
    /// There is none.
    Nothing,
    Done,
    /// It was too long, and is dropped.
    Rejected,
}

impl<W: Wire> Connection<W> {
    /// Whether something is owed to the peer that can be written now.
    pub(crate) fn owes(&self) -> bool {
        !self.blocked && !self.closing && (self.asked || self.ack.is_some())
    }

    /// Puts what is owed, and messages up to a chunk.
    pub(crate) fn fill(
        &mut self,
        core: &mut Core<W::Message>,
        now: Instant,
        mut talk: Option<&mut Talk<W::Message>>,
    ) -> Result<(), Ended> {
        if self.closing {
            return Ok(());
        }
        if let Some(talk) = &mut talk {
            if self.wire.pending() < CROWDED {
                self.pay(talk)?;
            }
        }
        let batch = core.link.config().outbox().batch;
        let together = batch.map_or(1, |batch| usize::from(batch.messages));
        let mut rejected = false;
        let mut result = Ok(());
        while self.wire.pending() < CHUNK && core.may_write(self.epoch) {
            let put = match &mut talk {
                None => self.put_plain(core, now),
                Some(talk) if together > 1 && !self.alone => {
                    self.put_batch(core, now, talk, together)
                }
                Some(talk) => self.put_one(core, now, talk),
            };
            match put {
                Ok(Put::Nothing) => break,
                Ok(Put::Done) => {}
                Ok(Put::Rejected) => rejected = true,
                Err(ended) => {
                    self.dirty = true;
                    result = Err(ended);
                    break;
                }
            }
        }
        if rejected {
            // It may have been the last that a drain waited for.
            core.handle(now, Event::Tick);
        }
        core.collect();
        result
    }

    /// Puts what is owed to the peer: the answer to its last ping, and the last acknowledgement,
    /// which stands for those before it. So a peer that reads nothing makes none pile up.
    pub(crate) fn pay(&mut self, talk: &mut Talk<W::Message>) -> Result<(), Ended> {
        if std::mem::take(&mut self.asked) {
            // Before the protocol has begun on this connection it can't answer.
            let pong = (self.stage != Stage::Greeting).then(|| talk.protocol.pong());
            if let Some(pong) = pong.flatten() {
                self.say(&pong)?;
            } else {
                self.dirty = true;
                self.wire.pong()?;
            }
        }
        let acknowledge = |(sequence, intents)| talk.protocol.acknowledge(sequence, intents);
        if let Some(ack) = self.ack.take().and_then(acknowledge) {
            self.say(&ack)?;
        }
        Ok(())
    }

    /// Puts the next message as it is.
    fn put_plain(&mut self, core: &mut Core<W::Message>, now: Instant) -> Result<Put, Ended> {
        let Some(outgoing) = core.link.peek(now, self.epoch) else {
            return Ok(Put::Nothing);
        };
        let id = Named::of(&outgoing);
        let fits = self.wire.put(outgoing.payload)?;
        Ok(self.account(core, now, id, fits))
    }

    /// Puts the next message in the words of the protocol.
    fn put_one(
        &mut self,
        core: &mut Core<W::Message>,
        now: Instant,
        talk: &mut Talk<W::Message>,
    ) -> Result<Put, Ended> {
        let Some(outgoing) = core.link.peek(now, self.epoch) else {
            return Ok(Put::Nothing);
        };
        let id = Named::of(&outgoing);
        let fits = self.wire.put(&talk.protocol.send(&outgoing))?;
        Ok(self.account(core, now, id, fits))
    }

    fn account(&mut self, core: &mut Core<W::Message>, now: Instant, id: Named, fits: bool) -> Put {
        if fits {
            core.commit(now, self.epoch, id);
            self.last = Some(id.id);
            self.dirty = true;
            Put::Done
        } else {
            core.reject(self.epoch, id.id);
            Put::Rejected
        }
    }

    /// Puts as many messages as one of the transport may carry. What the protocol has made of
    /// one that doesn't fit in, or doesn't join others, goes behind them, alone.
    fn put_batch(
        &mut self,
        core: &mut Core<W::Message>,
        now: Instant,
        talk: &mut Talk<W::Message>,
        most: usize,
    ) -> Result<Put, Ended> {
        let longest = self.wire.longest();
        let mut group = Vec::new();
        let mut ids: Option<(MessageId, MessageId)> = None;
        let mut bytes = 0_usize;
        let mut left = None;
        while group.len() < most && bytes < CHUNK {
            let Some(outgoing) = core.link.peek(now, self.epoch) else {
                break;
            };
            let id = Named::of(&outgoing);
            let message = talk.protocol.send(&outgoing);
            let size = message.size().saturating_add(SEAM);
            let fits = bytes.saturating_add(size) <= longest;
            if id.intent.is_some() || !fits || !talk.protocol.joins(&message) {
                left = Some((id, message));
                break;
            }
            core.commit(now, self.epoch, id);
            ids = Some((ids.map_or(id.id, |(first, _)| first), id.id));
            bytes = bytes.saturating_add(size);
            group.push(message);
        }
        if let Some((first, last)) = ids {
            if !self.put_group(talk, group)? {
                // The protocol needs more room than was thought.
                self.alone = true;
                core.link.take_back(self.epoch, first);
                return Ok(Put::Done);
            }
            self.last = Some(last);
            self.dirty = true;
        }
        match left {
            Some((id, message)) => {
                let fits = self.wire.put(&message)?;
                Ok(self.account(core, now, id, fits))
            }
            None if ids.is_none() => Ok(Put::Nothing),
            None => Ok(Put::Done),
        }
    }

    fn put_group(
        &mut self,
        talk: &mut Talk<W::Message>,
        mut group: Vec<W::Message>,
    ) -> Result<bool, Ended> {
        match group.pop() {
            Some(only) if group.is_empty() => self.wire.put(&only),
            Some(last) => {
                group.push(last);
                self.wire.put(&talk.protocol.batch(group))
            }
            None => Ok(true),
        }
    }
}
