//! One connection of a server of sessions.

use super::house::{House, Seat};
use crate::net::{self, LINGER};
use crate::server::{Channel, Stop, Stream};
use redial::MessageId;
use redial::wire::{Detail, Frame, Refusal, WireError};
use std::time::Instant;
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::MidHandshake;
use tungstenite::handshake::server::{NoCallback, ServerHandshake};
use tungstenite::protocol::WebSocket;
use tungstenite::{Bytes, Message};

/// How many messages one connection may have read before the others have their turn.
const BATCH: usize = 1024;

type Shaking = ServerHandshake<Stream, NoCallback>;

/// A client's connection.
pub(super) struct Peer {
    id: usize,
    phase: Phase,
}

enum Phase {
    /// The WebSocket is being opened.
    Shaking(Box<MidHandshake<Shaking>>),
    /// Frames flow.
    Open(Box<Open>),
    /// A FIN was sent; what still comes is thrown away.
    Leaving {
        stream: Stream,
        until: Instant,
    },
    Gone,
}

struct Open {
    channel: Channel,
    /// The session that it carries, once it has said hello.
    seat: Option<Seat>,
    /// The last message that was given to the transport and not flushed.
    written: Option<MessageId>,
    /// Something waits to be written and the socket is full.
    stuck: bool,
    /// It is being closed, and ends at this time.
    end: Option<Instant>,
}

/// What a connection asks for after a turn.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) again: bool,
    pub(super) wake: Option<Instant>,
}

impl Peer {
    pub(super) fn new(id: usize, stream: Stream, framed: bool) -> Self {
        let phase = if framed {
            Phase::open(Channel::framed(stream, Vec::new()))
        } else {
            let config = Some(Channel::config());
            shaken(tungstenite::accept_hdr_with_config(
                stream, NoCallback, config,
            ))
        };
        Self { id, phase }
    }

    /// Goes as far as the socket and the session allow.
    pub(super) fn drive(&mut self, now: Instant, house: &mut House, scratch: &mut [u8]) -> Turn {
        let mut turn = Turn::default();
        self.phase = match std::mem::replace(&mut self.phase, Phase::Gone) {
            Phase::Shaking(shaking) => shaken(shaking.handshake()),
            other => other,
        };
        if let Phase::Open(open) = &mut self.phase {
            match open.drive(self.id, now, house, &mut turn) {
                Ok(()) | Err(Stop::Blocked) => {}
                Err(Stop::Closed) => self.leave(now, house),
                Err(Stop::Broken) => self.drop(now, house),
            }
        }
        if let Phase::Leaving { stream, until } = &mut self.phase {
            turn.wake = Some(*until);
            if net::discard(stream, scratch) || now >= *until {
                self.phase = Phase::Gone;
            }
        }
        turn
    }

    /// Sends a close frame; the session is no longer carried.
    pub(super) fn close(&mut self, now: Instant, house: &mut House) {
        if let Phase::Open(open) = &mut self.phase {
            open.unseat(now, house);
            open.close(now, 1000, String::new());
        }
    }

    /// Sends a FIN.
    pub(super) fn leave(&mut self, now: Instant, house: &mut House) {
        let stream = match std::mem::replace(&mut self.phase, Phase::Gone) {
            Phase::Open(mut open) => {
                open.unseat(now, house);
                open.channel.into_stream()
            }
            leaving @ Phase::Leaving { .. } => {
                self.phase = leaving;
                return;
            }
            Phase::Shaking(_) | Phase::Gone => return,
        };
        net::finish(stream.tcp());
        let until = now + LINGER;
        self.phase = Phase::Leaving { stream, until };
    }

    /// Ends at once, with an RST.
    pub(super) fn reset(&mut self, now: Instant, house: &mut House) {
        if let Phase::Open(open) = &self.phase {
            net::reset(open.channel.stream().tcp());
        }
        self.drop(now, house);
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    fn drop(&mut self, now: Instant, house: &mut House) {
        if let Phase::Open(open) = &mut self.phase {
            open.unseat(now, house);
        }
        self.phase = Phase::Gone;
    }
}

impl Phase {
    fn open(channel: Channel) -> Self {
        Self::Open(Box::new(Open {
            channel,
            seat: None,
            written: None,
            stuck: false,
            end: None,
        }))
    }
}

impl Open {
    /// Reads a batch, and says what there is to say.
    fn drive(
        &mut self,
        id: usize,
        now: Instant,
        house: &mut House,
        turn: &mut Turn,
    ) -> Result<(), Stop> {
        if self.end.is_some_and(|end| now >= end) {
            return Err(Stop::Closed);
        }
        if self.stuck {
            self.flush(now, house)?;
        }
        let mut replies = Vec::new();
        let mut refused = None;
        let mut stopped = None;
        for _ in 0..BATCH {
            match self.channel.read() {
                Ok(Message::Binary(bytes)) if self.end.is_none() && refused.is_none() => {
                    refused = self.hear(id, now, house, &bytes, &mut replies).err();
                }
                // The codec is binary.
                Ok(Message::Text(_)) if self.end.is_none() && refused.is_none() => {
                    replies.push(refuse(Refusal::Malformed, None));
                    refused = Some(Refusal::Malformed);
                }
                // What is written now is not read any more.
                Ok(Message::Close(_)) if self.end.is_none() => self.end = Some(now + LINGER),
                Ok(_) => {}
                Err(stop) => {
                    stopped = Some(stop);
                    break;
                }
            }
        }
        turn.again = stopped.is_none();
        self.say(now, house, replies)?;
        if let Some(refusal) = refused.filter(|_| self.end.is_none()) {
            self.unseat(now, house);
            self.close(now, refusal.close_code(), refusal.to_string());
        }
        turn.wake = self.end;
        stopped.map_or(Ok(()), Err)
    }

    /// Takes one frame.
    fn hear(
        &mut self,
        id: usize,
        now: Instant,
        house: &mut House,
        bytes: &Bytes,
        replies: &mut Vec<Vec<u8>>,
    ) -> Result<(), Refusal> {
        let at = house.at(now);
        let heard = match (Frame::parse(bytes), self.seat) {
            (Ok(Frame::Hello(hello)), None) => {
                house.admit(at, id, &hello).map(|(seat, welcome)| {
                    self.seat = Some(seat);
                    replies.push(Frame::Welcome(welcome).to_vec());
                })
            }
            (Ok(frame), Some(seat)) => house.hear(at, seat, &frame, replies),
            (Ok(_), None) => Err(Refusal::Malformed),
            (Err(error), _) => {
                house.refused(error);
                replies.push(refuse(error.refusal(), Some(error)));
                return Err(error.refusal());
            }
        };
        heard.inspect_err(|refusal| replies.push(refuse(*refusal, None)))
    }

    /// Writes these frames and all that the session has to say, until there is no more or the
    /// socket is full. What changed is written down before.
    fn say(
        &mut self,
        now: Instant,
        house: &mut House,
        mut frames: Vec<Vec<u8>>,
    ) -> Result<(), Stop> {
        let at = house.at(now);
        loop {
            if let Some(seat) = self.seat {
                if !self.stuck && self.end.is_none() {
                    self.written = house.say(at, seat, &mut frames).or(self.written);
                }
                house.settle(seat).map_err(|_| Stop::Broken)?;
            }
            if frames.is_empty() {
                return Ok(());
            }
            for frame in frames.drain(..) {
                match self.channel.write(Message::binary(frame)) {
                    Ok(()) => {}
                    // It waits, and so do those behind it.
                    Err(Stop::Blocked) => self.stuck = true,
                    Err(stop) => return Err(stop),
                }
            }
            self.flush(now, house)?;
        }
    }

    /// Writes all that waits; a socket that is full is no error.
    fn flush(&mut self, now: Instant, house: &mut House) -> Result<(), Stop> {
        match self.channel.flush() {
            Ok(()) => {
                self.stuck = false;
                if let (Some(seat), Some(through)) = (self.seat, self.written.take()) {
                    house.flushed(house.at(now), seat, through);
                }
                Ok(())
            }
            Err(Stop::Blocked) => {
                self.stuck = true;
                Ok(())
            }
            Err(stop) => Err(stop),
        }
    }

    fn close(&mut self, now: Instant, code: u16, reason: String) {
        // Where no answer comes, the deadline that is now past ends it with a FIN.
        let answered = self.channel.close(code, reason);
        self.end = Some(if answered { now + LINGER } else { now });
        self.stuck = true;
    }

    fn unseat(&mut self, now: Instant, house: &mut House) {
        if let Some(seat) = self.seat.take() {
            house.left(house.at(now), seat);
        }
    }
}

fn refuse(refusal: Refusal, error: Option<WireError>) -> Vec<u8> {
    let detail = error.map(|error| error.to_string()).unwrap_or_default();
    let detail = Detail::new(&detail);
    Frame::Refuse { refusal, detail }.to_vec()
}

fn shaken(result: Result<WebSocket<Stream>, HandshakeError<Shaking>>) -> Phase {
    match result {
        Ok(socket) => Phase::open(Channel::WebSocket(Box::new(socket))),
        Err(HandshakeError::Interrupted(shaking)) => Phase::Shaking(Box::new(shaking)),
        Err(HandshakeError::Failure(_)) => Phase::Gone,
    }
}
