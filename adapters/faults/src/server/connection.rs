//! One client of a server, from acceptance to the end of its script.

use super::Framing;
use super::channel::{Channel, Stop, encode};
use super::counts::Counts;
use super::request::{Request, refusal};
use super::stream::Stream;
use crate::behaviour::{Behaviour, End, Plan, Script};
use crate::net::{self, LINGER};
use std::io::{self, Read, Write};
use std::time::Instant;
use tungstenite::Message;

/// How many messages one connection may have read before the others have their turn.
const BATCH: usize = 1024;
/// The longest head of a request.
const HEAD_LIMIT: usize = 64 * 1024;

/// A client's connection.
pub(super) struct Connection {
    framing: Framing,
    phase: Phase,
}

enum Phase {
    /// The request comes in.
    Head {
        stream: Stream,
        head: Vec<u8>,
        behaviour: Behaviour,
    },
    /// The answer goes out; then the script begins, or all is over.
    Reply {
        stream: Stream,
        reply: Vec<u8>,
        then: Option<(Vec<u8>, Script)>,
    },
    /// Messages flow.
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
    script: Script,
    // When the script ends it; or, once it is closing, when the peer has waited long enough.
    end: Option<Instant>,
    closing: bool,
    // Something waits to be written and the socket is full.
    stuck: bool,
}

/// What a connection asks for after a turn.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) again: bool,
    pub(super) wake: Option<Instant>,
}

impl Connection {
    pub(super) fn new(framing: Framing, stream: Stream, behaviour: Behaviour) -> Self {
        let phase = match framing {
            Framing::WebSocket => Phase::Head {
                stream,
                head: Vec::new(),
                behaviour,
            },
            Framing::LengthPrefix => match behaviour.plan(None) {
                Plan::Refuse(status, headers) => Phase::Reply {
                    stream,
                    reply: refusal(status, &headers),
                    then: None,
                },
                Plan::Bytes(reply) => Phase::Reply {
                    stream,
                    reply,
                    then: None,
                },
                Plan::Open(greeting, script) => {
                    let reply = encode(framing, &greeting);
                    Phase::Reply {
                        stream,
                        reply,
                        then: Some((Vec::new(), script)),
                    }
                }
            },
        };
        Self { framing, phase }
    }

    /// Goes as far as the socket and the script allow.
    pub(super) fn drive(&mut self, now: Instant, counts: &mut Counts, scratch: &mut [u8]) -> Turn {
        let mut turn = Turn::default();
        loop {
            let was_open = self.is_open();
            let (phase, more) = match std::mem::replace(&mut self.phase, Phase::Gone) {
                Phase::Head {
                    stream,
                    head,
                    behaviour,
                } => self.read_head(stream, head, behaviour, counts),
                Phase::Reply {
                    stream,
                    reply,
                    then,
                } => self.reply(stream, reply, then, now),
                Phase::Open(open) => open.drive(now, counts, &mut turn),
                Phase::Leaving { mut stream, until } => {
                    // Below TLS: what comes is not looked at any more.
                    let ended = match &mut stream {
                        Stream::Plain(tcp) => net::discard(tcp, scratch),
                        #[cfg(feature = "tls")]
                        Stream::Tls(tls) => net::discard(&mut tls.sock, scratch),
                    };
                    turn.wake = Some(until);
                    let gone = ended || now >= until;
                    (
                        if gone {
                            Phase::Gone
                        } else {
                            Phase::Leaving { stream, until }
                        },
                        false,
                    )
                }
                Phase::Gone => (Phase::Gone, false),
            };
            self.phase = phase;
            match (was_open, self.is_open()) {
                (false, true) => {
                    counts.open += 1;
                    counts.handshakes += 1;
                }
                (true, false) => counts.open -= 1,
                _ => {}
            }
            if !more {
                return turn;
            }
        }
    }

    /// Sends a message if the connection is open.
    pub(super) fn send(&mut self, message: Message) {
        if let Phase::Open(open) = &mut self.phase {
            open.stuck |= open.channel.write(message).is_err() || open.channel.flush().is_err();
        }
    }

    /// Sends a close frame if the connection is open, with a FIN behind it where no answer comes.
    pub(super) fn close(&mut self, code: u16, reason: &str, now: Instant) {
        if let Phase::Open(open) = &mut self.phase {
            open.script.end = None;
            open.close(code, reason.to_owned(), now);
        }
    }

    /// Makes the next turn send a FIN.
    pub(super) fn leave(&mut self, now: Instant, counts: &mut Counts) {
        counts.open -= usize::from(self.is_open());
        let stream = match std::mem::replace(&mut self.phase, Phase::Gone) {
            Phase::Head { stream, .. } | Phase::Reply { stream, .. } => stream,
            Phase::Open(open) => open.channel.into_stream(),
            other => {
                self.phase = other;
                return;
            }
        };
        self.phase = leaving(stream, now).0;
    }

    /// Makes the drop that follows an RST.
    pub(super) fn reset(&self) {
        match &self.phase {
            Phase::Head { stream, .. }
            | Phase::Reply { stream, .. }
            | Phase::Leaving { stream, .. } => net::reset(stream.tcp()),
            Phase::Open(open) => net::reset(open.channel.stream().tcp()),
            Phase::Gone => {}
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    fn read_head(
        &self,
        mut stream: Stream,
        mut head: Vec<u8>,
        behaviour: Behaviour,
        counts: &mut Counts,
    ) -> (Phase, bool) {
        let mut buffer = [0; 4096];
        let end = loop {
            if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            match stream.read(&mut buffer) {
                Ok(count) if count > 0 && head.len() < HEAD_LIMIT => {
                    head.extend_from_slice(&buffer[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return (
                        Phase::Head {
                            stream,
                            head,
                            behaviour,
                        },
                        false,
                    );
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return (Phase::Gone, false),
            }
        };
        let Some(request) = Request::parse(&head[..end]) else {
            return (Phase::Gone, false);
        };
        let tail = head.split_off(end + 4);
        let (reply, then) = match (behaviour.plan(request.bearer()), request.upgrade()) {
            (Plan::Refuse(status, headers), _) => (refusal(status, &headers), None),
            (Plan::Bytes(bytes), _) => (bytes, None),
            (Plan::Open(..), None) => (request.plain(), None),
            (Plan::Open(greeting, script), Some(mut answer)) => {
                answer.extend(encode(self.framing, &greeting));
                (answer, Some((tail, script)))
            }
        };
        counts.requests.push(request);
        (
            Phase::Reply {
                stream,
                reply,
                then,
            },
            true,
        )
    }

    fn reply(
        &self,
        mut stream: Stream,
        mut reply: Vec<u8>,
        then: Option<(Vec<u8>, Script)>,
        now: Instant,
    ) -> (Phase, bool) {
        loop {
            let step = if reply.is_empty() {
                stream.flush().map(|()| true)
            } else {
                stream.write(&reply).map(|count| {
                    reply.drain(..count);
                    false
                })
            };
            match step {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return (
                        Phase::Reply {
                            stream,
                            reply,
                            then,
                        },
                        false,
                    );
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return (Phase::Gone, false),
            }
        }
        let Some((tail, script)) = then else {
            return leaving(stream, now);
        };
        let end = script.end.as_ref().map(|(after, _)| now + *after);
        let channel = Channel::new(self.framing, stream, tail);
        (
            Phase::Open(Box::new(Open {
                channel,
                script,
                end,
                closing: false,
                stuck: false,
            })),
            true,
        )
    }
}

impl Open {
    fn drive(
        mut self: Box<Self>,
        now: Instant,
        counts: &mut Counts,
        turn: &mut Turn,
    ) -> (Phase, bool) {
        if self.end.is_some_and(|end| now >= end) {
            match self.script.end.take() {
                Some((_, End::Close(code, reason))) => self.close(code, reason, now),
                Some((_, End::Drop)) | None => return leaving(self.channel.into_stream(), now),
            }
        }
        turn.wake = self.end;
        match self.exchange(counts, turn) {
            Ok(()) | Err(Stop::Blocked) => (Phase::Open(self), false),
            Err(Stop::Closed) => leaving(self.channel.into_stream(), now),
            Err(Stop::Broken) => (Phase::Gone, false),
        }
    }

    /// Reads a batch, answers it, and flushes once.
    fn exchange(&mut self, counts: &mut Counts, turn: &mut Turn) -> Result<(), Stop> {
        if self.stuck {
            self.channel.flush()?;
            self.stuck = false;
        }
        if !self.script.read && !self.closing {
            return Ok(());
        }
        let mut stopped = None;
        for _ in 0..BATCH {
            let message = match self.channel.read() {
                Ok(message) => message,
                Err(stop) => {
                    stopped = Some(stop);
                    break;
                }
            };
            match &message {
                Message::Text(text) => counts.message(text.as_bytes()),
                Message::Binary(bytes) => counts.message(bytes),
                Message::Ping(_) => counts.pings += 1,
                Message::Pong(_) => counts.pongs += 1,
                Message::Close(frame) => counts.closes.push(frame.as_ref().map(|f| f.code.into())),
                Message::Frame(_) => {}
            }
            let data = matches!(message, Message::Text(_) | Message::Binary(_));
            if data && self.script.echo && !self.closing {
                // Not to read on while nothing can be written is what makes the sender wait.
                if let Err(stop) = self.channel.write(message) {
                    self.stuck = true;
                    return Err(stop);
                }
            }
        }
        turn.again = stopped.is_none();
        match stopped {
            Some(stop) if stop != Stop::Blocked => Err(stop),
            _ => self.channel.flush().inspect_err(|_| self.stuck = true),
        }
    }

    fn close(&mut self, code: u16, reason: String, now: Instant) {
        // Where no answer comes, the deadline that is now past ends it with a FIN.
        self.closing = true;
        self.end = Some(if self.channel.close(code, reason) {
            now + LINGER
        } else {
            now
        });
        self.stuck = true;
    }
}

fn leaving(stream: Stream, now: Instant) -> (Phase, bool) {
    net::finish(stream.tcp());
    (
        Phase::Leaving {
            stream,
            until: now + LINGER,
        },
        true,
    )
}
