//! Messages on plain TCP: a length, a tag, a body.
//!
//! Each frame is a length of 4 bytes, big endian, and that many bytes: a tag of one byte and
//! the body. Tags are 0 data (the body is the payload), 1 ping and 2 pong (the body is a nonce
//! of 8 bytes, which the pong brings back), 3 close (no body; a FIN follows it). A close frame
//! counts as the WebSocket code 1005, a close without a code: the link dials again.

use std::io::{ErrorKind, Read, Write};

use redial::Cause;
use redial::cause::ProtocolError;

use crate::error::Ended;
use crate::request::Request;
use crate::stream::Stream;
use crate::wire::{Inbound, Sizes, Step, Wire};

const DATA: u8 = 0;
const PING: u8 = 1;
const PONG: u8 = 2;
const CLOSE: u8 = 3;

/// How much is read at once.
const READ: usize = 32 << 10;

/// Behind so many unwritten bytes no further answers to pings are put.
const CROWDED: usize = 64 << 10;

/// A connection with frames on it.
pub(crate) struct Framed {
    stream: Stream,
    sizes: Sizes,
    input: Vec<u8>,
    /// What lies before it in `input` has been taken.
    taken: usize,
    output: Vec<u8>,
    /// What lies before it in `output` has been written.
    written: usize,
    scratch: Box<[u8]>,
    /// The body of the peer's last ping that has no answer yet.
    asked: Option<[u8; 8]>,
}

/// There is no handshake.
pub(crate) enum Never {}

impl Wire for Framed {
    type Message = Vec<u8>;
    type Handshake = Never;
    const FRAMED: bool = true;

    fn begin(stream: Stream, _request: &Request, sizes: Sizes) -> Step<Self> {
        Step::Open(Self {
            stream,
            sizes,
            input: Vec::new(),
            taken: 0,
            output: Vec::new(),
            written: 0,
            scratch: vec![0; READ].into_boxed_slice(),
            asked: None,
        })
    }

    fn resume(handshake: Never) -> Step<Self> {
        match handshake {}
    }

    fn next(&mut self) -> Result<Option<Inbound<Vec<u8>>>, Ended> {
        loop {
            if let Some(frame) = self.frame()? {
                return Ok(Some(frame));
            }
            match self.stream.read(&mut self.scratch) {
                Ok(0) => return Err(Ended::new(Cause::Lost, "the peer ended")),
                Ok(count) => {
                    self.input.drain(..self.taken);
                    self.taken = 0;
                    let read = self.scratch.get(..count).unwrap_or_default();
                    self.input.extend_from_slice(read);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn put(&mut self, message: &Vec<u8>) -> Result<bool, Ended> {
        let fits = message.len() <= self.sizes.outgoing;
        Ok(fits && self.append(DATA, message))
    }

    fn pending(&self) -> usize {
        self.output.len() - self.written
    }

    fn ping(&mut self, nonce: u64) -> Result<(), Ended> {
        self.append(PING, &nonce.to_be_bytes());
        Ok(())
    }

    fn pong(&mut self) -> Result<(), Ended> {
        // A peer may ping without end and never read: behind so much only the last ping is
        // answered, once there is room.
        if self.pending() < CROWDED {
            if let Some(nonce) = self.asked.take() {
                self.append(PONG, &nonce);
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Ended> {
        self.append(CLOSE, &[]);
        Ok(())
    }

    fn flush(&mut self) -> Result<bool, Ended> {
        loop {
            if self.pending() == 0 {
                self.output.clear();
                self.written = 0;
                match self.asked.take() {
                    Some(nonce) => self.append(PONG, &nonce),
                    None => return Ok(true),
                };
            }
            let rest = self.output.get(self.written..).unwrap_or_default();
            match self.stream.write(rest) {
                Ok(0) => return Err(Ended::new(Cause::Lost, "nothing can be written")),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }
}

impl Framed {
    /// Takes a whole frame out of the input, if there is one.
    fn frame(&mut self) -> Result<Option<Inbound<Vec<u8>>>, Ended> {
        let broken = |detail: &str| Ended::new(Cause::Protocol(ProtocolError::Frame), detail);
        let input = self.input.get(self.taken..).unwrap_or_default();
        let Some((head, rest)) = input.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*head) as usize;
        if length > self.sizes.incoming.saturating_add(1) {
            let detail = format!("a frame of {length} bytes");
            return Err(Ended::new(Cause::Protocol(ProtocolError::TooBig), detail));
        }
        let Some(frame) = rest.get(..length) else {
            return Ok(None);
        };
        let inbound = match frame.split_first() {
            Some((&DATA, body)) => Inbound::Message(body.to_vec()),
            Some((&PING, body)) => {
                self.asked = Some(nonce(body).ok_or_else(|| broken("a ping without nonce"))?);
                Inbound::Ping
            }
            Some((&PONG, body)) => {
                let nonce = nonce(body).ok_or_else(|| broken("a pong without nonce"))?;
                Inbound::Pong(Some(u64::from_be_bytes(nonce)))
            }
            Some((&CLOSE, [])) => return Err(Ended::new(Cause::Close(1005), "a close frame")),
            Some((tag, _)) => return Err(broken(&format!("a frame with the tag {tag}"))),
            None => return Err(broken("an empty frame")),
        };
        self.taken += 4 + length;
        Ok(Some(inbound))
    }

    /// False if the body is longer than a frame can be.
    fn append(&mut self, tag: u8, body: &[u8]) -> bool {
        let Ok(length) = u32::try_from(body.len().saturating_add(1)) else {
            return false;
        };
        if self.written > 0 {
            self.output.drain(..self.written);
            self.written = 0;
        }
        self.output.extend_from_slice(&length.to_be_bytes());
        self.output.push(tag);
        self.output.extend_from_slice(body);
        true
    }
}

fn nonce(body: &[u8]) -> Option<[u8; 8]> {
    body.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn pings_without_end_fill_no_memory() {
        const PINGS: u64 = 20_000;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        ours.set_nonblocking(true).unwrap();
        let stream = Stream::plain(mio::net::TcpStream::from_std(ours), 4096);
        let sizes = Sizes {
            outgoing: 100,
            incoming: 100,
        };
        let request = Request::tcp("127.0.0.1:1").unwrap();
        let Step::Open(mut framed) = Framed::begin(stream, &request, sizes) else {
            panic!("there is no handshake");
        };
        let flood = std::thread::spawn(move || {
            for nonce in 1..=PINGS {
                peer.write_all(&[0, 0, 0, 9, PING]).unwrap();
                peer.write_all(&nonce.to_be_bytes()).unwrap();
            }
            peer
        });
        let mut seen = 0;
        while seen < PINGS {
            match framed.next().unwrap() {
                Some(Inbound::Ping) => {
                    seen += 1;
                    framed.pong().unwrap();
                }
                Some(_) => panic!("only pings were sent"),
                None => std::thread::yield_now(),
            }
        }
        assert!(framed.pending() < CROWDED + 13, "{}", framed.pending());
        // The last one has its answer, behind what there was room for.
        let mut peer = flood.join().unwrap();
        assert!(framed.flush().unwrap());
        drop(framed);
        let mut answers = Vec::new();
        peer.read_to_end(&mut answers).unwrap();
        assert!(answers.len() < CROWDED + 39);
        assert!(answers.ends_with(&PINGS.to_be_bytes()));
    }
}
