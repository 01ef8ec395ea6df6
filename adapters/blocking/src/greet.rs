//! The application's handshake, between opened and ready: off the way of everything later.

use redial::{Event, Frame, Instant};
use redial_adapter::{Greeting, Handshake};

use crate::driver::{Driver, Transport};
use crate::error::Ended;
use crate::traffic::{BATCH, CHUNK, Connection};
use crate::wire::{Inbound, Wire};

/// A user's handshake.
pub(crate) type Greeter<M> = Box<dyn Handshake<M>>;

impl<W: Wire> Driver<W> {
    /// The connection that has just opened is told of, and the handshake begins on it; without
    /// one the link is ready at once.
    pub(crate) fn opened(&mut self, opening: redial_adapter::Opening) {
        let Transport::Open(open) = &mut self.transport else {
            return;
        };
        let epoch = open.epoch;
        let Some(handshake) = &mut self.handshake else {
            return self.shared.with(|core, now| {
                core.handle(now, Event::Opened(epoch));
                if core.link.phase() != redial::Phase::Connected {
                    core.handle(now, Event::Ready(epoch));
                }
            });
        };
        open.greeting = true;
        // The handshake is the user's, so it is never called under the lock.
        self.shared
            .with(|core, now| core.handle(now, Event::Opened(epoch)));
        let begun = handshake.begin(opening);
        match open.greeted(begun) {
            Ok(true) => self.feed(Event::Ready(epoch)),
            Ok(false) => {}
            Err(ended) => self.fail(ended),
        }
    }

    /// Hears what was said and lets the handshake answer; false once it is done.
    pub(crate) fn greet(&mut self, now: Instant) -> bool {
        for _ in 0..BATCH {
            let (Transport::Open(open), Some(handshake)) =
                (&mut self.transport, &mut self.handshake)
            else {
                return true;
            };
            if !open.greeting {
                return false;
            }
            if !open.hungry() {
                return true;
            }
            let epoch = open.epoch;
            let (frame, stepped) = match open.wire.next() {
                Ok(None) => {
                    open.readable = false;
                    return true;
                }
                // Once the user wants to close, nobody is asked any more.
                Ok(Some(Inbound::Message(_))) if open.closing => (Frame::Part, Ok(false)),
                // What the handshake hears is a sign of life and no use yet.
                Ok(Some(Inbound::Message(message))) => {
                    let greeting = handshake.receive(message);
                    (Frame::Part, open.greeted(greeting))
                }
                Ok(Some(Inbound::Ping)) => (Frame::Ping, Ok(false)),
                Ok(Some(Inbound::Pong(nonce))) => (Frame::Pong(nonce), Ok(false)),
                Err(ended) => {
                    self.fail(ended);
                    return true;
                }
            };
            open.received = open.wire.stream().received();
            self.shared.with(|core, _| {
                core.handle(now, Event::Frame(epoch, frame));
                if let Ok(true) = stepped {
                    core.handle(now, Event::Ready(epoch));
                }
            });
            if let Err(ended) = stepped {
                self.fail(ended);
                return true;
            }
        }
        true
    }
}

impl<W: Wire> Connection<W> {
    /// Whether there may be input that is wanted. While the handshake's answers wait to be
    /// written it hears no more, so a server that reads nothing makes none pile up.
    pub(crate) fn hungry(&self) -> bool {
        let crowded = self.greeting && self.wire.pending() >= CHUNK;
        self.readable && !self.paused && !crowded
    }

    /// Takes a step of the handshake: whether it is done, or why it won't be.
    fn greeted(&mut self, greeting: Greeting<W::Message>) -> Result<bool, Ended> {
        let (said, done) = match greeting {
            Greeting::More(said) => (said, false),
            Greeting::Ready(said) => (said, true),
            Greeting::Refused(failure) => return Err(failure),
        };
        for message in &said {
            self.dirty = true;
            if !self.wire.put(message)? {
                let detail = "a message of the handshake is longer than may be sent";
                return Err(Ended::credentials(detail));
            }
        }
        self.greeting = !done;
        Ok(done)
    }
}
