//! The protocol of [`redial::wire`] for a link: for peers that have none of their own.
//!
//! Frames travel in binary messages of a WebSocket, or in the data frames of plain TCP. What they
//! look like and who says what when is in the core's `docs/wire.md`.

mod carrier;
mod failure;

use std::num::NonZero;

use redial::Ack;
use redial::inbox::Header;
use redial::outbox::Outgoing;
use redial::session::Hello;
use redial::wire::{Batch, Frame, Head, Kind};

pub use self::carrier::Carrier;
use self::failure::Wrong;
use crate::{Failure, Greeting, Heard, Opening, Protocol};

/// The client's half of the protocol of [`redial::wire`].
///
/// Text stays text and bytes stay bytes, where the transport knows the difference. A frame is at
/// most [`Head::LONGEST`] bytes longer than the message in it: the limits of the transport are
/// for the frame.
///
/// The peer's malformed frames, and frames that it may not send (an intent, anything but a
/// welcome or a refusal before the welcome), end the connection by
/// [`ProtocolError::Frame`](redial::cause::ProtocolError::Frame). A refusal ends it by what it
/// says: another version by [`ProtocolError::Version`](redial::cause::ProtocolError::Version),
/// which is final; a busy server as a close with 1013, with its hint; the application's own code
/// as a close with that.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    pings: bool,
    /// The handshake of this connection is done.
    welcomed: bool,
    /// The nonce of the peer's last ping that has no answer yet.
    asked: Option<u64>,
}

impl Wire {
    /// Heartbeats are left to the transport, which has its own.
    pub const fn new() -> Self {
        Self {
            pings: false,
            welcomed: false,
            asked: None,
        }
    }

    /// Heartbeats by frames: for transports without pings of their own, or where something in
    /// between answers those. Pings of the peer are answered either way.
    #[must_use]
    pub const fn with_pings(mut self) -> Self {
        self.pings = true;
        self
    }

    fn hear<M: Carrier>(&mut self, message: M, heard: &mut Vec<Heard<M>>) -> Result<(), Wrong> {
        let Some(bytes) = message.as_frame() else {
            return Err(Wrong::Text);
        };
        // Nearly all there is.
        if let Some((head, payload)) = Head::parse(bytes)? {
            let header = self.header(head)?;
            let at = bytes.len() - payload.len();
            let message = message.strip(at, head.is_text())?;
            heard.push(Heard::Message(header, message));
            return Ok(());
        }
        match Frame::parse(bytes)? {
            Frame::Welcome(_) if self.welcomed => return Err(Wrong::Order(Kind::Welcome)),
            Frame::Welcome(welcome) => {
                self.welcomed = true;
                heard.push(Heard::Welcome(welcome));
            }
            Frame::Refuse { refusal, detail } => return Err(Wrong::refused(refusal, detail)),
            Frame::Ping { nonce } => {
                self.asked = Some(nonce);
                heard.push(Heard::Ping);
            }
            Frame::Pong { nonce } => heard.push(Heard::Pong(Some(nonce))),
            Frame::Ack { sequence, intents } if self.welcomed => {
                heard.push(Heard::Acked(Ack::Through { sequence, intents }));
            }
            Frame::Decline { number, .. } if self.welcomed => {
                heard.push(Heard::IntentRefused(number.get()));
            }
            Frame::Batch(batch) => {
                let before = heard.len();
                if let Err(wrong) = self.hear_batch(&message, batch, heard) {
                    heard.truncate(before);
                    return Err(wrong);
                }
            }
            other => return Err(Wrong::Order(other.kind())),
        }
        Ok(())
    }

    fn hear_batch<M: Carrier>(
        &self,
        message: &M,
        batch: Batch<'_>,
        heard: &mut Vec<Heard<M>>,
    ) -> Result<(), Wrong> {
        for part in batch.parts() {
            // A batch has messages only.
            if let Some((head, payload)) = Head::parse(part)? {
                let header = self.header(head)?;
                let part = message.cut(payload, head.is_text())?;
                heard.push(Heard::Message(header, part));
            }
        }
        Ok(())
    }

    /// The place of a message that the server may send now.
    fn header(&self, head: Head) -> Result<Option<Header>, Wrong> {
        match head {
            Head::Data { sequence, .. } if self.welcomed => {
                Ok((sequence > 0).then_some(Header::Sequence(sequence)))
            }
            Head::Data { .. } => Err(Wrong::Order(Kind::Data)),
            Head::Intent { .. } => Err(Wrong::Order(Kind::Intent)),
        }
    }
}

impl<M: Carrier> Protocol<M> for Wire {
    fn begin(&mut self, _: Opening, hello: Hello) -> Greeting<M> {
        self.welcomed = false;
        self.asked = None;
        Greeting::More(vec![carry(Frame::Hello(hello))])
    }

    fn receive(&mut self, message: M, heard: &mut Vec<Heard<M>>) {
        if let Err(wrong) = self.hear(message, heard) {
            heard.push(Heard::Refused(Failure::from(wrong)));
        }
    }

    fn send(&mut self, outgoing: &Outgoing<'_, M>) -> M {
        let text = outgoing.payload.is_text();
        let head = match outgoing.intent.and_then(NonZero::new) {
            Some(number) => Head::Intent { text, number },
            None => Head::Data {
                text,
                resent: outgoing.resent,
                sequence: outgoing.sequence.unwrap_or_default(),
            },
        };
        M::carry(head.frame(outgoing.payload.payload()))
    }

    /// At most [`Batch::MOST`] messages, each as [`send`](Self::send) has made it: what else is
    /// given becomes an empty message, with which the peer ends the connection.
    fn batch(&mut self, messages: Vec<M>) -> M {
        let frames = messages
            .iter()
            .map(|one| one.as_frame().unwrap_or_default());
        M::carry(Batch::join(frames).unwrap_or_default())
    }

    fn acknowledge(&mut self, sequence: u64, intents: u64) -> Option<M> {
        Some(carry(Frame::Ack { sequence, intents }))
    }

    fn ping(&mut self, nonce: u64) -> Option<M> {
        self.pings.then(|| carry(Frame::Ping { nonce }))
    }

    fn pong(&mut self) -> Option<M> {
        let nonce = self.asked.take()?;
        Some(carry(Frame::Pong { nonce }))
    }
}

fn carry<M: Carrier>(frame: Frame<'_>) -> M {
    M::carry(frame.to_vec())
}

#[cfg(test)]
mod tests;
