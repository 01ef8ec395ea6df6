//! What is said between opened and ready: the application's handshake, then the protocol's. Off
//! the way of everything later.

use redial::{Event, Frame, Instant};
use redial_adapter::{Greeting, Handshake, Opening};

use crate::driver::{Driver, Transport};
use crate::error::Ended;
use crate::traffic::{BATCH, CHUNK, CROWDED, Connection, Stage};
use crate::wire::{Inbound, Wire};

/// A user's handshake.
pub(crate) type Greeter<M> = Box<dyn Handshake<M>>;

impl<W: Wire> Driver<W> {
    /// The connection that has just opened is told of, and what is to be said on it begins;
    /// where there is nothing the link is ready at once.
    pub(crate) fn opened(&mut self, opening: Opening) {
        let Transport::Open(open) = &mut self.transport else {
            return;
        };
        let epoch = open.epoch;
        if self.handshake.is_none() && self.talk.is_none() {
            return self.shared.with(|core, now| {
                core.handle(now, Event::Opened(epoch));
                if core.link.phase() != redial::Phase::Connected {
                    core.handle(now, Event::Ready(epoch));
                }
            });
        }
        open.stage = Stage::Greeting;
        self.shared
            .with(|core, now| core.handle(now, Event::Opened(epoch)));
        // The handshake is the user's, so it is never called under the lock.
        let begun = match &mut self.handshake {
            Some(handshake) => handshake.begin(opening),
            None => Greeting::Ready(Vec::new()),
        };
        let result = self.greeted(begun);
        self.settle(result);
    }

    /// Hears what was said and lets the handshakes answer; false once they are done.
    pub(crate) fn greet(&mut self, now: Instant) -> bool {
        for _ in 0..BATCH {
            let Transport::Open(open) = &mut self.transport else {
                return true;
            };
            if open.stage == Stage::Ready {
                return false;
            }
            if !open.hungry() {
                return true;
            }
            let next = open.wire.next();
            open.received = open.wire.stream().received();
            let inbound = match next {
                Ok(None) => {
                    open.readable = false;
                    return true;
                }
                Ok(Some(inbound)) => inbound,
                Err(ended) => {
                    self.fail(ended);
                    return true;
                }
            };
            let result = self.greet_with(now, inbound);
            if !self.settle(result) {
                return true;
            }
        }
        true
    }

    /// One thing came in before the link is ready: whoever is at it hears it.
    fn greet_with(&mut self, now: Instant, inbound: Inbound<W::Message>) -> Result<(), Ended> {
        let Transport::Open(open) = &mut self.transport else {
            return Ok(());
        };
        let epoch = open.epoch;
        // Once the user wants to close, nobody is asked any more.
        let asked = !open.closing;
        let (frame, message) = match inbound {
            // What a handshake hears is a sign of life and no use yet.
            Inbound::Message(message) => (Frame::Part, Some(message).filter(|_| asked)),
            Inbound::Ping => (Frame::Ping, None),
            Inbound::Pong(nonce) => (Frame::Pong(nonce), None),
        };
        let Some(message) = message else {
            self.shared
                .with(|core, _| core.handle(now, Event::Frame(epoch, frame)));
            return Ok(());
        };
        if open.stage == Stage::Introducing {
            if let Some(talk) = &mut self.talk {
                talk.listen(Inbound::Message(message));
            }
            return self.tell(now);
        }
        self.shared
            .with(|core, _| core.handle(now, Event::Frame(epoch, frame)));
        match &mut self.handshake {
            Some(handshake) => {
                let greeting = handshake.receive(message);
                self.greeted(greeting)
            }
            None => Ok(()),
        }
    }

    /// Takes a step of the user's handshake; after the last one the protocol's begins.
    fn greeted(&mut self, greeting: Greeting<W::Message>) -> Result<(), Ended> {
        let Transport::Open(open) = &mut self.transport else {
            return Ok(());
        };
        let epoch = open.epoch;
        if !open.greeted(greeting)? {
            return Ok(());
        }
        let Some(talk) = &mut self.talk else {
            open.stage = Stage::Ready;
            self.feed(Event::Ready(epoch));
            return Ok(());
        };
        open.stage = Stage::Introducing;
        let (session, hello) = self.shared.with(|core, _| {
            let session = core.link.config().session().is_some();
            (session, core.hello(epoch))
        });
        if session && hello.is_none() {
            // The link has given this connection up.
            return Ok(());
        }
        let begun = talk.begin(open.opening, hello);
        if open.greeted(begun)? {
            open.stage = Stage::Ready;
            self.shared.with(|core, now| core.ready(now, epoch));
        }
        Ok(())
    }

    /// Tells the link what the protocol has heard, and says what it wants said.
    pub(crate) fn tell(&mut self, now: Instant) -> Result<(), Ended> {
        let (Transport::Open(open), Some(talk)) = (&mut self.transport, &mut self.talk) else {
            return Ok(());
        };
        let (epoch, stage) = (open.epoch, &mut open.stage);
        self.shared
            .with(|core, _| talk.tell(core, now, epoch, stage))?;
        for message in talk.said.drain(..) {
            open.said = open.said.saturating_add(redial::Payload::size(&message));
            open.say(&message)?;
        }
        Ok(())
    }

    /// Whether a step went well; otherwise the connection is over.
    pub(crate) fn settle(&mut self, result: Result<(), Ended>) -> bool {
        let well = result.is_ok();
        if let Err(ended) = result {
            self.fail(ended);
        }
        well
    }
}

impl<W: Wire> Connection<W> {
    /// Whether there may be input that is wanted. While the answers of a handshake, or what the
    /// protocol says by itself, wait to be written it hears no more, so a server that reads
    /// nothing makes none pile up.
    pub(crate) fn hungry(&self) -> bool {
        let greeting = self.stage != Stage::Ready && self.wire.pending() >= CHUNK;
        self.readable && !self.paused && !greeting && self.said < CROWDED
    }

    /// Takes a step of a handshake: whether it is done, or why it won't be.
    fn greeted(&mut self, greeting: Greeting<W::Message>) -> Result<bool, Ended> {
        let (said, done) = match greeting {
            Greeting::More(said) => (said, false),
            Greeting::Ready(said) => (said, true),
            Greeting::Refused(failure) => return Err(failure),
        };
        for message in &said {
            self.say(message)?;
        }
        Ok(done)
    }

    /// Puts something that is no message of the application.
    pub(crate) fn say(&mut self, message: &W::Message) -> Result<(), Ended> {
        self.dirty = true;
        if self.wire.put(message)? {
            return Ok(());
        }
        let detail = "a message of the handshake or the protocol is longer than may be sent";
        Err(Ended::credentials(detail))
    }
}
