//! A probe by HTTP: whether a GET of the health URL is answered with a status of 200 to 299.
//!
//! It runs on the link's thread and never waits, as every attempt does: a server that hangs
//! costs the probe's deadline, at which the core gives it up, and holds up nothing else.

use std::io::{ErrorKind, Read, Write};

use mio::Token;
use redial::{Cause, Event};
use redial_adapter::Target;
use redial_adapter::health::{ANSWER, is_healthy, request};

use crate::dial::Stage;
use crate::driver::{Driver, Transport};
use crate::error::Ended;
use crate::stream::Stream;
use crate::wire::Wire;

/// A question under way.
pub(crate) struct Question {
    stream: Stream,
    request: Vec<u8>,
    written: usize,
    answer: [u8; ANSWER],
    read: usize,
}

impl Question {
    pub(crate) fn new(stream: Stream, target: &Target) -> Self {
        Self {
            stream,
            request: request(target),
            written: 0,
            answer: [0; ANSWER],
            read: 0,
        }
    }

    /// Writes and reads as far as it goes now; `None` where the socket blocks.
    fn step(&mut self) -> Result<Option<bool>, Ended> {
        loop {
            let unsent = self.request.get(self.written..).unwrap_or_default();
            let room = self.answer.get_mut(self.read..).unwrap_or_default();
            let moved = if !unsent.is_empty() {
                let count = self.stream.write(unsent);
                self.written += count.as_ref().map_or(0, |count| *count);
                count
            } else if !room.is_empty() {
                // TLS may still hold some of the request.
                let count = self.stream.flush().and_then(|()| self.stream.read(room));
                self.read += count.as_ref().map_or(0, |count| *count);
                count
            } else {
                return Ok(Some(is_healthy(&self.answer)));
            };
            match moved {
                Ok(0) => return Err(std::io::Error::from(ErrorKind::UnexpectedEof).into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl<W: Wire> Driver<W> {
    /// Takes a question as far as it goes now.
    pub(crate) fn ask(&mut self, token: Token, mut question: Box<Question>) {
        let Transport::Dialling(dial) = &mut self.transport else {
            return;
        };
        match question.step() {
            Ok(None) => dial.stage = Stage::Questioning(token, question),
            Ok(Some(true)) => {
                let epoch = dial.epoch;
                self.transport = Transport::None;
                self.feed(Event::Probed(epoch, true));
            }
            Ok(Some(false)) => {
                let answer = String::from_utf8_lossy(&question.answer);
                let detail = format!("the health URL answered {answer:?}");
                self.fail(Ended::new(Cause::Preflight, detail));
            }
            Err(ended) => self.fail(ended),
        }
    }
}
