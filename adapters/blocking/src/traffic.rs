//! An open connection: what is read from it and written to it, and when neither is.

use mio::Token;
use redial::{Epoch, Event, Frame, Instant, MessageId};
use redial_adapter::Opening;

use crate::driver::{Driver, Transport};
use crate::error::Ended;
use crate::talk::Talk;
use crate::wire::{Inbound, Wire};

/// Messages read before writing and deadlines have their turn.
pub(crate) const BATCH: usize = 256;
/// Bytes put before they are written.
pub(crate) const CHUNK: usize = 32 << 10;
/// Behind so many bytes nothing is put that the peer makes this end say.
pub(crate) const CROWDED: usize = 64 << 10;

/// What is heard on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The application's handshake.
    Greeting,
    /// The protocol's.
    Introducing,
    /// Messages flow.
    Ready,
}

/// An open connection.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about two directions of a socket"
)]
pub(crate) struct Connection<W> {
    pub(crate) epoch: Epoch,
    pub(crate) token: Token,
    pub(crate) wire: W,
    pub(crate) opening: Opening,
    pub(crate) stage: Stage,
    /// The socket may have something to read.
    pub(crate) readable: bool,
    /// Reading stopped as nobody takes what came in.
    pub(crate) paused: bool,
    /// The socket is full.
    pub(crate) blocked: bool,
    /// Something was put and is not yet flushed.
    pub(crate) dirty: bool,
    /// A ping went out and nothing came in since.
    pub(crate) pinged: bool,
    pub(crate) closing: bool,
    /// The peer has pinged, and the protocol's answer was not yet put.
    pub(crate) asked: bool,
    /// The acknowledgement that was not yet put: the last sequence and the last intent.
    pub(crate) ack: Option<(u64, u64)>,
    /// Bytes that the protocol has said by itself since all was last written.
    pub(crate) said: usize,
    /// A batch was too long to be sent: on this connection messages go alone.
    pub(crate) alone: bool,
    pub(crate) last: Option<MessageId>,
    sent: u64,
    pub(crate) received: u64,
}

impl<W: Wire> Driver<W> {
    /// Reads what there is, as far as somebody takes it.
    pub(crate) fn receive(&mut self, now: Instant) {
        let greeting = |open: &Connection<W>| open.stage != Stage::Ready;
        if matches!(&self.transport, Transport::Open(open) if greeting(open)) && self.greet(now) {
            return;
        }
        let Transport::Open(open) = &mut self.transport else {
            return;
        };
        let (room, byte_room) = self
            .shared
            .read(|core| (core.inbox.room(), core.inbox.byte_room()));
        let low = open.paused && self.shared.read(|core| core.inbox.is_low());
        if room == 0 || (open.paused && !low) {
            return self.pause(true);
        }
        if open.paused {
            self.pause(false);
        }
        let Transport::Open(open) = &mut self.transport else {
            return;
        };
        if !open.hungry() {
            return;
        }
        let mut bytes = 0;
        let mut messages = 0;
        let mut taken = 0;
        let mut ended = None;
        while taken < BATCH && messages < room && bytes < byte_room {
            match open.wire.next() {
                Ok(Some(inbound)) => {
                    taken += 1;
                    if let Some(talk) = &mut self.talk {
                        let (count, size) = talk.listen(inbound);
                        messages += count;
                        bytes += size;
                        continue;
                    }
                    if let Inbound::Message(message) = &inbound {
                        messages += 1;
                        bytes += redial::Payload::size(message);
                    }
                    self.batch.push(inbound);
                }
                Ok(None) => {
                    open.readable = false;
                    break;
                }
                Err(end) => {
                    ended = Some(end);
                    break;
                }
            }
        }
        let received = open.wire.stream().received();
        let moved = received != open.received;
        open.received = received;
        open.pinged &= !moved;
        let epoch = open.epoch;
        let batch = &mut self.batch;
        self.shared.with(|core, _| {
            if moved && taken == 0 {
                // A part of a long message is a sign of life too.
                core.handle(now, Event::Frame(epoch, Frame::Part));
            }
            for inbound in batch.drain(..) {
                let frame = match inbound {
                    Inbound::Message(message) => {
                        core.deliver(now, message);
                        Frame::Data
                    }
                    Inbound::Ping => Frame::Ping,
                    Inbound::Pong(nonce) => Frame::Pong(nonce),
                };
                core.handle(now, Event::Frame(epoch, frame));
            }
        });
        if self.talk.is_some() && taken > 0 {
            let told = self.tell(now);
            if !self.settle(told) {
                return;
            }
        }
        if let Some(ended) = ended {
            self.fail(ended);
        }
    }

    /// Stops reading, or goes on with it.
    fn pause(&mut self, paused: bool) {
        let patience = self.settings.patience;
        let Transport::Open(open) = &mut self.transport else {
            return;
        };
        if open.paused != paused {
            open.paused = paused;
            let limit = if paused { patience } else { None };
            open.wire.stream().unacknowledged_for(limit);
            self.shared.with(|core, _| core.inbox.paused = paused);
        }
    }

    /// Puts something that goes ahead of queued messages, and writes it.
    pub(crate) fn put(
        &mut self,
        epoch: Epoch,
        put: impl FnOnce(&mut Connection<W>, Option<&mut Talk<W::Message>>) -> Result<(), Ended>,
    ) {
        match &mut self.transport {
            Transport::Open(open) if open.epoch == epoch => {
                open.dirty = true;
                match put(open, self.talk.as_mut()) {
                    Ok(()) => self.write(),
                    Err(ended) => self.broken(ended),
                }
            }
            _ => {}
        }
    }

    /// Takes messages out of the link and writes them, until there is none or the socket is full.
    pub(crate) fn write(&mut self) {
        loop {
            let Transport::Open(open) = &mut self.transport else {
                return;
            };
            if open.blocked {
                return;
            }
            let talk = self.talk.as_mut();
            let filled = self.shared.with(|core, now| open.fill(core, now, talk));
            if !open.dirty {
                return;
            }
            let flushed = filled.and_then(|()| open.wire.flush());
            let sent = open.wire.stream().sent();
            let moved = sent.saturating_sub(open.sent);
            open.sent = sent;
            let epoch = open.epoch;
            let counts = moved > 0 && open.stage == Stage::Ready;
            let through = match flushed {
                Ok(true) => {
                    open.dirty = false;
                    open.said = 0;
                    open.last.take()
                }
                Ok(false) => {
                    open.blocked = true;
                    None
                }
                Err(ended) => return self.broken(ended),
            };
            self.shared.with(|core, now| {
                if counts {
                    core.handle(now, Event::Progress(epoch, moved));
                }
                if let Some(through) = through {
                    core.handle(now, Event::Flushed(epoch, through));
                }
            });
        }
    }

    /// A write failed: what the peer said before it ended is worth more than how the write failed.
    fn broken(&mut self, ended: Ended) {
        if let Transport::Open(open) = &mut self.transport {
            open.readable = true;
            open.blocked = true;
        }
        let now = self.shared.clock.now();
        while matches!(&self.transport, Transport::Open(open) if open.hungry()) {
            self.receive(now);
        }
        self.fail(ended);
    }
}

impl<W: Wire> Connection<W> {
    pub(crate) fn new(epoch: Epoch, opening: Opening, token: Token, wire: W) -> Self {
        Self {
            epoch,
            token,
            wire,
            opening,
            stage: Stage::Ready,
            // The server may have spoken already, behind its answer.
            readable: true,
            paused: false,
            blocked: false,
            dirty: false,
            pinged: false,
            closing: false,
            asked: false,
            ack: None,
            said: 0,
            alone: false,
            last: None,
            sent: 0,
            received: 0,
        }
    }
}
