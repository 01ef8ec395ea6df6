//! The protocol that the two ends speak: what comes in is translated to words, and the words are
//! told to the link in their order, many under one lock.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use redial::cause::ProtocolError;
use redial::{Cause, Epoch, Event, Frame, Header, Hello, Inbound, Instant, Payload, Resumption};
use redial_adapter::{Failure, Greeting, Heard, Protocol};

use super::greet::Over;
use super::intake::{Intake, Notice};
use super::line::{Closing, Line, Room, Stage};
use super::read::{BATCH, next_frame};
use super::{Engine, Seat, TokioLink};
use crate::codec::{Codec, Decoded};
use crate::connector::Connector;

/// A user's protocol.
pub(crate) type Speaker<M> = Box<dyn Protocol<M>>;

/// How many things the protocol may have to say before nothing more is heard: a peer that asks
/// and doesn't read must not make answers pile up. The heartbeat goes on judging it.
const SAYS: usize = 64;

/// A protocol, and what it has heard.
pub(super) struct Talk<M> {
    pub(super) protocol: Speaker<M>,
    heard: Vec<Heard<M>>,
    words: VecDeque<Word<M>>,
}

/// What the link is to be told.
enum Word<M> {
    Frame(Frame),
    Heard(Heard<M>),
}

impl<M: Payload + 'static> Talk<M> {
    pub(super) fn new(protocol: Speaker<M>) -> Self {
        Self {
            protocol,
            heard: Vec::new(),
            words: VecDeque::new(),
        }
    }

    /// Translates a frame. The end of the connection, if it is one.
    fn hear<T>(
        &mut self,
        line: &mut Line<T, M>,
        decoded: Decoded<M>,
        space: &mut Room,
    ) -> Result<(), redial::Closure> {
        let message = match decoded {
            // Once the user wants to close, nobody is asked any more how to begin.
            Decoded::Data(_) if line.stage == Stage::Talking && line.closing != Closing::No => {
                self.words.push_back(Word::Frame(Frame::Part));
                return Ok(());
            }
            Decoded::Data(message) => message,
            Decoded::Ping => {
                line.pinged.0 = true;
                self.words.push_back(Word::Frame(Frame::Ping));
                return Ok(());
            }
            Decoded::Pong(nonce) => {
                self.words.push_back(Word::Frame(Frame::Pong(nonce)));
                return Ok(());
            }
            Decoded::Close(closure) => return Err(closure),
            Decoded::Nothing => return Ok(()),
        };
        self.protocol.receive(message, &mut self.heard);
        let is_frame =
            |heard: &Heard<M>| matches!(heard, Heard::Message(..) | Heard::Ping | Heard::Pong(_));
        if !self.heard.iter().any(is_frame) {
            self.words.push_back(Word::Frame(Frame::Part));
        }
        let mut data = false;
        for heard in self.heard.drain(..) {
            match heard {
                Heard::Message(_, ref message) => {
                    if !data {
                        data = true;
                        self.words.push_back(Word::Frame(Frame::Data));
                    }
                    space.take(message);
                    self.words.push_back(Word::Heard(heard));
                }
                Heard::Ping => {
                    line.pinged.1 = true;
                    self.words.push_back(Word::Frame(Frame::Ping));
                }
                Heard::Pong(nonce) => self.words.push_back(Word::Frame(Frame::Pong(nonce))),
                Heard::Say(message) => line.says.push_back(message),
                other => self.words.push_back(Word::Heard(other)),
            }
        }
        Ok(())
    }

    fn is_refused(&self) -> bool {
        matches!(self.words.back(), Some(Word::Heard(Heard::Refused(_))))
    }
}

impl<C, D> Engine<C, D>
where
    C: Connector<D::Transport>,
    D: Codec,
{
    /// Lets the protocol begin on a connection on which it is due. True if something happened.
    pub(super) fn begin<S: Seat<D::Message>>(
        &mut self,
        now: Instant,
        seat: &mut S,
        intake: &mut Intake<D::Message>,
        room: &mut Room,
    ) -> bool {
        let due = |line: &Line<_, _>| line.stage == Stage::Begin;
        if !self.line.as_ref().is_some_and(due) {
            return false;
        }
        // The link has to know first that the connection has opened.
        self.feed(now, seat);
        let (Some(line), Some(talk)) = (&mut self.line, &mut self.talk) else {
            return true;
        };
        if !due(line) {
            return true;
        }
        let Some(hello) = greeting(line.epoch, seat) else {
            // The link wants this connection no more.
            line.stage = Stage::Talking;
            return true;
        };
        line.stage = Stage::Talking;
        let refused = match talk.protocol.begin(line.opening, hello) {
            Greeting::More(said) => {
                line.says.extend(said);
                None
            }
            Greeting::Ready(said) => {
                line.says.extend(said);
                talk.words.push_back(Word::Heard(Heard::Ready));
                self.tell(now, seat, intake, room)
            }
            Greeting::Refused(failure) => Some(failure),
        };
        if let Some(failure) = refused {
            self.refused(failure, seat);
        }
        true
    }

    /// Reads what there is, as far as there is room for it, and tells the link. How the
    /// connection has ended, if it has, and whether the link was told anything.
    pub(super) fn listen<S: Seat<D::Message>>(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        seat: &mut S,
        intake: &mut Intake<D::Message>,
        room: &mut Room,
    ) -> (Option<Over>, bool) {
        // What happened before comes before.
        let mut told = self.feed(now, seat);
        let mut left = BATCH;
        while left > 0 {
            let (Some(line), Some(talk)) = (&mut self.line, &mut self.talk) else {
                break;
            };
            let most = match line.stage {
                Stage::Ready => left,
                // What is said to one word goes out before the next is heard, and it may be the
                // last one for which the inbox needs no room.
                Stage::Talking if line.says.is_empty() => 1,
                Stage::Greeting | Stage::Begin | Stage::Talking => break,
            };
            if line.stage == Stage::Ready && room.is_empty() {
                self.paused = true;
                break;
            }
            // What turns out to be a duplicate takes no room in the end.
            let mut space = *room;
            let mut end = None;
            let mut dry = false;
            for _ in 0..most {
                let full = line.stage == Stage::Ready && space.is_empty();
                if full || line.says.len() >= SAYS || talk.is_refused() {
                    break;
                }
                let heard = match next_frame(&mut self.codec, line, cx) {
                    Poll::Pending => {
                        self.readable = false;
                        dry = true;
                        break;
                    }
                    Poll::Ready(heard) => heard,
                };
                left -= 1;
                if let Err(over) = heard.and_then(|heard| talk.hear(line, heard, &mut space)) {
                    end = Some(over);
                    break;
                }
            }
            let stuck = line.says.len() >= SAYS;
            told |= !talk.words.is_empty();
            if let Some(failure) = self.tell(now, seat, intake, room) {
                return (Some(Over::Refused(failure)), told);
            }
            if let Some(end) = end {
                return (Some(Over::Ended(end)), told);
            }
            if dry || stuck {
                break;
            }
        }
        (None, told)
    }

    /// Tells the link what was heard, in order, and does what it wants. A failure if the protocol
    /// can't go on.
    fn tell<S: Seat<D::Message>>(
        &mut self,
        now: Instant,
        seat: &mut S,
        intake: &mut Intake<D::Message>,
        room: &mut Room,
    ) -> Option<Failure> {
        let (line, talk) = (self.line.as_mut()?, self.talk.as_mut()?);
        if talk.words.is_empty() {
            return None;
        }
        let actions = &mut self.actions;
        let epoch = line.epoch;
        let mut failure = None;
        while !talk.words.is_empty() {
            let mut refused = None;
            seat.with(|link| {
                while let Some(word) = talk.words.pop_front() {
                    let mut settles = false;
                    match word {
                        Word::Heard(Heard::Message(header, message)) => {
                            if place(now, link, line, header, message.size(), intake) {
                                room.take(&message);
                                intake.messages.push_back(message);
                            }
                            // The link asks for nothing here but an acknowledgement, and one will
                            // do for all of them.
                            continue;
                        }
                        Word::Frame(frame) => link.handle(now, Event::Frame(line.epoch, frame)),
                        Word::Heard(Heard::IntentRefused(number)) => {
                            refused = Some(number);
                            break;
                        }
                        Word::Heard(word) => {
                            settles = matches!(word, Heard::Welcome(_) | Heard::Ready);
                            failure = apply(now, link, line, word, intake);
                        }
                    }
                    while let Some(action) = link.poll_action() {
                        actions.push_back(action);
                    }
                    if failure.is_some() {
                        talk.words.clear();
                    }
                    if settles {
                        // A store sees a session begin before anything is received in it.
                        return;
                    }
                }
                while let Some(action) = link.poll_action() {
                    actions.push_back(action);
                }
            });
            if let Some(number) = refused {
                seat.refuse_intent(now, epoch, number);
            }
        }
        self.act(seat);
        failure
    }
}

/// What the protocol is to begin with.
fn greeting<M, S: Seat<M>>(epoch: Epoch, seat: &mut S) -> Option<Hello>
where
    M: Payload + 'static,
{
    const NO_SESSION: Hello = Hello {
        session: None,
        last_seen: 0,
        first: 1,
        connection: 1,
    };
    let hello = seat.with(|link| {
        let session = link.config().session().is_some();
        session.then(|| link.hello(epoch))
    });
    match hello {
        Some(hello) => hello.map(|hello| seat.hold(hello)),
        None => Some(NO_SESSION),
    }
}

/// Judges a message by its place. True if it is for the application.
#[inline]
fn place<T, M: Payload>(
    now: Instant,
    core: &mut TokioLink<M>,
    line: &Line<T, M>,
    header: Option<Header>,
    size: usize,
    intake: &mut Intake<M>,
) -> bool {
    let inbound = match header {
        Some(header) => core.receive(now, line.epoch, header, size),
        None if line.stage == Stage::Ready => Inbound::Deliver,
        None => Inbound::Stale,
    };
    match inbound {
        Inbound::Deliver => true,
        Inbound::Gap(gap) => {
            tracing::info!(target: "redial", from = gap.from, to = gap.to, "gap");
            intake.tell(Notice::Gap(gap));
            true
        }
        Inbound::Duplicate | Inbound::Stale => {
            tracing::trace!(target: "redial", ?header, ?inbound, "not taken");
            false
        }
    }
}

/// Tells the link of any word but a message.
fn apply<T, M: Payload>(
    now: Instant,
    core: &mut TokioLink<M>,
    line: &mut Line<T, M>,
    word: Heard<M>,
    intake: &mut Intake<M>,
) -> Option<Failure> {
    let epoch = line.epoch;
    match word {
        Heard::Acked(ack) => core.handle(now, Event::Acked(epoch, ack)),
        Heard::Welcome(_) if core.config().session().is_none() => {
            return Some(Failure::new(
                Cause::Protocol(ProtocolError::Frame),
                "the protocol has sessions, and the configuration has none",
            ));
        }
        Heard::Welcome(welcome) => {
            if let Some(resumption) = core.welcome(now, epoch, &welcome) {
                begun(line, resumption, intake);
            }
        }
        Heard::Ready => {
            let before = core.stats().connected;
            core.handle(now, Event::Ready(epoch));
            if core.stats().connected > before {
                line.stage = Stage::Ready;
                if let Some(resumption) = core.status().resumption {
                    begun(line, resumption, intake);
                }
            }
        }
        Heard::Refused(failure) => return Some(failure),
        // Messages, and what was done when it was heard; a word that is not known here means
        // nothing here.
        _ => {}
    }
    None
}

fn begun<T, M>(line: &mut Line<T, M>, resumption: Resumption, intake: &mut Intake<M>) {
    line.stage = Stage::Ready;
    tracing::info!(target: "redial", epoch = line.epoch.number(), ?resumption, "session");
    intake.tell(Notice::Session(resumption));
}
