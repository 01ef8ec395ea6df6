//! A protocol on a connection: what comes in means something to the link through it, and what
//! goes out is put in its words.

use redial::cause::ProtocolError;
use redial::inbox::{Header, Inbound as Place};
use redial::session::Hello;
use redial::{Cause, Epoch, Event, Frame, Instant, Payload};
use redial_adapter::{Greeting, Heard, Opening, Protocol};

use crate::core::Core;
use crate::error::Ended;
use crate::inbox::Notice;
use crate::traffic::Stage;
use crate::wire::Inbound;

/// What a peer is asked for where the link has no session.
const NO_SESSION: Hello = Hello {
    session: None,
    last_seen: 0,
    first: 1,
    connection: 1,
};

/// A protocol, with what it has heard and was not yet told to the link.
///
/// It is asked outside of the lock wherever that is possible: about all that comes in, and about
/// all that goes out ahead of messages.
pub(crate) struct Talk<M> {
    pub(crate) protocol: Box<dyn Protocol<M>>,
    heard: Vec<Heard<M>>,
    /// How many of `heard` each message of the transport has made.
    parts: Vec<usize>,
    /// What is to be said at once.
    pub(crate) said: Vec<M>,
}

impl<M: Payload + 'static> Talk<M> {
    pub(crate) fn new(protocol: Box<dyn Protocol<M>>) -> Self {
        Self {
            protocol,
            heard: Vec::new(),
            parts: Vec::new(),
            said: Vec::new(),
        }
    }

    /// A new connection has opened; `hello` is what the link's session says there, if it has one.
    pub(crate) fn begin(&mut self, opening: Opening, hello: Option<Hello>) -> Greeting<M> {
        self.heard.clear();
        self.parts.clear();
        self.said.clear();
        self.protocol.begin(opening, hello.unwrap_or(NO_SESSION))
    }

    /// Hears one message of the transport: how many messages of the application it brought, and
    /// of how many bytes.
    pub(crate) fn listen(&mut self, inbound: Inbound<M>) -> (usize, usize) {
        let before = self.heard.len();
        match inbound {
            Inbound::Message(message) => self.protocol.receive(message, &mut self.heard),
            Inbound::Ping => self.heard.push(Heard::Ping),
            Inbound::Pong(nonce) => self.heard.push(Heard::Pong(nonce)),
        }
        let new = self.heard.get(before..).unwrap_or_default();
        self.parts.push(new.len());
        let sizes = new.iter().filter_map(|heard| match heard {
            Heard::Message(_, message) => Some(message.size()),
            _ => None,
        });
        sizes.fold((0, 0), |(count, bytes), size| {
            (count + 1, bytes.saturating_add(size))
        })
    }

    /// Tells the link everything that was heard.
    pub(crate) fn tell(
        &mut self,
        core: &mut Core<M>,
        now: Instant,
        epoch: Epoch,
        stage: &mut Stage,
    ) -> Result<(), Ended> {
        let mut heard = self.heard.drain(..);
        for parts in self.parts.drain(..) {
            let mut ear = Ear {
                core,
                now,
                epoch,
                stage,
                said: &mut self.said,
                framed: false,
                useful: false,
            };
            for one in heard.by_ref().take(parts) {
                ear.hear(one)?;
            }
            if !ear.framed {
                ear.frame(Frame::Part);
            }
        }
        Ok(())
    }
}

/// Hears one message of the transport, part by part, under the lock.
struct Ear<'a, M> {
    core: &'a mut Core<M>,
    now: Instant,
    epoch: Epoch,
    stage: &'a mut Stage,
    said: &'a mut Vec<M>,
    /// The link was told of the frame.
    framed: bool,
    /// As one that carries a message.
    useful: bool,
}

impl<M: Payload> Ear<'_, M> {
    fn hear(&mut self, heard: Heard<M>) -> Result<(), Ended> {
        match heard {
            Heard::Message(header, message) => {
                if *self.stage != Stage::Ready {
                    return Err(wrong("a message came before the handshake was done"));
                }
                if !std::mem::replace(&mut self.useful, true) {
                    self.frame(Frame::Data);
                }
                self.message(header, message);
            }
            Heard::Acked(ack) => self.core.handle(self.now, Event::Acked(self.epoch, ack)),
            Heard::IntentRefused(number) => {
                self.core.refuse_intent(self.now, self.epoch, number);
            }
            Heard::Ping => self.frame(Frame::Ping),
            Heard::Pong(nonce) => self.frame(Frame::Pong(nonce)),
            Heard::Say(message) => self.said.push(message),
            Heard::Welcome(_) if self.core.link.config().session().is_none() => {
                return Err(wrong("the peer opened a session, and the link has none"));
            }
            Heard::Welcome(welcome) => {
                let (core, epoch) = (&mut *self.core, self.epoch);
                if let Some(resumption) = core.link.welcome(self.now, epoch, &welcome) {
                    *self.stage = Stage::Ready;
                    core.inbox.tell(Notice::Session(resumption));
                }
                core.collect();
            }
            Heard::Ready if *self.stage == Stage::Introducing => {
                *self.stage = Stage::Ready;
                self.core.ready(self.now, self.epoch);
            }
            Heard::Refused(failure) => return Err(failure),
            // A second word of being ready, or what came into this crate after it was written.
            _ => {}
        }
        Ok(())
    }

    fn frame(&mut self, frame: Frame) {
        self.framed = true;
        self.core.handle(self.now, Event::Frame(self.epoch, frame));
    }

    fn message(&mut self, header: Option<Header>, message: M) {
        let core = &mut *self.core;
        let Some(header) = header else {
            return core.deliver(self.now, message);
        };
        match core
            .link
            .receive(self.now, self.epoch, header, message.size())
        {
            Place::Deliver => core.deliver(self.now, message),
            Place::Gap(gap) => {
                core.inbox.tell(Notice::Gap(gap));
                core.deliver(self.now, message);
            }
            Place::Duplicate | Place::Stale => {}
        }
        core.keep_receipt(self.epoch, false);
        core.collect();
    }
}

fn wrong(detail: &str) -> Ended {
    Ended::new(Cause::Protocol(ProtocolError::Frame), detail)
}
